//! What a benchmark found, said once: a line for people at once, and a line of JSON for whoever gathers the lines of all benchmarks
//! of a run (`./x bench`, which names the file in HEADCOUNT_BENCH_LINES). Both are made of the same value. Measures nothing.

use std::fs::File;
use std::io::Write as _;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::budgets;

/// Where the lines are gathered.
pub const LINES: &str = "HEADCOUNT_BENCH_LINES";

/// A line of the gathering.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(tag = "line", rename_all = "kebab-case")]
pub enum Line {
    /// A benchmark began, on a machine that was so busy.
    Began {
        bench: String,
        at: String,
        load: Option<f64>,
    },
    Result(Box<Finding>),
    /// Something was left out.
    Skipped {
        bench: String,
        what: String,
        why: String,
    },
}

/// One measurement; with a budget of its name if the design has one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Finding {
    pub id: String,
    pub bench: String,
    /// The sentence of the design, or what was measured.
    pub says: String,
    /// `None`: it was not measured, and `why` says why.
    pub value: Option<f64>,
    pub unit: String,
    /// What the value is of its samples.
    pub statistic: Option<String>,
    pub floor: Option<Floor>,
    /// The value over the floor; where both were taken in pairs, the median of the pairs.
    pub ratio: Option<f64>,
    /// The largest value that keeps the budget; `None` where the design has none.
    pub budget: Option<f64>,
    /// `None`: it has no budget, or was not measured.
    pub kept: Option<bool>,
    pub why: Option<String>,
    pub samples: usize,
    pub percentiles: Option<Percentiles>,
}

/// What the same machine needs, in the same run, for the least that has to be done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Floor {
    pub what: String,
    pub value: f64,
}

#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Percentiles {
    pub min: f64,
    pub p50: f64,
    pub p90: f64,
    pub p99: f64,
    pub max: f64,
}

/// Samples of one thing, and what they are said beside.
#[derive(Debug, Clone, Default)]
pub struct Measure {
    sorted: Vec<f64>,
    statistic: &'static str,
    value: Option<f64>,
    floor: Option<Floor>,
    ratio: Option<f64>,
    why: Option<String>,
}

impl Measure {
    /// The median of these samples.
    pub fn median(samples: &[f64]) -> Self {
        Self::percentile(samples, 50)
    }

    /// A percentile of these samples, which are not none.
    pub fn percentile(samples: &[f64], percent: usize) -> Self {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let statistic = if percent == 50 { "p50" } else { "p99" };
        assert!(matches!(percent, 50 | 99), "no word for that percentile");
        Self { value: Some(at(&sorted, percent)), sorted, statistic, ..Self::default() }
    }

    /// One value, taken once.
    pub fn single(value: f64) -> Self {
        Self { value: Some(value), sorted: vec![value], statistic: "single", ..Self::default() }
    }

    /// Nothing, and why.
    pub fn none(why: &str) -> Self {
        Self { why: Some(why.to_owned()), ..Self::default() }
    }

    /// The floor beside it.
    pub fn over(mut self, what: &str, value: f64) -> Self {
        self.ratio = self.value.map(|own| own / value);
        self.floor = Some(Floor { what: what.to_owned(), value });
        self
    }

    /// The floor beside it, sample by sample: the ratio is the median of the pairs.
    pub fn paired(self, what: &str, samples: &[f64], floors: &[f64]) -> Self {
        let ratios: Vec<f64> = samples.iter().zip(floors).map(|(own, floor)| own / floor).collect();
        let ratio = Self::median(&ratios).value;
        Self { ratio, ..self.over(what, median(floors)) }
    }

    /// A word on it.
    pub fn because(mut self, why: &str) -> Self {
        self.why = Some(why.to_owned());
        self
    }
}

/// The median of samples, which are not none.
pub fn median(samples: &[f64]) -> f64 {
    let mut sorted = samples.to_vec();
    sorted.sort_by(f64::total_cmp);
    at(&sorted, 50)
}

/// The nearest sample at a percentile.
fn at(sorted: &[f64], percent: usize) -> f64 {
    let last = sorted.len().checked_sub(1).expect("nothing was measured");
    sorted[(last * percent).div_ceil(100)]
}

pub fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1000.0
}

/// Says what one benchmark finds.
pub struct Reporter {
    bench: &'static str,
    lines: Option<File>,
}

impl Reporter {
    /// Begins the report of a benchmark.
    pub fn begin(bench: &'static str) -> Self {
        let lines = std::env::var_os(LINES).map(|path| File::options().append(true).create(true).open(path).unwrap());
        let mut reporter = Self { bench, lines };
        let load = std::fs::read_to_string("/proc/loadavg").ok().and_then(|text| text.split(' ').next()?.parse().ok());
        let at = chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true);
        reporter
            .note(&format!("\n{bench}, {at}, load {}", load.map_or_else(|| "unknown".to_owned(), |it: f64| it.to_string())));
        reporter.write(&Line::Began { bench: bench.to_owned(), at, load });
        reporter
    }

    /// Answers a budget of the design; true if it was kept.
    pub fn budget(&mut self, id: &str, measure: Measure) -> bool {
        let budget = budgets::find(id).unwrap_or_else(|| panic!("no budget is called {id}"));
        assert_eq!(budget.bench, self.bench, "{id} is another benchmark's");
        let mut finding = self.finding(id, budget.says, budget.unit, measure);
        finding.budget = budget.limit.most(finding.floor.as_ref().map(|floor| floor.value));
        finding.kept = finding.value.zip(finding.budget).map(|(value, most)| value <= most);
        let is_kept = finding.kept == Some(true);
        self.say(finding);
        is_kept
    }

    /// Says what has no budget.
    pub fn measured(&mut self, id: &str, says: &str, unit: &str, measure: Measure) {
        let finding = self.finding(id, says, unit, measure);
        self.say(finding);
    }

    /// Says what was left out.
    pub fn skipped(&mut self, what: &str, why: &str) {
        self.note(&format!("SKIPPED {what}: {why}"));
        self.write(&Line::Skipped { bench: self.bench.to_owned(), what: what.to_owned(), why: why.to_owned() });
    }

    /// A line for people only.
    pub fn note(&self, line: &str) {
        println!("{line}");
    }

    fn finding(&self, id: &str, says: &str, unit: &str, measure: Measure) -> Finding {
        let Measure { sorted, statistic, value, floor, ratio, why } = measure;
        let of = |percent| at(&sorted, percent);
        let percentiles =
            (sorted.len() > 1).then(|| Percentiles { min: of(0), p50: of(50), p90: of(90), p99: of(99), max: of(100) });
        Finding {
            id: id.to_owned(),
            bench: self.bench.to_owned(),
            says: says.to_owned(),
            value,
            unit: unit.to_owned(),
            statistic: value.map(|_| statistic.to_owned()),
            floor,
            ratio,
            budget: None,
            kept: None,
            why,
            samples: sorted.len(),
            percentiles,
        }
    }

    fn say(&mut self, finding: Finding) {
        println!("{}", finding.line());
        self.write(&Line::Result(Box::new(finding)));
    }

    fn write(&mut self, line: &Line) {
        if let Some(lines) = &mut self.lines {
            // One write, so that what a later crash leaves is whole lines.
            lines.write_all(format!("{}\n", serde_json::to_string(line).unwrap()).as_bytes()).unwrap();
        }
    }
}

impl Finding {
    /// The line for people.
    pub fn line(&self) -> String {
        let mut line = format!("{:<8} {:<28}", self.verdict(), self.id);
        match self.value {
            Some(value) => line += &format!(" {:>10} {}", figure(value), self.unit),
            None => line += &format!(" {:>10}", "-"),
        }
        if let Some(Floor { what, value }) = &self.floor {
            line += &format!("  floor {} ({what})", figure(*value));
        }
        if let Some(ratio) = self.ratio {
            line += &format!("  {ratio:.2} x");
        }
        if let Some(budget) = self.budget {
            line += &format!("  budget {}", figure(budget));
        }
        if let Some(Percentiles { p50, p99, max, .. }) = self.percentiles {
            line += &format!("  p50 {} p99 {} max {} n {}", figure(p50), figure(p99), figure(max), self.samples);
        }
        if let Some(why) = &self.why {
            line += &format!("  {why}");
        }
        line
    }

    /// What became of its budget, in a word.
    pub fn verdict(&self) -> &'static str {
        match (self.value, self.kept) {
            (None, _) => "not",
            (_, Some(true)) => "kept",
            (_, Some(false)) => "MISSED",
            (_, None) => "",
        }
    }
}

/// Three figures that mean something, and no more.
pub fn figure(value: f64) -> String {
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        size if size >= 0.1 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    }
}
