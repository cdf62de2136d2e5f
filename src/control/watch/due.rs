//! When something is due: the resync, the heartbeat, a drift that has settled. Pure: times are arguments.

use chrono::{DateTime, Utc};
use std::time::Duration;

use crate::core::job::{Job, times_out_at};
use crate::core::report::{DriftState, Report};

/// How long until the first settling drift of a report is decided. The host's clock names the moment, the loop's own clock
/// waits: a clock that is set meanwhile changes nothing.
pub(super) fn settled_in(report: &Report) -> Option<Duration> {
    let moments = report.drifts.iter().filter(|drift| drift.state == DriftState::Settling).filter_map(|drift| drift.settles_at);
    moments.min().map(|moment| until(moment, report.observed_at))
}

/// How long until the first of these jobs runs out of time.
pub(super) fn times_out_in(jobs: &[Job], now: DateTime<Utc>) -> Option<Duration> {
    jobs.iter().filter_map(|job| times_out_at(job, now)).min().map(|moment| until(moment, now))
}

/// From one moment to another; nothing if that is past.
pub(super) fn until(moment: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (moment - now).to_std().unwrap_or_default()
}
