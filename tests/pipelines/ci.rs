//! “Are you really doing CI?” from outside: lights of real pushes, a red branch that is guarded, badges.

use std::time::Duration;

use app::model::{Light, NewToken, Question, RunState, Scope};
use reqwest::StatusCode;
use server::platform::fake::Script;

use crate::{
    git::{Copy, FILE, harbour, token},
    support::{
        berth::{Harbour, service, team},
        proof,
    },
};

/// How long a run takes at most.
const SOON: Duration = Duration::from_secs(20);

/// The file of [`FILE`] with reports.
fn file() -> String {
    FILE.replace("run: [", "junit: \"*.xml\", run: [")
}

const REPORT: &str = "<testsuite name=\"s\"><testcase name=\"a\"/></testsuite>";

async fn lights(harbour: &Harbour) -> Vec<(Question, Light)> {
    let report = harbour.berth.backend.ci.report(&harbour.owner, &team(), &service()).await.unwrap();
    report.answers.into_iter().map(|answer| (answer.question, answer.light)).collect()
}

/// Says how steps end from now on.
fn steps(harbour: &Harbour, code: i64) {
    harbour.fake.on_task(move |_| Some(Script { code, ..Script::default() }.leaving("a.xml", REPORT)));
}

async fn copy(harbour: &Harbour) -> Copy {
    let copy = Copy::new(harbour).await;
    copy.write("berth.yaml", &file());
    copy.write("Dockerfile", "FROM scratch\n");
    copy
}

#[tokio::test]
async fn the_lights_follow_pushes_and_runs() {
    use Light::{Amber, Green, Grey, Red};
    let harbour = harbour().await;
    let seen = async |expected: [Light; 3]| {
        let found: Vec<Light> = lights(&harbour).await.into_iter().map(|(_, light)| light).collect();
        assert_eq!(found, expected);
    };
    seen([Grey, Grey, Grey]).await;
    let copy = copy(&harbour).await;
    steps(&harbour, 0);
    copy.push("Good").await;
    assert_eq!(harbour.run_ended_within(SOON, 1).await.state, RunState::Passed);
    seen([Green, Green, Green]).await;
    steps(&harbour, 1);
    copy.push("Bad").await;
    assert_eq!(harbour.run_ended_within(SOON, 2).await.state, RunState::Failed);
    let report = harbour.berth.backend.ci.report(&harbour.owner, &team(), &service()).await.unwrap();
    assert!(report.red_since.is_some());
    copy.push("Still bad").await;
    assert_eq!(harbour.run_ended_within(SOON, 3).await.state, RunState::Failed);
    seen([Green, Green, Amber]).await;
    steps(&harbour, 0);
    copy.push("Mended").await;
    assert_eq!(harbour.run_ended_within(SOON, 4).await.state, RunState::Passed);
    seen([Green, Green, Amber]).await;
    let report = harbour.berth.backend.ci.report(&harbour.owner, &team(), &service()).await.unwrap();
    assert!(report.red_since.is_none());
    let facts: Vec<&str> = report.answers[2].evidence.iter().map(|fact| fact.says.as_str()).collect();
    assert!(facts.contains(&"Run 3 was pushed while run 2 was red, and did not mend it."), "{facts:?}");
    assert_eq!(report.answers[1].why, "2 of 2 runs that let a change through executed tests.");
    // A branch that grew old, and a change that nothing looked at.
    copy.good(&["checkout", "-q", "-b", "topic"]).await;
    copy.commit("Apart").await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "HEAD"]).await;
    harbour.run_ended_within(SOON, 5).await;
    let mut tx = harbour.berth.db.begin().await.unwrap();
    tx.execute("UPDATE ref_changes SET created_at = created_at - 1900800000 WHERE ref = 'refs/heads/topic'", vec![]).await.unwrap();
    tx.commit().await.unwrap();
    copy.good(&["checkout", "-q", "main"]).await;
    copy.push("Unseen [skip ci]").await;
    seen([Red, Red, Amber]).await;
    copy.good(&["push", "-q", "berth", ":topic"]).await;
    // The branch is gone; the day on which work went there alone is not.
    seen([Amber, Red, Amber]).await;
    let digest = harbour.berth.backend.ci.digest(&harbour.owner, &team()).await.unwrap();
    assert!(digest.text.contains("hello  http://") && digest.text.contains("✗ tests validate"), "{}", digest.text);
    assert_eq!(digest.services.len(), 1);
    proof("lights", "6 real pushes, 7 looks, each light in at least two colours");
    harbour.berth.stop().await;
}

#[tokio::test]
async fn a_guarded_branch_that_is_red_takes_what_mends_it_and_nothing_else() {
    let harbour = harbour().await;
    let copy = copy(&harbour).await;
    let ci = harbour.berth.backend.ci.clone();
    steps(&harbour, 1);
    copy.push("Bad").await;
    harbour.run_ended_within(SOON, 1).await;
    copy.push("Not guarded: taken").await;
    harbour.run_ended_within(SOON, 2).await;
    ci.guard_red(&harbour.owner, &team(), &service(), true).await.unwrap();
    let head = copy.commit("Something else").await;
    let refused = copy.git(&["push", "berth", "main"]).await;
    let shown = format!("{}{}", String::from_utf8_lossy(&refused.stdout), String::from_utf8_lossy(&refused.stderr));
    assert!(!refused.status.success(), "{shown}");
    assert!(shown.contains("main of hello is red since run 2 or before: http://"), "{shown}");
    assert!(shown.contains("git push -o fix") && shown.contains("! [remote rejected] main -> main (the branch is red)"), "{shown}");
    let there = copy.good(&["ls-remote", "berth", "refs/heads/main"]).await;
    assert!(!there.contains(&head), "nothing of it arrived");
    // A large push waits for the answer to its head as well.
    copy.write("large", &"0123456789abcdef".repeat(200_000).chars().rev().collect::<String>());
    std::fs::write(
        copy.path().join("noise"),
        (0..3_000_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect::<Vec<u8>>(),
    )
    .unwrap();
    copy.commit("Large").await;
    let refused = copy.git(&["push", "berth", "main"]).await;
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("the branch is red"));
    // Elsewhere one goes on working.
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "HEAD:refs/heads/topic"]).await;
    let together = copy.git(&["push", "berth", "main", "main:refs/heads/other"]).await;
    assert!(!together.status.success());
    // What mends it is taken, and then everything.
    steps(&harbour, 0);
    let shown = copy.good(&["push", "-o", "fix", "berth", "main"]).await;
    assert!(shown.contains("✓ candidate") && !shown.contains("push option"), "{shown}");
    copy.push("And on").await;
    proof("a guarded branch", "red: 3 pushes refused with the way out, 1 to another branch and 1 fix taken; green: all taken");
    harbour.berth.stop().await;
}

#[tokio::test]
async fn a_badge_is_for_the_team_until_the_team_opens_it() {
    let harbour = harbour().await;
    let url = format!("http://{}/teams/demo/services/hello/badge.svg", harbour.berth.console);
    let http = reqwest::Client::new();
    let anonymous = || http.get(&url).send();
    assert_eq!(anonymous().await.unwrap().status(), StatusCode::NOT_FOUND);
    let mine = http.get(&url).bearer_auth(token(&harbour, vec![Scope::Read]).await).send().await.unwrap();
    assert_eq!((mine.status(), mine.headers()["content-type"].to_str().unwrap()), (StatusCode::OK, "image/svg+xml; charset=utf-8"));
    assert_eq!(
        (mine.headers()["cache-control"].to_str().unwrap(), mine.headers()["cross-origin-resource-policy"].to_str().unwrap()),
        ("no-store", "same-origin")
    );
    harbour.berth.backend.ci.open_badges(&harbour.owner, &team(), true).await.unwrap();
    let open = anonymous().await.unwrap();
    assert_eq!(open.headers()["cross-origin-resource-policy"].to_str().unwrap(), "cross-origin");
    assert_eq!(open.headers()["cache-control"].to_str().unwrap(), "public, max-age=60");
    let svg = open.text().await.unwrap();
    assert!(svg.starts_with("<svg") && svg.contains("CI: integrates daily: grey"), "{svg}");
    for strange in ["/teams/demo/services/none/badge.svg", "/teams/none/services/hello/badge.svg", "/teams/%00/services/%3Cx/badge.svg"] {
        let status = http.get(format!("http://{}{strange}", harbour.berth.console)).send().await.unwrap().status();
        assert_eq!(status, StatusCode::NOT_FOUND, "{strange}");
    }
    // The same for who is nobody here, whether it is open or not there.
    let other = NewToken { name: "x".into(), scopes: vec![Scope::Git], team: None, days: None };
    let other = harbour.berth.backend.tokens.create(&harbour.owner, other).await.unwrap().secret;
    harbour.berth.backend.ci.open_badges(&harbour.owner, &team(), false).await.unwrap();
    assert_eq!(http.get(&url).bearer_auth(other).send().await.unwrap().status(), StatusCode::FORBIDDEN);
    assert_eq!(anonymous().await.unwrap().status(), StatusCode::NOT_FOUND);
    harbour.berth.stop().await;
}
