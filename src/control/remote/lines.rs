//! Lines of a pipe, none longer than was agreed. Owns that limit; never interprets a line beyond whether it is one of the protocol.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::mpsc::{Receiver, sync_channel};

use crate::core::remote::{LONGEST_LINE, ServeReply};

/// A line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BoundedLine {
    /// Its text, without its end; what is not UTF-8 is replaced.
    Text(String),
    /// It is longer than any may be.
    TooLong,
}

/// The next line; `None` at the end. The rest of one that is too long is not read.
///
/// # Errors
/// It cannot be read.
pub fn next_line(from: &mut impl BufRead) -> io::Result<Option<BoundedLine>> {
    let mut bytes = Vec::new();
    let most = LONGEST_LINE as u64 + 1;
    let count = from.take(most).read_until(b'\n', &mut bytes)?;
    if count == 0 {
        return Ok(None);
    }
    if bytes.last() == Some(&b'\n') {
        bytes.pop();
    } else if count > LONGEST_LINE {
        return Ok(Some(BoundedLine::TooLong));
    }
    Ok(Some(BoundedLine::Text(String::from_utf8_lossy(&bytes).into_owned())))
}

/// What comes from a headcount that serves.
#[derive(Debug)]
pub(super) enum RemoteLine {
    Reply(ServeReply),
    /// A line of something else.
    Odd(String),
    TooLong,
}

/// Reads lines on a thread of its own, until the end or until nobody wants them.
pub(super) fn read_replies(from: impl Read + Send + 'static) -> Receiver<RemoteLine> {
    let (sender, receiver) = sync_channel(16);
    std::thread::spawn(move || {
        let mut from = BufReader::new(from);
        while let Ok(Some(line)) = next_line(&mut from) {
            let line = match line {
                BoundedLine::TooLong => RemoteLine::TooLong,
                BoundedLine::Text(text) => match serde_json::from_str(&text) {
                    Ok(reply) => RemoteLine::Reply(reply),
                    Err(_) => RemoteLine::Odd(text.chars().take(200).collect()),
                },
            };
            let is_over = matches!(line, RemoteLine::TooLong);
            if sender.send(line).is_err() || is_over {
                return;
            }
        }
    });
    receiver
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_is_whole_or_too_long() {
        let long = "x".repeat(LONGEST_LINE);
        for (text, first) in [
            ("", None),
            ("a\nb", Some(BoundedLine::Text("a".to_owned()))),
            ("\n", Some(BoundedLine::Text(String::new()))),
            (&format!("{long}\n"), Some(BoundedLine::Text(long.clone()))),
            (&format!("{long}y\n"), Some(BoundedLine::TooLong)),
        ] {
            assert_eq!(next_line(&mut text.as_bytes()).unwrap(), first);
        }
    }
}
