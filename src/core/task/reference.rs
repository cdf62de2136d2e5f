//! What a reference to work means: the issue of a tracker, by its id or address, or words. Asks no tracker. Pure.

use super::slug::{self, shortened, slug_of};

/// An issue of a tracker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TrackerIssue {
    /// Of Linear, or of another tracker whose ids look like that.
    Linear {
        /// The workspace, where the reference was an address.
        workspace: Option<String>,
        /// Its id, in capitals: `ENG-123`.
        id: String,
    },
    /// Of GitHub.
    GitHub {
        /// The repository's owner.
        owner: String,
        /// The repository.
        repository: String,
        /// Its number.
        number: u64,
    },
}

impl TrackerIssue {
    /// `linear` or `github`.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Linear { .. } => "linear",
            Self::GitHub { .. } => "github",
        }
    }

    /// The id that people say: `ENG-123`, or `owner/repository#7`.
    pub fn human_id(&self) -> String {
        match self {
            Self::Linear { id, .. } => id.clone(),
            Self::GitHub { owner, repository, number } => format!("{owner}/{repository}#{number}"),
        }
    }

    /// Its address, without what else the reference held; `None`: an id alone does not tell.
    pub fn url(&self) -> Option<String> {
        match self {
            Self::Linear { workspace, id } => {
                workspace.as_ref().map(|workspace| format!("https://linear.app/{workspace}/issue/{id}"))
            }
            Self::GitHub { owner, repository, number } => {
                Some(format!("https://github.com/{owner}/{repository}/issues/{number}"))
            }
        }
    }

    /// Whether that is the same issue.
    pub fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Linear { workspace, id }, Self::Linear { workspace: other_workspace, id: other_id }) => {
                let workspaces = workspace.as_ref().zip(other_workspace.as_ref());
                id == other_id && workspaces.is_none_or(|(one, other)| one.eq_ignore_ascii_case(other))
            }
            (
                Self::GitHub { owner, repository, number },
                Self::GitHub { owner: other_owner, repository: other_repository, number: other_number },
            ) => {
                let is_same = |one: &str, other: &str| one.eq_ignore_ascii_case(other);
                number == other_number && is_same(owner, other_owner) && is_same(repository, other_repository)
            }
            _ => false,
        }
    }

    /// The beginning of its name.
    fn slug(&self) -> String {
        match self {
            Self::Linear { id, .. } => slug_of(id),
            Self::GitHub { repository, number, .. } => format!("{}-issue-{number}", slug_of(repository)),
        }
    }
}

/// Why a text refers to nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadReference {
    /// There is no text.
    #[error("no task was given")]
    Empty,
    /// It is an address of a known tracker, and not of an issue there.
    #[error("{0} is not the address of an issue")]
    NoIssue(String),
    /// It is an address of something else.
    #[error("no tracker is known at {0}: Linear and GitHub issues are")]
    UnknownTracker(String),
}

/// A reference to work.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TaskReference {
    /// What was said.
    pub text: String,
    /// The issue it is about, if it names one.
    pub issue: Option<TrackerIssue>,
    /// What the work is called, as far as the reference or somebody else says.
    pub title: Option<String>,
}

impl TaskReference {
    /// Reads a reference. The first issue of Linear counts, else the first of GitHub; an id counts only where it stands alone.
    ///
    /// # Errors
    /// [`BadReference`]: there is nothing, or only an address that is of no issue.
    pub fn parse(text: &str) -> Result<Self, BadReference> {
        let text = text.trim();
        if text.is_empty() {
            return Err(BadReference::Empty);
        }
        let urls: Vec<&str> = addresses(text).collect();
        let found = urls.iter().find_map(|url| linear(url)).or_else(|| urls.iter().find_map(|url| github(url)));
        if let Some((issue, title)) = found {
            return Ok(Self { text: text.to_owned(), issue: Some(issue), title });
        }
        if text.split_whitespace().count() == 1 && text.contains("://") {
            return Err(unknown(text));
        }
        let issue = is_id(text).then(|| TrackerIssue::Linear { workspace: None, id: text.to_owned() });
        Ok(Self { text: text.to_owned(), issue, title: None })
    }

    /// The same with what the work is called.
    #[must_use]
    pub fn titled(self, title: Option<&str>) -> Self {
        Self { title: title.map(str::to_owned).or(self.title), ..self }
    }

    /// The name of the work: of its folder, and of a session for it.
    pub fn slug(&self) -> String {
        let Some(issue) = &self.issue else { return slug_of(&self.text) };
        match self.title.as_deref().and_then(slug::words) {
            Some(title) => shortened(format!("{}-{title}", issue.slug())),
            None => shortened(issue.slug()),
        }
    }

    /// The name of the tab of a session of this name.
    pub fn tab_name(&self, session: &str) -> String {
        self.issue.as_ref().map_or_else(|| session.to_owned(), |issue| format!("[{}]", issue.human_id()))
    }

    /// Whether a text means this work: the same words, the same issue, or its name.
    pub fn is_meant_by(&self, text: &str) -> bool {
        if self.text == text {
            return true;
        }
        // Of a pattern only the very same text is meant.
        if text.contains(['*', '?', '[']) && !text.contains("://") {
            return false;
        }
        let by_issue = || {
            let issue = self.issue.as_ref()?;
            if issue.human_id().eq_ignore_ascii_case(text) {
                return Some(true);
            }
            let id = text.to_ascii_uppercase();
            let other =
                if is_id(&id) { Some(TrackerIssue::Linear { workspace: None, id }) } else { Self::parse(text).ok()?.issue };
            Some(issue.is(&other?))
        };
        match by_issue() {
            Some(is_it) => is_it,
            // Two texts of which no letter is left are not the same.
            None => slug::words(text).is_some() && Self::parse(text).is_ok_and(|other| other.slug() == self.slug()),
        }
    }
}

/// The addresses in a text, without the marks that close a sentence.
fn addresses(text: &str) -> impl Iterator<Item = &str> {
    let ends = |c: char| c.is_whitespace() || matches!(c, '<' | '>' | '(' | ')');
    text.split(ends).filter_map(|word| {
        // What is quoted, or follows a colon, begins inside of a word.
        let small = word.to_ascii_lowercase();
        let at = small.find("https://").or_else(|| small.find("http://"))?;
        Some(word.get(at..)?.trim_end_matches(['.', ',', ';', ':', '!', '?', '\'', '"']))
    })
}

/// The host of an address, and the names in its path.
fn parts(url: &str) -> Option<(&str, Vec<&str>)> {
    let (_, rest) = url.split_once("://")?;
    let path = rest.split(['?', '#']).next()?;
    let mut names = path.split('/');
    Some((names.next()?, names.collect()))
}

fn linear(url: &str) -> Option<(TrackerIssue, Option<String>)> {
    let (host, names) = parts(url)?;
    let [workspace, issue, id, rest @ ..] = names.as_slice() else { return None };
    let id = id.to_ascii_uppercase();
    if !host.eq_ignore_ascii_case("linear.app") || workspace.is_empty() || !issue.eq_ignore_ascii_case("issue") || !is_id(&id) {
        return None;
    }
    let title = rest.first().map(|title| title.split(['-', '_']).filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" "));
    Some((TrackerIssue::Linear { workspace: Some((*workspace).to_owned()), id }, title.filter(|title| !title.is_empty())))
}

fn github(url: &str) -> Option<(TrackerIssue, Option<String>)> {
    let (host, names) = parts(url)?;
    let [owner, repository, issues, number, ..] = names.as_slice() else { return None };
    if !host.eq_ignore_ascii_case("github.com")
        || owner.is_empty()
        || repository.is_empty()
        || !issues.eq_ignore_ascii_case("issues")
    {
        return None;
    }
    let number = number.parse().ok()?;
    Some((TrackerIssue::GitHub { owner: (*owner).to_owned(), repository: (*repository).to_owned(), number }, None))
}

/// Whether a text is the id of an issue: capitals, `-`, a number.
fn is_id(text: &str) -> bool {
    let Some((team, number)) = text.rsplit_once('-') else { return false };
    let is_team = team.starts_with(|c: char| c.is_ascii_uppercase())
        && team.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_');
    is_team && !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit())
}

fn unknown(url: &str) -> BadReference {
    match parts(url) {
        Some((host, _)) if !host.is_empty() && !["linear.app", "github.com"].iter().any(|it| it.eq_ignore_ascii_case(host)) => {
            BadReference::UnknownTracker(host.to_owned())
        }
        _ => BadReference::NoIssue(url.to_owned()),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> (String, String, String) {
        let task = TaskReference::parse(text).unwrap();
        let slug = task.slug();
        let id = task.issue.as_ref().map_or_else(String::new, TrackerIssue::human_id);
        (id, task.tab_name(&slug), slug)
    }

    #[test]
    fn a_reference_is_an_issue_by_its_id_or_address_or_words() {
        for (text, id, tab, slug) in [
            ("ENG-123", "ENG-123", "[ENG-123]", "eng-123"),
            (" ENG-123\n", "ENG-123", "[ENG-123]", "eng-123"),
            ("https://linear.app/acme/issue/eng-123/fix-the_login--now", "ENG-123", "[ENG-123]", "eng-123-fix-the-login-now"),
            ("https://linear.app/acme/issue/ENG-123/", "ENG-123", "[ENG-123]", "eng-123"),
            ("https://linear.app/acme/issue/ENG-123?x=1#y", "ENG-123", "[ENG-123]", "eng-123"),
            ("HTTPS://Linear.App/acme/Issue/ENG-123", "ENG-123", "[ENG-123]", "eng-123"),
            (
                "https://github.com/Acme/web_App/issues/7#issuecomment-1",
                "Acme/web_App#7",
                "[Acme/web_App#7]",
                "web-app-issue-7",
            ),
            ("See (https://github.com/a/b/issues/7), and \"https://linear.app/w/issue/X-1/t\".", "X-1", "[X-1]", "x-1-t"),
            ("Do https://github.com/a/b/issues/7.", "a/b#7", "[a/b#7]", "b-issue-7"),
            // Words, also those that hold what looks like an id.
            ("UTF-8 in the parser", "", "utf-8-in-the-parser", "utf-8-in-the-parser"),
            ("eng-123", "", "eng-123", "eng-123"),
            ("Fix https://example.org/x now", "", "fix-https-example-org-x-now", "fix-https-example-org-x-now"),
            (
                "https://github.com/a/b/pull/7 is broken",
                "",
                "https-github-com-a-b-pull-7-is-broken",
                "https-github-com-a-b-pull-7-is-broken",
            ),
            ("ENG-123 login", "", "eng-123-login", "eng-123-login"),
        ] {
            assert_eq!(read(text), (id.to_owned(), tab.to_owned(), slug.to_owned()), "{text}");
        }
    }

    #[test]
    fn an_address_of_nothing_known_is_no_reference() {
        let why = |text: &str| TaskReference::parse(text).unwrap_err().to_string();
        assert_eq!(why(" \n"), "no task was given");
        assert_eq!(
            why("https://jira.acme.dev/browse/ENG-1"),
            "no tracker is known at jira.acme.dev: Linear and GitHub issues are"
        );
        for odd in [
            "https://linear.app/acme",
            "https://linear.app/acme/issue/nothing",
            "https://github.com/a/b/pull/7",
            "https://github.com/a/b/issues/",
            "https://github.com/a/b/issues/99999999999999999999",
            "http://",
        ] {
            assert_eq!(why(odd), format!("{odd} is not the address of an issue"));
        }
        assert!(why("ftp://x").starts_with("no tracker is known at x"));
    }

    #[test]
    fn a_title_that_is_given_goes_before_that_of_the_address() {
        let task = TaskReference::parse("https://linear.app/acme/issue/ENG-1/old-title").unwrap();
        assert_eq!(task.clone().titled(Some("A new one")).slug(), "eng-1-a-new-one");
        assert_eq!(task.titled(None).slug(), "eng-1-old-title");
        let words = TaskReference::parse("Fix it").unwrap();
        assert_eq!(words.titled(Some("Another")).slug(), "fix-it", "words say themselves what they are called");
    }

    #[test]
    fn work_is_meant_by_its_issue_however_that_is_spelled_or_by_its_name() {
        let means = |task: &str, text: &str| TaskReference::parse(task).unwrap().is_meant_by(text);
        let linear = "https://linear.app/acme/issue/ENG-123/fix-login";
        for text in [linear, "ENG-123", "eng-123", "eng-123-fix-login", "https://linear.app/Acme/issue/eng-123/other-title"] {
            assert!(means(linear, text), "{text}");
        }
        for text in ["ENG-12", "ENG-1234", "https://linear.app/other/issue/ENG-123", "fix-login", "eng-123*", "", "a", "eng"] {
            assert!(!means(linear, text), "{text}");
        }
        assert!(means("https://github.com/Acme/web/issues/7", "acme/web#7"));
        assert!(means("https://github.com/Acme/web/issues/7", "web-issue-7"));
        assert!(!means("https://github.com/Acme/web/issues/7", "https://github.com/Acme/web/issues/8"));
        assert!(means("Fix the login", "fix-the-login") && means("Fix the login", "fix the LOGIN!"));
        assert!(!means("Fix the login", "fix") && !means("A", "a*") && !means("A", "A?"));
        assert!(means("日本", "日本") && !means("日本", "中国"), "nothing is left of either, and they are not the same");
    }

    proptest! {
        #[test]
        fn whatever_is_a_reference_means_itself_and_its_name(text in "\\PC{0,40}|[A-Z]{2,4}-[0-9]{1,4}|https://(linear.app|github.com)/[a-z/0-9-]{0,30}") {
            if let Ok(task) = TaskReference::parse(&text) {
                prop_assert!(task.is_meant_by(&task.text));
                let slug = task.slug();
                prop_assert_eq!(&slug_of(&slug), &slug);
                prop_assert!(slug == "task" || task.is_meant_by(&slug), "{slug}");
            }
        }
    }
}
