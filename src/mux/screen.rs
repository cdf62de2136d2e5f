//! What a multiplexer captured of a pane, as cells. Never asks for it.

use std::num::NonZero;

use crate::core::lead::send::{CellColour, PaneScreen, ScreenCell, ScreenRow};

/// The screen that a capture with its escape sequences draws, one line for each row.
pub(crate) fn screen(captured: &str, size: (usize, usize), cursor: Option<(usize, usize)>) -> PaneScreen {
    let limit = |it: usize| NonZero::new(u16::try_from(it.clamp(1, 1000)).unwrap_or(1000)).unwrap_or(NonZero::<u16>::MIN);
    let (columns, rows) = (limit(size.0), limit(size.1));
    let mut parser = vt100::Parser::new(rows, columns, 0);
    let (columns, rows) = (columns.get(), rows.get());
    for (at, line) in captured.lines().take(usize::from(rows)).enumerate() {
        // A row that is full would wrap where the next one begins.
        parser.process(format!("\x1b[{};1H", at + 1).as_bytes());
        parser.process(line.as_bytes());
    }
    let drawn = parser.screen();
    let cell = |row: u16, column: u16| {
        let cell = drawn.cell(row, column);
        let text = match cell {
            Some(cell) if cell.is_wide_continuation() => String::new(),
            Some(cell) if cell.has_contents() => cell.contents().to_owned(),
            _ => " ".to_owned(),
        };
        let is = |is: fn(&vt100::Cell) -> bool| cell.is_some_and(is);
        ScreenCell {
            text,
            is_dim: is(vt100::Cell::dim),
            is_bold: is(vt100::Cell::bold),
            is_inverse: is(vt100::Cell::inverse),
            is_filled: is(|cell| cell.bgcolor() != vt100::Color::Default),
            ink: cell.map(|cell| colour(cell.fgcolor())).unwrap_or_default(),
            ground: cell.map(|cell| colour(cell.bgcolor())).unwrap_or_default(),
        }
    };
    let blank = ScreenCell { text: " ".to_owned(), ..ScreenCell::default() };
    let row = |row: u16| {
        let mut cells: Vec<ScreenCell> = (0..columns).map(|column| cell(row, column)).collect();
        // The colour of a character that is not there shows nothing.
        let is_blank = |cell: &ScreenCell| ScreenCell { ink: CellColour::Own, ..cell.clone() } == blank;
        let end = cells.iter().rposition(|cell| !is_blank(cell)).map_or(0, |last| last + 1);
        cells.truncate(end);
        ScreenRow { cells }
    };
    PaneScreen { rows: (0..rows).map(row).collect(), cursor }
}

const fn colour(colour: vt100::Color) -> CellColour {
    match colour {
        vt100::Color::Default => CellColour::Own,
        vt100::Color::Idx(index) => CellColour::Palette(index),
        vt100::Color::Rgb(red, green, blue) => CellColour::Mixed(red, green, blue),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cell_stands_in_its_column_with_its_style() {
        let drawn = screen("\x1b[1m›\x1b[0m \x1b[2mAsk\x1b[0m\n漢x\x1b[7m \x1b[0m", (6, 3), Some((2, 0)));
        assert_eq!(drawn.rows.len(), 3);
        let texts = |row: usize| -> Vec<&str> { drawn.rows[row].cells.iter().map(|cell| cell.text.as_str()).collect() };
        assert_eq!(texts(0), ["›", " ", "A", "s", "k"]);
        assert!(drawn.rows[0].cells[0].is_bold && drawn.rows[0].cells[2].is_dim && !drawn.rows[0].cells[1].is_dim);
        assert_eq!(texts(1), ["漢", "", "x", " "], "a coloured blank at the end stays");
        assert!(drawn.rows[1].cells[3].is_inverse && drawn.rows[2].cells.is_empty());
        let coloured = screen("\x1b[31;48;2;1;2;3ma\x1b[0m\x1b[32m \x1b[0m", (3, 1), None);
        let [cell] = coloured.rows[0].cells.as_slice() else { panic!("{coloured:?}") };
        assert_eq!((cell.ink, cell.ground), (CellColour::Palette(1), CellColour::Mixed(1, 2, 3)));
        let full = screen("abcdef\nghi", (6, 2), None);
        assert_eq!((full.rows[0].text(), full.rows[1].text()), ("abcdef".to_owned(), "ghi".to_owned()));
    }
}
