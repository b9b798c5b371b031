//! Services that are built together, pushed and cut short anywhere: all come to one version, or none does.

use std::fs;

use async_trait::async_trait;
use serde_json::json;

use super::{operations::Operation, world::World};
use crate::support::images::BUSYBOX;

pub(super) fn all() -> Vec<Box<dyn Operation>> {
    [false, true].map(|fails| Box::new(Pair { fails, commit: String::new() }) as Box<dyn Operation>).into()
}

struct Pair {
    /// Whether the second of them fails.
    fails: bool,
    commit: String,
}

impl Pair {
    async fn runs(&self, world: &World, which: &str) -> i64 {
        world.number(&format!("SELECT COUNT(*) AS number FROM runs r WHERE commit_id = '{}' AND {which}", self.commit)).await
    }
}

#[async_trait(?Send)]
impl Operation for Pair {
    fn name(&self) -> String {
        format!("together: {}", if self.fails { "one fails" } else { "both pass" })
    }

    async fn prepare(&mut self, world: &mut World) {
        if world.number("SELECT COUNT(*) AS number FROM services WHERE name = 'right'").await == 0 {
            for body in
                [json!({ "name": "left", "environments": [] }), json!({ "name": "right", "environments": [], "repository": "left" })]
            {
                assert!(world.send("POST", "/teams/demo/services", body).await.unwrap().0 < 300);
            }
            let url = format!("http://x:{}@{}/git/demo/left.git", world.berth.token(), world.berth.console);
            world.git(&["remote", "add", "pair", &url]);
        }
        world.count += 1;
        let says = if self.fails { "sleep 0.3; false" } else { "true" };
        let service = |name: &str, says: &str| {
            let step = format!("{{ name: unit, image: \"{BUSYBOX}\", network: none, run: [\"{says}\"] }}");
            format!("  {name}: {{ path: {name}, stages: [{{ name: fast, steps: [{step}] }}] }}\n")
        };
        let file = format!("version: 1\nbuild: together\nservices:\n{}{}", service("left", "true"), service("right", says));
        fs::write(world.copy.join("berth.yaml"), file).unwrap();
        for name in ["left", "right"] {
            fs::create_dir_all(world.copy.join(name)).unwrap();
            let text = format!("FROM {BUSYBOX}\nLABEL count=\"{}\"\n", world.count);
            fs::write(world.copy.join(name).join("Dockerfile"), text).unwrap();
        }
        world.git(&["add", "-A"]);
        world.git(&["commit", "-q", "-m", "As one"]);
        self.commit = world.git(&["rev-parse", "HEAD"]);
    }

    async fn act(&mut self, world: &mut World) {
        drop(world.try_git(&["push", "-q", "-o", "no-wait", "pair", "main"]));
    }

    async fn taken(&mut self, world: &World) -> bool {
        if !world.git(&["ls-remote", "pair", "refs/heads/main"]).starts_with(&self.commit) {
            return false;
        }
        world.until("the push made runs", async || (self.runs(world, "1 = 1").await > 0).then_some(())).await;
        true
    }

    async fn judge(&mut self, world: &World) {
        let state = if self.fails { "failed" } else { "passed" };
        assert_eq!(self.runs(world, &format!("state = '{state}' AND finished_at IS NOT NULL AND lead_id IS NOT NULL")).await, 2);
        assert_eq!(self.runs(world, "1 = 1").await, 2, "each has one run");
        let with = self.runs(world, "EXISTS (SELECT 1 FROM candidates c WHERE c.id = r.candidate_id AND c.run_id = r.id)").await;
        assert_eq!(with, if self.fails { 0 } else { 2 });
        let numbers = format!("SELECT COUNT(DISTINCT number) AS number FROM candidates WHERE commit_id = '{}'", self.commit);
        assert_eq!(world.number(&numbers).await, i64::from(!self.fails), "one version");
    }
}
