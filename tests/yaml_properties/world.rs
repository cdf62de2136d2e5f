//! Random manifests in every style people write, and random edits of them.

#[path = "../support/dice.rs"]
mod dice;

use headcount::core::edit::{Edit, Path, Segment};
use serde_json::{Map, Value, json};

pub use dice::Dice;

/// Values that readers, editors and terminals stumble over.
const HOSTILE: [&str; 40] = [
    "yes",
    "on",
    "no",
    "~",
    "null",
    "",
    " ",
    "0123",
    "1_000",
    "12:30:45",
    "2026-11-21",
    "2026-11-21T10:00:00Z",
    "1e5",
    "0x1f",
    ".inf",
    "%3",
    "a: b",
    "a #b",
    "# c",
    "- a",
    "[a",
    "{a}",
    "a, b}",
    "*a",
    "&a",
    "!t",
    "|",
    ">-",
    "a\nb",
    "\n",
    "a\r\nb",
    "\ttab",
    "tr ",
    "é 漢 🎉",
    "\u{feff}x",
    "\u{2028}",
    "\u{85}",
    "\u{1b}[31m",
    "\"q\" 'q'",
    "back\\slash",
];

const WORDS: [&str; 8] =
    ["running", "claude", "~/lab/x", "b3a7c0de-1234-4abc-8def-0123456789ab", "two words", "%3", "1e5", "pi"];

const COMMENTS: [&str; 5] = ["# why", "# é: [x", "#", "# 'quoted", "# a: 1"];

/// How a manifest is written.
pub struct Style {
    /// Anchors, aliases and merge keys are used.
    pub anchors: bool,
}

/// A random manifest.
pub fn manifest(dice: &mut Dice, style: &Style) -> String {
    let mut page = Page { lines: Vec::new(), count: 0, anchors: style.anchors, block_text: false };
    page.comments(dice, 0);
    if dice.chance(4) {
        page.lines.push("---".to_owned());
    }
    page.lines.push(format!("version: 1{}", tail(dice)));
    page.comments(dice, 0);
    if style.anchors {
        page.lines.push("base: &base".to_owned());
        page.lines.push("  mux: tmux # merged".to_owned());
        page.lines.push("  note: &word merged".to_owned());
        page.lines.push("  status: running".to_owned());
    }
    let count = dice.below(4);
    match dice.below(if count == 0 { 3 } else { 9 }) {
        0 if count == 0 => page.lines.push(format!("sessions: []{}", tail(dice))),
        1 if count == 0 => page.lines.push(format!("sessions:{}", tail(dice))),
        2 if count == 0 => {}
        3 => {
            let sessions: Vec<_> = (0..count).map(|_| page.flow_session(dice)).collect();
            page.lines.push(format!("sessions: [{}]{}", sessions.join(", "), tail(dice)));
        }
        _ => page.sessions(dice, count),
    }
    if dice.chance(2) {
        page.lines.push(format!("discovery: {{ names: [\"*-creator-{{agent}}\"] }}{}", tail(dice)));
    }
    page.comments(dice, 0);
    if dice.chance(8) {
        page.lines.push("...".to_owned());
    }
    let eol = if dice.chance(4) { "\r\n" } else { "\n" };
    let mut text = page.lines.join(eol);
    // Where a block text ends a file without final newline, a line below it would give the text its newline.
    if page.block_text || !dice.chance(4) {
        text.push_str(eol);
    }
    if dice.chance(6) { format!("\u{feff}{text}") } else { text }
}

/// A random manifest as a writer of JSON writes one.
pub fn json_manifest(dice: &mut Dice) -> String {
    let mut fields = Map::new();
    fields.insert("version".to_owned(), json!(1));
    if !dice.chance(6) {
        let sessions: Vec<Value> = (0..dice.below(4)).map(|_| session(dice)).collect();
        fields.insert("sessions".to_owned(), Value::Array(sessions));
    }
    for key in ["defaults", "a: b", "é\"#"] {
        let value = match dice.below(4) {
            0 => json!({}),
            1 => json!([leaf(dice), [], {"k": leaf(dice)}]),
            2 => json!({"k": leaf(dice), "l": {"m": leaf(dice)}}),
            _ => leaf(dice),
        };
        fields.insert(key.to_owned(), value);
    }
    let fields = Value::Object(fields);
    let mut text = if dice.chance(2) { fields.to_string() } else { serde_json::to_string_pretty(&fields).unwrap() };
    // In YAML these two are line breaks unless they are escaped.
    for c in ['\u{85}', '\u{2028}'] {
        text = text.replace(c, &format!("\\u{:04x}", u32::from(c)));
    }
    if dice.chance(2) { format!("{text}\n") } else { text }
}

/// What may follow a value on its line.
fn tail(dice: &mut Dice) -> String {
    match dice.below(6) {
        0 => format!("  {}", dice.pick(&COMMENTS)),
        1 => " ".to_owned(),
        _ => String::new(),
    }
}

struct Page {
    lines: Vec<String>,
    count: usize,
    anchors: bool,
    block_text: bool,
}

impl Page {
    fn comments(&mut self, dice: &mut Dice, indent: usize) {
        while dice.chance(4) {
            let line = if dice.chance(2) { String::new() } else { format!("{}{}", " ".repeat(indent), dice.pick(&COMMENTS)) };
            self.lines.push(line);
        }
    }

    fn sessions(&mut self, dice: &mut Dice, count: usize) {
        self.lines.push(format!("sessions:{}", tail(dice)));
        let indent = *dice.pick(&[0, 2, 2, 4]);
        let gap = *dice.pick(&[1, 1, 1, 3]);
        for _ in 0..count {
            self.comments(dice, indent);
            let inner = indent + 1 + gap;
            let start = self.lines.len();
            if dice.chance(8) {
                self.lines.push(format!("{}-{}", " ".repeat(indent), tail(dice)));
                self.mapping(dice, inner);
                continue;
            }
            self.mapping(dice, inner);
            // The dash goes on the line of the first key.
            let first = self.lines[start].trim_start().to_owned();
            self.lines[start] = format!("{}-{}{first}", " ".repeat(indent), " ".repeat(gap));
        }
    }

    fn mapping(&mut self, dice: &mut Dice, indent: usize) {
        self.count += 1;
        let name = format!("name: session-{}", self.count);
        self.line(dice, indent, &name);
        if self.anchors && dice.chance(2) {
            self.lines.push(format!("{}<<: *base", " ".repeat(indent)));
        }
        for key in ["agent", "cwd", "status", "session_id", "\"last note\"", "env"] {
            if dice.chance(3) {
                continue;
            }
            self.comments(dice, indent);
            self.field(dice, indent, key);
        }
        if !dice.chance(3) {
            self.pane(dice, indent);
        }
    }

    fn line(&mut self, dice: &mut Dice, indent: usize, text: &str) {
        let end = tail(dice);
        self.lines.push(format!("{}{text}{end}", " ".repeat(indent)));
    }

    fn field(&mut self, dice: &mut Dice, indent: usize, key: &str) {
        let deeper = " ".repeat(indent + 2);
        let word = dice.pick(&["running", "x y", "~/lab", "a-b", "ünï"]).to_string();
        match dice.below(14) {
            0 => self.line(dice, indent, &format!("{key}: null")),
            1 => self.line(dice, indent, &format!("{key}: ~")),
            2 => self.line(dice, indent, &format!("{key}:")),
            3 => self.line(dice, indent, &format!("{key}: '{word}'")),
            4 => self.line(dice, indent, &format!("{key}: \"{word}\\t\"")),
            5 => {
                self.lines.push(format!("{}{key}:", " ".repeat(indent)));
                let end = tail(dice);
                self.lines.push(format!("{deeper}{word}{end}"));
            }
            6 => {
                self.lines.push(format!("{}{key}: {word}", " ".repeat(indent)));
                let end = tail(dice);
                self.lines.push(format!("{deeper}and more{end}"));
            }
            7 => {
                self.block_text = true;
                let header = dice.pick(&["|", "|-", ">", ">-", "|+", "|  # head"]);
                self.lines.push(format!("{}{key}: {header}", " ".repeat(indent)));
                self.lines.push(format!("{deeper}# text {word}"));
                if dice.chance(2) {
                    self.lines.push(String::new());
                    self.lines.push(format!("{deeper}more"));
                }
                if dice.chance(3) {
                    self.lines.push(String::new());
                }
            }
            8 => self.line(dice, indent, &format!("{key}: [a, \"b, c\", {{ d: 1 }}]")),
            9 => self.line(dice, indent, &format!("{key}: {{}}")),
            10 if self.anchors => self.line(dice, indent, &format!("{key}: *word")),
            11 => {
                self.line(dice, indent, &format!("{key}:"));
                let list = *dice.pick(&[indent, indent + 2]);
                for item in ["one", "'two'"] {
                    self.line(dice, list, &format!("- {item}"));
                }
            }
            _ => self.line(dice, indent, &format!("{key}: {word}")),
        }
    }

    fn pane(&mut self, dice: &mut Dice, indent: usize) {
        match dice.below(4) {
            0 => {
                self.line(dice, indent, "pane:");
                for field in ["id: \"%3\"", "pid: 7", "title: kept", "cwd: /x"] {
                    self.comments(dice, indent + 2);
                    self.line(dice, indent + 2, field);
                }
            }
            1 => {
                let tail = if dice.chance(2) { " # i" } else { "" };
                self.lines.push(format!("{}pane: {{ id: '%3',{tail}", " ".repeat(indent)));
                self.lines.push(format!("{}pid: 7, cmd: claude", " ".repeat(indent + 2)));
                self.line(dice, indent, "}");
            }
            _ => self.line(dice, indent, "pane: { id: \"%3\", pid: 7, cmd: claude, cwd: /x }"),
        }
    }

    fn flow_session(&mut self, dice: &mut Dice) -> String {
        self.count += 1;
        let id = dice.pick(&["session_id: null", "session_id: ", "\"session_id\":\"x\"", "e: {}", "l: [ ]"]);
        format!("{{ name: s{}, {id}, pane: {{id: '%1', pid: 4}} }}", self.count)
    }
}

/// A value to write.
pub fn leaf(dice: &mut Dice) -> Value {
    match dice.below(8) {
        0 => Value::Null,
        1 => json!(dice.chance(2)),
        2 => json!(dice.below(1 << 30)),
        3 => json!(1.5e300),
        4 => json!(WORDS[dice.below(WORDS.len())]),
        _ => json!(HOSTILE[dice.below(HOSTILE.len())]),
    }
}

/// A session as headcount registers one.
pub fn session(dice: &mut Dice) -> Value {
    json!({
        "name": format!("new-{}", dice.below(1000)), "agent": "claude", "cwd": leaf(dice), "status": "running",
        "pane": { "id": "%9", "pid": dice.below(99999), "cmd": "claude", "cwd": leaf(dice) }, "session_id": leaf(dice),
    })
}

/// Every path of a value, the root apart. Merge keys and what is below them are left out.
pub fn paths(value: &Value, path: &Path, found: &mut Vec<Path>) {
    let children: Vec<(Path, &Value)> = match value {
        Value::Object(fields) => {
            fields.iter().filter(|(key, _)| *key != "<<").map(|(key, value)| (path.key(key), value)).collect()
        }
        Value::Array(items) => items.iter().enumerate().map(|(index, value)| (path.index(index), value)).collect(),
        _ => Vec::new(),
    };
    for (path, value) in children {
        found.push(path.clone());
        paths(value, &path, found);
    }
}

pub fn at<'a>(value: &'a Value, path: &Path) -> Option<&'a Value> {
    path.0.iter().try_fold(value, |value, segment| match segment {
        Segment::Key(key) => value.get(key),
        Segment::Index(index) => value.get(index),
    })
}

/// What an edit makes of a value: an oracle of its own, which knows nothing of text. Keys of a mapping that the edit does
/// not name stay.
pub fn edited(value: &Value, edit: &Edit) -> Value {
    let mut value = value.clone();
    let (parent, last) = edit.path.split_last().unwrap();
    let target = parent.0.iter().fold(&mut value, |value, segment| match segment {
        Segment::Key(key) => &mut value[key.as_str()],
        Segment::Index(index) => &mut value[*index],
    });
    match (last, &edit.to) {
        (Segment::Key(key), Some(to)) => {
            let fields = target.as_object_mut().unwrap();
            let merged = overlaid(fields.get(key), edit.from.as_ref(), to);
            fields.insert(key.clone(), merged);
        }
        (Segment::Key(key), None) => {
            target.as_object_mut().unwrap().shift_remove(key);
        }
        (Segment::Index(index), Some(to)) => {
            let items = target.as_array_mut().unwrap();
            if *index == items.len() {
                items.push(to.clone())
            } else {
                items[*index] = overlaid(items.get(*index), edit.from.as_ref(), to)
            }
        }
        (Segment::Index(index), None) => {
            target.as_array_mut().unwrap().remove(*index);
        }
    }
    value
}

fn overlaid(there: Option<&Value>, from: Option<&Value>, to: &Value) -> Value {
    match (there, from, to) {
        (Some(Value::Object(there)), Some(Value::Object(from)), Value::Object(to)) => {
            let kept = there.iter().filter(|(key, _)| !from.contains_key(*key) || *key == "<<");
            let mut fields: Map<String, Value> = kept.map(|(key, value)| (key.clone(), value.clone())).collect();
            for (key, value) in to {
                fields.insert(key.clone(), overlaid(there.get(key), from.get(key), value));
            }
            Value::Object(fields)
        }
        _ => to.clone(),
    }
}

/// An edit of a kind headcount makes: a leaf set, a key added, a session appended, a pane rewritten, a key or the last
/// session taken away.
pub fn ordinary_edit(dice: &mut Dice, value: &Value) -> Edit {
    let sessions = value.get("sessions");
    let count = sessions.and_then(Value::as_array).map_or(0, Vec::len);
    let root = Path::root().key("sessions");
    if count == 0 {
        let list = Value::Array(vec![session(dice)]);
        return match sessions {
            Some(Value::Array(_)) if dice.chance(2) => Edit::new(root.index(0), None, Some(session(dice))),
            other => Edit::new(root, other.cloned(), Some(list)),
        };
    }
    let index = dice.below(count);
    let entry = root.index(index);
    let fields = at(value, &entry).and_then(Value::as_object).unwrap();
    match dice.below(8) {
        0 => Edit::new(root.index(count), None, Some(session(dice))),
        1 => {
            let last = root.index(count - 1);
            Edit::new(last.clone(), at(value, &last).cloned(), None)
        }
        2 if fields.get("pane").is_some_and(Value::is_object) => {
            let from = fields["pane"].clone();
            let mut to = from.as_object().unwrap().clone();
            to.insert("id".to_owned(), json!("%42"));
            to.insert("pid".to_owned(), json!(dice.below(9999)));
            to.insert("cmd".to_owned(), leaf(dice));
            to.insert("cwd".to_owned(), leaf(dice));
            Edit::new(entry.key("pane"), Some(from), Some(Value::Object(to)))
        }
        3 => {
            let mut key = format!("new_{}", dice.below(1000));
            while fields.contains_key(&key) {
                key.push('x');
            }
            let after = fields.keys().nth(dice.below(fields.len())).filter(|key| *key != "<<").cloned();
            Edit {
                after,
                ..Edit::new(
                    entry.key(&key),
                    None,
                    Some(if dice.chance(2) { leaf(dice) } else { json!({"id": "%1", "pid": 4}) }),
                )
            }
        }
        kind => {
            let own: Vec<&String> = fields
                .iter()
                .filter(|(key, value)| *key != "<<" && !value.is_object() && !value.is_array())
                .map(|(key, _)| key)
                .collect();
            let Some(key) = own.get(dice.below(own.len().max(1))) else {
                return Edit::new(entry.key("only"), None, Some(leaf(dice)));
            };
            let to = if kind == 4 && fields.len() > 1 { None } else { Some(leaf(dice)) };
            Edit::new(entry.key(key.as_str()), fields.get(key.as_str()).cloned(), to)
        }
    }
}

/// Any edit of any node.
pub fn any_edit(dice: &mut Dice, value: &Value) -> Edit {
    let mut all = Vec::new();
    paths(value, &Path::root(), &mut all);
    let path = dice.pick(&all).clone();
    let there = at(value, &path).cloned();
    match dice.below(4) {
        0 => Edit::new(path, there, None),
        1 => match there {
            Some(Value::Object(fields)) => {
                let key = *dice.pick(&["new", "on", "1", "two words", "é", "a: b", "#", "- x"]);
                Edit::new(path.key(key), fields.get(key).cloned(), Some(leaf(dice)))
            }
            Some(Value::Array(items)) => {
                Edit::new(path.index(items.len()), None, Some(if dice.chance(2) { leaf(dice) } else { session(dice) }))
            }
            there => Edit::new(path, there, Some(leaf(dice))),
        },
        2 => {
            let to = match dice.below(5) {
                0 => session(dice),
                1 => json!([]),
                2 => json!({}),
                3 => json!([session(dice), leaf(dice)]),
                _ => json!([leaf(dice), leaf(dice)]),
            };
            Edit::new(path, there, Some(to))
        }
        _ => Edit::new(path, there, Some(leaf(dice))),
    }
}
