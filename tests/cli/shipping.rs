//! Deploying, and what the exit code says about it.

use std::fs;

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

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_followed_to_the_end_of_its_rollout() {
    let harbour = Harbour::new().await;
    let person = Person::owner(&harbour).await;
    person.berth("push demo/hello").await.says(1, "no commit here");
    person.git(&["init", "-q", "-b", "main"]);
    fs::write(person.folder().join(".gitignore"), "config\n").unwrap();
    fs::write(person.folder().join("Dockerfile"), "FROM scratch\n").unwrap();
    let file = person.folder().join("berth.yaml");
    fs::write(&file, "version: 1\nservices:\n  hello:\n    image: { dockerfile: Dockerfile }\n    processes: { web: { port: 8080 } }\n")
        .unwrap();
    person.git(&["add", "-A"]);
    person.git(&["commit", "-q", "-m", "Say hello"]);

    let pushed = person.berth("push demo/hello").await.fine();
    for words in ["✓ passed  run 1 of hello", "candidate 1", "✓ succeeded  hello in dev: release 1"] {
        assert!(pushed.out.contains(words), "{words}: {}{}", pushed.out, pushed.err);
    }
    assert_eq!(harbour.ask("dev").await, (200, "hello".into()));
    person.git(&["remote", "add", "berth", &format!("{}/git/demo/hello.git", harbour.berth.config.url)]);
    person.berth("candidates").await.fine().says(0, "Say hello");
    let shown = person.berth("candidates show demo/hello 1").await.fine();
    assert!(shown.out.contains("✓ verified") && shown.out.contains("runs in   dev as release 1"), "{}", shown.out);
    let bill = person.berth("candidates sbom demo/hello 1").await.fine().json();
    assert_eq!(bill["bomFormat"], "CycloneDX");
    let statement = person.berth("candidates provenance demo/hello 1").await.fine().json();
    assert_eq!(statement["payloadType"], "application/vnd.in-toto+json");
    person.berth("candidates verify demo/hello 1").await.fine().says(0, "✓ the statement is signed with key");
    let other = format!("candidates verify demo/hello 1 --key {}=", "A".repeat(43));
    person.berth(&other).await.says(1, "✗ The statement of candidate 1 was signed with another key");
    person.berth("candidates key").await.fine().says(0, "-----BEGIN PUBLIC KEY-----");
    person.berth("candidates compare demo/hello 1 1").await.fine().says(0, "packages: one of them has no list");
    person.berth("candidates hold demo/hello 1").await.fine().says(0, "kept for good");
    person.berth("candidates show demo/hello 1").await.fine().says(0, "kept      for good");
    person.berth("candidates let-go demo/hello 1").await.fine();
    person.berth("candidates show demo/hello 9").await.says(1, "has no candidate 9");
    person.berth("runs show").await.fine().says(0, "image");
    person.berth("runs logs --follow").await.fine();
    person.berth("deploy --env production").await.fine().says(0, "hello in production: release 1");

    fs::write(&file, "version: 1\nservices:\n  hello:\n    imge: {}\n").unwrap();
    person.git(&["commit", "-q", "-am", "Break the file"]);
    person.berth("push").await.says(3, "berth.yaml:4:5");
    person.berth("runs retry 2 --no-wait").await.fine().says(0, "Run 3 repeats run 2");
    assert_eq!(harbour.ask("dev").await, (200, "hello".into()));
}
