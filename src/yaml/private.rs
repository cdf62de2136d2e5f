//! Which bytes of a manifest's text are values of an `env`, and must not be shown. Never changes the text.

use std::ops::Range;

use yaml_edit::SyntaxKind as Kind;

use super::items::Items;
use super::items::sessions;
use super::tree::{Place, Tree, key_text, significant, token_of, untagged};
use super::untyped;

/// The key whose values are private.
const ENV: &str = "env";

/// What a private value is shown as.
const MASK: &str = "***";

/// The values of every `env` that a range of bytes touches, in order.
///
/// An item of the list of sessions that reads alone is looked at alone: in a long manifest a change costs the items beside it.
pub(super) fn values(text: &str, near: &Range<usize>) -> Vec<Range<usize>> {
    if !may_have(text) {
        return Vec::new();
    }
    let mut found = by_item(text, near).unwrap_or_else(|| in_tree(text));
    found.sort_by_key(|range| range.start);
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

/// Whether a text can have such a key at all. An escape can spell one, too.
fn may_have(text: &str) -> bool {
    text.contains(ENV) || text.contains("\\x") || text.contains("\\u") || text.contains("\\U")
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

/// The values of every `env`, wherever it stands, and what the aliases among them repeat.
fn in_tree(text: &str) -> Vec<Range<usize>> {
    let tree = Tree::parse(text);
    let mut found = Vec::new();
    let mut aliases = Vec::new();
    let entries = tree.nodes().filter(|node| node.kind() == Kind::MAPPING_ENTRY && key_text(node).as_deref() == Some(ENV));
    for entry in entries {
        let Some(content) = Place::of_entry(&entry).content else { continue };
        let repeated = content.descendants().filter(|node| node.kind() == Kind::ALIAS);
        aliases.extend(repeated.map(|node| node.text().to_string().trim().trim_start_matches('*').to_owned()));
        found.extend(significant(&content));
    }
    if !aliases.is_empty() {
        for node in tree.nodes() {
            let anchor = token_of(&node, Kind::ANCHOR).map(|token| token.text().trim_start_matches('&').to_owned());
            if anchor.is_some_and(|name| aliases.contains(&name)) {
                found.extend(significant(&untagged(&node)));
            }
        }
    }
    found.retain(|range| !range.is_empty());
    found
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
}
