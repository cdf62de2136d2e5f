//! Hostile names of sessions and paths, and hostile text in transcripts. Never judges.

use super::{Fault, nothing};
use crate::matrix::stage::Spice;

pub(super) fn all() -> Vec<Fault> {
    let spiced = |name, spice| Fault { spice, ..Fault::new(name, nothing) };
    let plain = Spice::default();
    vec![
        spiced("quotes", Spice { name: "a'b\"c ", path: "a'b\"c ", ..plain }),
        spiced("$(…) and backquotes", Spice { name: "$(touch pwned)`touch pwned`;", path: "$(touch pwned);", ..plain }),
        spiced("leading dash", Spice { name: "-f -", path: "-rf -", ..plain }),
        spiced("right-to-left and wide letters", Spice { name: "\u{202e}漢ü ", path: "\u{202e}漢ü ", ..plain }),
        spiced("escape sequence in paths and transcripts", Spice { name: "", path: "\u{1b}[31m", said: "$(touch pwned) '\"" }),
        spiced("line break in paths", Spice { name: "", path: "a\nb\n", ..plain }),
        spiced("200 characters", Spice { name: LONG, path: LONG, ..plain }),
        spiced("separators: | and %", Spice { name: "a|b%3 ", path: "a|b:%3 ", ..plain }),
    ]
}

const LONG: &str = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\
nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";
