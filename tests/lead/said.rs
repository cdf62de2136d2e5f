//! What is proven of a text once it was said: that its agent's service refused it, that it is an old one, that it was sent before.

use std::time::{Duration, Instant};

use super::Scene;
use super::sending::Talker;
use super::support::await_some;

#[test]
fn a_text_that_a_limit_or_a_login_refuses_is_rejected_and_not_delivered() {
    let talker = Talker::new();
    let (ran, receipt) = talker.receipt(&["at a limit\n@@error rate_limit", "--id", "k"]);
    ran.is(1);
    assert_eq!(receipt["outcome"], "rejected", "{receipt}");
    assert!(receipt["message"].as_str().unwrap().contains("API Error"), "{receipt}");
    assert!(receipt["phases"]["delivered"].is_string(), "it stands in the conversation: {receipt}");
    talker.is_idle();
    let (again, duplicate) = talker.receipt(&["at a limit\n@@error rate_limit", "--id", "k"]);
    again.is(1);
    assert_eq!((&duplicate["outcome"], &duplicate["first_outcome"]), (&"duplicate".into(), &"rejected".into()));
    // Its turn is there, for whoever wants to know more.
    let turn = talker.scene.run(&["read", "--receipt", receipt["id"].as_str().unwrap(), "--json"]).json();
    assert_eq!(turn["error"]["kind"], "rate-limited", "{turn}");
    // After one that was refused the next may be refused later.
    assert_eq!(talker.outcome(&["later\n@@slow 2\n@@error authentication_failed"]).0, "rejected");
    talker.is_idle();
    assert_eq!(talker.outcome(&["another failure\n@@error"]).0, "delivered");
    talker.is_idle();
    // Nobody waits long for what never came before.
    let begun = Instant::now();
    assert_eq!(talker.outcome(&["slowly\n@@slow 30"]).0, "delivered");
    assert!(begun.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_text_of_before_is_not_taken_for_one_that_was_lost_as_its_transcript_was_written_anew() {
    let talker = Talker::new();
    assert_eq!(talker.outcome(&["the same"]).0, "delivered");
    talker.is_idle();
    std::fs::write(talker.scene.world.home().join("anew"), "").unwrap();
    assert_eq!(talker.outcome(&["the same"]).0, "unverified");
}

#[test]
fn what_was_queued_ends_well_and_so_does_the_same_sent_again() {
    let scene = Scene::new("  - { name: one, agent: claude, cwd: LAB/one }\n");
    let talker = Talker::asking_nobody(scene);
    talker.scene.run(&["send", "one", "slowly\n@@slow 8"]).is(0);
    for expected in ["queued", "duplicate"] {
        let (ran, receipt) = talker.receipt(&["then this", "--mid-turn", "--id", "k"]);
        assert_eq!((ran.code, &receipt["outcome"]), (Some(0), &expected.into()), "{receipt}");
    }
    await_some("its turn", || (talker.prompts().len() > 1).then_some(()));
    talker.is_idle();
    assert_eq!(talker.prompts(), ["slowly\n@@slow 8", "then this"]);
}

#[test]
fn what_waits_is_not_said_into_a_login_that_has_expired_unless_a_person_says_so() {
    let talker = Talker::new();
    talker.scene.run(&["send", "one", "slowly\n@@slow 2\n@@error authentication_failed"]).is(0);
    for text in ["later", "still later"] {
        talker.scene.run(&["send", "one", text, "--queue", "--keep"]).is(0);
    }
    talker.is_idle();
    let deliver = |words: &[&str]| talker.scene.run(&[&["queue", "one", "--now", "--json"], words].concat()).json();
    let held = deliver(&[]);
    assert_eq!((&held["receipts"][0]["code"], held["texts"].as_array().unwrap().len()), (&"backoff".into(), 2), "{held}");
    let sent = deliver(&["--yes"]);
    assert_eq!(sent["receipts"][0]["outcome"], "delivered", "{sent}");
    assert_eq!(talker.prompts().len(), 2 + usize::from(sent["receipts"][1]["outcome"] == "delivered"));
}
