//! What the composer of Pi looks like. Values, measured on the real one.

use crate::core::lead::send::{ComposerTable, Counted, Frame, PasteMark};

pub(super) static COMPOSER: ComposerTable = ComposerTable {
    measured: "Pi 0.87.1 in tmux 3.3a and zellij 0.45.1",
    prompt: "",
    frame: Frame::Rules,
    marks: &[
        PasteMark { begin: "[paste #", before: "+", end: "lines]", counts: Counted::Lines },
        PasteMark { begin: "[paste #", before: " ", end: "chars]", counts: Counted::Characters },
    ],
    // Pi asks for no permission; what it lets one choose from stands in the place of its composer.
    dialogs: &[],
    popups: &[],
    working: &[],
    queued: &["Steering:", "Follow-up:"],
    commands: &['/', '!'],
    continues: &['\\'],
    hint: "",
    questions: None,
    is_interrupted_by_esc: true,
};
