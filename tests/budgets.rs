//! The table of budgets against the benchmarks that say they measure them. Reads the sources; measures nothing.

#![allow(clippy::unwrap_used, clippy::expect_used)]

#[allow(dead_code, missing_docs, unreachable_pub)]
#[path = "../benches/support/budgets.rs"]
mod budgets;

use std::collections::BTreeSet;
use std::fs;

use budgets::{ALL, Limit};

fn source(bench: &str) -> String {
    fs::read_to_string(format!("{}/benches/{bench}.rs", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

#[test]
fn every_budget_is_named_by_the_benchmark_that_measures_it_and_by_no_other() {
    for budget in ALL {
        let quoted = format!("\"{}\"", budget.id);
        for bench in ["diff", "watch", "mqtt", "fleet", "lead", "drive", "ui", "crew"] {
            assert_eq!(source(bench).contains(&quoted), bench == budget.bench, "{} in {bench}", budget.id);
        }
    }
}

#[test]
fn no_two_budgets_share_a_name() {
    assert_eq!(ALL.iter().map(|budget| budget.id).collect::<BTreeSet<_>>().len(), ALL.len());
}

#[test]
fn a_budget_over_a_floor_cannot_be_judged_without_one() {
    assert_eq!(Limit::OverFloor { times: 2.0, plus: 3.0 }.most(Some(4.0)), Some(11.0));
    assert_eq!(Limit::TimesFloor(3.0).most(Some(2.0)), Some(6.0));
    assert_eq!(Limit::AtMost(30.0).most(None), Some(30.0));
    for limit in [Limit::OverFloor { times: 2.0, plus: 3.0 }, Limit::TimesFloor(3.0)] {
        assert_eq!(limit.most(None), None);
    }
}
