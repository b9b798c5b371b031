//! Row 3: how soon a changed route is live among ten thousand. The store is SQLite, as by default.

use std::time::Instant;

use app::model::{TargetId, Timestamp};
use server::{
    args,
    edge::{Edge, Options},
    store::{Db, backends},
    wake::Wake,
};

use crate::method::{Row, Table, bootstrap, said};

const CHANGES: usize = 30;

pub(crate) fn run(table: &mut Table) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let live = bootstrap(&runtime.block_on(changes()));
    table.add(Row {
        number: "3",
        what: "edge: one route changed of 10,000, from the commit until it serves".to_owned(),
        limit: "-".to_owned(),
        figure: format!("{} ({} to {})", said(live.middle), said(live.low), said(live.high)),
        budget: "< 5 ms".to_owned(),
        met: Some(live.middle < 5e-3),
    });
}

/// Seconds from each change to the moment the edge serves by it.
async fn changes() -> Vec<f64> {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&format!("sqlite:{}", folder.path().join("berth.db").display())).await.unwrap();
    fill(&db).await;
    let wake = Wake::default();
    let options = Options::new(([127, 0, 0, 1], 0).into(), folder.path().join("edge-table.json"));
    let edge = Edge::start(options, db.clone(), wake.clone()).await.unwrap();
    let target = TargetId::from_text("t5000");
    let mut seconds = Vec::new();
    for change in 0..CHANGES {
        let release = 2 + change as u64;
        let mut tx = db.begin().await.unwrap();
        backends::put(&mut tx, &target, release, "web", 0, ([10, 0, 0, 2], 8_080).into(), Timestamp(1)).await.unwrap();
        tx.commit().await.unwrap();
        let began = Instant::now();
        wake.route(&target);
        edge.wait_for(&target, release).await;
        seconds.push(began.elapsed().as_secs_f64());
    }
    seconds
}

/// Ten thousand services, each with a route and an instance.
async fn fill(db: &Db) {
    const MANY: &str = "WITH RECURSIVE many (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM many WHERE n < 9999)";
    let rows = [
        "INSERT INTO teams (id, name, created_at) VALUES ('team', 'team', 0)".to_owned(),
        "INSERT INTO environments (id, name, position, pool, default_replicas, auto_deploy, stabilisation_ms, deadline_ms, profile, created_at)
         VALUES ('bench', 'bench', 99, 'default', 1, FALSE, 0, 0, 'baseline', 0)"
            .to_owned(),
        "INSERT INTO repositories (id, team_id, name, default_branch, created_at) VALUES ('r', 'team', 'r', 'main', 0)".to_owned(),
        format!("{MANY} INSERT INTO services (id, team_id, name, description, repository_id, created_at) SELECT 's' || n, 'team', 's' || n, '', 'r', 0 FROM many"),
        format!(
            "{MANY} INSERT INTO targets (id, team_id, service_id, environment_id, replicas, config_set_id, created_at)
             SELECT 't' || n, 'team', 's' || n, 'bench', '{{}}', 'c', 0 FROM many"
        ),
        format!(
            "{MANY} INSERT INTO routes (id, team_id, target_id, host, path, is_default, created_at)
             SELECT 'r' || n, 'team', 't' || n, 'service' || n || '-team.production.apps.example.org', '/', TRUE, 0 FROM many"
        ),
        format!(
            "{MANY} INSERT INTO backends (target_id, release_number, process, slot, address, since)
             SELECT 't' || n, 1, 'web', 0, '10.0.0.1:8080', 0 FROM many"
        ),
    ];
    let mut tx = db.begin().await.unwrap();
    for row in rows {
        tx.execute(&row, args![]).await.unwrap();
    }
    tx.commit().await.unwrap();
}
