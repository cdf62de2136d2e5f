//! Processes that the process table leaves out, as where `/proc` is mounted with `hidepid`.

use headcount::control::observe::{Observer, observe};
use headcount::core::fact::Fact;
use headcount::host::{Host as _, LocalHost};

use crate::odd::Odd;
use crate::support::{self, await_some, entries};

#[test]
fn a_process_that_only_its_parent_names_is_unknown_and_not_nothing() {
    let world = support::World::new();
    let pane = world.session("s", &world.workspace("w"), "sleep 600; true");
    let env = world.environ(&[]);
    await_some("the child", || LocalHost::new(env.clone()).children(pane).first().copied());
    let look = |name| {
        let host = Box::new(Odd { hidden: Some(name), ..Odd::new(LocalHost::named(support::HOST, env.clone())) });
        let seen = observe(&Observer { host, ..Observer::local(env.clone()) }, &entries(["name: s, agent: claude"]));
        crate::session(&seen, "s").panes[0].agents.clone()
    };
    assert_eq!(look("nothing"), Fact::Seen(Vec::new()));
    await_some("the sleep", || look("sleep").why_unknown().map(|why| assert!(why.contains("hidden"), "{why}")));
}
