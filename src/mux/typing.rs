//! Typing into a pane, in one shape for all multiplexers: looks at it, pastes, presses a key. What changes the pane is done only while
//! it is as it was seen.

use super::drive::MuxPlace;
use crate::core::lead::TypedKey;
use crate::core::lead::send::{ComposerPane, PaneAddress, TypingPermit};

/// One multiplexer's way of typing.
pub trait MuxTyping: Send + Sync {
    /// Looks at a pane: what it is, and what it shows.
    ///
    /// # Errors
    /// One line: it cannot be told.
    fn view(&self, place: MuxPlace<'_>, pane: &PaneAddress) -> Result<ComposerPane, String>;

    /// Pastes a text as one bracketed paste. `false`: the pane was no longer as it was seen, and nothing was pasted.
    ///
    /// # Errors
    /// One line; it may have been pasted all the same.
    fn paste(&self, place: MuxPlace<'_>, permit: &TypingPermit, text: &str) -> Result<bool, String>;

    /// Presses a key. `false`: the pane was no longer as it was seen, and nothing was pressed.
    ///
    /// # Errors
    /// One line; it may have been pressed all the same.
    fn press(&self, place: MuxPlace<'_>, permit: &TypingPermit, key: TypedKey) -> Result<bool, String>;

    /// Types the letters of a text, one after another. `false`: the pane was no longer as it was seen, and nothing was typed.
    ///
    /// # Errors
    /// One line; it may have been typed all the same.
    fn type_letters(&self, place: MuxPlace<'_>, permit: &TypingPermit, text: &str) -> Result<bool, String> {
        let _ = (place, text);
        Err(format!("how letters are typed one by one into {} has not been measured", permit.pane().session.mux))
    }

    /// Presses keys by their names. `false`: the pane was no longer as it was seen, and nothing was pressed.
    ///
    /// # Errors
    /// One line; they may have been pressed all the same.
    fn press_all(&self, place: MuxPlace<'_>, permit: &TypingPermit, keys: &[String]) -> Result<bool, String> {
        let _ = (place, keys);
        Err(format!("how keys are named for {} has not been measured", permit.pane().session.mux))
    }

    /// Gives a pane a label. `false`: the pane is another one by now, and has none of it.
    ///
    /// # Errors
    /// One line; it may have it all the same.
    fn label(&self, place: MuxPlace<'_>, pane: &PaneAddress, label: &str) -> Result<bool, String> {
        let _ = (place, label);
        Err(format!("panes of {} have no labels", pane.session.mux))
    }
}
