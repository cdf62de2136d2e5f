//! What YAML 1.2 allows and libyaml does not read, written so that it does. Line by line the text stays what it was, so places
//! stay true; never changes what a document says.

use std::collections::HashMap;
use std::fmt::Write as _;

use serde_yaml::{Mapping, Value};
use yaml_edit::SyntaxKind as Kind;

use super::tree::{SyntaxNode, SyntaxToken, SyntaxTree, is_flow, within_flow};

/// Line breaks to libyaml, ordinary characters in YAML 1.2.
const SEPARATORS: [char; 3] = ['\u{85}', '\u{2028}', '\u{2029}'];

/// Characters that stand in for others, none of which the text has or can spell with an escape.
const SPARE: std::ops::RangeInclusive<char> = '\u{e000}'..='\u{f8ff}';

/// A text for libyaml, and what the characters that stand in for others mean.
#[derive(Debug, Default)]
pub(super) struct Readable {
    pub(super) text: String,
    meant: HashMap<char, char>,
}

/// A text without the characters that libyaml takes for line breaks; `None` if it has none.
pub(super) fn without_separators(text: &str) -> Option<Readable> {
    if !text.contains(SEPARATORS) {
        return None;
    }
    let mut spare = Spare::of(text);
    let rewritten = text.chars().map(|c| if SEPARATORS.contains(&c) { spare.stand_in(c) } else { c }).collect();
    Some(Readable { text: rewritten, meant: spare.meant })
}

/// Whether an anchor is set twice and repeated, as far as the characters say.
pub(super) fn repeats_anchor_set_twice(text: &str) -> bool {
    let mut set: HashMap<&str, bool> = HashMap::new();
    for (at, _) in text.match_indices('&') {
        let name = text[at + 1..].split(|c: char| c.is_whitespace() || ",[]{}".contains(c)).next().unwrap_or_default();
        set.entry(name).and_modify(|twice| *twice = true).or_default();
    }
    set.into_iter().any(|(name, twice)| twice && !name.is_empty() && text.contains(&format!("*{name}")))
}

/// The same for everything else that libyaml does not read; `None` if there is nothing of the kind.
pub(super) fn rewritten(text: &str) -> Option<Readable> {
    let tree = SyntaxTree::parse(text);
    if tree.fault.is_some() {
        return None;
    }
    let mut writer =
        Writer { spare: Spare::of(text), anchors: HashMap::new(), given: 0, out: String::with_capacity(text.len()) };
    let mut token = tree.first_token();
    while let Some(current) = token {
        token = writer.write(&current);
    }
    let (mut spare, out) = (writer.spare, writer.out);
    let rewritten: String = out.chars().map(|c| if SEPARATORS.contains(&c) { spare.stand_in(c) } else { c }).collect();
    (rewritten != text).then_some(Readable { text: rewritten, meant: spare.meant })
}

impl Readable {
    /// What a value read of the text says with the characters that were meant.
    pub(super) fn meant(&self, value: Value) -> Value {
        if self.meant.is_empty() {
            return value;
        }
        match value {
            Value::String(text) => Value::String(text.chars().map(|c| self.meant.get(&c).copied().unwrap_or(c)).collect()),
            Value::Sequence(items) => Value::Sequence(items.into_iter().map(|item| self.meant(item)).collect()),
            Value::Mapping(fields) => {
                let fields = fields.into_iter().map(|(key, value)| (self.meant(key), self.meant(value)));
                Value::Mapping(fields.collect::<Mapping>())
            }
            Value::Tagged(mut tagged) => {
                tagged.value = self.meant(tagged.value);
                Value::Tagged(tagged)
            }
            other => other,
        }
    }
}

/// Gives characters that a text does not use.
struct Spare {
    text: String,
    left: std::ops::RangeInclusive<char>,
    meant: HashMap<char, char>,
    taken: HashMap<char, char>,
}

impl Spare {
    fn of(text: &str) -> Self {
        Self { text: text.to_ascii_lowercase(), left: SPARE, meant: HashMap::new(), taken: HashMap::new() }
    }

    /// The character that stands in for this one; itself if there is none left.
    fn stand_in(&mut self, c: char) -> char {
        if let Some(known) = self.taken.get(&c) {
            return *known;
        }
        let is_free = |spare: &char| !self.text.contains(*spare) && !self.text.contains(&format!("{:x}", u32::from(*spare)));
        let Some(spare) = self.left.find(is_free) else { return c };
        self.taken.insert(c, spare);
        self.meant.insert(spare, c);
        spare
    }
}

/// Writes a text anew, token by token.
struct Writer {
    spare: Spare,
    /// The names that anchors get: those that libyaml cannot read, and those that are set again.
    anchors: HashMap<String, String>,
    /// How many were given.
    given: usize,
    out: String,
}

impl Writer {
    /// Writes a token, and sometimes those that belong to it; gives the one to go on with.
    fn write(&mut self, token: &SyntaxToken) -> Option<SyntaxToken> {
        let text = token.text();
        match token.kind() {
            Kind::BOM if token.prev_token().is_some() => {}
            Kind::INDENT | Kind::WHITESPACE if text.contains('\t') && !is_in_scalar(token) => self.blanks(token),
            Kind::DIRECTIVE => self.directive(text),
            Kind::ANCHOR | Kind::REFERENCE => self.anchor(text),
            Kind::TAG if ["!!null", "!<tag:yaml.org,2002:null>"].contains(&text.trim()) => return self.null(token),
            Kind::NULL if text.is_empty() && is_key(token) => self.out.push_str("~ "),
            Kind::COLON => self.colon(token),
            Kind::NEWLINE if is_before_colon_in_braces(token) => self.out.push(' '),
            _ if text.starts_with(['"', '\'']) && text.contains(['\n', '\r']) && is_key_in_braces(token) => {
                // A key of several lines, which JSON and braces allow, is folded as its reader would.
                self.quoted(&text.lines().map(str::trim).collect::<Vec<_>>().join(" "));
            }
            _ if text.starts_with(['"', '\'']) => self.quoted(text),
            _ if text.starts_with(['?', ':']) && text.len() > 1 && is_in_scalar(token) => {
                let mut chars = text.chars();
                let first = chars.next().unwrap_or_default();
                let first = self.spare.stand_in(first);
                self.out.push(first);
                self.out.push_str(chars.as_str());
            }
            _ => self.out.push_str(text),
        }
        token.next_token()
    }

    /// Tabs between tokens, on lines with nothing or a comment, and in braces are white space like any other. Those before
    /// anything else would be its indentation, and stay what they are: an error.
    fn blanks(&mut self, token: &SyntaxToken) {
        let begins_line = token.prev_token().is_none_or(|before| before.text().ends_with(['\n', '\r']));
        let after = token.next_token().map(|after| (after.kind(), after.text().to_owned()));
        let ends_line =
            after.is_none_or(|(kind, text)| matches!(kind, Kind::NEWLINE | Kind::COMMENT) || text.starts_with(['\n', '\r']));
        let is_free = !begins_line || ends_line || token.parent().is_some_and(|parent| is_in_braces(&parent));
        let text = token.text();
        self.out.push_str(&if is_free { text.replace('\t', " ") } else { text.to_owned() });
    }

    /// A directive of a later version is read as this one's, and one that nobody knows is passed over.
    fn directive(&mut self, text: &str) {
        let mut words = text.split_whitespace();
        match (words.next(), words.next()) {
            (Some("%YAML"), Some(version)) if version.starts_with("1.") => self.out.push_str("%YAML 1.2"),
            (Some("%YAML" | "%TAG"), _) => self.out.push_str(text),
            _ => {
                self.out.push('#');
                self.out.push_str(text.strip_prefix('%').unwrap_or(text));
            }
        }
    }

    /// An anchor or alias. libyaml knows only letters, digits, `-` and `_` in their names, and `serde_yaml` takes an alias of an
    /// anchor that was set twice for another's.
    fn anchor(&mut self, text: &str) {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
        let mut chars = text.chars();
        let (mark, name) = (chars.next().unwrap_or_default(), chars.as_str());
        self.out.push(mark);
        let is_set = self.anchors.contains_key(name);
        if (mark == '&' && is_set) || (!is_set && !name.chars().all(is_plain)) {
            let mut new = format!("a{}", self.given);
            while self.spare.text.contains(&new) {
                new.push('_');
            }
            self.given += 1;
            self.anchors.insert(name.to_owned(), new);
        } else if mark == '&' {
            self.anchors.insert(name.to_owned(), name.to_owned());
        }
        self.out.push_str(self.anchors.get(name).map_or(name, String::as_str));
    }

    /// `!!null` with nothing behind it, or with empty quotes, is null. A single token is written for all of it.
    fn null(&mut self, tag: &SyntaxToken) -> Option<SyntaxToken> {
        let mut next = tag.next_token();
        while let Some(blank) = next.as_ref().filter(|it| it.kind() == Kind::WHITESPACE || it.text_range().is_empty()) {
            next = blank.next_token();
        }
        match &next {
            Some(it) if ["''", "\"\""].contains(&it.text()) => {
                self.out.push_str("null ");
                it.next_token()
            }
            Some(it) if is_in_scalar(it) => {
                self.out.push_str(tag.text());
                tag.next_token()
            }
            _ => {
                self.out.push_str("null ");
                next
            }
        }
    }

    fn colon(&mut self, token: &SyntaxToken) {
        self.out.push_str(token.text());
        let next = std::iter::successors(token.next_token(), SyntaxToken::next_token).find(|it| !it.text_range().is_empty());
        if next.is_some_and(|it| matches!(it.kind(), Kind::RIGHT_BRACE | Kind::RIGHT_BRACKET | Kind::COMMA)) {
            self.out.push(' ');
        }
    }

    /// Text in quotes: two escapes that are one character to JSON, and characters that YAML allows there alone.
    fn quoted(&mut self, text: &str) {
        let has_escapes = text.starts_with('"');
        let mut rest = text;
        while let Some(c) = rest.chars().next() {
            if has_escapes && c == '\\' {
                if let Some(c) = surrogate_pair(rest) {
                    let _ = write!(self.out, "\\U{:08x}", u32::from(c));
                    rest = rest.get(12..).unwrap_or_default();
                    continue;
                }
                let escape = 1 + rest.chars().nth(1).map_or(0, char::len_utf8);
                self.out.push_str(&rest[..escape]);
                rest = &rest[escape..];
                continue;
            }
            let is_refused = matches!(c, '\u{7f}'..='\u{9f}' | '\u{fffe}' | '\u{ffff}');
            let written = if is_refused { self.spare.stand_in(c) } else { c };
            self.out.push(written);
            rest = &rest[c.len_utf8()..];
        }
    }
}

/// The character that two escapes at the beginning of a text are together.
fn surrogate_pair(text: &str) -> Option<char> {
    let unit = |at: usize| {
        let digits = text.get(at..at + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok().filter(|_| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    };
    let units = [unit(0)?, unit(6)?];
    let is_pair = (0xd800..0xdc00).contains(&units[0]) && (0xdc00..0xe000).contains(&units[1]);
    char::decode_utf16(units).next().filter(|_| is_pair)?.ok()
}

fn is_in_scalar(token: &SyntaxToken) -> bool {
    token.parent_ancestors().any(|node| node.kind() == Kind::SCALAR)
}

fn is_in_braces(node: &SyntaxNode) -> bool {
    (matches!(node.kind(), Kind::MAPPING | Kind::SEQUENCE) && is_flow(node)) || within_flow(node)
}

/// Whether an empty text is the key of an entry, which libyaml wants to see.
fn is_key(token: &SyntaxToken) -> bool {
    token.parent_ancestors().any(|node| node.kind() == Kind::KEY)
        && std::iter::successors(token.prev_token(), SyntaxToken::prev_token)
            .find(|before| !matches!(before.kind(), Kind::WHITESPACE | Kind::INDENT) && !before.text_range().is_empty())
            .is_none_or(|before| before.text() != "?")
}

fn is_key_in_braces(token: &SyntaxToken) -> bool {
    token.parent_ancestors().find(|node| node.kind() == Kind::KEY).is_some_and(|key| is_in_braces(&key))
}

/// Whether a line break stands between a key in braces and its colon.
fn is_before_colon_in_braces(token: &SyntaxToken) -> bool {
    let blank = |it: &SyntaxToken| matches!(it.kind(), Kind::WHITESPACE | Kind::INDENT | Kind::NEWLINE);
    let next = std::iter::successors(token.next_token(), SyntaxToken::next_token).find(|it| !blank(it));
    let before =
        std::iter::successors(token.prev_token(), SyntaxToken::prev_token).find(|it| !blank(it) && !it.text_range().is_empty());
    next.is_some_and(|it| it.kind() == Kind::COLON)
        && before.is_some_and(|it| is_in_scalar(&it))
        && !is_in_scalar(token)
        && token.parent().is_some_and(|parent| is_in_braces(&parent))
}
