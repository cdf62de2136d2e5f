//! Which tools a client was given, and which sessions they may act on. Decides; acts on nothing.

use crate::cli::args::McpGrant;
use crate::cli::commands::lead::meant;
use crate::core::manifest::Manifest;
use crate::core::manifest::pattern::glob;
use crate::core::text::printable;

/// What a tool does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ToolTier {
    /// It looks.
    Read,
    /// It talks to an agent.
    Drive,
    /// It answers what an agent asks.
    Approve,
    /// It starts or ends a session.
    Lead,
}

impl ToolTier {
    /// The option that allows it.
    pub(super) const fn flag(self) -> &'static str {
        match self {
            Self::Read => "",
            Self::Drive => "--allow drive",
            Self::Approve => "--allow approve",
            Self::Lead => "--allow lead",
        }
    }
}

/// What was allowed.
#[derive(Debug, Clone, Default)]
pub(super) struct Access {
    drive: bool,
    approve: bool,
    lead: bool,
    /// Sessions of such names only; none: of all.
    patterns: Vec<String>,
}

impl Access {
    /// Of what was typed.
    pub(super) fn new(grants: &[McpGrant]) -> Self {
        let mut access = Self::default();
        for grant in grants {
            match grant {
                McpGrant::Approve => access.approve = true,
                McpGrant::Lead => access.lead = true,
                McpGrant::Drive(pattern) => {
                    access.drive = true;
                    access.patterns.extend(pattern.clone());
                }
            }
        }
        access
    }

    /// Whether tools of this kind are there.
    pub(super) fn has(&self, tier: ToolTier) -> bool {
        match tier {
            ToolTier::Read => true,
            ToolTier::Drive => self.drive,
            ToolTier::Approve => self.approve,
            ToolTier::Lead => self.lead,
        }
    }

    /// Whether only sessions of certain names may be acted on.
    pub(super) fn is_limited(&self) -> bool {
        !self.patterns.is_empty()
    }

    /// The patterns, for people.
    pub(super) fn patterns(&self) -> String {
        self.patterns.join(", ")
    }

    fn covers(&self, name: &str) -> bool {
        self.patterns.iter().any(|pattern| glob(pattern, name))
    }

    /// What REFs mean under the patterns: whole addresses that mean nothing else. No REF means every session that may be acted on.
    ///
    /// # Errors
    /// Why nothing may be done: one line.
    pub(super) fn narrowed(&self, manifest: &Manifest, refs: &[String]) -> Result<Vec<String>, String> {
        let mut keys = Vec::new();
        if refs.is_empty() {
            keys.extend(manifest.sessions.iter().map(|session| &session.key).filter(|key| self.covers(&key.name)));
        }
        for text in refs {
            let found = meant(manifest, text);
            if found.is_empty() {
                return Err(format!(
                    "no entry {}; with --allow drive=GLOB only sessions of the manifest are acted on",
                    printable(text)
                ));
            }
            if let Some(other) = found.iter().find(|session| !self.covers(&session.key.name)) {
                let name = printable(&other.key.name);
                return Err(format!("{name} is not allowed here: only sessions named {} are", printable(&self.patterns())));
            }
            keys.extend(found.into_iter().map(|session| &session.key));
        }
        let address = |key: &crate::core::ids::SessionKey| {
            let address = format!("{}:{}:{}", key.mux, key.server, key.name);
            let is_only = matches!(meant(manifest, &address).as_slice(), [one] if one.key == *key);
            is_only.then_some(address).ok_or_else(|| format!("{} cannot be addressed for sure", printable(&key.name)))
        };
        keys.into_iter().map(address).collect()
    }
}
