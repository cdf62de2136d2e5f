//! What zellij's servers are told, as its client-server contract 1 spells it (`client_to_server.proto` and `common_types.proto` of
//! zellij-utils 0.45). Pure: values in, bytes out.

use std::path::Path;

/// What a server needs to begin its session.
pub(super) struct FirstClient<'a> {
    /// The configuration, if there is one.
    pub(super) config: Option<&'a Path>,
    /// The directory of layouts and themes, if there is one.
    pub(super) config_dir: Option<&'a Path>,
    /// The directory that panes begin in.
    pub(super) cwd: &'a str,
    /// What its only pane runs.
    pub(super) words: &'a [String],
}

/// The size of what nobody looks at: columns and rows, as in tmux. A row each is for the bars above and below.
const SIZE: [u64; 2] = [200, 50];

/// Begins a session (`FirstClientConnected`): a pane that runs this, kept when that ends. zellij writes down no layout of it
/// (`session_serialization` of `Options`): what it would begin again is what the launcher runs, without the launcher.
pub(super) fn first_client(first: &FirstClient<'_>) -> Vec<u8> {
    let mut assets = Vec::new();
    let path = |path: &Path| path.to_string_lossy().into_owned();
    for (field, value) in [(1, first.config), (2, first.config_dir)] {
        if let Some(value) = value {
            text(&mut assets, field, path(value).as_bytes());
        }
    }
    let mut options = Vec::new();
    number(&mut options, 21, 0);
    text(&mut assets, 4, &options);
    let mut size = Vec::new();
    number(&mut size, 1, SIZE[0]);
    number(&mut size, 2, SIZE[1]);
    text(&mut assets, 6, &size);
    text(&mut assets, 11, first.cwd.as_bytes());
    text(&mut assets, 13, &wrapped(1, &command(first.words, first.cwd)));
    framed(&wrapped(7, &wrapped(1, &assets)))
}

/// Opens a pane beside the others, in nobody's focus.
pub(super) fn new_pane(words: &[String], cwd: &str) -> Vec<u8> {
    let mut pane = wrapped(2, &command(words, cwd));
    number(&mut pane, 10, 1);
    action(&wrapped(34, &pane))
}

/// Opens a pane in the place of this one, and closes that.
pub(super) fn replace_pane(words: &[String], cwd: &str, id: u32) -> Vec<u8> {
    let mut pane = wrapped(1, &command(words, cwd));
    text(&mut pane, 4, &terminal(id));
    number(&mut pane, 5, 1);
    action(&wrapped(35, &pane))
}

/// Closes a pane.
pub(super) fn close_pane(id: u32) -> Vec<u8> {
    action(&wrapped(73, &terminal(id)))
}

/// Types into a pane: a packed field of numbers, one for each byte.
pub(super) fn write(id: u32, keys: &[u8]) -> Vec<u8> {
    let mut packed = Vec::new();
    keys.iter().for_each(|key| varint(&mut packed, u64::from(*key)));
    let mut write = wrapped(1, &terminal(id));
    text(&mut write, 2, &packed);
    action(&wrapped(100, &write))
}

/// Pastes a text into a pane: bracketed, where its program asked for that.
pub(super) fn paste(id: u32, words: &str) -> Vec<u8> {
    let mut paste = Vec::new();
    text(&mut paste, 1, words.as_bytes());
    text(&mut paste, 2, &terminal(id));
    action(&wrapped(109, &paste))
}

/// Asks what a pane shows, plain or with its styles.
pub(super) fn dump_screen(id: u32, is_styled: bool) -> Vec<u8> {
    let mut dump = wrapped(3, &terminal(id));
    number(&mut dump, 4, 1);
    if is_styled {
        number(&mut dump, 5, 1);
    }
    action(&wrapped(15, &dump))
}

/// Gives a tab another name.
pub(super) fn rename_tab(id: u64, name: &str) -> Vec<u8> {
    let mut rename = Vec::new();
    if id > 0 {
        number(&mut rename, 1, id);
    }
    text(&mut rename, 2, name.as_bytes());
    action(&wrapped(103, &rename))
}

/// Gives a session another name.
pub(super) fn rename_session(name: &str) -> Vec<u8> {
    action(&wrapped(83, &wrapped(1, name.as_bytes())))
}

/// Ends a session.
pub(super) fn kill_session() -> Vec<u8> {
    framed(&wrapped(12, &[]))
}

/// An action (`ActionMsg`) of a command-line client.
fn action(action: &[u8]) -> Vec<u8> {
    let mut message = wrapped(1, action);
    number(&mut message, 4, 1);
    framed(&wrapped(9, &message))
}

/// `RunCommandAction`; its pane is held when it has ended.
fn command(words: &[String], cwd: &str) -> Vec<u8> {
    let mut command = Vec::new();
    for (place, word) in words.iter().enumerate() {
        text(&mut command, if place == 0 { 1 } else { 2 }, word.as_bytes());
    }
    text(&mut command, 3, cwd.as_bytes());
    number(&mut command, 5, 1);
    command
}

/// A message that begins with the id of a terminal pane. Zero is written too: left out it would be no pane.
fn terminal(id: u32) -> Vec<u8> {
    let mut message = Vec::new();
    number(&mut message, 1, u64::from(id));
    message
}

fn wrapped(field: u8, message: &[u8]) -> Vec<u8> {
    let mut outer = Vec::new();
    text(&mut outer, field, message);
    outer
}

fn text(into: &mut Vec<u8>, field: u8, bytes: &[u8]) {
    varint(into, u64::from(field) << 3 | 2);
    varint(into, bytes.len() as u64);
    into.extend_from_slice(bytes);
}

fn number(into: &mut Vec<u8>, field: u8, value: u64) {
    varint(into, u64::from(field) << 3);
    varint(into, value);
}

fn varint(into: &mut Vec<u8>, mut value: u64) {
    loop {
        let low = (value & 0x7f) as u8;
        value >>= 7;
        if value == 0 {
            into.push(low);
            return;
        }
        into.push(low | 0x80);
    }
}

/// A length of four bytes, then the message.
fn framed(message: &[u8]) -> Vec<u8> {
    let length = u32::try_from(message.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes(), message].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|word| (*word).to_owned()).collect()
    }

    #[test]
    fn a_message_is_the_one_that_zellij_itself_sends() {
        // Taken from the system calls of `zellij attach --create-background one -- /bin/sleep 600` (0.45.1), less its layout and its
        // terminal's variables; its size was 50 by 50, it names the directory with the command only, and keeps its layout.
        let first = FirstClient {
            config: Some(Path::new("/h/.config/zellij/config.kdl")),
            config_dir: None,
            cwd: "/w",
            words: &words(&["/bin/sleep", "600"]),
        };
        let expected = b"\x4d\0\0\0\x3a\x4b\x0a\x49\x0a\x1c/h/.config/zellij/config.kdl\x22\x03\xa8\x01\0\x32\x05\x08\xc8\x01\x10\x32\x5a\x02/w\
            \x6a\x19\x0a\x17\x0a\x0a/bin/sleep\x12\x03600\x1a\x02/w\x28\x01";
        assert_eq!(first_client(&first), expected);
        assert_eq!(close_pane(0), b"\x0b\0\0\0\x4a\x09\x0a\x05\xca\x04\x02\x08\0\x20\x01");
        assert_eq!(rename_session("twooo"), b"\x10\0\0\0\x4a\x0e\x0a\x0a\x9a\x05\x07\x0a\x05twooo\x20\x01");
        assert_eq!(rename_tab(0, "hallo"), b"\x10\0\0\0\x4a\x0e\x0a\x0a\xba\x06\x07\x12\x05hallo\x20\x01");
        assert_eq!(rename_tab(1, "hallo"), b"\x12\0\0\0\x4a\x10\x0a\x0c\xba\x06\x09\x08\x01\x12\x05hallo\x20\x01");
        assert_eq!(kill_session(), b"\x02\0\0\0\x62\0");
        assert_eq!(dump_screen(0, true), b"\x10\0\0\0\x4a\x0e\x0a\x0a\x7a\x08\x1a\x02\x08\0\x20\x01\x28\x01\x20\x01");
        let pasted = b"\x1f\0\0\0\x4a\x1d\x0a\x19\xea\x06\x16\x0a\x10h\xc3\xa9llo\ntwo @@ x;\x12\x02\x08\0\x20\x01";
        assert_eq!(paste(0, "h\u{e9}llo\ntwo @@ x;"), pasted);
        assert_eq!(dump_screen(300, false), b"\x0f\0\0\0\x4a\x0d\x0a\x09\x7a\x07\x1a\x03\x08\xac\x02\x20\x01\x20\x01");
    }
}
