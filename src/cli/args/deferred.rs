//! Options of a verb that are built only if it is typed: fifty verbs cost more to build than one takes to run.

use std::ops::Deref;

use clap::{ArgMatches, Args, Command, FromArgMatches};

/// The options of a verb, built as soon as it is known that it was typed if `LAZY`, else at once.
#[derive(Debug)]
pub(crate) struct Deferred<T, const LAZY: bool>(T);

impl<T, const LAZY: bool> From<T> for Deferred<T, LAZY> {
    fn from(args: T) -> Self {
        Self(args)
    }
}

impl<T, const LAZY: bool> Deref for Deferred<T, LAZY> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T: FromArgMatches, const LAZY: bool> FromArgMatches for Deferred<T, LAZY> {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        T::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

impl<T: Args, const LAZY: bool> Args for Deferred<T, LAZY> {
    fn augment_args(command: Command) -> Command {
        if LAZY { command.defer(T::augment_args) } else { T::augment_args(command) }
    }

    fn augment_args_for_update(command: Command) -> Command {
        T::augment_args_for_update(command)
    }
}
