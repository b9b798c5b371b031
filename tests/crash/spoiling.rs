//! What is stored of a run or a release does not read: it is ended, with a sentence, and nothing waits behind it.

use std::fs;

use async_trait::async_trait;
use serde_json::json;

use super::{
    operations::Operation,
    world::{HELLO, PLAIN, World},
};
use crate::support::images::BUSYBOX;

/// What is spoiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Spoiled {
    /// A stage of a run that waits.
    Run,
    /// The release of a rollout that waits.
    Release,
}

pub(super) fn all() -> Vec<Box<dyn Operation>> {
    [Spoiled::Run, Spoiled::Release].map(|what| Box::new(Spoil { what, begun: false, before: 0 }) as Box<dyn Operation>).into()
}

struct Spoil {
    what: Spoiled,
    /// Whether there is something good that it can spoil the next of.
    begun: bool,
    /// How many of its kind there were before.
    before: i64,
}

impl Spoil {
    /// What ends, and the table whose new rows are spoiled, with the column.
    const fn place(&self) -> (&'static str, &'static str, &'static str) {
        match self.what {
            Spoiled::Run => ("runs", "stages", "kind"),
            Spoiled::Release => ("rollouts", "releases", "shape"),
        }
    }

    /// A commit that can be run; or a release that serves.
    async fn begin(&self, world: &World) {
        match self.what {
            Spoiled::Run => {
                let step = format!("{{ name: unit, image: \"{BUSYBOX}\", network: none, run: [\"true\"] }}");
                let web = "{ port: 8080, health: { command: [\"true\"], interval: 100ms }, drain: 0s }";
                let file = format!(
                    "version: 1\nservices:\n  hello:\n    stages: [{{ name: fast, steps: [{step}] }}]\n    processes: {{ web: {web} }}\n"
                );
                fs::write(world.copy.join("berth.yaml"), file).unwrap();
                let served = "CMD [\"httpd\", \"-f\", \"-p\", \"8080\"]";
                fs::write(world.copy.join("Dockerfile"), format!("FROM {BUSYBOX}\n{served}\nLABEL count=\"{}\"\n", world.count)).unwrap();
                world.git(&["add", "-A"]);
                world.git(&["commit", "-q", "--allow-empty", "-m", "Good"]);
                world.git(&["push", "-q", "-f", "-o", "no-wait", "berth", "HEAD:main"]);
            }
            Spoiled::Release => self.deploy(world, "good").await,
        }
    }

    async fn deploy(&self, world: &World, text: &str) {
        let image = world.image(&format!("{text} {}", world.count)).await;
        drop(world.send("POST", &format!("{PLAIN}/targets/dev/actions/deploy"), json!({ "image": image })).await);
    }

    async fn count(&self, world: &World) -> i64 {
        world.number(&format!("SELECT COUNT(*) AS number FROM {}", self.place().0)).await
    }
}

#[async_trait(?Send)]
impl Operation for Spoil {
    fn name(&self) -> String {
        format!("unreadable {:?}", self.what)
    }

    async fn prepare(&mut self, world: &mut World) {
        world.count += 1;
        world.write("DROP TRIGGER IF EXISTS spoil").await;
        if !std::mem::replace(&mut self.begun, true) {
            self.begin(world).await;
        }
        world.settles().await;
        self.before = self.count(world).await;
        let (_, table, column) = self.place();
        let change = format!("UPDATE {table} SET {column} = '{{' WHERE id = NEW.id");
        world.write(&format!("CREATE TRIGGER spoil AFTER INSERT ON {table} BEGIN {change}; END")).await;
    }

    async fn act(&mut self, world: &mut World) {
        match self.what {
            Spoiled::Run => drop(world.send("POST", &format!("{HELLO}/runs"), json!({ "branch": "main" })).await),
            Spoiled::Release => self.deploy(world, "spoiled").await,
        }
    }

    async fn taken(&mut self, world: &World) -> bool {
        self.count(world).await > self.before
    }

    async fn judge(&mut self, world: &World) {
        world.write("DROP TRIGGER IF EXISTS spoil").await;
        assert_eq!(self.count(world).await, self.before + 1, "once");
        let (ended, table, _) = self.place();
        // The last that was written down: others of this world may have moved the clock.
        let newest = format!("FROM {ended} ORDER BY rowid DESC LIMIT 1");
        let state = world.text(&format!("SELECT state AS text {newest}")).await;
        assert!(["failed", "errored"].contains(&state.as_str()), "{state}");
        assert!(!world.text(&format!("SELECT failure AS text {newest}")).await.is_empty(), "it says why");
        // What comes after finds rows that read.
        let good = match self.what {
            Spoiled::Run => "'steps'",
            Spoiled::Release => "(SELECT r.shape FROM releases r WHERE r.target_id = releases.target_id AND r.shape <> '{' LIMIT 1)",
        };
        let column = self.place().2;
        world.write(&format!("UPDATE {table} SET {column} = {good} WHERE {column} = '{{'")).await;
    }
}
