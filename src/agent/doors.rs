//! Whether a command line leads elsewhere: into a container, to another machine, into another multiplexer. Pure: never looks at a
//! process itself.

use super::Program;
use crate::core::doors;

/// What this command line leads through, as it is said to people (`docker exec`); `None` if it is no door.
pub fn door(argv: &[String]) -> Option<String> {
    let program = Program::of(argv)?;
    doors::door(program.name()?, program.invocation().args)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::expect_used)]
mod tests {
    use super::*;

    fn through(line: &str) -> Option<String> {
        door(&shell_words::split(line).unwrap())
    }

    #[test]
    fn what_leads_elsewhere_is_named() {
        for (line, expected) in [
            ("docker exec -it web codex", "docker exec"),
            ("/usr/bin/docker --context far -H tcp://x exec web bash", "docker exec"),
            ("docker container exec web claude", "docker container exec"),
            ("docker compose -f exec.yaml exec web claude", "docker compose exec"),
            ("docker-compose run --rm agent", "docker-compose run"),
            ("podman run -it agents claude", "podman run"),
            ("nerdctl exec x sh", "nerdctl exec"),
            ("kubectl -n get exec -it pod -- claude", "kubectl exec"),
            ("oc rsh pod", "oc rsh"),
            ("ssh build", "ssh"),
            ("ssh -t build claude", "ssh"),
            ("ssh -A -p 2222 -o StrictHostKeyChecking=no dev@build tmux attach", "ssh"),
            ("ssh build ls -N", "ssh"),
            ("ssh -L 80:localhost:80 build", "ssh"),
            ("-ssh build", "ssh"),
            ("autossh -M 0 build", "autossh"),
            ("perl /usr/bin/mosh build", "mosh"),
            ("mosh-client 10.0.0.1 60001", "mosh-client"),
            ("machinectl shell dev@box", "machinectl shell"),
            ("nsenter -t 4 -a bash", "nsenter"),
            ("wsl.exe -d Debian", "wsl"),
            ("/usr/bin/lxc exec box -- su - dev", "lxc exec"),
            ("incus console box", "incus console"),
            ("toolbox run -c fedora claude", "toolbox run"),
            ("bash /usr/bin/distrobox enter dev -- claude", "distrobox enter"),
            ("/bin/sh /usr/bin/distrobox-enter -n dev", "distrobox-enter"),
            ("crictl exec -it 1f73 sh", "crictl exec"),
            ("ctr -n k8s.io tasks exec --exec-id x web sh", "ctr tasks exec"),
            ("minikube -p dev ssh", "minikube ssh"),
            ("node /usr/bin/devcontainer exec --workspace-folder . claude", "devcontainer exec"),
            ("gh codespace ssh -c x", "gh codespace ssh"),
            ("tmux", "tmux"),
            ("tmux -L inner -f /dev/null new-session -s inner claude", "tmux new-session"),
            ("tmux -L inner -u a", "tmux a"),
            ("zellij", "zellij"),
            ("zellij --session x", "zellij"),
            ("zellij attach -c x", "zellij attach"),
            ("screen -r", "screen"),
            ("screen -S x claude", "screen"),
        ] {
            assert_eq!(through(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn what_only_sounds_like_it_is_none() {
        for line in [
            "bash",
            "ssh-agent bash",
            "ssh-add",
            "sshd",
            "ssh -N -L 80:localhost:80 build",
            "ssh -fNL 80:localhost:80 build",
            "ssh -W x:22 jump",
            "ssh -O exit build",
            "ssh -V",
            "docker build exec",
            "docker logs -f exec",
            "docker compose up",
            "docker --context exec ps",
            "docker",
            "kubectl get pods",
            "kubectl -n exec logs -f pod",
            "machinectl list",
            "tmux ls",
            "tmux -L attach kill-server",
            "tmux wait-for x",
            "zellij list-sessions",
            "zellij action new-pane",
            "zellij run -- claude",
            "screen -ls",
            "gh pr list",
            "vim ssh",
            "tail -f docker exec",
            "claude ssh",
        ] {
            assert_eq!(through(line), None, "{line}");
        }
        assert_eq!(door(&[]), None);
    }
}
