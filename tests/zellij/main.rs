//! What headcount sees of a real zellij, and what it says when it cannot see. Skipped, aloud, where there is no zellij.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, unreachable_pub)]

#[path = "../watch/run.rs"]
#[allow(dead_code)]
mod run;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/zellij.rs"]
mod zellij;

mod fakes;
mod life;
mod panes;
mod sessions;
mod together;

use headcount::control::observe::{Observer, observe};
use headcount::core::fact::Fact;
use headcount::core::ids::{MuxKind, ServerKey};
use headcount::core::manifest::Manifest;
use headcount::core::observe::{Agent, MuxSession, Observation, Server};
use headcount::host::LocalHost;
use zellij::Zellij;

/// The key of a zellij server.
fn server(name: &str) -> ServerKey {
    ServerKey { mux: MuxKind::Zellij, server: name.to_owned() }
}

/// One look at a world, with some variables set otherwise.
fn look_with(world: &support::World, variables: &[(&str, &str)], manifest: &Manifest) -> Observation {
    let env = world.environ(variables);
    let host = Box::new(LocalHost::named(support::HOST, env.clone()));
    observe(&Observer { host, ..Observer::local(env) }, manifest)
}

/// One look at what the default socket directory holds.
fn look(zellij: &Zellij, manifest: &Manifest) -> Fact<Server> {
    look_with(zellij.world(), &[], manifest).servers[&server("default")].clone()
}

/// An entry of this zellij, given as the fields after its multiplexer.
fn entry(fields: &str) -> Manifest {
    support::entries([format!("mux: zellij, agent: claude, {fields}")])
}

/// The names of the sessions that are alive.
fn names(fact: &Fact<Server>) -> Vec<&str> {
    fact.seen().map(|server| server.sessions.iter().map(|session| session.name.as_str()).collect()).unwrap_or_default()
}

/// A session that must be there.
fn session<'a>(fact: &'a Fact<Server>, name: &str) -> &'a MuxSession {
    let server = fact.seen().unwrap_or_else(|| panic!("{fact:?}"));
    server.sessions.iter().find(|session| session.name == name).unwrap_or_else(|| panic!("{name:?}: {server:?}"))
}

/// The agents in a session, all of whose panes must have been looked into.
fn agents(session: &MuxSession) -> Vec<&Agent> {
    session
        .panes
        .iter()
        .flat_map(|pane| pane.agents.seen().unwrap_or_else(|| panic!("{:?}", pane.agents)))
        .map(std::sync::Arc::as_ref)
        .collect()
}

/// Why what is in a session cannot be told.
fn doubt(session: &MuxSession) -> &str {
    session.panes.iter().find_map(|pane| pane.agents.why_unknown()).unwrap_or_else(|| panic!("{session:?}"))
}
