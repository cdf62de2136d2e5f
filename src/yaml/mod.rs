//! Manifest text: loading with spans, byte-preserving edits, the guard, diagnostics. Pure text; never opens a file.

/// Something to say about a place in a manifest's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether the manifest cannot be used because of it.
    pub fatal: bool,
    /// What is wrong, one line.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The bytes it is about.
    pub span: Option<std::ops::Range<usize>>,
}
