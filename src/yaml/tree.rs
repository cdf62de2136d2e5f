//! The places of nodes in a manifest's text, from yaml-edit's lossless syntax tree. Never changes the tree or the text.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::ops::Range;
use std::rc::Rc;

use rowan::NodeOrToken;
use rowan::ast::AstNode;
use yaml_edit::{Lang, Scalar, SyntaxKind as Kind, YamlFile};

use crate::core::edit::{Path, Segment};

pub(super) type SyntaxNode = rowan::SyntaxNode<Lang>;
pub(super) type SyntaxToken = rowan::SyntaxToken<Lang>;

/// The syntax tree of one text.
pub(super) struct SyntaxTree {
    root: SyntaxNode,
    /// What is wrong with the text in yaml-edit's eyes, if anything is.
    pub fault: Option<(String, Range<usize>)>,
    children: RefCell<HashMap<usize, Rc<Vec<SyntaxNode>>>>,
    /// The trail that was asked for last.
    last: RefCell<(Path, Vec<NodePlace>)>,
    aliases: OnceCell<Vec<(String, Range<usize>)>>,
}

/// A node found by its path.
#[derive(Clone)]
pub(super) struct NodePlace {
    /// The entry that holds it: a `MAPPING_ENTRY`, a `SEQUENCE_ENTRY`, or the `DOCUMENT`.
    pub entry: SyntaxNode,
    /// What directly holds the value and its anchor: a `VALUE`, a `SEQUENCE_ENTRY`, or the `DOCUMENT`.
    pub holder: SyntaxNode,
    /// The value itself; `None` where nothing is written.
    pub content: Option<SyntaxNode>,
}

impl SyntaxTree {
    /// The tree of any text, valid or not.
    pub(super) fn parse(text: &str) -> Self {
        let parse = YamlFile::parse(text);
        let fault = parse.positioned_errors().first().map(|error| {
            let range = error.range.start as usize..error.range.end as usize;
            (error.message.clone(), range)
        });
        // The tree as parsed can be changed, and so looks up every offset anew; one that cannot knows them.
        let root = SyntaxNode::new_root(parse.tree().syntax().green().into_owned());
        Self { root, fault, children: RefCell::default(), last: RefCell::default(), aliases: OnceCell::new() }
    }

    /// The first token of the text.
    pub(super) fn first_token(&self) -> Option<SyntaxToken> {
        self.root.first_token()
    }

    /// The documents of the text.
    pub(super) fn documents(&self) -> impl Iterator<Item = SyntaxNode> {
        self.root.children().filter(|node| node.kind() == Kind::DOCUMENT)
    }

    /// The nodes along a path, from the document down: all of them, or as far as it leads before something is not there
    /// or is behind an alias. Empty if there is no document.
    pub(super) fn trail(&self, path: &Path) -> Vec<NodePlace> {
        let (known, mut trail) = self.last.take();
        // The changes of one entry come one after the other.
        trail.truncate(1 + known.0.iter().zip(&path.0).take_while(|(known, wanted)| known == wanted).count());
        if trail.is_empty() {
            let Some(document) = self.documents().next() else { return Vec::new() };
            trail.push(NodePlace { entry: document.clone(), content: content(&document), holder: document });
        }
        for segment in path.0.iter().skip(trail.len() - 1) {
            match trail.last().and_then(|place| self.step(place, segment)) {
                Some(next) => trail.push(next),
                None => break,
            }
        }
        self.last.replace((path.clone(), trail.clone()));
        trail
    }

    fn step(&self, place: &NodePlace, segment: &Segment) -> Option<NodePlace> {
        let collection = untagged(place.content.as_ref()?);
        match (segment, collection.kind()) {
            (Segment::Key(key), Kind::MAPPING) => entry_of(&collection, key, 0).map(|entry| NodePlace::of_entry(&entry)),
            (Segment::Index(index), Kind::SEQUENCE) => self.entries(&collection).get(*index).map(NodePlace::of_entry),
            _ => None,
        }
    }

    /// The entries of a mapping or sequence, remembered, so that a thousand lookups in one sequence stay cheap.
    pub(super) fn entries(&self, collection: &SyntaxNode) -> Rc<Vec<SyntaxNode>> {
        let key = usize::from(collection.text_range().start());
        if collection.kind() != Kind::SEQUENCE {
            return Rc::new(entries(collection).collect());
        }
        Rc::clone(self.children.borrow_mut().entry(key).or_insert_with(|| Rc::new(entries(collection).collect())))
    }

    /// The span of a node, or of its key; of the nearest node above it where it is not written itself.
    pub(super) fn span(&self, path: &Path, about_key: bool) -> Option<Range<usize>> {
        let trail = self.trail(path);
        let place = trail.last()?;
        let key = || key_of(&place.entry).as_ref().and_then(significant);
        let value = || place.content.as_ref().and_then(significant);
        let found = if about_key && trail.len() > path.0.len() { key().or_else(value) } else { value().or_else(key) };
        found.or_else(|| significant(&place.entry))
    }

    /// The span of the second key of that name in the mapping at `path`.
    pub(super) fn second_key(&self, path: &Path, key: &str) -> Option<Range<usize>> {
        let trail = self.trail(path);
        let entry = entry_of(&untagged(trail.last()?.content.as_ref()?), key, 1)?;
        significant(&key_of(&entry)?)
    }

    /// Every alias: its name and span.
    pub(super) fn aliases(&self) -> &[(String, Range<usize>)] {
        self.aliases.get_or_init(|| {
            let tokens = self.root.descendants_with_tokens().filter_map(NodeOrToken::into_token);
            tokens
                .filter(|token| token.kind() == Kind::REFERENCE)
                .map(|token| (token.text().trim_start_matches('*').to_owned(), span_of(&token)))
                .collect()
        })
    }

    /// Every node of the text.
    pub(super) fn nodes(&self) -> impl Iterator<Item = SyntaxNode> {
        self.root.descendants()
    }

    /// The comments that begin within a range.
    pub(super) fn comments(&self, range: &Range<usize>) -> Vec<Range<usize>> {
        let (Ok(start), Ok(end)) = (u32::try_from(range.start), u32::try_from(range.end)) else { return Vec::new() };
        let mut token = self.root.token_at_offset(start.into()).right_biased();
        let mut found = Vec::new();
        while let Some(current) = token {
            if u32::from(current.text_range().start()) >= end {
                break;
            }
            if current.kind() == Kind::COMMENT && u32::from(current.text_range().start()) >= start {
                found.push(span_of(&current));
            }
            token = current.next_token();
        }
        found
    }
}

impl NodePlace {
    /// The place of an entry's value.
    pub(super) fn of_entry(entry: &SyntaxNode) -> Self {
        let holder = match entry.kind() {
            Kind::MAPPING_ENTRY => entry.children().find(|node| node.kind() == Kind::VALUE).unwrap_or_else(|| entry.clone()),
            _ => entry.clone(),
        };
        let content = if holder.kind() == Kind::MAPPING_ENTRY { None } else { content(&holder) };
        Self { entry: entry.clone(), holder, content }
    }

    /// The anchor on the value, if there is one.
    pub(super) fn anchor(&self) -> Option<SyntaxToken> {
        let tagged = self.content.iter().filter(|node| node.kind() == Kind::TAGGED_NODE);
        std::iter::once(&self.holder).chain(tagged).find_map(|node| token_of(node, Kind::ANCHOR))
    }
}

/// The value a holder holds. A scalar without text is the null that nothing stands for: `None`.
fn content(holder: &SyntaxNode) -> Option<SyntaxNode> {
    let kinds = [Kind::SCALAR, Kind::MAPPING, Kind::SEQUENCE, Kind::ALIAS, Kind::TAGGED_NODE];
    holder.children().find(|node| kinds.contains(&node.kind())).filter(|node| !node.text_range().is_empty())
}

/// The node below a tag.
pub(super) fn untagged(node: &SyntaxNode) -> SyntaxNode {
    if node.kind() == Kind::TAGGED_NODE
        && let Some(inner) = content(node)
    {
        return inner;
    }
    node.clone()
}

/// The entries of a mapping or a sequence.
fn entries(collection: &SyntaxNode) -> impl Iterator<Item = SyntaxNode> {
    collection.children().filter(|node| matches!(node.kind(), Kind::MAPPING_ENTRY | Kind::SEQUENCE_ENTRY))
}

/// The key of a mapping's entry.
pub(super) fn key_of(entry: &SyntaxNode) -> Option<SyntaxNode> {
    entry.children().find(|node| node.kind() == Kind::KEY)
}

/// The text of a scalar key, read.
pub(super) fn key_text(entry: &SyntaxNode) -> Option<String> {
    let scalar = key_of(entry)?.children().find_map(Scalar::cast)?;
    Some(scalar.as_string())
}

/// The entry with this key, after skipping as many of them.
pub(super) fn entry_of(mapping: &SyntaxNode, key: &str, skip: usize) -> Option<SyntaxNode> {
    entries(mapping).filter(|entry| has_key(entry, key)).nth(skip)
}

fn has_key(entry: &SyntaxNode, key: &str) -> bool {
    let scalar = || key_of(entry)?.children().find(|node| Scalar::can_cast(node.kind()));
    let Some(scalar) = scalar() else { return false };
    let only = scalar.first_token().filter(|token| token.text_range() == scalar.text_range());
    let is_word = |text: &str| text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match only {
        // A word reads as it is written.
        Some(token) if is_word(token.text()) => token.text() == key,
        _ => Scalar::cast(scalar).is_some_and(|scalar| scalar.as_string() == key),
    }
}

/// A token directly in a node.
pub(super) fn token_of(node: &SyntaxNode, kind: Kind) -> Option<SyntaxToken> {
    node.children_with_tokens().filter_map(NodeOrToken::into_token).find(|token| token.kind() == kind)
}

/// Whether a collection is written with braces or brackets.
pub(super) fn is_flow(collection: &SyntaxNode) -> bool {
    token_of(collection, Kind::LEFT_BRACE).or_else(|| token_of(collection, Kind::LEFT_BRACKET)).is_some()
}

/// Whether what is written into a node must be in double quotes: it stands in braces whose keys all are, as in JSON.
pub(super) fn is_like_json(node: &SyntaxNode) -> bool {
    let mut within = false;
    for above in node.ancestors().filter(|above| matches!(above.kind(), Kind::MAPPING | Kind::SEQUENCE)) {
        if !is_flow(&above) {
            return false;
        }
        within = true;
        if above.kind() == Kind::MAPPING && entries(&above).next().is_some() {
            return entries(&above).all(|entry| key_of(&entry).is_some_and(|key| key.text().to_string().starts_with('"')));
        }
    }
    within
}

/// Whether a node stands within braces or brackets.
pub(super) fn within_flow(node: &SyntaxNode) -> bool {
    node.ancestors().any(|above| matches!(above.kind(), Kind::MAPPING | Kind::SEQUENCE) && is_flow(&above))
}

/// The bytes of a token.
pub(super) fn span_of(token: &SyntaxToken) -> Range<usize> {
    token.text_range().start().into()..token.text_range().end().into()
}

/// The last token of a node that means something: no white space, line break or comment.
pub(super) fn last_significant(node: &SyntaxNode) -> Option<SyntaxToken> {
    let start = node.text_range().start();
    let mut token = node.last_token()?;
    while is_trivia(&token) {
        token = token.prev_token()?;
        if token.text_range().start() < start {
            return None;
        }
    }
    Some(token)
}

/// A node without the white space, line breaks and comments around it.
pub(super) fn significant(node: &SyntaxNode) -> Option<Range<usize>> {
    let last = last_significant(node)?;
    let mut first = node.first_token()?;
    while is_trivia(&first) {
        first = first.next_token()?;
    }
    Some(first.text_range().start().into()..last.text_range().end().into())
}

fn is_trivia(token: &SyntaxToken) -> bool {
    token.text_range().is_empty()
        || matches!(token.kind(), Kind::WHITESPACE | Kind::NEWLINE | Kind::INDENT | Kind::COMMENT | Kind::COMMA | Kind::BOM)
}
