//! What tmux-bridge's users may write: how a pane is named, and which words are keys. Words only; asks no tmux.

/// How somebody names a pane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PaneWord<'a> {
    /// As tmux does: its id, `session:window.pane`, or the number of a window.
    Tmux(&'a str),
    /// By the label that somebody gave it.
    Label(&'a str),
}

impl<'a> PaneWord<'a> {
    /// What a word is, as tmux-bridge 2.0.0 takes it: a label has neither a colon nor a dot in it and is no number.
    pub fn of(word: &'a str) -> Self {
        let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_tmux = word.strip_prefix('%').is_some_and(is_number) || word.contains([':', '.']) || is_number(word);
        if is_tmux { Self::Tmux(word) } else { Self::Label(word) }
    }
}

/// The names of keys that tmux 3.3 has (`key-string.c`), in small letters. Those of the mouse are left out.
const NAMES: [&str; 58] = [
    "f1",
    "f2",
    "f3",
    "f4",
    "f5",
    "f6",
    "f7",
    "f8",
    "f9",
    "f10",
    "f11",
    "f12",
    "ic",
    "insert",
    "dc",
    "delete",
    "home",
    "end",
    "npage",
    "pagedown",
    "pgdn",
    "ppage",
    "pageup",
    "pgup",
    "tab",
    "btab",
    "space",
    "bspace",
    "enter",
    "escape",
    "up",
    "down",
    "left",
    "right",
    "kp/",
    "kp*",
    "kp-",
    "kp7",
    "kp8",
    "kp9",
    "kp+",
    "kp4",
    "kp5",
    "kp6",
    "kp1",
    "kp2",
    "kp3",
    "kpenter",
    "kp0",
    "kp.",
    "kpequal",
    "kpcomma",
    "kpseparator",
    "kpbegin",
    "kpend",
    "kphome",
    "kpup",
    "kpdown",
];

/// Whether a word is a key of tmux: one character, or a name, behind `C-`, `M-`, `S-` or `^`. Any other word tmux would type as text.
pub fn is_key(word: &str) -> bool {
    let mut rest = word;
    while let Some((modifier, behind)) = rest.split_at_checked(2) {
        let is_one = matches!(modifier.to_ascii_lowercase().as_str(), "c-" | "m-" | "s-");
        if !is_one || behind.is_empty() {
            break;
        }
        rest = behind;
    }
    rest = rest.strip_prefix('^').filter(|behind| !behind.is_empty()).unwrap_or(rest);
    let mut letters = rest.chars();
    match (letters.next(), letters.next()) {
        (Some(letter), None) => !letter.is_control(),
        _ => NAMES.contains(&rest.to_ascii_lowercase().as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pane_is_named_as_tmux_does_or_by_its_label() {
        for word in ["%0", "%12", "shop:0.1", "a.b", "3", "s:", ".", "=x:1"] {
            assert_eq!(PaneWord::of(word), PaneWord::Tmux(word), "{word}");
        }
        for word in ["codex", "%", "%x", "%1x", "", "3a", "two words", "é"] {
            assert_eq!(PaneWord::of(word), PaneWord::Label(word), "{word}");
        }
    }

    #[test]
    fn only_what_tmux_has_a_name_for_is_a_key() {
        for word in ["Enter", "escape", "C-c", "c-M-x", "S-Up", "M-Enter", "y", "é", ";", "-", "^c", "F12", "C--", "C-^", "KP0"]
        {
            assert!(is_key(word), "{word}");
        }
        for word in ["", "rm", "yes", "C-", "Enterx", "F13", "C-rm", "\n", "\u{1b}", "-X", "C-c y", "M-S-", "^rm", "éé"] {
            assert!(!is_key(word), "{word}");
        }
    }
}
