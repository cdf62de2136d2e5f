//! Which hosts a name stands for: by variables `BOT_…`, else by `hosts:` of a manifest. Reaches one by ssh, without asking anything.

use std::process::{Command, Output, Stdio};

use crate::cli::manifest_path::{self, Surroundings};
use crate::cli::run_pass;
use crate::core::manifest::lead::Attach;
use crate::core::text::printable;

/// A host as it may be reached.
#[derive(Debug, Clone, Default)]
pub(super) struct NamedHost {
    /// Its names for ssh, the first that answers counts.
    pub(super) candidates: Vec<String>,
    /// How its terminal is reached, if somebody says.
    pub(super) attach: Option<Attach>,
    /// Its headcount, if somebody says where that is.
    pub(super) headcount: Option<String>,
}

/// Whether variables say what a name stands for.
pub(super) fn is_named(name: &str) -> bool {
    !variables(name, &variable).is_empty()
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// What a name stands for; `None`: nothing says.
pub(super) fn find(name: &str) -> Option<NamedHost> {
    let candidates = variables(name, &variable);
    if !candidates.is_empty() {
        return Some(NamedHost { candidates, ..NamedHost::default() });
    }
    let found = manifest_path::find(None, &Surroundings::real()).ok()?;
    let manifest = run_pass::declared(&found.path)?;
    let (_, host) = manifest.hosts.iter().find(|(known, _)| known.as_str() == name)?;
    Some(NamedHost { candidates: host.ssh.clone(), attach: host.attach, headcount: host.headcount.clone() })
}

fn variables(name: &str, variable: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' }).collect();
    let value = |end: &str| variable(&format!("BOT_{name}_HOST{end}")).map(|value| value.trim().to_owned());
    ["_PRIMARY", "_FALLBACK", ""].into_iter().filter_map(value).filter(|value| !value.is_empty()).collect()
}

/// Why a name is none that ssh may be given.
pub(super) fn odd(host: &str) -> Option<String> {
    let is_odd = host.is_empty() || host.starts_with('-') || host.chars().any(|c| c.is_whitespace() || c.is_control());
    is_odd.then(|| format!("{} is no name of a host", printable(host)))
}

/// Runs a command line on another host, without asking or forwarding anything; gives up on one that does not answer.
///
/// # Errors
/// There is no ssh: one line.
pub(super) fn ask(host: &str, connect: u32, line: &str) -> Result<Output, String> {
    let timeout = format!("ConnectTimeout={connect}");
    let mut ssh = Command::new("ssh");
    for option in ["BatchMode=yes", &timeout, "ServerAliveInterval=5", "ServerAliveCountMax=3", "ClearAllForwardings=yes"] {
        ssh.args(["-o", option]);
    }
    ssh.args(["-a", "-x", "--", host, line]).stdin(Stdio::null()).output().map_err(|error| format!("cannot start ssh: {error}"))
}

/// The first of a host's names that answers.
///
/// # Errors
/// None does, or one is odd: one line.
pub(super) fn reachable(named: &NamedHost) -> Result<String, String> {
    if let Some(why) = named.candidates.iter().find_map(|host| odd(host)) {
        return Err(why);
    }
    let answers = |host: &&String| ask(host, 5, "true").is_ok_and(|output| output.status.success());
    named.candidates.iter().find(answers).cloned().ok_or_else(|| format!("none of {} answers", named.candidates.join(", ")))
}

/// A command line for the shell of another host.
pub(super) fn quoted(words: &[String]) -> String {
    words.iter().map(|word| shell_words::quote(word).into_owned()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_name_the_hosts_in_the_order_in_which_they_are_tried() {
        let named =
            [("BOT_ML_HOST_FALLBACK", "b"), ("BOT_ML_HOST_PRIMARY", " a "), ("BOT_MY_BOX_HOST", "c"), ("BOT_X_HOST", "")];
        let variable = |name: &str| named.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        assert_eq!(variables("ml", &variable), ["a", "b"]);
        assert_eq!(variables("my-box", &variable), ["c"]);
        assert!(variables("x", &variable).is_empty() && variables("agent", &variable).is_empty());
    }

    #[test]
    fn a_host_is_a_word_that_ssh_takes_for_one() {
        for host in ["-oProxyCommand=x", "", "a b", "a\nb", "a\u{7f}"] {
            assert!(odd(host).is_some(), "{host:?}");
        }
        assert!(odd("me@host.example").is_none());
        assert_eq!(quoted(&["a b".into(), "$(x)".into(), "c".into()]), "'a b' '$(x)' c");
    }
}
