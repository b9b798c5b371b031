//! A hook says that something moved elsewhere: it is fetched, run, approved where somebody must, and the forge is told.

use std::{fs, time::Duration};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{operations::Operation, world::World};
use crate::support::{
    forge::{Forge, TOKEN, sign},
    images::BUSYBOX,
};

pub(super) fn all() -> Vec<Box<dyn Operation>> {
    vec![Box::new(Mirroring { forge: None, trunk: String::new(), change: String::new() }), Box::new(Becoming { forge: None })]
}

struct Mirroring {
    forge: Option<Forge>,
    /// The commit of the default branch.
    trunk: String,
    /// The commit that somebody proposes.
    change: String,
}

const MIRRORED: &str = "/teams/demo/services/mirrored";

impl Mirroring {
    fn forge(&self) -> &Forge {
        self.forge.as_ref().unwrap()
    }

    async fn runs(&self, world: &World, commit: &str, which: &str) -> i64 {
        world.number(&format!("SELECT COUNT(*) AS number FROM runs WHERE commit_id = '{commit}' AND {which}")).await
    }

    async fn hook(&self, world: &World) -> Option<u16> {
        let (_, made) = world.send("POST", &format!("{MIRRORED}/mirror/actions/new-hook"), json!({})).await?;
        let text = |name: &str| made[name].as_str().map(str::to_owned);
        let signature = sign(&text("secret")?, b"{}");
        let sent = reqwest::Client::new().post(text("url")?).header("x-gitea-signature", signature).body("{}").send().await;
        sent.ok().map(|answer| answer.status().as_u16())
    }

    /// Waits for the run of the change, as far as Berth is there to make it.
    async fn held(&self, world: &mut World) -> Option<i64> {
        let waits = format!("SELECT number FROM runs WHERE commit_id = '{}' AND held = TRUE AND state = 'queued'", self.change);
        let began = std::time::Instant::now();
        while !world.berth.is_over() && began.elapsed() < Duration::from_secs(20) {
            match world.number(&waits).await {
                0 if self.runs(world, &self.change, "held = FALSE").await > 0 => return None,
                0 => tokio::time::sleep(Duration::from_millis(50)).await,
                number => return Some(number),
            }
        }
        None
    }
}

#[async_trait(?Send)]
impl Operation for Mirroring {
    fn name(&self) -> String {
        "mirror".into()
    }

    async fn prepare(&mut self, world: &mut World) {
        if self.forge.is_none() {
            self.forge = Some(Forge::new().await);
        }
        world.count += 1;
        let service = format!(
            "  mirrored: {{ on: {{ pull_request: true }}, stages: [{{ name: fast, steps: [{{ name: unit, image: \"{BUSYBOX}\", network: none, run: [\"true\"] }}] }}] }}\n"
        );
        fs::write(world.copy.join("berth.yaml"), format!("version: 1\nservices:\n{service}")).unwrap();
        fs::write(world.copy.join("Dockerfile"), format!("FROM {BUSYBOX}\nLABEL count=\"{}\"\n", world.count)).unwrap();
        world.git(&["add", "-A"]);
        let repository = self.forge().repository().display().to_string();
        if world.number("SELECT COUNT(*) AS number FROM services WHERE name = 'mirrored'").await == 0 {
            world.git(&["commit", "-q", "--allow-empty", "-m", "Before"]);
            world.git(&["push", "-q", "-f", &repository, "HEAD:trunk"]);
            let mirror = json!({ "address": self.forge().address(), "token": TOKEN, "forge": "gitea" });
            let body = json!({ "name": "mirrored", "environments": [], "mirror": mirror });
            assert!(world.send("POST", "/teams/demo/services", body).await.unwrap().0 < 300);
            let fetched = "SELECT COUNT(*) AS number FROM mirrors WHERE fetched_at IS NOT NULL";
            world.until("it is fetched first", async || (world.number(fetched).await == 1).then_some(())).await;
        }
        world.settles().await;
        world.git(&["commit", "-q", "--allow-empty", "-m", "There"]);
        self.trunk = world.git(&["rev-parse", "HEAD"]);
        world.git(&["commit", "-q", "--allow-empty", "-m", "Proposed"]);
        self.change = world.git(&["rev-parse", "HEAD"]);
        world.git(&["push", "-q", "-f", &repository, "HEAD~1:trunk", "HEAD:refs/pull/1/head"]);
    }

    async fn act(&mut self, world: &mut World) {
        if self.hook(world).await != Some(202) {
            return;
        }
        if let Some(number) = self.held(world).await {
            drop::<Option<(u16, Value)>>(world.send("POST", &format!("{MIRRORED}/runs/{number}/actions/approve"), json!({})).await);
        }
    }

    /// A hook that was answered needs nobody to send it again, nor does an approval.
    async fn taken(&mut self, world: &World) -> bool {
        let made =
            async || (self.runs(world, &self.trunk, "1 = 1").await > 0 && self.runs(world, &self.change, "1 = 1").await > 0).then_some(());
        let wanted = "SELECT COUNT(*) AS number FROM mirrors WHERE wanted_at IS NOT NULL OR lease_until IS NOT NULL";
        if made().await.is_none()
            && world.number(wanted).await == 0
            && world.number("SELECT COUNT(*) AS number FROM ref_changes WHERE handled_at IS NULL").await == 0
        {
            return false;
        }
        world.until("what moved made runs", made).await;
        self.runs(world, &self.change, "held = TRUE").await == 0
    }

    async fn judge(&mut self, world: &World) {
        assert_eq!(self.runs(world, &self.trunk, "1 = 1").await, 1, "once");
        assert_eq!(self.runs(world, &self.trunk, "state = 'passed' AND candidate_id IS NOT NULL").await, 1);
        assert_eq!(self.runs(world, &self.change, "1 = 1").await, 1, "once");
        assert_eq!(self.runs(world, &self.change, "state = 'passed' AND candidate_id IS NULL AND approved_by IS NOT NULL").await, 1);
        for commit in [&self.trunk, &self.change] {
            assert_eq!(self.forge().states(commit).last().map(String::as_str), Some("success"), "the newest is told last");
        }
    }
}

/// A repository that was pushed to becomes a mirror.
struct Becoming {
    forge: Option<Forge>,
}

impl Becoming {
    /// The rows of the mirror of the service that this is done with.
    fn of(world: &World, which: &str) -> String {
        let repository = format!("(SELECT repository_id FROM services WHERE name = 'later{}')", world.count);
        format!("SELECT COUNT(*) AS number FROM mirrors WHERE repository_id = {repository} AND {which}")
    }
}

#[async_trait(?Send)]
impl Operation for Becoming {
    fn name(&self) -> String {
        "later mirror".into()
    }

    async fn prepare(&mut self, world: &mut World) {
        if self.forge.is_none() {
            let forge = Forge::new().await;
            let _ = fs::remove_file(world.copy.join("berth.yaml"));
            fs::write(world.copy.join("Dockerfile"), format!("FROM {BUSYBOX}\nLABEL later=\"\"\n")).unwrap();
            world.git(&["add", "-A"]);
            world.git(&["commit", "-q", "--allow-empty", "-m", "Elsewhere"]);
            world.git(&["push", "-q", "-f", &forge.repository().display().to_string(), "HEAD:trunk"]);
            self.forge = Some(forge);
        }
        world.count += 1;
        let body = json!({ "name": format!("later{}", world.count), "environments": [] });
        assert!(world.send("POST", "/teams/demo/services", body).await.unwrap().0 < 300);
        world.settles().await;
    }

    async fn act(&mut self, world: &mut World) {
        let mirror = json!({ "address": self.forge.as_ref().unwrap().address(), "token": TOKEN, "forge": "gitea" });
        drop(world.send("POST", &format!("/teams/demo/services/later{}/mirror", world.count), mirror).await);
    }

    async fn taken(&mut self, world: &World) -> bool {
        world.number(&Self::of(world, "1 = 1")).await > 0
    }

    async fn judge(&mut self, world: &World) {
        assert_eq!(world.number(&Self::of(world, "fetched_at IS NOT NULL AND failure IS NULL")).await, 1, "it is one, and was fetched");
    }
}
