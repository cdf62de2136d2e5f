//! Which registry of jobs is meant. Owns the order of the search; never creates or reads one.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use crate::store::jobs::Registry;
use crate::store::paths::StateHome;

/// The variable that names a registry.
const VARIABLE: &str = "HEADCOUNT_JOBS";

/// The directory multi-agent-mux keeps beside a project, and the registry in it.
const MAM: (&str, &str) = (".mam", "jobs");

/// The registry to use: the option, `$HEADCOUNT_JOBS`, `.mam/jobs` of the working directory or one above it, `.mam/jobs` beside the
/// manifest, else the one among headcount's own state.
pub(crate) fn find(option: Option<&Path>, manifest: Option<&Path>, state: &StateHome) -> Registry {
    let here = std::env::current_dir().ok();
    let search = Search { variable: std::env::var_os(VARIABLE), here: here.as_deref(), is_ours: &is_ours };
    let registry = search.find(option, manifest).map_or_else(|| Registry::of_state(state), Registry::at);
    tracing::debug!(registry = %registry.path().display(), "using this job registry");
    registry
}

/// What somebody named and is not there, with what named it. One that nobody named is made when it is needed, and that is no news.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Missing {
    /// The directory.
    pub(crate) path: PathBuf,
    /// Whether the option named it, and not the variable.
    pub(crate) by_option: bool,
}

impl Missing {
    /// The one that the option or the variable names, if it is not there.
    pub(crate) fn find(option: Option<&Path>) -> Option<Self> {
        let by_option = option.is_some();
        let path = named(option, std::env::var_os(VARIABLE))?;
        let is_missing = path.metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound);
        is_missing.then_some(Self { path, by_option })
    }

    /// One line.
    pub(crate) fn told(&self) -> String {
        let source = if self.by_option { "--registry".to_owned() } else { format!("${VARIABLE}") };
        format!("job registry {}: no such directory (named by {source})", self.path.display())
    }
}

/// The registry that somebody named.
fn named(option: Option<&Path>, variable: Option<OsString>) -> Option<PathBuf> {
    option.map(Path::to_path_buf).or_else(|| variable.filter(|value| !value.is_empty()).map(PathBuf::from))
}

struct Search<'a> {
    variable: Option<OsString>,
    here: Option<&'a Path>,
    is_ours: &'a dyn Fn(&Path) -> bool,
}

impl Search<'_> {
    fn find(&self, option: Option<&Path>, manifest: Option<&Path>) -> Option<PathBuf> {
        let named = named(option, self.variable.clone());
        if named.is_some() {
            return named;
        }
        let above = self.here.into_iter().flat_map(Path::ancestors).map(Path::to_path_buf);
        let beside = manifest.and_then(|manifest| Some(std::path::absolute(manifest).ok()?.parent()?.to_path_buf()));
        // A manifest that is itself in `.mam` has the registry for a neighbour.
        let project =
            beside.map(|dir| if dir.ends_with(MAM.0) { dir.parent().map(Path::to_path_buf).unwrap_or(dir) } else { dir });
        above.chain(project).map(|dir| dir.join(MAM.0).join(MAM.1)).find(|registry| (self.is_ours)(registry))
    }
}

/// Whether a registry nobody named may be used: somebody else's, put where we would find it, may not.
fn is_ours(registry: &Path) -> bool {
    let me = rustix::process::geteuid().as_raw();
    registry.metadata().is_ok_and(|found| found.is_dir() && found.uid() == me)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_search_goes_from_the_option_over_the_working_directory_to_the_manifest() {
        let find = |option: Option<&str>, variable: &str, manifest: &str, there: &[&str]| {
            let is_ours = |path: &Path| there.iter().any(|dir| Path::new(dir) == path);
            let search = Search { variable: Some(variable.into()), here: Some(Path::new("/p/a/b")), is_ours: &is_ours };
            search.find(option.map(Path::new), Some(Path::new(manifest)))
        };
        let all = ["/p/a/.mam/jobs", "/m/.mam/jobs"];
        let is = |found: Option<PathBuf>, path: &str| assert_eq!(found, Some(PathBuf::from(path)));
        is(find(Some("/o"), "/v", "/m/x.yaml", &all), "/o");
        is(find(None, "/v", "/m/x.yaml", &all), "/v");
        is(find(None, "", "/m/x.yaml", &all), "/p/a/.mam/jobs");
        is(find(None, "", "/m/x.yaml", &all[1..]), "/m/.mam/jobs");
        is(find(None, "", "/m/.mam/x.yaml", &all[1..]), "/m/.mam/jobs");
        assert_eq!(find(None, "", "/m/x.yaml", &[]), None);
    }
}
