//! Mirrors over SSH, with a real `sshd`: a key of one's own, and a host that is known again.

use app::model::MirrorState;
use serde_json::json;

use super::{HELLO, World};
use crate::support::{forge::Sshd, proof};

#[tokio::test(flavor = "multi_thread")]
async fn a_deploy_key_lets_in_and_the_host_is_known_again() {
    let world = World::new().await;
    let mut sshd = Sshd::new().await;
    world.commit("trunk", "First").await;
    let user = String::from_utf8(std::process::Command::new("id").arg("-un").output().unwrap().stdout).unwrap();
    let address = format!("ssh://{}@127.0.0.1:{}{}", user.trim(), sshd.port, world.forge.repository().display());
    world.create(json!({ "address": address })).await;

    // The key is not there yet; the host was seen.
    let failing = world.shown("the key is refused", |mirror| mirror.failure.is_some()).await;
    assert!(failing.failure.as_deref().unwrap().contains("deploy key"), "{failing:?}");
    let key = failing.deploy_key.unwrap();
    assert!(key.starts_with("ssh-ed25519 "), "{key}");
    let [seen] = failing.host_keys.try_into().unwrap();
    assert!(seen.starts_with("ssh-ed25519 SHA256:"), "{seen}");
    sshd.allow(&key);
    assert_eq!(world.fetch().await.state, MirrorState::UpToDate);
    let run = world.ended(1).await;
    assert_eq!((run.title.as_str(), run.branch.as_str()), ("First", "trunk"));
    world.commit("trunk", "Second").await;
    world.fetch().await;
    assert_eq!(world.ended(2).await.title, "Second");

    // Another host in its place is not taken, until somebody says so.
    sshd.change_host_key().await;
    world.commit("trunk", "Third").await;
    let stranger = world.fetch().await;
    assert_eq!(stranger.state, MirrorState::Failing);
    assert!(stranger.failure.as_deref().unwrap().contains("another key than at first sight"), "{stranger:?}");
    assert_eq!(stranger.host_keys, std::slice::from_ref(&seen));
    assert_eq!(world.runs().await, 2);
    world.owner.post(&format!("{HELLO}/mirror/actions/forget-host-keys"), json!({})).await.is(200);
    let known = world.shown("the new one is known", |mirror| mirror.state == MirrorState::UpToDate).await;
    assert!(known.host_keys.len() == 1 && known.host_keys[0] != seen, "{known:?}");
    assert_eq!(world.ended(3).await.title, "Third");
    // What `ssh` was told is gone.
    let left: Vec<_> = std::fs::read_dir(world.app.berth.config.scratch()).unwrap().flatten().map(|entry| entry.file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("ssh-")), "{left:?}");
    proof("mirror", "SSH: 3 of 3 moved heads ran with a key of Berth's own, 1 stranger's host key refused");
}
