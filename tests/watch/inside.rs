//! The loop as a library: a pass that panics, a clock that is set back, a command that hangs.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use headcount::control::observe;
use headcount::control::pass;
use headcount::control::watch::{self, OnEvent, Supervisor, WatchEnd, WatchOptions};
use headcount::core::events::{Event, EventLimit};
use headcount::core::manifest::select::Selection;
use headcount::host::{Host, LocalHost};
use headcount::store::paths::StateHome;

use crate::odd::Odd;
use crate::run::{declare, manifest, running, text};
use crate::support::World;

fn options(world: &World) -> WatchOptions {
    let home = world.home();
    let state_home = StateHome::from_environment(|name| (name == "HOME").then(|| home.clone().into_os_string())).unwrap();
    WatchOptions {
        pass: pass::PassOptions {
            manifest: manifest(world),
            state_home,
            selection: Selection::default(),
            settle: Duration::ZERO,
            strict: false,
            mode: pass::Mode::Record,
            consumer: Some(watch::CONSUMER.to_owned()),
            update: Default::default(),
            versions: None,
            jobs: None,
            tells_settling: false,
            tells_jobs: true,
            held: None,
        },
        interval: Duration::from_millis(100),
        heartbeat: Duration::ZERO,
        max_runtime: Some(Duration::from_secs(20)),
        until_file: None,
        on: Vec::new(),
        conditions: false,
        lead: None,
        control_client: false,
        limit: EventLimit::default(),
        output: None,
        mqtt: None,
        supervisor: Supervisor::default(),
    }
}

fn world_of(world: &World, host: impl Host + 'static) -> observe::Observer {
    observe::Observer { host: Box::new(host), ..observe::Observer::local(world.environ(&[])) }
}

#[test]
fn a_panic_in_a_pass_is_told_and_the_next_pass_is_made() {
    let world = World::new();
    declare(&world, &running(&world, &["gone"]));
    let host = Odd::new(LocalHost::new(world.environ(&[])));
    host.panic_in.store(0, Ordering::SeqCst);
    let mut errors = Vec::new();
    let ended = watch::run(world_of(&world, host), options(&world), |event| match event {
        Event::Error(error) => {
            errors.push(error);
            ControlFlow::Continue(())
        }
        Event::Drift(_) => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    assert_eq!(ended.unwrap(), WatchEnd::OutputClosed, "the drift was found by a later pass");
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert_eq!(errors[0].source, "panic");
    assert!(errors[0].message.contains("an ordered failure"), "{errors:?}");
    assert!(text(&world).contains("status: terminated"));
}

#[test]
fn what_a_pass_was_made_for_that_panicked_is_looked_at_again_soon_and_one_that_always_does_is_not_made_all_the_time() {
    for always in [false, true] {
        let world = World::new();
        declare(&world, &running(&world, &["gone"]));
        let host = Odd::new(LocalHost::new(world.environ(&[])));
        let panic_in = Arc::clone(&host.panic_in);
        panic_in.store(0, Ordering::SeqCst);
        let mut options = options(&world);
        options.interval = Duration::from_secs(3600);
        options.heartbeat = Duration::from_millis(10);
        if always {
            options.max_runtime = Some(Duration::from_secs(5));
        }
        let (mut drift, mut passes) = (None, 0);
        let ended = watch::run(world_of(&world, host), options, |event| match event {
            Event::Heartbeat(beat) => {
                if always {
                    panic_in.store(0, Ordering::SeqCst);
                }
                passes = beat.passes;
                ControlFlow::Continue(())
            }
            Event::Drift(event) => {
                drift = Some(event);
                ControlFlow::Break(())
            }
            _ => ControlFlow::Continue(()),
        });
        if always {
            assert_eq!(ended.unwrap(), WatchEnd::MaxRuntime);
            // At once, and then a second, two and four apart.
            assert!((2..=4).contains(&passes), "{passes} passes in 5 s");
        } else {
            assert_eq!(ended.unwrap(), WatchEnd::OutputClosed, "the drift was found by a later pass");
            let reasons = drift.unwrap().reasons;
            assert!(reasons.contains(&"started".to_owned()), "{reasons:?}");
        }
    }
}

#[test]
fn a_clock_that_is_set_back_holds_up_no_pass_and_no_decision() {
    let world = World::new();
    declare(&world, "version: 1\nsessions: []\n");
    world.claude_session("x-creator-claude", &world.workspace("shop"));
    let host = Odd::new(LocalHost::new(world.environ(&[])));
    let ahead = Arc::clone(&host.ahead);
    let mut options = options(&world);
    // Without the change of the clock it would take an hour to decide.
    options.pass.settle = Duration::from_secs(3600);
    options.heartbeat = Duration::from_millis(150);
    let mut beats = Vec::new();
    let began = Instant::now();
    let ended = watch::run(world_of(&world, host), options, |event| match event {
        Event::Heartbeat(beat) => {
            beats.push(beat.passes);
            // The session was made in the future now: such a stamp counts as old.
            ahead.store(-7200, Ordering::SeqCst);
            ControlFlow::Continue(())
        }
        Event::Drift(drift) => {
            assert_eq!(drift.drift.session.name, "x-creator-claude");
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    assert_eq!(ended.unwrap(), WatchEnd::OutputClosed, "decided after {:?}, {beats:?}", began.elapsed());
    assert!(!beats.is_empty());
}

#[test]
fn a_command_that_hangs_is_killed_with_its_children_and_told_and_the_loop_goes_on_meanwhile() {
    let world = World::new();
    declare(&world, &running(&world, &["gone"]));
    let child = world.root().join("child");
    let mut options = options(&world);
    let script = format!("sleep 1000 & echo $! > {}; wait", child.display());
    options.on = vec![OnEvent { deadline: Duration::from_millis(600), ..OnEvent::new("drift", script) }];
    options.heartbeat = Duration::from_millis(50);
    let (mut told, mut beats, mut error) = (None, 0, None);
    let local = LocalHost::new(world.environ(&[]));
    let ended = watch::run(world_of(&world, local), options, |event| match event {
        Event::Drift(_) => {
            told = Some(Instant::now());
            ControlFlow::Continue(())
        }
        Event::Heartbeat(_) => {
            beats += usize::from(told.is_some());
            ControlFlow::Continue(())
        }
        Event::Error(failure) => {
            error = Some(failure);
            ControlFlow::Break(())
        }
        _ => ControlFlow::Continue(()),
    });
    assert_eq!(ended.unwrap(), WatchEnd::OutputClosed);
    let error = error.unwrap();
    assert_eq!(error.source, "on-drift");
    assert!(error.message.contains("took longer than 600ms"), "{error:?}");
    assert!(beats > 3, "the loop stood still: {beats}");
    assert_gone(&child);
}

#[test]
fn a_command_that_hangs_holds_up_the_end_for_its_grace_only() {
    let world = World::new();
    declare(&world, &running(&world, &["gone"]));
    let child = world.root().join("child");
    let mut options = options(&world);
    let script = format!("echo $$ > {}; exec sleep 1000", child.display());
    options.on = vec![OnEvent { grace: Duration::from_millis(300), ..OnEvent::new("drift", script) }];
    options.max_runtime = Some(Duration::from_millis(800));
    let began = Instant::now();
    let local = LocalHost::new(world.environ(&[]));
    let mut errors = Vec::new();
    let ended = watch::run(world_of(&world, local), options, |event| {
        errors.extend(if let Event::Error(error) = event { Some(error.message) } else { None });
        ControlFlow::Continue(())
    });
    assert_eq!(ended.unwrap(), WatchEnd::MaxRuntime);
    assert!(errors.len() == 1 && errors[0].contains("not delivered within 300ms"), "{errors:?}");
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    assert_gone(&child);
}

/// Waits until the process whose id is in a file is no more.
fn assert_gone(file: &Path) {
    crate::support::await_end(std::fs::read_to_string(file).unwrap().trim().parse().unwrap());
}
