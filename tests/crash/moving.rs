//! A service that is built from another repository in future.

use async_trait::async_trait;
use serde_json::json;

use super::{operations::Operation, world::World};

pub(super) fn all() -> Vec<Box<dyn Operation>> {
    vec![Box::new(Moving { to: String::new() })]
}

struct Moving {
    /// The repository, made with the move.
    to: String,
}

const RUNS: &str =
    "SELECT COUNT(*) AS number FROM runs r JOIN services s ON s.id = r.service_id JOIN repositories p ON p.id = s.repository_id
  WHERE s.name = 'plain'";

impl Moving {
    async fn repository(&self, world: &World) -> String {
        let sql = "SELECT p.name AS text FROM services s JOIN repositories p ON p.id = s.repository_id WHERE s.name = 'plain'";
        world.text(sql).await
    }
}

#[async_trait(?Send)]
impl Operation for Moving {
    fn name(&self) -> String {
        "move".into()
    }

    async fn prepare(&mut self, world: &mut World) {
        world.count += 1;
        self.to = format!("apart{}", world.count);
    }

    async fn act(&mut self, world: &mut World) {
        let path = "/teams/demo/services/plain/actions/move";
        world.send("POST", path, json!({ "repository": self.to, "create": true })).await;
    }

    async fn taken(&mut self, world: &World) -> bool {
        self.repository(world).await == self.to
    }

    /// All or nothing: where it is built from, its runs left where their commits are, and the event.
    async fn judge(&mut self, world: &World) {
        assert_eq!(self.repository(world).await, self.to);
        assert_eq!(world.number(&format!("{RUNS} AND COALESCE(r.repository_id, s.repository_id) = p.id")).await, 0, "runs moved along");
        let told = format!("SELECT COUNT(*) AS number FROM events WHERE action = 'service.moved' AND detail LIKE '%to {}:%'", self.to);
        assert_eq!(world.number(&told).await, 1);
    }
}
