//! An agent's settings in JSON: hooks are put in and taken out as text, so that every other byte stays. Pure; opens no file.

use serde_json::Value;

/// Why settings are left alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// They are not JSON as the standard says, for instance because of comments.
    #[error("it is not plain JSON: {0}")]
    Syntax(String),
    /// They are JSON, but not of the shape that holds hooks.
    #[error("{0}")]
    Shape(String),
}

/// Text to be put in, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingsPiece {
    /// The offset in the text before.
    pub at: usize,
    /// What is put there.
    pub text: String,
}

/// A value and where it stands.
#[derive(Debug)]
struct Spot {
    start: usize,
    end: usize,
    kind: SpotKind,
}

#[derive(Debug)]
enum SpotKind {
    Object(Vec<Member>),
    List(Vec<Spot>),
    Other,
}

#[derive(Debug)]
struct Member {
    name: String,
    start: usize,
    value: Spot,
}

/// What has to be put into settings so that each event has this group of hooks, behind those that are there. Nothing for those of which
/// `has` says that a group is it already.
///
/// # Errors
/// [`SettingsError`].
pub fn insertions(text: &str, wanted: &[(String, Value)]) -> Result<Vec<SettingsPiece>, SettingsError> {
    let root = parse(text)?;
    let lines = Lines::of(text, &root);
    let SpotKind::Object(members) = &root.kind else { return Err(not_an_object("the file")) };
    let entry = |(event, group): &(String, Value)| (event.clone(), format!("[{group}]"));
    let Some(hooks) = member(members, "hooks")? else {
        let inner: Vec<String> = wanted.iter().map(entry).map(|(event, list)| lines.entry(2, &event, &list)).collect();
        let value = format!("{{{}{}}}", inner.join(","), lines.end(1));
        return Ok(vec![into_object(&root, members, &lines, 1, &[("hooks".to_owned(), value)])]);
    };
    let SpotKind::Object(events) = &hooks.value.kind else { return Err(not_an_object("`hooks`")) };
    let (mut pieces, mut missing) = (Vec::new(), Vec::new());
    for (event, group) in wanted {
        let Some(list) = member(events, event)? else {
            missing.push(entry(&(event.clone(), group.clone())));
            continue;
        };
        let SpotKind::List(groups) = &list.value.kind else {
            return Err(SettingsError::Shape(format!("`hooks.{event}` is not a list")));
        };
        let is_there = |spot: &Spot| value(text, spot).as_ref() == Some(group);
        if groups.iter().any(is_there) {
            continue;
        }
        pieces.push(match groups.last() {
            Some(last) => SettingsPiece { at: last.end, text: format!(", {group}") },
            None => SettingsPiece { at: list.value.start + 1, text: group.to_string() },
        });
    }
    if !missing.is_empty() {
        pieces.push(into_object(&hooks.value, events, &lines, 2, &missing));
    }
    pieces.sort_by_key(|piece| piece.at);
    Ok(pieces)
}

/// The text with pieces put in.
pub fn with_pieces(text: &str, pieces: &[SettingsPiece]) -> String {
    let (mut all, mut from) = (String::with_capacity(text.len()), 0);
    for piece in pieces {
        all.push_str(text.get(from..piece.at).unwrap_or_default());
        all.push_str(&piece.text);
        from = piece.at;
    }
    all + text.get(from..).unwrap_or_default()
}

/// The text without pieces that were put into another: what it was before. `None` if they do not stand in it.
pub fn without_pieces(text: &str, pieces: &[SettingsPiece]) -> Option<String> {
    let (mut all, mut from, mut put) = (String::with_capacity(text.len()), 0, 0);
    for piece in pieces {
        let start = piece.at + put;
        all.push_str(text.get(from..start)?);
        from = start + piece.text.len();
        (text.get(start..from)? == piece.text).then_some(())?;
        put += piece.text.len();
    }
    Some(all + text.get(from..)?)
}

/// The text without the hooks whose command is ours, and without the groups, events and `hooks` that hold nothing else. `None`: none is.
///
/// # Errors
/// [`SettingsError`].
pub fn removal(text: &str, is_ours: impl Fn(&str) -> bool) -> Result<Option<String>, SettingsError> {
    let root = parse(text)?;
    let SpotKind::Object(members) = &root.kind else { return Err(not_an_object("the file")) };
    let Some(hooks) = member(members, "hooks")? else { return Ok(None) };
    let SpotKind::Object(events) = &hooks.value.kind else { return Ok(None) };
    let mut cuts = Vec::new();
    let mut goes_of_events = Vec::new();
    for event in events {
        let SpotKind::List(groups) = &event.value.kind else {
            goes_of_events.push(false);
            continue;
        };
        let mut goes_of_groups = Vec::new();
        for group in groups {
            let inner = match &group.kind {
                SpotKind::Object(fields) => fields.iter().find(|field| field.name == "hooks"),
                _ => None,
            };
            let Some(Spot { kind: SpotKind::List(hooks), .. }) = inner.map(|field| &field.value) else {
                goes_of_groups.push(false);
                continue;
            };
            let goes: Vec<bool> = hooks.iter().map(|hook| command(text, hook).is_some_and(|it| is_ours(&it))).collect();
            goes_of_groups.push(cut(&spans(hooks), &goes, &mut cuts));
        }
        goes_of_events.push(cut(&spans(groups), &goes_of_groups, &mut cuts));
    }
    let spans: Vec<(usize, usize)> = events.iter().map(|event| (event.start, event.value.end)).collect();
    if cut(&spans, &goes_of_events, &mut cuts) {
        let goes: Vec<bool> = members.iter().map(|member| member.name == "hooks").collect();
        let spans: Vec<(usize, usize)> = members.iter().map(|member| (member.start, member.value.end)).collect();
        if cut(&spans, &goes, &mut cuts) {
            cuts.push((root.start + 1, root.end - 1));
        }
    }
    if cuts.is_empty() {
        return Ok(None);
    }
    // What holds only what goes was cut as a whole: cuts lie apart or in one another.
    cuts.sort_by_key(|(start, end)| (*start, std::cmp::Reverse(*end)));
    let (mut all, mut from) = (String::with_capacity(text.len()), 0);
    for (start, end) in cuts {
        if start >= from {
            all.push_str(text.get(from..start).unwrap_or_default());
            from = end;
        }
    }
    Ok(Some(all + text.get(from..).unwrap_or_default()))
}

/// Whether a hook with a command of ours is in it.
///
/// # Errors
/// [`SettingsError`].
pub fn commands(text: &str) -> Result<Vec<String>, SettingsError> {
    let root: Value = serde_json::from_str(text).map_err(syntax)?;
    let lists = root.get("hooks").and_then(Value::as_object).into_iter().flat_map(|events| events.values());
    let groups = lists.filter_map(Value::as_array).flatten();
    let hooks = groups.filter_map(|group| group.get("hooks")?.as_array()).flatten();
    Ok(hooks.filter_map(|hook| Some(hook.get("command")?.as_str()?.to_owned())).collect())
}

fn syntax(error: serde_json::Error) -> SettingsError {
    SettingsError::Syntax(error.to_string())
}

fn not_an_object(what: &str) -> SettingsError {
    SettingsError::Shape(format!("{what} is not a JSON object"))
}

/// The one member of a name; two would leave open which of them the agent reads.
fn member<'a>(members: &'a [Member], name: &str) -> Result<Option<&'a Member>, SettingsError> {
    let mut named = members.iter().filter(|member| member.name == name);
    match (named.next(), named.next()) {
        (_, Some(_)) => Err(SettingsError::Shape(format!("`{name}` stands in it twice"))),
        (first, None) => Ok(first),
    }
}

fn value(text: &str, spot: &Spot) -> Option<Value> {
    serde_json::from_str(text.get(spot.start..spot.end)?).ok()
}

fn command(text: &str, hook: &Spot) -> Option<String> {
    Some(value(text, hook)?.get("command")?.as_str()?.to_owned())
}

fn spans(spots: &[Spot]) -> Vec<(usize, usize)> {
    spots.iter().map(|spot| (spot.start, spot.end)).collect()
}

/// Notes what to cut of the elements that go, each with the comma that stood for it; whether all of them go, so that what holds them does.
fn cut(spans: &[(usize, usize)], goes: &[bool], cuts: &mut Vec<(usize, usize)>) -> bool {
    if !goes.is_empty() && goes.iter().all(|goes| *goes) {
        return true;
    }
    for (at, (start, end)) in spans.iter().enumerate().filter(|(at, _)| goes.get(*at) == Some(&true)) {
        let is_after_one_that_stays = goes.iter().take(at).any(|goes| !goes);
        let range = match (is_after_one_that_stays, at.checked_sub(1).and_then(|at| spans.get(at)), spans.get(at + 1)) {
            (true, Some((_, before)), _) => (*before, *end),
            (_, _, Some((next, _))) => (*start, *next),
            (_, _, None) => (*start, *end),
        };
        cuts.push(range);
    }
    false
}

/// What puts members behind those of an object whose own members stand at a depth.
fn into_object(object: &Spot, members: &[Member], lines: &Lines, depth: usize, entries: &[(String, String)]) -> SettingsPiece {
    let inner: Vec<String> = entries.iter().map(|(name, value)| lines.entry(depth, name, value)).collect();
    match members.last() {
        Some(last) => SettingsPiece { at: last.value.end, text: format!(",{}", inner.join(",")) },
        None => SettingsPiece { at: object.start + 1, text: format!("{}{}", inner.join(","), lines.end(depth - 1)) },
    }
}

/// How a text is laid out.
struct Lines {
    /// The end of a line; none if all stands on one.
    newline: Option<&'static str>,
    /// One step to the right.
    indent: String,
}

impl Lines {
    fn of(text: &str, root: &Spot) -> Self {
        let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
        let first = match &root.kind {
            SpotKind::Object(members) => members.first(),
            _ => None,
        };
        let Some(first) = first else { return Self { newline: Some(newline), indent: "  ".to_owned() } };
        let before = text.get(..first.start).unwrap_or_default();
        let line = before.rfind('\n').map(|at| before.get(at + 1..).unwrap_or_default());
        match line.filter(|line| line.chars().all(|c| c == ' ' || c == '\t')) {
            Some(indent) => Self { newline: Some(newline), indent: indent.to_owned() },
            None => Self { newline: None, indent: String::new() },
        }
    }

    fn entry(&self, depth: usize, name: &str, value: &str) -> String {
        format!("{}{}: {value}", self.start(depth), Value::from(name))
    }

    fn start(&self, depth: usize) -> String {
        self.newline.map_or(" ".to_owned(), |newline| format!("{newline}{}", self.indent.repeat(depth)))
    }

    fn end(&self, depth: usize) -> String {
        self.newline.map_or(" ".to_owned(), |newline| format!("{newline}{}", self.indent.repeat(depth)))
    }
}

/// Where everything stands. The text is valid, so what stands where follows from its marks alone.
fn parse(text: &str) -> Result<Spot, SettingsError> {
    // That also bounds how deep values lie in one another.
    serde_json::from_str::<Value>(text).map_err(syntax)?;
    let mut scan = Scan { bytes: text.as_bytes(), text, at: 0 };
    scan.spot().ok_or_else(|| SettingsError::Syntax("it cannot be read".to_owned()))
}

struct Scan<'a> {
    bytes: &'a [u8],
    text: &'a str,
    at: usize,
}

impl Scan<'_> {
    fn peek(&mut self) -> Option<u8> {
        while self.bytes.get(self.at).is_some_and(u8::is_ascii_whitespace) {
            self.at += 1;
        }
        self.bytes.get(self.at).copied()
    }

    fn spot(&mut self) -> Option<Spot> {
        let first = self.peek()?;
        let start = self.at;
        let kind = match first {
            b'{' => {
                let mut members = Vec::new();
                self.at += 1;
                while self.peek()? != b'}' {
                    if self.peek()? == b',' {
                        self.at += 1;
                        self.peek()?;
                    }
                    let start = self.at;
                    self.string();
                    let name = serde_json::from_str(self.text.get(start..self.at)?).ok()?;
                    (self.peek()? == b':').then_some(())?;
                    self.at += 1;
                    members.push(Member { name, start, value: self.spot()? });
                }
                self.at += 1;
                SpotKind::Object(members)
            }
            b'[' => {
                let mut items = Vec::new();
                self.at += 1;
                while self.peek()? != b']' {
                    if self.peek()? == b',' {
                        self.at += 1;
                    }
                    items.push(self.spot()?);
                }
                self.at += 1;
                SpotKind::List(items)
            }
            b'"' => {
                self.string();
                SpotKind::Other
            }
            _ => {
                let is_end = |byte: &u8| matches!(byte, b',' | b'}' | b']') || byte.is_ascii_whitespace();
                while self.bytes.get(self.at).is_some_and(|byte| !is_end(byte)) {
                    self.at += 1;
                }
                SpotKind::Other
            }
        };
        Some(Spot { start, end: self.at, kind })
    }

    fn string(&mut self) {
        self.at += 1;
        while let Some(byte) = self.bytes.get(self.at) {
            match byte {
                b'\\' => self.at += 2,
                b'"' => {
                    self.at += 1;
                    return;
                }
                _ => self.at += 1,
            }
        }
    }
}

#[cfg(test)]
#[path = "settings_tests.rs"]
mod tests;
