//! Files of other tools: whatever stands in them, no entry is made that a manifest would not take.

use headcount::core::ids::AgentKind;
use headcount::core::import::{
    ForeignAgent, ForeignFile, ImportTool, TmuxpForm, choose, deck_file, empires, resurrect, squad, tmuxp, worker,
};
use headcount::core::manifest::Environment;
use headcount::yaml;

pub fn run(data: &[u8]) {
    let (kind, rest) = super::choice(data);
    let text = String::from_utf8_lossy(rest);
    let (tool, file) = match kind % 7 {
        0 => (ImportTool::TmuxResurrect, resurrect(&text)),
        1 => (ImportTool::Tmuxp, tmuxp(&text, TmuxpForm::Yaml, "/w")),
        2 => (ImportTool::Tmuxp, tmuxp(&text, TmuxpForm::Json, "/w")),
        3 => (ImportTool::AgentDeck, deck_file(&text)),
        4 => (ImportTool::AgentOfEmpires, empires(&text)),
        5 => (ImportTool::ClaudeSquad, squad(&text)),
        _ => (ImportTool::Csd, worker(&text).map(|session| ForeignFile { sessions: vec![session], left_out: Vec::new() })),
    };
    let Ok(file) = file else { return };
    let environment = Environment { home: "/home/dev".into(), host: "here".to_owned() };
    let manifest = yaml::load("version: 1\nsessions: []\n", &environment).unwrap().manifest;
    let found = file.sessions.into_iter().take(20).map(|session| (tool, session)).collect();
    // Every command line is an agent's.
    let choice = choose(found, &manifest, "here", |words| {
        Some(ForeignAgent { kind: AgentKind::Claude, conversation: None, arguments: words.len() })
    });
    let entries: Vec<_> = choice.entries.iter().map(|entry| entry.value.clone()).collect();
    let text = serde_json::json!({"version": 1, "sessions": entries}).to_string();
    let loaded = yaml::load(&text, &environment).unwrap_or_else(|why| panic!("{text}: {why:?}"));
    assert_eq!(loaded.manifest.sessions.len(), entries.len(), "{text}");
}

pub fn seeds() -> Vec<Vec<u8>> {
    let all: [(u8, &str); 7] = [
        (0, "pane\tshop\t0\t1\t:*\t0\ttitle\t:/w/shop\t1\tclaude\t:claude --resume x\nstate\tshop\t\n"),
        (1, "session_name: lab\nstart_directory: ~/lab\nwindows:\n- panes: [null, {shell_command: [cd a && claude]}]\n"),
        (2, r#"{"session_name": "lab", "windows": [{"panes": ["codex"]}]}"#),
        (3, r#"{"instances": [{"title": "a", "tool": "claude", "tmux_session": "s", "claude_session_id": "11111111-2222"}]}"#),
        (4, r#"[{"id": "0123456789", "title": "a b", "tool": "codex", "project_path": "/w", "extra_args": ""}]"#),
        (5, r#"{"instances": [{"title": "a", "path": "/w", "program": "claude", "worktree": {"worktree_path": "/t"}}]}"#),
        (6, r#"{"tmux_name": "w", "session_id": "11111111-2222", "cwd": "/w"}"#),
    ];
    all.iter().map(|(kind, text)| [&[*kind], text.as_bytes()].concat()).collect()
}
