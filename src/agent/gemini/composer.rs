//! What the composer of Gemini CLI looks like. Values, measured on the real one.

use crate::core::lead::send::{ComposerTable, Counted, Frame, PasteMark, QuestionEdge, QuestionTable};

pub(super) static COMPOSER: ComposerTable = ComposerTable {
    measured: "Gemini CLI 0.61.0 in tmux 3.3a and zellij 0.45.1",
    prompt: " > ",
    frame: Frame::Filled,
    marks: &[
        PasteMark { begin: "[Pasted Text:", before: "", end: "lines]", counts: Counted::Lines },
        PasteMark { begin: "[Pasted Text:", before: "", end: "chars]", counts: Counted::Characters },
    ],
    dialogs: &["Apply this change?", "Allow execution", "● 1. ", "Action Required"],
    popups: &[],
    working: &["esc to cancel"],
    queued: &[],
    commands: &['/', '!'],
    continues: &['\\'],
    hint: "Type your message",
    questions: Some(&QUESTIONS),
    is_interrupted_by_esc: false,
};

static QUESTIONS: QuestionTable = QuestionTable { marker: "● ", begins: QuestionEdge::Box, grants: &["Allow once", "Yes"] };
