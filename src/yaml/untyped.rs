//! From text to an untyped value, bounded, with the place of what is wrong. Never interprets the manifest.

use std::cell::{Cell, RefCell};
use std::fmt;

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, VariantAccess, Visitor};
use serde_yaml::mapping::Entry;
use serde_yaml::value::{Tag, TaggedValue};
use serde_yaml::{Mapping, Value};

use super::reader;
use super::text::BOM;
use crate::core::edit::{Path, Segment};

/// A document may expand, through its aliases, to this many nodes and ten more for each of its bytes: far above any
/// manifest, and far below what a chain of aliases can ask for.
const FREE_NODES: usize = 100_000;

/// Why a text is not one document.
#[derive(Debug)]
pub(super) struct Unreadable {
    /// What the reader says.
    pub error: serde_yaml::Error,
    /// The node it was reading.
    pub path: Path,
    /// What the reader's own words do not say.
    pub cause: UnreadableCause,
}

/// The causes that are told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum UnreadableCause {
    /// As the reader's error says.
    Reader,
    /// A mapping has this key twice.
    Duplicate(String),
    /// The aliases expand to too much.
    TooMuch,
}

/// Reads one document. `<<` stays an ordinary key; aliases are replaced by what they stand for.
///
/// libyaml reads YAML 1.1: what it does not read, or takes for a line break, is read as YAML 1.2 says.
pub(super) fn read(text: &str) -> Result<Value, Unreadable> {
    // As it stands, an alias would be read as another's value.
    if reader::repeats_anchor_set_twice(text)
        && let Some(readable) = reader::rewritten(text)
    {
        return read_as_is(&readable.text).map(|value| readable.meant(value));
    }
    let plain = reader::without_separators(text);
    let first = match &plain {
        Some(readable) => read_as_is(&readable.text).map(|value| readable.meant(value)),
        None => read_as_is(text),
    };
    first.or_else(|unreadable| match reader::rewritten(text).filter(|_| unreadable.cause == UnreadableCause::Reader) {
        Some(readable) => read_as_is(&readable.text).map(|value| readable.meant(value)),
        None => Err(unreadable),
    })
}

/// Reads one document as libyaml does.
fn read_as_is(text: &str) -> Result<Value, Unreadable> {
    let limits = Limits {
        left: Cell::new(FREE_NODES + text.len().saturating_mul(10)),
        cause: RefCell::new(UnreadableCause::Reader),
        path: RefCell::new(Vec::new()),
    };
    // To the reader a byte order mark takes a column, so that the first key would stand deeper than the others.
    let content = text.strip_prefix(BOM).unwrap_or(text);
    Node(&limits).deserialize(serde_yaml::Deserializer::from_str(content)).map_err(|error| {
        let mut path = limits.path.into_inner();
        path.reverse();
        Unreadable { error, path: Path(path), cause: limits.cause.into_inner() }
    })
}

/// Replaces merge keys by what they bring. A value without any is returned as it is.
pub(super) fn merged(mut value: Value) -> Result<Value, serde_yaml::Error> {
    merge(&mut value)?;
    Ok(value)
}

/// From the inside out: what a merge key brings may have one of its own.
fn merge(value: &mut Value) -> Result<(), serde_yaml::Error> {
    match value {
        Value::Sequence(items) => items.iter_mut().try_for_each(merge),
        Value::Tagged(tagged) => merge(&mut tagged.value),
        Value::Mapping(fields) => {
            fields.values_mut().try_for_each(merge)?;
            if fields.contains_key("<<") { value.apply_merge() } else { Ok(()) }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Ok(()),
    }
}

struct Limits {
    left: Cell<usize>,
    cause: RefCell<UnreadableCause>,
    /// Filled from the inside out while an error travels up, so that a good document pays nothing for it.
    path: RefCell<Vec<Segment>>,
}

impl Limits {
    fn spend<E: de::Error>(&self) -> Result<(), E> {
        match self.left.get().checked_sub(1) {
            Some(left) => {
                self.left.set(left);
                Ok(())
            }
            None => {
                self.cause.replace(UnreadableCause::TooMuch);
                Err(E::custom("aliases expand to too much"))
            }
        }
    }

    fn within<T, E>(&self, segment: impl FnOnce() -> Segment, result: Result<T, E>) -> Result<T, E> {
        if result.is_err() {
            self.path.borrow_mut().push(segment());
        }
        result
    }
}

#[derive(Clone, Copy)]
struct Node<'a>(&'a Limits);

impl<'de> DeserializeSeed<'de> for Node<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        self.0.spend()?;
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Node<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }

    fn visit_u128<E: de::Error>(self, value: u128) -> Result<Value, E> {
        Err(E::custom(format_args!("integer {value} is too large; put it in quotes if it is text")))
    }

    fn visit_i128<E: de::Error>(self, value: i128) -> Result<Value, E> {
        Err(E::custom(format_args!("integer {value} is too large; put it in quotes if it is text")))
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        loop {
            let index = items.len();
            match self.0.within(|| Segment::Index(index), access.next_element_seed(self))? {
                Some(item) => items.push(item),
                None => return Ok(Value::Sequence(items)),
            }
        }
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Value, A::Error> {
        let mut mapping = Mapping::new();
        while let Some(key) = access.next_key_seed(self)? {
            match mapping.entry(key) {
                Entry::Occupied(taken) => {
                    self.0.cause.replace(UnreadableCause::Duplicate(shown(taken.key())));
                    return Err(A::Error::custom("duplicate key"));
                }
                Entry::Vacant(place) => {
                    let value = self.0.within(|| Segment::Key(shown(place.key())), access.next_value_seed(self))?;
                    place.insert(value);
                }
            }
        }
        Ok(Value::Mapping(mapping))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, access: A) -> Result<Value, A::Error> {
        let (tag, contents) = access.variant::<String>()?;
        if tag.is_empty() {
            return Err(A::Error::custom("a tag without a name"));
        }
        let value = contents.newtype_variant_seed(self)?;
        // A lone `!` says no more than that the value is what it looks like.
        if tag == "!" && matches!(value, Value::String(_) | Value::Sequence(_) | Value::Mapping(_)) {
            return Ok(value);
        }
        Ok(Value::Tagged(Box::new(TaggedValue { tag: Tag::new(tag), value })))
    }
}

/// A key as people would write it.
fn shown(key: &Value) -> String {
    match key {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Null => "null".to_owned(),
        Value::Sequence(_) | Value::Mapping(_) | Value::Tagged(_) => "?".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn it_reads_what_the_plain_reader_reads() {
        let text = "a: [yes, on, 012, 0x1f, 1_000, 12:30:45, 2026-11-21, .inf, .nan, ~, null, '', 1.5, -3, true]\n\
                    b: &x {k: v}\nc: *x\nd: !foo bar\ne: !!str 5\nf: |\n  t\n<<: *x\n1: one\ntrue: t\n? [k]\n: v\nbig: 18446744073709551615\n";
        let ours = read(text).unwrap();
        let theirs: Value = serde_yaml::from_str(text).unwrap();
        assert_eq!(ours, theirs);
    }

    #[test]
    fn an_alias_repeats_the_anchor_that_was_set_last_before_it() {
        for (text, expected) in [
            ("a: &b q\nb: &b { U: 1 }\nk: &k env\ne: *b\n", "{ U: 1 }"),
            ("a: &b q\nc: *b\nk: &k 1\nb: &b r\nm: &m 2\ne: [*b, *k, *m]\n", "[r, 1, 2]"),
            ("a: &b.x q\nc: *b.x\nb: &b.x r\nm: &m 2\ne: [*b.x, *m]\n", "[r, 2]"),
            ("a: &x { n: &y 1 }\nb: &x { n: &y 2 }\nz: &z 3\ne: [*x, *y, *z]\n", "[{ n: 2 }, 2, 3]"),
        ] {
            assert_eq!(read(text).unwrap()["e"], read(expected).unwrap(), "{text}");
        }
    }

    #[test]
    fn what_a_merge_key_brings_may_have_one_of_its_own() {
        for (text, expected) in [
            ("c: &c { T: 1, U: 1 }\nb: &b { <<: *c, U: 2 }\ne: { <<: *b, V: 3 }\n", "{ V: 3, U: 2, T: 1 }"),
            ("c: &c { T: 1, U: 1 }\nb: &b\n  <<: *c\ne:\n  <<: [*b, { U: 4, W: 5 }]\n", "{ T: 1, U: 1, W: 5 }"),
            ("a: &a { T: 1 }\nb: &b { <<: *a }\nc: &c { <<: *b }\ne: { <<: { <<: [*c] } }\n", "{ T: 1 }"),
        ] {
            let value = merged(read(text).unwrap()).unwrap();
            assert_eq!(value["e"], read(expected).unwrap(), "{text}");
        }
        assert!(merged(read("e: { <<: 5 }\n").unwrap()).is_err());
    }

    #[test]
    fn a_byte_order_mark_changes_nothing() {
        for text in ["a: 1\nb: 2\n", "---\na: 1\n", "# c\r\na: 1\r\nb: [2]\r\n", "{a: 1}"] {
            assert_eq!(read(&format!("{BOM}{text}")).unwrap(), read(text).unwrap(), "{text}");
        }
    }

    #[test]
    fn a_duplicate_key_is_named_with_the_way_to_its_mapping() {
        let error = read("s:\n  - a: 1\n    b: 2\n  - a: 1\n    a: 2\n").unwrap_err();
        assert_eq!(error.cause, UnreadableCause::Duplicate("a".to_owned()));
        assert_eq!(error.path.to_string(), "s[1]");
    }

    #[test]
    fn aliases_that_multiply_are_refused_before_they_fill_the_memory() {
        let items = "x, ".repeat(20_000);
        let aliases = "*a, ".repeat(20_000);
        let error = read(&format!("a: &a [{items}]\nb: [{aliases}]\n")).unwrap_err();
        assert_eq!(error.cause, UnreadableCause::TooMuch);
        let mut laughs = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x]\n");
        for level in 1..12 {
            let before = level - 1;
            let nine = vec![format!("*a{before}"); 9].join(", ");
            laughs.push_str(&format!("a{level}: &a{level} [{nine}]\n"));
        }
        assert!(read(&laughs).is_err());
    }
}
