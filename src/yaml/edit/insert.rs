//! New keys and new last items. Takes indentation and style from what is there.

use serde_json::Value;
use yaml_edit::SyntaxKind as Kind;

use super::Refusal;
use super::layout::{end_with_comments, indent_of, is_block_scalar, item_at, lines_at, lines_end, pair};
use super::place::{Site, quotes_in};
use super::splice::Splice;
use crate::core::edit::Path;
use crate::yaml::scalar::{inline_in, pair_in};
use crate::yaml::text::{break_at, column, line_end};
use crate::yaml::tree::{SyntaxNode, SyntaxToken, entry_of, is_flow, last_significant, significant, span_of, token_of};

impl Site<'_> {
    /// The splices that give the mapping at `parent` a key of its own.
    pub(super) fn insert(&self, parent: &Path, key: &str, value: &Value, after: Option<&str>) -> Result<Vec<Splice>, Refusal> {
        let path = parent.key(key);
        let mapping = self.collection(parent, Kind::MAPPING)?;
        let entries = self.tree.entries(&mapping);
        let before = after.and_then(|key| entry_of(&mapping, key, 0)).or_else(|| entries.last().cloned());
        if is_flow(&mapping) {
            let pair = pair_in(key, value, quotes_in(&mapping));
            return self.add_in_braces(&path, &mapping, before.as_ref(), &pair, Kind::RIGHT_BRACE);
        }
        let indent = indent_of(self.text, &mapping);
        let mut lines = pair(key, value, indent);
        if let Some(first) = lines.first_mut() {
            first.insert_str(0, &" ".repeat(indent));
        }
        self.below(&path, before.as_ref().unwrap_or(&mapping), &lines)
    }

    /// The splices that give the sequence at `parent` one more item.
    pub(super) fn append(&self, parent: &Path, index: usize, value: &Value) -> Result<Vec<Splice>, Refusal> {
        let path = parent.index(index);
        let sequence = self.collection(parent, Kind::SEQUENCE)?;
        let entries = self.tree.entries(&sequence);
        let last = entries.last();
        if is_flow(&sequence) {
            if last.is_none() && value.as_object().is_some_and(|fields| !fields.is_empty()) {
                return self.replace(parent, &Value::Array(vec![value.clone()]));
            }
            return self.add_in_braces(&path, &sequence, last, &inline_in(value, quotes_in(&sequence)), Kind::RIGHT_BRACKET);
        }
        let last = last.unwrap_or(&sequence);
        let lines = item_at(value, indent_of(self.text, &sequence), &self.gap(last));
        self.below(&path, last, &lines)
    }

    /// Puts lines below those of an entry and the comments that belong to it.
    fn below(&self, path: &Path, entry: &SyntaxNode, lines: &[String]) -> Result<Vec<Splice>, Refusal> {
        let end = lines_end(self.text, entry).ok_or_else(|| self.refuse(path, "its position is unknown", Some(entry)))?;
        let offset = end_with_comments(self.text, entry, end);
        let mut splices = vec![Splice::insert(path, offset, lines_at(self.text, offset, lines))];
        if offset == self.text.len() && !self.text.ends_with(['\n', '\r']) {
            splices.extend(self.stripped(path, entry));
        }
        Ok(splices)
    }

    /// A block scalar that the text ends in without a line break would get one at its own end by what follows: `|-` says that
    /// it has none.
    fn stripped(&self, path: &Path, entry: &SyntaxNode) -> Option<Splice> {
        let scalar = last_significant(entry)?.parent_ancestors().find(is_block_scalar)?;
        let start = usize::from(scalar.text_range().start());
        let line = &self.text[start..line_end(self.text, start)];
        let header = line.split([' ', '\t']).next().unwrap_or(line);
        if header.contains('-') {
            return None;
        }
        let (parent, _) = path.split_last()?;
        Some(Splice::replace(&parent, start..start + header.len(), format!("{}-", header.replace('+', ""))))
    }

    /// The blanks between the dash of an item and what follows on its line.
    fn gap(&self, item: &SyntaxNode) -> String {
        let after = token_of(item, Kind::DASH).map_or("", |dash| &self.text[span_of(&dash).end..]);
        let blanks = after.len() - after.trim_start_matches(' ').len();
        let alone = after[blanks..].is_empty() || after[blanks..].starts_with(['\n', '\r', '#', '&', '!']);
        " ".repeat(if alone { 1 } else { blanks.max(1) })
    }

    /// Adds `what` after an entry within braces or brackets.
    fn add_in_braces(
        &self,
        path: &Path,
        flow: &SyntaxNode,
        before: Option<&SyntaxNode>,
        what: &str,
        close: Kind,
    ) -> Result<Vec<Splice>, Refusal> {
        let unknown = || self.refuse(path, "its position is unknown", Some(flow));
        if let Some(entry) = before {
            let span = significant(entry).ok_or_else(unknown)?;
            let end = span.end;
            // A comment behind the entry on its line stays with it.
            let comma = comma_after(entry).map(|comma| span_of(&comma).end);
            let after = comma.unwrap_or(end);
            let line = line_end(self.text, after);
            if self.text[after..line].trim_start_matches([' ', '\t']).starts_with('#') {
                let margin = " ".repeat(column(self.text, span.start));
                let (eol, closing) = (break_at(self.text, line), if comma.is_some() { "," } else { "" });
                let mut splices = vec![Splice::insert(path, line, format!("{eol}{margin}{what}{closing}"))];
                if comma.is_none() {
                    let space = if self.text[..end].ends_with(':') { " " } else { "" };
                    splices.insert(0, Splice::insert(path, end, format!("{space},")));
                }
                return Ok(splices);
            }
            // `{ a:, b: 1 }` would be read as the text `a:`.
            let space = if self.text[..end].ends_with(':') { " " } else { "" };
            return Ok(vec![Splice::insert(path, end, format!("{space}, {what}"))]);
        }
        let close = span_of(&token_of(flow, close).ok_or_else(unknown)?).start;
        let is_mapping = flow.kind() == Kind::MAPPING;
        let left = if is_mapping && self.text[..close].ends_with('{') { " " } else { "" };
        let right = if is_mapping { " " } else { "" };
        Ok(vec![Splice::insert(path, close, format!("{left}{what}{right}"))])
    }
}

/// The comma behind an entry, wherever it stands.
fn comma_after(entry: &SyntaxNode) -> Option<SyntaxToken> {
    let blank = |token: &SyntaxToken| {
        matches!(token.kind(), Kind::WHITESPACE | Kind::INDENT | Kind::NEWLINE | Kind::COMMENT) || token.text_range().is_empty()
    };
    let last = last_significant(entry)?;
    std::iter::successors(last.next_token(), SyntaxToken::next_token)
        .find(|it| !blank(it))
        .filter(|it| it.kind() == Kind::COMMA)
}
