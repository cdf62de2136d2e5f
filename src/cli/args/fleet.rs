//! What can be typed after `headcount fleet`. Owns names, defaults and help; never acts on them.

use std::time::Duration;

use clap::{Args, Subcommand};

use super::{FormatArgs, values};

/// Show what every host has published on the MQTT broker
///
/// Hosts publish with `headcount watch --publish`. Reads only: nothing is published, and nothing on any host is asked.
#[derive(Debug, Args)]
#[command(after_long_help = "\
The broker is named as for `headcount watch`: MQTT_BROKER and the other variables, or \
`mqtt:` in the manifest.

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

/// Show every host and its sessions, as the broker has them
///
/// A host is online while its watch is connected; offline if its watch has ended; lost if it went without a word; stale if it
/// says it is online and has not said for long that it looks. Of a host that is not online the sessions are those it last told.
#[derive(Debug, Args)]
#[command(after_long_help = "\
JSON and YAML: headcount/fleet/v1 (`headcount schema fleet`); with --watch, each line of \
JSON is an event (`headcount schema fleet-events`).

Exit codes: 0 all that the broker keeps was shown, 1 the broker could not be reached, 4 the \
view is incomplete; with --watch 0 on SIGTERM, 130 on SIGINT.

Examples:
  headcount fleet status
  headcount fleet status 'build-*' --watch
  headcount fleet status --json | jq '.hosts[] | select(.status == \"lost\").host'")]
pub(crate) struct FleetStatusArgs {
    /// Names of hosts; `*` and `?` are wildcards
    #[arg(value_name = "HOST")]
    pub(crate) hosts: Vec<String>,
    /// Go on, and show what changes as it does
    #[arg(long, short = 'w')]
    pub(crate) watch: bool,
    #[command(flatten)]
    pub(crate) format: FormatArgs,
    /// How long it may take until everything has come
    #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = values::period)]
    pub(crate) timeout: Duration,
}
