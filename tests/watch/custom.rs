//! Agents that the manifest declares while it is watched.

use crate::run::{Watch, declare, headcount, text, watch};
use crate::support::World;
use crate::support::aider::{declaring, directory, install, prompt};

#[test]
fn a_definition_takes_effect_when_it_is_saved_and_ceases_to_when_it_is_taken_back() {
    let world = World::new();
    install(&world);
    let cwd = world.workspace("shop");
    let good = declaring::<&str>([]);
    let other = good.replace("programs: [aider]", "programs: [something-else]");
    assert_ne!(good, other);
    declare(&world, &other);
    world.session("shop-creator-aider", &cwd, "exec aider --session-id 0123abcd");
    let mut watch = watch(&world, &["--heartbeat", "100ms"]);
    watch.passes(2);
    assert!(!text(&world).contains("shop-creator-aider"));
    declare(&world, &good);
    watch.until("drift unregistered applied shop-creator-aider");
    let recorded = text(&world);
    assert!(recorded.contains("0123abcd"), "{recorded}");
    // The process is the same, and is an agent no more.
    declare(&world, &recorded.replace("programs: [aider]", "programs: [something-else]"));
    watch.until("drift agent-gone flagged shop-creator-aider");
    declare(&world, &recorded);
    watch.until("resolved agent-gone shop-creator-aider");
}

#[test]
fn a_conversation_that_appears_is_recorded_without_waiting_for_the_interval() {
    let world = World::new();
    install(&world);
    let cwd = world.workspace("shop");
    // The directory is there already: what is born in it is what wakes the watch.
    std::fs::create_dir_all(directory(&world.home().join(".aider"), &cwd)).unwrap();
    declare(&world, &declaring([format!("name: shop, agent: aider, cwd: {}", cwd.display())]));
    world.session("shop", &cwd, "exec aider");
    let arguments = ["watch", "--json", "--interval", "1h", "--settle", "0s", "--heartbeat", "0"];
    let mut watch = Watch::start(headcount(&world, &arguments));
    watch.until("drift moved applied shop");
    let (id, _) = prompt(&world, "shop", &cwd, 0);
    watch.until("drift new-id applied shop");
    assert!(text(&world).contains(&id));
}
