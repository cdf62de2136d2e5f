//! What the design promises, one line each: the table that every benchmark answers to. Measures nothing.

/// How a budget is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    /// By a value that is at most this.
    AtMost(f64),
    /// By a value that is at most so many times its floor, and so much more.
    OverFloor { times: f64, plus: f64 },
    /// By a value that is at most so many times its floor.
    TimesFloor(f64),
}

impl Limit {
    /// The largest value that keeps it; `None` if it takes a floor and there is none.
    pub fn most(self, floor: Option<f64>) -> Option<f64> {
        match self {
            Self::AtMost(most) => Some(most),
            Self::OverFloor { times, plus } => Some(floor? * times + plus),
            Self::TimesFloor(times) => Some(floor? * times),
        }
    }
}

/// One budget.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// Its name, which never changes.
    pub id: &'static str,
    /// The benchmark that measures it.
    pub bench: &'static str,
    /// What the design says.
    pub says: &'static str,
    pub unit: &'static str,
    pub limit: Limit,
}

const DIFF: &str = "`headcount diff` over N sessions, N = 1, 100, with 10,000 transcripts on disk: at most 2.0 times one \
    `tmux -u list-panes -a` + 3 ms";
const UNRECORDED: &str =
    "`headcount diff` over 100 sessions of which nothing is recorded: at most 2.5 times one `tmux -u list-panes -a`";
const THOUSAND: &str = "`headcount diff` over 1,000 sessions: at most 1.7 times one `tmux -u list-panes -a`";
const THOUSAND_UNRECORDED: &str =
    "`headcount diff` over 1,000 sessions of which nothing is recorded: at most 3 times one `tmux -u list-panes -a`";
const KILLED: &str = "watch: session killed -> manifest durable: p50 <= 30 ms, p99 <= 80 ms";
const APPEARED: &str = "watch: transcript/registry appears -> id recorded: p50 <= 40 ms";
const EVENT: &str = "MQTT event -> registry and report: p50 <= 30 ms";
const BURST: &str = "MQTT: 50,000-event burst, none lost, memory flat";
const IDLE: &str = "idle watch, 100 sessions, one server with a control client: <= 0.1 % of one core, 0 forks, <= 16 MiB RSS";
const CHANGE: &str = "one change among 1,000, less one synced write of that manifest: <= 1.5 times one among 10";
const OVER_FLOOR: &str =
    "watch: killed -> recorded, among 1,000: <= 2 times (one list-panes -a + four synced writes of that manifest)";

const START: &str = "start of one agent, until verified: at most 1.1 times the same command by `tmux new-session` + 50 ms";
const BACK: &str = "20 sessions back after their server died, parallel 2, spacing 0: at most 1.2 times ten starts";
const LAUNCHER: &str = "launcher: at most 3 MiB of its own, 0 wake-ups while its agent runs";

const SEND: &str = "send, until the agent's own line of the text: load-buffer, paste and Enter by hand, and at most 30 ms more";
const ASK: &str = "ask returns after the mark of the turn's end: p50 <= 50 ms";
const EMIT: &str = "`headcount hook emit`: fork and exec of /bin/true, and at most 3 ms more";

const CREW: &str =
    "a crew of 50 workers, 1,000 tasks and 10,000 entries of context: `crew status`, and `crew context --since`: <= 50 ms";

const UI_KEY: &str = "ui over 1,000 sessions: key -> frame <= 30 ms p99";
const UI_IDLE: &str = "ui over 1,000 sessions: idle <= 1 % of one core";
const ENFORCE: &str = "idle `watch --enforce`, 100 sessions in tmux: <= 0.1 % of one core, 0 forks, <= 20 MiB RSS";

const TWICE_AND_3: Limit = Limit::OverFloor { times: 2.0, plus: 3.0 };

/// All of them, in the order of the design.
pub const ALL: &[Budget] = &[
    one("diff.recorded.1", "diff", DIFF, "ms", TWICE_AND_3),
    one("diff.unrecorded.1", "diff", DIFF, "ms", TWICE_AND_3),
    one("diff.recorded.100", "diff", DIFF, "ms", TWICE_AND_3),
    one("diff.unrecorded.100", "diff", UNRECORDED, "ms", Limit::TimesFloor(2.5)),
    one("diff.recorded.1000", "diff", THOUSAND, "ms", Limit::TimesFloor(1.7)),
    one("diff.unrecorded.1000", "diff", THOUSAND_UNRECORDED, "ms", Limit::TimesFloor(3.0)),
    one("watch.killed.p50", "watch", KILLED, "ms", Limit::AtMost(30.0)),
    one("watch.killed.p99", "watch", KILLED, "ms", Limit::AtMost(80.0)),
    one("watch.registry.p50", "watch", APPEARED, "ms", Limit::AtMost(40.0)),
    one("watch.transcript.p50", "watch", APPEARED, "ms", Limit::AtMost(40.0)),
    one("mqtt.event.p50", "mqtt", EVENT, "ms", Limit::AtMost(30.0)),
    one("mqtt.burst.lost", "mqtt", BURST, "events", Limit::AtMost(0.0)),
    // Flat: a second burst leaves nothing behind; an event that left 50 bytes would show.
    one("mqtt.burst.growth", "mqtt", BURST, "MiB", Limit::AtMost(2.0)),
    one("idle.processor", "watch", IDLE, "% of a core", Limit::AtMost(0.1)),
    one("idle.forks", "watch", IDLE, "programs", Limit::AtMost(0.0)),
    one("idle.memory", "watch", IDLE, "MiB", Limit::AtMost(16.0)),
    one("change.among.1000", "watch", CHANGE, "ms", Limit::TimesFloor(1.5)),
    one("watch.killed.1000", "watch", OVER_FLOOR, "ms", Limit::TimesFloor(2.0)),
    one("lead.start", "lead", START, "ms", Limit::OverFloor { times: 1.1, plus: 50.0 }),
    one("lead.back", "lead", BACK, "ms", Limit::TimesFloor(1.2)),
    one("lead.launcher.memory", "lead", LAUNCHER, "MiB", Limit::AtMost(3.0)),
    one("lead.launcher.woken", "lead", LAUNCHER, "wake-ups", Limit::AtMost(0.0)),
    one("drive.send.p50", "drive", SEND, "ms", Limit::OverFloor { times: 1.0, plus: 30.0 }),
    one("drive.ask.p50", "drive", ASK, "ms", Limit::AtMost(50.0)),
    one("drive.emit.p50", "drive", EMIT, "ms", Limit::OverFloor { times: 1.0, plus: 3.0 }),
    one("enforce.processor", "watch", ENFORCE, "% of a core", Limit::AtMost(0.1)),
    one("enforce.forks", "watch", ENFORCE, "programs", Limit::AtMost(0.0)),
    one("enforce.memory", "watch", ENFORCE, "MiB", Limit::AtMost(20.0)),
    one("ui.key.p99", "ui", UI_KEY, "ms", Limit::AtMost(30.0)),
    one("ui.idle", "ui", UI_IDLE, "% of a core", Limit::AtMost(1.0)),
    one("crew.status", "crew", CREW, "ms", Limit::AtMost(50.0)),
    one("crew.context", "crew", CREW, "ms", Limit::AtMost(50.0)),
];

const fn one(id: &'static str, bench: &'static str, says: &'static str, unit: &'static str, limit: Limit) -> Budget {
    Budget { id, bench, says, unit, limit }
}

/// The budget of that name.
pub fn find(id: &str) -> Option<&'static Budget> {
    ALL.iter().find(|budget| budget.id == id)
}
