//! Programs that lead elsewhere: into a container, to another machine, into another multiplexer. What runs behind one is no child
//! of it, so nobody sees it here. Pure: a table, and command lines looked up in it.

/// When a program of this name is a door.
struct Door {
    names: &'static [&'static str],
    when: When,
}

/// What its arguments have to say.
enum When {
    /// Anything.
    Always,
    /// These words first, each a list of alternatives, with flags in between; and the flags that take the next word as their value.
    Words { words: &'static [&'static [&'static str]], valued: &'static [&'static str] },
    /// As `ssh` takes them: a remote command or shell, not only a tunnel, a question or an order to another `ssh`.
    Ssh,
    /// No command at all, or one of these; and the flags that take a value.
    Client { commands: &'static [&'static str], valued: &'static [&'static str] },
    /// Without any of these flags.
    Without(&'static [&'static str]),
}

const DOCKER: &[&str] = &["-H", "--host", "-c", "--context", "--config", "-l", "--log-level", "--connection", "--url"];
const COMPOSE: &[&str] = &[
    "-H",
    "--host",
    "-c",
    "--context",
    "-f",
    "--file",
    "-p",
    "--project-name",
    "--profile",
    "--env-file",
    "--project-directory",
];
const KUBECTL: &[&str] =
    &["-n", "--namespace", "--context", "--kubeconfig", "--cluster", "--user", "-s", "--server", "--as", "--token"];

const fn words(words: &'static [&'static [&'static str]], valued: &'static [&'static str]) -> When {
    When::Words { words, valued }
}

static DOORS: &[Door] = &[
    Door { names: &["ssh", "slogin"], when: When::Ssh },
    Door {
        names: &[
            "sshpass",
            "autossh",
            "mosh",
            "mosh-client",
            "et",
            "telnet",
            "rlogin",
            "dbclient",
            "session-manager-plugin",
            "nsenter",
            "lxc-attach",
            "lxc-console",
            "wsl",
            "abduco",
            "dtach",
            "tmate",
        ],
        when: When::Always,
    },
    Door { names: &["docker", "podman", "nerdctl", "finch"], when: words(&[&["exec", "run", "attach", "start"]], DOCKER) },
    Door {
        names: &["docker", "podman", "nerdctl", "finch"],
        when: words(&[&["container", "sandbox"], &["exec", "run", "attach", "start"]], DOCKER),
    },
    Door {
        names: &["docker", "podman", "nerdctl", "finch"],
        when: words(&[&["compose"], &["exec", "run", "attach"]], COMPOSE),
    },
    Door { names: &["docker-compose", "podman-compose"], when: words(&[&["exec", "run", "attach"]], COMPOSE) },
    Door { names: &["kubectl", "oc"], when: words(&[&["exec", "attach", "run", "debug", "rsh"]], KUBECTL) },
    Door {
        names: &["machinectl"],
        when: words(&[&["shell", "login"]], &["-H", "--host", "-M", "--machine", "--uid", "-E", "--setenv"]),
    },
    Door { names: &["incus", "lxc", "multipass"], when: words(&[&["exec", "shell", "console"]], &["--project"]) },
    Door { names: &["limactl"], when: words(&[&["shell"]], &[]) },
    Door { names: &["crictl"], when: words(&[&["exec", "attach"]], &["-r", "--runtime-endpoint", "-c", "--config"]) },
    Door {
        names: &["ctr"],
        when: words(&[&["task", "tasks", "t"], &["exec", "attach"]], &["-n", "--namespace", "-a", "--address"]),
    },
    Door { names: &["distrobox-enter"], when: When::Always },
    Door { names: &["distrobox", "toolbox", "pct"], when: words(&[&["enter", "run", "exec"]], &["-n", "--name"]) },
    Door { names: &["devcontainer"], when: words(&[&["exec"]], &[]) },
    Door { names: &["virsh", "virtctl"], when: words(&[&["console", "ssh"]], &["-c", "--connect", "-n", "--namespace"]) },
    Door {
        names: &[
            "tsh",
            "fly",
            "flyctl",
            "coder",
            "devpod",
            "colima",
            "vagrant",
            "tailscale",
            "kitten",
            "minikube",
            "docker-machine",
        ],
        when: words(&[&["ssh"]], &["--proxy", "-a", "--app", "-p", "--profile"]),
    },
    Door { names: &["gh"], when: words(&[&["codespace", "cs"], &["ssh"]], &[]) },
    Door { names: &["gcloud"], when: words(&[&["compute"], &["ssh"]], &["--project", "--zone", "--account"]) },
    Door {
        names: &["tmux"],
        when: When::Client {
            commands: &["new-session", "new", "attach-session", "attach", "at", "a"],
            valued: &["-L", "-S", "-f", "-c", "-T"],
        },
    },
    Door {
        names: &["zellij"],
        when: When::Client {
            commands: &["attach", "a", "options"],
            valued: &[
                "-s",
                "--session",
                "-l",
                "--layout",
                "-n",
                "--new-session-with-layout",
                "-c",
                "--config",
                "--config-dir",
                "--data-dir",
                "--max-panes",
            ],
        },
    },
    Door { names: &["shpool"], when: words(&[&["attach"]], &["-s", "--socket", "-c", "--config-file"]) },
    Door { names: &["screen"], when: When::Without(&["-ls", "-list", "-wipe", "-X", "-Q", "-v", "--version"]) },
];

/// The flags of `ssh` that take a value, given with them or as the next word.
const SSH_VALUED: &str = "BbcDEeFIiJLlmOopPQRSWw";
/// The flags of `ssh` with which nothing is run on the other side: a tunnel (`-N`, `-W`), an order to a running one (`-O`), questions.
const SSH_NOTHING: &str = "NWOQGV";

/// What a program of this name leads through with these arguments, as it is said to people (`docker exec`); `None` if it is no
/// door.
pub fn door(name: &str, args: &[String]) -> Option<String> {
    let mut doors = DOORS.iter().filter(|door| door.names.contains(&name));
    doors.find_map(|door| door.when.leads(args)).map(|words| [&[name][..], &words].concat().join(" "))
}

impl When {
    /// The words that make it a door, if these arguments do.
    fn leads<'a>(&self, args: &'a [String]) -> Option<Vec<&'a str>> {
        match self {
            Self::Always => Some(Vec::new()),
            Self::Words { words, valued } => {
                let mut operands = operands(args, valued);
                words.iter().map(|word| operands.next().filter(|operand| word.contains(operand))).collect()
            }
            Self::Client { commands, valued } => match operands(args, valued).next() {
                None => Some(Vec::new()),
                Some(command) => commands.contains(&command).then(|| vec![command]),
            },
            Self::Without(flags) => args.iter().all(|arg| !flags.contains(&arg.as_str())).then(Vec::new),
            Self::Ssh => runs_something(args).then(Vec::new),
        }
    }
}

/// The words that are neither flags nor their values.
fn operands<'a>(args: &'a [String], valued: &'a [&str]) -> impl Iterator<Item = &'a str> {
    let mut args = args.iter().map(String::as_str);
    std::iter::from_fn(move || {
        loop {
            let arg = args.next()?;
            if !arg.starts_with('-') {
                return Some(arg);
            }
            if valued.contains(&arg) {
                args.next();
            }
        }
    })
}

/// Whether `ssh` called like this runs a command or a shell on the other side. Options may stand behind the destination as well; what
/// follows the first word after them is the command.
fn runs_something(args: &[String]) -> bool {
    let mut args = args.iter().map(String::as_str);
    let mut has_destination = false;
    while let Some(arg) = args.next() {
        let Some(flags) = arg.strip_prefix('-').filter(|flags| !flags.is_empty() && !flags.starts_with('-')) else {
            if has_destination {
                return true;
            }
            has_destination = true;
            continue;
        };
        let value = flags.find(|flag| SSH_VALUED.contains(flag));
        let last = value.map_or(flags, |at| &flags[..=at]);
        if last.contains(|flag| SSH_NOTHING.contains(flag)) {
            return false;
        }
        if value.is_some_and(|at| at + 1 == flags.len()) {
            args.next();
        }
    }
    true
}
