//! Documents for programs, safe on a terminal too. Never changes what a document says.

use std::fmt::Write as _;
use std::io::{self, Write as _};

use serde::Serialize;

use crate::core::text::printable;

/// `document` as JSON on one line. As safe as [`render`].
pub(crate) fn line(document: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(safe(&serde_json::to_string(document)?))
}

/// `document` as indented JSON with a final newline. Characters a terminal could obey are written as `\u` escapes, which
/// every JSON reader turns back.
pub(crate) fn render(document: &impl Serialize) -> Result<String, serde_json::Error> {
    Ok(safe(&serde_json::to_string_pretty(document)?))
}

/// Writes what [`render`] gives, without ever holding the whole of it.
pub(crate) fn write(document: &impl Serialize, to: impl io::Write) -> io::Result<()> {
    let mut safe = Safe(io::BufWriter::new(to));
    serde_json::to_writer_pretty(&mut safe, document)?;
    safe.0.write_all(b"\n")?;
    safe.0.flush()
}

fn safe(text: &str) -> String {
    let mut safe = escaped(text);
    safe.push('\n');
    safe
}

/// A text whose strings know the escapes of JSON, without the characters a terminal could obey.
pub(super) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len() + 1);
    escape(text, &mut safe);
    safe
}

fn escape(text: &str, safe: &mut String) {
    for c in text.chars() {
        if c == '\n' || matches!(printable(c.encode_utf8(&mut [0; 4])), std::borrow::Cow::Borrowed(_)) {
            safe.push(c);
        } else {
            // Everything unsafe lies in the basic plane, so one escape does.
            let _ = write!(safe, "\\u{:04x}", u32::from(c));
        }
    }
}

/// Escapes what a terminal could obey. Whole texts have to be written to it, as the serializer does.
struct Safe<W>(W);

impl<W: io::Write> io::Write for Safe<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_plain = |byte: &u8| matches!(byte, b'\n' | b' '..=b'~');
        if bytes.iter().all(is_plain) {
            self.0.write_all(bytes)?;
        } else {
            let text = std::str::from_utf8(bytes).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
            let mut safe = String::with_capacity(text.len());
            escape(text, &mut safe);
            self.0.write_all(safe.as_bytes())?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::{render, write};

    #[test]
    fn a_hostile_name_is_escaped_and_reads_back_the_same() {
        let value = serde_json::json!({"name": "a\u{1b}[31m\u{9b}2J\u{202e}é\n\u{7f}"});
        let text = render(&value).unwrap();
        assert!(text.chars().all(|c| c == '\n' || !c.is_control()));
        assert!(!text.contains('\u{202e}'));
        assert!(text.contains('é'));
        assert_eq!(serde_json::from_str::<serde_json::Value>(&text).unwrap(), value);
        let mut written = Vec::new();
        write(&value, &mut written).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), text, "in pieces it is another one");
    }
}
