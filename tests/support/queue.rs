//! Teams, services and queued runs, as rows: enough for the queue.

use app::model::{RunEvent, RunId, RunState, ServiceId, StageKind, TeamId};
use server::{
    args,
    store::{
        Db,
        runs::{self, NewRun, NewStage, Trust},
    },
};

/// A team with services, each with a repository.
pub(crate) async fn team(db: &Db, name: &str, services: usize) -> (TeamId, Vec<ServiceId>) {
    let team = TeamId::from_text(name);
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO teams (id, name, created_at) VALUES ($1, $2, 0)", args![&team, name]).await.unwrap();
    let mut made = Vec::new();
    for number in 0..services {
        let id = ServiceId::from_text(format!("{name}-{number}"));
        tx.execute(
            "INSERT INTO repositories (id, team_id, name, default_branch, created_at) VALUES ($1, $2, $1, 'main', 0)",
            args![&id, &team],
        )
        .await
        .unwrap();
        tx.execute(
            "INSERT INTO services (id, team_id, name, description, repository_id, created_at) VALUES ($1, $2, $1, '', $1, 0)",
            args![&id, &team],
        )
        .await
        .unwrap();
        made.push(id);
    }
    tx.commit().await.unwrap();
    (team, made)
}

/// A run to be queued, of which nothing matters but where it belongs.
pub(crate) fn new_run<'a>(team: &'a TeamId, service: &'a ServiceId, branch: &'a str) -> NewRun<'a> {
    NewRun {
        team,
        service,
        state: RunState::Queued,
        failure: None,
        commit: "c",
        title: "t",
        author: "a",
        branch,
        pushed_by: "ann",
        reason: "why",
        pipeline: "null",
        repository: None,
        push: None,
        plan: "",
        kept: None,
        group: None,
        event: RunEvent::Push,
        inputs: "{}",
        trust: Trust::Trusted,
    }
}

/// Queues a run with one stage.
pub(crate) async fn queue(db: &Db, team: &TeamId, service: &ServiceId, branch: &str) -> RunId {
    queue_new(db, &new_run(team, service, branch)).await.0
}

/// Queues this run with one stage.
pub(crate) async fn queue_new(db: &Db, new: &NewRun<'_>) -> (RunId, u64) {
    let stage = NewStage {
        position: 0,
        name: "fast".into(),
        kind: StageKind::Steps,
        attempt: 1,
        steps: vec![("unit".into(), "i".into())],
        sidecars: vec![],
        skipped: vec![],
    };
    let mut tx = db.begin().await.unwrap();
    let queued = runs::insert(&mut tx, new, &[stage]).await.unwrap();
    tx.commit().await.unwrap();
    queued
}
