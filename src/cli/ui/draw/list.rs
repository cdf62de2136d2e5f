//! The list of sessions. Draws only the rows that there is room for.

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::Paint;
use crate::cli::render::age;
use crate::cli::ui::columns::{cut, padded, width, wrapped};
use crate::cli::ui::model::{Ui, UiMode, UiRow};
use crate::core::text::printable;

/// Columns of what stands beside the name.
const AGENT: usize = 9;
const WORD: usize = 12;
const SINCE: usize = 5;

/// Draws it, and keeps the selected session in sight.
pub(super) fn draw(frame: &mut Frame<'_>, ui: &mut Ui, paint: Paint, area: Rect) {
    let room = usize::from(area.width);
    let head = filter(ui, paint, room);
    let rows = usize::from(area.height).saturating_sub(usize::from(head.is_some()));
    let at = ui.position();
    ui.height = rows;
    ui.top = ui.top.min(at).max((at + 1).saturating_sub(rows)).min(ui.visible.len().saturating_sub(rows));
    let mut lines: Vec<Line<'_>> = head.into_iter().collect();
    let shown = ui.visible.iter().enumerate().skip(ui.top).take(rows);
    lines.extend(shown.filter_map(|(place, index)| Some(line(ui.rows.get(*index)?, place == at, ui, paint, room))));
    if ui.visible.is_empty() {
        let text = match (&ui.here, ui.filter.is_empty()) {
            (_, false) => "no session matches · esc shows all again".to_owned(),
            (Some(_), true) => "no sessions yet · n starts one".to_owned(),
            (None, true) => ui.trouble.as_ref().map_or("looking …".to_owned(), |why| format!("cannot look: {why}")),
        };
        let wrapped = wrapped(&printable(&text), room.saturating_sub(2));
        lines.extend(wrapped.into_iter().map(|text| Line::styled(format!("  {text}"), paint.dim())));
    }
    frame.render_widget(Paragraph::new(lines), area);
}

/// What is filtered by.
fn filter(ui: &Ui, paint: Paint, room: usize) -> Option<Line<'static>> {
    let is_typed = matches!(ui.mode, UiMode::Filter(_));
    if !is_typed && ui.filter.is_empty() {
        return None;
    }
    let cursor = if is_typed { "▏" } else { "" };
    let count = format!(" {} of {}", ui.visible.len(), ui.rows.len());
    let text = cut(&format!(" /{}{cursor}", printable(&ui.filter)), room.saturating_sub(width(&count)));
    Some(Line::from(vec![Span::styled(text, paint.strong()), Span::styled(count, paint.dim())]))
}

fn line(row: &UiRow, is_selected: bool, ui: &Ui, paint: Paint, room: usize) -> Line<'static> {
    let style = paint.of(row.notice.attention);
    let since = row.notice.since.map(|at| age(at, ui.now)).unwrap_or_default();
    // What tells least goes first.
    let has_since = room >= 34;
    let has_agent = room >= 50;
    // Its mark says the same.
    let has_word = room >= 28;
    let beside =
        3 + if has_word { WORD } else { 0 } + if has_since { SINCE + 1 } else { 0 } + if has_agent { AGENT + 1 } else { 0 };
    let name = room.saturating_sub(beside + 1);
    let held = if row.hold.is_some() { "⚑" } else { " " };
    let mut spans = vec![
        Span::styled(format!(" {} ", row.notice.attention.mark()), style),
        Span::styled(padded(&row.name, name), Style::new()),
        Span::styled(held, paint.dim()),
    ];
    if has_agent {
        spans.push(Span::styled(format!("{} ", padded(&row.agent, AGENT)), paint.dim()));
    }
    if has_word {
        spans.push(Span::styled(padded(row.notice.word, WORD), style));
    }
    if has_since {
        spans.push(Span::styled(format!(" {since:>SINCE$}"), paint.dim()));
    }
    let line = Line::from(spans);
    if is_selected { line.style(Style::new().add_modifier(Modifier::REVERSED)) } else { line }
}
