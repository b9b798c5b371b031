//! Images that nobody needs any more: given up, and removed.

use async_trait::async_trait;
use serde_json::Value;

use super::{
    operations::Operation,
    world::{PLAIN as PATH, World},
};
use crate::support::images::BUSYBOX;

pub(super) fn all() -> Vec<Box<dyn Operation>> {
    vec![Box::new(Forget { count: 0 })]
}

/// A start that finds candidates of long ago.
struct Forget {
    count: u32,
}

const PLAIN: &str = "FROM services WHERE name = 'plain' AND deleted_at IS NULL";
const KEPT: &str = "SELECT COUNT(*) AS number FROM candidates c JOIN services s ON s.id = c.service_id WHERE s.name = 'plain' AND";

impl Forget {
    /// How many of this time's are removed.
    fn removed(&self) -> String {
        format!("{KEPT} c.run_id = 'aged-{}' AND c.removed_at IS NOT NULL", self.count)
    }
}

#[async_trait(?Send)]
impl Operation for Forget {
    fn name(&self) -> String {
        "forget".into()
    }

    async fn prepare(&mut self, world: &mut World) {
        world.count += 1;
        self.count = world.count;
        // What stays has an image that is there; what goes has one that nobody ever saw.
        let stays = world.engine.docker().inspect_image(BUSYBOX).await.unwrap().id.unwrap();
        let n = self.count;
        let statements = [
            format!(
                "INSERT INTO runs (id, team_id, service_id, number, state, commit_id, title, author, branch, pushed_by, reason, pipeline,
                   created_at, started_at, finished_at)
                 SELECT 'aged-{n}', team_id, id, next_run, 'passed', '{}', 't', 'a', 'aged', 'p', 'r', 'null', 0, 0, 0 {PLAIN}",
                "0123456789".repeat(4)
            ),
            format!(
                "INSERT INTO candidates (id, team_id, service_id, number, image, size, commit_id, title, branch, run_id, run_number, shape,
                   created_at)
                 WITH RECURSIVE seq (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM seq WHERE n < 21)
                 SELECT 'aged-{n}-' || seq.n, team_id, id, next_candidate + seq.n,
                   CASE WHEN seq.n < 2 THEN 'sha256:' || printf('%064d', {n} * 100 + seq.n) ELSE '{stays}' END,
                   1, 'c', 't', 'aged', 'aged-{n}', next_run, '{{\"processes\":{{}}}}', 0 FROM services CROSS JOIN seq
                 WHERE name = 'plain' AND deleted_at IS NULL"
            ),
            "UPDATE services SET next_run = next_run + 1, next_candidate = next_candidate + 22 WHERE name = 'plain'".to_owned(),
        ];
        let db = world.berth.db().await;
        let mut tx = db.begin().await.unwrap();
        for statement in statements {
            tx.execute(statement, server::args![]).await.unwrap();
        }
        tx.commit().await.unwrap();
        db.close().await;
    }

    async fn act(&mut self, world: &mut World) {
        world.berth.kill();
        world.berth.begin();
        while !world.berth.is_over() && world.number(&self.removed()).await < 2 {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        let newest = "SELECT MAX(c.number) AS number FROM candidates c JOIN services s ON s.id = c.service_id WHERE s.name = 'plain'";
        let path = format!("{PATH}/candidates/{}/actions/hold", world.number(newest).await);
        while !world.berth.is_over() && world.send("POST", &path, Value::Null).await.is_none() {
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
    }

    async fn judge(&mut self, world: &World) {
        let removed = self.removed();
        world.until("what nobody needs is removed", async || (world.number(&removed).await == 2).then_some(())).await;
        let there = format!("{KEPT} c.run_id = 'aged-{}' AND c.gone_at IS NULL", self.count);
        assert_eq!(world.number(&there).await, 20, "the newest stay");
    }
}
