//! Progress and logs on stderr. Owns their level and form; never touches stdout.

use std::io::{self, Write};
use std::sync::atomic::{AtomicBool, Ordering};

use tracing_subscriber::EnvFilter;

use super::args::{Globals, LogFormat};

/// Starts logging: `-v` decides the level of headcount's own messages, else `$RUST_LOG`, else warnings only.
///
/// Gives what is wrong with `$RUST_LOG`, if something is; the program goes on without it.
pub(crate) fn start(globals: &Globals, color: bool) -> Option<String> {
    let own = match globals.verbose {
        0 => None,
        1 => Some("headcount=info"),
        2 => Some("headcount=debug"),
        _ => Some("headcount=trace"),
    };
    let variable = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let mut complaint = None;
    let filter = match (own, variable) {
        (Some(level), _) => EnvFilter::new(format!("warn,{level}")),
        (None, Some(text)) => EnvFilter::try_new(&text).unwrap_or_else(|error| {
            complaint = Some(format!("ignoring $RUST_LOG, which cannot be parsed: {error}"));
            EnvFilter::new("warn")
        }),
        (None, None) => EnvFilter::new("warn"),
    };
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(|| Forgiving(io::stderr())).log_internal_errors(false);
    // A second start in one process (tests of the library) keeps the first.
    let _ = match globals.log_format {
        LogFormat::Json => builder.json().flatten_event(true).with_ansi(false).try_init(),
        LogFormat::Text => builder.with_ansi(color).with_target(false).try_init(),
    };
    complaint
}

/// Whether nothing is logged.
static HUSHED: AtomicBool = AtomicBool::new(false);

/// From here on nothing is logged to a terminal: something else draws there.
#[cfg(feature = "ui")]
pub(crate) fn hush() {
    HUSHED.store(io::IsTerminal::is_terminal(&io::stderr()), Ordering::Relaxed);
}

/// A stderr whose loss is no reason to fail, let alone to panic.
struct Forgiving(io::Stderr);

impl Write for Forgiving {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if HUSHED.load(Ordering::Relaxed) {
            return Ok(bytes.len());
        }
        let _ = self.0.write_all(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
