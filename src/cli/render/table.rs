//! Columns that fit. Owns widths, alignment and cutting; never knows what the columns mean.

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::{Style, Terminal};
use crate::core::text::printable;

/// Blanks between two columns.
const GAP: usize = 2;

/// What is left of a column that shrinks when there is hardly any room.
const SMALLEST: usize = 4;

/// A column that shrinks and is wider than this does so before any other: one endless name must not cut the rest to stumps.
const COMFORTABLE: usize = 40;

/// One column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    title: &'static str,
    /// Below this it does not shrink; `None`: it does not shrink at all.
    minimum: Option<usize>,
    /// Among those that shrink, the highest number does first.
    gives: u8,
    /// Columns with the highest number go first when even the narrowest table does not fit; 0 stays.
    drop: u8,
    right: bool,
    middle: bool,
}

impl Column {
    /// A column that keeps its width and stays.
    pub(crate) const fn new(title: &'static str) -> Self {
        Self { title, minimum: None, gives: 0, drop: 0, right: false, middle: false }
    }

    /// It may shrink to this width, and does so before those with a lower `order`.
    #[must_use]
    pub(crate) const fn shrinks_to(mut self, minimum: usize, order: u8) -> Self {
        self.minimum = Some(minimum);
        self.gives = order;
        self
    }

    /// What is cut is cut from the middle: both ends tell.
    #[must_use]
    pub(crate) const fn cut_in_the_middle(mut self) -> Self {
        self.middle = true;
        self
    }

    /// It may be left out; the highest number goes first.
    #[must_use]
    pub(crate) const fn may_go(mut self, order: u8) -> Self {
        self.drop = order;
        self
    }

    /// Numbers: aligned to the right.
    #[must_use]
    pub(crate) const fn right(mut self) -> Self {
        self.right = true;
        self
    }
}

/// One cell: text made safe to show, and its style.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    text: String,
    style: Style,
}

impl Cell {
    /// A cell in a style.
    pub(crate) fn new(text: &str, style: Style) -> Self {
        Self { text: printable(text).into_owned(), style }
    }

    /// A cell without style.
    pub(crate) fn plain(text: &str) -> Self {
        Self::new(text, Style::Plain)
    }

    /// A cell that is there or a dim `-`.
    pub(crate) fn or_dash(text: Option<&str>, style: Style) -> Self {
        text.filter(|text| !text.is_empty()).map_or_else(|| Self::new("-", Style::Dim), |text| Self::new(text, style))
    }

    fn width(&self) -> usize {
        self.text.width()
    }
}

/// The table as text, every line ended. Rows must have as many cells as there are columns.
pub(crate) fn render(columns: &[Column], rows: &[Vec<Cell>], look: &Terminal) -> String {
    let widths = fit(columns, rows, look.width);
    let mut text = String::new();
    let titles: Vec<Cell> = columns.iter().map(|column| Cell::new(column.title, Style::Strong)).collect();
    for row in std::iter::once(&titles).chain(rows) {
        line(&mut text, columns, row, &widths, look);
        text.truncate(text.trim_end_matches(' ').len());
        text.push('\n');
    }
    text
}

fn line(text: &mut String, columns: &[Column], row: &[Cell], widths: &[Option<usize>], look: &Terminal) {
    let last = widths.iter().rposition(Option::is_some);
    let mut first = true;
    for (position, cell) in row.iter().enumerate() {
        let Some(width) = widths.get(position).copied().flatten() else { continue };
        if !first {
            text.push_str(&" ".repeat(GAP));
        }
        first = false;
        let (right, middle) = columns.get(position).map_or((false, false), |column| (column.right, column.middle));
        let shown = cut(&cell.text, width, middle);
        let padding = " ".repeat(width.saturating_sub(shown.width()));
        if right {
            text.push_str(&padding);
        }
        text.push_str(&look.paint(cell.style, &shown));
        if !right && last != Some(position) {
            text.push_str(&padding);
        }
    }
}

/// The width of each column, `None` for one that is left out.
fn fit(columns: &[Column], rows: &[Vec<Cell>], available: Option<usize>) -> Vec<Option<usize>> {
    let natural = |position: usize, column: &Column| {
        let widest = rows.iter().filter_map(|row| row.get(position)).map(Cell::width).max().unwrap_or(0);
        widest.max(column.title.width())
    };
    let mut widths: Vec<Option<usize>> =
        columns.iter().enumerate().map(|(position, column)| Some(natural(position, column))).collect();
    let Some(available) = available else { return widths };
    let floor =
        |column: &Column, width: usize| column.minimum.map_or(width, |minimum| minimum.max(column.title.width()).min(width));

    // First leave out what may go until the narrowest form fits …
    loop {
        let narrowest =
            total(columns.iter().zip(&widths).filter_map(|(column, width)| width.map(|width| floor(column, width))));
        if narrowest <= available {
            break;
        }
        let candidate = columns
            .iter()
            .enumerate()
            .filter(|(position, column)| column.drop > 0 && widths[*position].is_some())
            .max_by_key(|(_, column)| column.drop);
        let Some((position, _)) = candidate else { break };
        widths[position] = None;
    }
    // … then take from those that give until it does, and in the end from those that have given all they should.
    for last in [false, true] {
        while total(widths.iter().flatten().copied()) > available {
            let candidate = columns
                .iter()
                .enumerate()
                .filter_map(|(position, column)| widths[position].map(|width| (position, column, width)))
                .filter(|(_, column, width)| {
                    let least = if last && column.minimum.is_some() { SMALLEST } else { floor(column, *width) };
                    *width > least
                })
                .max_by_key(|(_, column, width)| (*width > COMFORTABLE, column.gives, *width));
            let Some((position, _, width)) = candidate else { break };
            widths[position] = Some(width - 1);
        }
    }
    widths
}

fn total(widths: impl Iterator<Item = usize>) -> usize {
    let (count, sum) = widths.fold((0, 0), |(count, sum), width| (count + 1, sum + width));
    sum + GAP * usize::saturating_sub(count, 1)
}

/// `text` in at most `width` columns; what is missing is marked by `…`.
fn cut(text: &str, width: usize, middle: bool) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let room = width.saturating_sub(1);
    let tail_room = if middle { room / 2 } else { 0 };
    let mut head = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > room - tail_room {
            break;
        }
        head.push(c);
        used += wide;
    }
    let mut tail = Vec::new();
    let mut used = 0;
    for c in text.chars().rev() {
        let wide = c.width().unwrap_or(0);
        if used + wide > tail_room {
            break;
        }
        tail.push(c);
        used += wide;
    }
    if width > 0 {
        head.push('…');
    }
    head.extend(tail.iter().rev());
    head
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(width: Option<usize>) -> Terminal {
        Terminal { color: false, width, tty: false, now: chrono::DateTime::UNIX_EPOCH }
    }

    fn columns() -> Vec<Column> {
        vec![
            Column::new("NAME").shrinks_to(6, 1).cut_in_the_middle(),
            Column::new("N").right(),
            Column::new("NOTE").shrinks_to(8, 2).may_go(1),
        ]
    }

    fn rows() -> Vec<Vec<Cell>> {
        vec![
            vec![Cell::plain("lab-api-creator-claude"), Cell::plain("7"), Cell::plain("something went quite wrong")],
            vec![Cell::plain("x"), Cell::plain("100"), Cell::plain("")],
        ]
    }

    #[test]
    fn without_a_width_nothing_is_cut() {
        let text = render(&columns(), &rows(), &look(None));
        assert_eq!(
            text,
            "NAME                      N  NOTE\n\
             lab-api-creator-claude    7  something went quite wrong\n\
             x                       100\n"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for width in 12..70 {
            for line in render(&columns(), &rows(), &look(Some(width))).lines() {
                assert!(line.width() <= width, "{width}: {line:?}");
            }
        }
    }

    #[test]
    fn what_may_go_goes_before_the_rest_becomes_unreadable() {
        let text = render(&columns(), &rows(), &look(Some(18)));
        assert!(!text.contains("NOTE"), "{text}");
        assert!(text.contains("lab-ap…-claude") || text.contains("lab-ap…claude"), "{text}");
    }

    #[test]
    fn one_endless_name_does_not_cut_the_other_columns_to_stumps() {
        let name = "lab-".repeat(30);
        let rows = vec![vec![Cell::plain(&name), Cell::plain("7"), Cell::plain("something went quite wrong")]];
        let text = render(&columns(), &rows, &look(Some(80)));
        assert!(text.contains("something went quite wrong"), "{text}");
        assert!(text.lines().all(|line| line.width() <= 80), "{text}");
    }

    #[test]
    fn wide_and_combining_characters_keep_the_columns_straight() {
        let rows = vec![
            vec![Cell::plain("漢字"), Cell::plain("1"), Cell::plain("a")],
            vec![Cell::plain("e\u{301}"), Cell::plain("2"), Cell::plain("b")],
        ];
        let text = render(&columns(), &rows, &look(None));
        let ends: Vec<usize> = text.lines().skip(1).map(|line| line.trim_end_matches(['a', 'b']).width()).collect();
        assert_eq!(ends[0], ends[1], "{text}");
    }

    #[test]
    fn a_cut_never_exceeds_its_width_even_through_wide_characters() {
        for width in 0..12 {
            for middle in [false, true] {
                assert!(cut("漢字かなabc漢字", width, middle).width() <= width);
            }
        }
        assert_eq!(cut("abcdef", 4, false), "abc…");
        assert_eq!(cut("abcdefgh", 5, true), "ab…gh");
    }

    #[test]
    fn a_hostile_cell_stays_on_its_line_and_cannot_colour() {
        let rows = vec![vec![Cell::plain("a\nb\u{1b}[31m"), Cell::plain("1"), Cell::plain("")]];
        let text = render(&columns(), &rows, &look(None));
        assert_eq!(text.lines().count(), 2);
        assert!(!text.contains('\u{1b}'));
    }
}
