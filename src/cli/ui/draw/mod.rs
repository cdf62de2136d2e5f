//! From the model to a picture of the terminal. Changes nothing but what the model has to know of the room there is.

mod list;
mod pane;
mod panels;

use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::Paragraph;

use super::attention::Attention;
use super::columns::{cut, width, wrapped};
use super::model::{Arrangement, HostPicture, Ui, UiMode};
use crate::cli::render::lasted;
use crate::core::text::printable;

/// From so many columns on the screen stands beside the list, and from so many rows on below it.
const BESIDE: u16 = 100;
const BELOW: u16 = 16;
/// A picture that is older than this by more than the pause between looks is called old.
const OLD: i64 = 90;

/// The styles, or none.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paint {
    is_colored: bool,
}

impl Paint {
    fn color(self, color: Color) -> Style {
        if self.is_colored { Style::new().fg(color) } else { Style::new() }
    }

    fn dim(self) -> Style {
        if self.is_colored { Style::new().fg(Color::DarkGray) } else { Style::new().add_modifier(Modifier::DIM) }
    }

    fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    fn bad(self) -> Style {
        self.color(Color::Red).add_modifier(Modifier::BOLD)
    }

    fn of(self, attention: Attention) -> Style {
        match attention {
            Attention::NeedsInput => self.color(Color::Yellow).add_modifier(Modifier::BOLD),
            Attention::Crashed => self.bad(),
            Attention::Limited => self.color(Color::Red),
            Attention::Unseen => self.color(Color::Cyan).add_modifier(Modifier::BOLD),
            Attention::Working => self.color(Color::Green),
            Attention::Idle => Style::new(),
            Attention::Stopped | Attention::Unknown => self.dim(),
        }
    }
}

/// Draws all of it.
pub(super) fn draw(frame: &mut Frame<'_>, ui: &mut Ui) {
    let area = frame.area();
    if area.width == 0 || area.height == 0 {
        return;
    }
    let paint = Paint { is_colored: ui.is_colored };
    let row = |at: u16| Rect { y: area.y + at, height: 1, ..area };
    frame.render_widget(Paragraph::new(header(ui, paint, usize::from(area.width))), row(0));
    if area.height == 1 {
        return;
    }
    frame.render_widget(Paragraph::new(footer(ui, paint, usize::from(area.width))), row(area.height - 1));
    let mut body = Rect { y: area.y + 1, height: area.height - 2, ..area };
    ui.columns = usize::from(area.width);
    if !matches!(ui.mode, UiMode::Page(_)) {
        body.height -= notes(frame, ui, paint, body);
    }
    if body.height == 0 {
        return;
    }
    match ui.mode {
        UiMode::Page(_) => panels::page(frame, ui, paint, body),
        _ => {
            sessions(frame, ui, paint, body);
            panels::dialog(frame, ui, paint, body);
        }
    }
}

/// The list, the screen of the selected session, or both.
fn sessions(frame: &mut Frame<'_>, ui: &mut Ui, paint: Paint, area: Rect) {
    let is_beside = area.width >= BESIDE;
    match ui.arrangement {
        Arrangement::Screen => pane::draw(frame, ui, paint, area),
        Arrangement::Both if is_beside => {
            let left = (area.width / 20 * 9).clamp(44, 72);
            list::draw(frame, ui, paint, Rect { width: left, ..area });
            let rule = Paragraph::new(vec![Line::styled("│", paint.dim()); usize::from(area.height)]);
            frame.render_widget(rule, Rect { x: area.x + left, width: 1, ..area });
            let right = Rect { x: area.x + left + 1, width: area.width - left - 1, ..area };
            pane::draw(frame, ui, paint, right);
        }
        Arrangement::Both if area.height >= BELOW => {
            // As many rows as there are sessions, and at most half.
            let rows = u16::try_from(ui.visible.len()).unwrap_or(u16::MAX).saturating_add(1);
            let upper = rows.clamp(4, area.height / 2);
            list::draw(frame, ui, paint, Rect { height: upper, ..area });
            let lower = Rect { y: area.y + upper, height: area.height - upper, ..area };
            pane::draw(frame, ui, paint, lower);
        }
        Arrangement::Both | Arrangement::List => list::draw(frame, ui, paint, area),
    }
}

/// Who is there, how many need what, and how old that is.
fn header(ui: &Ui, paint: Paint, room: usize) -> Line<'static> {
    let host = ui.here.as_ref().map_or_else(String::new, |report| printable(&report.host).into_owned());
    let mut spans = vec![Span::styled(" headcount ", paint.strong().add_modifier(Modifier::REVERSED)), Span::raw(" ")];
    spans.extend((!host.is_empty()).then(|| Span::styled(format!("{host}  "), paint.dim())));
    let right = age(ui);
    let limit = room.saturating_sub(width(&right) + 1);
    let mut used: usize = spans.iter().map(|span| width(&span.content)).sum();
    let asking = ui.asking_jobs().len();
    if asking > 0 {
        let text = if asking == 1 { "1 job asks (m)  ".to_owned() } else { format!("{asking} jobs ask (m)  ") };
        if used + width(&text) <= limit {
            used += width(&text);
            spans.push(Span::styled(text, paint.of(Attention::NeedsInput)));
        }
    }
    for (attention, count) in ui.counts() {
        let text = format!("{count} {}  ", attention.counted());
        if used + width(&text) > limit {
            break;
        }
        used += width(&text);
        spans.push(Span::styled(text, paint.of(attention)));
    }
    if ui.here.is_some() && ui.rows.is_empty() {
        spans.push(Span::raw("no sessions  "));
        used += 13;
    }
    let blind = ui.blind().len();
    let style = if blind > 0 || ui.trouble.is_some() { paint.bad() } else { paint.dim() };
    if used + width(&right) <= room {
        spans.push(Span::raw(" ".repeat(room - used - width(&right))));
        spans.push(Span::styled(right, style));
    }
    Line::from(spans)
}

/// How old the picture is, and whether something in it is missing.
fn age(ui: &Ui) -> String {
    let Some(report) = &ui.here else {
        return if ui.trouble.is_some() { "blind ".to_owned() } else { "looking … ".to_owned() };
    };
    let seconds = (ui.now - report.observed_at).num_seconds().max(0);
    let is_waiting = ui.far.values().any(|picture| matches!(picture, HostPicture::Awaited));
    let mut text = match seconds {
        _ if ui.is_blind_here() => "blind (m) ".to_owned(),
        _ if ui.blind_hosts() == 1 => "1 host blind (m) ".to_owned(),
        _ if ui.blind_hosts() > 1 => format!("{} hosts blind (m) ", ui.blind_hosts()),
        _ if is_waiting => "asking hosts … ".to_owned(),
        _ => String::new(),
    };
    if ui.trouble.is_some() || seconds > OLD {
        text.push_str(&format!("as of {} ago ", lasted(seconds)));
    }
    text
}

/// What was said last, above the footer. Gives how many rows that takes.
fn notes(frame: &mut Frame<'_>, ui: &Ui, paint: Paint, body: Rect) -> u16 {
    let room = usize::from(body.width);
    let mut lines: Vec<Line<'static>> = Vec::new();
    for label in ui.acts.values().take(2) {
        lines.push(Line::styled(cut(&format!("… {label}"), room), paint.color(Color::Cyan)));
    }
    if ui.acts.len() > 2 {
        lines.push(Line::styled(cut(&format!("… and {} more", ui.acts.len() - 2), room), paint.color(Color::Cyan)));
    }
    if let Some(said) = &ui.said {
        let style = if said.is_bad { paint.bad() } else { paint.color(Color::Green) };
        let wrapped: Vec<String> = said.text.lines().flat_map(|line| wrapped(&printable(line), room)).collect();
        let most = usize::from(body.height / 3).clamp(1, 6);
        let is_cut = wrapped.len() > most;
        lines.extend(wrapped.into_iter().take(if is_cut { most - 1 } else { most }).map(|line| Line::styled(line, style)));
        if is_cut {
            lines.push(Line::styled("… m shows all", paint.dim()));
        }
    }
    let height = u16::try_from(lines.len()).unwrap_or(u16::MAX).min(body.height.saturating_sub(3));
    let area = Rect { y: body.y + body.height - height, height, ..body };
    frame.render_widget(Paragraph::new(lines), area);
    height
}

/// The keys of where you are, as many as there is room for.
fn footer(ui: &Ui, paint: Paint, room: usize) -> Line<'static> {
    const LIST: &[(&str, &str)] = &[
        ("⏎", "attach"),
        ("s", "send"),
        ("a", "answer"),
        ("/", "filter"),
        ("?", "help"),
        ("q", "quit"),
        ("l", "logs"),
        ("d", "describe"),
        ("n", "new"),
        ("S", "start"),
        ("X", "stop"),
        ("R", "restart"),
        ("D", "diff"),
        ("h", "history"),
        ("p", "plan"),
        ("⇥", "screen"),
    ];
    let keys: &[(&str, &str)] = match &ui.mode {
        UiMode::List if !ui.filter.is_empty() => {
            &[("esc", "all again"), ("/", "filter"), ("⏎", "attach"), ("s", "send"), ("?", "help"), ("q", "quit")]
        }
        UiMode::List => LIST,
        UiMode::Filter(_) => &[("⏎", "keep"), ("esc", "all again"), ("↑↓", "select")],
        UiMode::Send { .. } => &[("⏎", "send"), ("alt-⏎", "new line"), ("esc", "keep for later")],
        UiMode::Answer(asked) if asked.question.is_none() => &[("esc", "leave")],
        UiMode::Answer(_) => &[("y", "approve"), ("n", "deny"), ("1-9", "choose"), ("esc", "leave")],
        UiMode::New(_) => &[("⏎", "start it"), ("⇥", "next field"), ("esc", "leave")],
        UiMode::Confirm { .. } => &[("y", "yes"), ("n", "no")],
        UiMode::Page(_) => &[("j k", "scroll"), ("g G", "ends"), ("space b", "pages"), ("q", "back")],
    };
    let mut spans = Vec::new();
    let mut used = 1;
    spans.push(Span::raw(" "));
    for (key, does) in keys {
        let wide = width(key) + 1 + width(does) + 2;
        if used + wide > room {
            break;
        }
        used += wide;
        spans.push(Span::styled((*key).to_owned(), paint.strong()));
        spans.push(Span::styled(format!(" {does}  "), paint.dim()));
    }
    Line::from(spans)
}
