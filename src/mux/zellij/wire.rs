//! How zellij's servers are spoken to, and the questions they are asked, as its client-server contract 1 spells them: a length of
//! four bytes, then a protobuf message (`client_to_server.proto`, `server_to_client.proto` of zellij-utils). Interprets nothing but
//! the frame.
//!
//! zellij's own commands are not used. `zellij action` and `zellij list-sessions` greet every socket of the directory, one after
//! the other and without a deadline: one stopped server hides all sessions, and one that is only just being started does not
//! survive it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::host::{Host, SocketReply, SocketRequest};

/// How long a server may take to answer.
pub(super) const DEADLINE: Duration = Duration::from_secs(2);

/// `ConnStatus`, field 13, by which zellij itself tells a live session from a stale socket.
const ARE_YOU_THERE: &[u8] = b"\x02\0\0\0\x6a\0";
/// `Connected`, field 4.
const I_AM: &[u8] = b"\x22\0";
/// `Action` (field 9) of a command-line client: `ListPanes` (field 98) of all, as JSON.
pub(super) const LIST_PANES: &[u8] = b"\x0d\0\0\0\x4a\x0b\x0a\x07\x92\x06\x04\x28\x01\x30\x01\x20\x01";
/// `Log`, field 5: lines for the standard output.
const LOG: u8 = 0x2a;
/// A line of it, field 1.
const LINE: u8 = 0x0a;

/// Asks sockets, all at the same time, whether a session is behind them.
///
/// A server that is busy with its first client, or its last, may hang up without a word: who did is asked once more.
pub(super) fn greet(host: &dyn Host, sockets: &[PathBuf]) -> Vec<SocketReply> {
    let question = SocketRequest { words: ARE_YOU_THERE, is_whole: &is_connected, listener: None };
    let mut answers = host.ask(sockets, &question, DEADLINE);
    let is_it = |answer: &SocketReply| matches!(answer, SocketReply::Said(heard, _) if is_connected(heard));
    let hung_up = |answer: &SocketReply| matches!(answer, SocketReply::Said(..)) && !is_it(answer);
    let again: Vec<usize> = (0..answers.len()).filter(|place| hung_up(&answers[*place])).collect();
    let asked: Vec<PathBuf> = again.iter().map(|place| sockets[*place].clone()).collect();
    for (place, answer) in again.into_iter().zip(host.ask(&asked, &question, DEADLINE)) {
        // Anything else is told by the first: one that lives and could not be understood.
        if is_it(&answer) {
            answers[place] = answer;
        }
    }
    answers
}

/// Whether that is how a session answers. Whoever is connected is a client of it and is told first what all its clients are just
/// being told.
pub(super) fn is_connected(heard: &[u8]) -> bool {
    messages(heard).any(|message| message == I_AM)
}

/// `ListClients` (field 86), of a command-line client.
pub(super) const LIST_CLIENTS: &[u8] = b"\x09\0\0\0\x4a\x07\x0a\x03\xb2\x05\0\x20\x01";

/// Asks one session something that it answers with lines; only this process is asked.
///
/// # Errors
/// If it did not answer, or not in such a way; one line.
pub(super) fn ask(host: &dyn Host, socket: &Path, words: &[u8], listener: Option<u32>) -> Result<Vec<u8>, String> {
    let is_whole = |heard: &[u8]| log(heard).is_some();
    match host.ask(&[socket.to_path_buf()], &SocketRequest { words, is_whole: &is_whole, listener }, DEADLINE).pop() {
        Some(SocketReply::Said(heard, _)) => {
            log(&heard).and_then(lines).ok_or_else(|| "its zellij server gave another answer".to_owned())
        }
        Some(SocketReply::Failed(why)) => Err(why),
        Some(SocketReply::Silent) => Err(format!("its zellij server did not answer within {} s", DEADLINE.as_secs())),
        Some(SocketReply::Stranger) => Err("another zellij server has its name by now".to_owned()),
        Some(SocketReply::Nobody) | None => Err("its zellij server has ended".to_owned()),
    }
}

/// Says something to one session, whatever it answers; only this process hears it. Whether it did: it does not if another one
/// listens, or nobody.
///
/// # Errors
/// If it cannot be reached; one line.
pub(super) fn tell(host: &dyn Host, socket: &Path, words: &[u8], listener: u32) -> Result<bool, String> {
    let is_whole = |heard: &[u8]| messages(heard).next().is_some();
    let request = SocketRequest { words, is_whole: &is_whole, listener: Some(listener) };
    match host.ask(&[socket.to_path_buf()], &request, DEADLINE).pop() {
        // Of a silent one it is in the queue.
        Some(SocketReply::Said(..) | SocketReply::Silent) => Ok(true),
        Some(SocketReply::Failed(why)) => Err(why),
        Some(SocketReply::Nobody | SocketReply::Stranger) | None => Ok(false),
    }
}

/// Asks one session for its panes; the text is JSON.
///
/// # Errors
/// If it did not answer, or not in such a way; one line.
pub(super) fn list_panes(host: &dyn Host, socket: &Path) -> Result<Vec<u8>, String> {
    let is_whole = |heard: &[u8]| log(heard).is_some();
    let request = SocketRequest { words: LIST_PANES, is_whole: &is_whole, listener: None };
    let answer = host.ask(&[socket.to_path_buf()], &request, DEADLINE).pop();
    match answer {
        Some(SocketReply::Said(heard, _)) => {
            log(&heard).and_then(lines).ok_or_else(|| "its zellij server did not list its panes".to_owned())
        }
        Some(SocketReply::Failed(why)) => Err(why),
        Some(SocketReply::Silent) => Err(format!("its zellij server did not list its panes within {} s", DEADLINE.as_secs())),
        Some(SocketReply::Nobody | SocketReply::Stranger) | None => Err("its zellij server ended during the query".to_owned()),
    }
}

/// The messages that are here whole.
fn messages(heard: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = heard;
    std::iter::from_fn(move || {
        let (length, more) = rest.split_first_chunk::<4>()?;
        let (message, more) = more.split_at_checked(usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
        rest = more;
        Some(message)
    })
}

/// The first of them that is for the standard output.
fn log(heard: &[u8]) -> Option<&[u8]> {
    messages(heard).find(|message| message.first() == Some(&LOG))
}

/// The lines of a `Log`; `None` if it is another message, or more than that.
fn lines(message: &[u8]) -> Option<Vec<u8>> {
    let (mut fields, rest) = field(message, LOG)?;
    let mut text = Vec::new();
    while !fields.is_empty() {
        let (line, rest) = field(fields, LINE)?;
        text.extend_from_slice(line);
        text.push(b'\n');
        fields = rest;
    }
    rest.is_empty().then_some(text)
}

/// A field of bytes, and what follows it.
fn field(text: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let mut rest = text.strip_prefix(&[tag])?;
    let mut length: usize = 0;
    for shift in (0..28).step_by(7) {
        let (byte, more) = rest.split_first()?;
        rest = more;
        length |= usize::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return rest.split_at_checked(length);
        }
    }
    None
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_read_once_it_is_whole() {
        for (heard, expected) in [
            (&b""[..], None),
            (b"\x02\0\0", None),
            (b"\x02\0\0\0\x22", None),
            (b"\x02\0\0\0\x22\0", Some(&b"\x22\0"[..])),
            (b"\x02\0\0\0\x22\0more", Some(b"\x22\0")),
            (b"HTTP/1.1 400 Bad Request", None),
        ] {
            assert_eq!(messages(heard).next(), expected, "{heard:?}");
        }
    }

    #[test]
    fn what_all_clients_are_told_meanwhile_is_no_answer() {
        let (unblock, yes, panes) = (b"\x02\0\0\0\x12\0", b"\x02\0\0\0\x22\0", b"\x06\0\0\0\x2a\x04\x0a\x02[]");
        for (heard, connected) in [
            (yes.to_vec(), true),
            ([&unblock[..], yes].concat(), true),
            (unblock.to_vec(), false),
            ([&unblock[..], &yes[..5]].concat(), false),
            (Vec::new(), false),
        ] {
            assert_eq!(is_connected(&heard), connected, "{heard:?}");
        }
        assert_eq!(log(&[&unblock[..], panes].concat()).and_then(lines).as_deref(), Some(&b"[]\n"[..]));
        assert_eq!(log(unblock), None);
    }

    #[test]
    fn lines_are_read_whatever_their_length_and_nothing_else_is() {
        let long = "x".repeat(300);
        let mut message = b"\x2a\xb3\x02\x0a\x02[]\x0a\xac\x02".to_vec();
        message.extend(long.as_bytes());
        assert_eq!(lines(&message), Some(format!("[]\n{long}\n").into_bytes()));
        assert_eq!(lines(b"\x2a\0"), Some(Vec::new()));
        for odd in [
            &b""[..],
            b"\x32\x02\x0a\0",
            b"\x2a\x05\x0a\x02[]",
            b"\x2a\x02\x12\0",
            b"\x2a\0\x2a\0",
            b"\x2a\xff\xff\xff\xff\xff",
        ] {
            assert_eq!(lines(odd), None, "{odd:?}");
        }
    }
}
