//! A manifest's text with the untyped value that was read of it. A change of a few items of a long list costs those items, not
//! the list. Never opens a file, and never edits where it cannot prove that the whole would read the same.

use serde_yaml::Value;

use super::edit::{self, Refusal};
use super::items::{Items, SESSIONS, sessions};
use super::load::{LoadedManifest, load_value, unreadable_text, wrong_shape};
use super::{Diagnostic, untyped};
use crate::core::edit::{Edit, Path, Segment};
use crate::core::manifest::Environment;

/// More items than this are not edited one by one: to parse the whole once is cheaper by then.
const MOST_ITEMS: usize = 64;

/// A text that is one YAML mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    text: String,
    value: Value,
    /// Where the items of the list of sessions stand, if that was asked for and can be told for sure.
    items: Option<Items>,
}

impl Document {
    /// Reads a text.
    ///
    /// # Errors
    /// It is not one mapping.
    pub fn read(text: &str) -> Result<Self, Vec<Diagnostic>> {
        let value = untyped::read(text).map_err(|unreadable| vec![unreadable_text(text, &unreadable)])?;
        match wrong_shape(text, &value) {
            Some(diagnostic) => Err(vec![diagnostic]),
            None => Ok(Self { text: text.to_owned(), value, items: None }),
        }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Finds out where each item stands, for whoever is going to change a few of them again and again. Costs about as much as
    /// reading the text; what [`Document::apply`] makes of it knows the places of its own.
    #[must_use]
    pub fn indexed(self) -> Self {
        let items = self.items.or_else(|| Items::of(&self.text, &self.value));
        Self { items, ..self }
    }

    /// The manifest it says.
    ///
    /// # Errors
    /// Everything that is wrong with it, of which at least one diagnostic is fatal.
    pub fn load(&self, env: &Environment) -> Result<LoadedManifest, Vec<Diagnostic>> {
        load_value(&self.text, &self.value, env)
    }

    /// Makes edits, as [`apply`](super::apply) does; the outcome is the same byte for byte.
    ///
    /// # Errors
    /// The first thing that stands in the way; then nothing was changed.
    pub fn apply(&self, edits: &[Edit]) -> Result<Self, Refusal> {
        if let Some(done) = self.items.as_ref().and_then(|items| self.by_item(items, edits)) {
            debug_assert_eq!(super::apply(&self.text, edits).as_deref(), Ok(done.text.as_str()), "by item and as a whole");
            return Ok(done);
        }
        Ok(match edit::whole(&self.text, &self.value, edits)? {
            None => self.clone(),
            Some((text, value)) => {
                let edited = Self { text, value, items: None };
                if self.items.is_some() { edited.indexed() } else { edited }
            }
        })
    }

    /// The same where every edit is inside an item, each item by itself. `None` where that cannot be done, for whatever
    /// reason: then the whole has to be edited, which also knows what to say.
    ///
    /// Why the guard's verdict on an item holds for the whole: see [`Items`].
    fn by_item(&self, items: &Items, edits: &[Edit]) -> Option<Self> {
        let mut touched: Vec<(usize, Vec<Edit>)> = Vec::new();
        for edit in edits {
            let (index, edit) = within_item(edit)?;
            let known = touched.iter().position(|(known, _)| *known == index);
            match known.and_then(|at| touched.get_mut(at)) {
                Some((_, edits)) => edits.push(edit),
                None => touched.push((index, vec![edit])),
            }
            if touched.len() > MOST_ITEMS {
                return None;
            }
        }
        let list = sessions(&self.value)?;
        let mut changes = Vec::with_capacity(touched.len());
        for (index, edits) in touched {
            let (chunk, item) = (items.chunk(&self.text, index)?, list.get(index)?);
            let alone = Items::alone(chunk);
            let Some((text, value)) = edit::whole(&alone, &Items::value_alone(item.clone()), &edits).ok()? else { continue };
            changes.push((index, Items::replacement(chunk, &text)?.to_owned(), only_item(value)?));
        }
        changes.sort_by_key(|(index, ..)| *index);
        let text = items.splice(&self.text, changes.iter().map(|(index, chunk, _)| (*index, chunk.as_str())))?;
        let (mut value, items) = (self.value.clone(), items.resized(changes.iter().map(|(at, chunk, _)| (*at, chunk.len()))));
        let list = sessions_mut(&mut value)?;
        for (index, _, item) in changes {
            *list.get_mut(index)? = item;
        }
        Some(Self { text, value, items: Some(items) })
    }
}

/// The item an edit is inside of, and the edit as seen from the item alone.
fn within_item(edit: &Edit) -> Option<(usize, Edit)> {
    match edit.path.0.as_slice() {
        [Segment::Key(list), Segment::Index(index), inside @ ..] if list == SESSIONS && !inside.is_empty() => {
            let mut path = Path::root().key(SESSIONS).index(0);
            path.0.extend_from_slice(inside);
            Some((*index, Edit { path, ..edit.clone() }))
        }
        _ => None,
    }
}

fn sessions_mut(value: &mut Value) -> Option<&mut Vec<Value>> {
    match value {
        Value::Mapping(top) => match top.get_mut(SESSIONS) {
            Some(Value::Sequence(list)) => Some(list),
            _ => None,
        },
        _ => None,
    }
}

/// The one item of a list that stands alone.
fn only_item(value: Value) -> Option<Value> {
    let Value::Mapping(mut top) = value else { return None };
    match top.swap_remove(SESSIONS) {
        Some(Value::Sequence(mut list)) if list.len() == 1 => list.pop(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use serde_json::json;

    use super::*;

    const PLAIN: &str = "# top\nversion: 1\nsessions:   # ours\n\n  # first\n  - name: a   # n\n    agent: claude\n    note: |\n      - name: x\n\n\n  - {name: b, agent: codex}\n  # last\n\ndefaults:\n  mux: tmux\n";

    fn set(index: usize, key: &str, to: &str) -> Edit {
        Edit::new(Path::root().key(SESSIONS).index(index).key(key), None, Some(json!(to)))
    }

    fn indexed(text: &str) -> Document {
        Document::read(text).unwrap().indexed()
    }

    /// Whether the items of a text are told apart, and edited by themselves.
    fn by_item(text: &str) -> bool {
        let document = indexed(text);
        document.items.as_ref().is_some_and(|items| document.by_item(items, &[set(0, "status", "running")]).is_some())
    }

    #[test]
    fn items_of_an_ordinary_manifest_are_edited_by_themselves() {
        assert!(by_item(PLAIN));
        assert!(by_item("version: 1\nsessions:\n- name: a\n- name: b\n  cwd: /x\ndefaults: {}\n"), "no indentation");
        let document = indexed(PLAIN);
        let edits = [set(1, "status", "running"), set(0, "status", "stopped"), set(1, "cwd", "/y")];
        let edited = document.by_item(document.items.as_ref().unwrap(), &edits).unwrap();
        assert_eq!(edited.text(), super::super::apply(PLAIN, &edits).unwrap());
        assert_eq!(edited, indexed(edited.text()));
    }

    #[test]
    fn where_one_item_could_mean_something_to_another_the_whole_is_edited() {
        let plain = "version: 1\nsessions:\n  - name: a\n    cwd: /x\n  - name: b\n    cwd: /x\n";
        assert!(by_item(plain));
        for unusual in [
            plain.replace("cwd: /x\n  -", "cwd: &c /x\n  -").replace("b\n    cwd: /x", "b\n    cwd: *c"),
            plain.replace("version: 1", "base: &c /x").replacen("cwd: /x", "cwd: &c /x", 1) + "last: *c\n",
            plain.replace("version: 1", "base: &base { mux: tmux }\nversion: 1").replace("name: b", "<<: *base\n    name: b"),
            plain.replace('\n', "\r\n"),
            format!("\u{feff}{plain}"),
            format!("%YAML 1.1\n---\n{plain}"),
            format!("---\n{plain}"),
            format!("{plain}...\n"),
            plain.trim_end().to_owned(),
            plain.replace("cwd: /x", "cwd:\t/x"),
            plain.replace("sessions:", "sessions: !!seq"),
            plain.replace("sessions:", "\"sessions\":"),
            plain.replace("version: 1", "x: \"\nsessions:\n  - name: a\n    cwd: /x\n\""),
            plain.replace("name: a", "name: a\n    note: \"\n  - name: c\n    \""),
            "version: 1\nsessions: [{name: a, cwd: /x}]\n".to_owned(),
            "{version: 1, sessions: [{name: a, cwd: /x}]}\n".to_owned(),
        ] {
            assert!(!by_item(&unusual), "{unusual}");
            // It is edited all the same.
            let edit = [set(0, "status", "running")];
            let edited = indexed(&unusual).apply(&edit).map(|new| new.text().to_owned());
            assert_eq!(edited, super::super::apply(&unusual, &edit), "{unusual}");
        }
    }

    #[test]
    fn what_repeats_an_anchor_that_an_item_sets_again_stays_as_it_is() {
        let text = "base: &s running\nsessions:\n  - name: a\n    status: &s running\n    cwd: /x\nlast: *s\n";
        let edit = Edit::new(Path::root().key(SESSIONS).index(0).key("status"), Some(json!("running")), Some(json!("stopped")));
        assert!(indexed(text).apply(&[edit]).is_err_and(|refusal| refusal.why().contains("line 6 repeats")));
        // That `&` and `*` stand in it is no doubt.
        assert!(by_item("sessions:\n  - name: a\n    note: a & b & c\n  - name: b\ndiscovery:\n  names: [\"*-{agent}\"]\n"));
    }

    #[test]
    fn a_refusal_names_its_place_in_the_whole_text() {
        let edit = Edit::new(Path::root().key(SESSIONS).index(1).key("name"), Some(json!("z")), Some(json!("y")));
        let refused = indexed(PLAIN).apply(std::slice::from_ref(&edit)).unwrap_err();
        assert_eq!(refused, super::super::apply(PLAIN, &[edit]).unwrap_err());
        assert_eq!(refused.span().map(|span| &PLAIN[span.clone()]), Some("b"));
    }
}
