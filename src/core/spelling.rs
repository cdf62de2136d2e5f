//! What a multiplexer makes of the name that somebody gives a session. Pure; `ids` asks for it, and nothing else.

/// The names that tmux may list a session under whose name was given as this, the likelier first; without it itself. By
/// `session_check_name` and `utf8_strvis` of tmux 3.2 to 3.7, and by what tmux 3.3a did with each character.
pub(super) fn by_tmux(name: &str) -> Vec<String> {
    if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_ =@+,/".contains(&byte)) {
        return Vec::new();
    }
    let mut all: Vec<String> = Vec::new();
    for given in [expanded(name).as_deref(), Some(name)].into_iter().flatten() {
        // From 3.7a on it keeps `.` and `:`, which part the names of windows and panes from the session's before.
        for parted in [given.replace(['.', ':'], "_"), given.to_owned()] {
            for escape in [Escape { dollar: true, strange: Strange::Some }, Escape { dollar: false, strange: Strange::Some }]
                .into_iter()
                .chain([Strange::None, Strange::Every].map(|strange| Escape { dollar: false, strange }))
            {
                let spelled = escape.of(&parted);
                if spelled != name && !all.contains(&spelled) {
                    all.push(spelled);
                }
            }
        }
    }
    all
}

/// What is known of the names that may be a session's although only its server knows the whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameFrame {
    beginnings: Vec<String>,
    endings: Vec<String>,
}

impl NameFrame {
    /// What tmux may list a session under whose name was given as this. `None` if the whole can be told, as `by_tmux` does.
    pub(super) fn by_tmux(name: &str) -> Option<Self> {
        let (fixed, rest) = replaced(name)?;
        let spellings = |part: &str| {
            let mut all = by_tmux(part);
            all.push(part.to_owned());
            all
        };
        // What is put in may begin as the name of a variable does.
        Some(Self { beginnings: spellings(fixed.trim_end_matches('$')), endings: spellings(behind(rest).unwrap_or_default()) })
    }

    /// Whether a session that is listed under this name may be the one.
    pub fn fits(&self, listed: &str) -> bool {
        self.beginnings.iter().any(|beginning| listed.starts_with(beginning))
            && self.endings.iter().any(|ending| listed.ends_with(ending))
    }
}

/// What of a name tmux escapes.
struct Escape {
    /// A `$` that would begin the name of a variable (before 3.4).
    dollar: bool,
    strange: Strange,
}

/// Which characters beyond ASCII the C library gives no width, so that tmux takes them for none.
enum Strange {
    /// Those that are controls or no characters.
    Some,
    /// None of them.
    None,
    /// Also all that are newer than the library may be: emoji are.
    Every,
}

impl Strange {
    fn holds(&self, c: char) -> bool {
        let is_none = c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || u32::from(c) & 0xfffe == 0xfffe;
        match self {
            Self::None => false,
            Self::Some => is_none,
            Self::Every => is_none || c.len_utf8() == 4,
        }
    }
}

impl Escape {
    fn of(&self, name: &str) -> String {
        let mut spelled = String::with_capacity(name.len());
        let mut rest = name.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '\\' => spelled.push_str("\\\\"),
                '$' if self.dollar && rest.peek().is_some_and(|next| next.is_ascii_alphabetic() || "_{".contains(*next)) => {
                    spelled.push_str("\\$");
                }
                '\u{7}' => spelled.push_str("\\a"),
                '\u{8}' => spelled.push_str("\\b"),
                '\t' => spelled.push_str("\\t"),
                '\n' => spelled.push_str("\\n"),
                '\u{b}' => spelled.push_str("\\v"),
                '\u{c}' => spelled.push_str("\\f"),
                '\r' => spelled.push_str("\\r"),
                c if c.is_ascii_control() || !c.is_ascii() && self.strange.holds(c) => {
                    let mut bytes = [0; 4];
                    spelled.extend(c.encode_utf8(&mut bytes).bytes().map(|byte| format!("\\{byte:03o}")));
                }
                c => spelled.push(c),
            }
        }
        spelled
    }
}

/// A name as a format without anything that is replaced: two `#` are one, and `#,` and `#}` lose theirs. `None` if it is no such
/// name: what `#{…}`, `#(…)` or `#S` come to, only that server knows.
fn expanded(name: &str) -> Option<String> {
    if !name.contains('#') || replaced(name).is_some() {
        return None;
    }
    let mut made = String::with_capacity(name.len());
    for (before, run, after) in runs(name) {
        made.push_str(before);
        match after {
            // A style, which is kept with all that stands before it.
            Some('[') => made.extend(std::iter::repeat_n('#', run)),
            Some(',' | '}') => made.extend(std::iter::repeat_n('#', run / 2)),
            _ => made.extend(std::iter::repeat_n('#', run.div_ceil(2))),
        }
    }
    made.push_str(name.rsplit('#').next().unwrap_or_default());
    Some(made)
}

/// The first part of a name that tmux puts something else in the place of: what stands before it, and it with all that follows.
fn replaced(name: &str) -> Option<(&str, &str)> {
    let mut at = 0;
    for (before, run, after) in runs(name) {
        at += before.len() + run;
        if run % 2 == 1 && matches!(after, Some('{' | '(' | 'D' | 'F' | 'H' | 'I' | 'P' | 'S' | 'T' | 'W' | 'h')) {
            return name.split_at_checked(at - 1);
        }
    }
    None
}

/// What stands behind what tmux replaces, in a text that begins with it; `None` where tmux may see its end elsewhere, or none and
/// then drops the rest.
fn behind(text: &str) -> Option<&str> {
    let inside = text.strip_prefix('#').filter(|inside| !inside.contains('#'))?;
    let close = match inside.chars().next()? {
        '{' => '}',
        '(' => ')',
        letter => return inside.strip_prefix(letter),
    };
    let is_single = inside.matches(['{', '(']).count() == 1 && inside.matches(close).count() == 1;
    inside.split_once(close).filter(|_| is_single).map(|(_, behind)| behind)
}

/// The runs of `#` in a name: what stands between the one before and it, its length, and the character after it.
fn runs(name: &str) -> impl Iterator<Item = (&str, usize, Option<char>)> {
    let mut rest = name;
    std::iter::from_fn(move || {
        let (before, from) = rest.split_at_checked(rest.find('#')?)?;
        rest = from.trim_start_matches('#');
        Some((before, from.len() - rest.len(), rest.chars().next()))
    })
}

#[cfg(test)]
#[allow(clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn the_first_spelling_is_the_one_that_tmux_3_3a_was_seen_to_make() {
        for (name, listed) in [
            ("a.b:c", "a_b_c"),
            ("a$b", "a\\$b"),
            ("$_", "\\$_"),
            ("a$$c", "a$\\$c"),
            ("a\\b", "a\\\\b"),
            ("a\tb\nc\rd", "a\\tb\\nc\\rd"),
            ("\u{1}1\u{1b}[31m\u{7f}", "\\0011\\033[31m\\177"),
            ("\u{7}\u{8}\u{b}\u{c}", "\\a\\b\\v\\f"),
            ("a##c", "a#c"),
            ("####", "##"),
            ("#,#}", ",}"),
            ("##{pid}", "#{pid}"),
            ("\u{85}", "\\302\\205"),
            ("\u{2028}", "\\342\\200\\250"),
        ] {
            assert_eq!(by_tmux(name).first().map(String::as_str), Some(listed), "{name:?}");
        }
        assert!(by_tmux("\u{1fae9}.x").contains(&"\\360\\237\\253\\251_x".to_owned()), "newer than the library");
        assert!(by_tmux("a$b.c").contains(&"a$b_c".to_owned()) && by_tmux("a$b.c").contains(&"a\\$b.c".to_owned()));
    }

    #[test]
    fn of_a_name_that_only_the_server_knows_the_beginning_and_often_the_end_are_known() {
        for (name, beginning, ending) in [
            ("x#{pid}", "x", ""),
            ("a.b#{pid}", "a_b", ""),
            ("a##b###{pid}c", "a#b#", "c"),
            ("a$b#S", "a\\$b", ""),
            ("a$#h.x", "a", "_x"),
            ("#(id)", "", ""),
            ("#{pid}-x.y", "", "-x_y"),
            ("a#(id)b", "a", "b"),
            // Where more than one thing is replaced, or it does not end, tmux may drop what seems to be the end.
            ("a#{pid}b#{pid}c", "a", ""),
            ("a#{b-x", "a", ""),
            ("a#{?#{b},c}-x", "a", ""),
            ("a#{b}c}d", "a", ""),
            ("a#(b(c)d)e", "a", ""),
        ] {
            let frame = NameFrame::by_tmux(name).expect(name);
            assert!(frame.beginnings.contains(&beginning.to_owned()), "{name:?}: {frame:?}");
            assert!(frame.endings.contains(&ending.to_owned()), "{name:?}: {frame:?}");
            assert_eq!(expanded(name), None, "{name:?}");
        }
        let frame = NameFrame::by_tmux("a#{pid}-b").expect("a frame");
        assert!(frame.fits("a17-b") && !frame.fits("a17-c") && !frame.fits("b17-b"));
        for name in ["x", "##{pid}", "#", "#1", "a#[fg=red]", "#,#}", "a.b", "####S"] {
            assert_eq!(NameFrame::by_tmux(name), None, "{name:?}");
        }
    }

    #[test]
    fn a_name_that_it_keeps_has_no_other() {
        for name in [
            "lane-1",
            "=a",
            "@a",
            "-a",
            "a b",
            "a$",
            "a$1",
            "$",
            "%H%%",
            "#",
            "a#",
            "#1",
            "#q",
            "##[x",
            "###[fg=red]",
            "e\u{301}",
            "漢",
            "(x)",
            "a|b'\"`",
            "\u{202e}",
            "\u{200b}",
        ] {
            assert_eq!(by_tmux(name), Vec::<String>::new(), "{name:?}");
        }
    }
}
