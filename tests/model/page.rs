//! The manifest as a person edits it: lines. Keeps account of what the person wrote that nobody may lose.

use super::step::{Deed, Place, SERVERS};
use super::truth::{KINDS, kind, name};

/// What makes the text no YAML.
const BROKEN: &str = "{ [ broken";

/// A text, and the person's marks in it: comments and fields, each named once.
#[derive(Debug, Clone)]
pub struct Page {
    pub lines: Vec<String>,
    pub marks: Vec<String>,
}

impl Page {
    pub fn of(text: &str, marks: &[String]) -> Self {
        Self { lines: text.lines().map(str::to_owned).collect(), marks: marks.to_vec() }
    }

    pub fn text(&self) -> String {
        self.lines.iter().map(|line| format!("{line}\n")).collect()
    }

    pub fn is_broken(&self) -> bool {
        self.lines.iter().any(|line| line == BROKEN)
    }

    /// Where each entry stands.
    fn blocks(&self) -> Vec<std::ops::Range<usize>> {
        let starts: Vec<usize> = (0..self.lines.len()).filter(|at| self.lines[*at].starts_with("  - ")).collect();
        let end = |at: usize| starts.get(at + 1).copied().unwrap_or(self.lines.len());
        starts.iter().enumerate().map(|(at, start)| *start..end(at)).collect()
    }

    fn block(&self, which: usize) -> Option<std::ops::Range<usize>> {
        let blocks = self.blocks();
        blocks.get(which % blocks.len().max(1)).cloned()
    }

    fn field(&self, block: &std::ops::Range<usize>, key: &str) -> Option<usize> {
        block.clone().find(|at| self.lines[*at].trim_start_matches([' ', '-']).starts_with(&format!("{key}:")))
    }

    fn value(&self, block: &std::ops::Range<usize>, key: &str) -> Option<String> {
        let line = &self.lines[self.field(block, key)?];
        let value = line.split_once(": ")?.1.split(" #").next()?.trim();
        Some(value.trim_matches(['\'', '"']).to_owned())
    }

    fn has(&self, server: &str, name: &str) -> bool {
        let is = |block: &std::ops::Range<usize>| {
            self.value(block, "name").as_deref() == Some(name)
                && self.value(block, "server").as_deref().unwrap_or(SERVERS[0]) == server
        };
        self.blocks().iter().any(is)
    }

    fn mark(&mut self, number: usize) -> String {
        let mark = format!("mark {number}.");
        self.marks.push(mark.clone());
        mark
    }

    /// Takes lines away, with the marks in them.
    fn cut(&mut self, lines: std::ops::Range<usize>) {
        let gone: Vec<String> = self.lines.drain(lines).collect();
        self.marks.retain(|mark| !gone.iter().any(|line| line.contains(mark.as_str())));
    }

    /// Sets the value of a field and keeps what stands behind it.
    fn set(&mut self, block: &std::ops::Range<usize>, key: &str, value: &str) {
        match self.field(block, key) {
            Some(at) => {
                let line = &self.lines[at];
                let comment = line.find(" #").map(|at| line[at..].to_owned()).unwrap_or_default();
                let indent = &line[..line.find(key).unwrap()];
                self.lines[at] = format!("{indent}{key}: {value}{comment}");
            }
            None => self.lines.insert(block.start + 1, format!("    {key}: {value}")),
        }
    }

    /// Does it. `ids` are the conversations there were, `number` is given to what is new.
    pub fn edit(&mut self, deed: &Deed, ids: &[String], number: usize) {
        match *deed {
            Deed::Comment(at) => {
                let mark = self.mark(number);
                self.lines.insert(at % (self.lines.len() + 1), format!("# {mark}"));
            }
            Deed::Trail(at) => {
                let at = at % self.lines.len().max(1);
                if self.lines.get(at).is_some_and(|line| !line.contains('#') && line != BROKEN) {
                    let mark = self.mark(number);
                    self.lines[at] += &format!("   # {mark}");
                }
            }
            Deed::Note(which) => {
                if let Some(block) = self.block(which) {
                    let mark = self.mark(number);
                    self.lines.insert(block.start + 1, format!("    note_{number}: \"kept, {mark}\""));
                }
            }
            Deed::Label(which) => {
                if let Some(block) = self.block(which).filter(|block| self.field(block, "labels").is_none()) {
                    let mark = self.mark(number);
                    self.lines.insert(block.start + 1, format!("    labels: {{ team: '{mark}' }}"));
                }
            }
            Deed::Declare(place) => self.declare(place),
            Deed::Remove(which) => {
                if let Some(block) = self.block(which) {
                    self.cut(block);
                }
            }
            Deed::Demote(which) => {
                if let Some(block) = self.block(which) {
                    let lines: Vec<String> = self.lines.drain(block).collect();
                    self.lines.extend(lines);
                }
            }
            Deed::Status(which, status) => {
                if let Some(block) = self.block(which) {
                    self.set(&block, "status", ["running", "stopped", "terminated", "archived"][status]);
                }
            }
            Deed::Id(which, id) => {
                if let (Some(block), false) = (self.block(which), ids.is_empty()) {
                    self.set(&block, "session_id", &ids[id % ids.len()]);
                }
            }
            Deed::Suspend(which) => {
                if let Some(block) = self.block(which) {
                    let is = self.value(&block, "suspend").as_deref() == Some("true");
                    self.set(&block, "suspend", if is { "false" } else { "true" });
                }
            }
            Deed::Awake(which) => {
                if let Some(block) = self.block(which) {
                    self.set(&block, "suspend", "false");
                }
            }
            Deed::Name(which, to) => {
                if let Some(block) = self.block(which) {
                    let server = self.value(&block, "server").unwrap_or_else(|| SERVERS[0].to_owned());
                    if !self.has(&server, &name(to)) {
                        self.set(&block, "name", &name(to));
                    }
                }
            }
            Deed::Copy(which, Place { server, name: number }) => {
                let free = !self.has(SERVERS[server], &name(number));
                if let Some(block) = self.block(which).filter(|_| free) {
                    let start = self.lines.len();
                    self.lines.extend_from_within(block.clone());
                    let copy = start..self.lines.len();
                    self.set(&copy, "name", &name(number));
                    self.set(&copy, "server", SERVERS[server]);
                }
            }
            Deed::Agent(which) => {
                if let Some(block) = self.block(which) {
                    let is = self.value(&block, "agent");
                    self.set(&block, "agent", KINDS[usize::from(is.as_deref() == Some(KINDS[0]))]);
                }
            }
            Deed::Halve => {
                let blocks = self.blocks();
                if let Some(first) = blocks.get(blocks.len().saturating_sub(1) / 2).filter(|_| blocks.len() > 2) {
                    self.cut(first.start..self.lines.len());
                }
            }
            Deed::Break => match self.lines.iter().position(|line| line == BROKEN) {
                Some(at) => drop(self.lines.remove(at)),
                None => self.lines.insert(0, BROKEN.to_owned()),
            },
        }
    }

    fn declare(&mut self, Place { server, name: number }: Place) {
        let (server, name) = (SERVERS[server], name(number));
        if !self.has(server, &name) {
            let lines = [format!("  - name: {name}"), format!("    agent: {}", kind(number)), "    cwd: /w".to_owned()];
            self.lines.extend(lines);
            if server != SERVERS[0] {
                self.lines.push(format!("    server: {server}"));
            }
        }
    }
}
