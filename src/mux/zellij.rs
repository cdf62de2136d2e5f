//! zellij. This build asks it nothing: every server of it is unknown, so nothing about its sessions is ever changed.

use super::Mux;
use crate::core::fact::Fact;
use crate::core::ids::MuxKind;
use crate::core::observe::Server;
use crate::host::{Environ, Host};

/// The zellij adapter.
#[derive(Debug, Clone, Copy)]
pub struct Zellij;

impl Mux for Zellij {
    fn kind(&self) -> MuxKind {
        MuxKind::Zellij
    }

    fn list(&self, _: &dyn Host, _: &Environ, _: &str) -> Fact<Server> {
        Fact::Unknown("zellij is not supported yet by this build".to_owned())
    }

    fn process(&self, _: &dyn Host, _: &Environ, _: &str) -> Option<u32> {
        None
    }
}
