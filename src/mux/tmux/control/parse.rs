//! The protocol of tmux's control mode, the client's side (tmux(1), CONTROL MODE). Pure: bytes in, items out; knows no commands.

/// Longer lines than this are nothing tmux says to a client without output.
const MOST_LINE: usize = 1 << 20;
/// More than this is no list of panes.
const MOST_REPLY: usize = 32 << 20;

/// Something tmux said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Item {
    /// The answer to a command, whole.
    Reply(Reply),
    /// Something happened that a list could show.
    Changed,
    /// The client was told to end, and perhaps why.
    Exit(String),
}

/// The answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reply {
    /// Whether tmux did what it was told.
    pub(super) is_success: bool,
    /// What stands between the guards, every line with its end.
    pub(super) body: Vec<u8>,
}

/// What tmux says does not follow the protocol; nothing after it can be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("tmux's control client does not follow the protocol")]
pub(super) struct Garbled;

/// Reads the stream as it comes.
#[derive(Debug, Default)]
pub(super) struct Parser {
    rest: Vec<u8>,
    open: Option<Open>,
}

/// A reply whose end has not come.
#[derive(Debug)]
struct Open {
    /// Time, number and flags: the closing guard repeats them.
    guard: Vec<u8>,
    body: Vec<u8>,
}

impl Parser {
    /// Takes more bytes and gives what became whole.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Item>, Garbled> {
        let mut items = Vec::new();
        // Only what is new can hold a line's end.
        let mut searched = self.rest.len();
        self.rest.extend_from_slice(bytes);
        let mut start = 0;
        while let Some(len) = self.rest[searched..].iter().position(|byte| *byte == b'\n') {
            let end = searched + len;
            let line = self.rest[start..end].strip_suffix(b"\r").unwrap_or(&self.rest[start..end]);
            items.extend(Self::line(&mut self.open, line, &self.rest[start..=end])?);
            (start, searched) = (end + 1, end + 1);
        }
        self.rest.drain(..start);
        if self.rest.len() > MOST_LINE { Err(Garbled) } else { Ok(items) }
    }

    fn line(open: &mut Option<Open>, line: &[u8], raw: &[u8]) -> Result<Option<Item>, Garbled> {
        let (word, rest) = match line.iter().position(|byte| *byte == b' ') {
            Some(at) => (&line[..at], &line[at + 1..]),
            None => (line, &line[line.len()..]),
        };
        if let Some(reply) = open {
            // A line of the body may look like a guard; it cannot know the time and the number of its own command.
            if matches!(word, b"%end" | b"%error") && rest == reply.guard {
                let body = std::mem::take(&mut reply.body);
                *open = None;
                return Ok(Some(Item::Reply(Reply { is_success: word == b"%end", body })));
            }
            if reply.body.len() + raw.len() > MOST_REPLY {
                return Err(Garbled);
            }
            reply.body.extend_from_slice(raw);
            return Ok(None);
        }
        Ok(match word {
            b"%begin" => {
                *open = Some(Open { guard: rest.to_vec(), body: Vec::new() });
                None
            }
            b"%exit" => Some(Item::Exit(String::from_utf8_lossy(rest).into_owned())),
            b"%sessions-changed"
            | b"%session-renamed"
            | b"%window-add"
            | b"%window-close"
            | b"%window-renamed"
            | b"%unlinked-window-add"
            | b"%unlinked-window-close"
            | b"%unlinked-window-renamed"
            | b"%layout-change" => Some(Item::Changed),
            // What shows in no list (who looks where, what is on the screen), and what later versions may add.
            word if word.starts_with(b"%") => None,
            _ => return Err(Garbled),
        })
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    /// As tmux 3.3a said it, the name of one session chosen to deceive.
    const SAID: &[u8] = b"%begin 1795252787 287 0\n%end 1795252787 287 0\n%session-changed $0 a b\n\
        %begin 1795252788 294 1\n%0 first\n%end 1795252788 293 1\n%error 1795252788 294 0\n%exit\n%end 1795252788 294 1\n\
        %sessions-changed\n%client-session-changed /dev/pts/1 $1 b\n%output %1 %exit\n\
        %begin 1795252789 295 1\nparse error: unknown command: bogus\n%error 1795252789 295 1\n%session-renamed $1 c\n\
        %unlinked-window-close @2\n%exit server exited unexpectedly\n";

    fn reply(is_success: bool, body: &str) -> Item {
        Item::Reply(Reply { is_success, body: body.as_bytes().to_vec() })
    }

    fn expected() -> Vec<Item> {
        vec![
            reply(true, ""),
            reply(true, "%0 first\n%end 1795252788 293 1\n%error 1795252788 294 0\n%exit\n"),
            Item::Changed,
            reply(false, "parse error: unknown command: bogus\n"),
            Item::Changed,
            Item::Changed,
            Item::Exit("server exited unexpectedly".into()),
        ]
    }

    #[test]
    fn a_reply_ends_only_at_its_own_guard_and_holds_whatever_a_name_holds() {
        assert_eq!(Parser::default().feed(SAID).unwrap(), expected());
    }

    #[test]
    fn it_does_not_matter_how_the_stream_is_cut() {
        for size in [1, 2, 7, 64] {
            let mut parser = Parser::default();
            let items: Vec<Item> = SAID.chunks(size).flat_map(|chunk| parser.feed(chunk).unwrap()).collect();
            assert_eq!(items, expected(), "in pieces of {size}");
        }
    }

    #[test]
    fn a_body_keeps_its_bytes() {
        let mut parser = Parser::default();
        let items = parser.feed(b"%begin 1 2 1\n\xff\r\n\n%end 1 2 1\n").unwrap();
        assert_eq!(items, [Item::Reply(Reply { is_success: true, body: b"\xff\r\n\n".to_vec() })]);
    }

    #[test]
    fn what_is_not_the_protocol_is_never_believed() {
        assert_eq!(Parser::default().feed(b"no server running on /tmp/x\n"), Err(Garbled));
        assert_eq!(Parser::default().feed(&vec![b'x'; MOST_LINE + 1]), Err(Garbled));
        let mut endless = Parser::default();
        endless.feed(b"%begin 1 2 1\n").unwrap();
        let line = [vec![b'x'; 1 << 16], vec![b'\n']].concat();
        assert!((0..=MOST_REPLY / line.len()).any(|_| endless.feed(&line).is_err()), "a reply without an end is read for ever");
    }
}
