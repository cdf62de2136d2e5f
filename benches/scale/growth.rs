//! How a look grows with the number of sessions: twice as many may take no more than twice as long.

use std::fs;

use crate::support::program::{peak, time};
use crate::support::report::{Measure, Reporter, median, millis};
use crate::support::{World, age};

const SIZES: [usize; 4] = [250, 500, 1000, 2000];

pub(crate) fn run(report: &mut Reporter, tries: usize) {
    let mut before: Option<(f64, f64)> = None;
    for sessions in SIZES {
        let world = World::new(sessions);
        let taken = |label: &str, manifest: &str, code: i32| {
            fs::write(world.manifest(), manifest).unwrap();
            age(&world.manifest());
            let diff = || {
                let mut command = world.command(env!("CARGO_BIN_EXE_headcount"));
                command.arg("diff");
                command
            };
            let mut times = Vec::new();
            for _ in 0..tries {
                let (took, ended) = time(&mut diff());
                assert_eq!(ended, code, "headcount diff");
                times.push(millis(took));
            }
            (label.to_owned(), times, peak(&mut diff()))
        };
        let found = [taken("recorded", &world.recorded, 0), taken("unrecorded", &world.declared, 2)];
        let halves = before.map(|(recorded, unrecorded)| [recorded, unrecorded]);
        for (at, (label, times, peak)) in found.iter().enumerate() {
            let mut measure = Measure::median(times);
            if let Some(halves) = halves {
                measure = measure.over("half as many", halves[at]);
            }
            let says = format!("`headcount diff` over {sessions} sessions, {label}");
            report.measured(
                &format!("growth.{label}.{sessions}"),
                &says,
                "ms",
                measure.because(&format!("peak {peak:.1} MiB")),
            );
        }
        before = Some((median(&found[0].1), median(&found[1].1)));
    }
}
