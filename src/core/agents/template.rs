//! Where a declared agent's transcripts are: a path with places for the id and the workspace. Pure matching of names; never
//! lists a directory.

use std::path::Path;

/// The longest template, in bytes.
const LONGEST: usize = 512;
/// The most directories and the file.
const MOST_PARTS: usize = 16;

/// A path such as `sessions/{workspace}/*-{id}.jsonl`: `*` is any text within a name, `?` any one character.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Template {
    text: String,
    root: Root,
    parts: Vec<Part>,
}

/// What a template's path begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Root {
    /// The agent's home.
    Home,
    /// `/`.
    Filesystem,
    /// The workspace, `{cwd}`.
    Workspace,
}

/// One name of a template's path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Part(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
enum Piece {
    Text(String),
    /// `*`.
    Any,
    /// `?`.
    One,
    Id,
    Workspace,
}

impl Piece {
    /// Whether it matches more than one text once the workspace is not known.
    fn is_open(&self) -> bool {
        matches!(self, Self::Any | Self::One | Self::Workspace)
    }
}

/// A workspace as `{workspace}` has it: every character of its path but ASCII letters and digits as a dash.
pub fn workspace_word(cwd: &Path) -> String {
    cwd.to_string_lossy().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect()
}

impl Template {
    /// Reads a template.
    ///
    /// # Errors
    /// What is wrong with it, in one line.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("it must not have more than {LONGEST} bytes"));
        }
        let (root, path) = match text.strip_prefix("{cwd}/") {
            Some(rest) => (Root::Workspace, rest),
            None => text.strip_prefix('/').map_or((Root::Home, text), |rest| (Root::Filesystem, rest)),
        };
        let parts = path.split('/').map(part).collect::<Result<Vec<_>, _>>()?;
        if parts.len() > MOST_PARTS {
            return Err(format!("it must not have more than {MOST_PARTS} parts"));
        }
        match parts.iter().flat_map(|part| &part.0).filter(|piece| **piece == Piece::Id).count() {
            1 => Ok(Self { text: text.to_owned(), root, parts }),
            count => Err(format!("it must contain `{{id}}` once, and contains it {count} times")),
        }
    }

    /// The template as written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What its path begins at.
    pub fn root(&self) -> Root {
        self.root
    }

    /// Whether it tells the transcripts of one workspace from those of others.
    pub fn names_workspace(&self) -> bool {
        self.root == Root::Workspace || self.parts.iter().flat_map(|part| &part.0).any(|piece| *piece == Piece::Workspace)
    }

    /// Whether the transcripts of two workspaces cannot be told apart.
    pub fn confuses(&self, one: &Path, other: &Path) -> bool {
        one == other || self.root != Root::Workspace && workspace_word(one) == workspace_word(other)
    }

    /// The names on its path, in the workspace of this word; without one, in any.
    pub fn parts(&self, workspace: Option<&str>) -> Vec<Part> {
        self.bound(workspace, None)
    }

    /// The path of one conversation in a workspace, below its root; `None` if only looking tells.
    pub fn path(&self, workspace: &str, id: &str) -> Option<String> {
        let parts = self.bound(Some(workspace), Some(id));
        let names: Option<Vec<&str>> = parts.iter().map(Part::plain).collect();
        names.map(|names| names.join("/"))
    }

    fn bound(&self, workspace: Option<&str>, id: Option<&str>) -> Vec<Part> {
        self.parts.iter().map(|part| part.bound(workspace, id)).collect()
    }
}

/// Reads one name.
fn part(text: &str) -> Result<Part, String> {
    match text {
        "" => return Err("a part of it is empty".to_owned()),
        "." | ".." => return Err(format!("it must not contain `{text}`")),
        _ if text.contains("**") => return Err("`**` is not supported: write one `*` for each directory".to_owned()),
        _ if text.chars().any(char::is_control) => return Err("it must not contain a control character".to_owned()),
        _ => {}
    }
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['*', '?', '{', '}']) {
        let (plain, from) = rest.split_at(at);
        if !plain.is_empty() {
            pieces.push(Piece::Text(plain.to_owned()));
        }
        let known = [("*", Piece::Any), ("?", Piece::One), ("{id}", Piece::Id), ("{workspace}", Piece::Workspace)];
        let found = known.into_iter().find_map(|(word, piece)| Some((from.strip_prefix(word)?, piece)));
        let Some((after, piece)) = found else {
            let word = from.split_inclusive('}').next().unwrap_or(from);
            return Err(match word {
                "{cwd}" => "`{cwd}` must be at the start, as `{cwd}/…`".to_owned(),
                _ => format!("unknown placeholder `{word}`: use `{{id}}`, `{{workspace}}` or `{{cwd}}`"),
            });
        };
        pieces.push(piece);
        rest = after;
    }
    if !rest.is_empty() {
        pieces.push(Piece::Text(rest.to_owned()));
    }
    let part = Part(pieces);
    part.check_id()?;
    Ok(part)
}

impl Part {
    /// A name of which nobody could say where the id begins or ends is refused.
    fn check_id(&self) -> Result<(), String> {
        let Some(at) = self.0.iter().position(|piece| *piece == Piece::Id) else { return Ok(()) };
        let (before, after) = (&self.0[..at], &self.0[at + 1..]);
        if before.last().is_some_and(Piece::is_open) || after.first().is_some_and(Piece::is_open) {
            return Err("`{id}` must not be next to `*`, `?` or `{workspace}`".to_owned());
        }
        if before.iter().any(Piece::is_open) && after.iter().any(Piece::is_open) {
            return Err("`*`, `?` and `{workspace}` must not be on both sides of `{id}` in one part".to_owned());
        }
        Ok(())
    }

    /// The same with some places filled in. A workspace that is not known may be any.
    fn bound(&self, workspace: Option<&str>, id: Option<&str>) -> Self {
        let mut pieces: Vec<Piece> = Vec::with_capacity(self.0.len());
        for piece in &self.0 {
            let text = |known: Option<&str>| known.map(|text| Piece::Text(text.to_owned()));
            let piece = match piece {
                Piece::Workspace => text(workspace).unwrap_or(Piece::Any),
                Piece::Id => text(id).unwrap_or(Piece::Id),
                other => other.clone(),
            };
            match (pieces.last_mut(), piece) {
                (Some(Piece::Text(before)), Piece::Text(text)) => before.push_str(&text),
                (_, piece) => pieces.push(piece),
            }
        }
        Self(pieces)
    }

    /// The name, if there is only one.
    pub fn plain(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Piece::Text(text)] => Some(text),
            _ => None,
        }
    }

    /// Whether the id stands in it.
    pub fn has_id(&self) -> bool {
        self.0.contains(&Piece::Id)
    }

    /// Whether a name matches in which no id is sought.
    pub fn matches(&self, name: &str) -> bool {
        covers(&self.0, name)
    }

    /// Every id that a name may hold.
    pub fn ids<'n>(&self, name: &'n str, is_id: impl Fn(&str) -> bool) -> Vec<&'n str> {
        let Some(at) = self.0.iter().position(|piece| *piece == Piece::Id) else { return Vec::new() };
        let (before, after) = (&self.0[..at], &self.0[at + 1..]);
        // What stands right beside the id is plain text, so most names are out at the first look.
        let begins = cuts(name).filter(|at| ends_like(before, &name[..*at]) && covers(before, &name[..*at]));
        let ends: Vec<usize> =
            cuts(name).filter(|at| begins_like(after, &name[*at..]) && covers(after, &name[*at..])).collect();
        let spans = begins.flat_map(|begin| ends.iter().map(move |end| (begin, *end)));
        let mut ids: Vec<&str> = spans.filter_map(|(begin, end)| name.get(begin..end)).filter(|id| is_id(id)).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }
}

/// Every place at which a name can be cut.
fn cuts(name: &str) -> impl Iterator<Item = usize> {
    name.char_indices().map(|(at, _)| at).chain([name.len()])
}

fn ends_like(pieces: &[Piece], text: &str) -> bool {
    match pieces.last() {
        None => text.is_empty(),
        Some(Piece::Text(end)) => text.ends_with(end.as_str()),
        Some(_) => true,
    }
}

fn begins_like(pieces: &[Piece], text: &str) -> bool {
    match pieces.first() {
        None => text.is_empty(),
        Some(Piece::Text(begin)) => text.starts_with(begin.as_str()),
        Some(_) => true,
    }
}

/// Whether pieces without an id cover the whole of a text. Each `*` is tried anew only from the last one on, so the time is at
/// most the product of both lengths.
fn covers(pieces: &[Piece], text: &str) -> bool {
    let (mut p, mut rest) = (0, text);
    let mut retry: Option<(usize, &str)> = None;
    loop {
        let after = match pieces.get(p) {
            None if rest.is_empty() => return true,
            None | Some(Piece::Id) => None,
            Some(Piece::Any | Piece::Workspace) => {
                retry = Some((p + 1, rest));
                p += 1;
                continue;
            }
            Some(Piece::One) => rest.chars().next().map(|c| &rest[c.len_utf8()..]),
            Some(Piece::Text(text)) => rest.strip_prefix(text.as_str()),
        };
        match (after, retry) {
            (Some(after), _) => (p, rest) = (p + 1, after),
            (None, Some((piece, from))) => {
                let Some(c) = from.chars().next() else { return false };
                let from = &from[c.len_utf8()..];
                retry = Some((piece, from));
                (p, rest) = (piece, from);
            }
            (None, None) => return false,
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn last(text: &str) -> Part {
        Template::parse(text).unwrap().parts(Some("-lab-x")).pop().unwrap()
    }

    #[test]
    fn a_template_has_a_root_and_one_id() {
        for (text, root, names_workspace) in [
            ("sessions/{workspace}/*-{id}.jsonl", Root::Home, true),
            ("sessions/*/{id}.jsonl", Root::Home, false),
            ("/var/lib/x/{id}", Root::Filesystem, false),
            ("{cwd}/.aider/{id}.md", Root::Workspace, true),
            ("{id}/log-{workspace}.json", Root::Home, true),
        ] {
            let template = Template::parse(text).unwrap();
            assert_eq!((template.root(), template.names_workspace(), template.as_str()), (root, names_workspace, text));
        }
        for (bad, told) in [
            ("", "empty"),
            ("a", "0 times"),
            ("{id}/{id}", "2 times"),
            ("../{id}", "`..`"),
            ("a/../{id}", "`..`"),
            ("{cwd}/../{id}", "`..`"),
            ("./{id}", "`.`"),
            ("a//{id}", "empty"),
            ("{id}/", "empty"),
            ("a/{cwd}/{id}", "`{cwd}/…`"),
            ("{cwd}{id}", "`{cwd}/…`"),
            ("**/{id}", "`**`"),
            ("{uuid}-{id}", "`{uuid}`"),
            ("a}{id}", "`}`"),
            ("{id", "`{id`"),
            ("*{id}", "next to"),
            ("{id}?x", "next to"),
            ("{workspace}{id}", "next to"),
            ("*-{id}-*", "both sides"),
            ("a\n{id}", "control"),
            (&format!("{}{{id}}", "a/".repeat(MOST_PARTS)), "more than 16"),
            (&format!("{}{{id}}", "a".repeat(LONGEST)), "more than 512"),
        ] {
            let error = Template::parse(bad).unwrap_err();
            assert!(error.contains(told), "{bad}: {error}");
        }
    }

    #[test]
    fn an_id_is_read_from_a_name_and_where_it_is_not_sure_all_are() {
        let hex = |id: &str| id.len() == 8 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        for (template, name, ids) in [
            ("*-{id}.jsonl", "2026-11-21-0123abcd.jsonl", &["0123abcd"][..]),
            ("*-{id}.jsonl", "0123abcd.jsonl", &[]),
            ("*-{id}.jsonl", "a-0123abcd.json", &[]),
            ("{id}-*.jsonl", "0123abcd-89abcdef.jsonl", &["0123abcd"]),
            ("{id}", "0123abcd", &["0123abcd"]),
            ("é-{id}", "é-0123abcd", &["0123abcd"]),
            ("?-{id}", "é-0123abcd", &["0123abcd"]),
            ("{workspace}-{id}", "-lab-x-0123abcd", &["0123abcd"]),
            ("{workspace}-{id}", "-lab-y-0123abcd", &[]),
        ] {
            assert_eq!(last(template).ids(name, hex), ids, "{template} {name}");
        }
        assert_eq!(
            last("*-{id}").ids("a-b-c", |_| true),
            ["", "b-c", "c"].into_iter().filter(|id| !id.is_empty()).collect::<Vec<_>>()
        );
        assert_eq!(last("*-{id}.x").ids(&format!("{}.x", "-".repeat(250)), |_| false), [""; 0], "in no time");
    }

    #[test]
    fn a_path_is_known_where_nothing_in_it_is_left_open() {
        let path = |text: &str| Template::parse(text).unwrap().path("-lab-x", "*");
        assert_eq!(path("s/{workspace}/{id}.jsonl").as_deref(), Some("s/-lab-x/*.jsonl"), "an id is no pattern");
        assert_eq!(path("s/{workspace}/*-{id}.jsonl"), None);
        assert_eq!(workspace_word(Path::new("/lab/a_b.c é")), "-lab-a-b-c--");
        let template = Template::parse("s/{workspace}/{id}").unwrap();
        assert!(template.confuses(Path::new("/lab/a.b"), Path::new("/lab/a_b")));
        assert!(!template.confuses(Path::new("/lab/a"), Path::new("/lab/b")));
        let inside = Template::parse("{cwd}/{id}").unwrap();
        assert!(!inside.confuses(Path::new("/lab/a.b"), Path::new("/lab/a_b")));
        let any = &template.parts(None)[1];
        assert!(any.matches("-lab-y") && any.plain().is_none() && !any.has_id());
        assert_eq!(template.parts(Some("-w"))[1].plain(), Some("-w"));
    }

    #[test]
    fn stars_cover_any_text_and_nothing_else() {
        for (template, name, expected) in [
            ("a*b*c/{id}", "a-b-b-c", true),
            ("a*b*c/{id}", "a-b-b-d", false),
            ("*/{id}", "", true),
            ("a?/{id}", "a", false),
            ("x*x/{id}", "x", false),
        ] {
            assert_eq!(Template::parse(template).unwrap().parts(None)[0].matches(name), expected, "{template} {name}");
        }
    }
}
