//! Steps that keep a folder from run to run: one goes on with a copy, makes it larger than there is room for, and all is cleared.

use std::fs;

use async_trait::async_trait;
use serde_json::json;

use super::{
    operations::Operation,
    world::{HELLO, World},
};
use crate::support::images::BUSYBOX;

pub(super) fn all() -> Vec<Box<dyn Operation>> {
    [Course::Left, Course::Cleared].map(|course| Box::new(Caching { course, commit: String::new() }) as Box<dyn Operation>).into()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// A run goes on with a copy of what one before left for other files, and there is no room for both.
    Left,
    /// What was left is given up.
    Cleared,
}

struct Caching {
    course: Course,
    commit: String,
}

/// What is kept.
const KEPT: &str = "SELECT COUNT(*) AS number FROM caches WHERE dropped_at IS NULL";

impl Caching {
    /// Commits what another step keys its cache by. More than half of the room there is is left by each.
    fn write(&mut self, world: &mut World) {
        world.count += 1;
        let file = format!(
            "version: 1
services:
  hello:
    stages:
      - name: fast
        steps:
          - {{ name: unit, image: \"{BUSYBOX}\", network: none, caches: {{ /kept: [lock] }}, run: [\"head -c 5000000 /dev/zero > /kept/made\"] }}
    processes: {{ web: {{ port: 8080, health: {{ command: [\"true\"], interval: 100ms }}, drain: 0s }} }}
"
        );
        let dockerfile =
            format!("FROM {BUSYBOX}\nLABEL count=\"{}\"\nSTOPSIGNAL SIGKILL\nCMD [\"httpd\", \"-f\", \"-p\", \"8080\"]\n", world.count);
        fs::write(world.copy.join("berth.yaml"), file).unwrap();
        fs::write(world.copy.join("Dockerfile"), dockerfile).unwrap();
        fs::write(world.copy.join("lock"), world.count.to_string()).unwrap();
        world.git(&["add", "-A"]);
        world.git(&["commit", "-q", "-m", "Keeps a folder"]);
        self.commit = world.git(&["rev-parse", "HEAD"]);
    }

    async fn runs(&self, world: &World, which: &str) -> i64 {
        world.number(&format!("SELECT COUNT(*) AS number FROM runs WHERE commit_id = '{}' AND {which}", self.commit)).await
    }
}

#[async_trait(?Send)]
impl Operation for Caching {
    fn name(&self) -> String {
        format!("caches: {:?}", self.course).to_lowercase()
    }

    async fn prepare(&mut self, world: &mut World) {
        self.write(world);
        world.git(&["push", "-q", "berth", "HEAD:main"]);
        world.settles().await;
        assert_eq!(world.number(KEPT).await, 1, "one of before");
        if self.course == Course::Left {
            self.write(world);
        }
    }

    async fn act(&mut self, world: &mut World) {
        match self.course {
            Course::Left => drop(world.try_git(&["push", "-q", "-o", "no-wait", "berth", "HEAD:main"])),
            Course::Cleared => drop(world.send("DELETE", &format!("{HELLO}/caches"), json!({})).await),
        }
    }

    async fn taken(&mut self, world: &World) -> bool {
        match self.course {
            Course::Left => self.runs(world, "1 = 1").await > 0,
            Course::Cleared => world.number(KEPT).await == 0,
        }
    }

    async fn judge(&mut self, world: &World) {
        assert_eq!(self.runs(world, "state = 'passed'").await, 1, "{}", self.commit);
        let kept = i64::from(self.course == Course::Left);
        assert_eq!(world.number(KEPT).await, kept, "there is room for one");
        let own = "SELECT COALESCE(MIN(size), 5000000) AS number FROM caches WHERE dropped_at IS NULL";
        assert!(world.number(own).await >= 5_000_000);
    }
}
