//! What can be typed after `headcount fleet`. Owns names, defaults and help; never acts on them.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{FormatArgs, values};

/// Show what hosts have published on the MQTT broker
///
/// Hosts publish with `headcount watch --publish`. This command only reads: it publishes nothing and asks no host.
#[derive(Debug, Args)]
#[command(after_long_help = "\
MQTT_BROKER and related variables, or `mqtt:` in the manifest, name the broker.

Examples:
  headcount fleet status
  headcount fleet status --watch")]
pub(crate) struct FleetArgs {
    #[command(subcommand)]
    pub(crate) verb: FleetVerb,
}

/// The verbs of fleets.
#[derive(Debug, Subcommand)]
pub(crate) enum FleetVerb {
    Status(FleetStatusArgs),
}

/// Show every host and its sessions
///
/// A host is online while its watch is connected, offline if its watch has ended, lost if its connection broke without a
/// goodbye, and stale if it is online but has not published for long. For a host that is not online, the sessions are those it
/// last published.
#[derive(Debug, Args)]
#[command(after_long_help = "\
JSON and YAML: headcount/fleet/v1 (`headcount schema fleet`); with --watch, each line of \
JSON is an event (`headcount schema fleet-events`).

Exit codes: 0 complete, 1 the broker could not be reached, 4 the \
view is incomplete; with --watch 0 on SIGTERM, 130 on SIGINT.

Examples:
  headcount fleet status
  headcount fleet status 'build-*' --watch
  headcount fleet status --json | jq '.hosts[] | select(.status == \"lost\").host'")]
pub(crate) struct FleetStatusArgs {
    /// Names of hosts; `*` and `?` are wildcards
    #[arg(value_name = "HOST")]
    pub(crate) hosts: Vec<String>,
    /// Keep running, and show changes as they happen
    #[arg(long, short = 'w')]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    /// How long to wait for everything to arrive
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = values::period)]
    pub(crate) timeout: Duration,
}
