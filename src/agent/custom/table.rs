//! The drive table of an agent that a manifest declares. What the manifest leaves out is never tried.

use std::borrow::Cow;

use rustix::process::Signal;

use crate::agent::dialogs::{Dialogs, StartDialog};
use crate::agent::drive::{LaunchTable, QuitForm, ReadySign};
use crate::agent::recognise::Words;
use crate::core::agents::{Definition, Drive};
use crate::core::ids::MuxKind;
use crate::core::lead::{DialogSubject, PaneKey};
use crate::core::manifest::lead::Permissions;

/// An id of the kind that headcount gives to conversations.
const SAMPLE: &str = "00000000-0000-4000-8000-000000000000";
/// How long what its screen shows has to stand, in milliseconds.
const SETTLE: u64 = 300;
/// How long it may take to end, in seconds, where the manifest does not say.
const GRACE: u32 = 10;
/// The signals that a manifest may name.
const SIGNALS: [(&str, Signal); 3] = [("SIGTERM", Signal::TERM), ("SIGINT", Signal::INT), ("SIGHUP", Signal::HUP)];

/// The table that a manifest gives.
pub(super) fn table(definition: &Definition, drive: &Drive) -> LaunchTable {
    let word = |text: &String| Words::Declared(vec![text.clone()]);
    let mode = |mode: Permissions| drive.permission.get(mode.as_str()).map(|flags| Words::Declared(flags.clone()));
    let trust = |text: &String| StartDialog { subject: DialogSubject::Trust, shows: word(text), answer: None };
    LaunchTable {
        version: None,
        muxes: &[MuxKind::Tmux, MuxKind::Zellij],
        id_flag: drive.id_flag.clone().filter(|_| definition.is_id(SAMPLE)).map(Cow::Owned),
        always: Words::Declared(drive.start.clone()),
        permissions: [mode(Permissions::Ask), mode(Permissions::Edit), mode(Permissions::Bypass)],
        prompt: None,
        commands: &[],
        ready: drive.ready.as_ref().map_or(ReadySign::Unsaid, |text| ReadySign::Screen(word(text))),
        settle: SETTLE,
        dialogs: Dialogs::Declared(drive.trust.iter().map(trust).collect()),
        composer: drive.composer.clone(),
        quit: quit(definition, drive),
        is_group: true,
        grace: drive.grace.map_or(GRACE, |grace| u32::try_from(grace.as_secs()).unwrap_or(u32::MAX)),
        blank: &[],
        set: &[],
    }
}

fn quit(definition: &Definition, drive: &Drive) -> QuitForm {
    let name = definition.name.as_str();
    if drive.quit.is_empty() {
        return QuitForm::Unsaid(format!(
            "the manifest does not say how {name} quits: give it `drive: {{ quit: [SIGTERM] }}`, or the keys that quit it"
        ));
    }
    if let [word] = drive.quit.as_slice()
        && let Some((_, signal)) = SIGNALS.iter().find(|(known, _)| known == word)
    {
        return QuitForm::Signal(*signal);
    }
    let keys: Option<Vec<PaneKey>> = drive.quit.iter().map(|word| PaneKey::parse(word)).collect();
    match (keys, &drive.composer) {
        (None, _) => QuitForm::Unsaid(format!("`quit` of {name} holds something that is neither a key nor a text to type")),
        (Some(_), None) => QuitForm::Unsaid(format!(
            "{name} quits by keys, which are typed into an empty composer only, and the manifest does not say what that begins with"
        )),
        (Some(keys), Some(_)) => QuitForm::Keys(keys),
    }
}
