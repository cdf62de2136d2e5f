//! What can happen: to the world, at the keyboard of a person who edits the manifest, and to the watch. Sessions, entries and
//! conversations are meant by small numbers; a step about something that is not there does nothing.

use super::dice::Dice;

/// The tmux servers.
pub const SERVERS: [&str; 2] = ["default", "canary"];
/// How many names sessions have.
const NAMES: usize = 5;

/// A session: its server and name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub server: usize,
    pub name: usize,
}

/// Something that happens.
#[derive(Debug, Clone)]
pub enum Step {
    /// A session with an agent, in the pane itself or below a shell; in a new conversation, or one there was before. One that is
    /// `mute` enters itself nowhere: nobody can tell what it is in.
    Create { at: Place, below_shell: bool, resumes: Option<usize>, mute: bool },
    /// A session ends, its processes with it.
    Kill(Place),
    /// The agent ends, its pane stays.
    Exit(Place),
    /// An agent starts below a shell that has none.
    Launch { at: Place, mute: bool },
    /// The agent ends, its conversation is resumed in another session, and a fresh agent begins in the old one.
    Handover { at: Place, to: Place, mute: bool },
    /// The agent enters another conversation: a new one, or one there was before.
    Clear { at: Place, resumes: Option<usize> },
    /// Another name.
    Rename { at: Place, to: usize },
    /// A second pane with an agent.
    Split(Place),
    /// The agent's process is gone and another agent has its id.
    Reuse(Place),
    /// The transcript of the agent's conversation appears, goes, or comes back.
    Transcript(Place),
    /// Processes of a session may not be read, or may again.
    Hide(Place),
    /// A server stops answering, or answers again.
    Wedge(usize),
    /// A server ends with all of its sessions.
    End(usize),
    /// The host is booted anew.
    Reboot,
    /// Another server takes a server's socket over: its sessions live on and nobody can reach them.
    Replace(usize),
    /// The clock is set, by so many seconds.
    Clock(i64),
    /// What headcount remembers is lost, and the watch is started anew.
    Forget,
    /// The manifest is what it was some passes ago, as after a checkout.
    Checkout(usize),
    /// Time passes, in seconds.
    Wait(usize),
    /// What happened since the last pass was not heard of.
    Deafen,
    /// A person edits the manifest and saves it.
    Edit(Deed),
    /// The watch makes a pass about what it heard.
    Pass,
    /// The same, and a person saves at this step of writing.
    Race { deed: Deed, at: usize },
    /// The watch looks at everything, for its resync.
    Resync,
    /// The watch is ended and started anew.
    Restart,
    /// Everything answers again, time passes, and then nothing may be missed.
    Settle,
}

/// What a person does to the manifest.
#[derive(Debug, Clone)]
pub enum Deed {
    /// A comment on a line of its own, above the line with this number.
    Comment(usize),
    /// A comment at the end of a line.
    Trail(usize),
    /// A field headcount does not know.
    Note(usize),
    /// A label.
    Label(usize),
    /// An entry for a session, whether or not there is one.
    Declare(Place),
    /// An entry is taken away.
    Remove(usize),
    /// An entry moves to the end.
    Demote(usize),
    /// A status.
    Status(usize, usize),
    /// A conversation there was: in place of the recorded one, or for the first time.
    Id(usize, usize),
    /// An entry is suspended, or no more.
    Suspend(usize),
    /// `suspend: false` is written down, also where it holds anyway.
    Awake(usize),
    /// An entry is given the name of another session.
    Name(usize, usize),
    /// A copy of an entry, its conversation and pane included, for another session.
    Copy(usize, Place),
    /// An entry is given the other agent.
    Agent(usize),
    /// More than half of the entries are cut off.
    Halve,
    /// The text stops being YAML, or is mended.
    Break,
}

impl Place {
    fn any(dice: &mut Dice) -> Self {
        Self { server: usize::from(dice.below(3) == 0), name: dice.below(NAMES) }
    }
}

impl Step {
    /// Any step, the frequent ones more often.
    pub fn any(dice: &mut Dice) -> Self {
        let at = Place::any(dice);
        match dice.below(104) {
            0..=12 => Self::Create { at, below_shell: dice.chance(2), resumes: known(dice), mute: dice.chance(6) },
            13 => Self::Handover { at, to: Place::any(dice), mute: dice.chance(2) },
            14..=19 => Self::Kill(at),
            20..=22 => Self::Exit(at),
            23..=25 => Self::Launch { at, mute: dice.chance(3) },
            26..=32 => Self::Clear { at, resumes: known(dice) },
            33..=35 => Self::Rename { at, to: dice.below(NAMES) },
            36..=37 => Self::Split(at),
            38 => Self::Reuse(at),
            39..=43 => Self::Transcript(at),
            44 => Self::Hide(at),
            45..=46 => Self::Wedge(at.server),
            47 => Self::End(at.server),
            48 if dice.chance(2) => Self::Reboot,
            49 => Self::Wait(1),
            48 | 50..=54 => Self::Wait(dice.below(7)),
            55..=56 => Self::Deafen,
            57..=72 => Self::Edit(Deed::any(dice)),
            73..=89 => Self::Pass,
            90..=92 => Self::Race { deed: Deed::any(dice), at: dice.below(13) },
            93 => Self::Resync,
            94 => Self::Restart,
            95 => Self::Checkout(dice.below(8)),
            96 if dice.chance(2) => Self::Replace(at.server),
            97 if dice.chance(2) => Self::Clock(*dice.pick(&[-5417, -73, 67, 5407])),
            98 if dice.chance(3) => Self::Forget,
            _ => Self::Settle,
        }
    }
}

/// Now and then a conversation there was before.
fn known(dice: &mut Dice) -> Option<usize> {
    (dice.below(4) == 0).then(|| dice.below(8))
}

impl Deed {
    fn any(dice: &mut Dice) -> Self {
        let which = dice.below(8);
        match dice.below(26) {
            0..=1 => Self::Comment(dice.below(64)),
            2..=3 => Self::Trail(dice.below(64)),
            4 => Self::Note(which),
            5 => Self::Label(which),
            6..=11 => Self::Declare(Place::any(dice)),
            12..=13 => Self::Remove(which),
            14 => Self::Demote(which),
            15..=17 => Self::Status(which, dice.below(4)),
            18..=19 => Self::Id(which, dice.below(8)),
            20 if dice.chance(3) => Self::Awake(which),
            20 => Self::Suspend(which),
            21 => Self::Name(which, dice.below(NAMES)),
            22 => Self::Halve,
            23 => Self::Copy(which, Place::any(dice)),
            24 if dice.chance(2) => Self::Agent(which),
            _ => Self::Break,
        }
    }
}
