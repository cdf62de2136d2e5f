//! What a fold shows: the document of a fleet, its hosts and their sessions in order. Never changes what was heard.

use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Fold, Known, Slot};
use crate::core::fleet::report::{FLEET_SCHEMA, FleetCounts, FleetReport, HostStatus, HostView, SessionView};
use crate::core::report::status::Observed;

impl Fold {
    /// The view of the hosts that are called like one of these, or of all.
    pub fn report(&self, broker: &str, patterns: &[String], incomplete: Vec<String>, now: DateTime<Utc>) -> FleetReport {
        let hosts = self.levels(patterns).filter_map(|level| self.host(level, true, now)).collect();
        self.add_up(broker, hosts, incomplete, now)
    }

    /// The same, if nothing is to be heard any more: with many sessions, a view beside what it was made of is too much.
    pub fn into_report(
        mut self,
        broker: &str,
        patterns: &[String],
        incomplete: Vec<String>,
        now: DateTime<Utc>,
    ) -> FleetReport {
        let levels: Vec<String> = self.levels(patterns).map(str::to_owned).collect();
        let mut hosts = Vec::with_capacity(levels.len());
        for level in levels {
            let Some(known) = self.hosts.get_mut(&level) else { continue };
            let view = known.view(&level, false, now);
            let sessions = std::mem::take(&mut known.sessions).into_values().filter_map(Slot::into_view);
            let sessions = in_order(sessions.map(|(session, manifest)| named(session, &manifest, view.manifest.as_deref())));
            hosts.push(HostView { sessions, ..view });
        }
        self.add_up(broker, hosts, incomplete, now)
    }

    fn add_up(&self, broker: &str, mut hosts: Vec<HostView>, incomplete: Vec<String>, now: DateTime<Utc>) -> FleetReport {
        hosts.sort_by(|a, b| a.host.cmp(&b.host));
        let of = |status| hosts.iter().filter(|host| host.status == status).count();
        let sessions = || hosts.iter().flat_map(|host| host.sessions.iter().map(move |session| (host.status, session)));
        let counts = FleetCounts {
            hosts: hosts.len(),
            online: of(HostStatus::Online),
            stale: of(HostStatus::Stale),
            lost: of(HostStatus::Lost),
            offline: of(HostStatus::Offline),
            unreadable: of(HostStatus::Unreadable),
            sessions: sessions().count(),
            alive: sessions().filter(|(host, it)| *host == HostStatus::Online && it.observed == Observed::Alive).count(),
            drifts: sessions().map(|(_, session)| session.drifts.len()).sum(),
            rejected: self.rejected,
            left_out: self.left_out,
        };
        let (schema, broker) = (FLEET_SCHEMA.to_owned(), broker.to_owned());
        FleetReport { schema, broker, observed_at: now, complete: incomplete.is_empty(), incomplete, counts, hosts }
    }
}

impl Known {
    pub(super) fn view(&self, level: &str, with_sessions: bool, now: DateTime<Utc>) -> HostView {
        let newest = self.newest();
        let state = newest.map(|it| &it.state);
        let its = state.map(|state| state.manifest.as_str());
        let sessions = self.sessions.values().filter(|_| with_sessions).filter_map(|slot| match slot {
            Slot::Known { session, manifest, .. } => Some(named(session.clone(), manifest, its)),
            Slot::Gone => None,
        });
        let sessions = in_order(sessions);
        HostView {
            host: self.name(level).to_owned(),
            status: self.status(now),
            version: state.map(|state| state.version.clone()),
            since: state.map(|state| state.since),
            ended_at: newest.and_then(|it| it.ended_at),
            last_known: state.map(|state| state.observed_at.map_or(state.since, |at| at.max(state.since))),
            manifest: its.map(str::to_owned),
            observed_at: state.and_then(|state| state.observed_at),
            counts: state.and_then(|state| state.counts),
            missing: self.missing(),
            note: if state.is_none() { self.unreadable.clone() } else { None },
            sessions,
        }
    }
}

impl Slot {
    fn into_view(self) -> Option<(SessionView, Arc<str>)> {
        match self {
            Self::Known { session, manifest, .. } => Some((session, manifest)),
            Self::Gone => None,
        }
    }
}

/// A session, with its manifest if that is not the one its host names.
fn named(session: SessionView, manifest: &str, its: Option<&str>) -> SessionView {
    let manifest = Some(manifest).filter(|path| Some(*path) != its).map(str::to_owned);
    SessionView { manifest, ..session }
}

fn in_order(sessions: impl Iterator<Item = SessionView>) -> Vec<SessionView> {
    let mut sessions: Vec<SessionView> = sessions.collect();
    sessions.sort_by(|a, b| (&a.name, a.mux, &a.server).cmp(&(&b.name, b.mux, &b.server)));
    sessions
}
