//! What makes each agent start this server, in the words of its own configuration. Prints it; writes into no file of an agent.

use serde_json::{Map, Value, json};

use crate::cli::Context;
use crate::cli::args::{McpArgs, McpClientKind, McpGrant};
use crate::cli::error::{CliError, Exit};
use crate::control::lead;

/// The variables that say where headcount keeps its files, which a client may not pass on.
const PASSED_ON: [&str; 3] = ["XDG_STATE_HOME", "TMUX_TMPDIR", "ZELLIJ_SOCKET_DIR"];

/// How the server is started.
struct Launch {
    program: String,
    args: Vec<String>,
    env: Map<String, Value>,
}

/// Prints the configuration, and says where it goes.
pub(super) fn print(client: McpClientKind, args: &McpArgs, context: &Context) -> Result<Exit, CliError> {
    let program = lead::launcher().map_err(|why| CliError::new(Exit::Failure, why))?;
    let text = |path: std::path::PathBuf| {
        path.into_os_string().into_string().map_err(|_| CliError::new(Exit::Failure, "a path is not UTF-8"))
    };
    let mut words = vec!["mcp".to_owned()];
    words.extend(args.allow.iter().flat_map(|grant| ["--allow".to_owned(), word(grant)]));
    if let Some(manifest) = &context.globals.manifest {
        let manifest = std::path::absolute(manifest)
            .map_err(|error| CliError::new(Exit::Failure, format!("cannot use {}: {error}", manifest.display())))?;
        words.extend(["--manifest".to_owned(), text(manifest)?]);
    }
    let set =
        |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty()).map(|value| (name.to_owned(), value.into()));
    let launch = Launch { program: text(program)?, args: words, env: PASSED_ON.into_iter().filter_map(set).collect() };
    let (file, config) = config(client, &launch);
    context.out.answer(&config)?;
    context.out.note(&format!("this belongs in {file}; headcount has not changed it"));
    Ok(Exit::Done)
}

/// A grant as it is typed.
fn word(grant: &McpGrant) -> String {
    match grant {
        McpGrant::Drive(None) => "drive".to_owned(),
        McpGrant::Drive(Some(pattern)) => format!("drive={pattern}"),
        McpGrant::Approve => "approve".to_owned(),
        McpGrant::Lead => "lead".to_owned(),
    }
}

/// The file of a client, and what belongs in it.
fn config(client: McpClientKind, launch: &Launch) -> (&'static str, String) {
    let Launch { program, args, env } = launch;
    let under = |key: &str, server: Value| format!("{:#}\n", json!({ key: { "headcount": server } }));
    match client {
        McpClientKind::Claude => (
            ".mcp.json of a project",
            under("mcpServers", json!({"type": "stdio", "command": program, "args": args, "env": env})),
        ),
        McpClientKind::Codex => ("~/.codex/config.toml", toml(launch)),
        McpClientKind::Gemini => {
            ("~/.gemini/settings.json", under("mcpServers", json!({"command": program, "args": args, "env": env})))
        }
        McpClientKind::Opencode => {
            let command: Vec<&String> = std::iter::once(program).chain(args).collect();
            ("opencode.json", under("mcp", json!({"type": "local", "command": command, "environment": env, "enabled": true})))
        }
        McpClientKind::Copilot => {
            let server = json!({"type": "local", "command": program, "args": args, "env": env, "tools": ["*"]});
            ("~/.copilot/mcp-config.json", under("mcpServers", server))
        }
    }
}

/// The same in TOML, whose strings are written as JSON's are, but for one character.
fn toml(launch: &Launch) -> String {
    let text = |text: &str| Value::from(text).to_string().replace('\u{7f}', "\\u007f");
    let args: Vec<String> = launch.args.iter().map(|word| text(word)).collect();
    let program = text(&launch.program);
    let mut config = format!("[mcp_servers.headcount]\ncommand = {program}\nargs = [{}]\n", args.join(", "));
    if !launch.env.is_empty() {
        config.push_str("\n[mcp_servers.headcount.env]\n");
        for (name, value) in &launch.env {
            config.push_str(&format!("{name} = {}\n", text(value.as_str().unwrap_or_default())));
        }
    }
    config
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use clap::ValueEnum as _;

    use super::*;

    fn launch() -> Launch {
        let args = ["mcp", "--allow", "drive=lab \"*\""].map(str::to_owned).to_vec();
        let env = [("XDG_STATE_HOME".to_owned(), "/s".into())].into_iter().collect();
        Launch { program: "/bin/head count".to_owned(), args, env }
    }

    #[test]
    fn every_configuration_names_the_program_the_grants_and_the_variables() {
        for client in McpClientKind::value_variants() {
            let (file, text) = config(*client, &launch());
            let said: Value =
                match client {
                    McpClientKind::Codex => {
                        assert!(text.starts_with(
                            "[mcp_servers.headcount]\ncommand = \"/bin/head count\"\nargs = [\"mcp\", \"--allow\""
                        ));
                        assert!(text.ends_with("\n[mcp_servers.headcount.env]\nXDG_STATE_HOME = \"/s\"\n"), "{text}");
                        continue;
                    }
                    _ => serde_json::from_str(&text).unwrap(),
                };
            let server = said.as_object().unwrap().values().next().unwrap()["headcount"].to_string();
            for part in ["/bin/head count", "drive=lab \\\"*\\\"", "\"XDG_STATE_HOME\":\"/s\""] {
                assert!(server.contains(part), "{file}: {server}");
            }
        }
    }
}
