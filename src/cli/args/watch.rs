//! What can be typed after `headcount watch`. Owns names, defaults and help; never acts on them.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::{FormatArgs, JudgeArgs, LockArgs, RecordArgs, SelectionArgs, values};

/// Keep recording, and print each drift once
///
/// Makes a pass at once, then whenever something changes, and at least once per interval. Prints one line per event: started,
/// drift, resolved, job, condition, planned, operation, blocked, gave-up, back, sent, task, broker, heartbeat, error, stopped. Planned
/// to task come with --enforce, sent and task with --deliver; without these watch never starts, stops or types into a session. Prints
/// a drift once, also across restarts, and again only if it went away and came back.
#[derive(Debug, Args)]
#[command(after_long_help = "\
If the manifest does not parse, watch reports it once. The last good version stays in force, \
and nothing is written until the next save.

SIGTERM and SIGINT let the current pass finish; a second signal ends watch at once. With --enforce \
or --deliver what is being done to sessions gets 10s; what is not over by then is left to the next headcount. \
No session ends because watch does.

Exit codes: 0 on SIGTERM, --until-file and --max-runtime, 130 on SIGINT, 75 if another watch enforces the manifest.

Examples:
  headcount watch
  headcount watch --json | jq -r 'select(.type == \"drift\").message'
  headcount watch --dry-run --class dead
  headcount watch --on-drift 'jq -r \".[].message\" | mail -s drift me'
  headcount watch --on 'needs-input=notify-send \"an agent asks\"'
  headcount watch --subscribe --publish
  headcount watch --enforce --on 'gave-up=mail -s \"gave up\" me'
  headcount watch --until-file /tmp/stop --max-runtime 8h

JSON: each event is one line; YAML: one document (`headcount schema events`).")]
pub(crate) struct WatchArgs {
    /// Names of sessions; `*` and `?` are wildcards
    #[arg(value_name = "NAME")]
    pub(crate) names: Vec<String>,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    /// Make a pass at least this often
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = values::period, hide_short_help = true)]
    pub(crate) interval: Duration,
    /// Print a heartbeat this often; 0 for never
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = values::duration, hide_short_help = true)]
    pub(crate) heartbeat: Duration,
    /// End after this long
    #[arg(long, hide_short_help = true, value_name = "DURATION", value_parser = values::duration)]
    pub(crate) max_runtime: Option<Duration>,
    /// End once this file exists
    #[arg(long, hide_short_help = true, value_name = "FILE")]
    pub(crate) until_file: Option<PathBuf>,
    /// Record nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Start and stop sessions as the manifest wants
    ///
    /// After `headcount apply` has led them once: when an entry was changed, after a reboot, when a server was lost, and as
    /// `restart` says. One watch may do so for a manifest.
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) enforce: bool,
    /// Deliver the texts that wait (`send --queue`), hand out the tasks of crews, and act on nothing else; --enforce does both, too
    #[arg(long, conflicts_with = "dry_run", hide_short_help = true)]
    pub(crate) deliver: bool,
    /// Run this with `sh -c` for events of one kind; may be repeated
    ///
    /// Kinds: drift resolved job condition planned operation blocked gave-up back sent task error, and the conditions of sessions,
    /// such as needs-input or turn-ended. Its stdin is a JSON array of events on one line. One command of each runs at a time, for at
    /// most 30s.
    #[arg(long, value_name = "EVENT=CMD", value_parser = values::on_event, hide_short_help = true)]
    pub(crate) on: Vec<(&'static str, OsString)>,
    /// Also print each condition of a session that begins; so do commands for conditions
    #[arg(long, hide_short_help = true)]
    pub(crate) conditions: bool,
    /// Run this with `sh -c` for new drifts
    ///
    /// Its stdin is a JSON array of drift events on one line. One command runs at a time, for at most 30s.
    #[arg(long, value_name = "CMD")]
    pub(crate) on_drift: Option<OsString>,
    /// Poll tmux servers instead of keeping a control client
    #[arg(long, hide_short_help = true)]
    pub(crate) no_control_client: bool,
    /// Receive the events of jobs from the MQTT broker
    ///
    /// MQTT_BROKER and related variables, or `mqtt:` in the manifest, name the broker.
    #[arg(long)]
    pub(crate) subscribe: bool,
    /// Publish sessions and drifts on the MQTT broker
    ///
    /// Publishes this host's state too, for `headcount fleet status`.
    #[arg(long)]
    pub(crate) publish: bool,
    /// Name of the reader; each consumer gets each drift once
    #[arg(long, value_name = "NAME", default_value = crate::control::watch::CONSUMER, value_parser = values::consumer, hide_short_help = true)]
    pub(crate) consumer: String,
    #[command(flatten)]
    pub(crate) lock: LockArgs,
    #[command(flatten)]
    pub(crate) selection: SelectionArgs,
    #[command(flatten)]
    pub(crate) judge: JudgeArgs,
}

impl WatchArgs {
    /// What `record --subscribe` stands for.
    pub(crate) fn subscribed(args: &RecordArgs) -> Self {
        Self {
            names: args.names.clone(),
            format: FormatArgs::from(args.document()),
            // The defaults of `watch`, which a test compares.
            interval: Duration::from_secs(30),
            heartbeat: Duration::from_secs(300),
            max_runtime: None,
            until_file: None,
            dry_run: args.dry_run,
            enforce: false,
            deliver: false,
            on: Vec::new(),
            conditions: false,
            on_drift: None,
            no_control_client: false,
            subscribe: true,
            publish: false,
            consumer: args.consumer.clone().unwrap_or_else(|| crate::control::watch::CONSUMER.to_owned()),
            lock: args.lock.clone(),
            selection: args.selection.clone(),
            judge: args.judge.clone(),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use clap::Parser as _;

    use super::*;
    use crate::cli::args::{Cli, Verb};

    #[test]
    fn reconcile_subscribe_is_watch_subscribe() {
        let parse = |line: &str| Cli::try_parse_from(line.split(' ')).unwrap().verb.unwrap();
        let Verb::Record(args) = parse("headcount reconcile --subscribe x --settle 3s") else { panic!() };
        let Verb::Watch(expected) = parse("headcount watch --subscribe x --settle 3s") else { panic!() };
        assert_eq!(format!("{:?}", WatchArgs::subscribed(&args)), format!("{:?}", *expected));
        assert!(Cli::try_parse_from(["headcount", "reconcile", "--subscribe", "--once"]).is_err());
    }
}
