//! What each tool's files say, and what is chosen from them.

#![allow(clippy::unwrap_used)]

use serde_json::json;

use super::*;
use crate::core::ids::ConversationId;
use crate::core::manifest::{Environment, Manifest, read};

const A: &str = "11111111-2222-4333-8444-555555555555";

/// What reads a text.
type Reader = fn(&str) -> Result<ForeignFile, String>;

/// All of them.
const READERS: [Reader; 6] = [
    resurrect,
    |text| tmuxp(text, TmuxpForm::Yaml, "/w"),
    |text| tmuxp(text, TmuxpForm::Json, "/w"),
    deck_file,
    squad,
    empires,
];

fn manifest(text: &str) -> Manifest {
    let value: serde_yaml::Value = serde_yaml::from_str(text).unwrap();
    read(&value, &value, &Environment { home: "/home/ada".into(), host: "here".to_owned() }).unwrap().0
}

fn empty() -> Manifest {
    manifest("version: 1\nsessions: []\n")
}

/// Tells agents by their first word, and a conversation behind `--resume`.
fn agent(words: &[String]) -> Option<ForeignAgent> {
    let kind = empty().agents.find(words.first()?)?;
    let at = words.iter().position(|word| word == "--resume");
    let conversation = at.and_then(|at| words.get(at + 1)).map(|id| ConversationId(id.clone()));
    Some(ForeignAgent { kind, conversation, arguments: words.len() - 1 })
}

fn chosen(tool: ImportTool, file: ForeignFile, manifest: &Manifest) -> ImportChoice {
    choose(file.sessions.into_iter().map(|session| (tool, session)).collect(), manifest, "here", agent)
}

#[test]
fn the_panes_of_tmux_resurrect_are_read_in_its_old_form_and_its_new_one() {
    let old = format!("pane\tshop\t0\t:zsh\t1\t:*\t0\t:/w/my\\ shop\t1\tclaude\t:claude --resume {A} --model opus");
    let new = "pane\tapi\t0\t1\t:*\t0\t✳ title\t:/w/api\t1\tnode\t:codex";
    let text = format!(
        "{old}\n{new}\npane\tnotes\t0\t1\t:*\t0\tt\t:/w\t1\tvim\t:vim a\nwindow\tshop\t0\t:zsh\t1\t:*\tx\nstate\tshop\t\n"
    );
    let choice = chosen(ImportTool::TmuxResurrect, resurrect(&text).unwrap(), &empty());
    let values: Vec<_> = choice.entries.iter().map(|entry| entry.value.clone()).collect();
    assert_eq!(values[0], json!({"name": "shop", "agent": "claude", "cwd": "/w/my shop", "session_id": A}));
    assert_eq!(values[1], json!({"name": "api", "agent": "codex", "cwd": "/w/api"}));
    assert_eq!(choice.imported[0].not_taken, ["its arguments"]);
    assert_eq!(choice.entries[0].comment, "from tmux-resurrect; conversation named by its command line");
    assert_eq!(choice.left_out.len(), 1);
    assert!(choice.left_out[0].why.contains("no coding agent"), "{choice:?}");
}

#[test]
fn a_workspace_of_tmuxp_is_read_with_its_short_forms() {
    let text = "session_name: lab\nstart_directory: ~/lab\nwindows:\n\
        - panes: [null, vim, 'FOO=1 exec claude']\n\
        - start_directory: ./api\n  panes:\n  - shell_command: [cd sub && codex; exit]\n";
    let file = tmuxp(text, TmuxpForm::Yaml, "/etc/tmuxp").unwrap();
    let choice = chosen(ImportTool::Tmuxp, file, &empty());
    assert_eq!(choice.entries[0].value, json!({"name": "lab", "agent": "claude", "cwd": "~/lab"}));
    // One session, one agent.
    assert!(choice.left_out.iter().any(|left| left.why.contains("follows one")), "{choice:?}");
    let json = r#"{"session_name": "j", "windows": [{"panes": [{"shell_command": [{"cmd": "cd sub"}, {"cmd": "codex"}]}]}]}"#;
    let choice = chosen(ImportTool::Tmuxp, tmuxp(json, TmuxpForm::Json, "/etc/tmuxp").unwrap(), &empty());
    assert_eq!(choice.entries[0].value["cwd"], "/etc/tmuxp/sub");
    let named = tmuxp("session_name: ${USER}\nwindows: []\n", TmuxpForm::Yaml, "/").unwrap();
    assert_eq!(named.left_out.len(), 1);
    let variable = "session_name: v\nwindows: [{start_directory: $X, panes: [claude]}]\n";
    let choice = chosen(ImportTool::Tmuxp, tmuxp(variable, TmuxpForm::Yaml, "/").unwrap(), &empty());
    assert_eq!(choice.entries[0].value, json!({"name": "v", "agent": "claude"}));
    assert!(choice.imported[0].not_taken[0].contains("variables"));
}

#[test]
fn of_agent_deck_only_what_headcount_can_lead_becomes_an_entry() {
    let row = |title: &str, more: serde_json::Value| {
        let mut row =
            json!({"title": title, "tool": "claude", "project_path": "/w", "tmux_session": format!("agentdeck_{title}")});
        row.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        row
    };
    let text = json!({"instances": [
        row("a", json!({"claude_session_id": A, "codex_session_id": "other-one", "group_path": "work", "loaded_mcp_names": ["x"]})),
        row("b", json!({"archived_at": 5})),
        row("c", json!({"ssh_host": "ml"})),
        row("d", json!({"sandbox": {"image": "x"}})),
        row("e", json!({"tmux_session": ""})),
        row("f", json!({"tool": "shell"})),
        row("g", json!({"tmux_socket_name": "deck", "worktree_path": "/w/tree", "command": "claude --x"})),
    ]});
    let file = deck_file(&text.to_string()).unwrap();
    assert_eq!(file.left_out.len(), 4, "{:?}", file.left_out);
    let choice = chosen(ImportTool::AgentDeck, file, &empty());
    let expected = json!({"name": "agentdeck_a", "agent": "claude", "cwd": "/w", "labels": {"group": "work"}, "session_id": A});
    assert_eq!(choice.entries[0].value, expected);
    assert_eq!(choice.entries[0].comment, "from agent-deck \"a\"; conversation as recorded there");
    assert_eq!(choice.imported[0].not_taken, ["its MCP servers"]);
    assert_eq!(choice.entries[1].value, json!({"name": "agentdeck_g", "agent": "claude", "cwd": "/w/tree", "server": "deck"}));
    assert_eq!(choice.imported[1].not_taken, ["its own command"]);
    assert_eq!(choice.entries.len(), 2);
}

#[test]
fn names_are_those_that_claude_squad_and_agent_of_empires_give_their_sessions() {
    let text = json!({"instances": [
        {"title": "fix v1.2 now", "path": "/w", "program": "claude --continue", "worktree": {"worktree_path": "/t/1"}},
        {"title": "later", "status": 3, "program": "claude"},
    ]});
    let choice = chosen(ImportTool::ClaudeSquad, squad(&text.to_string()).unwrap(), &empty());
    assert_eq!(choice.entries[0].value, json!({"name": "claudesquad_fixv1_2now", "agent": "claude", "cwd": "/t/1"}));
    let text = json!([
        {"id": "0123456789abcdef", "title": "My session (that is long)", "tool": "codex", "project_path": "/w", "agent_session_id": A},
        {"id": "1", "title": "x", "tool": "claude", "sandbox_info": {"enabled": true}},
        {"id": "2", "title": "y", "tool": "claude", "view": "structured"},
    ]);
    let file = empires(&text.to_string()).unwrap();
    assert_eq!(file.left_out.len(), 2);
    let choice = chosen(ImportTool::AgentOfEmpires, file, &empty());
    let expected = json!({"name": "aoe_My_session__that_is__01234567", "agent": "codex", "cwd": "/w", "session_id": A});
    assert_eq!(choice.entries[0].value, expected);
}

#[test]
fn a_worker_of_csd_has_the_conversation_that_csd_began() {
    let meta = json!({"tmux_name": "w", "session_id": A, "cwd": "/w", "harness": "codex"}).to_string();
    let file = ForeignFile { sessions: vec![worker(&meta).unwrap()], left_out: Vec::new() };
    let choice = chosen(ImportTool::Csd, file, &empty());
    assert_eq!(choice.entries[0].value, json!({"name": "w", "agent": "codex", "cwd": "/w", "session_id": A}));
    assert!(worker("{}").is_err());
}

#[test]
fn a_conversation_that_two_claim_or_an_entry_has_is_nobodys() {
    let session = |name: &str| ForeignSession {
        conversations: vec![("claude", A.to_owned())],
        ..ForeignSession::new(name, ForeignProgram::Named("claude".to_owned()))
    };
    let two = ForeignFile { sessions: vec![session("a"), session("b")], left_out: Vec::new() };
    let choice = chosen(ImportTool::AgentDeck, two.clone(), &empty());
    assert!(choice.imported.iter().all(|it| it.conversation.is_none() && it.not_taken[0].contains("two sessions claim")));
    let held =
        manifest(&format!("version: 1\nsessions: [{{name: z, agent: claude, session_id: {A}}}, {{name: b, agent: pi}}]\n"));
    let choice = chosen(ImportTool::AgentDeck, two, &held);
    assert_eq!(choice.imported.len(), 1);
    assert!(choice.imported[0].not_taken[0].contains("another entry has"), "{choice:?}");
    assert!(choice.left_out[0].why.contains("has an entry already"), "{choice:?}");
}

#[test]
fn what_cannot_be_a_name_a_directory_or_an_id_is_not_written() {
    for (name, server) in [("", ""), ("a\nb", ""), ("a\u{1b}[2J", ""), (&"x".repeat(201), ""), ("a", "../b"), ("a", "b\n")] {
        let session = ForeignSession {
            server: server.to_owned(),
            ..ForeignSession::new(name, ForeignProgram::Named("claude".to_owned()))
        };
        let file = ForeignFile { sessions: vec![session], left_out: Vec::new() };
        let choice = chosen(ImportTool::AgentDeck, file, &empty());
        assert!(choice.entries.is_empty() && choice.left_out.len() == 1, "{name:?} {server:?}");
    }
    for (cwd, id) in [("w", "short"), ("/a\nb", "--resume-all"), ("~other", "../../etc/passwd-x"), ("", "11111111 2222")] {
        let session = ForeignSession {
            cwd: Some(cwd.to_owned()),
            conversations: vec![("claude", id.to_owned())],
            ..ForeignSession::new("a", ForeignProgram::Named("claude".to_owned()))
        };
        let file = ForeignFile { sessions: vec![session], left_out: Vec::new() };
        let choice = chosen(ImportTool::AgentDeck, file, &empty());
        assert_eq!(choice.entries[0].value, json!({"name": "a", "agent": "claude"}), "{cwd:?} {id:?}");
        assert_eq!(choice.imported[0].not_taken.len(), 2);
    }
}

#[test]
fn no_text_makes_a_reader_panic_and_a_bomb_stays_small() {
    let bomb = {
        let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..30 {
            let before = format!("*a{},", level - 1).repeat(9);
            text.push_str(&format!("a{level}: &a{level} [{before}]\n"));
        }
        text + "session_name: x\nwindows: [{panes: *a29}]\n"
    };
    let deep = "[".repeat(100_000);
    for text in ["", "\0", "null", "[]", "{}", "pane", "pane\t", "{\"instances\": 5}", "[{\"id\": []}]", &bomb, &deep] {
        for reader in READERS {
            let _ = reader(text);
        }
        let _ = worker(text);
    }
}
