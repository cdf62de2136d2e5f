//! A manifest's text with the untyped value that was read of it. A change of a few items of a long list costs those items, not
//! the list. Never opens a file, and never edits where it cannot prove that the whole would read the same.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use serde_yaml::Value;

use super::edit::{self, Refusal};
use super::items::{Items, SESSIONS, sessions};
use super::load::{LoadedManifest, load_value, unreadable_text, wrong_shape};
use super::{Diagnostic, untyped};
use crate::core::edit::{Edit, Path, Segment};
use crate::core::manifest::{ChangedEntry, Environment, reread};

/// How the same is done to many things, whose order stays.
pub(crate) trait Spread {
    /// Does it to each.
    fn each<T: Sync, R: Send>(&self, things: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R>;
}

/// One after the other.
struct InTurn;

impl Spread for InTurn {
    fn each<T: Sync, R: Send>(&self, things: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
        things.iter().map(work).collect()
    }
}

/// A text that is one YAML mapping.
#[derive(Debug, Clone, PartialEq)]
pub struct Document {
    text: String,
    body: Body,
}

/// What a text says.
#[derive(Debug, Clone, PartialEq)]
enum Body {
    /// All of it.
    Whole(Value),
    /// The same by the items of the list of sessions.
    Listed(ByItem),
}

/// A text by the items of its list of sessions, if that was asked for and can be told for sure.
#[derive(Debug, Clone, PartialEq)]
struct ByItem {
    /// What it says, with an empty list in the place of the items.
    frame: Arc<Value>,
    /// Where the items stand.
    places: Items,
    /// What they say. The versions of a text share what they have in common, and so tell what they have not.
    values: Vec<Arc<Value>>,
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
            None => Ok(Self { text: text.to_owned(), body: Body::Whole(value) }),
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
        let Body::Whole(value) = self.body else { return self };
        let body = match Items::of(&self.text, &value) {
            Some(places) => ByItem::of(value, places).map_or_else(Body::Whole, Body::Listed),
            None => Body::Whole(value),
        };
        Self { body, ..self }
    }

    /// All that the text says.
    fn value(&self) -> Cow<'_, Value> {
        match &self.body {
            Body::Whole(value) => Cow::Borrowed(value),
            Body::Listed(listed) => Cow::Owned(listed.value()),
        }
    }

    /// The manifest it says.
    ///
    /// # Errors
    /// Everything that is wrong with it, of which at least one diagnostic is fatal.
    pub fn load(&self, env: &Environment) -> Result<LoadedManifest, Vec<Diagnostic>> {
        load_value(&self.text, &self.value(), env)
    }

    /// The same by what another version says: only the entries that this one has otherwise are read. `None` where only the whole
    /// can tell.
    pub fn load_after(&self, before: &Self, loaded: &LoadedManifest, env: &Environment) -> Option<LoadedManifest> {
        let (Body::Listed(was), Body::Listed(is)) = (&before.body, &self.body) else { return None };
        if !Arc::ptr_eq(&was.frame, &is.frame) || was.values.len() != is.values.len() || !loaded.warnings.is_empty() {
            return None;
        }
        let pairs = was.values.iter().zip(&is.values).enumerate();
        let changed = pairs.filter(|(_, (was, is))| !Arc::ptr_eq(was, is));
        let changed = changed.map(|(index, (was, is))| ChangedEntry { index, was, is });
        let manifest = reread(&loaded.manifest, &is.frame, env, changed)?;
        Some(LoadedManifest { manifest, warnings: Vec::new() })
    }

    /// Makes edits, as [`apply`](super::apply) does; the outcome is the same byte for byte.
    ///
    /// # Errors
    /// The first thing that stands in the way; then nothing was changed.
    pub fn apply(&self, edits: &[Edit]) -> Result<Self, Refusal> {
        self.apply_on(edits, &InTurn)
    }

    /// The same with the work on the single items spread as the caller likes.
    ///
    /// # Errors
    /// Those of [`Document::apply`].
    pub(crate) fn apply_on(&self, edits: &[Edit], spread: &impl Spread) -> Result<Self, Refusal> {
        if let Some(done) = self.by_item(edits, spread) {
            debug_assert_eq!(super::apply(&self.text, edits).as_deref(), Ok(done.text.as_str()), "by item and as a whole");
            return Ok(done);
        }
        Ok(match edit::whole(&self.text, &self.value(), edits)? {
            None => self.clone(),
            Some((text, value)) => {
                let edited = Self { text, body: Body::Whole(value) };
                if matches!(self.body, Body::Listed(_)) { edited.indexed() } else { edited }
            }
        })
    }

    /// The same where every edit is inside an item, each item by itself. `None` where that cannot be done, for whatever
    /// reason: then the whole has to be edited, which also knows what to say.
    ///
    /// Why the guard's verdict on an item holds for the whole: see [`Items`].
    fn by_item(&self, edits: &[Edit], spread: &impl Spread) -> Option<Self> {
        let mut touched: BTreeMap<usize, Vec<Edit>> = BTreeMap::new();
        for edit in edits {
            let (index, edit) = within_item(edit)?;
            touched.entry(index).or_default().push(edit);
        }
        let (frame, places, changed) = match &self.body {
            Body::Listed(ByItem { frame, places, values }) => {
                let changed = self.changed_items(places, |index| values.get(index).map(Arc::as_ref), &touched, spread)?;
                (Arc::clone(frame), Cow::Borrowed(places), changed)
            }
            // The items that stay are proven to be such, as those that change are by the guard.
            Body::Whole(value) => {
                let (list, places) = (sessions(value)?, Items::candidates(&self.text, value)?);
                (0..list.len()).for_each(|index| {
                    touched.entry(index).or_default();
                });
                let changed = self.changed_items(&places, |index| list.get(index), &touched, spread)?;
                (Arc::new(places.proven_frame(&self.text, value)?), Cow::Owned(places), changed)
            }
        };
        let text = places.splice(&self.text, changed.iter().map(|(index, chunk, _)| (*index, chunk.as_str())))?;
        let resized = places.resized(changed.iter().map(|(at, chunk, _)| (*at, chunk.len())));
        let mut changed: BTreeMap<usize, Value> = changed.into_iter().map(|(index, _, item)| (index, item)).collect();
        let values = match &self.body {
            Body::Listed(listed) => {
                let mut values = listed.values.clone();
                for (index, item) in changed {
                    *values.get_mut(index)? = Arc::new(item);
                }
                values
            }
            Body::Whole(value) => {
                let items = sessions(value)?.iter().enumerate();
                items.map(|(index, item)| Arc::new(changed.remove(&index).unwrap_or_else(|| item.clone()))).collect()
            }
        };
        Some(Self { text, body: Body::Listed(ByItem { frame, places: resized, values }) })
    }

    /// The lines and the values that these items get, in order; one without an edit only has to read alone as it does in the whole.
    /// `None` if any of them does not, or cannot be edited alone.
    fn changed_items<'a>(
        &self,
        places: &Items,
        item: impl Fn(usize) -> Option<&'a Value> + Sync,
        touched: &BTreeMap<usize, Vec<Edit>>,
        spread: &impl Spread,
    ) -> Option<Vec<(usize, String, Value)>> {
        let touched: Vec<(usize, &[Edit])> = touched.iter().map(|(index, edits)| (*index, edits.as_slice())).collect();
        let edited = |(index, edits): &(usize, &[Edit])| {
            let (chunk, item) = (places.chunk(&self.text, *index)?, item(*index)?);
            if edits.is_empty() {
                return Items::is_alone(chunk, item).then_some(None);
            }
            let alone = Items::alone(chunk);
            let Some((text, value)) = edit::whole(&alone, &Items::value_alone(item.clone()), edits).ok()? else {
                return Items::is_alone(chunk, item).then_some(None);
            };
            Some(Some((*index, Items::replacement(chunk, &text)?.to_owned(), only_item(value)?)))
        };
        let done = spread.each(&touched, edited).into_iter().collect::<Option<Vec<_>>>()?;
        Some(done.into_iter().flatten().collect())
    }
}

impl ByItem {
    /// A value by its items, which stand there; the value itself if it has no such list.
    fn of(mut value: Value, places: Items) -> Result<Self, Value> {
        match sessions_mut(&mut value).map(std::mem::take) {
            Some(items) => Ok(Self { frame: Arc::new(value), places, values: items.into_iter().map(Arc::new).collect() }),
            None => Err(value),
        }
    }

    fn value(&self) -> Value {
        let mut value = Value::clone(&self.frame);
        if let Some(list) = sessions_mut(&mut value) {
            list.extend(self.values.iter().map(|item| Value::clone(item)));
        }
        value
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

    fn by_item_alone(document: &Document, edits: &[Edit]) -> Option<Document> {
        matches!(document.body, Body::Listed(_)).then(|| document.by_item(edits, &InTurn))?
    }

    /// Whether the items of a text are told apart, and edited by themselves.
    fn by_item(text: &str) -> bool {
        let document = indexed(text);
        by_item_alone(&document, &[set(0, "status", "running")]).is_some()
    }

    #[test]
    fn items_of_an_ordinary_manifest_are_edited_by_themselves() {
        assert!(by_item(PLAIN));
        assert!(by_item("version: 1\nsessions:\n- name: a\n- name: b\n  cwd: /x\ndefaults: {}\n"), "no indentation");
        let document = indexed(PLAIN);
        let edits = [set(1, "status", "running"), set(0, "status", "stopped"), set(1, "cwd", "/y")];
        let edited = by_item_alone(&document, &edits).unwrap();
        assert_eq!(edited.text(), super::super::apply(PLAIN, &edits).unwrap());
        assert_eq!(edited, indexed(edited.text()));
    }

    #[test]
    fn a_text_that_was_only_read_is_edited_by_its_items_too_and_then_they_are_proven() {
        let edits = [set(1, "status", "running"), set(0, "status", "stopped"), set(1, "cwd", "/y")];
        for edits in [&edits[..], &edits[..1]] {
            let edited = Document::read(PLAIN).unwrap().apply(edits).unwrap();
            assert_eq!(edited, indexed(edited.text()));
            assert!(matches!(edited.body, Body::Listed(_)));
        }
        // Neither an item with an edit nor one without may need the others.
        let lent = "sessions:\n  - name: a\n    cwd: &c /x\n  - name: b\n    cwd: *c\n";
        for index in [0, 1] {
            let edits = [set(index, "status", "running")];
            let edited = Document::read(lent).unwrap().apply(&edits).unwrap();
            assert!(matches!(edited.body, Body::Whole(_)));
            assert_eq!(edited.text(), super::super::apply(lent, &edits).unwrap());
        }
    }

    #[test]
    fn only_the_changed_entries_are_read_again_unless_they_concern_the_others() {
        let env = Environment { home: "/home/dev".into(), host: "dev1".to_owned() };
        let loaded = |document: &Document| document.load(&env).unwrap();
        let text =
            "version: 1\nsessions:\n  - name: a\n    agent: claude\n    cwd: /x\n  - name: b\n    agent: pi\n    cwd: /x\n";
        let document = indexed(text);
        let after = |text: &str, edits: &[Edit]| {
            let document = indexed(text);
            let edited = document.apply(edits).unwrap();
            let known = loaded(&document);
            edited.load_after(&document, &known, &env).map(|after| {
                assert_eq!(after, loaded(&edited), "{text}");
                let pairs = known.manifest.sessions.iter().zip(&after.manifest.sessions);
                pairs.filter(|(was, is)| !Arc::ptr_eq(was, is)).map(|(was, _)| was.index).collect::<Vec<_>>()
            })
        };
        assert_eq!(after(text, &[set(1, "status", "running")]), Some(vec![1]));
        assert_eq!(after(text, &[set(1, "session_id", "x"), set(0, "pid_at", "x")]), Some(vec![0, 1]));
        let known = loaded(&document);
        assert_eq!(document.load_after(&document, &known, &env), Some(known));
        let rename = |to: &str| Edit::new(Path::root().key(SESSIONS).index(1).key("name"), Some(json!("b")), Some(json!(to)));
        assert_eq!(after(text, &[rename("c")]), None, "two entries may be one session now");
        let other = |to: &str| Edit::new(Path::root().key(SESSIONS).index(1).key("agent"), Some(json!("pi")), Some(json!(to)));
        assert_eq!(after(text, &[other("cursor")]), None, "an agent that nobody named before");
        assert_eq!(after(text, &[set(0, "sttus", "running")]), None, "there is something to remark");
        assert_eq!(after(&text.replace("cwd: /x", "cdw: /x"), &[set(0, "status", "running")]), None, "there was before");
        let lent = text.replace("version: 1\n", "agent_identities:\n  pi: { session_id: y, project_cwd: /x }\n");
        let lent = lent.replace("agent: pi", "agent: pi\n    status: running");
        assert_eq!(after(&lent, &[set(0, "status", "running")]), None, "an id that is lent");
        let waits = Edit { to: Some(json!({ "policy": "always" })), ..set(1, "restart", "") };
        assert_eq!(after(text, &[waits]), None, "its waits are compared with those of the file");
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
            let read = Document::read(&unusual).unwrap().apply(&edit).map(|new| new.text().to_owned());
            assert_eq!(read, edited, "{unusual}");
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
