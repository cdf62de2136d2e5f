//! Which commands another host may be asked for, and what becomes of one whose asker went away. Runs none.

use crate::cli::args::{CrewCommand, FleetVerb, JobVerb, Verb};
use crate::core::manifest::lead::Permissions;

/// What a command is for the headcount of another host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// It only looks, or waits: it ends with whoever asked.
    Look,
    /// The same, and it may go on for ever.
    Follow,
    /// It goes on for ever and acts: it is asked to end.
    Keep,
    /// It acts: what was begun is done to its end.
    Act,
    /// It is not done for another host; why not.
    Never(&'static str),
}

impl Reach {
    /// What a command is.
    pub(crate) fn of(verb: &Verb) -> Self {
        const PERSON: &str = "only a person on the host itself may say so";
        const HERE: &str = "it is about this program, and the same everywhere: run it without -H";
        match verb {
            Verb::Status(args) if args.watch => Self::Follow,
            Verb::Logs(args) if args.follow => Self::Follow,
            Verb::Events(args) if args.follow => Self::Follow,
            Verb::Fleet(args) => match &args.verb {
                FleetVerb::Status(args) if args.watch => Self::Follow,
                FleetVerb::Status(_) => Self::Look,
            },
            Verb::Status(_) | Verb::Diff(_) | Verb::Describe(_) | Verb::Explain(_) | Verb::History(_) | Verb::Plan(_) => {
                Self::Look
            }
            Verb::Read(_) | Verb::Logs(_) | Verb::Screen(_) | Verb::Events(_) | Verb::Wait(_) | Verb::Check(_) => Self::Look,
            Verb::Doctor(_) => Self::Look,
            Verb::Watch(args) if args.on_drift.is_some() || !args.on.is_empty() => {
                Self::Never("--on and --on-drift run commands: start that watch on the host itself")
            }
            Verb::Watch(_) => Self::Keep,
            Verb::Record(args) if args.subscribe => Self::Keep,
            Verb::Record(_) | Verb::Undo(_) | Verb::Apply(_) | Verb::Start(_) | Verb::Stop(_) | Verb::Restart(_) => Self::Act,
            Verb::New(_) | Verb::Rm(_) | Verb::Forget(_) | Verb::Rename(_) | Verb::Move(_) | Verb::Handoff(_) => Self::Act,
            Verb::Release(_)
            | Verb::Send(_)
            | Verb::Queue(_)
            | Verb::Ask(_)
            | Verb::Answer(_)
            | Verb::Init(_)
            | Verb::Import(_)
            | Verb::Hooks(_)
            | Verb::Links(_) => Self::Act,
            Verb::Job(args) => match &args.verb {
                JobVerb::Events(args) if args.follow => Self::Follow,
                JobVerb::Logs(args) if args.follow => Self::Follow,
                JobVerb::Logs(_) => Self::Look,
                // What nobody may grant from afar, and what would be run or read there.
                JobVerb::Run(args) if args.permissions == Permissions::Bypass => {
                    Self::Never("--permissions bypass is for the host itself: run that job there")
                }
                JobVerb::Run(args) if args.notify.is_some() || args.file.is_some() || !args.args.is_empty() => {
                    Self::Never("--notify, --file and flags of the agent are for the host itself: run that job there")
                }
                JobVerb::Run(_) | JobVerb::Stop(_) | JobVerb::Resume(_) => Self::Act,
                JobVerb::List(_) | JobVerb::Show(_) | JobVerb::Events(_) | JobVerb::Wait(_) => Self::Look,
                JobVerb::Submit(_) | JobVerb::Publish(_) | JobVerb::Cancel(_) | JobVerb::Prune(_) => Self::Act,
            },
            Verb::Crew(args) => match &args.verb {
                CrewCommand::Bus(args) if args.follow => Self::Follow,
                CrewCommand::Status(_) | CrewCommand::Context(_) | CrewCommand::Bus(_) => Self::Look,
                CrewCommand::Reply(_) => Self::Never("only the agent on the host itself may say so"),
                CrewCommand::Init(_)
                | CrewCommand::Assign(_)
                | CrewCommand::Dispatch(_)
                | CrewCommand::Answer(_)
                | CrewCommand::Inbox(_)
                | CrewCommand::Requeue(_)
                | CrewCommand::Cancel(_)
                | CrewCommand::Guard(_) => Self::Act,
            },
            Verb::Allow(_) | Verb::Consent(_) => Self::Never(PERSON),
            Verb::Attach(_) => Self::Never("it takes a terminal"),
            Verb::Mcp(_) => Self::Never("an agent starts it on its own host"),
            Verb::Ui(_) => Self::Never("it shows the sessions of every host of the manifest: run it without -H"),
            Verb::Serve(_) => Self::Never("it is what serves you there already"),
            Verb::Demo(_) | Verb::Schema(_) | Verb::Completions(_) | Verb::Man(_) | Verb::Complete(_) => Self::Never(HERE),
        }
    }

    /// Whether nothing is changed by it.
    pub(crate) fn is_look(self) -> bool {
        matches!(self, Self::Look | Self::Follow)
    }

    /// Whether its answer may be as long as it likes.
    pub(crate) fn is_endless(self) -> bool {
        matches!(self, Self::Follow | Self::Keep)
    }
}
