//! Everything that may stand in the way of leading a session, one row each: what headcount says, and what is left. The oracle knows
//! how many agents may live afterwards, that there never were two, and that no operation and no secret is left open.

#![allow(dead_code, clippy::unwrap_used, clippy::expect_used)]

mod others;
mod rows;

use super::scene::{Ran, Scene};
pub(crate) use rows::ROWS;

/// A fault, and what has to become of it.
pub(crate) struct LeadFault {
    pub(crate) name: &'static str,
    /// Sets it up and runs headcount.
    pub(crate) strike: fn(&Scene) -> Result<Ran, String>,
    /// The exit code.
    pub(crate) code: i32,
    /// The outcome of the operation, or the code by which it was refused.
    pub(crate) word: &'static str,
    /// A part of what is said.
    pub(crate) says: &'static str,
    /// How many agents live afterwards.
    pub(crate) agents: usize,
    /// Ends it, after which an apply has to bring the one agent back.
    pub(crate) heal: Option<fn(&Scene)>,
}

/// A row of the table.
#[derive(Debug)]
pub(crate) struct LeadRow {
    pub(crate) name: &'static str,
    /// What was said, as `exit CODE, WORD: MESSAGE`; `Err`: it could not be tried here.
    pub(crate) said: Result<String, String>,
    pub(crate) left: String,
    /// What is not as it should be.
    pub(crate) wrong: Vec<String>,
}

/// The entry of every row.
pub(crate) const ONE: &str = "  - { name: one, agent: claude, cwd: LAB/one, desired: running, env: { TOKEN: a-secret } }\n";

impl LeadFault {
    /// The row of one whose world could not be made.
    pub(crate) fn panicked(&self) -> LeadRow {
        let wrong = vec!["it panicked; see above".to_owned()];
        LeadRow { name: self.name, said: Ok(String::new()), left: String::new(), wrong }
    }

    /// Tries it.
    pub(crate) fn row(&self) -> LeadRow {
        let scene = Scene::new(ONE);
        scene.watch_for_a_second();
        let ran = match (self.strike)(&scene) {
            Ok(ran) => ran,
            Err(why) => return LeadRow { name: self.name, said: Err(why), left: String::new(), wrong: Vec::new() },
        };
        let (word, message) = outcome(&ran);
        let code = ran.code.unwrap_or(-1);
        let mut wrong = Vec::new();
        let mut check = |is_so: bool, what: String| {
            if !is_so {
                wrong.push(what);
            }
        };
        check(code == self.code, format!("exit {code} instead of {}: {ran:?}", self.code));
        check(word == self.word, format!("{word} instead of {}: {ran:?}", self.word));
        check(message.contains(self.says), format!("nothing about {}: {message}", self.says));
        check(settles(&scene, self.agents), format!("{} agents instead of {}", scene.agents().len(), self.agents));
        check(!scene.saw_a_second(), "two agents at once".to_owned());
        check(!said_secret(&ran), "a secret was said".to_owned());
        let (begun, ended) = (scene.left("begun.json"), scene.left("receipt.json"));
        let mut left = format!("{} agent{}", scene.agents().len(), if scene.agents().len() == 1 { "" } else { "s" });
        if begun > ended {
            left.push_str(", an open operation");
        }
        check(begun == ended || self.heal.is_some(), "an operation is open".to_owned());
        if let Some(heal) = self.heal {
            heal(&scene);
            let applied = super::support::await_some("the next apply", || {
                let ran = scene.run(&["apply", "--yes", "--json"]);
                (ran.code == Some(0) && settles(&scene, 1)).then_some(ran)
            });
            check(!scene.saw_a_second(), format!("two agents at once afterwards: {applied:?}"));
            check(scene.left("begun.json") == scene.left("receipt.json"), "an operation is open afterwards".to_owned());
            left.push_str("; the next apply: 1 agent");
        }
        check(scene.left("launch.json") == 0, "a launch with a secret is left".to_owned());
        let message = message.replace(&scene.world.root().display().to_string(), "");
        let said = format!("exit {code}, {word}: {message}");
        LeadRow { name: self.name, said: Ok(said.trim_end_matches([':', ' ']).to_owned()), left, wrong }
    }
}

/// Waits a moment until so many agents live.
fn settles(scene: &Scene, agents: usize) -> bool {
    let until = std::time::Instant::now() + std::time::Duration::from_secs(3);
    while scene.agents().len() != agents {
        if std::time::Instant::now() > until {
            return false;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    true
}

fn said_secret(ran: &Ran) -> bool {
    ran.stdout.contains("a-secret") || ran.stderr.contains("a-secret")
}

/// What became of session `one`: its code or outcome, and the message.
fn outcome(ran: &Ran) -> (String, String) {
    let Ok(report) = serde_json::from_str::<serde_json::Value>(&ran.stdout) else {
        let first = ran.stderr.lines().next().unwrap_or_default();
        return ("error".to_owned(), first.to_owned());
    };
    let Some(one) = report["operations"].as_array().and_then(|all| all.iter().find(|it| it["session"]["name"] == "one")) else {
        return ("met".to_owned(), String::new());
    };
    let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
    let word = if one["code"].is_null() { text("outcome") } else { text("code") };
    (word, text("why"))
}

/// The table for people, or for a document.
pub(crate) fn render(rows: &[LeadRow], markdown: bool) -> String {
    let mut text = String::new();
    if markdown {
        text.push_str("| fault | what is said | what is left |\n| --- | --- | --- |\n");
    }
    for row in rows {
        let (said, left) = match &row.said {
            Ok(said) => (said.replace('|', "\\|"), row.left.as_str()),
            Err(why) => (format!("skipped: {why}"), ""),
        };
        let line = if markdown {
            format!("| {} | {said} | {left} |\n", row.name)
        } else {
            format!("{}\n    {said}\n    {left}\n", row.name)
        };
        text.push_str(&line);
    }
    text
}
