//! From the untyped `lead:`, `hosts:` and `drive:` of a document to values, with everything that is wrong with them. Pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_yaml::Value;

use super::{Attach, Backoff, LeadSection, Permissions, Policy, RemoteHost};
use crate::core::agents::Drive;
use crate::core::edit::Path;
use crate::core::manifest::Session;
use crate::core::manifest::names::{Field, drive, hosts as keys, lead, top};
use crate::core::manifest::remark::Remarks;
use crate::core::remote::is_host_name;

/// The policy of a manifest.
pub(in crate::core::manifest) fn policy(node: Option<&Value>, remarks: &mut Remarks) -> Policy {
    let example = "lead: { parallel: 2, spacing: 1s, ready: 60s }";
    let path = Path::root().key(top::LEAD);
    let Some(mut section) = node.and_then(|node| LeadSection::of(path, node, example, remarks)) else {
        return Policy::default();
    };
    section.known(&lead::ALL);
    let (parallel, spacing, ready) =
        (section.count(lead::PARALLEL), section.duration(lead::SPACING), section.duration(lead::READY));
    let example = "backoff: { first: 3m, factor: 2, most: 1h, attempts: 10 }";
    let inner = section.get(lead::BACKOFF);
    let path = section.path.key(lead::BACKOFF);
    let backoff = inner.and_then(|node| LeadSection::of(path, node, example, section.remarks));
    let backoff = backoff.map_or_else(Backoff::default, |mut section| {
        section.known(&lead::BACKOFF_KEYS);
        backoff_of(&mut section)
    });
    Policy { parallel, spacing, ready, backoff }
}

/// The waits that a mapping says.
pub(super) fn backoff_of(section: &mut LeadSection<'_>) -> Backoff {
    let backoff = Backoff {
        first: section.duration(lead::FIRST),
        factor: section.factor(lead::FACTOR),
        most: section.duration(lead::MOST),
        attempts: section.count(lead::ATTEMPTS),
    };
    if let (Some(first), Some(most)) = (backoff.first, backoff.most)
        && first > most
    {
        let path = section.path.key(lead::MOST);
        section.remarks.fatal(path, "`most` is shorter than `first`", Some("`most` is the longest wait".to_owned()));
    }
    backoff
}

/// Refuses an entry's own first wait if the longest wait that holds for it is shorter.
pub(in crate::core::manifest) fn refuse_short_waits(sessions: &[Arc<Session>], policy: &Policy, remarks: &mut Remarks) {
    let field = Field::Restart;
    for session in sessions {
        let Some(own) = session.lead.restart.map(|restart| restart.backoff) else { continue };
        let first = own.first.or(policy.backoff.first).unwrap_or(Backoff::FIRST);
        let most = own.most.or(policy.backoff.most).unwrap_or(Backoff::MOST);
        // Where one place says both, it was told there.
        if first > most && (own.first.is_some() != own.most.is_some()) {
            let is_own = session.entry.declares.iter().any(|key| Field::of_key(key) == Some(field));
            let place = if is_own { session.entry.path.clone() } else { Path::root().key(top::DEFAULTS) };
            let hint = format!("`{}` is the longest wait; where nothing says it, it is `lead`'s, or 1h", lead::MOST);
            let message = format!("`{}` is shorter than `{}` where both hold", lead::MOST, lead::FIRST);
            remarks.fatal(place.key(field.name()), message, Some(hint));
        }
    }
}

/// The other hosts, by name.
pub(in crate::core::manifest) fn hosts(node: Option<&Value>, remarks: &mut Remarks) -> BTreeMap<String, RemoteHost> {
    let example = "hosts: { ml: { ssh: [ml-primary, ml-fallback] } }";
    let path = Path::root().key(top::HOSTS);
    let mut all = BTreeMap::new();
    let Some(section) = node.and_then(|node| LeadSection::of(path, node, example, remarks)) else { return all };
    for (name, value) in section.fields {
        let Some(name) = name.as_str() else { continue };
        let path = section.path.key(name);
        let is_free = !keys::TAKEN.contains(&name) && !name.is_empty() && !name.contains([':', '/']) && is_host_name(name);
        if !is_free {
            let hint = format!("a name of its own, without `:` and `/`; {} mean something else", keys::TAKEN.join(", "));
            section.remarks.fatal_key(path.clone(), format!("no host can be called {name:?}"), Some(hint));
        }
        let Some(mut host) = LeadSection::of(path, value, "{ ssh: [name] }", section.remarks) else { continue };
        host.known(&keys::ALL);
        let ssh = host.list(keys::SSH);
        for (index, target) in ssh.iter().enumerate().filter(|(_, target)| !is_host_name(target)) {
            let path = host.path.key(keys::SSH).index(index);
            let hint = "a name as ssh takes it, which does not begin with `-` and has no blank".to_owned();
            host.remarks.fatal(path, format!("{target:?} is no host"), Some(hint));
        }
        let attach = host.word(keys::ATTACH, &Attach::WORDS);
        let (manifest, headcount) = (host.text(keys::MANIFEST), host.text(keys::HEADCOUNT));
        all.insert(name.to_owned(), RemoteHost { ssh, attach, manifest, headcount });
    }
    all
}

/// How a declared agent is driven.
pub(in crate::core::manifest) fn drive_of(node: &Value, path: Path, remarks: &mut Remarks) -> Option<Drive> {
    let mut section = LeadSection::of(path, node, "drive: { ready: \"> \", submit: Enter }", remarks)?;
    section.known(&drive::ALL);
    Some(Drive {
        start: section.list(drive::START),
        id_flag: section.text(drive::ID_FLAG),
        ready: section.text(drive::READY),
        composer: section.text(drive::COMPOSER),
        submit: section.text(drive::SUBMIT),
        end: section.text(drive::END),
        quit: section.list(drive::QUIT),
        grace: section.duration(drive::GRACE),
        trust: section.text(drive::TRUST),
        permission: section.lists(drive::PERMISSION, &Permissions::WORDS.map(|(word, _)| word)),
    })
}
