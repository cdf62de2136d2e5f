//! A command of headcount on behalf of a client: a process of this program, so that nothing a command does to its process, and nothing
//! it prints, is the server's. Owns when one is cut short; decides nothing about sessions.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt as _, AsyncRead, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, Command};

use super::call::ToolCall;
use super::tools::CutShort;
use crate::cli::asker::variable;
use crate::core::remote::LONGEST_ANSWER;

/// How long a command that was interrupted may take to end.
const PATIENCE: Duration = Duration::from_secs(2);
/// How much is kept of what a command complains about, in lines.
const MOST_COMPLAINTS: usize = 20;

/// How a command ended.
#[derive(Debug, Default)]
pub(super) struct RanCommand {
    /// Its exit code; none if a signal ended it.
    pub(super) exit: Option<i32>,
    /// What it printed; none if that was too long.
    pub(super) printed: Option<String>,
    /// What went wrong.
    pub(super) complaints: Vec<Complaint>,
    /// The receipt of a text that it has sent.
    pub(super) receipt: Option<String>,
    /// Whether it was cut short, or left to itself.
    pub(super) is_cut: bool,
}

/// A message of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Complaint {
    pub(super) message: String,
    pub(super) hint: String,
    /// Whether it is why the command failed.
    pub(super) is_error: bool,
}

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct McpClient {
    /// As the record names it.
    pub(super) by: String,
    /// As a holder is called, where the session it runs in is not known.
    pub(super) holder: Option<String>,
}

/// Runs a command. `over` ends once nobody waits for the answer any more; `told` hears of a receipt as soon as there is one.
pub(super) async fn run(
    (program, globals): (&Path, &[String]),
    call: &ToolCall,
    (cut, client): (CutShort, &McpClient),
    over: impl Future<Output = ()>,
    told: impl Fn(&str),
) -> std::io::Result<RanCommand> {
    let mut command = Command::new(program);
    command
        .args(&call.words)
        .args(globals)
        .arg("--")
        .args(&call.refs)
        .args(&call.last)
        .env(variable::BY, &client.by)
        .env(variable::AGENT, "1")
        .env_remove(variable::ASKS)
        .env_remove(variable::HOLDER)
        .stdin(if call.input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // What ends this process is no reason for what it began to end.
        .process_group(0);
    if let Some(holder) = &client.holder {
        command.env(variable::HOLDER, holder);
    }
    let mut child = command.spawn()?;
    if let (Some(text), Some(mut stdin)) = (call.input.clone(), child.stdin.take()) {
        tokio::spawn(async move { stdin.write_all(text.as_bytes()).await });
    }
    let (out, errors) = (child.stdout.take(), child.stderr.take());
    let printed = tokio::spawn(read(out));
    let mut ran = RanCommand::default();
    let mut lines = errors.map(|errors| BufReader::new(errors).lines());
    tokio::pin!(over);
    let mut is_over = false;
    loop {
        let may_be_cut = match cut {
            CutShort::Always => true,
            CutShort::AfterReceipt => ran.receipt.is_some(),
            CutShort::Never => false,
        };
        if is_over && may_be_cut {
            ran.is_cut = true;
            interrupt(&mut child).await;
            break;
        }
        if is_over && cut == CutShort::Never {
            // It goes on by itself.
            ran.is_cut = true;
            return Ok(ran);
        }
        let Some(errors) = &mut lines else { break };
        tokio::select! {
            () = &mut over, if !is_over => is_over = true,
            line = errors.next_line() => match line {
                Ok(Some(line)) => ran.hear(&line, &told),
                Ok(None) | Err(_) => lines = None,
            },
        }
    }
    // What it started may hold its output open.
    tokio::select! {
        status = child.wait() => ran.exit = status?.code(),
        () = &mut over, if !is_over && cut == CutShort::Always => {
            ran.is_cut = true;
            interrupt(&mut child).await;
        }
    }
    ran.printed = tokio::time::timeout(PATIENCE, printed).await.ok().and_then(Result::ok).flatten();
    Ok(ran)
}

impl RanCommand {
    /// A line of its log.
    fn hear(&mut self, line: &str, told: &impl Fn(&str)) {
        let Ok(line) = serde_json::from_str::<Value>(line) else {
            // A command line that is not understood is said before there is a log.
            if let Some(message) = line.strip_prefix("error: ") {
                self.complaints.push(Complaint { message: message.to_owned(), hint: String::new(), is_error: true });
            }
            return;
        };
        let word = |key: &str| line.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
        if let (None, Some(receipt)) = (&self.receipt, line.get("receipt").and_then(Value::as_str)) {
            told(receipt);
            self.receipt = Some(receipt.to_owned());
        }
        let level = word("level");
        if ["WARN", "ERROR"].contains(&level.as_str()) && self.complaints.len() < MOST_COMPLAINTS {
            // Of a picture of the manifest what is wrong and where, not what stands there.
            let picture = word("picture");
            let places =
                picture.lines().filter_map(|line| line.strip_prefix("error: ").or(line.trim_start().strip_prefix("--> ")));
            let places = places.map(str::to_owned);
            let hint =
                Some(word("hint")).filter(|hint| !hint.is_empty()).into_iter().chain(places).collect::<Vec<_>>().join(", ");
            self.complaints.push(Complaint { message: word("message"), hint, is_error: level == "ERROR" });
        }
    }
}

/// Ends a command that only looks or waits.
async fn interrupt(child: &mut Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    if let Some(pid) = pid {
        // It is not reaped yet, so the number is its own.
        let _ = kill_process(pid, Signal::INT);
    }
    if tokio::time::timeout(PATIENCE, child.wait()).await.is_err() {
        let _ = child.kill().await;
    }
}

/// All that comes from a stream; none if that is too much. It is read to its end in any case: whoever writes there should not wait for us.
async fn read(from: Option<impl AsyncRead + Unpin>) -> Option<String> {
    let (mut from, mut text) = (from?, Vec::new());
    let mut bounded = (&mut from).take(LONGEST_ANSWER as u64 + 1);
    bounded.read_to_end(&mut text).await.ok()?;
    let is_whole = text.len() <= LONGEST_ANSWER;
    tokio::io::copy(&mut from, &mut tokio::io::sink()).await.ok()?;
    String::from_utf8(text).ok().filter(|_| is_whole)
}
