//! What the composer of OpenCode looks like. Values, measured on the real one.

use crate::core::lead::send::{ComposerTable, Counted, Frame, PasteMark, QuestionEdge, QuestionTable};

pub(super) static COMPOSER: ComposerTable = ComposerTable {
    measured: "OpenCode 1.18.33 in tmux 3.3a and zellij 0.45.1",
    prompt: "  ",
    frame: Frame::Bar,
    marks: &[PasteMark { begin: "[Pasted ~", before: "", end: "lines]", counts: Counted::Lines }],
    dialogs: &["△ ", "enter confirm"],
    popups: &[],
    working: &["esc interrupt"],
    queued: &[],
    commands: &['/', '!'],
    continues: &['\\'],
    hint: "Ask anything",
    questions: Some(&QUESTIONS),
    is_interrupted_by_esc: false,
};

static QUESTIONS: QuestionTable = QuestionTable { marker: "", begins: QuestionEdge::Words("Permission required"), grants: &[] };
