//! A text that is being typed: its cursor and the keys that edit it. Pure.

use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// A text and where its cursor stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct TextInput {
    text: String,
    /// In bytes, between two characters.
    cursor: usize,
}

impl TextInput {
    pub(super) fn new(text: impl Into<String>) -> Self {
        let text = text.into();
        Self { cursor: text.len(), text }
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What stands before the cursor.
    pub(super) fn before(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    /// Puts a text in, as a paste does. Control characters but line ends and tabs are left out.
    pub(super) fn insert(&mut self, text: &str, is_one_line: bool) {
        let text = text.replace("\r\n", "\n").replace('\r', "\n");
        let kept: String = text.chars().filter(|it| !it.is_control() || matches!(it, '\n' | '\t')).collect();
        let kept = if is_one_line { kept.replace(['\n', '\t'], " ") } else { kept };
        self.text.insert_str(self.cursor, &kept);
        self.cursor += kept.len();
    }

    /// Edits it. Gives whether the key means something here.
    pub(super) fn key(&mut self, key: KeyEvent, is_one_line: bool) -> bool {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        let is_alt = key.modifiers.contains(KeyModifiers::ALT);
        match key.code {
            KeyCode::Enter if is_alt && !is_one_line => self.insert("\n", false),
            KeyCode::Char('j') if is_control && !is_one_line => self.insert("\n", false),
            KeyCode::Char('a') if is_control => self.cursor = self.line_start(),
            KeyCode::Char('e') if is_control => self.cursor = self.line_end(),
            KeyCode::Char('u') if is_control => self.cut(self.line_start()),
            KeyCode::Char('w') if is_control => self.cut(self.word_start()),
            KeyCode::Char('h') if is_control => self.cut(self.previous()),
            KeyCode::Char(_) if is_control || is_alt => return false,
            KeyCode::Char(letter) => self.insert(letter.encode_utf8(&mut [0; 4]), is_one_line),
            KeyCode::Backspace => self.cut(self.previous()),
            KeyCode::Delete => {
                let end = self.next();
                self.text.replace_range(self.cursor..end, "");
            }
            KeyCode::Left => self.cursor = self.previous(),
            KeyCode::Right => self.cursor = self.next(),
            KeyCode::Home => self.cursor = self.line_start(),
            KeyCode::End => self.cursor = self.line_end(),
            KeyCode::Up if !is_one_line => self.line(-1),
            KeyCode::Down if !is_one_line => self.line(1),
            _ => return false,
        }
        true
    }

    fn cut(&mut self, from: usize) {
        self.text.replace_range(from..self.cursor, "");
        self.cursor = from;
    }

    fn previous(&self) -> usize {
        self.before().char_indices().next_back().map_or(0, |(at, _)| at)
    }

    fn next(&self) -> usize {
        self.text[self.cursor..].chars().next().map_or(self.cursor, |it| self.cursor + it.len_utf8())
    }

    fn line_start(&self) -> usize {
        self.before().rfind('\n').map_or(0, |at| at + 1)
    }

    fn line_end(&self) -> usize {
        self.text[self.cursor..].find('\n').map_or(self.text.len(), |at| self.cursor + at)
    }

    fn word_start(&self) -> usize {
        let before = self.before().trim_end();
        before.rfind(char::is_whitespace).map_or(0, |at| at + 1)
    }

    /// The same column of the line above or below, if there is one.
    fn line(&mut self, by: i8) {
        let (start, end) = (self.line_start(), self.line_end());
        let column = self.text[start..self.cursor].chars().count();
        let target = match by {
            ..0 if start > 0 => self.text[..start - 1].rfind('\n').map_or(0, |at| at + 1),
            0.. if end < self.text.len() => end + 1,
            _ => return,
        };
        let line = self.text[target..].split('\n').next().unwrap_or_default();
        self.cursor = target + line.char_indices().nth(column).map_or(line.len(), |(at, _)| at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(keys: &[KeyEvent]) -> TextInput {
        let mut input = TextInput::new("eins 漢字\nzwei");
        for key in keys {
            assert!(input.key(*key, false), "{key:?}");
        }
        input
    }

    #[test]
    fn keys_edit_whole_characters() {
        let plain = |code| KeyEvent::new(code, KeyModifiers::NONE);
        let control = |letter| KeyEvent::new(KeyCode::Char(letter), KeyModifiers::CONTROL);
        let up = plain(KeyCode::Up);
        assert_eq!(typed(&[up, plain(KeyCode::End), plain(KeyCode::Backspace)]).text(), "eins 漢\nzwei");
        assert_eq!(typed(&[up, plain(KeyCode::Home), plain(KeyCode::Delete)]).text(), "ins 漢字\nzwei");
        assert_eq!(typed(&[up, control('e'), control('w')]).text(), "eins \nzwei");
        assert_eq!(typed(&[control('u'), plain(KeyCode::Backspace)]).text(), "eins 漢字");
        assert_eq!(typed(&[control('j'), plain(KeyCode::Char('x'))]).text(), "eins 漢字\nzwei\nx");
        assert_eq!(typed(&[up, up, plain(KeyCode::Down)]).before(), "eins 漢字\nzwei");
        let mut one = TextInput::default();
        one.insert("a\r\nb\u{1b}[31m\tc", true);
        assert_eq!(one.text(), "a b[31m c");
        assert!(!one.key(control('j'), true));
    }
}
