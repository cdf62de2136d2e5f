//! Which manifest is meant. Owns the order of the search; never opens a file.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use super::error::{CliError, Exit};

/// The variables that name a manifest, the first one set wins.
const VARIABLES: [&str; 2] = ["HEADCOUNT_MANIFEST", "AGENT_SESSIONS_YAML"];

/// Where a manifest is looked for in the working directory.
const HERE: [&str; 2] = ["agent-sessions.yaml", ".mam/agent-sessions.yaml"];

/// The surroundings the search depends on.
pub(crate) struct Surroundings<'a> {
    /// Reads an environment variable.
    pub(crate) variable: &'a dyn Fn(&str) -> Option<OsString>,
    /// Whether there is something at a path; a broken symlink counts.
    pub(crate) exists: &'a dyn Fn(&Path) -> bool,
}

impl Surroundings<'static> {
    /// Those of this process.
    pub(crate) fn real() -> Self {
        Self { variable: &|name| std::env::var_os(name), exists: &|path| path.symlink_metadata().is_ok() }
    }
}

/// A manifest and what named it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ManifestChoice {
    /// The path as given or found.
    pub(crate) path: PathBuf,
    /// `--manifest`, `$HEADCOUNT_MANIFEST`, …, or `found here`.
    pub(crate) source: String,
    /// Whether nobody named it: it was found in the working directory.
    pub(crate) is_found_here: bool,
}

/// The manifest to use: the option, a variable, or the first file of the search that is there.
///
/// # Errors
/// A named one that is not there, or none at all.
pub(crate) fn find(option: Option<&Path>, around: &Surroundings<'_>) -> Result<ManifestChoice, CliError> {
    if let Some(path) = option {
        return named(path, "--manifest", around);
    }
    for variable in VARIABLES {
        if let Some(path) = set(variable, around) {
            return named(Path::new(&path), &format!("${variable}"), around);
        }
    }
    let candidates = candidates(around);
    if let Some((path, source)) = candidates.iter().find(|(path, _)| (around.exists)(path)) {
        let is_found_here = HERE.iter().any(|here| path == Path::new(here));
        return Ok(ManifestChoice { path: path.clone(), source: (*source).to_owned(), is_found_here });
    }
    let looked: Vec<String> = candidates.iter().map(|(path, _)| path.display().to_string()).collect();
    Err(CliError::new(Exit::Failure, format!("no manifest found: looked for {}", looked.join(", ")))
        .hint("name one with --manifest or $HEADCOUNT_MANIFEST, or let `headcount init` write one from what is running now"))
}

/// The manifest that the option or a variable names, whether or not it is there.
pub(crate) fn meant(option: Option<&Path>, around: &Surroundings<'_>) -> Option<PathBuf> {
    let variable = || VARIABLES.iter().find_map(|variable| set(variable, around)).map(PathBuf::from);
    option.map(Path::to_path_buf).or_else(variable)
}

/// Whether somebody says which manifest it is. If nobody does, that there is none is no mistake.
pub(crate) fn is_named(option: Option<&Path>, around: &Surroundings<'_>) -> bool {
    meant(option, around).is_some()
}

/// The manifest to use, if there is one: for what can do without.
///
/// # Errors
/// The option names one that is not there.
pub(crate) fn if_any(option: Option<&Path>, around: &Surroundings<'_>) -> Result<Option<PathBuf>, CliError> {
    match find(option, around) {
        Ok(found) => Ok(Some(found.path)),
        Err(error) if option.is_some() => Err(error),
        Err(_) => Ok(None),
    }
}

/// The manifest that somebody named, by what `source` says.
///
/// # Errors
/// It is not there.
pub(crate) fn named(path: &Path, source: &str, around: &Surroundings<'_>) -> Result<ManifestChoice, CliError> {
    if (around.exists)(path) {
        return Ok(ManifestChoice { path: path.to_path_buf(), source: source.to_owned(), is_found_here: false });
    }
    Err(CliError::new(Exit::Failure, format!("manifest {}: no such file (named by {source})", path.display()))
        .hint("check the name; `headcount init` writes a manifest from what is running now"))
}

/// A variable that is set to something.
fn set(name: &str, around: &Surroundings<'_>) -> Option<OsString> {
    (around.variable)(name).filter(|value| !value.is_empty())
}

fn candidates(around: &Surroundings<'_>) -> Vec<(PathBuf, &'static str)> {
    let mut list: Vec<_> = HERE.iter().map(|name| (PathBuf::from(name), "found in this directory")).collect();
    // The XDG specification: a relative value is invalid and ignored.
    let config = set("XDG_CONFIG_HOME", around)
        .map(PathBuf::from)
        .filter(|path| path.is_absolute())
        .or_else(|| set("HOME", around).map(|home| PathBuf::from(home).join(".config")));
    if let Some(config) = config {
        list.push((config.join("headcount/agent-sessions.yaml"), "found in the configuration directory"));
    }
    list
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn search(option: Option<&str>, variables: &[(&str, &str)], files: &[&str]) -> Result<ManifestChoice, CliError> {
        let variable = |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| OsString::from(value));
        let exists = |path: &Path| files.iter().any(|file| Path::new(file) == path);
        find(option.map(Path::new), &Surroundings { variable: &variable, exists: &exists })
    }

    #[test]
    fn the_search_goes_from_the_option_to_the_configuration_directory() {
        let mut files = vec!["o.yaml", "h.yaml", "a.yaml", "agent-sessions.yaml", ".mam/agent-sessions.yaml"];
        files.push("/c/headcount/agent-sessions.yaml");
        let mut variables =
            vec![("HEADCOUNT_MANIFEST", "h.yaml"), ("AGENT_SESSIONS_YAML", "a.yaml"), ("XDG_CONFIG_HOME", "/c")];
        let path = |found: Result<ManifestChoice, CliError>| found.unwrap().path;
        assert_eq!(path(search(Some("o.yaml"), &variables, &files)), Path::new("o.yaml"));
        assert_eq!(path(search(None, &variables, &files)), Path::new("h.yaml"));
        variables.remove(0);
        assert_eq!(path(search(None, &variables, &files)), Path::new("a.yaml"));
        variables.remove(0);
        for expected in ["agent-sessions.yaml", ".mam/agent-sessions.yaml", "/c/headcount/agent-sessions.yaml"] {
            assert_eq!(path(search(None, &variables, &files)), Path::new(expected));
            files.retain(|file| *file != expected);
        }
        assert!(search(None, &variables, &files).is_err());
    }

    #[test]
    fn a_named_manifest_that_is_missing_is_never_replaced_by_a_found_one() {
        let files = ["agent-sessions.yaml"];
        let error = search(Some("gone.yaml"), &[], &files).unwrap_err();
        assert_eq!(error.message(), "manifest gone.yaml: no such file (named by --manifest)");
        let error = search(None, &[("HEADCOUNT_MANIFEST", "gone.yaml")], &files).unwrap_err();
        assert!(error.message().contains("$HEADCOUNT_MANIFEST"), "{}", error.message());
    }

    #[test]
    fn an_empty_variable_and_a_relative_configuration_directory_are_as_if_unset() {
        let files = ["/h/.config/headcount/agent-sessions.yaml"];
        let variables = [("HEADCOUNT_MANIFEST", ""), ("XDG_CONFIG_HOME", "relative"), ("HOME", "/h")];
        assert_eq!(search(None, &variables, &files).unwrap().path, Path::new(files[0]));
    }
}
