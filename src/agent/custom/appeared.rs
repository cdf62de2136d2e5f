//! Which transcripts of a declared agent appeared in a workspace since a process started. Goes by the birth of files alone.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::Path;

use chrono::{DateTime, TimeDelta, Utc};

use super::walk::{Hit, walk};
use super::{files, root};
use crate::agent::LiveProcess;
use crate::core::agents::{Definition, Root, Template, workspace_word};
use crate::core::fact::Fact;
use crate::core::ids::ConversationId;
use crate::core::observe::identity::{Appearance, Rung, RungReading, RungValue};

/// How much earlier than the process a transcript may seem to have appeared and still be shown as a candidate.
const SLACK: TimeDelta = TimeDelta::seconds(1);

/// Rung 6, for a template that tells workspaces apart.
pub(super) fn reading(subject: &LiveProcess<'_>, definition: &Definition, template: &Template) -> RungReading {
    let fact = match subject.cwd {
        Fact::Seen(cwd) => {
            let root = root(template, subject.home, cwd);
            match appeared(&root, template, definition, cwd, subject.topmost().started) {
                Ok(found) if found.is_empty() => Fact::Absent,
                Ok(found) => Fact::Seen(RungValue::Appeared(found)),
                Err(why) => Fact::Unknown(why),
            }
        }
        Fact::Absent => Fact::Absent,
        Fact::Unknown(why) => Fact::Unknown(why.clone()),
    };
    let looked_at = match template.root() {
        Root::Home => subject.home.join(template.as_str()).display().to_string(),
        Root::Filesystem | Root::Workspace => template.as_str().to_owned(),
    };
    RungReading { rung: Rung::Appeared, looked_at, fact }
}

fn appeared(
    root: &Path,
    template: &Template,
    definition: &Definition,
    cwd: &Path,
    started: DateTime<Utc>,
) -> Result<Vec<Appearance>, String> {
    let walk = walk(root, &template.parts(Some(&workspace_word(cwd))), definition);
    if let Some(why) = walk.trouble {
        return Err(why);
    }
    // A conversation may have several files; its first is its beginning.
    let mut first: BTreeMap<String, DateTime<Utc>> = BTreeMap::new();
    for Hit { path, ids } in walk.hits {
        let Some(at) = born_since(&path, started - SLACK)? else { continue };
        let Ok([id]) = <[String; 1]>::try_from(ids) else {
            return Err(format!("cannot tell which part of {} is the id", path.display()));
        };
        first.entry(id).and_modify(|known| *known = at.min(*known)).or_insert(at);
    }
    let mut found: Vec<Appearance> = first.into_iter().map(|(id, at)| Appearance { id: ConversationId(id), at }).collect();
    found.sort_by(|a, b| a.at.cmp(&b.at).then_with(|| a.id.cmp(&b.id)));
    Ok(found)
}

/// When a file came into being, if since then.
fn born_since(path: &Path, since: DateTime<Utc>) -> Result<Option<DateTime<Utc>>, String> {
    let metadata = match std::fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => return Ok(None),
        Err(error) => return Err(format!("cannot examine {}: {}", path.display(), files::reason(&error))),
    };
    match files::times(&metadata) {
        _ if !metadata.is_file() => Ok(None),
        (_, modified) if modified < since => Ok(None),
        (Some(born), _) => Ok((born >= since).then_some(born)),
        (None, _) => Err(format!("the file system does not record when {} was created", path.display())),
    }
}
