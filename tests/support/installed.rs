//! Where the real programs are that tests and benchmarks start. Starts none.

use std::fs;
use std::path::PathBuf;

/// The real zellij: `HEADCOUNT_TEST_ZELLIJ`, else what `./x test` built.
pub fn zellij() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os("HEADCOUNT_TEST_ZELLIJ") {
        return Some(PathBuf::from(named)).filter(|program| program.is_file());
    }
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")))?;
    let built = fs::read_dir(cache.join("headcount-tools")).ok()?.flatten();
    let mut programs: Vec<PathBuf> = built
        .filter(|entry| entry.file_name().to_string_lossy().starts_with("zellij-"))
        .map(|entry| entry.path().join("bin/zellij"))
        .filter(|program| program.is_file())
        .collect();
    programs.sort();
    programs.pop()
}
