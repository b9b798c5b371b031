//! Operations that begin with `git push`.

use std::{
    fs,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bollard::query_parameters::RemoveImageOptions;

use super::{
    operations::Operation,
    world::{HELLO, World},
};
use crate::support::images::BUSYBOX;

/// How a run is to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// Live in `dev`.
    Live,
    /// A step fails.
    StepFails,
    /// The image cannot be built.
    BuildFails,
    /// The engine goes away in the middle of a step.
    EngineAway,
    /// The engine keeps silent for a while in the middle of a step.
    EngineSilent,
    /// The file does not read.
    BadFile,
    /// It is cancelled.
    Cancelled,
    /// Run again, by hand.
    Again,
    /// Gone on with where it failed.
    GoesOn,
    /// A branch is deleted.
    BranchGone,
    /// A test that is caught giving both results is muted.
    Muted,
}

pub(super) fn all() -> Vec<Box<dyn Operation>> {
    let courses = [
        Course::Live,
        Course::StepFails,
        Course::BuildFails,
        Course::EngineAway,
        Course::EngineSilent,
        Course::BadFile,
        Course::Cancelled,
        Course::Again,
        Course::GoesOn,
        Course::BranchGone,
        Course::Muted,
    ];
    courses.map(|course| Box::new(Push { course, commit: String::new(), text: String::new(), before: 0 }) as Box<dyn Operation>).into()
}

struct Push {
    course: Course,
    commit: String,
    text: String,
    /// The newest run before.
    before: i64,
}

/// A report whose runner saw both results.
const REPORT: &str = "<testsuite><testcase><flakyFailure/></testcase></testsuite>";

/// What a flaky test is called by.
const FLAKY: &str = "SELECT id AS text FROM flaky_tests";

const NEWEST_RUN: &str =
    "SELECT COALESCE(MAX(r.number), 0) AS number FROM runs r JOIN services s ON s.id = r.service_id WHERE s.name = 'hello'";

impl Push {
    /// The pipeline: a step that leaves a report and a file, an image, a release command, and a health command.
    fn file(&self) -> String {
        let step = match self.course {
            Course::StepFails => "sleep 1.2; false",
            Course::Cancelled => "sleep 100",
            Course::EngineSilent => "sleep 1",
            _ => "test -f www/index.html",
        };
        // There is room for one at once: this one waits for it.
        let beside = match self.course {
            Course::StepFails => format!("\n          - {{ name: second, image: \"{BUSYBOX}\", network: none, run: [\"true\"] }}"),
            _ => String::new(),
        };
        let file = format!(
            "version: 1
services:
  hello:
    stages:
      - name: fast
        steps:
          - {{ name: unit, image: \"{BUSYBOX}\", network: none, run: [\"echo '{REPORT}' > report.xml\", \"{step}\"], junit: report.xml, artifacts: [report.xml] }}{beside}
        on_failure:
          - {{ name: after, image: \"{BUSYBOX}\", network: none, run: [\"test -f report.xml\"] }}
    release: [\"sh\", \"-c\", \"sleep 0.2\"]
    processes:
      web: {{ port: 8080, health: {{ command: [\"test\", \"-f\", \"/www/index.html\"], interval: 100ms }}, drain: 0s }}
"
        );
        if self.course == Course::GoesOn {
            // With what the first time left, it is good.
            let second = format!(
                "      - name: slow\n        steps: [{{ name: late, image: \"{BUSYBOX}\", network: none, run: [\"test -e tried || {{ touch tried; exit 1; }}\"] }}]\n"
            );
            return file.replace("    release:", &format!("{second}    release:"));
        }
        if self.course == Course::BadFile { file.replace("stages", "stayges") } else { file }
    }

    /// Writes and commits what is to be pushed.
    fn write(&mut self, world: &mut World) {
        world.count += 1;
        self.text = format!("text {}", world.count);
        let dockerfile =
            format!("FROM {BUSYBOX}\nCOPY www /www\nSTOPSIGNAL SIGKILL\nCMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n");
        let dockerfile = if self.course == Course::BuildFails { format!("{dockerfile}RUN false\n") } else { dockerfile };
        fs::create_dir_all(world.copy.join("www")).unwrap();
        fs::write(world.copy.join("www/index.html"), &self.text).unwrap();
        fs::write(world.copy.join("Dockerfile"), dockerfile).unwrap();
        fs::write(world.copy.join("berth.yaml"), self.file()).unwrap();
        world.git(&["add", "-A"]);
        world.git(&["commit", "-q", "-m", &self.text]);
        self.commit = world.git(&["rev-parse", "HEAD"]);
    }

    /// Pushes, and lets the engine keep silent once a step runs, until the run says so.
    async fn push_into_silence(&self, world: &mut World) {
        drop(world.try_git(&["push", "-q", "-o", "no-wait", "berth", "main"]));
        let of = format!("run_id IN (SELECT id FROM runs WHERE commit_id = '{}')", self.commit);
        self.until_or_over(world, &format!("SELECT COUNT(*) AS number FROM steps WHERE state <> 'queued' AND {of}")).await;
        world.engine.freeze();
        let says = format!("SELECT COUNT(*) AS number FROM runs WHERE waits LIKE '%did not answer%' AND commit_id = '{}'", self.commit);
        self.until_or_over(world, &says).await;
        world.engine.thaw();
    }

    /// Until something is counted, or Berth is over.
    async fn until_or_over(&self, world: &mut World, count: &str) {
        let began = Instant::now();
        while !world.berth.is_over() && world.number(count).await == 0 {
            assert!(began.elapsed() < Duration::from_secs(30), "nothing came: {count}\n{}", world.end_of_log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn state(&self, world: &World) -> (String, String) {
        let state = world.text(&format!("SELECT state AS text FROM runs WHERE commit_id = '{}' ORDER BY number DESC", self.commit)).await;
        let failure =
            world.text(&format!("SELECT failure AS text FROM runs WHERE commit_id = '{}' ORDER BY number DESC", self.commit)).await;
        (state, failure)
    }

    /// The rollout that followed: live, or ended with what nobody can know.
    async fn judge_rollout(&self, world: &World) {
        let newest = "FROM rollouts o JOIN services s ON s.id = o.service_id WHERE s.name = 'hello' ORDER BY o.id DESC";
        let state = world.text(&format!("SELECT o.state AS text {newest}")).await;
        let failure = world.text(&format!("SELECT o.failure AS text {newest}")).await;
        if state == "failed" {
            assert!(failure.contains("release command"), "{failure}");
        } else {
            assert_eq!(state, "succeeded", "{failure}");
            assert_eq!(world.berth.ask().await, self.text);
        }
    }
}

#[async_trait(?Send)]
impl Operation for Push {
    fn name(&self) -> String {
        format!("push: {:?}", self.course)
    }

    fn beside(&self) -> String {
        match self.course {
            Course::EngineAway => "lose docker::after_attach\n".into(),
            _ => String::new(),
        }
    }

    async fn prepare(&mut self, world: &mut World) {
        // So that it is made anew each time: that is a call of the engine too.
        let _ = world.engine.docker().remove_image("berth-empty:1", None::<RemoveImageOptions>, None).await;
        self.before = world.number(NEWEST_RUN).await;
        match self.course {
            Course::Again => {
                if self.commit.is_empty() {
                    self.write(world);
                    world.git(&["push", "-q", "berth", "main"]);
                    world.settles().await;
                    self.before = world.number(NEWEST_RUN).await;
                }
            }
            Course::GoesOn => {
                self.write(world);
                world.git(&["push", "-q", "-o", "no-wait", "berth", "main"]);
                world.settles().await;
                self.before = world.number(NEWEST_RUN).await;
            }
            Course::BranchGone => {
                // Not what another operation committed last: its step may take long.
                if self.commit.is_empty() {
                    self.write(world);
                }
                world.git(&["push", "-q", "-o", "no-wait", "berth", "main:gone"]);
                world.settles().await;
            }
            Course::Cancelled => {
                self.write(world);
                world.git(&["push", "-q", "-o", "no-wait", "berth", "main"]);
                let running = "SELECT COUNT(*) AS number FROM steps WHERE state = 'running'";
                world.until("the step runs", async || (world.number(running).await > 0).then_some(())).await;
                self.before = world.number(NEWEST_RUN).await;
            }
            Course::Muted => {
                if world.text(FLAKY).await.is_empty() {
                    self.write(world);
                    world.git(&["push", "-q", "-o", "no-wait", "berth", "main"]);
                    world.settles().await;
                }
            }
            _ => self.write(world),
        }
    }

    async fn act(&mut self, world: &mut World) {
        let run = format!("{HELLO}/runs/{}/actions", self.before);
        match self.course {
            Course::Again => drop(world.send("POST", &format!("{run}/retry"), serde_json::Value::Null).await),
            Course::GoesOn => drop(world.send("POST", &format!("{run}/retry?from=stage"), serde_json::Value::Null).await),
            Course::Cancelled => drop(world.send("POST", &format!("{run}/cancel"), serde_json::Value::Null).await),
            Course::BranchGone => drop(world.try_git(&["push", "-q", "berth", ":gone"])),
            Course::EngineSilent => self.push_into_silence(world).await,
            Course::Muted => {
                let path = format!("{HELLO}/flaky-tests/{}/mute", world.text(FLAKY).await);
                let day = server::clock::now().plus(std::time::Duration::from_secs(86_400)).to_string()[..10].to_owned();
                drop(world.send("PUT", &path, serde_json::json!({ "until": day })).await);
            }
            _ => drop(world.try_git(&["push", "-q", "-o", "no-wait", "berth", "main"])),
        }
    }

    async fn taken(&mut self, world: &World) -> bool {
        match self.course {
            Course::Again | Course::GoesOn => world.number(NEWEST_RUN).await > self.before,
            Course::Cancelled => {
                let asked =
                    format!("SELECT COUNT(*) AS number FROM runs WHERE commit_id = '{}' AND cancel_asked_at IS NOT NULL", self.commit);
                world.number(&asked).await > 0
            }
            Course::Muted => world.number("SELECT COUNT(*) AS number FROM flaky_tests WHERE muted_until IS NOT NULL").await > 0,
            _ => {
                let name = if self.course == Course::BranchGone { "refs/heads/gone" } else { "refs/heads/main" };
                let there = world.git(&["ls-remote", "berth", name]);
                if self.course == Course::BranchGone {
                    return there.is_empty();
                }
                if !there.starts_with(&self.commit) {
                    return false;
                }
                // A push that reached the repository is never lost.
                world.until("the push made a run", async || (!self.state(world).await.0.is_empty()).then_some(())).await;
                true
            }
        }
    }

    async fn judge(&mut self, world: &World) {
        let (state, failure) = self.state(world).await;
        match self.course {
            Course::Live | Course::Again | Course::GoesOn | Course::EngineAway | Course::EngineSilent => {
                assert_eq!(state, "passed", "{failure}");
                self.judge_rollout(world).await;
            }
            Course::StepFails => assert_eq!((state.as_str(), failure.contains("exit code 1")), ("failed", true), "{failure}"),
            Course::BuildFails => assert_eq!((state.as_str(), failure.contains("could not be built")), ("failed", true), "{failure}"),
            Course::BadFile => assert_eq!((state.as_str(), failure.contains("stayges")), ("failed", true), "{failure}"),
            Course::Cancelled => assert_eq!(state, "cancelled", "{failure}"),
            Course::BranchGone => assert_eq!(world.git(&["ls-remote", "berth", "gone"]), ""),
            Course::Muted => assert_eq!(world.number("SELECT COUNT(*) AS number FROM flaky_tests").await, 1),
        }
    }
}
