//! The end of a transcript of JSON lines, as far back as one window goes. Reads whole lines only.

use std::path::Path;

use serde::Deserialize;

use super::files;

/// The last lines of a file that are what is asked for, oldest first. Lines that are something else are left out, among them one
/// that is still being written. A line longer than the window hides all before it.
pub(super) fn records<T: for<'a> Deserialize<'a>>(path: &Path) -> Result<Vec<T>, String> {
    let (end, _) = files::tail(path, files::WINDOW).map_err(|error| files::unreadable(path, &error))?;
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
        // One that is a little longer than the window, and so read twice over where both edges are wanted.
        let lines: String = (0..700).map(|n| format!("{{\"n\":{n},\"text\":\"{}\"}}\n", "x".repeat(80))).collect();
        let end = numbers(&lines);
        assert!(lines.len() > 65_536 && end.len() > 600 && end.last() == Some(&699), "{} of {}", end.len(), lines.len());
    }
}
