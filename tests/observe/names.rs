//! Names that tmux makes others of: a session is found by the name it was given, whatever tmux lists it under.

use std::os::unix::ffi::OsStrExt;
use std::process::{Command, Stdio};

use headcount::core::ids::{MuxKind, ServerKey, SessionKey};
use headcount::host::LocalHost;
use headcount::mux;

use crate::support::World;

/// Parts of names, those that mean something to tmux or a terminal among them.
const PARTS: &[&str] = &[
    "a",
    "B",
    "7",
    "_",
    "-",
    "=",
    "@",
    " ",
    ".",
    ":",
    "\\",
    "$",
    "{",
    "}",
    "#",
    "##",
    "#,",
    "#}",
    "#[",
    "#1",
    "%",
    "%H",
    ";",
    ",",
    "/",
    "*",
    "?",
    "[",
    "]",
    "(",
    ")",
    "'",
    "\"",
    "`",
    "~",
    "!",
    "|",
    "&",
    "\t",
    "\n",
    "\r",
    "\u{1b}[31m",
    "\u{1}",
    "\u{7}",
    "\u{7f}",
    "\u{85}",
    "\u{9b}",
    "é",
    "e\u{301}",
    "漢",
    "😀",
    "👩\u{200d}👩",
    "\u{200b}",
    "\u{202e}",
    "\u{2028}",
    "\u{fffe}",
];

/// A sequence of numbers that is the same for the same seed.
struct Dice(u64);

impl Dice {
    fn below(&mut self, most: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % most
    }

    fn name(&mut self) -> String {
        let count = 1 + self.below(8);
        let name: String = (0..count).map(|_| PARTS[self.below(PARTS.len())]).collect();
        // Long ones are no other.
        if self.below(20) == 0 { name.repeat(300 / name.len() + 1) } else { name }
    }
}

/// Whether tmux puts something into a name that only it knows, such as `#{pid}`.
fn is_moving(name: &str) -> bool {
    name.match_indices(['{', '(', 'D', 'F', 'H', 'I', 'P', 'S', 'T', 'W', 'h']).any(|(at, _)| {
        let before = &name[..at];
        (before.len() - before.trim_end_matches('#').len()) % 2 == 1
    })
}

/// Starts a session of this name and gives its id; `None` if tmux refuses the name, or has one of what it makes of it.
fn start(world: &World, name: &str) -> Option<String> {
    let mut command = Command::new("tmux");
    command.args(["-u", "-f", "/dev/null", "-S"]).arg(world.socket()).args(["new-session", "-d", "-P", "-F", "#{session_id}"]);
    command.arg("-s").arg(std::ffi::OsStr::from_bytes(name.as_bytes())).args(["--", "sleep", "600"]);
    let output = command.env_clear().envs(world.variables()).stdin(Stdio::null()).output().unwrap();
    output.status.success().then(|| String::from_utf8(output.stdout).unwrap().trim().to_owned())
}

#[test]
fn a_session_is_found_by_the_name_that_was_asked_for_whatever_tmux_made_of_it() {
    let today = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() / 86_400;
    for seed in [1, today] {
        let world = World::new();
        let env = world.environ(&[]);
        let host = LocalHost::named("here", env.clone());
        let mut dice = Dice(seed);
        let names = PARTS.iter().map(|part| format!("x{part}y")).chain((0..60).map(|_| dice.name())).collect::<Vec<_>>();
        let moving = ["#{pid}", "#S", "#{session_name}", "#{l:a}", "#{?x,a,b}", "#h", "#(true)", "###{pid}"];
        let moving = moving.map(|part| [format!("{}{part}", dice.name()), format!("{part}{}", dice.name())]);
        let leading = PARTS.iter().map(|part| format!("{part}x"));
        let mut started = Vec::new();
        for name in names.into_iter().chain(leading).chain(moving.into_iter().flatten()) {
            // At the end of a word `;` ends a command of tmux.
            if !name.ends_with(';') {
                started.extend(start(&world, &name).map(|id| (name, id)));
            }
        }
        assert!(started.len() > 60, "seed {seed}: tmux took {} names", started.len());
        let server = mux::of(MuxKind::Tmux).list(&host, &env, ServerKey::DEFAULT).into_seen().unwrap();
        for (name, id) in &started {
            let key = SessionKey {
                name: name.clone(),
                mux: MuxKind::Tmux,
                server: ServerKey::DEFAULT.to_owned(),
                host: "here".to_owned(),
            };
            let by = |name: &str| server.sessions.iter().find(|session| session.name == name).map(|session| session.id.clone());
            let found: Vec<String> = key.names().filter_map(|name| by(&name)).collect();
            let listed = server.sessions.iter().find(|session| session.id == *id).map(|session| &session.name);
            // Of what only tmux knows it is never said that it is not there.
            if is_moving(name) {
                let listed = listed.unwrap();
                assert!(
                    found.contains(id) || key.may_be(listed),
                    "seed {seed}: {name:?} is listed as {listed:?}, and may not be it"
                );
                continue;
            }
            assert!(found.contains(id), "seed {seed}: {name:?} is listed as {listed:?}, and these were tried: {:?}", {
                key.names().collect::<Vec<_>>()
            });
        }
    }
}
