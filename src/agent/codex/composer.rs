//! What the composer of Codex looks like. Values, measured on the real one.

use crate::core::lead::send::{ComposerTable, Counted, Frame, PasteMark, QuestionEdge, QuestionTable};

pub(super) static COMPOSER: ComposerTable = ComposerTable {
    measured: "Codex 0.169.0 in tmux 3.3a and zellij 0.45.1",
    prompt: "› ",
    frame: Frame::Cursor(3),
    marks: &[PasteMark { begin: "[Pasted Content", before: "", end: "chars]", counts: Counted::Characters }],
    dialogs: &[
        "Would you like to run the following",
        "Would you like to make the following",
        "enter to confirm or esc to",
        "› 1. Trust and continue",
        "open in another app",
    ],
    popups: &["enter/tab insert"],
    working: &["esc to interrupt"],
    queued: &["Messages to be submitted after next tool call", "Queued follow-up"],
    commands: &['/', '!'],
    continues: &[],
    hint: "",
    questions: Some(&QUESTIONS),
    is_interrupted_by_esc: true,
};

static QUESTIONS: QuestionTable =
    QuestionTable { marker: "› ", begins: QuestionEdge::Words("Would you like to"), grants: &["Yes"] };
