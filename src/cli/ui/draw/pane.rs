//! The screen of the selected session, in its own colours, under a line about it. Draws no character that is not printable.

use ratatui::Frame;
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::Paint;
use crate::cli::render::age;
use crate::cli::ui::columns::{cut, width, wrapped};
use crate::cli::ui::model::{Shown, Ui, UiRow};
use crate::core::lead::send::{CellColour, PaneScreen, ScreenCell};
use crate::core::text::printable;

/// Draws it. The end of a screen that is larger than the room is what is seen: there agents ask.
pub(super) fn draw(frame: &mut Frame<'_>, ui: &Ui, paint: Paint, area: Rect) {
    let Some(row) = ui.row() else { return };
    let room = usize::from(area.width);
    let head = Rect { height: 1, ..area };
    frame.render_widget(Paragraph::new(title(row, ui, paint, room)), head);
    let mut rest = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let about = about(row, room);
    if !about.is_empty() && rest.height > 6 {
        let height = u16::try_from(about.len()).unwrap_or(1).min(2);
        let style = paint.of(row.notice.attention);
        let lines: Vec<Line<'_>> = about.into_iter().take(2).map(|line| Line::styled(line, style)).collect();
        frame.render_widget(Paragraph::new(lines), Rect { height, ..rest });
        rest = Rect { y: rest.y + height, height: rest.height - height, ..rest };
    }
    let why = match &ui.shown {
        _ if ui.shown_of.as_ref() != Some(&row.key) => "…",
        Shown::Awaited => "…",
        Shown::Pane(screen) => return cells(frame.buffer_mut(), screen, paint, rest),
        Shown::Nothing(why) => why,
    };
    let lines = wrapped(&printable(why), room.saturating_sub(2)).into_iter();
    let lines: Vec<Line<'_>> = lines.map(|line| Line::styled(format!(" {line}"), paint.dim())).collect();
    frame.render_widget(Paragraph::new(lines), rest);
}

/// A rule with the name of the session.
fn title(row: &UiRow, ui: &Ui, paint: Paint, room: usize) -> Line<'static> {
    let since = row.notice.since.map(|at| format!(" {}", age(at, ui.now))).unwrap_or_default();
    let name = cut(&row.name, room.saturating_sub(6));
    let about = format!(" {}{since} ", row.notice.word);
    let mut spans = vec![Span::styled("── ", paint.dim()), Span::styled(format!("{name} "), paint.strong())];
    let used = 3 + width(&name) + 1;
    let left = room.saturating_sub(used);
    if width(&about) + 3 <= left {
        spans.push(Span::styled(format!("─{about}"), paint.dim()));
        spans.push(Span::styled("─".repeat(left - width(&about) - 1), paint.dim()));
    } else {
        spans.push(Span::styled("─".repeat(left), paint.dim()));
    }
    Line::from(spans)
}

/// What tells how it stands, and who has it in hand.
fn about(row: &UiRow, room: usize) -> Vec<String> {
    use crate::cli::ui::attention::Attention::{Crashed, Limited, NeedsInput, Unknown};
    let mut text = String::new();
    if matches!(row.notice.attention, NeedsInput | Crashed | Limited | Unknown) {
        text.push_str(&printable(&row.notice.evidence));
    }
    if let Some(holder) = &row.hold {
        let gap = if text.is_empty() { "" } else { " · " };
        text.push_str(&format!("{gap}⚑ {holder} has it in hand"));
    }
    if text.is_empty() {
        Vec::new()
    } else {
        wrapped(&text, room.saturating_sub(1)).iter().map(|it| format!(" {it}")).collect()
    }
}

fn cells(buffer: &mut Buffer, screen: &PaneScreen, paint: Paint, area: Rect) {
    let used = screen.rows.iter().rposition(|row| !row.is_blank()).map_or(0, |last| last + 1);
    let first = used.saturating_sub(usize::from(area.height));
    for (line, row) in screen.rows.iter().take(used).skip(first).enumerate() {
        let Ok(line) = u16::try_from(line) else { return };
        for (column, cell) in row.cells.iter().enumerate().take(usize::from(area.width)) {
            // A wide character is drawn with the column behind it.
            let is_cut = column + width(&cell.text) > usize::from(area.width);
            let (Ok(column), false) = (u16::try_from(column), cell.text.is_empty() || is_cut) else { continue };
            let text = if cell.text.chars().any(char::is_control) { " ".into() } else { printable(&cell.text) };
            if text == cell.text {
                buffer.set_string(area.x + column, area.y + line, text, style(cell, paint));
            }
        }
    }
}

fn style(cell: &ScreenCell, paint: Paint) -> Style {
    let mut style = Style::new();
    let color = |colour: CellColour| match colour {
        CellColour::Own => None,
        CellColour::Palette(index) => Some(Color::Indexed(index)),
        CellColour::Mixed(red, green, blue) => Some(Color::Rgb(red, green, blue)),
    };
    if paint.is_colored {
        (style.fg, style.bg) = (color(cell.ink), color(cell.ground));
    }
    for (is, modifier) in [(cell.is_bold, Modifier::BOLD), (cell.is_dim, Modifier::DIM), (cell.is_inverse, Modifier::REVERSED)]
    {
        if is {
            style = style.add_modifier(modifier);
        }
    }
    style
}
