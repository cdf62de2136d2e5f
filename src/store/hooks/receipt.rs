//! What was put into an agent's own settings, so that it can be taken out to the byte: one file of ours for each agent.

use std::io;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::append::prepare;
use crate::store::TextHash;
use crate::store::paths::StateHome;
use crate::store::replace::replace;

/// What was put into one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookReceipt {
    /// The file.
    pub path: PathBuf,
    /// What it was afterwards. Where it is something else by now, this says nothing about it.
    pub after: TextHash,
    /// Whether it was not there before.
    pub made: bool,
    /// The texts that were put in, each with its offset in what was there before.
    pub pieces: Vec<(usize, String)>,
}

/// Keeps what is being put into the settings of an agent.
///
/// # Errors
/// If it cannot be written.
pub fn keep_receipt(home: &StateHome, agent: &str, receipt: &HookReceipt) -> io::Result<()> {
    prepare(home)?;
    replace(&path(home, agent), &serde_json::to_vec(receipt)?)
}

/// What was put into the settings of an agent, if that is known.
pub fn receipt(home: &StateHome, agent: &str) -> Option<HookReceipt> {
    serde_json::from_slice(&std::fs::read(path(home, agent)).ok()?).ok()
}

fn path(home: &StateHome, agent: &str) -> PathBuf {
    home.hooks().join(format!("installed-{agent}.json"))
}
