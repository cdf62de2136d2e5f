//! Why a view of a fleet is not complete, in lines for people. Never asks for what is missing.

use chrono::Utc;

use super::{FleetError, Reading};
use crate::bus::Down;

impl Reading {
    fn left_out(&self) -> Vec<String> {
        match self.fold.left_out() {
            0 => Vec::new(),
            n => vec![format!("{n} messages of hosts or sessions were ignored: there are too many")],
        }
    }

    /// What is known to be missing, one line each.
    pub(super) fn lacking(&self) -> Vec<String> {
        let mut why = self.left_out();
        // An empty answer proves nothing: a broker may grant a subscription and deliver nothing.
        if self.hosts.are_whole && self.denied.is_empty() && self.fold.levels(&[]).next().is_none() {
            why.push(
                "nothing arrived: either no host publishes, or this user may not read headcount/# (MQTT does not say which)"
                    .to_owned(),
            );
        }
        if self.hosts.are_dropped() {
            why.push("the broker dropped some of the hosts, because there are more than it sends at once".to_owned());
        }
        if !self.denied.is_empty() {
            let denied: Vec<&str> = self.denied.iter().take(3).map(String::as_str).collect();
            why.push(format!("the broker denies access to {}", denied.join(", ")));
        }
        let short = self.short();
        for level in short.iter().take(3) {
            let host = self.fold.host(level, false, Utc::now()).map_or_else(|| level.clone(), |view| view.host);
            let (missing, declared) = (self.fold.missing(level), self.fold.declared(level).unwrap_or(0));
            why.push(format!("{missing} of the {declared} sessions of {host} are missing"));
        }
        if short.len() > 3 {
            why.push(format!("{} more hosts have missing sessions", short.len() - 3));
        }
        why
    }

    /// Why not everything has come.
    pub(super) fn incomplete(&self, is_once: bool) -> Result<Vec<String>, FleetError> {
        let mut why = self.lacking();
        match &self.is_down {
            Some(Down::TooLong(too_long)) => why.push(too_long.clone()),
            Some(down) => return Err(self.down(down.why())),
            None if !self.is_connected && is_once => return Err(self.down("it did not answer in time")),
            None if !self.is_connected => why.push("the broker did not answer in time".to_owned()),
            None => {}
        }
        if why.is_empty() {
            why.push("some messages did not arrive in time".to_owned());
        }
        Ok(why)
    }
}
