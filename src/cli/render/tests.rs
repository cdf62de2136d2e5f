//! What people see, from constructed values: snapshots at two widths, and rules no output may break.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use unicode_width::UnicodeWidthStr;

use super::asked::Question;
use super::drift::{Detail, Doing};
use super::{Style, Terminal, drift, explain, hanging, history, patch, status};
use crate::core::report::Report;
use crate::core::report::status::{Explanation, StatusReport};

fn look(width: Option<usize>) -> Terminal {
    Terminal { color: false, width, tty: width.is_some(), now: at("2026-11-21T08:00:10Z") }
}

/// Everything there is to say of a drift.
const ALL: Detail = Detail { evidence: true, edits: true };

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn key(name: &str, server: &str) -> Value {
    json!({"name": name, "mux": "tmux", "server": server, "host": "dev1"})
}

fn world() -> StatusReport {
    let id = "b3a7c9e1-4c1d-4a6e-9f53-2a7d0f1c8e44";
    serde_json::from_value(json!({
        "schema": "headcount/status/v1", "manifest": "/home/dev/agent-sessions.yaml", "host": "dev1",
        "observed_at": "2026-11-21T08:00:05Z", "in_sync": false,
        "counts": {"declared": 6, "running": 2, "drifts": 4, "new": 1, "applied": 0, "unknown": 1},
        "sessions": [
            {"session": key("lab-landing-page-creator-claude", "default"), "agent": "claude", "declared": "running", "observed": "alive",
             "turn": "idle", "cwd": "/home/dev/lab/landing_page", "pane": "%3", "pid": 201_132, "session_id": id, "id_rung": "registry",
             "transcript": true, "last_activity": "2026-11-21T07:58:00Z", "job": "a1b2c3d4", "drifts": [],
             "resume": "cd /home/dev/lab/landing_page && claude --resume b3a7c9e1-4c1d-4a6e-9f53-2a7d0f1c8e44"},
            {"session": key("lab-shop-creator-claude", "default"), "agent": "claude", "declared": "running", "observed": "alive",
             "turn": "waiting", "turn_note": "permission prompt", "cwd": "/home/dev/lab/shop", "pane": "%4", "pid": 201_140,
             "session_id": "7c1d52ce-9f0e-4f7f-a3f5-1b60a31d0001", "id_rung": "registry", "transcript": true,
             "last_activity": "2026-11-21T07:59:30Z", "drifts": [], "resume": "cd /home/dev/lab/shop && claude --resume 7c1d52ce-9f0e-4f7f-a3f5-1b60a31d0001"},
            {"session": key("lab-api-creator-codex", "default"), "agent": "codex", "declared": "running", "observed": "gone",
             "session_id": "0199f3a2-7b61-7c40-8a55-77f2d1e0c9ab", "id_rung": "recorded", "drifts": ["dead", "stale-id"]},
            {"session": key("lab-canary-creator-antigravity", "canary"), "agent": "antigravity", "declared": "running",
             "observed": "unknown", "note": "tmux:canary timed out after 2 s", "drifts": []},
            {"session": key("lab-docs-creator-claude", "default"), "agent": "claude", "declared": "running", "observed": "no-agent",
             "note": "a bare bash", "drifts": ["agent-gone"]},
            {"session": key("lab-old-idea-creator-pi", "default"), "agent": "pi", "declared": "archived", "observed": "gone",
             "session_id": "c0ffee00-0000-4000-8000-000000000001", "id_rung": "recorded", "transcript": true, "drifts": []},
            {"session": key("lab-new-creator-opencode", "default"), "agent": "opencode", "declared": "-", "observed": "alive",
             "turn": "working", "note": "no entry", "cwd": "/home/dev/lab/new", "pane": "%9", "pid": 4711, "drifts": ["unregistered"]},
        ],
        "unknown": [{"scope": "tmux:canary", "why": "timed out after 2 s"}],
    }))
    .unwrap()
}

fn report() -> Report {
    let drift = |class: &str, code: &str, state: &str, name: &str, agent: &str, message: &str, edits: Value| {
        json!({"id": "0123456789ab", "class": class, "code": code, "state": state, "session": key(name, "default"),
            "agent": agent, "message": format!("{name}: {message}"), "evidence": [], "edits": edits, "new": true,
            "first_seen": "2026-11-21T08:00:05Z"})
    };
    let mut dead = drift(
        "dead",
        "A",
        "pending",
        "lab-api-creator-codex",
        "codex",
        "tmux gone (was pane 201132, cmd codex). To be marked terminated.",
        json!([
            {"path": "sessions[1].status", "from": "running", "to": "terminated"},
            {"path": "sessions[1].terminated_at", "from": null, "to": "2026-11-21T08:00:05Z"},
            {"path": "sessions[1].termination_mode", "from": null, "to": "auto-detected"},
        ]),
    );
    dead["evidence"] = json!([{"source": "tmux", "fact": "the default server answered without it"}]);
    let mut found = drift(
        "unregistered",
        "B",
        "settling",
        "lab-new-creator-opencode",
        "opencode",
        "alive without an entry. To be registered.",
        json!([{"path": "sessions[5]", "from": null, "to":
            {"name": "lab-new-creator-opencode", "agent": "opencode", "cwd": "/home/dev/lab/new", "status": "running",
             "pane": {"id": "%9", "pid": 4711, "cmd": "opencode", "cwd": "/home/dev/lab/new"}}}]),
    );
    found["settles_at"] = json!("2026-11-21T08:00:09Z");
    let mut refused = drift(
        "new-id",
        "C",
        "refused",
        "lab-web-creator-claude",
        "claude",
        "in another conversation.",
        json!([
        {"path": "sessions[3].session_id", "from": "aaaa", "to": "bbbb"}]),
    );
    refused["refusal"] = json!("the value comes through an alias");
    let flagged = drift(
        "agent-gone",
        "E",
        "flagged",
        "lab-docs-creator-claude",
        "claude",
        "its agent is gone, a bare bash runs.",
        json!([]),
    );
    let ignored = drift(
        "moved",
        "G",
        "ignored",
        "lab-quiet-creator-pi",
        "pi",
        "in pane %7, pid 9.",
        json!([
        {"path": "sessions[4].pane.pid", "from": 8, "to": 9}]),
    );
    serde_json::from_value(json!({
        "schema": "headcount/report/v1", "manifest": "/home/dev/agent-sessions.yaml", "host": "dev1",
        "observed_at": "2026-11-21T08:00:05Z", "dry_run": true, "in_sync": false,
        "counts": {"declared": 6, "running": 2, "drifts": 4, "new": 1, "applied": 0, "unknown": 1},
        "drifts": [dead, found, refused, flagged, ignored],
        "unknown": [{"scope": "tmux:canary", "why": "timed out after 2 s"}],
        "diff": "--- agent-sessions.yaml\n+++ agent-sessions.yaml\n@@ -1,3 +1,3 @@\n sessions:\n-    status: running\n+    status: terminated\n",
    }))
    .unwrap()
}

fn explanation() -> Explanation {
    serde_json::from_value(json!({
        "row": serde_json::to_value(&world().sessions[0]).unwrap(),
        "manifest": ["status: running", "session_id: 99999999-0000-4000-8000-000000000000"],
        "observed": ["tmux:default answered: 12 sessions", "pane %3, pid 201132, runs claude since 2026-11-21T06:00:00Z"],
        "ladders": [{"of": "claude, pid 201132 in pane %3", "rungs": [
            {"number": 1, "name": "registry", "looked_at": "/home/dev/.claude/sessions/201132.json", "found": "b3a7c9e1-4c1d-4a6e-9f53-2a7d0f1c8e44", "decided": true},
            {"number": 4, "name": "start", "looked_at": "its arguments", "found": "no id in them", "decided": false},
        ]}],
        "verdict": "the registry proves b3a7c9e1-4c1d-4a6e-9f53-2a7d0f1c8e44",
        "drifts": ["new-id (pending): in another conversation than recorded"],
        "would_change": ["the registry file names another conversation", "the process ends"],
    }))
    .unwrap()
}

fn lines() -> Vec<history::HistoryLine> {
    let line = |id: &str, class: &str, message: &str, undoes: Option<&str>| history::HistoryLine {
        id: id.to_owned(),
        at: at("2026-11-21T08:00:05Z"),
        change: undoes
            .map_or_else(|| history::ShownChange::Of(class.parse().unwrap()), |id| history::ShownChange::Undo(id.to_owned())),
        session: "lab-api-creator-codex".to_owned(),
        message: format!("lab-api-creator-codex: {message}"),
    };
    vec![
        line("000124", "dead", "taken back", Some("000123")),
        line("000123", "dead", "tmux gone (was pane 201132, cmd codex). Marked terminated.", None),
    ]
}

#[test]
fn status_reads_well_at_80_columns() {
    insta::assert_snapshot!(status::render(&world(), Question::Everything, false, &look(Some(80))));
}

#[test]
fn status_reads_well_at_200_columns() {
    insta::assert_snapshot!(status::render(&world(), Question::Everything, false, &look(Some(200))));
}

#[test]
fn wide_status_cuts_nothing_off_even_on_a_narrow_terminal() {
    let text = status::render(&world(), Question::Everything, true, &look(Some(80)));
    for row in &world().sessions {
        assert!(text.contains(&row.session.name));
        assert!(row.resume.as_ref().is_none_or(|resume| text.contains(resume)), "{text}");
    }
    insta::assert_snapshot!(text);
}

#[test]
fn status_by_name_is_one_name_a_line() {
    assert_eq!(status::names(&world()).lines().count(), 7);
}

#[test]
fn a_world_in_order_is_told_in_one_line() {
    let mut report = world();
    report.sessions.clear();
    report.unknown.clear();
    report.in_sync = true;
    report.counts =
        serde_json::from_value(json!({"declared": 0, "running": 0, "drifts": 0, "new": 0, "applied": 0, "unknown": 0}))
            .unwrap();
    assert_eq!(status::render(&report, Question::Everything, false, &look(None)), "0 declared, 0 running. In sync.\n");
}

#[test]
fn a_plan_shows_each_drift_with_its_mark_edits_and_fate() {
    insta::assert_snapshot!(drift::plan(&report(), ALL, &look(Some(80))));
}

#[test]
fn the_drifts_of_one_session_stand_under_one_heading_with_the_mark_of_what_is_written() {
    let mut report = report();
    let (dead, mut stale) = (report.drifts[0].clone(), report.drifts[3].clone());
    stale.session = dead.session.clone();
    stale.message = format!("{}: transcript is gone.", dead.session.name);
    report.drifts = vec![dead, report.drifts[4].clone(), stale];
    assert_eq!(
        drift::plan(&report, Detail { evidence: false, edits: false }, &look(None)),
        "- lab-api-creator-codex\n    \
             dead        tmux gone (was pane 201132, cmd codex). To be marked terminated.\n    \
             agent-gone  transcript is gone. (flagged)\n  \
           lab-quiet-creator-pi\n    \
             moved       in pane %7, pid 9. (ignored)\n\n"
    );
}

#[test]
fn evidence_and_edits_are_each_shown_only_if_asked_for() {
    let shown = |evidence, edits| drift::plan(&report(), Detail { evidence, edits }, &look(None));
    let (fact, edit) = ("tmux: the default server answered without it", "~ status: running → terminated");
    for (evidence, edits) in [(false, false), (true, false), (false, true), (true, true)] {
        let text = shown(evidence, edits);
        assert_eq!((text.contains(fact), text.contains(edit)), (evidence, edits), "{text}");
    }
}

#[test]
fn the_count_line_says_what_to_do_next() {
    let all = drift::count(&report(), Doing::Looking, Question::Everything, &look(None));
    let first = all.lines().next().unwrap();
    assert_eq!(
        first,
        "4 drifts: 1 dead, 1 unregistered, 1 new-id, 1 agent-gone. Run `headcount record` to record 1 of them. \
         Refused 1; nothing was changed for it. 1 still settling."
    );
    assert!(all.contains("Unknown:\n  tmux:canary  timed out after 2 s\n"), "{all}");

    let mut flagged = report();
    flagged.drifts.retain(|drift| drift.edits.is_empty());
    flagged.unknown.clear();
    assert_eq!(
        drift::count(&flagged, Doing::Looking, Question::Everything, &look(None)),
        "1 drift: 1 agent-gone. Only flagged; nothing to record.\n"
    );

    let mut unknown = report();
    unknown.drifts.clear();
    let text = drift::count(&unknown, Doing::Looking, Question::Everything, &look(None));
    assert!(text.starts_with("No drift seen, but something is unknown.\n"), "{text}");

    let mut quiet = unknown.clone();
    quiet.unknown.clear();
    quiet.in_sync = true;
    assert_eq!(
        drift::count(&quiet, Doing::Looking, Question::Everything, &look(None)),
        "In sync: 6 declared, 2 running. Nothing to record.\n"
    );
    let selected = drift::count(&quiet, Doing::Looking, Question::Selected, &look(None));
    assert_eq!(selected, "Nothing selected has drifted: 6 declared, 2 running. Nothing to record.\n");
    let mut nobody = quiet.clone();
    nobody.counts.declared = 0;
    let said = drift::count(&nobody, Doing::Looking, Question::Selected, &look(None));
    assert_eq!(said, "No matching session is judged here. Nothing to record.\n");
}

#[test]
fn an_ignored_drift_is_listed_but_not_counted() {
    assert!(drift::plan(&report(), ALL, &look(None)).contains("lab-quiet-creator-pi"));
    assert!(!drift::count(&report(), Doing::Looking, Question::Everything, &look(None)).contains("moved"));
}

#[test]
fn an_explanation_goes_from_what_was_seen_to_what_follows() {
    insta::assert_snapshot!(explain::render(&[explanation()], &look(Some(80))));
}

#[test]
fn without_a_live_process_an_explanation_says_so_and_with_several_each_has_its_ladder() {
    let mut gone = explanation();
    gone.ladders.clear();
    assert!(explain::render(&[gone], &look(None)).contains("none: every rung needs a live process"));
    let mut several = explanation();
    let mut other = several.ladders[0].clone();
    other.of = "claude, pid 7 in pane %9".to_owned();
    several.ladders.push(other);
    let text = explain::render(&[several], &look(None));
    assert!(text.contains("  claude, pid 201132 in pane %3\n") && text.contains("  claude, pid 7 in pane %9\n"), "{text}");
    assert_eq!(text.matches("1 registry ").count(), 2, "{text}");
}

#[test]
fn what_an_agent_waits_for_is_said_beside_the_word_and_counted_below() {
    let text = status::render(&world(), Question::Everything, false, &look(Some(200)));
    let row = text.lines().find(|line| line.starts_with("lab-shop")).unwrap();
    assert!(row.contains(" waiting ") && row.ends_with("permission prompt"), "{row}");
    assert!(text.contains("1 waiting for an answer"), "{text}");
}

#[test]
fn history_shows_the_entry_to_type_first() {
    insta::assert_snapshot!(history::render(&lines(), &[], &look(Some(80))));
    assert_eq!(history::render(&[], &[], &look(None)), "Nothing has been recorded.\n");
    let note = |kind: &str, session: &str, message: &str| history::HistoryLine {
        id: "000125".to_owned(),
        at: at("2026-11-21T08:00:05Z"),
        change: history::ShownChange::None(kind.to_owned()),
        session: session.to_owned(),
        message: message.to_owned(),
    };
    insta::assert_snapshot!(
        "entries_that_are_no_changes",
        history::render(
            &[note("operation", "lab", ""), note("kept", "", "Its version is kept in m.saved-1.")],
            &[],
            &look(Some(80))
        )
    );
    let names = ["lab-*".to_owned(), "x".to_owned()];
    assert_eq!(history::render(&[], &names, &look(None)), "Nothing has been recorded for lab-* or x.\n");
}

/// Everything each renderer gives for the sample world, as one text.
fn everything(look: &Terminal) -> Vec<String> {
    vec![
        status::render(&world(), Question::Everything, false, look),
        drift::plan(&report(), ALL, look),
        drift::count(&report(), Doing::Recording, Question::Everything, look),
        patch::render(&report().diff, look),
        explain::render(&[explanation()], look),
        history::render(&lines(), &[], look),
    ]
}

#[test]
fn without_colour_there_is_no_escape_sequence_and_with_colour_only_the_text_is_the_same() {
    let plain = look(Some(120));
    let coloured = Terminal { color: true, ..plain };
    for (plain, coloured) in everything(&plain).into_iter().zip(everything(&coloured)) {
        assert!(!plain.contains('\u{1b}'));
        assert_eq!(anstream::adapter::strip_str(&coloured).to_string(), plain);
    }
    assert!(everything(&coloured).concat().contains('\u{1b}'));
}

#[test]
fn no_line_ends_in_blanks_and_no_table_is_wider_than_the_terminal() {
    for width in [80, 100, 120, 200] {
        let look = look(Some(width));
        for text in everything(&look) {
            assert!(text.lines().all(|line| !line.ends_with(' ')), "{text}");
        }
        for table in [status::render(&world(), Question::Everything, false, &look), history::render(&lines()[..1], &[], &look)]
        {
            assert!(table.lines().all(|line| line.width() <= width), "{width}:\n{table}");
        }
    }
}

#[test]
fn prose_is_broken_between_words_only_on_a_terminal_and_keeps_its_indent() {
    let text = "one two three four five six seven eight nine ten";
    assert_eq!(hanging(text, 4, Style::Plain, &look(None)), text);
    assert_eq!(hanging(text, 4, Style::Plain, &look(Some(34))), "one two three four five six\n    seven eight nine ten");
    let path = "/a/very/long/path/that/has/no/blank/in/it/and/is/never/broken";
    assert_eq!(hanging(path, 4, Style::Plain, &look(Some(34))), path);
}

#[test]
fn hostile_text_never_reaches_the_terminal_raw() {
    let evil = "evil\u{1b}]0;owned\u{7}\nerror: forged\u{9b}2J\u{202e}";
    let poison = |value: Value| -> Value { serde_json::from_str(&poisoned(&value, evil).to_string()).unwrap() };
    let status_report: StatusReport = serde_json::from_value(poison(serde_json::to_value(world()).unwrap())).unwrap();
    let mut report: Report = serde_json::from_value(poison(serde_json::to_value(report()).unwrap())).unwrap();
    report.diff = format!("+{}\n", evil.replace('\n', " "));
    let explanation: Explanation = serde_json::from_value(poison(serde_json::to_value(explanation()).unwrap())).unwrap();
    let mut lines = lines();
    lines[1].session = evil.to_owned();
    lines[1].message = evil.to_owned();
    lines[0].change = history::ShownChange::None(evil.to_owned());
    let look = look(Some(200));
    for text in [
        status::render(&status_report, Question::Everything, true, &look),
        status::names(&status_report),
        drift::plan(&report, ALL, &look),
        drift::count(&report, Doing::Looking, Question::Everything, &look),
        patch::render(&report.diff, &look),
        explain::render(&[explanation], &look),
        history::render(&lines, &[], &look),
    ] {
        assert!(text.chars().all(|c| c == '\n' || !c.is_control() && c != '\u{202e}'), "{text:?}");
        assert!(text.lines().all(|line| !line.starts_with("error: forged")), "{text}");
        assert!(text.contains("evil") || !text.contains("lab-"), "{text}");
    }
}

/// `value` with text from outside replaced: everything that is not a word of ours.
fn poisoned(value: &Value, evil: &str) -> Value {
    const OURS: [&str; 16] = [
        "turn",
        "schema",
        "agent",
        "declared",
        "observed",
        "class",
        "code",
        "state",
        "mux",
        "observed_at",
        "first_seen",
        "settles_at",
        "last_activity",
        "drifts",
        "id_rung",
        "counts",
    ];
    match value {
        Value::Object(fields) => Value::Object(
            fields
                .iter()
                .map(|(key, value)| {
                    let ours = OURS.contains(&key.as_str()) && !(key == "drifts" && value.to_string().contains("message"));
                    (
                        key.clone(),
                        if ours && !(key == "observed" && value.is_array()) { value.clone() } else { poisoned(value, evil) },
                    )
                })
                .collect(),
        ),
        Value::Array(items) => Value::Array(items.iter().map(|item| poisoned(item, evil)).collect()),
        Value::String(_) => Value::String(evil.to_owned()),
        other => other.clone(),
    }
}
