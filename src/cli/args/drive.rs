//! What can be typed after the verbs that talk to agents. Owns names, defaults and help; never talks.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{FormatArgs, JudgeArgs, values};
use crate::core::lead::conditions::Condition;
use crate::core::lead::send::AnswerChoice;

/// Send a text to an agent, and see it delivered
///
/// Types the text into the agent's composer, sees that it stands there alone, presses Enter, and waits until the transcript of the
/// conversation holds it. Types nothing where somebody else has begun to write, a dialog is up, or the agent works.
#[derive(Debug, Args)]
#[command(after_long_help = "\
The receipt says how far the text came. Nothing is typed twice: send it again only if the receipt says that nothing was typed, or \
use --id, under which a text is sent only once.

Examples:
  headcount send lab-creator-claude 'Run the tests.'
  git diff | headcount send reviewer -
  headcount send lab-creator-claude --file task.md --id task-17
  headcount send lab-creator-claude /compact --command
  headcount send lab-creator-claude 'Then run the tests.' --queue

Exit codes: 0 delivered, or waiting, 3 held or refused: nothing was typed, 1 anything else.

JSON and YAML: headcount/receipt/v1 (`headcount schema receipt`).")]
pub(crate) struct SendArgs {
    /// The session: its name, MUX:SERVER:NAME, or the beginning of its conversation's id
    ///
    /// A session that no entry declares is meant by its pane, MUX:SERVER:PANE, or by the whole id of its conversation.
    #[arg(value_name = "REF")]
    pub(crate) reference: String,
    /// The text; `-` reads it from the standard input
    #[arg(value_name = "TEXT", allow_hyphen_values = true, required_unless_present_any = ["file", "submit"], conflicts_with = "file")]
    pub(crate) text: Option<String>,
    /// Send what this file holds
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Only say whether it would be typed
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Leave it in the composer, without Enter
    #[arg(long, hide_short_help = true)]
    pub(crate) no_submit: bool,
    /// Send it only once under this key, for 30 days
    #[arg(long, value_name = "KEY")]
    pub(crate) id: Option<String>,
    /// Press Enter behind the text that this receipt left in the composer
    #[arg(long, value_name = "RECEIPT", conflicts_with_all = ["text", "file", "no_submit", "id"], hide_short_help = true)]
    pub(crate) submit: Option<String>,
    /// Interrupt a turn that goes on, by one Esc
    #[arg(long)]
    pub(crate) interrupt: bool,
    /// Type into a turn that goes on, where the agent asks for no permissions
    #[arg(long, hide_short_help = true, conflicts_with = "interrupt")]
    pub(crate) mid_turn: bool,
    /// Let it be a command of the agent, such as /compact
    #[arg(long, hide_short_help = true)]
    pub(crate) command: bool,
    /// Let it wait where it is held; `headcount queue` shows it
    ///
    /// It waits for this conversation, for a day at most, behind what waits already. `watch --deliver` or `watch --enforce` delivers
    /// it; where neither runs for this manifest it is refused.
    #[arg(long, conflicts_with_all = ["interrupt", "mid_turn", "command", "no_submit", "submit"])]
    pub(crate) queue: bool,
    /// Let it wait also where nobody would deliver it yet
    #[arg(long, requires = "queue", hide_short_help = true)]
    pub(crate) keep: bool,
    /// Take control characters out of it instead of refusing it
    #[arg(long, hide_short_help = true)]
    pub(crate) strip: bool,
    #[command(flatten)]
    pub(crate) whom: WhomArgs,
}

/// Show the texts that wait for an agent, take one back, or deliver them now
///
/// `send --queue` keeps a text that an agent does not take yet. `watch --deliver` and `watch --enforce` deliver it to the
/// conversation it was for, the earliest first, when nothing stands in the way any more. After a day it is dropped.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount queue
  headcount queue reviewer --now
  headcount queue --drop 019ad2f1c0de-1f3a-0

Exit codes: 0 done, 1 no such text or session, or what became of a text could not be seen, 3 a text is held or refused, 75 the text \
is just being delivered.

JSON and YAML: headcount/queue/v1 (`headcount schema queue`).")]
pub(crate) struct QueueArgs {
    /// Only those of this session: its name, MUX:SERVER:NAME, or the beginning of its conversation's id
    #[arg(value_name = "REF", required_if_eq("now", "true"))]
    pub(crate) reference: Option<String>,
    /// Take the text of this receipt back
    #[arg(long, value_name = "RECEIPT", conflicts_with = "now")]
    pub(crate) drop: Option<String>,
    /// Deliver them now, as far as the agent takes them
    #[arg(long)]
    pub(crate) now: bool,
    #[command(flatten)]
    pub(crate) whom: WhomArgs,
}

/// Send a text to an agent, and print its answer
///
/// Sends it as `send` does, waits until the turn that took it in has ended, and prints what the agent wrote, and nothing else.
#[derive(Debug, Args)]
#[command(after_long_help = "\
The transcript says which turn answers the text: a turn that somebody else began is not waited for.

Examples:
  headcount ask reviewer 'Is the change in src/a.rs right?'
  headcount ask lab-creator-claude --file question.md --timeout 10m

Exit codes: 0 answered, 1 its turn failed or was interrupted, or the text was not delivered, 3 held or refused, or the agent waits \
for an answer itself, 75 the turn had not ended in time.

JSON and YAML: headcount/ask/v1 (`headcount schema ask`).")]
pub(crate) struct AskArgs {
    /// The session: its name, MUX:SERVER:NAME, or the beginning of its conversation's id
    ///
    /// A session that no entry declares is meant by its pane, MUX:SERVER:PANE, or by the whole id of its conversation.
    #[arg(value_name = "REF")]
    pub(crate) reference: String,
    /// The text; `-` reads it from the standard input
    #[arg(value_name = "TEXT", allow_hyphen_values = true, required_unless_present = "file", conflicts_with = "file")]
    pub(crate) text: Option<String>,
    /// Ask what this file holds
    #[arg(long, value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// How long its turn may take
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = values::duration)]
    pub(crate) timeout: Duration,
    /// Print what it wrote so far where the turn has not ended in time
    #[arg(long)]
    pub(crate) partial: bool,
    /// Ask it only once under this key, for 30 days
    #[arg(long, value_name = "KEY")]
    pub(crate) id: Option<String>,
    /// Interrupt a turn that goes on, by one Esc
    #[arg(long)]
    pub(crate) interrupt: bool,
    /// Take control characters out of it instead of refusing it
    #[arg(long, hide_short_help = true)]
    pub(crate) strip: bool,
    #[command(flatten)]
    pub(crate) whom: WhomArgs,
}

/// Wait until a session works, waits for you, has ended, …
///
/// Looks at the conditions of sessions whenever something happens, and ends as soon as one that was asked for holds. `status --json`
/// and `describe` show the conditions that hold now.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Conditions:
  starting ready working idle turn-ended needs-input
  rate-limited auth-failed error crashed ended gone done

Of several sessions each has to meet a condition, at one time or another; with --any one is enough.

Examples:
  headcount wait reviewer --for idle
  headcount wait reviewer --for turn-ended,needs-input --next --timeout 10m
  headcount wait 'lab-*' --for needs-input,crashed --any
  headcount wait reviewer --for turn-ended --after 019ad2f1c0de-1f3a-0

Exit codes: 0 it holds, 75 it did not in time, 4 nothing told in time whether it does, 1 it can no longer come, or there is no such \
session, 3 a REF means several sessions, 130 interrupted.

JSON and YAML: headcount/wait/v1 (`headcount schema wait`).")]
pub(crate) struct AwaitArgs {
    /// Sessions: names, MUX:SERVER:NAME, beginnings of their conversations' ids; `*` and `?` are wildcards
    ///
    /// A session that no entry declares is meant by its pane, MUX:SERVER:PANE, or by the whole id of its conversation; it alone then.
    #[arg(value_name = "REF", required = true)]
    pub(crate) refs: Vec<String>,
    /// The conditions of which one has to hold
    #[arg(long = "for", value_name = "CONDITION", required = true, value_delimiter = ',', hide_possible_values = true, value_parser = values::condition())]
    pub(crate) conditions: Vec<Condition>,
    /// Until one of the sessions meets it
    #[arg(long, conflicts_with = "all")]
    pub(crate) any: bool,
    /// Until each has met it; without this or --any it is so, too
    #[arg(long)]
    pub(crate) all: bool,
    /// Only what begins from now on
    #[arg(long, conflicts_with = "after")]
    pub(crate) next: bool,
    /// Only what begins after the text of this receipt, by the turn that took it in
    #[arg(long, value_name = "RECEIPT")]
    pub(crate) after: Option<String>,
    /// How long it is waited
    #[arg(long, value_name = "DURATION", default_value = "1m", value_parser = values::duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

/// Answer the question that an agent asks on its screen
///
/// Shows what it asks, or answers that: `approve` grants it once, `deny` does not, a number takes that choice. A key is pressed only
/// while just this question is up, and something other than the screen says that the agent waits.
#[derive(Debug, Args)]
#[command(after_long_help = "\
Examples:
  headcount answer lab-creator-claude
  headcount answer lab-creator-claude approve --expect 3f8a1c02b94e
  headcount answer lab-creator-claude 2

Exit codes: 0 answered, or shown, 3 held: nothing was answered, 1 what became of it could not be seen.

JSON and YAML: headcount/answer/v1 (`headcount schema answer`).")]
pub(crate) struct AnswerArgs {
    /// The session: its name, MUX:SERVER:NAME, or the beginning of its conversation's id
    ///
    /// A session that no entry declares is meant by its pane, MUX:SERVER:PANE, or by the whole id of its conversation.
    #[arg(value_name = "REF")]
    pub(crate) reference: String,
    /// approve, deny or the number of a choice; without one the question is shown
    #[arg(value_name = "ANSWER", value_parser = values::answer)]
    pub(crate) choice: Option<AnswerChoice>,
    /// Answer only the question that has this hash, as shown with it
    #[arg(long, value_name = "HASH", value_parser = values::hash)]
    pub(crate) expect: Option<String>,
    /// Go by the screen alone, where nothing else tells that the agent asks; at a terminal only
    #[arg(long, hide_short_help = true)]
    pub(crate) screen_only: bool,
    #[command(flatten)]
    pub(crate) whom: WhomArgs,
}

/// In which sessions an agent is talked to, by whom, and how the answer is printed.
#[derive(Debug, Args)]
pub(crate) struct WhomArgs {
    /// Also the session that this runs in
    #[arg(long = "self", hide_short_help = true)]
    pub(crate) own: bool,
    /// Who you are, where somebody has the session in hand
    #[arg(long = "as", value_name = "NAME", value_parser = values::holder, hide_short_help = true)]
    pub(crate) holder: Option<String>,
    /// Also where somebody is at a terminal that shows the session
    #[arg(long, short = 'y')]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}
