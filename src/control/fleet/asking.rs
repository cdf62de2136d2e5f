//! What is asked for next, so that no more is on its way than a broker queues, and whether it came. Never asks and never reads.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How many sessions may be on their way. A broker may drop what it cannot send at once; mosquitto, beyond 1,000 messages.
const AT_ONCE: usize = 500;

/// How many of them one request asks for. With several on their way, the broker always has something to send: it holds the end
/// of an answer back, for as long as 40 ms, until what it sent before was acknowledged (Nagle's algorithm).
const SHARE: usize = AT_ONCE / 4;

/// How many hosts one request asks about, at most.
const HOSTS_AT_ONCE: usize = 64;

/// How often the hosts are asked for if not all of them come: a broker that had to drop some will do so again.
const TRIES: u32 = 2;

/// What is asked for, in the order of its answers.
#[derive(Debug, Default)]
pub(super) struct HostQueries {
    /// Levels of hosts to ask about.
    queue: VecDeque<String>,
    /// Levels of hosts that were asked about.
    asked: BTreeSet<String>,
    /// Of those, the ones whose answer was lost, as it is if the broker had to drop some of it.
    lost: BTreeSet<String>,
    /// What has not come, and the mark that follows it.
    out: VecDeque<(u64, HostBatch)>,
    /// What is not waited for any more, by its mark, and may still come.
    late: BTreeMap<u64, Vec<String>>,
}

/// Hosts that are asked about by one request.
#[derive(Debug)]
pub(super) struct HostBatch {
    pub(super) levels: Vec<String>,
    /// How many sessions they are taken to have.
    sessions: usize,
}

impl HostQueries {
    /// Whether nobody is left in the queue.
    pub(super) fn is_exhausted(&self) -> bool {
        self.queue.is_empty()
    }

    /// Whether everything that was asked for has come.
    pub(super) fn is_over(&self) -> bool {
        self.out.is_empty()
    }

    /// Asks about these as well, unless they were asked about.
    pub(super) fn queue<'a>(&mut self, levels: impl Iterator<Item = &'a str>) {
        self.queue.extend(levels.filter(|level| !self.asked.contains(*level)).map(str::to_owned));
    }

    /// Asks about these once more: not everything has come.
    pub(super) fn again(&mut self, levels: Vec<String>) {
        self.queue = levels.into();
    }

    /// The next request, unless as much is on its way as may be. One host that has more than that is asked about alone, and so
    /// is one that does not say how many it has, or of which something was dropped.
    pub(super) fn next(&mut self, declared: impl Fn(&str) -> Option<usize>) -> Option<HostBatch> {
        let on_their_way: usize = self.out.iter().map(|(_, batch)| batch.sessions).sum();
        let mut batch = HostBatch { levels: Vec::new(), sessions: 0 };
        while let Some(level) = self.queue.front() {
            let expected = declared(level).filter(|_| !self.lost.contains(level)).unwrap_or(AT_ONCE).max(1);
            let sessions = batch.sessions + expected;
            let is_first = batch.levels.is_empty();
            let is_alone = is_first && self.out.is_empty();
            let is_more = !is_first && (sessions > SHARE || batch.levels.len() >= HOSTS_AT_ONCE);
            if is_more || (!is_alone && on_their_way + sessions > AT_ONCE) {
                break;
            }
            batch.sessions = sessions;
            batch.levels.extend(self.queue.pop_front());
        }
        Some(batch).filter(|batch| !batch.levels.is_empty())
    }

    /// A request was written, and this mark after it.
    pub(super) fn sent(&mut self, batch: HostBatch, mark: u64) {
        self.asked.extend(batch.levels.iter().cloned());
        self.out.push_back((mark, batch));
    }

    /// A request could not be written.
    pub(super) fn put_back(&mut self, batch: HostBatch) {
        batch.levels.into_iter().rev().for_each(|level| self.queue.push_front(level));
    }

    /// This mark was answered. Answers come in order: one that should have come before was lost, and is asked for once more.
    pub(super) fn marked(&mut self, mark: u64) {
        if let Some(levels) = self.late.remove(&mark) {
            self.queue.retain(|level| !levels.contains(level));
            self.lost.retain(|level| !levels.contains(level));
        }
        while self.out.front().is_some_and(|(of, _)| *of <= mark) {
            if let Some((of, batch)) = self.out.pop_front()
                && of != mark
            {
                self.lose(batch);
            }
        }
    }

    /// What is on its way is not waited for any more.
    pub(super) fn give_up(&mut self) {
        for (mark, batch) in std::mem::take(&mut self.out) {
            self.late.insert(mark, batch.levels.clone());
            self.lose(batch);
        }
    }

    fn lose(&mut self, batch: HostBatch) {
        self.lost.extend(batch.levels.iter().cloned());
        self.queue.extend(batch.levels);
    }
}

/// How far the statements of all hosts have come. Nobody counts hosts; but a broker that has to drop some of them drops the
/// answer to the mark behind them as well.
#[derive(Debug, Default)]
pub(super) struct Hosts {
    mark: u64,
    tries: u32,
    /// Whether all of them came.
    pub(super) are_whole: bool,
}

impl Hosts {
    /// They were asked for, and this mark was set after it.
    pub(super) fn asked(&mut self, mark: u64) {
        (self.mark, self.tries) = (mark, self.tries + 1);
    }

    /// This mark was answered.
    pub(super) fn marked(&mut self, mark: u64) {
        self.are_whole |= mark == self.mark;
    }

    /// Whether asking for them once more is of no use.
    pub(super) fn are_dropped(&self) -> bool {
        !self.are_whole && self.tries >= TRIES
    }
}

/// The filter of a host's sessions, by the level of its topics.
pub(super) fn sessions(level: &str) -> String {
    format!("headcount/{level}/session/+")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Asks about hosts that have so many sessions until everything has come, each answer as late as it can be: the requests,
    /// and the most sessions that were on their way.
    fn ask(hosts: &[(&str, Option<usize>)]) -> (Vec<Vec<String>>, usize) {
        let declared = |level: &str| hosts.iter().find(|(name, _)| *name == level).unwrap().1;
        let (mut asking, mut mark, mut requests, mut most) = (HostQueries::default(), 0, Vec::new(), 0);
        asking.queue(hosts.iter().map(|(name, _)| *name));
        loop {
            while let Some(batch) = asking.next(declared) {
                mark += 1;
                requests.push(batch.levels.clone());
                asking.sent(batch, mark);
                most = most.max(asking.out.iter().map(|(_, batch)| batch.sessions).sum());
            }
            let Some((first, _)) = asking.out.front() else { break };
            asking.marked(*first);
        }
        assert!(asking.is_exhausted() && asking.is_over());
        (requests, most)
    }

    #[test]
    fn every_host_is_asked_about_once_and_never_more_is_on_its_way_than_a_broker_queues() {
        let names: Vec<String> = (0..1000).map(|n| format!("h{n:04}")).collect();
        for each in [0, 1, 3, 49, 100, 126, 300, 500] {
            let hosts: Vec<(&str, Option<usize>)> = names.iter().map(|name| (name.as_str(), Some(each))).collect();
            let (requests, most) = ask(&hosts);
            assert_eq!(requests.concat(), names, "{each} each");
            assert!(most <= AT_ONCE, "{most} on their way with {each} each");
            assert!(requests.iter().all(|request| request.len() <= HOSTS_AT_ONCE), "{each} each");
            assert!(each > AT_ONCE / 2 || most > AT_ONCE / 4, "{most} on their way with {each} each is too few");
        }
    }

    #[test]
    fn a_host_with_more_than_may_be_at_once_or_that_does_not_say_is_asked_about_alone() {
        let (requests, most) = ask(&[("a", Some(10)), ("big", Some(900)), ("b", Some(10)), ("silent", None), ("c", Some(10))]);
        assert_eq!(requests, [vec!["a"], vec!["big"], vec!["b"], vec!["silent"], vec!["c"]]);
        assert_eq!(most, 900);
    }

    #[test]
    fn an_answer_that_was_lost_is_asked_for_once_more_and_alone() {
        let mut asking = HostQueries::default();
        asking.queue(["a", "b", "c"].into_iter());
        for mark in 1..=3 {
            let batch = asking.next(|_| Some(SHARE)).unwrap();
            asking.sent(batch, mark);
        }
        asking.marked(2);
        assert_eq!(asking.next(|_| Some(SHARE)).map(|batch| batch.levels), None, "while another is on its way");
        asking.marked(3);
        let batch = asking.next(|_| Some(SHARE)).unwrap();
        assert_eq!(batch.levels, ["a"]);
        asking.sent(batch, 4);
        asking.queue(["a", "b", "c"].into_iter());
        assert!(asking.is_exhausted() && !asking.is_over(), "asked about once more without a reason");
        asking.give_up();
        assert!(asking.is_over() && !asking.is_exhausted());
        let batch = asking.next(|_| Some(1)).unwrap();
        assert_eq!(batch.levels, ["a"]);
        asking.sent(batch, 5);
        asking.marked(5);
        assert!(asking.is_over() && asking.is_exhausted());
    }
    #[test]
    fn an_answer_that_comes_late_is_not_asked_for_once_more() {
        let mut asking = HostQueries::default();
        asking.queue(["a", "b"].into_iter());
        for mark in 1..=2 {
            let batch = asking.next(|_| Some(SHARE)).unwrap();
            asking.sent(batch, mark);
        }
        asking.give_up();
        asking.marked(1);
        let batch = asking.next(|_| Some(1)).unwrap();
        assert_eq!(batch.levels, ["b"]);
        asking.sent(batch, 3);
        asking.marked(2);
        asking.marked(3);
        assert!(asking.is_over() && asking.is_exhausted());
    }
}
