//! What a composer holds, read off a screen by its agent's table. Pure; what it does not recognise for sure it says nothing of.

use super::screen::{PaneScreen, ScreenCell, ScreenRow, squeezed};

/// What an agent's composer looks like.
#[derive(Debug)]
pub struct ComposerTable {
    /// The version, and where it was measured.
    pub measured: &'static str,
    /// What it begins with, in the first column.
    pub prompt: &'static str,
    /// How it is set off.
    pub frame: Frame,
    /// What stands for a long text in it: what is before and behind the count, and what is counted.
    pub marks: &'static [PasteMark],
    /// What can be read only while a dialog is up that Enter would answer.
    pub dialogs: &'static [&'static str],
    /// What can be read only while a list is up that Enter would choose from. Esc closes it, and leaves the text.
    pub popups: &'static [&'static str],
    /// What can be read only while the agent keeps a prompt for its turn's end.
    pub queued: &'static [&'static str],
    /// What a text begins with that the agent takes for a command.
    pub commands: &'static [char],
    /// What a text ends with that Enter would not send.
    pub continues: &'static [char],
}

/// How a composer is set off from the rest of a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// Between two rules that are as wide as the screen. Empty, it holds nothing but one inverse blank, or a dim text whose first
    /// letter is inverse.
    Rules,
    /// Above at most so many rows, a blank one first; the cursor is where the next letter goes. Empty, it holds a dim text.
    Cursor(usize),
}

/// What stands for a long text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PasteMark {
    /// What it begins with; a running number may follow.
    pub begin: &'static str,
    /// What stands right before the count.
    pub before: &'static str,
    /// What it ends with.
    pub end: &'static str,
    /// What is counted.
    pub counts: Counted,
}

/// What a mark counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Characters.
    Characters,
    /// Ends of lines.
    LineEnds,
    /// Nothing.
    Nothing,
}

/// What a composer holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Composer {
    /// Nothing.
    Empty,
    /// This, without its white space.
    Holds(String),
    /// It is not to be seen, or not as it was measured, for this reason.
    Unseen(String),
    /// A dialog is up that Enter would answer, known by this.
    Dialog(&'static str),
}

/// How far a composer holds just a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Staged {
    /// It, and nothing else.
    Whole,
    /// Exactly one mark, whose count is that of the text.
    Counted,
    /// Exactly one mark that tells no count.
    Uncounted,
    /// Something else.
    No,
}

/// What the composer of a screen holds.
pub fn composer(screen: &PaneScreen, table: &ComposerTable) -> Composer {
    if let Some(word) = screen.first_of(table.dialogs) {
        return Composer::Dialog(word);
    }
    match table.frame {
        Frame::Rules => ruled(screen, table),
        Frame::Cursor(below) => at_cursor(screen, table, below),
    }
}

/// Whether a list is up that Enter would choose from.
pub fn has_popup(screen: &PaneScreen, table: &ComposerTable) -> bool {
    screen.first_of(table.popups).is_some()
}

/// A row that is a rule from end to end.
fn is_rule(row: &ScreenRow) -> bool {
    row.cells.len() >= 10 && row.cells.iter().all(|cell| cell.text == "─")
}

/// The cells behind the prompt; `None`: the row does not begin with it.
fn behind<'a>(row: &'a ScreenRow, prompt: &str) -> Option<&'a [ScreenCell]> {
    let mut text = String::new();
    for (at, cell) in row.cells.iter().enumerate() {
        text.push_str(&cell.text);
        if text == prompt {
            return row.cells.get(at + 1..);
        }
        if !prompt.starts_with(text.as_str()) {
            return None;
        }
    }
    // The blank that ends it may be cut off.
    (prompt.trim_end() == text.trim_end()).then_some(&[])
}

fn unseen(why: &str) -> Composer {
    Composer::Unseen(why.to_owned())
}

fn ruled(screen: &PaneScreen, table: &ComposerTable) -> Composer {
    let rules: Vec<usize> = (0..screen.rows.len()).filter(|at| screen.rows.get(*at).is_some_and(is_rule)).collect();
    let [.., top, bottom] = rules.as_slice() else { return unseen("its composer is not on the screen") };
    let rows = screen.rows.get(top + 1..*bottom).unwrap_or_default();
    let Some((first, rest)) = rows.split_first() else { return unseen("its composer is not on the screen") };
    let Some(first) = behind(first, table.prompt) else { return unseen("its composer is not on the screen") };
    // The text goes on at the column where it began.
    let width = table.prompt.chars().count();
    let is_indented = |row: &ScreenRow| row.cells.iter().take(width).all(|cell| cell.text == " ");
    if !rest.iter().all(is_indented) {
        return unseen("its composer does not look as it did when it was measured");
    }
    let cells = || first.iter().chain(rest.iter().flat_map(|row| row.cells.iter().skip(width)));
    // Where the cursor is drawn there is one, and on a hint that is its first letter.
    if cells().filter(|cell| cell.is_inverse).count() > 1 {
        return unseen("its composer does not look as it did when it was measured");
    }
    let is_hint = |cell: &ScreenCell| cell.is_blank() || cell.is_dim || cell.is_inverse;
    let is_blank = cells().all(ScreenCell::is_blank);
    match rest.is_empty() && (is_blank || cells().all(is_hint) && cells().any(|cell| cell.is_dim && !cell.is_blank())) {
        true => Composer::Empty,
        false => Composer::Holds(squeezed(&cells().map(|cell| cell.text.as_str()).collect::<String>())),
    }
}

fn at_cursor(screen: &PaneScreen, table: &ComposerTable, below: usize) -> Composer {
    let (column, row) = screen.cursor;
    let row_at = |at: usize| screen.rows.get(at);
    let last = screen.rows.iter().rposition(|row| !row.is_blank()).unwrap_or(0);
    if last > row + below || (last > row && !row_at(row + 1).is_some_and(ScreenRow::is_blank)) {
        return unseen("its cursor is not at the end of its composer");
    }
    // The row nearest above the cursor that begins with the prompt; what is said in the conversation is dim or coloured there.
    let begins = |at: &usize| {
        row_at(*at).is_some_and(|row| {
            row.cells.first().is_some_and(|cell| cell.is_bold && !cell.is_dim && !cell.is_inverse)
                && behind(row, table.prompt).is_some()
        })
    };
    let Some(begin) = (0..=row).rev().find(begins) else { return unseen("its composer is not on the screen") };
    let width = table.prompt.chars().count();
    let rows = screen.rows.get(begin..=row).unwrap_or_default();
    let is_indented = |row: &ScreenRow| row.cells.iter().take(width).all(|cell| cell.text == " ");
    if !rows.iter().skip(1).all(is_indented) {
        return unseen("its composer does not look as it did when it was measured");
    }
    let cells = || rows.iter().flat_map(|row| row.cells.iter().skip(width));
    let is_dim = cells().all(|cell| cell.is_blank() || cell.is_dim);
    match (rows, is_dim) {
        ([only], true) if column == width && !only.is_blank() && cells().any(|cell| !cell.is_blank()) => Composer::Empty,
        ([_], true) => unseen("its composer holds neither its own hint nor a text"),
        _ if cells_behind(rows, column) => unseen("its cursor is not at the end of its composer"),
        _ => Composer::Holds(squeezed(&cells().map(|cell| cell.text.as_str()).collect::<String>())),
    }
}

/// Whether something stands at the cursor or behind it in its row.
fn cells_behind(rows: &[ScreenRow], column: usize) -> bool {
    let Some(row) = rows.last() else { return false };
    row.cells.iter().skip(column).any(|cell| !cell.is_blank())
}

/// A text that a composer should hold, as far as it has to be known for that.
pub struct TextShape<'a> {
    /// Whether it is this, without white space.
    pub is_it: &'a dyn Fn(&str) -> bool,
    /// How many characters it has.
    pub characters: usize,
    /// How many ends of lines.
    pub line_ends: usize,
}

impl std::fmt::Debug for TextShape<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextShape").field("characters", &self.characters).finish_non_exhaustive()
    }
}

/// How far a composer holds just a text.
pub fn staged(composer: &Composer, text: &TextShape<'_>, table: &ComposerTable) -> Staged {
    let Composer::Holds(held) = composer else { return Staged::No };
    if (text.is_it)(held) {
        return Staged::Whole;
    }
    table.marks.iter().find_map(|mark| mark.stands_for(held, text)).unwrap_or(Staged::No)
}

impl PasteMark {
    /// How far it stands for a text; `None`: it is no such mark.
    fn stands_for(&self, held: &str, text: &TextShape<'_>) -> Option<Staged> {
        let numbered = held.strip_prefix(squeezed(self.begin).as_str())?.strip_suffix(squeezed(self.end).as_str())?;
        let before = squeezed(self.before);
        let (number, count) = if before.is_empty() { ("", numbered) } else { numbered.split_once(before.as_str())? };
        let is_number = |it: &str| it.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(number) || !is_number(count) {
            return None;
        }
        let counted = match self.counts {
            Counted::Characters => text.characters,
            Counted::LineEnds => text.line_ends,
            Counted::Nothing => return count.parse::<usize>().is_ok().then_some(Staged::Uncounted),
        };
        Some(if count.parse() == Ok(counted) { Staged::Counted } else { Staged::No })
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::screen::{PaneScreen, ScreenCell, ScreenRow};
    use super::*;

    pub(in crate::core::lead::send) static CLAUDE: ComposerTable = ComposerTable {
        measured: "a test",
        prompt: "❯\u{a0}",
        frame: Frame::Rules,
        marks: &[
            PasteMark { begin: "[Pasted text #", before: "+", end: "lines]", counts: Counted::LineEnds },
            PasteMark { begin: "[Pasted text #", before: "", end: "]", counts: Counted::Nothing },
        ],
        dialogs: &["Do you want to proceed"],
        popups: &["/model"],
        queued: &["Press up to edit queued messages"],
        commands: &['/', '!', '#'],
        continues: &['\\'],
    };

    /// A screen of these rows: `~` before a word makes its letters dim, `^` inverse.
    fn screen(rows: &[&str]) -> PaneScreen {
        let row = |text: &&str| {
            let mut cells = Vec::new();
            let (mut is_dim, mut is_inverse) = (false, false);
            for it in text.chars() {
                match it {
                    '~' => is_dim = true,
                    '^' => is_inverse = true,
                    _ => {
                        cells.push(ScreenCell { text: it.to_string(), is_dim, is_inverse, is_bold: false });
                        is_inverse = false;
                    }
                }
            }
            ScreenRow { cells }
        };
        PaneScreen { rows: rows.iter().map(row).collect(), cursor: (0, 0) }
    }

    const RULE: &str = "────────────────────";

    fn of(rows: &[&str]) -> Composer {
        let mut all = vec!["said before", RULE];
        all.extend(rows);
        all.extend([RULE, "  footer"]);
        composer(&screen(&all), &CLAUDE)
    }

    #[test]
    fn a_hint_is_no_draft_and_one_letter_is() {
        assert_eq!(of(&["❯\u{a0}^ "]), Composer::Empty);
        assert_eq!(of(&["❯\u{a0}"]), Composer::Empty);
        assert_eq!(of(&["❯\u{a0}^R~esend your message"]), Composer::Empty);
        assert_eq!(of(&["❯\u{a0}^a"]), Composer::Holds("a".to_owned()));
        assert_eq!(of(&["❯\u{a0}half a draft^ "]), Composer::Holds("halfadraft".to_owned()));
        assert_eq!(of(&["❯\u{a0}", "  ^ "]), Composer::Holds(String::new()), "a line feed is a draft");
        assert_eq!(of(&["❯\u{a0}a", "  b^ "]), Composer::Holds("ab".to_owned()));
        for odd in [vec![], vec!["> x"], vec!["❯ 1. Yes"], vec!["❯\u{a0}a", "b"], vec!["❯\u{a0}^a^b"]] {
            assert!(matches!(of(&odd), Composer::Unseen(_)), "{odd:?}");
        }
        let dialog = screen(&[RULE, "❯\u{a0}^ ", RULE, "Do you want to proceed?"]);
        assert_eq!(composer(&dialog, &CLAUDE), Composer::Dialog("Do you want to proceed"));
    }

    #[test]
    fn only_the_text_alone_or_its_own_mark_is_staged() {
        let held = |text: &str| Composer::Holds(squeezed(text));
        let is_it = |held: &str| held == "onetwothreefour";
        let text = &TextShape { is_it: &is_it, characters: 20, line_ends: 3 };
        assert_eq!(staged(&held("one  two three four"), text, &CLAUDE), Staged::Whole);
        for other in ["one two three", "xone two three four", "one two three fourx", "", "[Pasted text #1 +2 lines]"] {
            assert_eq!(staged(&held(other), text, &CLAUDE), Staged::No, "{other}");
        }
        assert_eq!(staged(&held("[Pasted text #12 +3 lines]"), text, &CLAUDE), Staged::Counted);
        assert_eq!(staged(&held("[Pasted text #12]"), text, &CLAUDE), Staged::Uncounted);
        for other in
            ["[Pasted text #1 +3 lines][Pasted text #2 +3 lines]", "a[Pasted text #1 +3 lines]", "[Pasted text #1 +3 lines]a"]
        {
            assert_eq!(staged(&held(other), text, &CLAUDE), Staged::No, "{other}");
        }
        assert_eq!(staged(&Composer::Empty, text, &CLAUDE), Staged::No);
    }
}
