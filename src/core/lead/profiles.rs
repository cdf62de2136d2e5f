//! What a front end leaves out of the rules of leading and driving, because the tool it stands in for has no such rule. Values only; each
//! rule is applied where it stands.

/// A rule that a front end may relax.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeadRule {
    /// An agent that asks nothing is started only after `headcount consent bypass`.
    Consent,
    /// Arguments are flags, none of which says a prompt or a permission.
    PlainArguments,
    /// An agent is ready when it says so itself or by its screen. Without that rule a hook that was heard is enough.
    ReadyByItself,
    /// Nothing is typed but to an agent that is known.
    AgentInPane,
    /// Nothing is typed while a turn goes on. Without that rule it is, to an agent that asks nobody for anything.
    TurnOver,
    /// Nothing is typed, and nothing ended, while somebody is at a terminal that shows the session.
    Watched,
    /// A working agent is stopped at the end of its turn.
    TurnEnd,
    /// What does not end when asked is not killed.
    Kill,
    /// A session is closed only if headcount made it.
    SessionKept,
    /// A text goes into an empty composer only, and a key is pressed only behind a text of ours or as an answer.
    EmptyComposer,
    /// Nothing is typed into the session that the command itself runs in.
    OwnSession,
    /// What is typed stands in an operation on disk first, and in a receipt afterwards.
    Recorded,
}

/// What has to be relaxed where a look at a pane is all that comes before typing.
pub(in crate::core::lead) const MERELY_READ: [LeadRule; 6] = [
    LeadRule::AgentInPane,
    LeadRule::TurnOver,
    LeadRule::Watched,
    LeadRule::EmptyComposer,
    LeadRule::OwnSession,
    LeadRule::Recorded,
];

impl LeadRule {
    /// Every rule.
    pub const ALL: [Self; 12] = [
        Self::Consent,
        Self::PlainArguments,
        Self::ReadyByItself,
        Self::AgentInPane,
        Self::TurnOver,
        Self::Watched,
        Self::TurnEnd,
        Self::Kill,
        Self::SessionKept,
        Self::EmptyComposer,
        Self::OwnSession,
        Self::Recorded,
    ];
}

/// For which tool a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeadProfile {
    /// Its name.
    pub name: &'static str,
    relaxed: &'static [LeadRule],
}

impl LeadProfile {
    /// headcount itself.
    pub const OWN: Self = Self { name: "own", relaxed: &[] };

    /// claude-session-driver 4.0.1, whose workers ask nobody for anything after its own consent.
    pub const CSD: Self = Self {
        name: "csd",
        relaxed: &[
            LeadRule::Consent,
            LeadRule::PlainArguments,
            LeadRule::ReadyByItself,
            LeadRule::AgentInPane,
            LeadRule::TurnOver,
            LeadRule::Watched,
            LeadRule::TurnEnd,
            LeadRule::Kill,
            LeadRule::SessionKept,
        ],
    };

    /// The tools that work across zellij sessions by tasks.
    pub const TASK: Self = Self { name: "task", relaxed: &[] };

    /// tmux-bridge 2.0.0 and the scripts on top of it: whoever types has read the pane just before, and that stands for all else.
    pub const BRIDGE: Self = Self { name: "bridge", relaxed: &MERELY_READ };

    /// Whether a rule does not count for it.
    pub fn relaxes(self, rule: LeadRule) -> bool {
        self.relaxed.contains(&rule)
    }
}

impl Default for LeadProfile {
    fn default() -> Self {
        Self::OWN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn relaxed(profile: LeadProfile) -> Vec<LeadRule> {
        LeadRule::ALL.into_iter().filter(|rule| profile.relaxes(*rule)).collect()
    }

    #[test]
    fn headcount_itself_relaxes_nothing() {
        assert_eq!(relaxed(LeadProfile::OWN), []);
        assert_eq!(LeadProfile::default(), LeadProfile::OWN);
        assert_eq!(relaxed(LeadProfile::TASK), [], "nor do the tools of tasks");
    }

    /// Whoever lets it relax more says so here and in docs/csd.md.
    #[test]
    fn csd_relaxes_just_these_rules() {
        use LeadRule::{AgentInPane, Consent, Kill, PlainArguments, ReadyByItself, SessionKept, TurnEnd, TurnOver, Watched};
        let rules = [Consent, PlainArguments, ReadyByItself, AgentInPane, TurnOver, Watched, TurnEnd, Kill, SessionKept];
        assert_eq!(relaxed(LeadProfile::CSD), rules);
    }

    /// Whoever lets it relax more says so here and in docs/bridge.md.
    #[test]
    fn the_bridge_relaxes_just_these_rules() {
        use LeadRule::{AgentInPane, EmptyComposer, OwnSession, Recorded, TurnOver, Watched};
        assert_eq!(relaxed(LeadProfile::BRIDGE), [AgentInPane, TurnOver, Watched, EmptyComposer, OwnSession, Recorded]);
    }
}
