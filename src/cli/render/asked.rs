//! Whether a command was asked about everything, which decides what a summary may claim.

use crate::core::manifest::select::Selection;

/// What was asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Question {
    /// Everything.
    Everything,
    /// Some sessions or classes: nothing is said of the others.
    Selected,
}

impl From<&Selection> for Question {
    fn from(selection: &Selection) -> Self {
        if selection.is_everything() { Self::Everything } else { Self::Selected }
    }
}
