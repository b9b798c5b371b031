//! A new version of a base image is asked for, built, and rolled to the services that stand on it; or cancelled while it is built.

use std::fs;

use async_trait::async_trait;
use serde_json::json;

use super::{operations::Operation, world::World};
use crate::support::images::BUSYBOX;

pub(super) fn all() -> Vec<Box<dyn Operation>> {
    vec![Box::new(Basing { before: 0 }), Box::new(Stopping)]
}

struct Basing {
    /// The newest version before.
    before: i64,
}

const BASES: &str = "/platform/bases";
/// Of those that stand on it, one whose default branch has no commit any more.
const HEADLESS: &str = "headless";
const USERS: [&str; 2] = ["based", HEADLESS];

const NEWEST: &str = "SELECT COALESCE(MAX(number), 0) AS number FROM base_versions";

impl Basing {
    /// It speaks for longer than what it says is kept at a time.
    fn dockerfile(world: &World) -> String {
        format!("FROM {BUSYBOX}\nRUN echo {}; sleep 1.2; echo on; sleep 0.2\n", world.count)
    }

    /// The base with its first version, and the services with a candidate that stands on it.
    async fn begin(world: &World) {
        let base = json!({ "name": "crash", "dockerfile": Self::dockerfile(world) });
        assert_eq!(world.send("POST", BASES, base).await.unwrap().0, 202);
        let ready = "SELECT COUNT(*) AS number FROM base_versions WHERE state = 'ready'";
        world.until("the first version is there", async || (world.number(ready).await > 0).then_some(())).await;
        let _ = fs::remove_file(world.copy.join("berth.yaml"));
        fs::write(world.copy.join("Dockerfile"), "FROM base/crash\nCMD [\"true\"]\n").unwrap();
        world.git(&["add", "-A"]);
        world.git(&["commit", "-q", "--allow-empty", "-m", "On a base"]);
        for name in USERS {
            let service = json!({ "name": name, "environments": [] });
            assert!(world.send("POST", "/teams/demo/services", service).await.unwrap().0 < 300);
            let address = format!("http://x:{}@{}/git/demo/{name}.git", world.berth.token(), world.berth.console);
            world.git(&["push", "-q", "-o", "no-wait", &address, "HEAD:main"]);
        }
        let stand = "SELECT COUNT(*) AS number FROM candidate_bases";
        world.until("they stand on it", async || (world.number(stand).await == 2).then_some(())).await;
        world.write(&format!("UPDATE repositories SET default_branch = 'nowhere' WHERE name = '{HEADLESS}'")).await;
    }

    async fn asked(&self, world: &World) -> bool {
        world.number(NEWEST).await > self.before
    }
}

#[async_trait(?Send)]
impl Operation for Basing {
    fn name(&self) -> String {
        "base image".into()
    }

    async fn prepare(&mut self, world: &mut World) {
        world.count += 1;
        if world.number("SELECT COUNT(*) AS number FROM bases").await == 0 {
            Self::begin(world).await;
        }
        world.settles().await;
        self.before = world.number(NEWEST).await;
    }

    async fn act(&mut self, world: &mut World) {
        let asked = json!({ "dockerfile": Self::dockerfile(world), "roll": true });
        drop(world.send("POST", &format!("{BASES}/crash/actions/rebuild"), asked).await);
    }

    async fn taken(&mut self, world: &World) -> bool {
        self.asked(world).await
    }

    async fn judge(&mut self, world: &World) {
        let version = self.before + 1;
        assert_eq!(world.number(NEWEST).await, version, "asked for once");
        let state = world.text("SELECT state AS text FROM base_versions ORDER BY number DESC LIMIT 1").await;
        assert_eq!(state, "ready");
        let rolls = "SELECT COUNT(*) AS number FROM base_rolls o JOIN base_versions v ON v.id = o.version_id JOIN services s ON s.id = o.service_id";
        let passed = "(SELECT COUNT(*) FROM runs r WHERE r.id = o.run_id AND r.state = 'passed' AND r.candidate_id IS NOT NULL) = 1";
        let rolled = format!("{rolls} WHERE v.number = {version} AND s.name = 'based' AND {passed}");
        assert_eq!(world.number(&rolled).await, 1, "run once, and it stands on the new version");
        let noted = format!("{rolls} WHERE v.number = {version} AND s.name = '{HEADLESS}' AND o.note IS NOT NULL");
        assert_eq!(world.number(&noted).await, 1, "what cannot be run says why");
        let stand = "SELECT COUNT(*) AS number FROM candidate_bases c JOIN base_versions v ON v.id = c.version_id WHERE c.newest = TRUE";
        assert_eq!(world.number(&format!("{stand} AND v.number = {version}")).await, 1);
    }
}

/// A version is cancelled in the middle of its build.
struct Stopping;

const STOPPED: &str = "FROM base_versions WHERE base_id = (SELECT id FROM bases WHERE name = 'stopped') ORDER BY created_at DESC LIMIT 1";

#[async_trait(?Send)]
impl Operation for Stopping {
    fn name(&self) -> String {
        "stopped base".into()
    }

    async fn prepare(&mut self, world: &mut World) {
        world.count += 1;
        let state = format!("SELECT state AS text {STOPPED}");
        if world.number("SELECT COUNT(*) AS number FROM bases WHERE name = 'stopped'").await == 0 {
            let base = json!({ "name": "stopped", "dockerfile": format!("FROM {BUSYBOX}\nRUN true\n") });
            assert_eq!(world.send("POST", BASES, base).await.unwrap().0, 202);
            world.until("the first version is there", async || (world.text(&state).await == "ready").then_some(())).await;
        }
        world.settles().await;
        // It tells of its step, and goes on for longer than Berth takes to come back.
        let asked = json!({ "dockerfile": format!("FROM {BUSYBOX}\nRUN echo {}; sleep 20\n", world.count) });
        assert_eq!(world.send("POST", &format!("{BASES}/stopped/actions/rebuild"), asked).await.unwrap().0, 202);
        let steps = format!("SELECT log AS text {STOPPED}");
        world.until("its step runs", async || world.text(&steps).await.contains("Step 2/").then_some(())).await;
    }

    async fn act(&mut self, world: &mut World) {
        drop(world.send("POST", &format!("{BASES}/stopped/actions/cancel"), json!({})).await);
    }

    async fn taken(&mut self, world: &World) -> bool {
        world.number(&format!("SELECT COALESCE(cancel_asked_at, 0) AS number {STOPPED}")).await > 0
    }

    async fn judge(&mut self, world: &World) {
        assert_eq!(world.text(&format!("SELECT state AS text {STOPPED}")).await, "cancelled");
        let ready = "SELECT COUNT(*) AS number FROM base_versions WHERE state = 'ready' AND gone_at IS NULL AND base_id = (SELECT id FROM bases WHERE name = 'stopped')";
        assert_eq!(world.number(ready).await, 1, "the version before stays");
    }
}
