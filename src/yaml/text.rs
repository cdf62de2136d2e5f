//! Bytes, lines and columns of a manifest. Knows line breaks and the byte order mark; nothing of YAML's grammar.

use std::ops::Range;

use super::Diagnostic;

/// The largest manifest that is read: 4 MiB, some 15,000 sessions.
pub const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The byte order mark, as text.
pub(super) const BOM: char = '\u{feff}';

/// The bytes of a manifest as text.
///
/// # Errors
/// More than [`MAX_BYTES`], or bytes that are not UTF-8; the message names the offset and the line.
pub fn decode(bytes: &[u8]) -> Result<&str, Diagnostic> {
    if bytes.len() > MAX_BYTES {
        return Err(Diagnostic {
            fatal: true,
            message: format!("manifest is too large: {} bytes, at most {MAX_BYTES} are read", bytes.len()),
            hint: Some("is this the right file? A manifest of a thousand sessions has about 300,000 bytes".to_owned()),
            span: None,
        });
    }
    std::str::from_utf8(bytes).map_err(|error| {
        let offset = error.valid_up_to();
        let line = 1 + bytes[..offset].iter().filter(|byte| **byte == b'\n').count();
        let byte = bytes.get(offset).copied().unwrap_or_default();
        let utf16 = bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]);
        Diagnostic {
            fatal: true,
            message: format!("manifest is not UTF-8: byte 0x{byte:02x} at offset {offset}, line {line}"),
            hint: Some(
                if utf16 { "this looks like UTF-16; save the file as UTF-8" } else { "save the file as UTF-8" }.to_owned(),
            ),
            span: None,
        }
    })
}

/// The line and column of a byte offset, both from 1, the column in characters. A byte order mark takes no column.
pub(super) fn position(text: &str, offset: usize) -> (usize, usize) {
    let offset = floor(text, offset);
    let start = line_start(text, offset);
    let line = 1 + breaks(&text[..start]);
    let column = 1 + text[start..offset].chars().filter(|c| *c != BOM).count();
    (line, column)
}

/// The byte offset of a line and a column, both from 1.
pub(super) fn offset_of(text: &str, line: usize, column: usize) -> usize {
    let mut start = if text.starts_with(BOM) { BOM.len_utf8() } else { 0 };
    let mut rest = &text[start..];
    for _ in 1..line {
        let Some(end) = yaml_break(rest) else { break };
        start += end;
        rest = &rest[end..];
    }
    let within = rest.char_indices().nth(column.saturating_sub(1)).map_or(rest.len(), |(index, _)| index);
    start + within
}

/// Just after the first line break.
fn yaml_break(text: &str) -> Option<usize> {
    let index = text.find(['\n', '\r'])?;
    Some(index + if text[index..].starts_with("\r\n") { 2 } else { 1 })
}

fn breaks(text: &str) -> usize {
    let bytes = text.as_bytes();
    bytes
        .iter()
        .enumerate()
        .filter(|(index, byte)| **byte == b'\n' || (**byte == b'\r' && bytes.get(index + 1) != Some(&b'\n')))
        .count()
}

/// The nearest character boundary at or before an offset.
pub(super) fn floor(text: &str, offset: usize) -> usize {
    let mut offset = offset.min(text.len());
    while !text.is_char_boundary(offset) {
        offset -= 1;
    }
    offset
}

/// The first byte of the line an offset is in.
pub(super) fn line_start(text: &str, offset: usize) -> usize {
    text[..offset].rfind(['\n', '\r']).map_or(0, |index| index + 1)
}

/// The end of the line an offset is in, before its line break.
pub(super) fn line_end(text: &str, offset: usize) -> usize {
    text[offset..].find(['\n', '\r']).map_or(text.len(), |index| offset + index)
}

/// The end of the line before the one an offset is in, before its line break; the start of the text if there is none.
pub(super) fn line_before(text: &str, offset: usize) -> usize {
    let above = &text[..line_start(text, offset)];
    above.strip_suffix("\r\n").or_else(|| above.strip_suffix(['\n', '\r'])).map_or(0, str::len)
}

/// The line break at an offset; empty at the end of the text.
pub(super) fn break_at(text: &str, offset: usize) -> &str {
    let rest = &text[offset..];
    if rest.starts_with("\r\n") {
        &rest[..2]
    } else if rest.starts_with(['\n', '\r']) {
        &rest[..1]
    } else {
        ""
    }
}

/// The line break this text uses: its first one.
pub(super) fn line_break(text: &str) -> &str {
    let end = line_end(text, 0);
    match break_at(text, end) {
        "" => "\n",
        other => other,
    }
}

/// Which kinds of line break a text uses: LF, CRLF, CR.
pub(super) fn break_kinds(text: &str) -> [bool; 3] {
    let bytes = text.as_bytes();
    let mut kinds = [false; 3];
    for (index, byte) in bytes.iter().enumerate() {
        match byte {
            b'\n' if index == 0 || bytes[index - 1] != b'\r' => kinds[0] = true,
            b'\r' if bytes.get(index + 1) == Some(&b'\n') => kinds[1] = true,
            b'\r' => kinds[2] = true,
            _ => {}
        }
    }
    kinds
}

/// The column of an offset in its line, in characters from 0; a byte order mark takes none.
pub(super) fn column(text: &str, offset: usize) -> usize {
    text[line_start(text, offset)..offset].chars().filter(|c| *c != BOM).count()
}

/// Whether nothing but white space (or a byte order mark) stands before an offset in its line.
pub(super) fn starts_its_line(text: &str, offset: usize) -> bool {
    text[line_start(text, offset)..offset].chars().all(|c| matches!(c, ' ' | '\t' | BOM))
}

/// A span clipped to the first line it covers.
pub(super) fn first_line(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = floor(text, span.start);
    let end = floor(text, span.end.max(start)).min(line_end(text, start));
    start..end.max(start)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_byte_that_is_not_utf8_is_named_with_offset_and_line() {
        let error = decode(b"a: 1\nb: \xff\n").unwrap_err();
        assert_eq!(error.message, "manifest is not UTF-8: byte 0xff at offset 8, line 2");
        let error = decode(b"\xff\xfea\0").unwrap_err();
        assert!(error.hint.unwrap().contains("UTF-16"));
        let error = decode(b"a: \xe6\xbc").unwrap_err();
        assert_eq!(error.message, "manifest is not UTF-8: byte 0xe6 at offset 3, line 1");
    }

    #[test]
    fn four_mebibytes_are_read_and_one_byte_more_is_refused() {
        assert!(decode(&vec![b'#'; MAX_BYTES]).is_ok());
        let error = decode(&vec![b'#'; MAX_BYTES + 1]).unwrap_err();
        assert!(error.message.contains("4194305 bytes, at most 4194304"), "{}", error.message);
    }

    #[test]
    fn columns_count_characters_and_lines_count_every_kind_of_break() {
        let text = "\u{feff}a: é漢x\r\nb: 1\rc: 2\nd";
        assert_eq!(position(text, text.find('x').unwrap()), (1, 6));
        assert_eq!(position(text, text.find('b').unwrap()), (2, 1));
        assert_eq!(position(text, text.find('c').unwrap()), (3, 1));
        assert_eq!(position(text, text.len()), (4, 2));
        assert_eq!(position(text, text.len() + 9), (4, 2));
        for place in ['x', 'b', 'c', 'd'] {
            let offset = text.find(place).unwrap();
            let (line, column) = position(text, offset);
            assert_eq!(offset_of(text, line, column), offset, "{place}");
        }
    }
}
