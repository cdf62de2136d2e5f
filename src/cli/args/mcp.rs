//! What can be typed after `headcount mcp`. Owns names, defaults and help, and what one grant means; never serves.

use clap::{Args, ValueEnum};

/// Let an agent look at sessions, and act as far as you allow (MCP)
///
/// A client of the Model Context Protocol starts it and speaks over its standard input and output. Without --allow it only looks.
#[derive(Debug, Args)]
#[command(after_long_help = "\
--allow:
  drive        send, ask, handoff, release
  drive=GLOB   the same; every tool that acts takes only sessions of such names
  approve      answer, the permission prompt of an agent
  lead         start, stop, restart, new, apply

It never acts on the session it runs in, never grants a permission, and never kills.

Examples:
  claude mcp add headcount -- headcount mcp
  claude mcp add headcount -- headcount mcp --allow 'drive=lab-*'
  headcount mcp --allow drive --print-config codex

Exit codes: 0 its input has ended, or it was asked to end, 64 a terminal is no input for it.")]
pub(crate) struct McpArgs {
    /// What the client may do beside looking; may be repeated
    #[arg(long = "allow", value_name = "WHAT", value_delimiter = ',', value_parser = grant)]
    pub(crate) allow: Vec<McpGrant>,
    /// Print what makes this agent start the server so, and serve nothing
    #[arg(long, value_name = "AGENT")]
    pub(crate) print_config: Option<McpClientKind>,
}

/// An agent that starts servers, and whose configuration is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum McpClientKind {
    Claude,
    Codex,
    Gemini,
    Opencode,
    Copilot,
}

/// What a client may do beside looking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum McpGrant {
    /// Talk to agents; only to those in sessions of such names.
    Drive(Option<String>),
    /// Answer what agents ask.
    Approve,
    /// Start and stop sessions.
    Lead,
}

/// Reads a grant.
fn grant(text: &str) -> Result<McpGrant, String> {
    match text {
        "drive" => Ok(McpGrant::Drive(None)),
        "approve" => Ok(McpGrant::Approve),
        "lead" => Ok(McpGrant::Lead),
        _ => match text.strip_prefix("drive=") {
            Some("") => Err("a pattern of names belongs behind `drive=`".to_owned()),
            Some(pattern) => Ok(McpGrant::Drive(Some(pattern.to_owned()))),
            None => Err("it is drive, drive=GLOB, approve or lead".to_owned()),
        },
    }
}
