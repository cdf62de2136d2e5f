//! The conditions of a session whose agent does not run: a failure needs evidence, and an end that nobody saw is no failure.

use chrono::{DateTime, Utc};

use super::{Condition, ConditionReport, ConditionSource};
use crate::core::hooks::{HookEvent, HookKind};
use crate::core::lead::series::RunEnding;

/// What is known of how a session ended.
#[derive(Debug, Clone, Default)]
pub struct EndSigns<'a> {
    /// What was seen instead of it, one line.
    pub instead: &'a str,
    /// How the agent that headcount started last has ended, and when, unless it was seen alive after that.
    pub run: Option<(RunEnding, Option<DateTime<Utc>>)>,
    /// When headcount was last asked to stop it, if it was not started since.
    pub stopped: Option<DateTime<Utc>>,
    /// Whether its server ended, or the host was booted, since it was started; in one line, how.
    pub lost: Option<&'a str>,
    /// What the last agent there said last by a hook.
    pub said: Option<&'a HookEvent>,
    /// What the manifest records: how it ended, and when.
    pub recorded: Option<(&'a str, Option<DateTime<Utc>>)>,
    /// When it was first seen not to run any more.
    pub missed: Option<DateTime<Utc>>,
}

/// Whether a run ended by a failure.
pub fn has_crashed(ending: RunEnding, is_lost: bool) -> bool {
    match ending {
        RunEnding::Failure => true,
        RunEnding::HungUp | RunEnding::Unknown => is_lost,
        RunEnding::None | RunEnding::Quit | RunEnding::Person => false,
    }
}

impl EndSigns<'_> {
    /// The condition that holds.
    pub fn condition(&self) -> ConditionReport {
        let operations =
            |condition, since, evidence: &str| ConditionReport::new(condition, ConditionSource::Operations, since, evidence);
        let quit = self.said.filter(|event| event.kind == HookKind::SessionEnd);
        if let Some(at) = self.stopped {
            return operations(Condition::Ended, self.run.and_then(|(_, at)| at).or(Some(at)), "headcount stopped it");
        }
        match self.run {
            Some((RunEnding::None, _)) => {
                return ConditionReport::unknown(ConditionSource::Operations, "how its agent ended is being written down");
            }
            Some((ending, at)) if has_crashed(ending, self.lost.is_some()) => {
                let evidence = match (ending, self.lost) {
                    (RunEnding::Failure, _) => "its agent ended by a failure, says its launcher",
                    (_, lost) => lost.unwrap_or("its agent ended by a failure"),
                };
                return operations(Condition::Crashed, at, evidence);
            }
            Some((RunEnding::Quit, at)) => return operations(Condition::Ended, at, "its agent quit, says its launcher"),
            Some((RunEnding::Person, at)) => {
                return operations(Condition::Ended, at, "somebody ended its agent, says its launcher");
            }
            Some((RunEnding::HungUp, at)) => return operations(Condition::Ended, at, "its pane was closed, says its launcher"),
            Some((RunEnding::Unknown | RunEnding::Failure, _)) | None => {}
        }
        match (quit, self.recorded) {
            (Some(event), _) => {
                let why = event.detail.as_deref().map(|why| format!(" ({why})")).unwrap_or_default();
                let evidence = format!("its agent said that it ended{why}");
                ConditionReport::new(Condition::Ended, ConditionSource::Hooks, Some(event.at), evidence)
            }
            (None, Some((how, at))) => ConditionReport::new(Condition::Ended, ConditionSource::Manifest, at, how),
            (None, None) => ConditionReport::new(Condition::Gone, ConditionSource::Multiplexer, self.missed, self.instead),
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;
    use crate::core::hooks::ProcessMark;
    use crate::core::ids::AgentKind;

    fn said(kind: HookKind) -> HookEvent {
        HookEvent {
            at: DateTime::UNIX_EPOCH,
            agent: AgentKind::Claude,
            kind,
            process: ProcessMark { pid: 1, start_ticks: 1 },
            ancestors: Vec::new(),
            session_id: None,
            transcript: None,
            cwd: None,
            prompt: None,
            detail: Some("prompt_input_exit".into()),
            turn: None,
            background: None,
        }
    }

    fn judged(signs: &EndSigns<'_>) -> (Condition, ConditionSource) {
        let report = signs.condition();
        (report.condition, report.source)
    }

    #[test]
    fn a_failure_needs_evidence_and_a_stop_of_ours_is_none() {
        use Condition::{Crashed, Ended, Gone, Unknown};
        use ConditionSource::{Hooks, Manifest, Multiplexer, Operations};
        let run = |ending| EndSigns { run: Some((ending, None)), instead: "no session of its name", ..EndSigns::default() };
        assert_eq!(judged(&EndSigns::default()), (Gone, Multiplexer), "no evidence at all");
        assert_eq!(judged(&run(RunEnding::Failure)), (Crashed, Operations));
        assert_eq!(judged(&run(RunEnding::Quit)), (Ended, Operations));
        assert_eq!(judged(&run(RunEnding::Person)), (Ended, Operations));
        assert_eq!(judged(&run(RunEnding::HungUp)), (Ended, Operations), "a pane that was closed");
        assert_eq!(judged(&run(RunEnding::Unknown)), (Gone, Multiplexer));
        assert_eq!(judged(&run(RunEnding::None)), (Unknown, Operations), "its launcher is still there");
        for ending in [RunEnding::HungUp, RunEnding::Unknown] {
            let lost = EndSigns { lost: Some("its server ended"), ..run(ending) };
            assert_eq!(judged(&lost), (Crashed, Operations), "{ending:?}");
        }
        for ending in [RunEnding::Quit, RunEnding::Person] {
            let lost = EndSigns { lost: Some("its server ended"), ..run(ending) };
            assert_eq!(judged(&lost), (Ended, Operations), "{ending:?}: before its server did");
        }
        for ending in [RunEnding::Failure, RunEnding::Quit, RunEnding::Unknown] {
            let stopped = EndSigns { stopped: Some(DateTime::UNIX_EPOCH), ..run(ending) };
            assert_eq!(judged(&stopped), (Ended, Operations), "{ending:?} after a stop");
        }
        let (end, stop) = (said(HookKind::SessionEnd), said(HookKind::Stop));
        assert_eq!(judged(&EndSigns { said: Some(&end), ..EndSigns::default() }), (Ended, Hooks));
        assert_eq!(judged(&EndSigns { said: Some(&stop), ..EndSigns::default() }), (Gone, Multiplexer));
        let recorded = EndSigns { recorded: Some(("recorded as stopped", None)), ..EndSigns::default() };
        assert_eq!(judged(&recorded), (Ended, Manifest));
    }
}
