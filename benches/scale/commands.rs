//! What each command takes once, and the floors beside it.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use crate::support::program::{peak, time};
use crate::support::report::{Measure, Reporter, median, millis};
use crate::support::{age, write_synced};
use crate::world::{ENTRIES, SERVERS, Scale};

/// The least that has to be done, in milliseconds.
pub(crate) struct Floors {
    pub(crate) list: f64,
    pub(crate) synced: f64,
}

pub(crate) const LIST: &str = "list-panes of the four servers at once";
pub(crate) const SYNCED: &str = "the manifest written and synced";
const PARSE: &str = "the manifest parsed as YAML";

pub(crate) fn run(report: &mut Reporter, world: &Scale, tries: usize) -> Floors {
    let declared = world.declared();
    fs::write(world.manifest(), &declared).unwrap();
    age(&world.manifest());
    let floors = floors(report, world, tries, &declared);
    cold(report, world);
    // Nothing was remembered yet and nothing is recorded of what runs.
    let bench = Bench { world, tries };
    bench.command(report, "scale.diff.unrecorded", &["diff"], 2, Beside::List);
    bench.command(report, "scale.init", &["init", "--dry-run"], 0, Beside::List);
    let (took, code) = time(world.headcount().args(["reconcile", "--settle", "0s"]));
    assert_eq!(code, 0, "a thousand sessions cannot be recorded");
    let says = "`headcount reconcile`: 1,000 sessions recorded for the first time";
    report.measured("scale.reconcile.first", says, "ms", Measure::single(millis(took)).over(SYNCED, floors.synced));
    age(&world.manifest());
    let lane = &world.lanes[7].name;
    bench.command(report, "scale.reconcile.quiet", &["reconcile", "--settle", "0s"], 0, Beside::List);
    bench.command(report, "scale.diff", &["diff"], 0, Beside::List);
    bench.command(report, "scale.status", &["status"], 0, Beside::List);
    bench.command(report, "scale.status.json", &["status", "--json"], 0, Beside::List);
    bench.command(report, "scale.status.one", &["status", lane], 0, Beside::List);
    bench.command(report, "scale.explain", &["explain", lane], 0, Beside::List);
    bench.command(report, "scale.check", &["check"], 0, Beside::Parse(&declared));
    bench.command(report, "scale.history", &["history", "-n", "20"], 0, Beside::Nothing);
    undo(report, world, &floors);
    floors
}

fn floors(report: &mut Reporter, world: &Scale, tries: usize, declared: &str) -> Floors {
    let mut taken = |id, says, run: &mut dyn FnMut() -> f64| {
        let times: Vec<f64> = (0..tries).map(|_| run()).collect();
        report.measured(id, says, "ms", Measure::median(&times));
        median(&times)
    };
    let list = taken("floor.list", LIST, &mut || list(world));
    if world.has_zellij() {
        taken("floor.zellij", "zellij list-sessions -n", &mut || {
            millis(time(world.zellij().unwrap().args(["list-sessions", "-n"])).0)
        });
    }
    let walked = |begun: Instant, _: usize| millis(begun.elapsed());
    taken("floor.walk", "every directory of transcripts read", &mut || walked(Instant::now(), world.walk()));
    let synced =
        taken("floor.synced", SYNCED, &mut || millis(write_synced(&world.home().join("floor.yaml"), declared.as_bytes())));
    taken("floor.parse", PARSE, &mut || parse(declared));
    Floors { list, synced }
}

/// All servers asked at once, as headcount asks them.
fn list(world: &Scale) -> f64 {
    let begun = Instant::now();
    let ask = |server: &&str| {
        let mut command = world.tmux(server);
        command.args(["list-panes", "-a"]).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap()
    };
    let asked: Vec<Child> = SERVERS.iter().map(ask).collect();
    assert!(asked.into_iter().all(|mut child| child.wait().unwrap().success()));
    millis(begun.elapsed())
}

fn parse(text: &str) -> f64 {
    let begun = Instant::now();
    let value: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    let took = millis(begun.elapsed());
    assert_eq!(value["sessions"].as_sequence().map(Vec::len), Some(ENTRIES));
    took
}

/// The first look of all, on request with nothing in the kernel's caches.
fn cold(report: &mut Reporter, world: &Scale) {
    let is_dropped = std::env::var_os("BENCH_DROP_CACHES").is_some() && {
        rustix::fs::sync();
        fs::write("/proc/sys/vm/drop_caches", "3").is_ok()
    };
    let (took, code) = time(world.headcount().arg("diff"));
    assert_eq!(code, 2, "headcount diff");
    let first = Measure::single(millis(took));
    match is_dropped {
        true => report.measured("scale.diff.cold", "`headcount diff`, the kernel's caches empty", "ms", first),
        false => {
            report.measured("scale.diff.first", "`headcount diff`, for the first time", "ms", first);
            let why = "the kernel's caches are emptied only with BENCH_DROP_CACHES=1, by root";
            report.measured("scale.diff.cold", "`headcount diff`, the kernel's caches empty", "ms", Measure::none(why));
        }
    }
}

struct Bench<'a> {
    world: &'a Scale,
    tries: usize,
}

/// What a command is told beside.
enum Beside<'a> {
    List,
    Parse(&'a str),
    Nothing,
}

impl Bench<'_> {
    /// Takes a command and its floor in turn, then the memory of one more run.
    fn command(&self, report: &mut Reporter, id: &str, arguments: &[&str], expected: i32, beside: Beside<'_>) {
        let command = || -> Command {
            let mut command = self.world.headcount();
            command.args(arguments);
            command
        };
        let (mut times, mut floors) = (Vec::new(), Vec::new());
        for _ in 0..self.tries {
            floors.push(match beside {
                Beside::List => list(self.world),
                Beside::Parse(text) => parse(text),
                Beside::Nothing => f64::NAN,
            });
            let (took, code) = time(&mut command());
            assert_eq!(code, expected, "headcount {arguments:?}");
            times.push(millis(took));
        }
        let measure = match beside {
            Beside::List => Measure::median(&times).paired(LIST, &times, &floors),
            Beside::Parse(_) => Measure::median(&times).paired(PARSE, &times, &floors),
            Beside::Nothing => Measure::median(&times),
        };
        let measure = measure.because(&format!("peak {:.1} MiB", peak(&mut command())));
        report.measured(id, &format!("`headcount {}`", arguments.join(" ")), "ms", measure);
    }
}

/// One recorded change of a thousand taken back, and recorded again.
fn undo(report: &mut Reporter, world: &Scale, floors: &Floors) {
    let output = world.headcount().args(["history", "-n", "5", "--color", "never"]).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let entries: Vec<&str> =
        text.lines().filter_map(|line| line.split(' ').next().filter(|it| it.parse::<u64>().is_ok())).collect();
    assert!(!entries.is_empty(), "no history: {text}");
    let mut times = Vec::new();
    for entry in entries {
        let (took, code) = time(world.headcount().args(["undo", entry]));
        assert_eq!(code, 0, "headcount undo {entry}");
        times.push(millis(took));
    }
    report.measured("scale.undo", "`headcount undo ENTRY`", "ms", Measure::median(&times).over(SYNCED, floors.synced));
    age(&world.manifest());
    let (_, code) = time(world.headcount().args(["reconcile", "--settle", "0s"]));
    assert_eq!(code, 0, "what was undone cannot be recorded again");
    age(&world.manifest());
}
