//! Text in columns. Pure.

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

/// How many columns a text takes.
pub(super) fn width(text: &str) -> usize {
    text.width()
}

/// A text in so many columns at most; what is left out is shown by `…`.
pub(super) fn cut(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    let mut kept = start(text, room.saturating_sub(1));
    if room > 0 {
        kept.push('…');
    }
    kept
}

/// As much of the beginning of a text as takes so many columns at most.
fn start(text: &str, room: usize) -> String {
    let mut used = 0;
    let fits = |it: &char| {
        used += it.width().unwrap_or(0);
        used <= room
    };
    text.chars().take_while(fits).collect()
}

/// A text in exactly so many columns.
pub(super) fn padded(text: &str, room: usize) -> String {
    let text = cut(text, room);
    let missing = room.saturating_sub(text.width());
    text + &" ".repeat(missing)
}

/// A line broken into lines of so many columns at most, between words where that can be.
pub(super) fn wrapped(line: &str, room: usize) -> Vec<String> {
    let room = room.max(1);
    let mut lines = vec![String::new()];
    let mut used = 0;
    for word in line.split_inclusive(' ') {
        let wide = word.trim_end().width();
        if used + wide > room && used > 0 {
            lines.push(String::new());
            used = 0;
        }
        for letter in word.chars() {
            let wide = letter.width().unwrap_or(0);
            if used + wide > room {
                // A blank at the end of a line takes no room.
                if letter == ' ' {
                    continue;
                }
                lines.push(String::new());
                used = 0;
            }
            if let Some(last) = lines.last_mut() {
                last.push(letter);
            }
            used += wide;
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wide_characters_keep_to_their_columns() {
        assert_eq!((cut("漢字漢字", 5), width(&cut("漢字漢字", 5))), ("漢字…".to_owned(), 5));
        assert_eq!(cut("漢字漢字", 4), "漢…");
        assert_eq!((cut("abc", 3), cut("abc", 1), cut("abc", 0)), ("abc".into(), "…".into(), String::new()));
        assert_eq!(padded("漢", 4), "漢  ");
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrapped("", 3), [""]);
    }
}
