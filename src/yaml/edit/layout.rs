//! Lines: where they end, how deep they are indented, and new ones. Never finds nodes.

use serde_json::Value;
use yaml_edit::SyntaxKind as Kind;

use crate::yaml::scalar::{Quotes, inline, pair_in, string};
use crate::yaml::text::{break_at, column, line_break, line_end, line_start};
use crate::yaml::tree::{SyntaxNode, last_significant, significant};

/// The end of the lines a node of the block style takes, line break included.
pub(crate) fn lines_end(text: &str, node: &SyntaxNode) -> Option<usize> {
    let last = last_significant(node)?;
    let end = usize::from(last.text_range().end());
    // The blank lines below a block scalar that keeps them (`|+`) are part of it.
    let keeping = last.parent().filter(keeps_blank_lines);
    let end = keeping.map_or(end, |scalar| usize::from(scalar.text_range().end()));
    if end > 0 && end == line_start(text, end) {
        return Some(end);
    }
    let end = line_end(text, end);
    Some(end + break_at(text, end).len())
}

/// The end of an entry of the block style whose lines end at `end`, with the comments below that are indented deeper than the
/// entry begins: whoever wrote them there meant them as a part of it.
pub(crate) fn end_with_comments(text: &str, entry: &SyntaxNode, end: usize) -> usize {
    let Some(own) = significant(entry).map(|span| column(text, span.start)) else { return end };
    let (mut kept, mut start) = (end, end);
    while start < text.len() {
        let stop = line_end(text, start);
        let line = &text[start..stop];
        let content = line.trim_start_matches(' ');
        let next = stop + break_at(text, stop).len();
        if content.starts_with('#') && line.len() - content.len() > own {
            kept = next;
        } else if !content.trim().is_empty() {
            break;
        }
        start = next;
    }
    kept
}

/// Whether a scalar is a block scalar to which the blank lines below it belong (`|+`).
pub(super) fn keeps_blank_lines(scalar: &SyntaxNode) -> bool {
    is_block_scalar(scalar) && scalar.text().to_string().split([' ', '\t', '\r', '\n']).next().is_some_and(|h| h.contains('+'))
}

/// Whether a scalar is written as `|` or `>`.
pub(super) fn is_block_scalar(scalar: &SyntaxNode) -> bool {
    scalar.kind() == Kind::SCALAR
        && scalar.first_token().is_some_and(|token| matches!(token.kind(), Kind::PIPE | Kind::GREATER))
}

/// Whole lines to be put at `offset`, which is the start of a line or the end of a text without final newline. Their line
/// break is that of the line before.
pub(super) fn lines_at(text: &str, offset: usize, lines: &[String]) -> String {
    if offset > 0 && line_start(text, offset) == offset {
        let end = offset - if text[..offset].ends_with("\r\n") { 2 } else { 1 };
        let eol = break_at(text, end);
        return lines.iter().map(|line| format!("{line}{eol}")).collect();
    }
    let eol = line_break(text);
    lines.iter().map(|line| format!("{eol}{line}")).collect()
}

/// The column in which the entries of a block collection begin.
pub(super) fn indent_of(text: &str, collection: &SyntaxNode) -> usize {
    column(text, collection.text_range().start().into())
}

/// `key: value` as lines, the first without indentation: on one line, except a list of mappings, which is a block sequence.
pub(super) fn pair(key: &str, value: &Value, indent: usize) -> Vec<String> {
    match block_items(value) {
        None => vec![pair_in(key, value, Quotes::Needed)],
        Some(items) => std::iter::once(format!("{}:", string(key))).chain(items_at(items, indent + 2)).collect(),
    }
}

/// The items of a value that is written as a block sequence: a list with a mapping in it.
pub(super) fn block_items(value: &Value) -> Option<&[Value]> {
    match value {
        Value::Array(items) if items.iter().any(|item| item.as_object().is_some_and(|fields| !fields.is_empty())) => {
            Some(items)
        }
        _ => None,
    }
}

/// Items of a block sequence as whole lines.
pub(super) fn items_at(items: &[Value], indent: usize) -> Vec<String> {
    items.iter().flat_map(|item| item_at(item, indent, " ")).collect()
}

/// One item of a block sequence as whole lines: a mapping in block style with `gap` after the dash, anything else on one line.
pub(super) fn item_at(item: &Value, indent: usize, gap: &str) -> Vec<String> {
    let margin = " ".repeat(indent);
    let Some(fields) = item.as_object().filter(|fields| !fields.is_empty()) else {
        return vec![format!("{margin}-{gap}{}", inline(item))];
    };
    let inner = indent + 1 + gap.len();
    let deeper = " ".repeat(inner);
    let mut lines = Vec::with_capacity(fields.len());
    for (key, value) in fields {
        for (index, line) in pair(key, value, inner).into_iter().enumerate() {
            lines.push(if lines.is_empty() {
                format!("{margin}-{gap}{line}")
            } else if index == 0 {
                format!("{deeper}{line}")
            } else {
                line
            });
        }
    }
    lines
}
