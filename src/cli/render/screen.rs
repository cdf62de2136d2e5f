//! A terminal that shows one picture after another in the same place. Owns the codes for that; never what is shown.

use std::fmt::Write as _;

use super::{Style, Terminal};

/// Ends the alternate screen, and shows the cursor again.
const LEAVE: &str = "\u{1b}[?25h\u{1b}[?1049l";

/// Begins the alternate screen, without a cursor.
const ENTER: &str = "\u{1b}[?1049h\u{1b}[?25l";

/// Each picture is drawn over the one before, so that nothing flickers.
#[derive(Debug)]
pub(crate) struct Screen {
    height: usize,
    is_entered: bool,
}

impl Screen {
    /// Nothing shown yet.
    pub(crate) const fn new() -> Self {
        Self { height: 24, is_entered: false }
    }

    /// The terminal has so many columns and lines.
    pub(crate) fn size(&mut self, size: Option<(usize, usize)>, look: &mut Terminal) {
        if let Some((width, height)) = size {
            (look.width, self.height) = (Some(width), height.max(2));
        }
    }

    /// What is to be written to show a picture. What does not fit is counted in the last line.
    pub(crate) fn draw(&mut self, picture: &str, look: &Terminal) -> String {
        let mut text = if std::mem::replace(&mut self.is_entered, true) { String::new() } else { ENTER.to_owned() };
        text.push_str("\u{1b}[H");
        let lines: Vec<&str> = picture.lines().collect();
        let room = if lines.len() > self.height { self.height - 1 } else { lines.len() };
        for line in &lines[..room] {
            let _ = write!(text, "{line}\u{1b}[K\r\n");
        }
        if room < lines.len() {
            let more = format!("… {} more lines", lines.len() - room);
            text.push_str(&look.paint(Style::Dim, &more));
        } else {
            // No line break in the last line of the terminal: it would scroll.
            text.truncate(text.trim_end_matches("\r\n").len());
        }
        text.push_str("\u{1b}[K\u{1b}[J");
        text
    }

    /// What is to be written at the end: the terminal as it was, and the last picture below.
    pub(crate) fn leave(&self, last: &str) -> String {
        if self.is_entered { format!("{LEAVE}{last}") } else { String::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_never_scrolls_and_says_what_does_not_fit() {
        let mut look = Terminal { color: false, width: None, tty: true, now: chrono::DateTime::UNIX_EPOCH };
        let mut screen = Screen::new();
        assert_eq!(screen.leave("last\n"), "", "nothing was shown");
        screen.size(Some((80, 3)), &mut look);
        assert_eq!(look.width, Some(80));
        let whole = screen.draw("a\nb\nc\n", &look);
        assert!(whole.starts_with(ENTER) && whole.matches('\n').count() == 2, "{whole:?}");
        let cut = screen.draw("a\nb\nc\nd\n", &look);
        assert!(cut.contains("… 2 more lines") && !cut.contains('c') && !cut.contains(ENTER), "{cut:?}");
        assert_eq!(screen.leave("last\n"), format!("{LEAVE}last\n"));
    }
}
