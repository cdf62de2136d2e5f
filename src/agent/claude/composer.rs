//! What the composer of Claude Code looks like. Values, measured on the real one.

use crate::core::lead::send::{ComposerTable, Counted, Frame, PasteMark, QuestionEdge, QuestionTable};

pub(super) static COMPOSER: ComposerTable = ComposerTable {
    measured: "Claude Code 2.1.329 in tmux 3.3a and zellij 0.45.1",
    prompt: "❯\u{a0}",
    frame: Frame::Rules,
    marks: &[
        PasteMark { begin: "[Pasted text #", before: "+", end: "lines]", counts: Counted::LineEnds },
        PasteMark { begin: "[Pasted text #", before: "", end: "]", counts: Counted::Nothing },
    ],
    // The row that is chosen, which stands a column further in than what a person said.
    dialogs: &[" ❯ 1. ", " ❯ 2. ", " ❯ 3. ", " ❯ No, exit", " ❯ Yes, I trust", "Background work is running"],
    popups: &[" ❯ /"],
    working: &["esc to interrupt"],
    queued: &["Press up to edit queued messages", "Queued ·"],
    commands: &['/', '!', '#'],
    continues: &['\\'],
    hint: "",
    questions: Some(&QUESTIONS),
    is_interrupted_by_esc: true,
};

static QUESTIONS: QuestionTable = QuestionTable { marker: "❯ ", begins: QuestionEdge::Rule, grants: &["Yes"] };
