//! Which bytes of a manifest's text are values of an `env`, and must not be shown. Never changes the text.

use std::ops::Range;

use yaml_edit::SyntaxKind as Kind;

use super::items::Items;
use super::items::sessions;
use super::tree::{NodePlace, SyntaxNode, SyntaxTree, key_of, key_text, significant, token_of, untagged};
use super::untyped;
use crate::core::manifest::lead::MASK;

/// The key whose values are private, and what people write for it by mistake.
const ENV: [&str; 6] = ["env", "evn", "envs", "environ", "environment", "enviroment"];

/// The values of every `env` that a range of bytes touches, in order.
///
/// An item of the list of sessions that reads alone is looked at alone: in a long manifest a change costs the items beside it.
pub(super) fn values(text: &str, near: &Range<usize>) -> Vec<Range<usize>> {
    if !may_have(text) {
        return Vec::new();
    }
    let mut found = by_item(text, near).unwrap_or_else(|| in_tree(text));
    found.sort_by_key(|range| range.start);
    // An anchor among them stands within another.
    found.dedup_by(|next, range| {
        let is_within = next.start < range.end;
        range.end = if is_within { range.end.max(next.end) } else { range.end };
        is_within
    });
    found
}

/// A line without the private part of it, whose bytes in the text these are.
pub(super) fn masked(text: &str, line: Range<usize>, private: &[Range<usize>]) -> Option<String> {
    let mut out = String::new();
    let mut done = line.start;
    for range in private.iter().filter(|range| range.start < line.end && line.start < range.end) {
        // The line break and the indentation are the text's own.
        let content = text[range.start.max(done)..range.end.min(line.end)].trim_end_matches(['\n', '\r']);
        let start = range.start.max(done) + (content.len() - content.trim_start().len());
        let end = range.start.max(done) + content.len();
        if start < end {
            out.push_str(&text[done..start]);
            out.push_str(MASK);
            done = end;
        }
    }
    (done > line.start).then(|| out + &text[done..line.end])
}

/// The same for a text that is no manifest yet, by its lines alone: what stands behind such a key, and deeper below it.
///
/// A text that cannot be read has no tree to go by. This hides too much rather than too little.
pub(super) fn seeming(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    let mut column = None;
    for line in text.split_inclusive(['\n', '\r']) {
        let content = line.trim();
        let indent = line.len() - line.trim_start().len();
        let is_deeper = |(column, is_block): (usize, bool)| {
            let is_item = is_block && indent == column && content.starts_with('-');
            content.is_empty() || indent > column || line[..indent].contains('\t') || is_item
        };
        let value = if column.is_some_and(is_deeper) {
            Some(indent)
        } else {
            let key = (indent..line.len()).find_map(|from| {
                let is_start = !line.get(..from)?.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | '-'));
                Some((from, private_key(&line[from..]).filter(|_| is_start)?))
            });
            // In braces, what follows may be indented as one likes.
            column = key.map(|(from, _)| {
                let is_block = !line[..from].contains(['{', ',']);
                (if is_block { from } else { indent }, is_block)
            });
            key.map(|(from, length)| from + length)
        };
        found.extend(value.map(|value| at + value..at + line.len()).filter(|range| !range.is_empty()));
        at += line.len();
    }
    found
}

/// How long the key and its colon are that this text begins with, if the key is a private one.
fn private_key(text: &str) -> Option<usize> {
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let word = quote.and_then(|quote| text.strip_prefix(quote)).unwrap_or(text);
    let end = word.bytes().take(16).position(|byte| !byte.is_ascii_alphabetic())?;
    let rest = quote.map_or(Some(&word[end..]), |quote| word[end..].strip_prefix(quote))?.trim_start_matches([' ', '\t']);
    (is_private(&word[..end]) && rest.starts_with(':')).then(|| text.len() - rest.len() + 1)
}

fn is_private(key: &str) -> bool {
    ENV.iter().any(|word| key.eq_ignore_ascii_case(word))
}

/// Whether a text can have such a key at all. An escape can spell one, too.
fn may_have(text: &str) -> bool {
    ["env", "Env", "ENV", "evn", "\\x", "\\u", "\\U"].iter().any(|part| text.contains(part))
}

/// What is a mistaken `env` in an entry is a fine name of a label.
fn is_collection(content: &SyntaxNode) -> bool {
    matches!(untagged(content).kind(), Kind::MAPPING | Kind::SEQUENCE)
}

fn by_item(text: &str, near: &Range<usize>) -> Option<Vec<Range<usize>>> {
    let items = Items::guess(text)?;
    let whole = items.whole();
    let is_outside = near.start < whole.start || whole.end < near.end;
    if is_outside && (may_have(&text[..whole.start]) || may_have(&text[whole.end..])) {
        return None;
    }
    let mut found = Vec::new();
    for (_, span) in items.touching(near) {
        // What another item repeats may be private there.
        if text[span.clone()].contains('&') {
            return None;
        }
        let alone = Items::alone(&text[span.clone()]);
        let value = untyped::read(&alone).ok()?;
        if sessions(&value).is_none_or(|list| list.len() != 1) {
            return None;
        }
        let shift = Items::shift(span.start);
        found.extend(in_tree(&alone).into_iter().map(|range| range.start + shift..range.end + shift));
    }
    Some(found)
}

/// The values of every `env`, wherever it stands, and what the aliases in them repeat.
fn in_tree(text: &str) -> Vec<Range<usize>> {
    let tree = SyntaxTree::parse(text);
    let is_env = |entry: &SyntaxNode| match key_text(entry) {
        Some(key) => {
            key == ENV[0] || (is_private(&key) && NodePlace::of_entry(entry).content.is_some_and(|it| is_collection(&it)))
        }
        // A key that repeats another may say anything.
        None => key_of(entry).is_some_and(|key| key.text().to_string().trim_start().starts_with('*')),
    };
    let entries = tree.nodes().filter(|node| node.kind() == Kind::MAPPING_ENTRY && is_env(node));
    let mut private: Vec<SyntaxNode> = entries.filter_map(|entry| NodePlace::of_entry(&entry).content).collect();
    let mut anchors = None;
    let mut next = 0;
    while let Some(content) = private.get(next).cloned() {
        next += 1;
        for alias in content.descendants().filter(|node| node.kind() == Kind::ALIAS) {
            let name = alias.text().to_string().trim().trim_start_matches('*').to_owned();
            let anchored = |node: SyntaxNode| {
                let token = token_of(&node, Kind::ANCHOR)?;
                Some((token.text().trim_start_matches('&').to_owned(), untagged(&node)))
            };
            let anchors: &Vec<(String, SyntaxNode)> =
                anchors.get_or_insert_with(|| tree.nodes().filter_map(anchored).collect());
            let repeated = anchors.iter().filter(|(anchor, _)| *anchor == name).map(|(_, node)| node);
            let repeated: Vec<SyntaxNode> = repeated.filter(|node| !private.contains(node)).cloned().collect();
            private.extend(repeated);
        }
    }
    private.iter().filter_map(significant).filter(|range| !range.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(text: &str) -> String {
        let private = values(text, &(0..text.len()));
        let mut at = 0;
        let lines = text.split_inclusive('\n').map(|line| {
            let range = at..at + line.len();
            at = range.end;
            masked(text, range, &private).unwrap_or_else(|| line.to_owned())
        });
        lines.collect()
    }

    #[test]
    fn no_value_of_an_env_is_shown_however_it_is_written() {
        for entry in [
            "  - name: a\n    env:\n      TOKEN: hush\n      B: hush\n    agent: pi\n",
            "  - name: a\n    env: { TOKEN: hush, B: hush }\n    agent: pi\n",
            "  - { name: a, env: { TOKEN: hush }, agent: pi }\n",
            "  - {name: a, env: {\n      TOKEN: hush,\n B: hush}, agent: pi}\n",
            "  - name: a\n    env:\n      TOKEN: |\n        hush\n        hush\n    agent: pi\n",
            "  - name: a\n    env:\n      TOKEN: \"x\n\n  hush\"\n    agent: pi\n",
            "  - name: a\n    \"en\\u0076\": { TOKEN: hush }\n    agent: pi\n",
            "  - name: a\n    env: &e { TOKEN: hush }\n    agent: pi\n",
            "  - name: a\n    x-env: &e { TOKEN: hush }\n    env: *e\n    agent: pi\n",
            "  - name: a\n    x-t: &t hush\n    env: { TOKEN: *t }\n    agent: pi\n",
            "  - name: a\n    <<: { env: { TOKEN: hush } }\n    agent: pi\n",
            "  - name: a\n    env: hush\n    agent: pi\n",
            "  - name: a\n    x-a: &a hush\n    x-b: &b { T: *a }\n    env: *b\n    agent: pi\n",
            "  - name: a\n    x-a: &a { T: hush }\n    env:\n      <<: *a\n    agent: pi\n",
            "  - name: a\n    env: { A: &t hush, B: *t }\n    agent: pi\n",
            "  - name: a\n    x-k: &k env\n    *k : { T: hush }\n    agent: pi\n",
            "  - name: a\n    evn: { T: hush }\n    agent: pi\n",
        ] {
            for text in [
                format!("version: 1\nsessions:\n{entry}"),
                format!("version: 1\ndefaults:\n  env: {{ C: hush }}\nsessions:\n{entry}  - name: b\n    agent: pi\n")
                    .replace('\n', "\r\n"),
            ] {
                let shown = shown(&text);
                assert!(!shown.contains("hush") && shown.contains("agent: pi") && shown.contains(MASK), "{text}\n---\n{shown}");
            }
        }
        let plain = "version: 1\nsessions:\n  - name: env\n    cwd: /env\n    labels: { environment: x }\n";
        assert_eq!(shown(plain), plain);
    }

    #[test]
    fn what_another_item_repeats_is_private_where_it_stands() {
        let text = "version: 1\nsessions:\n  - name: a\n    x-t: &t hush\n  - name: b\n    env: { T: *t }\n";
        let near = text.find("  - name: a").unwrap_or_default()..text.find("  - name: b").unwrap_or_default();
        assert!(values(text, &near).iter().any(|range| text[range.clone()].contains("hush")));
    }

    #[test]
    fn a_text_that_cannot_be_read_hides_what_seems_to_be_an_env() {
        for (text, shown) in [
            ("a: 1\nenv:\n  T: hush\n U: hush\nb: 1\n", "a: 1\nenv:\nb: 1\n"),
            ("a: 1\nenv:\n\tT: hush\n\n  - hush\nb: 1\n", "a: 1\nenv:\nb: 1\n"),
            ("- env:\n  - hush\n- b: 1\n", "- env:\n- b: 1\n"),
            ("- { name: a, env: {\n  T: \"hush }\n- b: 1\n", "- { name: a, env:\n- b: 1\n"),
            ("\"env\" : {T: hush\n", "\"env\" :\n"),
            ("no-env: x\nmy_env: y\nenvoy: z\n", "no-env: x\nmy_env: y\nenvoy: z\n"),
        ] {
            let hidden = seeming(text);
            let is_shown = |at: usize| !hidden.iter().any(|range| range.contains(&at));
            let lines = text.split_inclusive('\n').scan(0, |at, line| {
                let from = *at;
                *at += line.len();
                Some(line.char_indices().filter(|(i, c)| *c == '\n' || is_shown(from + i)).map(|(_, c)| c).collect::<String>())
            });
            assert_eq!(lines.filter(|line| !line.trim().is_empty()).collect::<String>(), shown, "{text}");
        }
    }
}
