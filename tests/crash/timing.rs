//! A time that has come: the run of a schedule, and a clock that was put back.

use std::{
    fs,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use server::args;

use super::{operations::Operation, world::World};
use crate::support::images::BUSYBOX;

pub(super) fn all() -> Vec<Box<dyn Operation>> {
    [false, true].map(|back| Box::new(Timing { back, commit: String::new() }) as Box<dyn Operation>).into()
}

struct Timing {
    /// Whether it is not due, but later than any clock would have it.
    back: bool,
    commit: String,
}

/// A schedule whose clock was years ahead.
const ODD: i64 = 4_000_000_000_000;

impl Timing {
    async fn runs(&self, world: &World, which: &str) -> i64 {
        let sql = format!("SELECT COUNT(*) AS number FROM runs WHERE event = 'schedule' AND commit_id = '{}' AND {which}", self.commit);
        world.number(&sql).await
    }

    /// What came of it, as far as it did.
    async fn came(&self, world: &World) -> bool {
        match self.back {
            true => world.number(&format!("SELECT COUNT(*) AS number FROM schedules WHERE due_at >= {ODD}")).await == 0,
            false => self.runs(world, "1 = 1").await > 0,
        }
    }
}

#[async_trait(?Send)]
impl Operation for Timing {
    fn name(&self) -> String {
        format!("time: {}", if self.back { "put back" } else { "due" })
    }

    async fn prepare(&mut self, world: &mut World) {
        world.count += 1;
        let file = format!(
            "version: 1
services:
  hello:
    on: {{ schedule: [{{ cron: \"0 3 * * *\" }}] }}
    stages: [{{ name: fast, steps: [{{ name: unit, image: \"{BUSYBOX}\", network: none, run: [\"true\"] }}] }}]
    processes: {{ web: {{ port: 8080, health: {{ command: [\"true\"], interval: 100ms }}, drain: 0s }} }}
"
        );
        let dockerfile =
            format!("FROM {BUSYBOX}\nLABEL count=\"{}\"\nSTOPSIGNAL SIGKILL\nCMD [\"httpd\", \"-f\", \"-p\", \"8080\"]\n", world.count);
        fs::write(world.copy.join("berth.yaml"), file).unwrap();
        fs::write(world.copy.join("Dockerfile"), dockerfile).unwrap();
        world.git(&["add", "-A"]);
        world.git(&["commit", "-q", "-m", "In time"]);
        self.commit = world.git(&["rev-parse", "HEAD"]);
        world.git(&["push", "-q", "berth", "HEAD:main"]);
        world.settles().await;
    }

    async fn act(&mut self, world: &mut World) {
        let db = world.berth.db().await;
        let mut tx = db.begin().await.unwrap();
        assert_eq!(tx.execute("UPDATE schedules SET due_at = $1", args![if self.back { ODD } else { 1_000 }]).await.unwrap(), 1);
        tx.commit().await.unwrap();
        db.close().await;
        if self.back {
            world.shift_clock(60_000);
        }
        let began = Instant::now();
        while !world.berth.is_over() && !self.came(world).await {
            assert!(began.elapsed() < Duration::from_secs(30), "its time did not come:\n{}", world.end_of_log());
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// What is written down needs nobody to ask again.
    async fn taken(&mut self, world: &World) -> bool {
        world.until("its time comes", async || self.came(world).await.then_some(())).await;
        true
    }

    async fn judge(&mut self, world: &World) {
        world.shift_clock(0);
        let soon = server::clock::now().plus(Duration::from_secs(2 * 86_400));
        assert_eq!(world.number(&format!("SELECT COUNT(*) AS number FROM schedules WHERE due_at > 1000 AND due_at < {}", soon.0)).await, 1);
        assert_eq!(self.runs(world, "1 = 1").await, i64::from(!self.back), "once, or not at all");
        assert_eq!(self.runs(world, "state = 'passed'").await, i64::from(!self.back));
    }
}
