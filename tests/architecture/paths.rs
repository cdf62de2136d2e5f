//! The paths that a source names. Reads Rust well enough for that; knows no types.

use std::path::Path;

/// The module path of a source file: `["core", "drift"]` for `src/core/drift/mod.rs`; empty for `lib.rs` and `main.rs`.
pub(crate) fn module(path: &Path) -> Vec<String> {
    let mut parts: Vec<String> =
        path.with_extension("").components().skip(1).map(|part| part.as_os_str().to_string_lossy().into_owned()).collect();
    if matches!(parts.last().map(String::as_str), Some("mod" | "lib" | "main")) {
        parts.pop();
    }
    parts
}

/// A path as named in a source: `use` trees are spread out.
pub(crate) struct Named {
    pub parts: Vec<String>,
    pub is_use: bool,
    /// It follows a dot.
    pub is_method: bool,
    /// How many inline modules it stands in.
    pub inline_depth: usize,
    /// It stands in a module that only tests have.
    pub in_test: bool,
}

/// Every path named in `text`.
pub(crate) fn paths(text: &str) -> Vec<Named> {
    let tokens = tokens(text);
    let word = |at: usize| tokens.get(at).map_or("", String::as_str);
    let mut found = Vec::new();
    let mut braces = 0_usize;
    let mut inline: Vec<(usize, bool)> = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        match word(at) {
            "{" => braces += 1,
            "}" => {
                braces = braces.saturating_sub(1);
                inline.retain(|(depth, _)| *depth <= braces);
            }
            "mod" if word(at + 2) == "{" => {
                inline.push((braces + 1, is_for_tests(&tokens[..at])));
                at += 1;
            }
            token if is_word(token) => {
                let mut spread = Vec::new();
                let end = tree(&tokens, at, &[], &mut spread);
                let (is_use, is_method) = (at > 0 && word(at - 1) == "use", at > 0 && word(at - 1) == ".");
                let in_test = inline.iter().any(|(_, test)| *test);
                found.extend(spread.into_iter().map(|parts| Named {
                    parts,
                    is_use,
                    is_method,
                    inline_depth: inline.len(),
                    in_test,
                }));
                at = end;
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

/// Whether `#[cfg(test)]` is among the attributes of the item that begins after these tokens.
fn is_for_tests(mut before: &[String]) -> bool {
    while before.last().is_some_and(|token| token == "]") {
        let Some(start) = before.iter().rposition(|token| token == "#") else { return false };
        if before[start..].concat() == "#[cfg(test)]" {
            return true;
        }
        before = &before[..start];
    }
    false
}

/// Reads a path or a `use` tree that begins at `at`, and gives where it ends.
fn tree(tokens: &[String], mut at: usize, prefix: &[String], found: &mut Vec<Vec<String>>) -> usize {
    let word = |at: usize| tokens.get(at).map_or("", String::as_str);
    let mut parts = prefix.to_vec();
    loop {
        if word(at) == "{" && !parts.is_empty() && word(at - 1) == "::" {
            at += 1;
            while at < tokens.len() && word(at) != "}" {
                at = if is_word(word(at)) { tree(tokens, at, &parts, found) } else { at + 1 };
            }
            return at + 1;
        }
        if !is_word(word(at)) {
            break;
        }
        parts.push(word(at).to_owned());
        at += 1;
        if word(at) != "::" {
            break;
        }
        at += 1;
    }
    found.push(parts);
    at
}

fn is_word(token: &str) -> bool {
    token.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

/// Words and punctuation; comments, strings, characters and lifetimes left out.
pub(super) fn tokens(text: &str) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let at = |i: usize| chars.get(i).copied().unwrap_or('\0');
    let mut tokens = Vec::new();
    let mut i = 0;
    while i < chars.len() {
        let c = at(i);
        if c == '/' && at(i + 1) == '/' {
            while i < chars.len() && at(i) != '\n' {
                i += 1;
            }
        } else if c == '/' && at(i + 1) == '*' {
            let mut depth = 0;
            loop {
                match (at(i), at(i + 1)) {
                    ('/', '*') => (depth, i) = (depth + 1, i + 2),
                    ('*', '/') => (depth, i) = (depth - 1, i + 2),
                    _ => i += 1,
                }
                if depth == 0 || i >= chars.len() {
                    break;
                }
            }
        } else if c == '"' {
            i += 1;
            while i < chars.len() && at(i) != '"' {
                i += if at(i) == '\\' { 2 } else { 1 };
            }
            i += 1;
        } else if c == 'r' && matches!(at(i + 1), '"' | '#') && raw_string(&chars, i).is_some() {
            i = raw_string(&chars, i).unwrap();
        } else if c == '\'' {
            // A character has its closing quote two or, escaped, more places on; anything else is a lifetime.
            if at(i + 1) == '\\' {
                i += 3;
                while i < chars.len() && at(i) != '\'' {
                    i += 1;
                }
                i += 1;
            } else {
                i += if at(i + 2) == '\'' { 3 } else { 1 };
            }
        } else if c.is_alphanumeric() || c == '_' {
            let start = i;
            while at(i).is_alphanumeric() || at(i) == '_' {
                i += 1;
            }
            tokens.push(chars[start..i].iter().collect());
        } else if c == ':' && at(i + 1) == ':' {
            tokens.push("::".to_owned());
            i += 2;
        } else {
            if !c.is_whitespace() {
                tokens.push(c.to_string());
            }
            i += 1;
        }
    }
    tokens
}

/// Where the raw string that begins at `from` ends, if one begins there.
fn raw_string(chars: &[char], from: usize) -> Option<usize> {
    let hashes = chars[from + 1..].iter().take_while(|c| **c == '#').count();
    let open = from + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes = |i: usize| chars[i] == '"' && chars[i + 1..].iter().take(hashes).filter(|c| **c == '#').count() == hashes;
    Some((open + 1..chars.len()).find(|i| closes(*i)).map_or(chars.len(), |i| i + 1 + hashes))
}
