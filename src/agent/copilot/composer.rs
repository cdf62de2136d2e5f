//! What the composer of Copilot CLI looks like. Values, measured on the real one.

use crate::core::lead::send::{ComposerTable, Counted, Frame, PasteMark, QuestionEdge, QuestionTable};

pub(super) static COMPOSER: ComposerTable = ComposerTable {
    measured: "Copilot CLI 1.0.102 in tmux 3.3a and zellij 0.45.1",
    prompt: "❯ ",
    frame: Frame::Rules,
    marks: &[PasteMark { begin: "[Paste #", before: "-", end: "lines]", counts: Counted::Lines }],
    // What Esc does to a list has not been measured, so it counts as a dialog.
    dialogs: &["enter to select", "┃ ❯ ", "  ❯ @"],
    popups: &[],
    working: &["esc interrupt"],
    queued: &[],
    commands: &['/', '!', '#', '?'],
    continues: &['\\'],
    hint: "",
    questions: Some(&QUESTIONS),
    is_interrupted_by_esc: false,
};

static QUESTIONS: QuestionTable = QuestionTable { marker: "❯ ", begins: QuestionEdge::Box, grants: &["Yes"] };
