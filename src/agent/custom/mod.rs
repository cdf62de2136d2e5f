//! Agents that a manifest declares. Reads their arguments and where their transcripts lie, as the definition says; never what is
//! in a transcript.

mod appeared;
mod table;
mod walk;

use std::path::{Path, PathBuf};

use super::argv::{self, ArgvReader};
use super::drive::LaunchTable;
use super::live_process::proves;
use super::recognise::{Interpreter, Invocation, ProgramNames, Words};
use super::{Adapter, LiveProcess, TranscriptIndex, WatchDirs, WatchQuery, files};
use crate::core::agents::{Definition, Root, Template, workspace_word};
use crate::core::fact::Fact;
use crate::core::ids::{AgentKind, ConversationId};
use crate::core::observe::Transcript;
use crate::core::observe::identity::RungReading;
use crate::host::Environ;

/// The adapter of one definition.
#[derive(Debug)]
pub(super) struct DeclaredAdapter {
    definition: Definition,
    names: ProgramNames,
    table: Option<LaunchTable>,
}

impl Adapter for DeclaredAdapter {
    fn kind(&self) -> AgentKind {
        AgentKind::Custom(self.definition.name)
    }

    fn names(&self) -> &ProgramNames {
        &self.names
    }

    fn home(&self, env: &Environ) -> Option<PathBuf> {
        if let Some(named) = self.definition.home_env.as_deref().and_then(|name| env.path(name)) {
            return Some(named);
        }
        match self.definition.home.as_deref().unwrap_or("~").strip_prefix('~') {
            Some(below) => Some(env.path("HOME")?.join(below.trim_start_matches('/'))),
            None => self.definition.home.as_deref().map(PathBuf::from),
        }
    }

    fn ladder(&self, subject: &LiveProcess<'_>) -> Vec<RungReading> {
        let mut readings = Vec::new();
        let drive = self.definition.drive.as_ref();
        let has_flag = !self.definition.id_flags.is_empty() || drive.is_some_and(|drive| drive.id_flag.is_some());
        if has_flag || subject.launched.is_some() {
            readings.push(argv::reading(subject, self, &self.definition));
        }
        if let Some(template) = self.own_template()
            && (subject.every_rung || !proves(&readings))
        {
            readings.push(appeared::reading(subject, &self.definition, template));
        }
        readings
    }

    fn has_readable_turns(&self) -> bool {
        false
    }

    fn has_readable_transcripts(&self) -> bool {
        self.definition.transcripts.is_some()
    }

    fn transcript(&self, shelf: &TranscriptIndex, home: &Path, id: &ConversationId, cwds: &[&Path]) -> Fact<Transcript> {
        let Some(template) = &self.definition.transcripts else {
            return Fact::Unknown("the manifest does not say where its transcripts are".to_owned());
        };
        // Such an id names no file, and must not lead out of a directory.
        if !files::is_file_name(id.as_str()) {
            return Fact::Absent;
        }
        let direct = |cwd: &Path| {
            let path = template.path(&workspace_word(cwd), id.as_str())?;
            files::transcript(&root(template, home, cwd).join(path)).into_seen()
        };
        if let Some(found) = cwds.iter().find_map(|cwd| direct(cwd)) {
            return Fact::Seen(found);
        }
        match template.root() {
            Root::Home | Root::Filesystem => self.search(shelf, template, &root(template, home, home), id),
            Root::Workspace => self.search_workspaces(shelf, template, cwds, id),
        }
    }

    fn watch_dirs(&self, place: WatchQuery<'_>) -> WatchDirs {
        let (Some(template), Some(cwd)) = (self.own_template(), place.cwd) else { return WatchDirs::default() };
        let parts = template.parts(Some(&workspace_word(cwd)));
        let Some((_, directories)) = parts.split_last().filter(|(_, directories)| !directories.is_empty()) else {
            // Right in the home or the workspace too much else goes on.
            return WatchDirs::default();
        };
        let names: Option<PathBuf> = directories.iter().map(|part| part.plain()).collect();
        let transcripts = names.map(|names| root(template, place.home, cwd).join(names)).into_iter().collect();
        WatchDirs { registries: Vec::new(), transcripts }
    }

    fn named_in(&self, args: &[String]) -> Option<ConversationId> {
        argv::named(args, &self.definition)
    }

    fn resume_args(&self, id: &ConversationId) -> Option<Vec<String>> {
        let args = &self.definition.resume;
        (!args.is_empty()).then(|| args.iter().map(|arg| arg.replace(Definition::ID, id.as_str())).collect())
    }

    fn lived_in(&self, transcript: &Transcript, home: &Path, id: &ConversationId, cwds: &[&Path]) -> Fact<PathBuf> {
        let Some(template) = &self.definition.transcripts else { return Fact::Absent };
        let is_of = |cwd: &&&Path| {
            let parts = template.parts(Some(&workspace_word(cwd)));
            let hits = walk::walk(&root(template, home, cwd), &parts, &self.definition).hits;
            hits.iter().any(|hit| hit.path == transcript.path && hit.ids.iter().any(|own| own == id.as_str()))
        };
        match cwds.iter().find(is_of) {
            Some(cwd) => Fact::Seen(cwd.to_path_buf()),
            None if template.root() == Root::Workspace || template.names_workspace() => Fact::Unknown(format!(
                "{} is of another directory, and which that is cannot be told",
                transcript.path.display()
            )),
            None => Fact::Absent,
        }
    }

    fn drive(&self) -> Option<&LaunchTable> {
        self.table.as_ref()
    }

    fn home_variables(&self) -> Vec<&str> {
        self.definition.home_env.as_deref().into_iter().collect()
    }

    fn home_assignment(&self, home: &Path) -> Option<(&str, PathBuf)> {
        self.definition.home_env.as_deref().map(|name| (name, home.to_path_buf()))
    }

    /// A script of such an agent is most probably the agent itself, in Python or JavaScript, so only a shell counts: whatever runs
    /// below the agent would otherwise speak for it.
    fn is_wrapper(&self, invocation: &Invocation<'_>) -> bool {
        invocation.via == Some(Interpreter::Shell)
    }

    fn shares_transcripts(&self, one: &Path, other: &Path) -> bool {
        self.definition.transcripts.as_ref().map_or(one == other, |template| template.confuses(one, other))
    }
}

impl DeclaredAdapter {
    /// The adapter of a definition.
    pub(super) fn new(definition: &Definition) -> Self {
        let (programs, packages) = (definition.programs.clone(), definition.packages.clone());
        let (programs, packages) = (Words::Declared(programs), Words::Declared(packages));
        let names = ProgramNames { programs, packages, services: &[], has_node_loader: false };
        let table = definition.drive.as_ref().map(|drive| table::table(definition, drive));
        Self { definition: definition.clone(), names, table }
    }

    /// Where its transcripts are, if that tells one workspace's from another's: only then can one of them be taken for a
    /// process's.
    fn own_template(&self) -> Option<&Template> {
        self.definition.transcripts.as_ref().filter(|template| template.names_workspace())
    }

    /// A conversation anywhere below a root.
    fn search(&self, shelf: &TranscriptIndex, template: &Template, root: &Path, id: &ConversationId) -> Fact<Transcript> {
        let read = || walk::index(root, &template.parts(None), &self.definition);
        match shelf.find_by(root, self.definition.name.as_str(), id.as_str(), read) {
            Fact::Seen(paths) => files::first_transcript(paths),
            Fact::Absent => Fact::Absent,
            Fact::Unknown(why) => Fact::Unknown(why),
        }
    }

    /// A conversation in any of these workspaces. One that is not there may have been moved with all that is in it.
    fn search_workspaces(
        &self,
        shelf: &TranscriptIndex,
        template: &Template,
        cwds: &[&Path],
        id: &ConversationId,
    ) -> Fact<Transcript> {
        let mut verdict = Fact::Absent;
        for cwd in cwds {
            let found = match cwd.is_dir() {
                true => self.search(shelf, template, cwd, id),
                false => Fact::Unknown(format!("the workspace {} does not exist", cwd.display())),
            };
            match found {
                Fact::Seen(found) => return Fact::Seen(found),
                Fact::Unknown(why) if verdict.is_absent() => verdict = Fact::Unknown(why),
                Fact::Unknown(_) | Fact::Absent => {}
            }
        }
        if cwds.is_empty() {
            return Fact::Unknown("its transcripts are in its workspace, which is unknown".to_owned());
        }
        verdict
    }
}

/// Where a template's path begins.
fn root(template: &Template, home: &Path, cwd: &Path) -> PathBuf {
    match template.root() {
        Root::Home => home.to_path_buf(),
        Root::Filesystem => PathBuf::from("/"),
        Root::Workspace => cwd.to_path_buf(),
    }
}

impl ArgvReader for Definition {
    fn voids(&self, word: &str) -> bool {
        self.fork_flags.iter().any(|flag| argv::value(word, Some(""), flag).is_some())
    }

    fn id<'a>(&self, word: &'a str, next: Option<&'a str>) -> Option<&'a str> {
        let flags = self.id_flags.iter().chain(self.drive.iter().filter_map(|drive| drive.id_flag.as_ref()));
        flags.into_iter().find_map(|flag| argv::value(word, next, flag).filter(|value| self.is_id(value)))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::agent::{Agents, all, resume};
    use crate::core::agents::INTERPRETERS;
    use crate::core::agents::IdPattern;
    use crate::core::ids::AgentName;
    use crate::core::report::rows::Resumable;

    fn defined(change: impl FnOnce(&mut Definition)) -> Definition {
        let mut definition =
            Definition { programs: vec!["aider".into()], ..Definition::named(AgentName::new("aider").unwrap()) };
        change(&mut definition);
        definition
    }

    fn of(definition: &Definition) -> DeclaredAdapter {
        DeclaredAdapter::new(definition)
    }

    fn agents(change: impl FnOnce(&mut Definition)) -> Agents {
        Agents::with(&std::iter::once(defined(change)).collect())
    }

    fn env(pairs: &[(&str, &str)]) -> Environ {
        pairs.iter().map(|(name, value)| (OsString::from(name), OsString::from(value))).collect()
    }

    #[test]
    fn what_a_manifest_refuses_as_a_program_is_what_another_reader_takes() {
        for agent in all() {
            for program in agent.names().programs.iter() {
                assert_eq!(program.parse(), Ok(agent.kind()), "a manifest that declares {program} would not be refused");
            }
        }
        let agents = agents(|it| it.programs = INTERPRETERS.map(str::to_owned).to_vec());
        for interpreter in INTERPRETERS {
            let argv = [interpreter.to_owned(), "x".to_owned()];
            assert!(agents.identify(&argv, || Some(interpreter.to_owned())).is_none(), "{interpreter} could be declared");
        }
    }

    #[test]
    fn a_declared_agent_is_recognised_however_it_is_run_and_is_its_own_shell_only() {
        let agents = agents(|it| it.packages = vec!["@acme/aider".into()]);
        for (exe, line, wrapper) in [
            ("aider", "aider --resume x", Some(false)),
            ("aider", "renamed", Some(false)),
            ("python3.12", "python3.12 -u /home/dev/.local/bin/aider", Some(false)),
            ("node", "node /opt/node_modules/@acme/aider/cli.js", Some(false)),
            ("bash", "bash /opt/bin/aider", Some(true)),
            ("claude", "aider", None),
            ("vim", "vim aider", None),
            ("bash", "bash -c aider", None),
            ("python3", "python3 -m aider", None),
        ] {
            let argv = shell_words::split(line).unwrap();
            let found = agents.identify(&argv, || Some(exe.to_owned()));
            let found = found.filter(|(agent, _)| agent.kind().as_str() == "aider");
            assert_eq!(found.map(|(agent, invocation)| agent.is_wrapper(&invocation)), wrapper, "{exe}: {line}");
        }
    }

    #[test]
    fn its_home_is_what_its_environment_makes_of_the_declared_one() {
        let home = |declared: Option<&str>, pairs: &[(&str, &str)]| {
            let definition = defined(|it| {
                it.home = declared.map(str::to_owned);
                it.home_env = Some("AIDER_HOME".into());
            });
            of(&definition).home(&env(pairs))
        };
        let dev = ("HOME", "/home/dev");
        for (declared, pairs, expected) in [
            (Some("~/.aider"), &[dev][..], Some("/home/dev/.aider")),
            (Some("~"), &[dev], Some("/home/dev")),
            (None, &[dev], Some("/home/dev")),
            (Some("/srv/aider"), &[], Some("/srv/aider")),
            (Some("~/.aider"), &[dev, ("AIDER_HOME", "/other")], Some("/other")),
            (Some("~/.aider"), &[dev, ("AIDER_HOME", "")], Some("/home/dev/.aider")),
            (Some("~/.aider"), &[], None),
        ] {
            assert_eq!(home(declared, pairs), expected.map(PathBuf::from), "{declared:?} {pairs:?}");
        }
    }

    #[test]
    fn the_resume_command_can_be_pasted_as_it_is() {
        let agents = agents(|it| {
            it.home = Some("~/.aider".into());
            it.home_env = Some("AIDER_HOME".into());
            it.resume = vec!["--resume={id}".into(), "--yes".into()];
        });
        let resume = |id: &str, home: &str| {
            let id = ConversationId(id.to_owned());
            let home = Fact::Seen(PathBuf::from(home));
            let agent = AgentKind::named("aider").unwrap();
            let conversation = Resumable { agent, id: &id, home, transcript: None, cwds: vec![Path::new("/")] };
            resume::command(&agents, &conversation, &env(&[("HOME", "/h")]))
        };
        assert_eq!(resume("u", "/h/.aider").unwrap(), "cd / && aider --resume=u --yes");
        assert_eq!(resume("$(rm x)", "/o t").unwrap(), "cd / && AIDER_HOME='/o t' aider --resume='$(rm x)' --yes");
        assert_eq!(of(&defined(|_| {})).resume_args(&ConversationId("u".into())), None, "nobody knows how");
    }

    #[test]
    fn the_directory_to_watch_is_named_only_where_transcripts_are_kept_apart() {
        let places = |template: &str, cwd: Option<&str>| {
            let definition = defined(|it| it.transcripts = Some(Template::parse(template).unwrap()));
            let place = WatchQuery { home: Path::new("/h"), cwd: cwd.map(Path::new), now: chrono::Utc::now() };
            let places = of(&definition).watch_dirs(place);
            assert_eq!(places.registries, [] as [PathBuf; 0]);
            places.transcripts
        };
        assert_eq!(places("s/{workspace}/*-{id}.x", Some("/lab/a")), [PathBuf::from("/h/s/-lab-a")]);
        assert_eq!(places("{cwd}/.x/{id}", Some("/lab/a")), [PathBuf::from("/lab/a/.x")]);
        assert_eq!(places("/srv/{workspace}/{id}", Some("/lab/a")), [PathBuf::from("/srv/-lab-a")]);
        for (template, cwd) in [
            ("s/{workspace}/{id}", None),
            ("s/*/{id}", Some("/lab/a")),
            ("{cwd}/{id}", Some("/lab/a")),
            ("{workspace}/*/{id}", Some("/lab/a")),
        ] {
            assert_eq!(places(template, cwd), [] as [PathBuf; 0], "{template}");
        }
    }

    #[test]
    fn what_could_not_be_listed_hides_what_may_be_in_it() {
        let dir = tempfile::tempdir().unwrap();
        let definition = defined(|it| {
            it.transcripts = Some(Template::parse("*/{id}.x").unwrap());
            it.id = Some(IdPattern::parse("[a-c]").unwrap());
        });
        let find = |id: &str| of(&definition).transcript(&TranscriptIndex::new(), dir.path(), &ConversationId(id.into()), &[]);
        assert_eq!(find("a"), Fact::Absent, "nothing there");
        std::fs::create_dir(dir.path().join("one")).unwrap();
        std::fs::write(dir.path().join("one/a.x"), "").unwrap();
        std::fs::write(dir.path().join("one/z.x"), "").unwrap();
        // A circle of links cannot be opened, whoever asks.
        std::os::unix::fs::symlink("circle", dir.path().join("circle")).unwrap();
        assert_eq!(find("a").seen().unwrap().path, dir.path().join("one/a.x"));
        assert!(find("b").why_unknown().unwrap().contains("circle"), "{:?}", find("b"));
        std::fs::remove_file(dir.path().join("circle")).unwrap();
        assert_eq!((find("b"), find("z")), (Fact::Absent, Fact::Absent), "and one that cannot be an id");
        std::fs::create_dir(dir.path().join("one/b.x")).unwrap();
        assert!(find("b").why_unknown().is_some(), "a directory of that name");
    }
}
