//! Deploying, and what the exit code says about it.

use server::platform::fake::Behaviour;

use super::person::Person;
use crate::support::berth::Harbour;

#[tokio::test(flavor = "multi_thread")]
async fn the_exit_code_is_that_of_the_rollout() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("good:1", Behaviour::saying("one"));
    harbour.fake.set_image("good:2", Behaviour::saying("two"));
    harbour.fake.set_image("bad:1", Behaviour::crashing(7));
    let person = Person::owner(&harbour).await.with("BERTH_TEAM", "demo");

    let first = person.berth("deploy hello --env dev --image good:1").await.fine();
    for word in ["started", "healthy", "routed", "first request", "✓ succeeded  hello in dev: release 1"] {
        assert!(first.out.contains(word), "{word}: {}", first.out);
    }
    assert_eq!(harbour.ask("dev").await, (200, "one".into()));

    let bad = person.berth("deploy hello --env dev --image bad:1").await.says(3, "✗ failed");
    assert!(bad.out.contains("exited with code 7") && bad.out.contains("Release 1 goes on serving"), "{}", bad.out);
    assert!(!bad.out.contains('\x1b'), "no colours where nobody sees them");
    person.berth("rollout show --service hello --env dev").await.fine().says(0, "exited with code 7");
    person.berth("rollout watch --service hello --env dev").await.says(3, "failed");

    person.berth("deploy hello --env dev --image good:2 --plan").await.fine();
    assert_eq!(harbour.ask("dev").await, (200, "one".into()), "a plan changes nothing");
    let second = person.berth("deploy hello --env dev --image good:2 --json").await.fine().json();
    assert_eq!((&second["state"], &second["to"]), (&"succeeded".into(), &3.into()));
    assert_eq!(harbour.ask("dev").await, (200, "two".into()));

    person.berth("rollback hello --env dev").await.fine().says(0, "succeeded");
    assert_eq!(harbour.ask("dev").await, (200, "one".into()));
    let releases = person.berth("releases hello --env dev --json").await.fine().json();
    assert_eq!(releases["items"].as_array().map_or(0, Vec::len), 4, "{releases}");

    person.berth("promote hello --to staging").await.fine().says(0, "hello in staging");
    assert_eq!(harbour.ask("staging").await, (200, "one".into()));
    person.berth("promote hello --to dev").await.says(1, "Nothing comes before dev");
    person.berth("deploy hello --env dev").await.says(1, "no candidate yet");
    person.berth("deploy hello --env nowhere --image good:1").await.says(1, "(request ");
}

#[tokio::test(flavor = "multi_thread")]
async fn scale_and_variables_make_releases() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("good:1", Behaviour::saying("one"));
    let person = Person::owner(&harbour).await.with("BERTH_TEAM", "demo").with("BERTH_ENV", "dev");
    person.berth("deploy hello --image good:1").await.fine();
    person.berth("scale 2 --service hello").await.fine().says(0, "succeeded");
    person.berth("status").await.fine().says(0, "2/2");
    person.berth("scale many --service hello").await.says(2, "give a number");

    person.types("config set TEXT=two SECRET=- --service hello", "from stdin\n").await.fine();
    assert_eq!(harbour.ask("dev").await, (200, "two".into()));
    let listed = person.berth("config list hello").await.fine();
    assert_eq!(listed.out, "SECRET=from stdin\nTEXT=two\n");
    assert_eq!(person.berth("config list hello --json").await.fine().json()["variables"]["TEXT"], "two");
    person.berth("config set lower=case --service hello").await.says(1, "berth: ");
    person.berth("config unset TEXT --service hello --no-wait").await.fine().says(0, "berth rollout watch");
    person.berth("rollout watch --service hello").await.fine();
    person.berth("logs hello -n 5").await.fine().says(0, "started");
    assert!(person.berth("logs hello --json").await.fine().json().as_array().is_some_and(|lines| !lines.is_empty()));
}
