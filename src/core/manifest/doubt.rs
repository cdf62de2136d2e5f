//! Unknown keys that were probably meant to say which session an entry is about, or where it is. Pure; never says what was meant
//! for sure.
//!
//! An entry with such a key is looked for in the wrong place, so what is found there, or not found, says nothing about it.

use serde_yaml::{Mapping, Value};

use super::SuspectKey;
use super::names::{Field, is_own_key, top};
use super::remark::{closest, slips_allowed};

/// The fields that say which session is meant, and where it is.
const PLACING: [Field; 6] = [Field::Name, Field::Agent, Field::Cwd, Field::Mux, Field::Server, Field::Host];

/// Those of them that a whole file may be thought to have.
const OF_A_FILE: [Field; 3] = [Field::Mux, Field::Server, Field::Host];

/// What others call them.
const ELSEWHERE: [(Field, &[&str]); 3] = [
    (Field::Mux, &["multiplexer", "terminal_multiplexer"]),
    (
        Field::Server,
        &[
            "socket",
            "socket_name",
            "socket_path",
            "socket_dir",
            "tmux_socket",
            "tmux_socket_name",
            "tmux_socket_path",
            "tmux_tmpdir",
            "server_name",
            "zellij_server",
            "zellij_socket",
            "zellij_socket_dir",
        ],
    ),
    (Field::Host, &["hostname", "host_name", "machine", "node"]),
];

/// Words of their own, however close they are to one of those.
const WORDS: [&str; 4] = ["cmd", "cost", "max", "post"];

/// What an unknown key may have been meant to be, in the spelling it is closest to.
pub(super) fn meant(key: &str, older: bool) -> Option<(Field, &'static str)> {
    if is_own_key(key) {
        return None;
    }
    let word = key.trim().to_lowercase().replace(['-', ' '], "_");
    if let Some((field, _)) = ELSEWHERE.iter().find(|(_, words)| words.contains(&word.as_str())) {
        return Some((*field, if older { field.older_name() } else { field.name() }));
    }
    if WORDS.contains(&word.as_str()) {
        return None;
    }
    // Only if nothing else is closer: `prompts` is no way to write a place.
    let best = closest(&word, Field::all_names())?;
    let field = Field::of_key(&best).filter(|field| PLACING.contains(field))?;
    let spelling = field.names().iter().find(|name| **name == best)?;
    (strsim::osa_distance(&word, spelling) <= slips_allowed(&word)).then_some((field, spelling))
}

/// What a key of the document itself may have been meant to be for all sessions.
pub(super) fn of_a_file(key: &str, older: bool) -> Option<&'static str> {
    let known = Field::of_key(key).and_then(|field| Some((field, *field.names().iter().find(|name| **name == key)?)));
    known.or_else(|| meant(key, older)).filter(|(field, _)| OF_A_FILE.contains(field)).map(|(_, spelling)| spelling)
}

/// A key of an entry that keeps it from being judged.
#[derive(Debug, Clone, Copy)]
pub(super) struct KeyInQuestion<'a> {
    /// The key.
    pub(super) key: &'a str,
    /// What it may mean.
    pub(super) meant: &'static str,
    other_name: Option<&'a str>,
}

impl KeyInQuestion<'_> {
    /// The same for the entry.
    pub(super) fn doubt(self) -> SuspectKey {
        SuspectKey { why: why("its entry has", self.key, self.meant), other_name: self.other_name.map(str::to_owned) }
    }
}

/// What stands outside the entries and was probably meant for all of them.
#[derive(Debug, Default)]
pub(super) struct MisplacedFields {
    older: bool,
    /// The field, and why an entry that does not say it cannot be judged.
    shared: Vec<(Field, String)>,
}

impl MisplacedFields {
    /// Those of a document with these defaults.
    pub(super) fn of(document: &Mapping, defaults: &Mapping, older: bool) -> Self {
        let mut shared = Vec::new();
        for (key, _) in texts(defaults) {
            shared.extend(meant(key, older).map(|(field, meant)| (field, why("`defaults` has", key, meant))));
        }
        let known: &[&str] = if older { &top::OLDER } else { &top::ALL };
        for (key, value) in texts(document).filter(|(key, _)| !known.contains(key)) {
            let place = "outside its sessions the manifest has";
            let field = of_a_file(key, older).and_then(|meant| Some((Field::of_key(meant)?, meant)));
            shared.extend(field.map(|(field, meant)| (field, why(place, key, meant))));
            if let Value::Mapping(fields) = value
                && closest(key, known.iter().copied()).as_deref() == Some(top::DEFAULTS)
            {
                let said = PLACING.into_iter().filter(|field| says(fields, *field));
                shared.extend(said.map(|field| (field, why(place, key, top::DEFAULTS))));
            }
        }
        Self { older, shared }
    }

    /// The first key of an entry that was probably meant to say what the entry does not say otherwise.
    pub(super) fn own<'a>(&self, own: &'a Mapping) -> Option<KeyInQuestion<'a>> {
        texts(own).filter(|(key, _)| Field::of_key(key).is_none()).find_map(|(key, value)| {
            let (field, meant) = meant(key, self.older)?;
            // Every entry has a name; one that has it in another spelling may have been given two.
            let is_said = if field == Field::Name { own.get(meant).is_some() } else { says(own, field) };
            let other_name = value.as_str().filter(|_| field == Field::Name);
            (!is_said).then_some(KeyInQuestion { key, meant, other_name })
        })
    }

    /// Why nothing may be registered: the manifest may declare it already, may not want it, or may put new entries elsewhere.
    pub(super) fn of_new_entries(&self, document: &Mapping, defaults: &Mapping) -> Option<String> {
        let place = self.shared.iter().find(|(field, _)| OF_A_FILE.contains(field) && !says(defaults, *field));
        let instead = |fields: &Mapping, meant: &'static str| {
            let is_slip = |key: &str| {
                let word = key.to_lowercase();
                !is_own_key(key) && strsim::osa_distance(&word, meant) <= slips_allowed(&word)
            };
            let found = texts(fields).map(|(key, _)| key).find(|key| is_slip(key));
            found.filter(|_| !fields.contains_key(meant)).map(str::to_owned).map(|key| (key, meant))
        };
        let discovery = document.get(top::DISCOVERY).and_then(Value::as_mapping);
        let mistyped = instead(document, top::SESSIONS)
            .or_else(|| instead(document, top::DISCOVERY))
            .or_else(|| instead(discovery?, top::DISCOVERY_NAMES));
        let why = mistyped.map(|(key, meant)| format!("the manifest has the unknown key `{key}`, which may mean `{meant}`"));
        why.map(|why| format!("{why}; nothing is registered until you fix that"))
            .or_else(|| place.map(|(_, why)| why.replace("not judged", "nothing is registered")))
    }

    /// Why an entry that says these things itself, or has them by default, cannot be judged for what stands outside it.
    pub(super) fn shared(&self, own: &Mapping, defaults: &Mapping) -> Option<SuspectKey> {
        let (_, why) = self.shared.iter().find(|(field, _)| !says(own, *field) && !says(defaults, *field))?;
        Some(SuspectKey { why: why.clone(), other_name: None })
    }
}

/// The keys that are text, with values that say something.
fn texts(fields: &Mapping) -> impl Iterator<Item = (&str, &Value)> {
    fields.iter().filter_map(|(key, value)| Some((key.as_str()?, value))).filter(|(_, value)| !value.is_null())
}

fn says(fields: &Mapping, field: Field) -> bool {
    field.names().iter().any(|name| fields.get(*name).is_some_and(|value| !value.is_null()))
}

fn why(place: &str, key: &str, meant: &str) -> String {
    match key == meant {
        true => format!("{place} `{key}`, which has no effect there; not judged until you fix that"),
        false => format!("{place} the unknown key `{key}`, which may mean `{meant}`; not judged until you fix that"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_fingers_and_another_word_for_a_place_are_told_from_words_of_their_own() {
        for (key, spelling) in [
            ("tmux_sever", "tmux_server"),
            ("tmux-server", "tmux_server"),
            ("Server", "server"),
            ("SERVER", "server"),
            ("servr", "server"),
            ("tmux_sesion", "tmux_session"),
            ("hots", "host"),
            ("mxu", "mux"),
            ("agnet", "agent"),
            ("worksapce", "workspace"),
            ("cdw", "cwd"),
            ("tmux_socket", "server"),
            ("zellij_socket_dir", "server"),
            ("hostname", "host"),
            ("multiplexer", "mux"),
        ] {
            assert_eq!(meant(key, false).map(|(_, spelling)| spelling), Some(spelling), "{key}");
        }
        assert_eq!(meant("tmux_socket", true).map(|(_, spelling)| spelling), Some("tmux_server"));
        let own = "cmd notes note role team owner priority ticket url branch tmux_window tmux_pane tmux_layout model color \
                   description lables statsu sesion_id pan agent_version host_os created_by depends_on last_seen x-host \
                   args_ env_file tags group port cost claude_sesion_id_own project window shell command";
        for key in own.split_whitespace() {
            assert_eq!(meant(key, false), None, "{key}");
            assert_eq!(meant(key, true), None, "{key}");
        }
    }
}
