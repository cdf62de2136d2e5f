//! Another value at a node that is there. Keeps the comments and the anchor around it.

use serde_json::Value;
use yaml_edit::SyntaxKind as Kind;

use super::Refusal;
use super::layout::{block_items, end_with_comments, indent_of, is_block_scalar, items_at, lines_at};
use super::place::{Site, quotes_in, quotes_of};
use super::splice::{Purpose, Splice};
use crate::core::edit::Path;
use crate::yaml::scalar::inline_in;
use crate::yaml::text::{break_at, line_before, line_end, starts_its_line};
use crate::yaml::tree::{NodePlace, SyntaxNode, is_flow, significant, span_of, token_of, untagged, within_flow};

impl Site<'_> {
    /// The splices that put `value` at `path`.
    pub(super) fn replace(&self, path: &Path, value: &Value) -> Result<Vec<Splice>, Refusal> {
        let place = self.locate(path)?;
        if let Some(content) = &place.content {
            self.keeps_its_aliases(path, content)?;
        }
        if let Some(items) = block_items(value)
            && let Some(splices) = self.as_block_sequence(path, &place, items)
        {
            return Ok(splices);
        }
        let inner = place.content.as_ref().map(untagged);
        let own = inner.as_ref().filter(|_| value.is_string()).and_then(quotes_of);
        let text = inline_in(value, own.unwrap_or_else(|| quotes_in(&place.entry)));
        match place.content.as_ref().filter(|_| value.is_string()).and_then(text_tag) {
            // With nothing behind it, the tag alone is what stands there.
            Some(tag) if inner == place.content => {
                self.put(path, &place, place.content.as_ref(), &format!("{tag} {text}"), Purpose::Replace)
            }
            Some(_) => self.put(path, &place, inner.as_ref(), &text, Purpose::Replace),
            None => self.put(path, &place, place.content.as_ref(), &text, Purpose::Replace),
        }
    }

    /// Puts text of one line where the value of a place stands, all of it or without its tag.
    pub(super) fn put(
        &self,
        path: &Path,
        place: &NodePlace,
        content: Option<&SyntaxNode>,
        value: &str,
        purpose: Purpose,
    ) -> Result<Vec<Splice>, Refusal> {
        let Some(content) = content else { return self.fill(path, place, value) };
        let unknown = || self.refuse(path, "its position is unknown", Some(&place.entry));
        let span = significant(content).ok_or_else(unknown)?;
        let inner = untagged(content);
        if is_block_scalar(&inner) {
            return self.collapse_text(path, content, &inner, value).ok_or_else(unknown);
        }
        if is_block_collection(&inner) && starts_its_line(self.text, span.start) {
            let head = head_of(place).ok_or_else(unknown)?;
            let last = line_end(self.text, span.end);
            // The comment of the last line moves to the line of the key if no other stands before it, unless its node goes.
            let moves = purpose == Purpose::Replace
                && self.tree.comments(&(head..span.start)).is_empty()
                && !self.tree.comments(&(span.end..last)).is_empty();
            let end = if moves { span.end } else { last };
            let value = Splice::insert(path, head, format!(" {value}"));
            // Comments between the key and the value stay below the key.
            let start = line_before(self.text, span.start);
            // Nor may a text without final newline get one by losing its last line.
            let start = if end < self.text.len() { start } else { self.text[..start].trim_end_matches(BLANK).len().max(head) };
            return Ok(vec![value, Splice { range: start..end, text: String::new(), purpose, path: path.clone() }]);
        }
        // `"key":5` is only read as a pair because of the quotes.
        let space = if self.text[..span.start].ends_with(':') { " " } else { "" };
        Ok(vec![Splice { range: span, text: format!("{space}{value}"), purpose, path: path.clone() }])
    }

    /// Writes a value where nothing is written: after the colon or dash, before any comment.
    fn fill(&self, path: &Path, place: &NodePlace, value: &str) -> Result<Vec<Splice>, Refusal> {
        let Some(end) = head_of(place) else {
            if within_flow(&place.entry)
                && let Some(key) = significant(&place.entry)
            {
                return Ok(vec![Splice::insert(path, key.end, format!(": {value}"))]);
            }
            return Err(self.refuse(path, "it is an explicit key without a value", Some(&place.entry)));
        };
        let rest = &self.text[end..];
        let blanks = rest.len() - rest.trim_start_matches(' ').len();
        let follows = &rest[blanks..];
        if blanks == 0 || follows.starts_with('#') {
            return Ok(vec![Splice::insert(path, end, format!(" {value}"))]);
        }
        let gap = if blanks == 1 && follows.starts_with(['}', ']']) { " " } else { "" };
        Ok(vec![Splice::insert(path, end + 1, format!("{value}{gap}"))])
    }

    /// Replaces a block scalar by text on the line of its header. What else stands on that line stays, and so do the blank
    /// lines below, except those that belong to the text.
    fn collapse_text(&self, path: &Path, content: &SyntaxNode, scalar: &SyntaxNode, value: &str) -> Option<Vec<Splice>> {
        let start = significant(content)?.start;
        let mark = usize::from(scalar.text_range().start());
        let line = line_end(self.text, mark);
        let header = self.text[mark..line].find([' ', '\t']).map_or(line, |blank| mark + blank);
        let body: &str = &self.text[line..scalar.text_range().end().into()];
        let keeps = self.text[mark..header].contains('+');
        let text = if keeps { without_last_break(body) } else { body.trim_end_matches(BLANK) };
        let mut splices = vec![Splice::replace(path, start..header, value.to_owned())];
        if !text.is_empty() {
            splices.push(Splice::replace(path, line..line + text.len(), String::new()));
        }
        Some(splices)
    }

    /// An empty value that becomes a list of mappings is written as a block sequence below its key.
    fn as_block_sequence(&self, path: &Path, place: &NodePlace, items: &[Value]) -> Option<Vec<Splice>> {
        if place.entry.kind() != Kind::MAPPING_ENTRY || within_flow(&place.entry) {
            return None;
        }
        let head = head_of(place)?;
        let line = line_end(self.text, head);
        let mut splices = Vec::new();
        if let Some(content) = &place.content {
            let span = significant(content)?;
            if span.end > line || is_block_scalar(&untagged(content)) {
                return None;
            }
            splices.push(Splice::replace(path, head..span.end, String::new()));
        }
        let mapping = place.entry.parent()?;
        let lines = items_at(items, indent_of(self.text, &mapping) + 2);
        // Comments that stood below the key stay between it and the list.
        let below = end_with_comments(self.text, &place.entry, line + break_at(self.text, line).len());
        splices.push(Splice::insert(path, below, lines_at(self.text, below, &lines)));
        Some(splices)
    }
}

/// The tag that says a value is text.
fn text_tag(content: &SyntaxNode) -> Option<String> {
    let tag = token_of(content, Kind::TAG)?.text().trim().to_owned();
    ["!!str", "!<tag:yaml.org,2002:str>"].contains(&tag.as_str()).then_some(tag)
}

const BLANK: [char; 4] = [' ', '\t', '\r', '\n'];

/// The end of what a value is written after: its anchor, else the colon or the dash.
fn head_of(place: &NodePlace) -> Option<usize> {
    let mark = place.anchor().or_else(|| token_of(&place.entry, Kind::COLON));
    mark.or_else(|| token_of(&place.entry, Kind::DASH)).map(|mark| span_of(&mark).end)
}

fn is_block_collection(node: &SyntaxNode) -> bool {
    matches!(node.kind(), Kind::MAPPING | Kind::SEQUENCE) && !is_flow(node)
}

fn without_last_break(text: &str) -> &str {
    text.strip_suffix("\r\n").or_else(|| text.strip_suffix(['\n', '\r'])).unwrap_or(text)
}
