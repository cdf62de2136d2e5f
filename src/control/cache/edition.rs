//! One text of the manifest with all that was read of it: each text is read once, whoever asks. Never touches a file.

use std::sync::{Arc, OnceLock};

use crate::control::timing::timed;
use crate::core::edit::Edit;
use crate::core::manifest::Environment;
use crate::host::parallel::spread;
use crate::store::TextHash;
use crate::yaml::{Diagnostic, Document, LoadedManifest, Refusal, Spread};

/// On as many threads as are worth it.
struct OnProcessors;

impl Spread for OnProcessors {
    fn each<T: Sync, R: Send>(&self, things: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
        spread(things, work)
    }
}

/// A text that is one YAML mapping.
#[derive(Debug)]
pub(crate) struct ParsedManifest {
    hash: TextHash,
    document: Document,
    environment: Environment,
    loaded: OnceLock<Result<Arc<LoadedManifest>, Vec<Diagnostic>>>,
}

impl ParsedManifest {
    /// Reads a text.
    ///
    /// # Errors
    /// It is not one mapping.
    pub(crate) fn read(hash: TextHash, text: &str, environment: Environment) -> Result<Self, Vec<Diagnostic>> {
        let document = timed("parse the manifest", || Document::read(text))?;
        Ok(Self { hash, document, environment, loaded: OnceLock::new() })
    }

    /// The same, made ready for many small changes.
    pub(crate) fn indexed(self) -> Self {
        // While it is in one piece; its mistakes are told to whoever asks.
        let _ = self.loaded();
        Self { document: timed("index the manifest", || self.document.indexed()), ..self }
    }

    /// The hash of the text.
    pub(crate) fn hash(&self) -> TextHash {
        self.hash
    }

    /// The text.
    pub(crate) fn text(&self) -> &str {
        self.document.text()
    }

    /// The manifest it says, read when this is first asked.
    ///
    /// # Errors
    /// Everything that is wrong with it.
    pub(crate) fn loaded(&self) -> Result<Arc<LoadedManifest>, Vec<Diagnostic>> {
        let load = || self.document.load(&self.environment).map(Arc::new);
        self.loaded.get_or_init(|| timed("load the manifest", load)).clone()
    }

    /// The text with these edits made.
    ///
    /// # Errors
    /// The first thing that stands in the way.
    pub(crate) fn edited(&self, edits: &[Edit]) -> Result<Self, Refusal> {
        let document = self.document.apply_on(edits, &OnProcessors)?;
        let hash = TextHash::of(document.text().as_bytes());
        let known = self.loaded.get().and_then(|loaded| loaded.as_ref().ok());
        let loaded = known.and_then(|known| document.load_after(&self.document, known, &self.environment));
        let loaded = loaded.map_or_else(OnceLock::new, |loaded| OnceLock::from(Ok(Arc::new(loaded))));
        Ok(Self { hash, document, environment: self.environment.clone(), loaded })
    }
}
