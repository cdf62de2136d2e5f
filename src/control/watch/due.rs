//! When something is due: the resync, the heartbeat, a drift that has settled. Pure: times are arguments.

use chrono::{DateTime, Utc};
use std::time::Duration;

use crate::core::report::{Report, State};

/// How long until the first settling drift of a report is decided. The host's clock names the moment, the loop's own clock
/// waits: a clock that is set meanwhile changes nothing.
pub(super) fn settled_in(report: &Report) -> Option<Duration> {
    let moments = report.drifts.iter().filter(|drift| drift.state == State::Settling).filter_map(|drift| drift.settles_at);
    moments.min().map(|moment| until(moment, report.observed_at))
}

/// From one moment to another; nothing if that is past.
pub(super) fn until(moment: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    (moment - now).to_std().unwrap_or_default()
}
