//! What every multiplexer adapter must do, in one set of cases run against each real one: see Guide 2 of ARCHITECTURE.md.

mod bench;
mod cases;
mod writing;

/// The cases for one multiplexer. A new one gets a line below, and a `Bench` in `bench.rs`.
macro_rules! conforms {
    ($name:ident: $($cases:ident::{$($case:ident),+ $(,)?})+) => {
        mod $name {
            $($(#[test]
            fn $case() {
                if let Some(bench) = crate::mux::bench::of(stringify!($name)) {
                    crate::mux::$cases::$case(bench.as_ref());
                }
            })+)+
        }
    };
}

/// One list of cases for all of them.
macro_rules! all_conform {
    ($($name:ident),+) => {
        $(conforms!($name: cases::{
            a_server_that_never_ran_is_absent,
            a_session_appears_with_its_panes_process,
            a_session_that_ended_is_gone_from_the_list_and_others_are_not,
            the_last_session_s_end_leaves_none,
            a_wedged_server_is_unknown_in_bounded_time_and_never_gone,
            a_killed_server_is_absent,
            hostile_names_come_back_as_they_are,
            looking_starts_ends_and_leaves_nothing,
            a_server_it_cannot_have_is_unknown_with_a_reason,
        } writing::{
            a_server_begins_with_its_first_session_and_what_that_is_given,
            a_name_that_is_there_is_not_made_again,
            a_directory_that_is_gone_keeps_no_pane_from_being_made,
            hostile_names_are_made_as_they_are_or_refused_before,
            a_program_that_ends_at_once_leaves_no_session,
            a_wedged_server_makes_nothing_that_is_said_to_be_there,
            a_session_that_vanished_gets_no_pane_and_no_server_begins,
            a_server_that_took_the_place_of_another_gets_no_pane,
        });)+
    };
}

all_conform!(on_tmux, on_zellij);
