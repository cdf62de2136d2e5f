//! The end of a transcript of JSON lines, as far back as one window goes. Reads whole lines only.

use std::io;
use std::path::Path;

use serde::Deserialize;

use super::files;

/// The last lines of a file that are what is asked for, oldest first. Lines that are something else are left out, among them one
/// that is still being written. A line longer than the window hides all before it.
pub(super) fn records<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Vec<T>, String> {
    let wrong = |error: io::Error| files::unreadable(path, &error);
    let edges = files::edges(path).map_err(wrong)?;
    let size = std::fs::metadata(path).map_err(wrong)?.len();
    // Where the head is not all of the file, it is not its end either.
    let end = if size > edges.head.len() as u64 { &edges.tail } else { &edges.head };
    Ok(end.split(|byte| *byte == b'\n').filter_map(|line| serde_json::from_slice(line).ok()).collect())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Number {
        n: u32,
    }

    fn numbers(text: &str) -> Vec<u32> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x.jsonl");
        std::fs::write(&path, text).unwrap();
        records::<Number>(&path).unwrap().iter().map(|it| it.n).collect()
    }

    #[test]
    fn only_the_end_is_read_and_only_what_is_whole() {
        assert_eq!(numbers("{\"n\":1}\n{\"m\":2}\n\n{\"n\":3}\n{\"n\":4"), [1, 3]);
        let long = format!("{{\"n\":9,\"text\":\"{}\"}}\n", "x".repeat(70_000));
        assert_eq!(numbers(&format!("{{\"n\":1}}\n{long}{{\"n\":2}}\n")), [2]);
        assert_eq!(numbers(&format!("{{\"n\":1}}\n{long}")), [0; 0], "what came before is no end");
        assert!(records::<Number>(Path::new("/nonexistent")).is_err());
    }
}
