//! A disk that is full: under the database and the logs, under the repositories, and under the files that a run is made of.

use std::{
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use super::{
    engine::{commit_slow, deploy, push_slow, run_waits, serves},
    store::change,
    world::{HELLO, World},
};
use crate::support::{left_out, proof};

/// A small file system of its own; gone with this value.
struct Small(PathBuf);

impl Small {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        let mut command = Command::new("mount");
        let mounted = command.args(["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"]).arg(at).output().ok()?;
        mounted.status.success().then(|| Self(at.to_owned()))
    }

    /// Fills it to the last byte, until the answer goes.
    fn fill(&self) -> Filler {
        let mut filler = Filler(Vec::new());
        // In smaller and smaller pieces.
        for size in [1 << 20, 4 << 10] {
            let path = self.0.join(format!("filler{size}"));
            let mut file = File::options().create(true).append(true).open(&path).unwrap();
            while file.write_all(&vec![0; size]).is_ok() {}
            filler.0.push(path);
        }
        filler
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// What takes all the room.
struct Filler(Vec<PathBuf>);

impl Drop for Filler {
    fn drop(&mut self) {
        self.0.iter().for_each(|path| fs::remove_file(path).unwrap());
    }
}

/// Changes something until the database has no room for it any more: a page of its log may still have some. What was told.
async fn until_told(world: &World) -> String {
    for count in 0..400 {
        let (status, said) = change(world, count).await;
        if status >= 400 {
            assert_eq!(status, 503, "{said}");
            return said;
        }
    }
    panic!("there is room for everything");
}

/// Whether a push of something large goes through, and what was said.
fn push_more(world: &World) -> (bool, String) {
    fs::write(world.copy.join("more"), vec![7; 200 << 10]).unwrap();
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "--allow-empty", "-m", "more"]);
    world.try_git(&["push", "-o", "no-wait", "berth", "main"])
}

fn says_full(said: &str) -> bool {
    said.contains("disk") && said.contains("full")
}

/// Waits until the newest run says that it waits for room.
async fn waits(world: &World) -> String {
    let told = async || Some(run_waits(world, "main").await).filter(|said| says_full(said));
    world.until("the run says that it waits for room", told).await
}

async fn newest(world: &World) -> (String, String) {
    let of = "FROM runs ORDER BY number DESC LIMIT 1";
    (world.text(&format!("SELECT state AS text {of}")).await, world.text(&format!("SELECT failure AS text {of}")).await)
}

#[tokio::test]
async fn a_full_disk_is_said_to_be_full_and_everything_goes_on_when_there_is_room_on_the_engine() {
    // Store, logs, repositories and workspaces in the making: all are below the data folder.
    let Ok((mut world, small)) = World::over(2, &[], |at| Small::mount(at, "24m").ok_or(())).await else {
        return left_out("disk full", "this user may not mount a file system");
    };
    deploy(&world, "first").await;
    serves(&world, "first").await;
    let filler = small.fill();
    let told = until_told(&world).await;
    assert!(says_full(&told), "{told}");
    let (pushed, said) = push_more(&world);
    assert!(!pushed && says_full(&said), "{said}\n{}", world.end_of_log());
    assert_eq!(world.berth.ask_host("plain-demo.dev.localhost").await.as_deref(), Some("first"), "what serves goes on");
    drop(filler);
    world.settles().await;
    let log = a_log_is_kept(&mut world, &small).await;
    deploy(&world, "second").await;
    serves(&world, "second").await;
    world.settles().await;
    proof("disk full", &format!("push refused, services went on, then a push and a deploy went through; a change was told: {told}"));
    proof("disk full under a log", &format!("120 lines of 120 in order, the step ran once; the log says: {log}"));
}

/// The disk is full while a step prints: the step goes on, and its log has everything. What the log says of it.
async fn a_log_is_kept(world: &mut World, small: &Small) -> String {
    commit_slow(world, 0);
    let file = world.copy.join("berth.yaml");
    let prints = "i=0; while [ $i -lt 120 ]; do i=$((i+1)); echo line $i; sleep 0.1; done";
    fs::write(&file, fs::read_to_string(&file).unwrap().replace("sleep 0", prints)).unwrap();
    world.git(&["commit", "-q", "-a", "-m", "A step that prints"]);
    world.git(&["push", "-q", "-o", "no-wait", "berth", "main"]);
    let lines =
        "SELECT COALESCE(SUM(line_count), 0) AS number FROM log_chunks c JOIN steps s ON s.id = c.step_id WHERE s.state = 'running'";
    world.until("the step prints", async || (world.number(lines).await > 5).then_some(())).await;
    let filler = small.fill();
    until_told(world).await;
    world.until("the log waits", async || world.berth.said().contains("its log waits").then_some(())).await;
    drop(filler);
    world.settles().await;
    let (state, failure) = newest(world).await;
    assert_eq!(state, "passed", "{failure}\n{}", world.end_of_log());
    assert_eq!(world.number("SELECT MAX(attempt) AS number FROM stages WHERE name = 'slow'").await, 1, "it ran once");
    let of = "SELECT lines FROM log_chunks WHERE step_id = (SELECT s.id FROM steps s JOIN stages g ON g.id = s.stage_id
                WHERE g.name = 'slow' ORDER BY s.id DESC LIMIT 1) ORDER BY first_line";
    let kept: Vec<(i64, String, String)> = world.rows(of).await.iter().flat_map(|row| row.json::<Vec<_>>("lines").unwrap()).collect();
    let printed: Vec<&str> = kept.iter().map(|(.., text)| text.as_str()).filter(|text| text.starts_with("line ")).collect();
    let expected: Vec<String> = (1..=120).map(|number| format!("line {number}")).collect();
    assert_eq!(printed, expected);
    let said = kept.iter().find(|(.., text)| text.contains("kept in memory")).map(|(.., text)| text.clone());
    said.filter(|said| says_full(said)).unwrap_or_else(|| panic!("the log says nothing of it: {kept:?}"))
}

#[tokio::test]
async fn a_run_waits_for_room_for_its_files_and_a_push_for_its_commits_on_the_engine() {
    let repositories = |at: &Path| {
        fs::create_dir_all(at.join("repositories")).unwrap();
        Small::mount(&at.join("repositories"), "2m").ok_or(())
    };
    let Ok((mut world, commits)) = World::over(3, &[], repositories).await else {
        return left_out("disk full under files", "this user may not mount a file system");
    };
    let files = Small::mount(&world.berth.folder.path().join("scratch"), "2m").unwrap();
    // Before the first step: the files of the commit.
    let filler = files.fill();
    commit_slow(&world, 4);
    world.git(&["push", "-q", "-o", "no-wait", "berth", "main"]);
    let said = waits(&world).await;
    drop(filler);
    let running = "SELECT COUNT(*) AS number FROM steps WHERE state = 'running'";
    world.until("the step runs", async || (world.number(running).await > 0).then_some(())).await;
    // Before the image: its context.
    let filler = files.fill();
    waits(&world).await;
    drop(filler);
    world.settles().await;
    let (state, failure) = newest(&world).await;
    assert_eq!(state, "passed", "{failure}");
    assert_eq!(world.number("SELECT MAX(attempt) AS number FROM stages").await, 1, "nothing was done twice");
    // Who does not want to wait cancels it.
    let filler = files.fill();
    commit_slow(&world, 5);
    world.git(&["push", "-q", "-o", "no-wait", "berth", "main"]);
    waits(&world).await;
    let (status, _) = world.send("POST", &format!("{HELLO}/runs/2/actions/cancel"), serde_json::Value::Null).await.unwrap();
    assert!(status < 300);
    world.until("it is cancelled", async || (newest(&world).await.0 == "cancelled").then_some(())).await;
    drop(filler);
    // The repositories.
    let filler = commits.fill();
    let (pushed, refused) = push_more(&world);
    assert!(!pushed && says_full(&refused), "{refused}");
    deploy(&world, "first").await;
    serves(&world, "first").await;
    drop(filler);
    push_slow(&mut world, 1).await;
    world.settles().await;
    assert_eq!(newest(&world).await.0, "passed");
    proof(
        "disk full under files",
        &format!("2 waits before a workspace and an image, 1 cancelled, 1 push refused, then all went through; a run said: {said}"),
    );
}
