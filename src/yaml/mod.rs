//! Manifest text: loading with spans, byte-preserving edits, the guard, diagnostics. Pure text; never opens a file.

mod block;
mod diagnostics;
mod diff;
mod document;
mod edit;
mod guard;
mod items;
mod load;
mod private;
mod reader;
mod scalar;
mod text;
mod tree;
mod untyped;

pub use block::block;
pub use diagnostics::{Diagnostic, render};
pub use diff::{unified_diff, unified_diff_between};
pub use document::Document;
pub(crate) use document::Spread;
pub use edit::{Refusal, TakenOut, annotate, apply, put_back, take_out};
pub use load::{LoadedManifest, load};
pub use text::{MAX_BYTES, decode};
