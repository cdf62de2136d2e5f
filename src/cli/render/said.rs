//! The events of a session for people: one line each. Pure.

use super::{Style, Terminal};
use crate::core::hooks::{HookEvent, HookKind};
use crate::core::text::{printable, stamp};

/// One event.
pub(crate) fn event(event: &HookEvent, look: &Terminal) -> String {
    let style = match event.kind {
        HookKind::Stop => Style::Good,
        HookKind::StopFailure => Style::Bad,
        HookKind::PermissionRequest | HookKind::Notification => Style::Warn,
        HookKind::SessionStart | HookKind::UserPromptSubmit | HookKind::SessionEnd => Style::Plain,
    };
    let mut said: Vec<String> = event.detail.iter().map(|detail| printable(detail).into_owned()).collect();
    said.extend(event.prompt.as_ref().map(|prompt| format!("{} characters", prompt.length)));
    said.extend(event.background.filter(|count| *count > 0).map(|count| format!("{count} in the background")));
    if matches!(event.kind, HookKind::SessionStart | HookKind::SessionEnd) {
        said.extend(event.session_id.as_ref().map(|id| printable(id.as_str()).into_owned()));
    }
    let word = look.paint(style, &format!("{:<17}", event.kind.as_str()));
    let line = format!("{} {word} {}", look.paint(Style::Dim, &stamp(event.at)), said.join(", "));
    format!("{}\n", line.trim_end())
}
