//! Nodes that go, with their key or dash and their own lines. Leaves everything around them in place.

use std::ops::Range;

use rowan::NodeOrToken;
use yaml_edit::SyntaxKind as Kind;

use super::layout::{keeps_blank_lines, lines_end};
use super::place::Site;
use super::splice::{Purpose, Splice};
use super::{Refusal, line_of};
use crate::core::edit::Path;
use crate::yaml::text::{BOM, line_end, line_start, starts_its_line};
use crate::yaml::tree::{SyntaxNode, is_flow, significant, span_of, token_of};

impl Site<'_> {
    /// The splices that remove the node at `path`.
    pub(super) fn remove(&self, path: &Path) -> Result<Vec<Splice>, Refusal> {
        let parent = path.split_last().map(|(parent, _)| parent).unwrap_or_default();
        let holder = self.locate(&parent)?;
        let mut trail = self.tree.trail(path);
        let place = trail.pop().filter(|_| trail.len() == path.0.len());
        let entry = place
            .ok_or_else(|| self.refuse(path, "it is not written there itself; write it out in its place", Some(&holder.entry)))?
            .entry;
        let unknown = || self.refuse(path, "its position is unknown", Some(&entry));
        let span = significant(&entry).ok_or_else(unknown)?;
        self.keeps_its_aliases(path, &entry)?;
        let collection = entry.parent().ok_or_else(unknown)?;
        let siblings = self.tree.entries(&collection);
        let position = siblings.iter().position(|sibling| *sibling == entry).ok_or_else(unknown)?;
        if is_flow(&collection) {
            return self.remove_in_braces(path, &siblings, position).ok_or_else(unknown);
        }
        if siblings.len() == 1 && parent.0.is_empty() {
            return Err(self.refuse(path, "the manifest would be empty", Some(&entry)));
        }
        if siblings.len() == 1 {
            let empty = if collection.kind() == Kind::MAPPING { "{}" } else { "[]" };
            return self.put(path, &holder, holder.content.as_ref(), empty, Purpose::Remove);
        }
        let range = if starts_its_line(self.text, span.start) {
            self.whole_lines(&entry, span.start).ok_or_else(unknown)?
        } else {
            // The first entry, on the line of the dash above it: the next one moves up, unless comments are between.
            let next = siblings.get(position + 1).and_then(significant).ok_or_else(unknown)?;
            let line = line_end(self.text, span.end);
            if self.tree.comments(&(line..next.start)).is_empty() {
                span.start..next.start
            } else {
                self.text[..span.start].trim_end_matches(' ').len()..line
            }
        };
        Ok(vec![Splice::remove(path, range)])
    }

    /// The lines of an entry. At the end of a text without final newline the line breaks before them go instead.
    fn whole_lines(&self, entry: &SyntaxNode, start: usize) -> Option<Range<usize>> {
        let end = lines_end(self.text, entry)?;
        let start = line_start(self.text, start);
        if end == line_start(self.text, end) {
            let mark = if self.text[start..].starts_with(BOM) { BOM.len_utf8() } else { 0 };
            // Blank lines below would become a part of a block scalar above that keeps them.
            let text = if is_below_kept_blank_lines(entry) { blank_lines(&self.text[end..]) } else { 0 };
            return Some(start + mark..end + text);
        }
        Some(self.text[..start].trim_end_matches([' ', '\t', '\r', '\n']).len()..end)
    }

    fn remove_in_braces(&self, path: &Path, siblings: &[SyntaxNode], position: usize) -> Option<Vec<Splice>> {
        let entry = siblings.get(position)?;
        let span = significant(entry)?;
        let comma = token_of(entry, Kind::COMMA).map(|comma| span_of(&comma).end);
        let whole = span.start..comma.unwrap_or(span.end);
        let range = if let Some(next) = siblings.get(position + 1).and_then(significant) {
            let only_blanks = self.text[whole.end..next.start].chars().all(|c| c == ' ');
            if only_blanks { span.start..next.start } else { whole }
        } else if let Some(before) = position.checked_sub(1).and_then(|index| siblings.get(index)).and_then(significant) {
            let no_comment = self.tree.comments(&(before.end..span.start)).is_empty();
            if no_comment { before.end..span.end } else { whole }
        } else {
            // The only one: the blanks around it go too.
            let left = self.text[..whole.start].trim_end_matches(' ').len();
            let right = self.text.len() - self.text[whole.end..].trim_start_matches(' ').len();
            let bare = self.text[..left].ends_with(['{', '[']) && self.text[right..].starts_with(['}', ']']);
            if bare { left..right } else { whole }
        };
        Some(vec![Splice::remove(path, range)])
    }

    /// Refuses to remove an anchor whose alias stands elsewhere.
    pub(super) fn keeps_its_aliases(&self, path: &Path, entry: &SyntaxNode) -> Result<(), Refusal> {
        let inside = usize::from(entry.text_range().start())..usize::from(entry.text_range().end());
        let tokens = entry.descendants_with_tokens().filter_map(NodeOrToken::into_token);
        for anchor in tokens.filter(|token| token.kind() == Kind::ANCHOR) {
            let name = anchor.text().trim_start_matches('&');
            let repeats = self.tree.aliases().iter().find(|(alias, place)| alias == name && !inside.contains(&place.start));
            if let Some((_, alias)) = repeats {
                let line = line_of(self.text, alias);
                let reason = format!("it holds the anchor &{name}, which line {line} repeats; write the value out there");
                return Err(Refusal::NotEditable { path: path.clone(), reason, span: Some(span_of(&anchor)) });
            }
        }
        Ok(())
    }
}

/// Whether the text before a node is a block scalar that keeps the blank lines below it (`|+`).
fn is_below_kept_blank_lines(node: &SyntaxNode) -> bool {
    let mut token = node.first_token().and_then(|first| first.prev_token());
    while let Some(before) = &token
        && matches!(before.kind(), Kind::NEWLINE | Kind::INDENT | Kind::WHITESPACE)
    {
        if before.parent().is_some_and(|parent| keeps_blank_lines(&parent)) {
            return true;
        }
        token = before.prev_token();
    }
    token.and_then(|token| token.parent()).is_some_and(|parent| keeps_blank_lines(&parent))
}

/// The length of the blank lines a text begins with.
fn blank_lines(text: &str) -> usize {
    let blank = text.len() - text.trim_start_matches([' ', '\t', '\r', '\n']).len();
    if blank == text.len() { blank } else { line_start(text, blank) }
}
