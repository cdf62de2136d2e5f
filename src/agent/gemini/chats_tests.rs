//! Which chat is whose, on directories as Gemini CLI 0.61.0 leaves them.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;

use super::*;

const ONE: &str = "a359c7eb-b54b-4cc5-9884-56d669b67228";
const TWO: &str = "824f98bb-51f9-4950-8bd7-178387c31f67";

fn header(id: &str, at: DateTime<Utc>, kind: &str) -> String {
    format!("{{\"sessionId\":\"{id}\",\"projectHash\":\"x\",\"startTime\":\"{}\",\"kind\":\"{kind}\"}}\n", at.to_rfc3339())
}

/// The first prompt of a chat whose file another Gemini deleted.
const PROMPT: &str = "{\"id\":\"m\",\"timestamp\":\"2026-11-21T11:05:40.829Z\",\"type\":\"user\",\"content\":[]}\n";

struct Chats(tempfile::TempDir);

impl Chats {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("tmp/w/chats")).unwrap();
        Self(dir)
    }

    fn dir(&self) -> PathBuf {
        self.0.path().join("tmp/w/chats")
    }

    fn write(&self, minute: u32, id: &str, text: &str) -> PathBuf {
        let path = self.dir().join(format!("session-2026-11-21T11-{minute:02}-{}.jsonl", &id[..8]));
        fs::write(&path, text).unwrap();
        path
    }

    fn begun(&self, started: DateTime<Utc>) -> Fact<RungValue> {
        begun(&[self.dir()], started)
    }
}

fn ids(fact: &Fact<RungValue>) -> Vec<String> {
    let Fact::Seen(RungValue::Appeared(all)) = fact else { panic!("{fact:?}") };
    all.iter().map(|it| it.id.as_str().to_owned()).collect()
}

fn seconds(count: i64) -> TimeDelta {
    TimeDelta::seconds(count)
}

#[test]
fn the_chat_of_the_launch_is_the_processes_and_a_resumes_stub_is_the_same_conversation() {
    let (chats, now) = (Chats::new(), Utc::now());
    assert_eq!(chats.begun(now), Fact::Absent);
    chats.write(5, ONE, &header(ONE, now, "main"));
    assert_eq!(ids(&chats.begun(now - seconds(3))), [ONE]);
    assert_eq!(chats.begun(now + seconds(9)), Fact::Absent, "older than the process");
    chats.write(6, ONE, &header(ONE, now, "main"));
    assert_eq!(ids(&chats.begun(now - seconds(3))), [ONE], "two files, one conversation");
    chats.write(6, TWO, &header(TWO, now, "subagent"));
    fs::create_dir(chats.dir().join(ONE)).unwrap();
    fs::write(chats.dir().join("notes.txt"), "x").unwrap();
    assert_eq!(ids(&chats.begun(now - seconds(3))), [ONE], "a helper's is none of its own");
    chats.write(7, TWO, &header(TWO, now, "main"));
    assert_eq!(ids(&chats.begun(now - seconds(3))).len(), 2, "weighed elsewhere");
}

#[test]
fn a_chat_that_came_long_after_the_launch_is_not_taken_for_the_one_that_is_gone() {
    let (chats, now) = (Chats::new(), Utc::now());
    chats.write(5, TWO, &header(TWO, now, "main"));
    let late = chats.begun(now - TimeDelta::hours(1));
    assert!(late.why_unknown().is_some_and(|why| why.contains(TWO)), "{late:?}");
    assert!(chats.begun(now).why_unknown().is_some(), "within a second of the start");
    // With the one of the launch, written by a copy, there are two.
    let launched = now - TimeDelta::hours(1) + seconds(3);
    chats.write(1, ONE, &header(ONE, launched, "main"));
    let all = begun(&[chats.dir()], now - TimeDelta::hours(1));
    assert_eq!(ids(&all), [ONE, TWO]);
}

#[test]
fn what_gemini_p_leaves_is_not_taken_for_the_chat_of_one_that_idles_beside_it() {
    let (chats, now) = (Chats::new(), Utc::now());
    let prompt = |after: i64| {
        let at = (now + TimeDelta::milliseconds(after)).to_rfc3339();
        format!("{{\"id\":\"m\",\"timestamp\":\"{at}\",\"type\":\"user\",\"content\":[]}}\n")
    };
    chats.write(5, ONE, &(header(ONE, now, "main") + &prompt(12)));
    assert_eq!(chats.begun(now - seconds(9)), Fact::Absent, "made later than a launch does, and prompted at once");
    assert_eq!(ids(&chats.begun(now - seconds(3))), [ONE], "a prompt among its own arguments");
    chats.write(5, ONE, &(header(ONE, now, "main") + &prompt(3_000)));
    assert_eq!(ids(&chats.begun(now - seconds(9))), [ONE], "a slow launch, prompted by hand");
}

#[test]
fn a_chat_that_lost_its_first_line_leaves_open_whose_it_is() {
    let (chats, now) = (Chats::new(), Utc::now());
    chats.write(5, TWO, &header(TWO, now, "main"));
    let path = chats.write(5, ONE, PROMPT);
    assert!(chats.begun(now - seconds(3)).why_unknown().is_some());
    for text in ["", "{\"sessionId\":\"a359", &header("not-a-uuid", now, "main"), &header(TWO, now, "main")] {
        fs::write(&path, text).unwrap();
        assert!(chats.begun(now - seconds(3)).why_unknown().is_some(), "{text:?}");
    }
}

#[test]
fn a_transcript_is_the_file_that_says_so_else_the_one_of_the_name() {
    let (chats, now) = (Chats::new(), Utc::now());
    let find = |id: &str| find(&TranscriptIndex::new(), chats.0.path(), &ConversationId(id.into()));
    assert_eq!(find(ONE), Fact::Absent);
    assert_eq!(find("a359"), Fact::Absent);
    assert_eq!(find("…ünd"), Fact::Absent);
    let bare = chats.write(4, ONE, PROMPT);
    assert_eq!(find(ONE).seen().unwrap().path, bare);
    let twin = "a359c7eb-0000-4cc5-9884-56d669b67228";
    let other = chats.write(5, ONE, &header(twin, now, "main"));
    assert_eq!(find(twin).seen().unwrap().path, other);
    let ours = chats.write(6, ONE, &(header(ONE, now, "main") + PROMPT));
    let file = fs::File::options().write(true).open(&ours).unwrap();
    file.set_modified(std::time::SystemTime::now() - std::time::Duration::from_secs(60)).unwrap();
    assert_eq!(find(ONE).seen().unwrap().path, ours, "older, but it says so");
    // A helper's directory of the same depth is no chat.
    fs::create_dir_all(chats.0.path().join("tmp/w/other")).unwrap();
    fs::write(chats.0.path().join("tmp/w/other/session-x-824f98bb.jsonl"), header(TWO, now, "main")).unwrap();
    assert_eq!(find(TWO), Fact::Absent);
    fs::write(chats.dir().join("session-x-824f98bb.jsonl"), "half").unwrap();
    assert!(find(TWO).why_unknown().is_some());
}
