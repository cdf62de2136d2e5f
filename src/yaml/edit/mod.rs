//! Edits of a manifest's text that leave every other byte alone. Decides how a change is written, never what is changed.
//!
//! An [`Edit`] becomes steps on single nodes (`model`), a step becomes splices of the text at places taken from the syntax
//! tree (`replace`, `insert`, `remove`), splices are collected as long as they do not disturb one another (`batch`), and the
//! guard judges the result.

mod batch;
mod insert;
pub(super) mod layout;
pub(super) mod model;
mod place;
pub(super) mod refusal;
mod remove;
mod replace;
pub(super) mod splice;
mod take_out;

use std::ops::Range;

use serde_yaml::Value;

use super::load::{unreadable_text, wrong_shape};
use super::text::position;
use super::{guard, untyped};
use crate::core::edit::Edit;
use model::NodeChange;
pub use refusal::Refusal;
pub use take_out::{TakenOut, put_back, take_out};

/// Makes edits, in order, each seeing the ones before it.
///
/// Exactly the intended values change. Comments, anchors, order, quoting, line ends,
/// the byte order mark and the presence of a final newline stay. A node that holds a comment is not removed.
///
/// # Errors
/// The first thing that stands in the way; then nothing was changed.
pub fn apply(text: &str, edits: &[Edit]) -> Result<String, Refusal> {
    let value = untyped::read(text).map_err(|unreadable| {
        let diagnostic = unreadable_text(text, &unreadable);
        Refusal::Unreadable { reason: diagnostic.message, span: diagnostic.span }
    })?;
    if let Some(diagnostic) = wrong_shape(text, &value) {
        return Err(Refusal::Unreadable { reason: diagnostic.message, span: diagnostic.span });
    }
    Ok(whole(text, &value, edits)?.map_or_else(|| text.to_owned(), |(edited, _)| edited))
}

/// The same on a text whose value is known already; gives the new text with its value, or `None` if nothing changes.
pub(super) fn whole(text: &str, value: &Value, edits: &[Edit]) -> Result<Option<(String, Value)>, Refusal> {
    let mut intended = value.clone();
    let mut steps = Vec::with_capacity(edits.len());
    let mut batch = None;
    for edit in edits {
        for step in model::steps(edit, &intended).map_err(|problem| problem.placed(text, edit))? {
            let batch = match &mut batch {
                Some(batch) => batch,
                None => batch.insert(batch::EditBatch::new(text, edits.len())?),
            };
            batch.add(&step)?;
            model::take(&mut intended, &step);
            steps.push(step);
        }
    }
    let Some(batch) = batch else { return Ok(None) };
    let edited = batch.finish()?;
    let read = guard::check(text, &edited, value, &intended, &steps)?;
    Ok(Some((edited, read)))
}

/// The line a span starts in, for messages.
fn line_of(text: &str, span: &Range<usize>) -> usize {
    position(text, span.start).0
}
