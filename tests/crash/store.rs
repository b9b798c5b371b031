//! What Berth stands on goes away: the database is locked or stopped, the disk is full, the clock is moved.

use std::{path::Path, process::Command, time::Duration};

use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};

use super::{
    engine::{deploy, push_slow, serves},
    world::{PLAIN, World},
};
use crate::support::{berth::within, postgres::Private, proof};

/// A change that is asked for: status and sentence.
async fn change(world: &World, count: u32) -> (u16, String) {
    let set = json!({ "set": { "COUNT": count.to_string() } });
    let (status, answer) = world.send("PATCH", &format!("{PLAIN}/targets/dev/config"), set).await.unwrap();
    (status, answer["detail"].as_str().unwrap_or_default().to_owned())
}

async fn ready(world: &World) -> (u16, String) {
    let answer = world.berth.request("GET", "/readyz").send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_database_that_is_locked_is_said_to_be_busy_and_waited_for_on_the_engine() {
    let mut world = World::new(0).await;
    deploy(&world, "first").await;
    serves(&world, "first").await;
    let rollout = deploy(&world, "second").await;
    let file = world.berth.folder.path().join("berth.db");
    let mut other = SqliteConnectOptions::new().filename(&file).busy_timeout(Duration::from_secs(20)).connect().await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    let (status, said) = change(&world, 1).await;
    assert_eq!(status, 503, "{said}");
    // Whoever waits for the one writer behind another who waits is told the other of the two.
    assert!((said.contains("busy") || said.contains("does not answer")) && said.contains("Try again"), "{said}");
    // Reading goes on, and so does what serves.
    assert_eq!(world.send("GET", PLAIN, Value::Null).await.unwrap().0, 200);
    assert_eq!(ready(&world).await.0, 200);
    assert!(["first", "second"].contains(&world.berth.ask_host("plain-demo.dev.localhost").await.unwrap().as_str()));
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    world.settles().await;
    let state = world.text(&format!("SELECT state AS text FROM rollouts WHERE id = '{rollout}'")).await;
    assert_eq!(state, "succeeded");
    assert_eq!(change(&world, 2).await.0, 202);
    proof("database locked", &format!("rollout under way succeeded, reading went on; a change was told: {said}"));
}

#[tokio::test]
async fn a_postgresql_that_is_stopped_and_started_is_waited_for_on_the_engine() {
    let cluster = Private::new();
    let world = World::on(1, &[("BERTH_DATABASE", &cluster.address())]).await;
    deploy(&world, "first").await;
    serves(&world, "first").await;
    cluster.stop();
    let (status, said) =
        within(Duration::from_secs(20), "it is not ready", async || Some(ready(&world).await).filter(|(s, _)| *s == 503)).await;
    assert!(said.contains("cannot be read"), "{status} {said}");
    let (status, told) = change(&world, 1).await;
    assert_eq!(status, 503, "{told}");
    assert_eq!(world.berth.ask_host("plain-demo.dev.localhost").await.as_deref(), Some("first"), "what serves goes on");
    cluster.start();
    within(Duration::from_secs(20), "it is ready again", async || (ready(&world).await.0 == 200).then_some(())).await;
    deploy(&world, "second").await;
    serves(&world, "second").await;
    proof("PostgreSQL stopped", &format!("services went on, ready again by itself; a change was told: {told}"));
}

/// A small file system of its own; gone with this value.
struct Small(std::path::PathBuf);

impl Small {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        let mut command = Command::new("mount");
        let mounted = command.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(at).output().ok()?;
        mounted.status.success().then(|| Self(at.to_owned()))
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[tokio::test]
async fn a_full_disk_is_said_to_be_full_and_everything_goes_on_when_there_is_room_on_the_engine() {
    // Store, logs, repositories and workspaces in the making: all are below the data folder.
    let Ok((mut world, _small)) = World::over(2, &[], |at| Small::mount(at, "24m").ok_or(())).await else {
        proof("disk full", "left out: this user may not mount a file system");
        return;
    };
    deploy(&world, "first").await;
    serves(&world, "first").await;
    let filler = world.berth.folder.path().join("filler");
    let fill = || {
        let mut count = 0_u32;
        // To the last byte: in smaller and smaller pieces.
        for size in [1 << 20, 4 << 10] {
            let path = format!("{}{size}", filler.display());
            let mut file = std::fs::File::options().create(true).append(true).open(path).unwrap();
            while std::io::Write::write_all(&mut file, &vec![0; size]).is_ok() {
                count += 1;
            }
        }
        count
    };
    fill();
    let mut told = String::new();
    // A page of the log may still have room: sooner or later there is none.
    for count in 0..400 {
        let (status, said) = change(&world, count).await;
        if status >= 400 {
            assert_eq!(status, 503, "{said}");
            told = said;
            break;
        }
    }
    assert!(told.contains("disk") && told.contains("full"), "{told}");
    std::fs::write(world.copy.join("more"), vec![7; 200 << 10]).unwrap();
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "more"]);
    let (pushed, said) = world.try_git(&["push", "berth", "main"]);
    assert!(!pushed && said.contains("disk") && said.contains("full"), "{said}\n{}", world.end_of_log());
    assert_eq!(world.berth.ask_host("plain-demo.dev.localhost").await.as_deref(), Some("first"), "what serves goes on");
    for size in [1 << 20, 4 << 10] {
        std::fs::remove_file(format!("{}{size}", filler.display())).unwrap();
    }
    world.settles().await;
    push_slow(&mut world, 4).await;
    deploy(&world, "second").await;
    serves(&world, "second").await;
    world.settles().await;
    proof("disk full", &format!("push refused, services went on, then a push and a deploy went through; a change was told: {told}"));
}

#[tokio::test]
async fn a_clock_that_is_moved_an_hour_either_way_changes_nothing_on_the_engine() {
    let mut world = World::new(3).await;
    deploy(&world, "first").await;
    serves(&world, "first").await;
    let hour = 3_600_000;
    for (round, shift) in [hour, -hour, 0].into_iter().enumerate() {
        push_slow(&mut world, 3 + u32::try_from(round).unwrap()).await;
        let text = format!("after {round}");
        let rollout = deploy(&world, &text).await;
        world.shift_clock(shift);
        // Somebody looks for work now, and finds claims that seem an hour old, or an hour to come.
        change(&world, u32::try_from(round).unwrap()).await;
        world.settles().await;
        serves(&world, &text).await;
        let state = world.text(&format!("SELECT state AS text FROM rollouts WHERE id = '{rollout}'")).await;
        assert!(["succeeded", "superseded"].contains(&state.as_str()), "{state}");
        let fence = "SELECT MAX(fence) AS number FROM (SELECT fence FROM runs UNION ALL SELECT fence FROM rollouts) AS claims";
        assert_eq!(world.number(fence).await, 1, "nothing was taken up twice");
        assert_eq!(world.text("SELECT state AS text FROM runs ORDER BY number DESC").await, "passed");
        assert_eq!(ready(&world).await.0, 200);
    }
    proof("clock moved", "+1 h, -1 h and back under a run and a rollout each: 3 runs passed once, 0 taken up twice, 0 leaked");
}
