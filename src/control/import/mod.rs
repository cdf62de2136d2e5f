//! Entries from the files of other tools: reads them, lets `core::import` choose, and writes the manifest as every other command does.
//! Starts nothing, and changes no file but the manifest.

mod places;
mod reading;

use std::path::{Path, PathBuf};

use super::lead::DeclareError;
use super::lead::amend;
use super::lead::declare::{self, NewManifestEntry};
use super::observe::Observer;
use super::pass::PassOptions;
use crate::agent::Agents;
use crate::core::import::{
    ForeignAgent, IMPORT_SCHEMA, ImportChoice, ImportReport, ImportTool, ImportedEntry, LeftOutRow, SourceRow, choose,
};
use crate::core::manifest::Manifest;
use crate::yaml;

/// What to import.
#[derive(Debug, Clone)]
pub struct ImportRequest {
    /// From which tools; empty: from all of which there are files.
    pub tools: Vec<ImportTool>,
    /// A file or a directory of the only tool, in place of the usual ones.
    pub from: Option<PathBuf>,
    /// The directory of csd's workers.
    pub csd: PathBuf,
    /// Why that is not looked into, if it is not.
    pub csd_problem: Option<String>,
    /// The working directory.
    pub here: PathBuf,
}

/// What the files say, before anything is written.
#[derive(Debug)]
pub struct Imports {
    choice: ImportChoice,
    sources: Vec<SourceRow>,
}

impl Imports {
    /// Reads the files, and chooses what becomes entries of this manifest.
    pub fn find(request: &ImportRequest, world: &Observer, manifest: &Manifest) -> Self {
        let (mut found, mut sources, mut left_out) = (Vec::new(), Vec::new(), Vec::new());
        let is_wanted = |tool: &ImportTool| request.tools.is_empty() || request.tools.contains(tool);
        for tool in ImportTool::ALL.into_iter().filter(is_wanted) {
            if let (ImportTool::Csd, None, Some(problem)) = (tool, &request.from, request.csd_problem.clone()) {
                sources.push(SourceRow { tool, path: request.csd.clone(), version: None, problem: Some(problem) });
                continue;
            }
            for place in places::of(tool, request, &world.env) {
                let Some(read) = reading::read(tool, &place) else { continue };
                match read {
                    Ok((file, version)) => {
                        sources.push(SourceRow { tool, path: place, version, problem: None });
                        found.extend(file.sessions.into_iter().map(|session| (tool, session)));
                        left_out.extend(file.left_out.into_iter().map(|left| LeftOutRow::of(tool, left)));
                    }
                    Err(problem) => sources.push(SourceRow { tool, path: place, version: None, problem: Some(problem) }),
                }
            }
        }
        let agents = Agents::with(&manifest.agents);
        let mut choice = choose(found, manifest, world.host.name(), |argv| {
            let (agent, invocation) = agents.identify(argv, || None).filter(|(agent, it)| !agent.is_led(it))?;
            let conversation = agent.named_in(invocation.args);
            Some(ForeignAgent { kind: agent.kind(), conversation, arguments: invocation.args.len() })
        });
        left_out.append(&mut choice.left_out);
        choice.left_out = left_out;
        Self { choice, sources }
    }

    /// The entries.
    pub fn entries(&self) -> &[ImportedEntry] {
        &self.choice.entries
    }

    /// The text of a manifest with them, each with a comment where it comes from.
    ///
    /// # Errors
    /// They cannot be written into it.
    pub fn added_to(&self, text: &str, manifest: &Manifest) -> Result<String, yaml::Refusal> {
        declare::with_entries(text, manifest, &self.new_entries())
    }

    /// Writes them into the manifest, under its lock.
    ///
    /// # Errors
    /// [`DeclareError`]; then it is as it was.
    pub fn write(&self, world: &Observer, options: &PassOptions) -> Result<Vec<PathBuf>, DeclareError> {
        amend::import(world, options, &self.new_entries())
    }

    /// What was found, for people and programs.
    pub fn report(&self, manifest: &Path, dry_run: bool) -> ImportReport {
        ImportReport {
            schema: IMPORT_SCHEMA.to_owned(),
            manifest: manifest.to_path_buf(),
            dry_run,
            written: !dry_run && !self.choice.entries.is_empty(),
            sources: self.sources.clone(),
            imported: self.choice.imported.clone(),
            left_out: self.choice.left_out.clone(),
        }
    }

    fn new_entries(&self) -> Vec<NewManifestEntry<'_>> {
        let entries = self.choice.entries.iter();
        entries.map(|it| NewManifestEntry { key: &it.key, value: &it.value, comment: Some(&it.comment) }).collect()
    }
}
