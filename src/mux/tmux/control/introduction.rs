//! How a tmux client introduces itself to a server (tmux's own protocol, version 8), put in an order that no server trips over.
//! Pure: bytes in, parcels out.
//!
//! tmux up to 3.6 takes a client for a control client as soon as it has said so, but can write to one only when the
//! introduction is over: if a session comes or goes between the two, the server ends with a segmentation fault, and every session
//! with it (tmux#4980). It ends as well if the client is killed there (tmux#5004). So what says it is held back, and
//! given with the end in one piece.

/// Kind, length, flags, version, process (OpenBSD's `imsg`).
const HEADER: usize = 16;
/// More than this no introduction says that leaves out the environment. A server reads four times as much at once.
const MOST: usize = 16 << 10;
/// What kind of client it is, in two widths.
const FLAGS: u32 = 100;
const LONG_FLAGS: u32 = 111;
/// A variable of its environment. Nothing that we ask a server looks at it, and it may be long.
const ENVIRON: u32 = 105;
/// The introduction is over.
const DONE: u32 = 106;

/// What goes to the server in one piece.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parcel {
    /// Its bytes.
    pub(super) bytes: Vec<u8>,
    /// Whether a descriptor goes with it.
    pub(super) has_descriptor: bool,
    /// Whether the introduction ends with it; all that follows goes through as it comes.
    pub(super) is_last: bool,
}

/// This is no introduction of a tmux client as we know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it does not identify itself as tmux clients do")]
pub(super) struct NotAClient;

/// An introduction as it comes.
#[derive(Debug, Default)]
pub(super) struct Introduction {
    rest: Vec<u8>,
    held: Vec<u8>,
    said: usize,
}

impl Introduction {
    /// Takes more bytes, and gives what is to go to the server now.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Result<Vec<Parcel>, NotAClient> {
        self.rest.extend_from_slice(bytes);
        let mut parcels = Vec::new();
        while let Some((kind, len, has_descriptor)) = head(&self.rest)? {
            let Some(message) = self.rest.get(..len).map(<[u8]>::to_vec) else { break };
            self.rest.drain(..len);
            if kind == ENVIRON {
                continue;
            }
            self.said += len;
            if self.said > MOST {
                return Err(NotAClient);
            }
            match kind {
                FLAGS | LONG_FLAGS => self.held.extend(message),
                DONE => {
                    let bytes = [std::mem::take(&mut self.held), message, std::mem::take(&mut self.rest)].concat();
                    parcels.push(Parcel { bytes, has_descriptor, is_last: true });
                    return Ok(parcels);
                }
                _ => parcels.push(Parcel { bytes: message, has_descriptor, is_last: false }),
            }
        }
        Ok(parcels)
    }
}

/// The kind and length of a message and whether it has a descriptor; `None` if not all of that is there.
fn head(bytes: &[u8]) -> Result<Option<(u32, usize, bool)>, NotAClient> {
    let Some([k0, k1, k2, k3, l0, l1, f0, f1]) = bytes.first_chunk() else { return Ok(None) };
    let (kind, len) = (u32::from_ne_bytes([*k0, *k1, *k2, *k3]), usize::from(u16::from_ne_bytes([*l0, *l1])));
    // The lowest flag; since 3.6 the highest bit of a length that is twice as wide.
    let has_descriptor = match u16::from_ne_bytes([*f0, *f1]) {
        0 => false,
        0x0001 | 0x8000 => true,
        _ => return Err(NotAClient),
    };
    if (HEADER..=MOST).contains(&len) { Ok(Some((kind, len, has_descriptor))) } else { Err(NotAClient) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    const STDIN: u32 = 104;
    const COMMAND: u32 = 200;

    fn message(kind: u32, flags: u16, body: &[u8]) -> Vec<u8> {
        let len = u16::try_from(HEADER + body.len()).unwrap();
        let (kind, len, flags) = (kind.to_ne_bytes(), len.to_ne_bytes(), flags.to_ne_bytes());
        [&kind[..], &len, &flags, &8_u32.to_ne_bytes(), &77_u32.to_ne_bytes(), body].concat()
    }

    #[test]
    fn what_makes_it_a_control_client_goes_with_the_end_in_one_piece_however_it_comes() {
        for flag in [0x0001, 0x8000] {
            let (flags, long) = (message(FLAGS, 0, b"1234"), message(LONG_FLAGS, 0, b"12345678"));
            let (term, stdin) = (message(101, 0, b"xterm\0"), message(STDIN, flag, b""));
            let (home, done) = (message(ENVIRON, 0, b"HOME=/x\0"), message(DONE, 0, b""));
            let command = message(COMMAND, 0, b"\x02\0\0\0wait-for\0c\0");
            let all = [&flags[..], &long, &term, &stdin, &home, &done, &command].concat();
            for piece in [1, 7, 16, all.len()] {
                let mut introduction = Introduction::default();
                let mut said = Vec::new();
                let mut after = Vec::new();
                for bytes in all.chunks(piece) {
                    match said.last() {
                        Some(Parcel { is_last: true, .. }) => after.extend_from_slice(bytes),
                        _ => said.extend(introduction.feed(bytes).unwrap()),
                    }
                }
                let [first, second, last] = &said[..] else { panic!("{said:?}") };
                let plain = |bytes: &[u8], has_descriptor| Parcel { bytes: bytes.to_vec(), has_descriptor, is_last: false };
                assert_eq!((first, second), (&plain(&term, false), &plain(&stdin, true)));
                assert!(last.is_last && last.bytes.starts_with(&[&flags[..], &long, &done].concat()));
                assert_eq!([&last.bytes[..], &after].concat(), [&flags[..], &long, &done, &command].concat());
            }
        }
    }

    #[test]
    fn what_is_no_introduction_is_not_passed_on() {
        let long = message(STDIN, 0, &[0; MOST / 2]);
        let feed = |bytes: &[u8]| Introduction::default().feed(bytes);
        assert_eq!(feed(b"GET / HTTP/1.1\r\n"), Err(NotAClient));
        assert_eq!(feed(&message(STDIN, 2, b"")), Err(NotAClient), "a flag that nobody knows");
        assert_eq!(feed(&[long.clone(), long.clone()].concat()), Err(NotAClient), "too much");
        assert_eq!(feed(&[0; HEADER]), Err(NotAClient), "a message shorter than its header");
        assert_eq!(feed(&long[..7]).unwrap(), []);
    }

    #[test]
    fn an_environment_of_any_length_is_left_out() {
        let mut introduction = Introduction::default();
        for _ in 0..100 {
            assert_eq!(introduction.feed(&message(ENVIRON, 0, &[b'x'; 8000])).unwrap(), []);
        }
        let done = message(DONE, 0, b"");
        let last = Parcel { bytes: done.clone(), has_descriptor: false, is_last: true };
        assert_eq!(introduction.feed(&done).unwrap(), [last]);
    }
}
