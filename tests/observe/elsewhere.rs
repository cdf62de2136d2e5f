//! What is told of conversations that others began in an OpenCode's workspace, and of those it may have left its own for.

use chrono::TimeDelta;
use headcount::core::fact::Fact;
use rusqlite::Connection;

use crate::opencode::{agent_of, appeared, insert, recorded};
use crate::support::World;

#[test]
fn what_opencode_run_leaves_is_not_taken_for_the_conversation_of_one_that_idles_beside_it() {
    let world = World::new();
    let cwd = world.workspace("w");
    let path = recorded(&world.home().join(".local/share/opencode"));
    world.program("opencode", "#!/bin/bash\nsleep 600\n");
    world.session("s", &cwd, "exec opencode");
    let after = (agent_of(&world, "s").process.started + TimeDelta::seconds(5)).timestamp_millis();
    let change = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    change(&insert("ses_run", &cwd, after, None));
    // As 1.18.33 begins it.
    let rules = r#"[{"permission":"question","pattern":"*","action":"deny"}]"#;
    change(&format!("UPDATE session SET permission = '{rules}' WHERE id = 'ses_run'"));
    assert_eq!(appeared(&agent_of(&world, "s")), [] as [&str; 0]);
    change(&insert("ses_ours", &cwd, after + 1, None));
    assert_eq!(appeared(&agent_of(&world, "s")), ["ses_ours"]);
    change("ALTER TABLE session DROP COLUMN permission");
    assert_eq!(appeared(&agent_of(&world, "s")), ["ses_run", "ses_ours"], "an older one that does not say");
}

#[test]
fn an_agent_given_an_id_is_asked_what_was_said_elsewhere_in_its_workspace_since_it_started() {
    let world = World::new();
    let (cwd, other) = (world.workspace("w"), world.workspace("other"));
    let path = recorded(&world.home().join(".local/share/opencode"));
    world.program("opencode", "#!/bin/bash\nsleep 600\n");
    world.session("s", &cwd, "exec opencode -s ses_ours");
    let started = agent_of(&world, "s").process.started;
    let at = |seconds: i64| (started + TimeDelta::seconds(seconds)).timestamp_millis();
    let said = || match agent_of(&world, "s").ladder.said {
        Fact::Seen(said) => {
            said.iter().map(|it| (it.id.as_str().to_owned(), (it.at - started).num_seconds())).collect::<Vec<_>>()
        }
        told => panic!("{told:?}"),
    };
    let change = |sql: &str| Connection::open(&path).unwrap().execute_batch(sql).unwrap();
    let message = |session: &str, at: i64| {
        let data = r#"{"role":"user"}"#;
        let columns = "(id, session_id, time_created, time_updated, data)";
        change(&format!("INSERT INTO message {columns} VALUES ('msg_{session}{at}', '{session}', {at}, {at}, '{data}')"));
        change(&format!("UPDATE session SET time_updated = {at} WHERE id = '{session}'"));
    };
    for (id, place) in [("ses_ours", &cwd), ("ses_old", &cwd), ("ses_titled", &cwd), ("ses_elsewhere", &other)] {
        change(&insert(id, place, at(-60), None));
    }
    assert_eq!(said(), []);
    message("ses_ours", at(-10));
    message("ses_elsewhere", at(5));
    change(&format!("UPDATE session SET time_updated = {} WHERE id = 'ses_titled'", at(5)));
    assert_eq!(said(), [], "before the start, elsewhere, and a new title");
    message("ses_old", at(4));
    change(&insert("ses_new", &cwd, at(6), None));
    let mut all = said();
    all.sort();
    assert_eq!(all, [("ses_new".to_owned(), 6), ("ses_old".to_owned(), 4)]);
    change("ALTER TABLE session RENAME COLUMN directory TO place");
    assert!(agent_of(&world, "s").ladder.said.why_unknown().is_some());
}
