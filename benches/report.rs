//! The answer of `./x bench`: every budget of the design with what the benchmarks of this run found, and what they found beside. Reads
//! the lines they left; measures nothing. A bench run leaves it out.
//!
//! Arguments: the file of lines; `--json` prints one document, `--markdown` tables, neither a summary for people.
#![allow(clippy::print_stdout, clippy::print_stderr, clippy::unwrap_used, clippy::expect_used, unreachable_pub)]

#[allow(dead_code, reason = "shared with the benchmarks")]
#[path = "support/budgets.rs"]
mod budgets;
#[allow(dead_code, reason = "shared with the benchmarks")]
#[path = "support/report.rs"]
mod report;

use std::process::{Command, ExitCode};

use report::{Finding, Floor, Line, figure};
use serde::Serialize;

/// The whole answer. Fields are only ever added.
#[derive(Serialize)]
struct Document {
    schema: &'static str,
    version: &'static str,
    machine: Machine,
    /// The benchmarks that ran, when, and how busy the machine was as they began.
    ran: Vec<Ran>,
    /// Every budget of the design, in its order.
    budgets: Vec<Finding>,
    /// What else was measured.
    measured: Vec<Finding>,
    skipped: Vec<Skipped>,
}

#[derive(Serialize)]
struct Machine {
    system: String,
    processors: usize,
    processor: Option<String>,
    memory_mib: Option<u64>,
    tmux: Option<String>,
}

#[derive(Serialize)]
struct Ran {
    bench: String,
    at: String,
    load: Option<f64>,
}

#[derive(Serialize)]
struct Skipped {
    bench: String,
    what: String,
    why: String,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has = |option: &str| arguments.iter().any(|argument| argument == option);
    let Some(path) = arguments.iter().find(|argument| !argument.starts_with("--")) else {
        println!("SKIPPED report: no benchmark; `./x bench` runs it");
        return ExitCode::SUCCESS;
    };
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) => {
            eprintln!("error: cannot read {path}: {error}");
            return ExitCode::FAILURE;
        }
    };
    let document = document(&text);
    match (has("--json"), has("--markdown")) {
        (true, _) => println!("{}", serde_json::to_string_pretty(&document).unwrap()),
        (false, true) => print!("{}", markdown(&document)),
        (false, false) => print!("{}", summary(&document)),
    }
    ExitCode::SUCCESS
}

/// Everything that was found, each budget once: also those that nobody measured, with the reason.
fn document(text: &str) -> Document {
    let (mut ran, mut found, mut skipped) = (Vec::new(), Vec::new(), Vec::new());
    for line in text.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        match line {
            Line::Began { bench, at, load } => ran.push(Ran { bench, at, load }),
            Line::Result(finding) => found.push(*finding),
            Line::Skipped { bench, what, why } => skipped.push(Skipped { bench, what, why }),
        }
    }
    let (answers, measured): (Vec<Finding>, Vec<Finding>) =
        found.into_iter().partition(|finding| budgets::find(&finding.id).is_some());
    let why_not = |bench: &str| {
        if !ran.iter().any(|it| it.bench == bench) {
            return format!("the benchmark `{bench}` was not run");
        }
        let reason = skipped.iter().find(|it| it.bench == bench).map(|it| format!("skipped: {}", it.why));
        reason.unwrap_or_else(|| format!("the benchmark `{bench}` ended before it came to it, or was told to leave it out"))
    };
    let answer = |budget: &budgets::Budget| {
        answers.iter().rfind(|finding| finding.id == budget.id).cloned().unwrap_or_else(|| Finding {
            id: budget.id.to_owned(),
            bench: budget.bench.to_owned(),
            says: budget.says.to_owned(),
            value: None,
            unit: budget.unit.to_owned(),
            statistic: None,
            floor: None,
            ratio: None,
            budget: budget.limit.most(None),
            kept: None,
            why: Some(why_not(budget.bench)),
            samples: 0,
            percentiles: None,
        })
    };
    let budgets = budgets::ALL.iter().map(answer).collect();
    Document {
        schema: "headcount/bench/v1",
        version: env!("CARGO_PKG_VERSION"),
        machine: machine(),
        ran,
        budgets,
        measured,
        skipped,
    }
}

fn machine() -> Machine {
    let name = rustix::system::uname();
    let field = |path: &str, field: &str| {
        let text = std::fs::read_to_string(path).ok()?;
        let line = text.lines().find_map(|line| line.strip_prefix(field)?.trim().strip_prefix(':').map(str::trim))?;
        Some(line.to_owned())
    };
    let memory = field("/proc/meminfo", "MemTotal").and_then(|text| text.strip_suffix(" kB")?.parse::<u64>().ok());
    let tmux = Command::new("tmux").arg("-V").output().ok();
    Machine {
        system: format!(
            "{} {} {}",
            name.sysname().to_string_lossy(),
            name.release().to_string_lossy(),
            name.machine().to_string_lossy()
        ),
        processors: std::thread::available_parallelism().map_or(1, usize::from),
        processor: field("/proc/cpuinfo", "model name"),
        memory_mib: memory.map(|kib| kib >> 10),
        tmux: tmux.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned()),
    }
}

fn summary(document: &Document) -> String {
    let count = |wanted: Option<bool>| document.budgets.iter().filter(|finding| finding.kept == wanted).count();
    let lines: String = document.budgets.iter().map(|finding| format!("{}\n", finding.line())).collect();
    let (kept, missed, not) = (count(Some(true)), count(Some(false)), count(None));
    format!("\n{lines}\n{} budgets: {kept} kept, {missed} missed, {not} not measured\n", document.budgets.len())
}

fn markdown(document: &Document) -> String {
    let Machine { system, processors, processor, memory_mib, tmux } = &document.machine;
    let mut text = format!("{system}, {processors} × {}", processor.as_deref().unwrap_or("an unnamed processor"));
    text += &memory_mib.map(|mib| format!(", {} GiB", mib >> 10)).unwrap_or_default();
    text += &tmux.as_ref().map(|tmux| format!(", {tmux}")).unwrap_or_default();
    text += &format!(", headcount {}\n", document.version);
    for (title, findings) in [("Budget", &document.budgets), ("Measured", &document.measured)] {
        text += &format!(
            "\n| {title} | measured | floor beside it | ratio | at most | kept |\n| --- | --- | --- | --- | --- | --- |\n"
        );
        text += &findings.iter().map(row).collect::<String>();
    }
    text += &document.skipped.iter().map(|it| format!("\nSKIPPED {}: {}\n", it.what, it.why)).collect::<String>();
    text
}

fn row(finding: &Finding) -> String {
    let unit = &finding.unit;
    let measured = finding.value.map_or_else(|| "–".to_owned(), |value| format!("{} {unit}", figure(value)));
    let floor =
        finding.floor.as_ref().map_or_else(String::new, |Floor { what, value }| format!("{} {unit}, {what}", figure(*value)));
    let ratio = finding.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}×"));
    let most = finding.budget.map_or_else(String::new, |most| format!("{} {unit}", figure(most)));
    let kept = match (finding.value, finding.kept, &finding.why) {
        (None, _, why) => format!("not measured: {}", why.as_deref().unwrap_or("no reason was given")),
        (_, Some(true), _) => "yes".to_owned(),
        (_, Some(false), _) => "**no**".to_owned(),
        (_, None, why) => why.clone().unwrap_or_default(),
    };
    format!("| `{}` {} | {measured} | {floor} | {ratio} | {most} | {kept} |\n", finding.id, finding.says)
}
