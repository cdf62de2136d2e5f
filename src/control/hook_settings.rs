//! Hooks in an agent's own settings, put there and taken away as a person asks. Works out what would change; writes only what was shown.

use std::path::{Path, PathBuf};

use crate::agent;
use crate::agent::hooks::{HookCommand, HookInstall};
use crate::core::hooks::{AgentHooks, HookStanding};
use crate::core::ids::AgentKind;
use crate::core::settings::{self, SettingsError, SettingsPiece};
use crate::host::Environ;
use crate::store::TextHash;
use crate::store::hooks::{self, HookReceipt};
use crate::store::paths::StateHome;
use crate::store::settings::{SettingsFile, SettingsFileError, SettingsText, read};

/// Why hooks are not put in or taken out.
#[derive(Debug, thiserror::Error)]
pub enum HookSettingsError {
    /// The file.
    #[error(transparent)]
    File(#[from] SettingsFileError),
    /// What is in it.
    #[error("{} is left alone: {source}", path.display())]
    Settings {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SettingsError,
    },
    /// A file of that name that is not ours.
    #[error("{} is not headcount's", .0.display())]
    Foreign(PathBuf),
    /// The agent keeps no files here.
    #[error("{agent} has no directory {}", home.display())]
    NoHome {
        /// The agent.
        agent: AgentKind,
        /// Where it would keep them.
        home: PathBuf,
    },
    /// The agent has no such settings.
    #[error("hooks cannot be put into settings of {0}")]
    Unsupported(AgentKind),
    /// headcount's own note of what it put in.
    #[error("cannot keep what was put into {}", path.display())]
    Receipt {
        /// The settings.
        path: PathBuf,
        /// Why not.
        source: std::io::Error,
    },
}

/// A change that can be shown and made.
#[derive(Debug)]
pub struct HookChange {
    /// The agent.
    pub agent: AgentKind,
    /// Its settings.
    pub path: PathBuf,
    file: SettingsFile,
    before: Option<SettingsText>,
    after: Option<String>,
    pieces: Vec<SettingsPiece>,
}

/// Who puts hooks where: this headcount, its state directory, and the environment that says where agents keep their files.
#[derive(Debug, Clone, Copy)]
pub struct HookPlace<'a> {
    /// The program.
    pub program: &'a Path,
    /// The state directory.
    pub state: &'a StateHome,
    /// The environment.
    pub env: &'a Environ,
}

/// What a hook's command of ours says, whatever program and directory it names.
fn is_ours(command: &str) -> bool {
    command.contains(" hook emit ") && command.ends_with("2>/dev/null || :")
}

impl HookPlace<'_> {
    /// What would be put where for an agent, and that directory's home.
    fn install(&self, agent: AgentKind) -> Result<(PathBuf, HookInstall), HookSettingsError> {
        let adapter = agent::of(agent).ok_or(HookSettingsError::Unsupported(agent))?;
        let command = HookCommand::new(self.program, self.state.path(), agent);
        let install = command.and_then(|command| adapter.hook_settings(&command));
        let install = install.ok_or(HookSettingsError::Unsupported(agent))?;
        let home = adapter.home(self.env).ok_or(HookSettingsError::Unsupported(agent))?;
        if !home.is_dir() {
            return Err(HookSettingsError::NoHome { agent, home });
        }
        Ok((home.join(install.file), install))
    }

    /// What a person has to do once hooks are in, if anything.
    pub fn note(&self, agent: AgentKind) -> Option<&'static str> {
        self.install(agent).ok()?.1.note
    }

    /// How it stands with an agent, and in which file.
    pub fn standing(&self, agent: AgentKind) -> AgentHooks {
        let told = |standing, path| AgentHooks { agent, standing, path, why: None };
        let (path, install) = match self.install(agent) {
            Ok(found) => found,
            Err(HookSettingsError::NoHome { home, .. }) => return told(HookStanding::NoHome, Some(home)),
            Err(_) => return told(HookStanding::Unsupported, None),
        };
        let standing = match read(&path) {
            Ok(None) => Ok(HookStanding::Absent),
            Ok(Some(there)) => install.standing(&there.text).map_err(|error| error.to_string()),
            Err(error) => Err(line(&error)),
        };
        match standing {
            Ok(standing) => told(standing, Some(path)),
            Err(why) => AgentHooks { why: Some(why), ..told(HookStanding::Unknown, Some(path)) },
        }
    }

    /// What putting hooks in would change; `None`: they are there.
    ///
    /// # Errors
    /// [`HookSettingsError`].
    pub fn installing(&self, agent: AgentKind) -> Result<Option<HookChange>, HookSettingsError> {
        let (path, install) = self.install(agent)?;
        // An own directory for hooks or extensions may be missing in a home that is there.
        if let Some(directory) = path.parent().filter(|directory| !directory.exists()) {
            std::fs::create_dir(directory).map_err(|source| SettingsFileError::Io {
                action: "make",
                path: directory.to_owned(),
                source,
            })?;
        }
        let file = SettingsFile::take(&path)?;
        let before = file.read()?;
        let fail = |source| HookSettingsError::Settings { path: path.clone(), source };
        let (after, pieces) = match &install.content {
            None => {
                // Those of another headcount, or of an older form, go first.
                let text = before.as_ref().map_or("{}\n", |before| before.text.as_str());
                let plain = match install.standing(text).map_err(fail)? {
                    HookStanding::Other => settings::removal(text, is_ours).map_err(fail)?,
                    _ => None,
                };
                let text = plain.as_deref().unwrap_or(text);
                let pieces = settings::insertions(text, &install.groups).map_err(fail)?;
                (settings::with_pieces(text, &pieces), pieces)
            }
            Some(content) => {
                let is_foreign = before.as_ref().is_some_and(|before| !is_own_file(&before.text));
                if is_foreign {
                    return Err(HookSettingsError::Foreign(path));
                }
                (content.clone(), Vec::new())
            }
        };
        if before.as_ref().is_some_and(|before| before.text == after) {
            return Ok(None);
        }
        Ok(Some(HookChange { agent, path, file, before, after: Some(after), pieces }))
    }

    /// What taking hooks out would change; `None`: there are none.
    ///
    /// # Errors
    /// [`HookSettingsError`].
    pub fn removing(&self, agent: AgentKind) -> Result<Option<HookChange>, HookSettingsError> {
        let (path, install) = self.install(agent)?;
        if path.parent().is_some_and(|directory| !directory.exists()) {
            return Ok(None);
        }
        let file = SettingsFile::take(&path)?;
        let Some(before) = file.read()? else { return Ok(None) };
        let fail = |source| HookSettingsError::Settings { path: path.clone(), source };
        let after = match &install.content {
            Some(_) if is_own_file(&before.text) => None,
            Some(_) => return Ok(None),
            None => {
                let receipt = hooks::receipt(self.state, agent.as_str())
                    .filter(|receipt| receipt.path == path && receipt.after == TextHash::of(before.text.as_bytes()));
                let exact = receipt.and_then(|receipt| {
                    let pieces: Vec<SettingsPiece> =
                        receipt.pieces.into_iter().map(|(at, text)| SettingsPiece { at, text }).collect();
                    let text = settings::without_pieces(&before.text, &pieces)?;
                    Some((!receipt.made).then_some(text))
                });
                match exact {
                    Some(after) => after,
                    None => match settings::removal(&before.text, is_ours).map_err(fail)? {
                        Some(after) => Some(after),
                        None => return Ok(None),
                    },
                }
            }
        };
        Ok(Some(HookChange { agent, path, file, before: Some(before), after, pieces: Vec::new() }))
    }

    /// Makes a change as it was shown.
    ///
    /// # Errors
    /// [`HookSettingsError`].
    pub fn make(&self, change: &HookChange) -> Result<(), HookSettingsError> {
        let fail = |source| HookSettingsError::Receipt { path: change.path.clone(), source };
        if let Some(after) = change.after.as_ref().filter(|_| !change.pieces.is_empty()) {
            let receipt = HookReceipt {
                path: change.path.clone(),
                after: TextHash::of(after.as_bytes()),
                made: change.before.is_none(),
                pieces: change.pieces.iter().map(|piece| (piece.at, piece.text.clone())).collect(),
            };
            hooks::keep_receipt(self.state, change.agent.as_str(), &receipt).map_err(fail)?;
        } else {
            hooks::prepare(self.state).map_err(fail)?;
        }
        Ok(change.file.write(change.before.as_ref(), change.after.as_deref())?)
    }
}

impl HookChange {
    /// The text before and after; an empty one where there is no file.
    pub fn texts(&self) -> (&str, &str) {
        (self.before.as_ref().map_or("", |before| &before.text), self.after.as_deref().unwrap_or_default())
    }
}

impl HookInstall {
    /// How settings stand to what would be put in.
    fn standing(&self, text: &str) -> Result<HookStanding, SettingsError> {
        if let Some(content) = &self.content {
            let is_own = is_own_file(text);
            return Ok(match (content == text, is_own) {
                (true, _) => HookStanding::Installed,
                (false, true) => HookStanding::Other,
                (false, false) => HookStanding::Absent,
            });
        }
        let has_ours = settings::commands(text)?.iter().any(|command| is_ours(command));
        Ok(match has_ours {
            false => HookStanding::Absent,
            true if settings::insertions(text, &self.groups)?.is_empty() => HookStanding::Installed,
            true => HookStanding::Other,
        })
    }
}

/// Whether a whole file is one that headcount wrote: a script that says so, or hooks that all run headcount.
fn is_own_file(text: &str) -> bool {
    let commands = || serde_json::from_str::<serde_json::Value>(text).ok().and_then(|file| own_commands(&file));
    text.starts_with(agent::hooks::SIGNATURE)
        || commands().is_some_and(|all| !all.is_empty() && all.iter().all(|it| is_ours(it)))
}

/// Every command of a file of Copilot's; `None` if a hook has none.
fn own_commands(file: &serde_json::Value) -> Option<Vec<String>> {
    let lists = file.get("hooks")?.as_object()?.values().map(|list| list.as_array()).collect::<Option<Vec<_>>>()?;
    lists.into_iter().flatten().map(|hook| Some(hook.get("bash")?.as_str()?.to_owned())).collect()
}

fn line(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}
