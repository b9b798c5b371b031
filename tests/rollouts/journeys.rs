//! What a rollout promises, seen from outside.

use std::{
    collections::BTreeMap,
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use app::model::{ConfigChange, Phase, RolloutState, Source};
use server::platform::fake::{Behaviour, Fault, Script, Verb, image_id};

use crate::support::{
    berth::{Harbour, ask, environment, service, team, until},
    proof,
};

fn phases(rollout: &app::model::Rollout) -> Vec<Phase> {
    rollout.evidence.iter().map(|evidence| evidence.phase).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_is_proven_step_by_step_and_reached_through_the_edge() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("hello:1", Behaviour::saying("one"));
    harbour.fake.set_image("hello:2", Behaviour::saying("two"));
    assert_eq!(harbour.ask("dev").await.0, 503, "known, and nothing runs yet");

    let first = harbour.deployed("dev", "hello:1").await;
    assert_eq!((first.state, first.failure.as_deref()), (RolloutState::Succeeded, None));
    assert_eq!(phases(&first), [Phase::Started, Phase::Healthy, Phase::Routed, Phase::FirstRequest]);
    assert_eq!(harbour.ask("dev").await, (200, "one".into()));

    let second = harbour.deployed("dev", "hello:2").await;
    assert_eq!(second.state, RolloutState::Succeeded, "{second:?}");
    assert_eq!(phases(&second), [Phase::Started, Phase::Healthy, Phase::Routed, Phase::FirstRequest, Phase::Drained, Phase::Stopped]);
    assert_eq!((second.from, second.to), (Some(1), 2));
    assert_eq!(harbour.ask("dev").await, (200, "two".into()));
    assert_eq!(harbour.fake.copies().len(), 1, "the old one is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_request_fails_while_releases_follow_each_other() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("hello:0", Behaviour::saying("0"));
    harbour.deployed("dev", "hello:0").await;
    let stop = Arc::new(AtomicBool::new(false));
    let (sent, failed) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
    let load = {
        let (stop, sent, failed, url) = (stop.clone(), sent.clone(), failed.clone(), format!("http://{}/", harbour.berth.edge));
        tokio::spawn(async move {
            let client = reqwest::Client::new();
            while !stop.load(Ordering::Relaxed) {
                let answer = client.get(&url).header("host", "hello-demo.dev.localhost").send().await;
                let good = matches!(answer, Ok(response) if response.status() == 200);
                sent.fetch_add(1, Ordering::Relaxed);
                failed.fetch_add(usize::from(!good), Ordering::Relaxed);
            }
        })
    };
    for n in 1..=5 {
        let image = format!("hello:{n}");
        harbour.fake.set_image(&image, Behaviour::saying(n.to_string()));
        assert_eq!(harbour.deployed("dev", &image).await.state, RolloutState::Succeeded);
    }
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap();
    let (sent, failed) = (sent.load(Ordering::Relaxed), failed.load(Ordering::Relaxed));
    proof("deploys under load", &format!("5 deploys, {sent} requests, {failed} failed"));
    assert_eq!(failed, 0, "of {sent}");
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_wrong_with_a_release_the_old_one_serves_on_and_the_cause_is_said() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("good:1", Behaviour::saying("good"));
    harbour.deployed("dev", "good:1").await;
    let other_port = Behaviour { ports: vec![3000], ..Behaviour::default() };
    // Copies have addresses of this machine's own. A program that listens on all of them, as the demo's edge does, answers there too.
    let squatter = [80, 3000, 3333, 4000, 5000, 5173, 8000].into_iter().find(|port| TcpStream::connect(("127.99.99.99", *port)).is_ok());
    let deaf = squatter.map_or("Nothing listens on port 8080".to_owned(), |port| format!("web answers on port {port}, expected 8080"));
    let cases = [
        ("bad:crash", Behaviour::crashing(3), "web exited with code 3"),
        ("bad:memory", Behaviour::starving(), "web ran out of memory"),
        ("bad:deaf", Behaviour::deaf(), deaf.as_str()),
        ("bad:port", other_port, "web answers on port 3000, expected 8080"),
    ];
    for (image, behaviour, cause) in cases {
        harbour.fake.set_image(image, behaviour);
        // The shape of the release before stays: its port was named by nobody, so pin it.
        let rollout = harbour.deployed("dev", image).await;
        if image == "bad:port" && rollout.state == RolloutState::Succeeded {
            // The image exposes 3000 and nothing else asks for a port: that is what is used.
            harbour.deployed("dev", "good:1").await;
            continue;
        }
        assert_eq!(rollout.state, RolloutState::Failed, "{image}");
        let failure = rollout.failure.unwrap();
        assert!(failure.contains(cause), "{image}: {failure}");
        assert_eq!(harbour.ask("dev").await, (200, "good".into()), "{image}");
        assert_eq!(harbour.fake.copies().len(), 1, "{image}: nothing is left of it");
    }
    let missing = harbour.deployed("dev", "bad:nowhere").await;
    assert_eq!(missing.state, RolloutState::Failed);
    assert!(missing.failure.as_deref().unwrap().contains("bad:nowhere was not found"), "{missing:?}");
    assert_eq!(harbour.ask("dev").await, (200, "good".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_no_route_reads_a_release_fails_soon_and_another_route_proves_it() {
    for (column, garbage) in [("host", "}{ no host"), ("path", "no\npath")] {
        let harbour = Harbour::new().await;
        for (image, says) in [("hello:1", "one"), ("hello:2", "two")] {
            harbour.fake.set_image(image, Behaviour::saying(says));
        }
        harbour.deployed("dev", "hello:1").await;
        let mut tx = harbour.berth.db.begin().await.unwrap();
        let sql = format!("UPDATE routes SET {column} = $1 WHERE host = 'hello-demo.dev.localhost'");
        assert_eq!(tx.execute(sql, server::args![garbage]).await.unwrap(), 1);
        tx.commit().await.unwrap();

        let began = Instant::now();
        let rollout = harbour.deployed("dev", "hello:2").await;
        // Long before a first request is too late: 22 s here.
        assert!(began.elapsed() < Duration::from_secs(10), "{column}: {:?}", began.elapsed());
        let failure = rollout.failure.unwrap_or_default();
        assert!(failure.contains("routes that lead here does not read"), "{column}: {:?} {failure}", rollout.state);
        let images: Vec<_> = harbour.fake.copies().into_iter().map(|copy| copy.image).collect();
        assert_eq!(images, [image_id("hello:1")], "{column}: the release before stays, and nothing else");

        let services = &harbour.berth.backend.services;
        services.add_route(&harbour.owner, &team(), &service(), &environment("dev"), "shop.example.com", "/").await.unwrap();
        assert_eq!(ask(&harbour.berth, "shop.example.com").await, (200, "one".into()), "{column}");
        assert_eq!(harbour.deployed("dev", "hello:2").await.state, RolloutState::Succeeded, "{column}");
        assert_eq!(ask(&harbour.berth, "shop.example.com").await, (200, "two".into()), "{column}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_variable_missing_against_the_last_release_is_named() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("needy:1", Behaviour { needs: vec!["DATABASE_URL".into()], ..Behaviour::saying("needy") });
    let releases = &harbour.berth.backend.releases;
    let set = ConfigChange { set: BTreeMap::from([("DATABASE_URL".into(), "postgres://db".into())]), unset: vec![] };
    let kept = releases.change_config(&harbour.owner, &team(), &service(), &environment("dev"), set, None, false).await.unwrap();
    assert_eq!(kept.rollout, None, "nothing runs yet, so nothing moves");
    assert_eq!(harbour.deployed("dev", "needy:1").await.state, RolloutState::Succeeded);
    let unset = ConfigChange { unset: vec!["DATABASE_URL".into()], ..ConfigChange::default() };
    let change = releases.change_config(&harbour.owner, &team(), &service(), &environment("dev"), unset, None, false).await.unwrap();
    let rollout = harbour.ended(&change.rollout.unwrap()).await;
    assert_eq!(rollout.state, RolloutState::Failed);
    let failure = rollout.failure.unwrap();
    assert!(failure.contains("DATABASE_URL is not set, and release 1 had it."), "{failure}");
    assert_eq!(harbour.ask("dev").await, (200, "needy".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn cancelling_takes_away_only_what_is_new() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("good:1", Behaviour::saying("good"));
    harbour.fake.set_image("slow:1", Behaviour::deaf());
    harbour.deployed("dev", "good:1").await;
    let id = harbour.deploy("dev", Source::Image("slow:1".into())).await.rollout.unwrap();
    until("it is under way", async || (harbour.fake.copies().len() == 2).then_some(())).await;
    harbour.berth.backend.releases.cancel_rollout(&harbour.owner, &id).await.unwrap();
    assert_eq!(harbour.ended(&id).await.state, RolloutState::Cancelled);
    assert_eq!(harbour.fake.copies().len(), 1);
    assert_eq!(harbour.ask("dev").await, (200, "good".into()));
    let again = harbour.berth.backend.releases.cancel_rollout(&harbour.owner, &id).await.unwrap_err();
    assert_eq!(again.code, "already_ended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_newer_release_supersedes_one_that_is_not_proven() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("slow:1", Behaviour::deaf());
    harbour.fake.set_image("good:2", Behaviour::saying("two"));
    let first = harbour.deploy("dev", Source::Image("slow:1".into())).await.rollout.unwrap();
    until("it is under way", async || (!harbour.fake.copies().is_empty()).then_some(())).await;
    let second = harbour.deploy("dev", Source::Image("good:2".into())).await.rollout.unwrap();
    assert_eq!(harbour.ended(&first).await.state, RolloutState::Superseded);
    assert_eq!(harbour.ended(&second).await.state, RolloutState::Succeeded);
    assert_eq!(harbour.ask("dev").await, (200, "two".into()));
    assert_eq!(harbour.fake.copies().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn scaling_keeps_the_instances_that_serve() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("good:1", Behaviour::saying("good"));
    harbour.deployed("dev", "good:1").await;
    let before = harbour.fake.copies()[0].container.clone();
    let scale = async |n: u32| {
        let replicas = BTreeMap::from([("web".to_owned(), n)]);
        let releases = &harbour.berth.backend.releases;
        let change = releases.scale(&harbour.owner, &team(), &service(), &environment("dev"), replicas, false).await.unwrap();
        harbour.ended(&change.rollout.unwrap()).await
    };
    assert_eq!(scale(3).await.state, RolloutState::Succeeded);
    let copies = harbour.fake.copies();
    assert_eq!(copies.len(), 3);
    assert!(copies.iter().any(|copy| copy.container == before), "the first one was kept");
    assert_eq!(scale(1).await.state, RolloutState::Succeeded);
    assert_eq!(harbour.fake.copies().iter().map(|copy| copy.container.clone()).collect::<Vec<_>>(), [before]);
    assert_eq!(scale(0).await.state, RolloutState::Succeeded);
    assert_eq!(harbour.ask("dev").await.0, 503);
    assert!(harbour.fake.copies().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_ends_is_started_again_and_what_nobody_asked_for_is_removed() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("good:1", Behaviour::saying("good"));
    harbour.deployed("dev", "good:1").await;
    let id = harbour.fake.copies()[0].id.clone();
    harbour.fake.kill(&id, 1, false);
    until("it serves again", async || (harbour.ask("dev").await.0 == 200).then_some(())).await;
    harbour.fake.vanish(&id);
    until("it serves again", async || (harbour.ask("dev").await.0 == 200).then_some(())).await;
    assert_eq!(harbour.fake.copies().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_in_the_middle_continues_and_repeats_nothing() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("slow:1", Behaviour { listens_after: Duration::from_millis(700), ..Behaviour::saying("slow") });
    let id = harbour.deploy("dev", Source::Image("slow:1".into())).await.rollout.unwrap();
    until("it is under way", async || (!harbour.fake.copies().is_empty()).then_some(())).await;
    let container = harbour.fake.copies()[0].container.clone();
    let harbour = harbour.restart().await;
    assert_eq!(harbour.ended(&id).await.state, RolloutState::Succeeded);
    assert_eq!(harbour.fake.copies()[0].container, container, "it went on with what was there");
    assert_eq!(harbour.ask("dev").await, (200, "slow".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_that_is_away_for_a_moment_is_waited_for() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("good:1", Behaviour::saying("good"));
    harbour.fake.fault(Verb::Ensure, &Fault::Lose, 1);
    harbour.fake.fault(Verb::Observe, &Fault::Fail(server::platform::PlatformError::Gone("refused".into())), 1);
    assert_eq!(harbour.deployed("dev", "good:1").await.state, RolloutState::Succeeded);
    assert_eq!(harbour.fake.copies().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollback_repeats_an_old_release_under_a_new_number_and_a_preview_changes_nothing() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("hello:1", Behaviour::saying("one"));
    harbour.fake.set_image("hello:2", Behaviour::saying("two"));
    harbour.deployed("dev", "hello:1").await;
    harbour.deployed("dev", "hello:2").await;
    let releases = &harbour.berth.backend.releases;
    let (owner, team, service, dev) = (&harbour.owner, team(), service(), environment("dev"));
    let preview = releases.deploy(owner, &team, &service, &dev, Source::Release(1), true).await.unwrap();
    assert_eq!((preview.release, preview.rollout), (None, None));
    assert_eq!(preview.plan[0], "Start 1 instance of release 3 beside release 2.");
    let change = harbour.deploy("dev", Source::Release(1)).await;
    assert_eq!(change.release, Some(3));
    assert_eq!(harbour.ended(&change.rollout.unwrap()).await.reason, "rollback to release 1");
    assert_eq!(harbour.ask("dev").await, (200, "one".into()));
    // A number that was given once is not given again, and a preview knows.
    assert_eq!(harbour.deployed("dev", "nowhere:1").await.state, RolloutState::Failed);
    let preview = releases.deploy(owner, &team, &service, &dev, Source::Release(2), true).await.unwrap();
    assert_eq!(preview.plan[0], "Start 1 instance of release 5 beside release 3.");
    let promoted = harbour.deploy("staging", Source::From(dev)).await;
    assert_eq!(harbour.ended(&promoted.rollout.unwrap()).await.state, RolloutState::Succeeded);
    assert_eq!(harbour.ask("staging").await, (200, "one".into()));
    // What a release command would do is never part of these: none was asked for.
    harbour.fake.on_task(|_| Some(Script::new(&[], 1)));
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_database_a_starting_berth_serves_what_it_served_last() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("hello:1", Behaviour::saying("one"));
    harbour.deployed("dev", "hello:1").await;
    let (meanwhile, harbour) = harbour.without_database().await;
    assert_eq!(meanwhile, (200, "one".into()));
    assert_eq!(harbour.ask("dev").await, (200, "one".into()));
    harbour.fake.set_image("hello:2", Behaviour::saying("two"));
    assert_eq!(harbour.deployed("dev", "hello:2").await.state, RolloutState::Succeeded);
    assert_eq!(harbour.ask("dev").await, (200, "two".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_changes_at_the_same_moment_none_is_lost_without_a_word() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("hello:1", Behaviour::saying("one"));
    harbour.deployed("dev", "hello:1").await;
    let (releases, owner, team, service, dev) = (&harbour.berth.backend.releases, &harbour.owner, team(), service(), environment("dev"));
    let (mut won, mut told) = (0, 0);
    for n in 0..20_u32 {
        let name = format!("V{n}");
        let set = ConfigChange { set: BTreeMap::from([(name.clone(), "x".to_owned())]), unset: vec![] };
        let scale = BTreeMap::from([("web".to_owned(), 1 + n % 2)]);
        let (config, scaled) = tokio::join!(
            releases.change_config(owner, &team, &service, &dev, set, None, false),
            releases.scale(owner, &team, &service, &dev, scale.clone(), false),
        );
        for answer in [config.as_ref().err(), scaled.as_ref().err()].into_iter().flatten() {
            assert_eq!(answer.code, "changed_meanwhile");
            told += 1;
        }
        won += u32::from(config.is_ok()) + u32::from(scaled.is_ok());
        // Whoever was not told otherwise finds the change in what is wanted now.
        let newest = releases.releases(owner, &team, &service, &dev, &app::model::PageRequest::default()).await.unwrap().items.remove(0);
        let variables = releases.config(owner, &team, &service, &dev, Some(newest.config)).await.unwrap().variables;
        assert!(config.is_err() || variables.contains_key(&name), "{name}");
        assert!(scaled.is_err() || newest.replicas == scale, "{n}");
    }
    proof("changes at the same moment", &format!("20 pairs, {won} made, {told} told to look again, 0 lost"));
}
