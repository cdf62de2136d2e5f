//! Hostile names of sessions and paths, and hostile text in transcripts. Never judges.

use super::{Fault, nothing};
use crate::matrix::stage::{COMMENTS, Spice, quoted, save};

pub(super) fn all() -> Vec<Fault> {
    let spiced = |name, spice| Fault { spice, ..Fault::new(name, nothing) };
    let plain = Spice::default();
    vec![
        spiced("quotes", Spice { name: "a'b\"c ", path: "a'b\"c ", ..plain }),
        spiced("$(…) and backquotes", Spice { name: "$(touch pwned)`touch pwned`;", path: "$(touch pwned);", ..plain }),
        spiced("leading dash", Spice { name: "-f -", path: "-rf -", ..plain }),
        spiced("right-to-left and wide letters", Spice { name: "\u{202e}漢ü ", path: "\u{202e}漢ü ", ..plain }),
        Fault {
            from_the_start: true,
            spice: Spice { said: "$(touch pwned) `touch pwned` '\"", ..plain },
            ..Fault::new("escape sequences in names and paths, commands in transcripts", |stage| {
                let evil = "evil\u{1b}[31m\u{202e}\n".to_owned();
                let entry = format!(
                    "  - name: {}\n    agent: claude\n    cwd: {}\n    status: running\n",
                    quoted(&evil),
                    quoted("/x\u{1b}]0;title\u{7}\n$(touch pwned)")
                );
                let text = stage.text().replace(COMMENTS[2], &format!("{entry}{}", COMMENTS[2]));
                save(&stage.manifest(), &text);
                stage.recorded.insert(evil.clone(), None);
                stage.truth.insert(evil, None);
                Ok(())
            })
        },
        spiced("line break in paths", Spice { name: "", path: "a\nb\n", ..plain }),
        spiced("200 characters", Spice { name: LONG, path: LONG, ..plain }),
        spiced("separators: | and %", Spice { name: "a|b%3 ", path: "a|b:%3 ", ..plain }),
    ]
}

const LONG: &str = "nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn\
nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn";
