//! What a composer holds, read off a screen by its agent's table. Pure; what it does not recognise for sure it says nothing of.

use super::question::{AgentQuestion, QuestionTable, question};
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
    /// What can be read while a turn goes on.
    pub working: &'static [&'static str],
    /// What can be read only while the agent keeps a prompt for its turn's end.
    pub queued: &'static [&'static str],
    /// What a text begins with that the agent takes for a command.
    pub commands: &'static [char],
    /// What a text ends with that Enter would not send.
    pub continues: &'static [char],
    /// What it shows in its place when it is empty, where that is not drawn dim: the beginning.
    pub hint: &'static str,
    /// How its questions are drawn; `None`: none is answered.
    pub questions: Option<&'static QuestionTable>,
    /// Whether one Esc ends a turn.
    pub is_interrupted_by_esc: bool,
}

impl ComposerTable {
    /// The question on a screen; `None`: none is there, or not as it was measured.
    pub fn question(&self, screen: &PaneScreen) -> Option<AgentQuestion> {
        screen.first_of(self.dialogs)?;
        question(screen, self.questions?)
    }
}

/// How a composer is set off from the rest of a screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frame {
    /// Between two rules that are as wide as the screen. Empty, it holds nothing but one inverse blank, or a dim text whose first
    /// letter is inverse.
    Rules,
    /// Above at most so many rows, a blank one first; the cursor is where the next letter goes. Empty, it holds a dim text.
    Cursor(usize),
    /// Right of a bar, in a box that ends in a corner and a line of halves: a blank row, the text, a blank row, and one that tells the
    /// mode. The cursor is in it.
    Bar,
    /// In a box whose ground is coloured from side to side, a row of it above and below. The cursor is in it.
    Filled,
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
    /// Lines.
    Lines,
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
        Frame::Bar => barred(screen, table),
        Frame::Filled => filled(screen, table),
    }
}

const ODD: &str = "its composer does not look as it did when it was measured";
const NOT_THERE: &str = "its composer is not on the screen";

/// Whether a list is up that Enter would choose from.
pub fn has_popup(screen: &PaneScreen, table: &ComposerTable) -> bool {
    screen.first_of(table.popups).is_some()
}

/// The cells behind the prompt; `None`: the row does not begin with it.
fn behind<'a>(row: &'a ScreenRow, prompt: &str) -> Option<&'a [ScreenCell]> {
    if prompt.is_empty() {
        return Some(&row.cells);
    }
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

/// A rule on which something may be written.
fn is_labelled(row: &ScreenRow) -> bool {
    let is_line = |cell: &ScreenCell| cell.text == "─";
    let ends = row.cells.first().is_some_and(is_line) && row.cells.last().is_some_and(is_line);
    ends && row.cells.len() >= 10 && row.cells.iter().filter(|cell| is_line(cell)).count() * 2 > row.cells.len()
}

/// Whether a screen says that a turn goes on: the frame of a composer, or a word that the conversation might hold too.
pub fn is_busy(screen: &PaneScreen, table: &ComposerTable) -> bool {
    let place = |is: fn(&ScreenRow) -> bool, upto: usize| screen.rows.iter().take(upto).rposition(is);
    let bottom = place(ScreenRow::is_rule, screen.rows.len()).filter(|_| table.frame == Frame::Rules);
    let top = bottom.and_then(|bottom| place(is_labelled, bottom)).and_then(|top| screen.rows.get(top));
    top.is_some_and(|row| !row.is_rule()) || screen.first_of(table.working).is_some()
}

fn ruled(screen: &PaneScreen, table: &ComposerTable) -> Composer {
    let last = |upto: usize, is: fn(&ScreenRow) -> bool| screen.rows.iter().take(upto).rposition(is);
    let rules = last(screen.rows.len(), ScreenRow::is_rule).and_then(|bottom| Some((last(bottom, is_labelled)?, bottom)));
    let Some((top, bottom)) = rules else { return unseen(NOT_THERE) };
    let rows = screen.rows.get(top + 1..bottom).unwrap_or_default();
    let Some((first, rest)) = rows.split_first() else { return unseen(NOT_THERE) };
    if screen.cursor.is_some_and(|(_, row)| row <= top || row >= bottom) {
        return unseen("its cursor is not in its composer");
    }
    let Some(first) = behind(first, table.prompt) else { return unseen(NOT_THERE) };
    // The text goes on at the column where it began.
    let width = table.prompt.chars().count();
    let is_indented = |row: &ScreenRow| row.cells.iter().take(width).all(|cell| cell.text == " ");
    if !rest.iter().all(is_indented) {
        return unseen(ODD);
    }
    let cells = || first.iter().chain(rest.iter().flat_map(|row| row.cells.iter().skip(width)));
    // Where the cursor is drawn there is one, and on a hint that is its first letter.
    if cells().filter(|cell| cell.is_inverse).count() > 1 {
        return unseen(ODD);
    }
    let is_hint = |cell: &ScreenCell| cell.is_blank() || cell.is_dim || cell.is_inverse;
    let is_blank = cells().all(ScreenCell::is_blank);
    match rest.is_empty() && (is_blank || cells().all(is_hint) && cells().any(|cell| cell.is_dim && !cell.is_blank())) {
        true => Composer::Empty,
        false => Composer::Holds(squeezed(&cells().map(|cell| cell.text.as_str()).collect::<String>())),
    }
}

fn at_cursor(screen: &PaneScreen, table: &ComposerTable, below: usize) -> Composer {
    let Some((column, row)) = screen.cursor else { return unseen("its cursor is not to be seen") };
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
    let Some(begin) = (0..=row).rev().find(begins) else { return unseen(NOT_THERE) };
    let width = table.prompt.chars().count();
    let rows = screen.rows.get(begin..=row).unwrap_or_default();
    let is_indented = |row: &ScreenRow| row.cells.iter().take(width).all(|cell| cell.text == " ");
    if !rows.iter().skip(1).all(is_indented) {
        return unseen(ODD);
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

/// What rows of a box hold, whose text begins in this column, and whose cursor has to be among them.
fn boxed((column, row): (usize, usize), (first, rows): (usize, &[ScreenRow]), columns: (usize, usize), hint: &str) -> Composer {
    let (from, to) = columns;
    let parts = || rows.iter().map(|row| row.cells.get(from..to.min(row.cells.len())).unwrap_or_default());
    let text = |cells: &[ScreenCell]| cells.iter().map(|cell| cell.text.as_str()).collect::<String>();
    let Some(last) = parts().rposition(|cells| !text(cells).trim().is_empty()) else {
        let is_there = rows.len() == 1 && (column, row) == (from, first);
        return if is_there { Composer::Empty } else { unseen(ODD) };
    };
    let held: String = parts().map(text).collect();
    if !hint.is_empty() && last == 0 && (column, row) == (from, first) && held.trim_start().starts_with(hint) {
        return Composer::Empty;
    }
    let is_behind =
        |cells: &[ScreenCell]| !text(cells.get(column.saturating_sub(from)..).unwrap_or_default()).trim().is_empty();
    if row < first + last || row >= first + rows.len() || parts().nth(row - first).is_some_and(is_behind) {
        return unseen("its cursor is not at the end of its composer");
    }
    Composer::Holds(squeezed(&held))
}

fn barred(screen: &PaneScreen, table: &ComposerTable) -> Composer {
    let at = |row: &ScreenRow, column: usize| row.cells.get(column).map_or("", |cell| cell.text.as_str()).to_owned();
    let corner = |row: &ScreenRow| row.cells.iter().position(|cell| cell.text == "╹");
    let corners: Vec<(usize, usize)> =
        screen.rows.iter().enumerate().filter_map(|(place, row)| Some((place, corner(row)?))).collect();
    let [(end, bar)] = corners.as_slice() else { return unseen(NOT_THERE) };
    let width =
        screen.rows.get(*end).map_or(0, |row| row.cells.iter().skip(bar + 1).take_while(|cell| cell.text == "▀").count());
    let is_in_box = |row: &ScreenRow| at(row, *bar) == "┃";
    let has_list = |row: &ScreenRow| row.cells.iter().skip(bar + 1).take(width + 1).any(|cell| cell.text == "┃");
    let begin = (0..*end).rev().take_while(|place| screen.rows.get(*place).is_some_and(|row| is_in_box(row) && !has_list(row)));
    let Some(begin) = begin.last() else { return unseen(NOT_THERE) };
    if begin.checked_sub(1).and_then(|above| screen.rows.get(above)).is_some_and(|row| is_in_box(row) && has_list(row)) {
        return unseen("a list to choose from is up");
    }
    let columns = (bar + 1 + table.prompt.chars().count(), bar + 1 + width);
    match screen.rows.get(begin..*end) {
        Some([above, text @ .., below, _]) if width >= 20 && !text.is_empty() => {
            let is_blank = |row: &ScreenRow| row.cells.iter().take(columns.1).skip(bar + 1).all(ScreenCell::is_blank);
            if !is_blank(above) || !is_blank(below) {
                return unseen(ODD);
            }
            let Some(at) = screen.cursor else { return unseen("its cursor is not to be seen") };
            boxed(at, (begin + 1, text), columns, table.hint)
        }
        _ => unseen(ODD),
    }
}

fn filled(screen: &PaneScreen, table: &ComposerTable) -> Composer {
    // The agent draws it: where the multiplexer says it is is short of that behind a tab.
    let drawn = |(row, it): (usize, &ScreenRow)| Some((it.cells.iter().position(|cell| cell.is_inverse)?, row));
    let is_its_row = |(row, _): &(usize, &ScreenRow)| screen.cursor.is_none_or(|at| at.1 == *row);
    let at = screen.rows.iter().enumerate().filter(is_its_row).filter_map(drawn).next_back().or(screen.cursor);
    let Some(at) = at else { return unseen("its cursor is not to be seen") };
    let row_at = |place: usize| screen.rows.get(place);
    let is_wide = |row: &ScreenRow, is: fn(&ScreenCell) -> bool| row.cells.len() > 20 && row.cells.iter().all(is);
    let is_in_box = |row: &ScreenRow| is_wide(row, |cell| cell.is_filled || cell.is_inverse || cell.text.is_empty());
    let is_in = |place: &usize| row_at(*place).is_some_and(is_in_box);
    let begin = (0..=at.1).rev().take_while(is_in).last();
    let end = (at.1..screen.rows.len()).take_while(is_in).last();
    let (Some(begin), Some(end)) = (begin, end) else { return unseen(NOT_THERE) };
    // Where the terminal can draw them, halves of rows are its edges; else blank rows.
    let is_half =
        |place: Option<usize>, is: fn(&ScreenCell) -> bool| place.and_then(row_at).is_some_and(|row| is_wide(row, is));
    let halves = (is_half(begin.checked_sub(1), |cell| cell.text == "▄"), is_half(Some(end + 1), |cell| cell.text == "▀"));
    let text = screen.rows.get(begin..=end).unwrap_or_default();
    let (begin, text, below) = match (halves, text) {
        ((true, true), text) => (begin, text, end + 2),
        ((false, false), [above, text @ .., below]) if above.is_blank() && below.is_blank() => (begin + 1, text, end + 1),
        _ => return unseen(NOT_THERE),
    };
    if row_at(below).is_some_and(|row| row.cells.iter().any(|cell| cell.is_filled)) {
        return unseen("a list to choose from is up");
    }
    let [first, rest @ ..] = text else { return unseen(NOT_THERE) };
    let indent = table.prompt.chars().count();
    let is_indented = |row: &ScreenRow| row.cells.iter().take(indent).all(ScreenCell::is_blank);
    if behind(first, table.prompt).is_none() || !rest.iter().all(is_indented) {
        return unseen(NOT_THERE);
    }
    boxed(at, (begin, text), (indent, first.cells.len()), table.hint)
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
        let is_number = |it: &str| it.bytes().all(|byte| byte.is_ascii_digit());
        let counted = match self.counts {
            Counted::Characters => text.characters,
            Counted::LineEnds => text.line_ends,
            Counted::Lines => text.line_ends + 1,
            Counted::Nothing => return (is_number(numbered) && !numbered.is_empty()).then_some(Staged::Uncounted),
        };
        let count = counted.to_string();
        let is_ours = match squeezed(self.before).as_str() {
            "" if self.before.is_empty() => numbered == count,
            // Only a blank stood between the number and the count.
            "" => numbered.strip_suffix(&count).is_some_and(|number| !number.is_empty()),
            before => numbered.split_once(before).is_some_and(|(number, it)| is_number(number) && it == count),
        };
        let is_mark = numbered.replacen(squeezed(self.before).as_str(), "", 1).bytes().all(|byte| byte.is_ascii_digit());
        is_mark.then_some(if is_ours { Staged::Counted } else { Staged::No })
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
        working: &["esc to interrupt"],
        queued: &["Press up to edit queued messages"],
        commands: &['/', '!', '#'],
        continues: &['\\'],
        hint: "",
        questions: None,
        is_interrupted_by_esc: true,
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
                        cells.push(ScreenCell { text: it.to_string(), is_dim, is_inverse, ..ScreenCell::default() });
                        is_inverse = false;
                    }
                }
            }
            ScreenRow { cells }
        };
        PaneScreen { rows: rows.iter().map(row).collect(), cursor: None }
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
