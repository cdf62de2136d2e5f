//! What a terminal shows, cell by cell. A value only.

/// What a pane shows.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PaneScreen {
    /// Its rows, from the top; without the blank cells at their ends that nobody coloured.
    pub rows: Vec<ScreenRow>,
    /// Where its cursor is: the column and the row, from 0. `None`: the multiplexer does not say.
    pub cursor: Option<(usize, usize)>,
}

/// A row of it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScreenRow {
    /// Its cells; a wide character is one.
    pub cells: Vec<ScreenCell>,
}

/// A colour of a terminal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum CellColour {
    /// The terminal's own.
    #[default]
    Own,
    /// One of its palette.
    Palette(u8),
    /// Red, green and blue.
    Mixed(u8, u8, u8),
}

/// A place on it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ScreenCell {
    /// The character, with what combines with it; a blank is a space.
    pub text: String,
    /// Whether it is drawn dim.
    pub is_dim: bool,
    /// Whether it is drawn bold.
    pub is_bold: bool,
    /// Whether its colours are swapped.
    pub is_inverse: bool,
    /// Whether its ground is coloured.
    pub is_filled: bool,
    /// The colour of its character.
    pub ink: CellColour,
    /// The colour of its ground.
    pub ground: CellColour,
}

impl ScreenCell {
    /// Whether there is nothing to be read in it.
    pub fn is_blank(&self) -> bool {
        self.text.chars().all(char::is_whitespace)
    }
}

impl ScreenRow {
    /// What can be read in it.
    pub fn text(&self) -> String {
        self.cells.iter().map(|cell| cell.text.as_str()).collect::<String>().trim_end().to_owned()
    }

    /// Whether it is a rule from end to end.
    pub fn is_rule(&self) -> bool {
        self.cells.len() >= 10 && self.cells.iter().all(|cell| cell.text == "─")
    }

    /// Whether nothing can be read in it.
    pub fn is_blank(&self) -> bool {
        self.cells.iter().all(ScreenCell::is_blank)
    }
}

impl PaneScreen {
    /// What can be read on it.
    pub fn text(&self) -> String {
        self.rows.iter().map(|row| row.text() + "\n").collect()
    }

    /// Whether a row of it holds a text, in which a question mark stands for any one character.
    pub fn shows(&self, pattern: &str) -> bool {
        self.rows.iter().any(|row| holds(&row.text(), pattern.trim_end()))
    }

    /// Which of these can be read on it: the first.
    pub fn first_of<'a>(&self, words: &[&'a str]) -> Option<&'a str> {
        let text = self.text();
        words.iter().copied().find(|word| text.contains(word))
    }
}

/// Whether a line holds a text, in which a question mark stands for any one character.
pub fn holds(line: &str, pattern: &str) -> bool {
    let (line, pattern): (Vec<char>, Vec<char>) = (line.chars().collect(), pattern.chars().collect());
    let is_same = |(shown, wanted): (&char, &char)| *wanted == '?' || shown == wanted;
    !pattern.is_empty() && line.windows(pattern.len()).any(|part| part.iter().zip(&pattern).all(is_same))
}

/// A text without its white space, by which it is compared with what a screen shows: lines are wrapped and tabs drawn.
pub fn squeezed(text: &str) -> String {
    text.chars().filter(|it| !it.is_whitespace()).collect()
}
