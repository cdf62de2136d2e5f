//! What two headcounts say to each other over a pipe, and the words by which ssh opens that pipe. Pure; never opens one.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::text::{coloured_end, printable_coloured};

/// The protocol. Two headcounts talk only if both speak the same one.
pub const PROTOCOL: u32 = 1;

/// The longest line that is read, in bytes.
pub const LONGEST_LINE: usize = 1 << 20;

/// The longest answer that is read, in bytes; one that goes on for ever has no limit but that of its lines.
pub const LONGEST_ANSWER: usize = 64 << 20;

/// What one line may carry of an answer, in bytes: six times as many still fit into a line.
pub const LONGEST_PIECE: usize = 128 << 10;

/// The first line of a headcount that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServeHello {
    /// [`PROTOCOL`].
    pub protocol: u32,
    /// Its version.
    pub version: String,
    /// What its host calls itself.
    pub host: String,
    /// The time there.
    pub now: DateTime<Utc>,
}

/// A command to be run there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServeCall {
    /// Names it among those of this connection.
    pub id: u64,
    /// The verb, its options and its operands, as they are typed; never read by a shell.
    pub words: Vec<String>,
    /// The manifest there; by default the one that headcount finds there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub manifest: Option<String>,
    /// What it reads from its standard input.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input: Option<String>,
    /// Whether a person is there to answer what it asks.
    #[serde(default)]
    pub asks: bool,
    /// Who asks for it, for the record there.
    pub by: String,
    /// The same as a holder is called.
    pub holder: String,
    /// Whether an agent asks for it.
    #[serde(default)]
    pub is_agent: bool,
    /// The operation that the agent was started by.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
}

/// A line to a headcount that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServeRequest {
    /// Run this.
    Run(ServeCall),
    /// What a person has answered to what the command asks.
    Input {
        /// The line, its end included.
        text: String,
    },
}

/// A line of a headcount that serves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ServeReply {
    /// It is there.
    Hello(ServeHello),
    /// It is still there.
    Beat {},
    /// A piece of the answer.
    Out {
        /// Of which command.
        id: u64,
        /// The piece.
        text: String,
    },
    /// A piece of what is said beside the answer.
    Err {
        /// Of which command.
        id: u64,
        /// The piece.
        text: String,
    },
    /// The command has ended.
    End {
        /// Which command.
        id: u64,
        /// Its exit code.
        exit: u8,
        /// Why it was not run, or not to its end.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        why: Option<String>,
    },
}

/// Whether ssh takes a text for a host and nothing else.
pub fn is_host_name(text: &str) -> bool {
    !text.is_empty() && !text.starts_with('-') && !text.chars().any(|c| c.is_whitespace() || c.is_control())
}

/// The arguments by which ssh runs a command on a host, without a terminal and without asking anything.
pub fn ssh_arguments(target: &str, command: &str) -> Vec<String> {
    let fixed = ["-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "-o", "ClearAllForwardings=yes", "-a", "-x", "--"];
    fixed.into_iter().chain([target, command]).map(str::to_owned).collect()
}

/// The same with a terminal, which a person uses.
pub fn ssh_terminal_arguments(target: &str, command: &str) -> Vec<String> {
    let fixed = ["-t", "-o", "ConnectTimeout=5", "-o", "ClearAllForwardings=yes", "-a", "-x", "--"];
    fixed.into_iter().chain([target, command]).map(str::to_owned).collect()
}

/// The same by mosh, which hands the words on without a shell: a path may begin with `~`.
pub fn mosh_arguments(target: &str, command: &str) -> Vec<String> {
    let ssh = "--ssh=ssh -o ConnectTimeout=5 -o ClearAllForwardings=yes -a -x";
    [ssh, "--", target, "sh", "-c", command].into_iter().map(str::to_owned).collect()
}

/// A headcount and its arguments as the shell of another host reads them. `~/` at the beginning of a path means that home.
pub fn shell_command(program: Option<&str>, manifest: Option<&str>, arguments: &[&str]) -> String {
    let path = |path: &str| match path.strip_prefix("~/") {
        Some(rest) => format!("~/{}", shell_words::quote(rest)),
        None => shell_words::quote(path).into_owned(),
    };
    let mut words = vec![path(program.unwrap_or("headcount"))];
    if let Some(manifest) = manifest {
        words.extend(["-f".to_owned(), path(manifest)]);
    }
    words.extend(arguments.iter().map(|word| shell_words::quote(word).into_owned()));
    words.join(" ")
}

/// What another host says on its way to a terminal: safe to show, whole lines or not.
#[derive(Debug, Default)]
pub struct ShownPieces {
    /// The beginning of what may be a colour.
    pending: String,
}

impl ShownPieces {
    /// The next piece. What may be the beginning of a colour waits for the rest.
    pub fn next(&mut self, piece: &str) -> String {
        let text = std::mem::take(&mut self.pending) + piece;
        let end = coloured_end(&text);
        let (whole, rest) = text.split_at(end);
        rest.clone_into(&mut self.pending);
        printable_coloured(whole)
    }

    /// What still waits.
    pub fn rest(&mut self) -> String {
        printable_coloured(&std::mem::take(&mut self.pending))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_no_option_and_no_two_words() {
        for fit in ["ml", "ada@ml.example", "10.0.0.1", "[::1]"] {
            assert!(is_host_name(fit), "{fit}");
        }
        for odd in ["", "-oProxyCommand=x", "a b", "a\tb", "a\nb", "a\u{1b}[2J", "a\u{2028}b"] {
            assert!(!is_host_name(odd), "{odd:?}");
        }
    }

    #[test]
    fn what_the_other_shell_reads_is_one_command_with_its_words() {
        for (program, arguments, command) in [
            (None, &["serve", "--stdio"][..], "headcount serve --stdio"),
            (Some("~/.cargo/bin/headcount"), &["serve"], "~/.cargo/bin/headcount serve"),
            (Some("~/my bin/x; rm -rf y"), &[], "~/'my bin/x; rm -rf y'"),
            (Some("$(reboot)"), &[], "'$(reboot)'"),
            (None, &["attach", "a'b $(c)"], "headcount attach 'a'\\''b $(c)'"),
        ] {
            assert_eq!(shell_command(program, None, arguments), command);
        }
        assert_eq!(
            shell_command(None, Some("~/my agents.yaml"), &["attach", "--", "one"]),
            "headcount -f ~/'my agents.yaml' attach -- one"
        );
        assert_eq!(ssh_arguments("ml", "x").last().map(String::as_str), Some("x"));
        assert_eq!(ssh_arguments("ml", "x").iter().rev().nth(2).map(String::as_str), Some("--"));
    }

    #[test]
    fn pieces_are_shown_safely_wherever_they_were_cut() {
        let text = "a \u{1b}[1;32mgreen\u{1b}[0m\n\u{1b}[2Jx\u{1b}]0;t\u{7}é\n";
        let whole = "a \u{1b}[1;32mgreen\u{1b}[0m\n\\u{1b}[2Jx\\u{1b}]0;t\\u{7}é\n";
        for cut in (0..text.len()).filter(|cut| text.is_char_boundary(*cut)) {
            let mut shown = ShownPieces::default();
            let (before, after) = text.split_at(cut);
            let said = shown.next(before) + &shown.next(after) + &shown.rest();
            assert_eq!(said, whole, "{cut}");
        }
    }

    #[test]
    fn lines_are_read_as_they_are_written() {
        let call = ServeCall { id: 3, words: vec!["status".into()], by: "a program".into(), ..ServeCall::default() };
        for request in [ServeRequest::Run(call), ServeRequest::Input { text: "y\n".into() }] {
            let line = serde_json::to_string(&request).unwrap_or_default();
            assert_eq!(serde_json::from_str::<ServeRequest>(&line).ok(), Some(request), "{line}");
        }
        for reply in [ServeReply::Beat {}, ServeReply::End { id: 1, exit: 4, why: None }] {
            let line = serde_json::to_string(&reply).unwrap_or_default();
            assert_eq!(serde_json::from_str::<ServeReply>(&line).ok(), Some(reply), "{line}");
        }
    }
}
