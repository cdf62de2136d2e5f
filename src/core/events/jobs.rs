//! What is said about delegated jobs: from each pass's jobs to events. Pure; the time is an argument and nothing is printed.
//!
//! Told are a new job, another status, a wait for permission and a job that ran out of time; not every step of progress. What
//! an earlier run has told is not told again; a consumer's very first run takes the jobs that are there as known.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::{Event, JobChange};
use crate::core::job::{Job, JobId};
use crate::core::memory::JobTold;
use crate::core::text::printable;

/// Remembers how jobs were.
#[derive(Debug, Default)]
pub struct JobTeller {
    known: Option<BTreeMap<JobId, JobTold>>,
}

impl JobTeller {
    /// What is to be said after a pass that read the registry at `read_at`. `before` is what an earlier run has told; without one
    /// the jobs of the first pass are known and not told.
    pub fn after(
        &mut self,
        jobs: &[Job],
        read_at: DateTime<Utc>,
        before: Option<&BTreeMap<JobId, JobTold>>,
        reasons: &[String],
        at: DateTime<Utc>,
    ) -> Vec<Event> {
        let now = || jobs.iter().map(|job| (job, JobTold::of(job, read_at)));
        let known = self.known.get_or_insert_with(|| match before {
            Some(before) => before.clone(),
            None => now().map(|(job, how)| (job.id.clone(), how)).collect(),
        });
        let mut events = Vec::new();
        for (job, how) in now() {
            let before = known.insert(job.id.clone(), how);
            // Less to say than before (it asks no more, it is no longer idle) shows by itself.
            let is_news = before.is_none_or(|before| {
                before.status != how.status
                    || how.asks.is_some() && how.asks != before.asks
                    || how.timed_out.is_some() && how.timed_out != before.timed_out
            });
            if is_news {
                events.push(Event::Job(change(job, before, how, reasons, at)));
            }
        }
        JobTold::forget_gone(known, jobs);
        events
    }
}

fn change(job: &Job, before: Option<JobTold>, how: JobTold, reasons: &[String], at: DateTime<Utc>) -> JobChange {
    let place = job.agent_session.as_deref().map(|session| format!(" in {}", printable(session))).unwrap_or_default();
    let asks = if how.asks.is_some() { ", asks for permission" } else { "" };
    let late = how.timed_out.map(|how| format!(", {how}")).unwrap_or_default();
    JobChange {
        at,
        reasons: reasons.to_vec(),
        job: job.id.clone(),
        from: before.map(|before| before.status),
        status: how.status,
        event: job.last_event,
        timed_out: how.timed_out,
        agent_session: job.agent_session.clone(),
        message: format!("job {}{place}: {}{asks}{late}.", job.id, how.status),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use std::time::Duration;

    use chrono::TimeDelta;

    use super::*;
    use crate::core::job::JobStatus;
    use crate::core::job::{EventKind, JobEvent, NewJob, apply, cancel};
    use crate::core::memory::Memory;

    fn start() -> DateTime<Utc> {
        DateTime::from_timestamp(1_790_000_000, 0).unwrap()
    }

    fn job(id: &str) -> Job {
        Job::new(NewJob {
            id: id.parse().unwrap(),
            at: start(),
            prompt: None,
            agent: None,
            agent_session: Some("tmux:a\u{1b}[31m".to_owned()),
            timeout: None,
            idle_timeout: Some(Duration::from_secs(60)),
            expected_artifacts: Vec::new(),
            auth_token: None,
            root: None,
            broker: None,
        })
    }

    fn then(job: &Job, kind: EventKind, after: i64) -> Job {
        let event = JobEvent::next(job, kind, String::new(), None, start()).unwrap();
        apply(job, &event, start() + TimeDelta::seconds(after))
    }

    #[test]
    fn each_change_of_a_job_is_told_once_and_progress_is_not() {
        let mut teller = JobTeller::default();
        let mut told = |jobs: &[Job], after: i64| -> Vec<String> {
            let now = start() + TimeDelta::seconds(after);
            let events = teller.after(jobs, now, None, &[], now);
            events
                .into_iter()
                .map(|event| match event {
                    Event::Job(change) => change.message,
                    other => panic!("{other:?}"),
                })
                .collect()
        };
        let place = "tmux:a\\u{1b}[31m";
        let old = job("old");
        assert!(told(std::slice::from_ref(&old), 0).is_empty(), "what was there is not news");
        let new = job("new");
        assert_eq!(told(&[old.clone(), new.clone()], 1), [format!("job new in {place}: pending.")]);
        assert!(told(&[old.clone(), new.clone()], 2).is_empty());
        let new = then(&new, EventKind::Started, 3);
        assert_eq!(told(&[old.clone(), new.clone()], 3), [format!("job new in {place}: running.")]);
        let new = then(&new, EventKind::Progress, 4);
        assert!(told(&[old.clone(), new.clone()], 4).is_empty());
        let new = then(&new, EventKind::PermissionRequired, 5);
        assert_eq!(told(&[old.clone(), new.clone()], 5), [format!("job new in {place}: running, asks for permission.")]);
        assert!(told(&[old.clone(), new.clone()], 6).is_empty());
        assert_eq!(told(&[old.clone(), new.clone()], 60), [format!("job old in {place}: pending, idle.")]);
        let new = then(&new, EventKind::Completed, 61);
        let old = cancel(&old, start()).unwrap();
        let both = [format!("job old in {place}: cancelled."), format!("job new in {place}: completed.")];
        assert_eq!(told(&[old, new], 62), both);
    }

    #[test]
    fn what_an_earlier_run_told_is_not_told_again_and_what_happened_since_is() {
        let (same, gone_on, new) = (job("same"), job("gone_on"), job("new"));
        let mut memory = Memory::default();
        memory.note_jobs("me", &[same.clone(), gone_on.clone()], start());
        let gone_on = then(&gone_on, EventKind::Completed, 1);
        let later = start() + TimeDelta::seconds(2);
        let jobs = [same, gone_on, new];
        let told = JobTeller::default().after(&jobs, later, memory.jobs.get("me"), &[], later);
        let told: Vec<_> = told
            .iter()
            .map(|event| match event {
                Event::Job(change) => (change.job.as_str(), change.from, change.status),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(told, [("gone_on", Some(JobStatus::Pending), JobStatus::Completed), ("new", None, JobStatus::Pending)]);
        assert!(JobTeller::default().after(&jobs, later, memory.jobs.get("other"), &[], later).is_empty());
    }
}
