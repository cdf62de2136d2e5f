//! A first manifest from what is running now. Looks and composes text; writing the file is the command's.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::FileTypeExt;

use chrono::TimeDelta;
use serde_json::Value;

use super::observe::{Observer, observe};
use super::pass::environment;
use crate::core::drift::{self, Class, classify};
use crate::core::edit::Edit;
use crate::core::ids::{MuxKind, ServerKey};
use crate::core::manifest::Manifest;
use crate::core::manifest::names::Field;
use crate::core::manifest::pattern::NamePattern;
use crate::core::manifest::select::Selection;
use crate::core::memory::Memory;
use crate::core::plan;
use crate::mux::tmux;
use crate::yaml::{self, Refusal};

/// What a new manifest begins with.
pub const HEAD: &str = "\
# Coding-agent sessions. You declare them; `headcount record` records status, conversation and pane.
version: 1
sessions: []
";

/// A manifest of what is running now.
#[derive(Debug)]
pub struct FirstManifest {
    /// Its text.
    pub text: String,
    /// How many sessions are in it.
    pub sessions: usize,
    /// What was seen and left out, and why, one line each.
    pub left_out: Vec<String>,
}

/// Composes a manifest of every session in which an agent is alive, on any tmux server of this user or in the default socket
/// directory of zellij.
///
/// # Errors
/// A name or path that cannot be written down.
pub fn compose(world: Observer) -> Result<FirstManifest, Refusal> {
    let mut manifest = empty(&world)?;
    manifest.discovery = vec![NamePattern::new("*")];
    let observation = observe(&Observer { also: servers(&world), ..world }, &manifest);
    let (memory, touched) = (Memory::default(), BTreeMap::new());
    let judged = drift::Inputs {
        manifest: &manifest,
        manifest_modified: None,
        observation: &observation,
        memory: &memory,
        jobs: &[],
        settle: TimeDelta::zero(),
        touched: &touched,
        stops: &BTreeMap::new(),
        left: &BTreeSet::new(),
    };
    let verdict = classify(&judged);
    let mut left_out: Vec<String> = verdict
        .drifts
        .iter()
        .filter(|drift| drift.class != Class::Unregistered)
        .map(|drift| drift.message(false))
        .chain(verdict.unknown.iter().map(|unknown| format!("{}: {}", unknown.scope(), unknown.why)))
        .collect();
    let plan = plan::make(&manifest, &verdict, &Selection::default());
    left_out.extend(plan.refused.values().cloned());
    let edits: Vec<Edit> = plan.edits().into_iter().map(without_note).collect();
    let text = yaml::apply(HEAD, &edits)?;
    Ok(FirstManifest { text, sessions: edits.len(), left_out })
}

/// The manifest without a session, as the world's host reads it.
fn empty(world: &Observer) -> Result<Manifest, Refusal> {
    yaml::load(HEAD, &environment(world)).map(|loaded| loaded.manifest).map_err(|diagnostics| {
        let reason = diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect::<Vec<_>>().join("; ");
        Refusal::Unreadable { reason, span: None }
    })
}

/// An entry a person asked for was not registered behind anybody's back.
fn without_note(mut edit: Edit) -> Edit {
    if let Some(Value::Object(fields)) = &mut edit.to {
        fields.shift_remove(Field::LastVisibleStatus.name());
    }
    edit
}

/// Every tmux server whose socket stands where tmux puts them. The default zellij server is looked at in any case.
fn servers(world: &Observer) -> Vec<ServerKey> {
    let default = tmux::address::socket(ServerKey::DEFAULT, &world.env);
    let directory = default.ok().and_then(|socket| socket.parent().map(std::path::Path::to_path_buf));
    let entries = directory.and_then(|directory| std::fs::read_dir(directory).ok());
    let sockets = entries.into_iter().flatten().flatten().filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()));
    let name = |entry: std::fs::DirEntry| entry.file_name().into_string().ok();
    sockets.filter_map(name).map(|server| ServerKey { mux: MuxKind::Tmux, server }).collect()
}
