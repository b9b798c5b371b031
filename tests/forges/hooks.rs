//! Hooks: who is believed, and what a storm of them comes to.

use std::time::Instant;

use futures::future::join_all;
use serde_json::{Value, json};

use super::{HELLO, World};
use crate::support::{
    forge::{send, send_hook, sign},
    proof,
};

const BODY: &str = r#"{"ref":"refs/heads/trunk","after":"0000000000000000000000000000000000000000"}"#;

/// A world with a mirror that was fetched, and its hook's address and secret.
async fn hooked() -> (World, String, String) {
    let world = World::new().await;
    world.commit("trunk", "First").await;
    world.mirror().await;
    world.passed(1).await;
    let hook = world.owner.post(&format!("{HELLO}/mirror/actions/new-hook"), json!({})).await.is(200);
    let text = |name: &str| hook[name].as_str().unwrap().to_owned();
    let (url, secret) = (text("url"), text("secret"));
    assert!(url.starts_with(&world.app.url()), "{url}");
    (world, url, secret)
}

async fn rows(world: &World) -> Vec<String> {
    let sql = "SELECT COALESCE(wanted_at, 0) || ' ' || COALESCE(hooked_at, 0) || ' ' || COALESCE(hook_secret, '') AS text FROM mirrors";
    let rows = server::store::Query::fetch_all(world.app.db(), sql, vec![]).await.unwrap();
    rows.iter().map(|row| row.text("text").unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_forge_is_believed_by_its_own_sign_and_nobody_else() {
    let (world, url, secret) = hooked().await;
    let good = sign(&secret, BODY.as_bytes());
    let github = format!("sha256={good}");
    let other = sign("another secret", BODY.as_bytes());
    let of_other_body = sign(&secret, b"{}");
    let before = (rows(&world).await, world.forge.listed());
    let bad: &[&[(&str, &str)]] = &[
        &[],
        &[("x-gitea-signature", &other)],
        &[("x-gitea-signature", &of_other_body)],
        &[("x-gitea-signature", "")],
        &[("x-gitea-signature", &good[..32])],
        &[("x-hub-signature-256", &good)],
        &[("x-hub-signature-256", "sha256=zz")],
        &[("x-hub-signature", &github)],
        &[("x-forgejo-signature", &other)],
        &[("x-gitlab-token", "")],
        &[("x-gitlab-token", &secret[..63])],
        &[("x-gitlab-token", &good)],
    ];
    for headers in bad {
        assert_eq!(send(&url, headers, BODY).await, 401, "{headers:?}");
    }
    let nowhere = format!("{}/hooks/00000000000000000000000000000000", world.app.url());
    assert_eq!(send_hook(&nowhere, &secret, BODY).await, 401);
    assert_eq!((rows(&world).await, world.forge.listed()), before, "nothing changed");
    let large = vec![b'x'; 26 << 20];
    let status = reqwest::Client::new()
        .post(&url)
        .header("x-gitea-signature", &good)
        .body(large)
        .send()
        .await
        .map(|answer| answer.status().as_u16());
    assert!(matches!(status, Ok(413) | Err(_)), "{status:?}");

    let good_ones: [&[(&str, &str)]; 4] = [
        &[("x-gitea-signature", &good)],
        &[("x-forgejo-signature", &good)],
        &[("x-hub-signature-256", &github)],
        &[("x-gitlab-token", &secret)],
    ];
    for (number, headers) in (2..).zip(good_ones) {
        world.commit("trunk", &format!("Number {number}")).await;
        assert_eq!(send(&url, headers, BODY).await, 202, "{headers:?}");
        assert_eq!(world.passed(number).await.title, format!("Number {number}"));
    }
    // Another secret takes the place of the one before.
    let newer = world.owner.post(&format!("{HELLO}/mirror/actions/new-hook"), json!({})).await.is(200);
    assert_eq!(newer["url"], Value::from(url.clone()));
    assert_eq!(send_hook(&url, &secret, BODY).await, 401);
    assert_eq!(send_hook(&url, newer["secret"].as_str().unwrap(), BODY).await, 202);
    proof("hooks", &format!("{} bad ones refused and nothing changed, 4 forges believed", bad.len() + 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_hooks_make_a_few_fetches() {
    let (world, url, secret) = hooked().await;
    let commit = world.commit("trunk", "Stormy").await;
    let (before, began) = (world.forge.listed(), Instant::now());
    for _ in 0..20 {
        let answers = join_all((0..50).map(|_| send_hook(&url, &secret, BODY))).await;
        assert!(answers.iter().all(|status| *status == 202), "{answers:?}");
    }
    let took = began.elapsed();
    assert_eq!(world.passed(2).await.commit, commit);
    world.shown("it is calm again", |mirror| !mirror.wanted).await;
    let fetches = world.forge.listed() - before;
    // Each fetch that finds something asks twice: what there is, and for it.
    let most = 4 + usize::try_from(took.as_secs()).unwrap();
    assert!(fetches <= most, "{fetches} in {took:?}");
    assert_eq!(world.runs().await, 2);
    // The same one again, whoever sends it: a hint, and nothing moved.
    assert_eq!(send_hook(&url, &secret, BODY).await, 202);
    world.shown("it is calm again", |mirror| !mirror.wanted).await;
    assert_eq!(world.runs().await, 2);
    proof("hooks", &format!("1000 in {:.1} s asked the forge {fetches} times and made 1 run", took.as_secs_f32()));
}
