//! What opens over the list: texts to read, dialogs, help. Draws only.

use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::style::{Color, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::Paint;
use crate::cli::ui::attention::Attention;
use crate::cli::ui::columns::{cut, padded, width, wrapped};
use crate::cli::ui::input::TextInput;
use crate::cli::ui::model::{AskedSession, NewForm, Page, Ui, UiMode};
use crate::core::text::printable;

/// A text to read, on the whole body.
pub(super) fn page(frame: &mut Frame<'_>, ui: &mut Ui, paint: Paint, area: Rect) {
    let rows = usize::from(area.height).saturating_sub(1);
    ui.height = rows;
    let UiMode::Page(page) = &mut ui.mode else { return };
    let room = usize::from(area.width);
    page.fit(room);
    let title = format!("── {} ", printable(&page.title));
    let end = place(page, rows);
    let title = cut(&title, room.saturating_sub(width(&end) + 1));
    let rule = "─".repeat(room.saturating_sub(width(&title) + width(&end)));
    let head = Line::from(vec![Span::styled(title, paint.strong()), Span::styled(rule + &end, paint.dim())]);
    frame.render_widget(Paragraph::new(head), Rect { height: 1, ..area });
    let top = page.top.unwrap_or(page.lines.len().saturating_sub(rows));
    let lines = page.lines.iter().skip(top).take(rows);
    let style = |line: &str| match (page.is_diff, line.as_bytes().first()) {
        (true, Some(b'+')) => paint.color(Color::Green),
        (true, Some(b'-')) => paint.color(Color::Red),
        (true, Some(b'@')) => paint.color(Color::Cyan),
        _ => Style::new(),
    };
    let lines: Vec<Line<'_>> = lines.map(|line| Line::styled(cut(line, room), style(line))).collect();
    let lines = if page.lines.is_empty() && !page.is_over { vec![Line::styled(" …", paint.dim())] } else { lines };
    frame.render_widget(Paragraph::new(lines), Rect { y: area.y + 1, height: area.height - 1, ..area });
}

fn untabbed(line: &str) -> String {
    printable(&line.replace('\t', "    ")).into_owned()
}

/// Where in a text one is.
fn place(page: &Page, rows: usize) -> String {
    let last = page.lines.len().saturating_sub(rows);
    match page.top {
        _ if page.lines.len() <= rows && page.is_over => String::new(),
        None if !page.is_over => " following ".to_owned(),
        None => " end ".to_owned(),
        Some(top) => format!(" {}% ", (top * 100).checked_div(last).unwrap_or(100)),
    }
}

/// What is asked or typed, over the list.
pub(super) fn dialog(frame: &mut Frame<'_>, ui: &Ui, paint: Paint, body: Rect) {
    match &ui.mode {
        UiMode::Confirm { question, .. } => {
            let lines = question.iter().map(|line| printable(line).into_owned());
            let lines: Vec<String> = lines.collect();
            framed(frame, paint, body, " are you sure? ", &lines, Sight::First);
        }
        UiMode::Send { name, text, key } => {
            let is_working = ui.row_of(key).is_some_and(|row| row.notice.attention == Attention::Working);
            let state = if is_working { " (it is working)" } else { "" };
            typed(frame, paint, body, &format!(" send to {name}{state} "), text);
        }
        UiMode::Answer(asked) => answer(frame, paint, body, asked),
        UiMode::New(form) => new(frame, paint, body, form),
        _ => {}
    }
}

fn answer(frame: &mut Frame<'_>, paint: Paint, body: Rect, asked: &AskedSession) {
    let mut lines = Vec::new();
    match &asked.question {
        None => lines.push("reading what it asks …".to_owned()),
        Some(question) => {
            lines.extend(question.text.lines().map(|line| printable(line).into_owned()));
            lines.push(String::new());
            lines.extend(question.choices.iter().enumerate().map(|(at, it)| format!("{}. {}", at + 1, printable(it))));
            if question.is_on_screen_only {
                lines.push("Only its screen tells that it asks this.".to_owned());
            }
        }
    }
    framed(frame, paint, body, &format!(" {} asks ", asked.name), &lines, Sight::Last);
}

fn new(frame: &mut Frame<'_>, paint: Paint, body: Rect, form: &NewForm) {
    let room = usize::from(body.width).saturating_sub(4 + 11).max(8);
    let mut cursor = None;
    let lines: Vec<String> = form
        .fields
        .iter()
        .enumerate()
        .map(|(at, field)| {
            let mark = if at == form.at { ">" } else { " " };
            let (text, column) = window(&field.text().replace('\n', "⏎"), &field.before().replace('\n', "⏎"), room);
            if at == form.at {
                cursor = Some((12 + column, at));
            }
            let hint = if at == 0 && field.text().is_empty() { "(from the directory)".to_owned() } else { text };
            format!("{mark} {} {hint}", padded(NewForm::LABELS[at], 9))
        })
        .collect();
    framed(frame, paint, body, " new session ", &lines, cursor.map_or(Sight::First, Sight::Cursor));
}

/// The part of a line that is shown, and the column of the cursor in it.
fn window(text: &str, before: &str, room: usize) -> (String, usize) {
    let safe = |text: &str| printable(text).into_owned();
    let (text, column) = (safe(text), width(&safe(before)));
    let hidden = (column + 1).saturating_sub(room);
    let mut left = 0;
    let shown: String = text
        .chars()
        .skip_while(|it| {
            let is_hidden = left < hidden;
            if is_hidden {
                left += unicode_width::UnicodeWidthChar::width(*it).unwrap_or(0);
            }
            is_hidden
        })
        .collect();
    (cut(&shown, room), column.saturating_sub(left))
}

/// A text that is typed, with its end in sight.
fn typed(frame: &mut Frame<'_>, paint: Paint, body: Rect, title: &str, text: &TextInput) {
    let room = usize::from(body.width).saturating_sub(4).max(1);
    let most = usize::from(body.height).saturating_sub(2).clamp(1, 10);
    let rows = |text: &str| -> Vec<String> {
        text.split('\n').flat_map(|line| wrapped(&untabbed(line), room.saturating_sub(1).max(1))).collect()
    };
    let (mut lines, before) = (rows(text.text()), rows(text.before()));
    let (mut row, column) = (before.len().saturating_sub(1), before.last().map_or(0, |line| width(line)));
    let hidden = (row + 1).saturating_sub(most);
    lines.drain(..hidden.min(lines.len()));
    lines.truncate(most);
    row -= hidden;
    while lines.len() < 3.min(most) {
        lines.push(String::new());
    }
    framed(frame, paint, body, title, &lines, Sight::Cursor((column, row)));
}

/// What of a text stays in sight where it has no room.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sight {
    /// What is asked, and of which session.
    First,
    /// The choices.
    Last,
    /// Where one types, by column and line; no line is wrapped.
    Cursor((usize, usize)),
}

/// Lines in a frame at the bottom of the body, where the eyes are.
fn framed(frame: &mut Frame<'_>, paint: Paint, body: Rect, title: &str, lines: &[String], sight: Sight) {
    let room = usize::from(body.width).saturating_sub(4).max(1);
    let lines: Vec<String> = match sight {
        Sight::Cursor(_) => lines.iter().map(|line| cut(line, room)).collect(),
        Sight::First | Sight::Last => lines.iter().flat_map(|line| wrapped(line, room)).collect(),
    };
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).saturating_add(2).min(body.height);
    let area = Rect { y: body.y + body.height - height, height, ..body };
    frame.render_widget(Clear, area);
    if area.height < 3 || area.width < 5 {
        frame.render_widget(Paragraph::new(lines.join(" ")), area);
        return;
    }
    let title = cut(title, room);
    let block = Block::bordered().border_style(paint.color(Color::Cyan)).title(Span::styled(title, paint.strong()));
    let inner = Rect { x: area.x + 2, y: area.y + 1, width: area.width - 4, height: area.height - 2 };
    frame.render_widget(block, area);
    let skipped = if sight == Sight::Last { lines.len().saturating_sub(usize::from(inner.height)) } else { 0 };
    let text: Vec<Line<'_>> = lines.iter().skip(skipped).map(|line| Line::raw(line.clone())).collect();
    frame.render_widget(Paragraph::new(text), inner);
    if let Sight::Cursor((column, row)) = sight {
        let (Ok(column), Ok(row)) = (u16::try_from(column), u16::try_from(row)) else { return };
        let at = Position { x: (inner.x + column).min(inner.right() - 1), y: (inner.y + row).min(inner.bottom() - 1) };
        frame.set_cursor_position(at);
    }
}
