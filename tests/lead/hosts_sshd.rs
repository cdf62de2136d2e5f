//! The same through a real sshd on a port of the loopback, with keys of its own and another HOME behind it.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::hosts::Hosts;
use super::support::await_some;
use super::{Ran, is_alive};

/// A server, and hosts that are reached through it: `real` by a key that may do anything, `locked` by one that may only be served.
struct Server {
    hosts: Hosts,
    sshd: Child,
    has_mosh: bool,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.sshd.kill();
        let _ = self.sshd.wait();
    }
}

/// Where a program is that a user's PATH may leave out.
fn program(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/usr/local/sbin"].map(PathBuf::from);
    std::env::split_paths(&path).chain(more).map(|directory| directory.join(name)).find(|path| path.is_file())
}

impl Server {
    fn start() -> Option<Self> {
        let skip = |why: &str| {
            eprintln!("SKIPPED the tests against a real sshd: {why}");
            None
        };
        let (Some(sshd), Some(ssh), Some(keygen)) = (program("sshd"), program("ssh"), program("ssh-keygen")) else {
            return skip("OpenSSH's server is not installed");
        };
        if rustix::process::getuid().is_root() && !Path::new("/run/sshd").is_dir() {
            return skip("sshd as root needs the directory /run/sshd");
        }
        let hosts = Hosts::new();
        let root = hosts.near.world.root().join("ssh");
        std::fs::create_dir(&root).unwrap();
        let key = |name: &str| {
            let path = root.join(name);
            let made = Command::new(&keygen).args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&path).status().unwrap();
            assert!(made.success());
            std::fs::read_to_string(path.with_extension("pub")).unwrap()
        };
        let (host_key, any, locked) = (key("host"), key("any"), key("locked"));
        let serves = "restrict,command=\"headcount serve --stdio\"";
        std::fs::write(root.join("authorized"), format!("{any}{serves} {locked}")).unwrap();
        std::fs::write(root.join("banner"), "Only for friends of the machine.\n").unwrap();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let variables = hosts.far.world.variables();
        let set: Vec<String> = variables
            .iter()
            .filter(|(name, _)| name != "TERM")
            .map(|(name, value)| format!("\"{}={}\"", name.to_str().unwrap(), value.to_str().unwrap()))
            .collect();
        let at = |name: &str| root.join(name).display().to_string();
        let config = format!(
            "Port {port}\nListenAddress 127.0.0.1\nHostKey {}\nPidFile none\nUsePAM no\nStrictModes no\nPasswordAuthentication no\n\
             KbdInteractiveAuthentication no\nPermitRootLogin prohibit-password\nAuthorizedKeysFile {}\nBanner {}\nPrintLastLog no\n\
             SetEnv {}\n",
            at("host"),
            at("authorized"),
            at("banner"),
            set.join(" ")
        );
        std::fs::write(root.join("sshd_config"), config).unwrap();
        let mut known = String::new();
        let mut config = String::new();
        for (name, key) in [("real", "any"), ("locked", "locked"), ("stranger", "host")] {
            known.push_str(&format!("{name} {host_key}"));
            config.push_str(&format!(
                "Host {name}\n HostName 127.0.0.1\n HostKeyAlias {name}\n Port {port}\n IdentityFile {}\n IdentitiesOnly yes\n \
                 UserKnownHostsFile {}\n StrictHostKeyChecking yes\n",
                at(key),
                at("known")
            ));
        }
        // A port at which nobody listens, and a name that nobody has.
        config.push_str("Host down\n HostName 127.0.0.1\n Port 1\n");
        std::fs::write(root.join("known"), known).unwrap();
        std::fs::write(root.join("config"), config).unwrap();
        // OpenSSH goes by the password file, not by HOME, for where its own configuration is.
        hosts.near.world.program("ssh", &format!("#!/bin/sh\nexec {} -F {} \"$@\"\n", ssh.display(), at("config")));
        let log = std::fs::File::create(root.join("log")).unwrap();
        let sshd =
            Command::new(sshd).args(["-D", "-e", "-f", &at("sshd_config")]).stdin(Stdio::null()).stderr(log).spawn().unwrap();
        let mut server = Self { hosts, sshd, has_mosh: program("mosh-server").is_some() };
        await_some("sshd", || {
            assert!(server.sshd.try_wait().unwrap().is_none(), "{}", std::fs::read_to_string(root.join("log")).unwrap());
            std::net::TcpStream::connect(("127.0.0.1", port)).ok()
        });
        server.hosts.declare("ml: { ssh: [down, real], manifest: FAR }, locked: { manifest: FAR }");
        Some(server)
    }

    fn run(&self, words: &[&str]) -> Ran {
        self.hosts.run(words)
    }
}

#[test]
fn through_a_real_sshd_a_command_is_done_there() {
    let Some(server) = Server::start() else { return };
    assert_eq!(server.run(&["-H", "ml", "start", "one", "--json"]).is(0).outcome("one").0, "start done");
    let agents = server.hosts.far.agents();
    assert_eq!(agents.len(), 1);
    // A key that may do nothing else serves all the same, and cannot be made to do anything else.
    assert_eq!(server.run(&["start", "locked:one", "--json"]).is(0).outcome("one").0, "start skipped");
    let report = server.run(&["-H", "all", "status", "--json"]).is(0).json();
    let hosts: Vec<&str> =
        report["sessions"].as_array().unwrap().iter().map(|row| row["session"]["host"].as_str().unwrap()).collect();
    assert_eq!(hosts.len(), 3, "{report}");
    assert!(hosts.contains(&"ml") && hosts.contains(&"locked"), "{hosts:?}");
    let ran = server.run(&["-H", "ml", "explain", "nobody"]).is(1);
    assert_eq!(ran.stderr.lines().next(), Some("error: no session named nobody"), "the banner is not shown: {ran:?}");
    server.run(&["-H", "locked", "stop", "one", "--yes"]).is(0);
    assert!(!is_alive(agents[0].0));
}

#[test]
fn what_is_wrong_with_a_real_ssh_is_said() {
    let Some(server) = Server::start() else { return };
    let no_manifest = "gone: { ssh: [real], manifest: ~/no.yaml }";
    server.hosts.declare(&format!(
        "a: {{ ssh: [down] }}, b: {{ ssh: [stranger] }}, c: {{ ssh: [real], headcount: ~/bin/none }}, {no_manifest}"
    ));
    for (host, code, said) in [
        ("a", 4, "a cannot be reached: down: ssh: connect to host 127.0.0.1 port 1: Connection refused"),
        ("b", 4, "Permission denied (publickey)"),
        ("c", 4, "c has no headcount: there is no program ~/bin/none there"),
        ("gone", 1, "no.yaml: no such file"),
    ] {
        let ran = server.run(&["-H", host, "plan"]).is(code);
        assert!(ran.stderr.contains(said), "{host}: {ran:?}");
    }
}

#[test]
fn a_start_goes_on_when_sshd_ends_the_connection() {
    let Some(server) = Server::start() else { return };
    let hosts = &server.hosts;
    hosts.slow_down();
    let start = hosts.near.command(&["start", "ml:one"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    await_some("the agent", || hosts.far.world.home().join("came").exists().then_some(()));
    // The process that has this connection.
    let pid = server.sshd.id();
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap();
    for child in children.split_whitespace() {
        let child = rustix::process::Pid::from_raw(child.parse().unwrap()).unwrap();
        rustix::process::kill_process(child, rustix::process::Signal::KILL).unwrap();
    }
    let ran = Ran::from(start.wait_with_output().unwrap()).is(1);
    assert!(ran.stderr.contains("the connection to ml was cut"), "{ran:?}");
    hosts.is_found_again();
}

#[test]
fn a_session_is_opened_by_a_real_ssh_and_by_a_real_mosh() {
    let Some(server) = Server::start() else { return };
    let hosts = &server.hosts;
    server.run(&["-H", "ml", "start", "one"]).is(0);
    let ways = [("ssh", true), ("mosh", server.has_mosh)];
    for (way, _) in ways.into_iter().filter(|(way, is_there)| {
        if !is_there {
            eprintln!("SKIPPED opening a session by {way}: it is not installed");
        }
        *is_there
    }) {
        hosts.declare(&format!("ml: {{ ssh: [down, real], attach: {way}, manifest: FAR }}"));
        let command = format!(
            "{} attach ml:one -f {}; echo back; sleep 60",
            env!("CARGO_BIN_EXE_headcount"),
            hosts.near.manifest().display()
        );
        hosts.near.world.session(way, &hosts.near.world.workspace("one"), &command);
        await_some(way, || (hosts.far.world.tmux(["list-clients"]).lines().count() == 1).then_some(()));
        let screen = || hosts.near.world.tmux(["capture-pane", "-p", "-t", &format!("={way}:")]);
        assert!(!screen().contains("ssh is used instead"), "{way}: {}", screen());
        hosts.far.world.tmux(["detach-client", "-s", "=one"]);
        await_some("the way back", || screen().lines().any(|line| line == "back").then_some(()));
    }
}
