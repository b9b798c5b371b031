//! A row of garbage is set aside; everything else goes on.

use app::model::TeamId;
use server::{
    args,
    control::platform::seed,
    store::{
        Db, StoreError,
        board::{self, Look},
        environments, sessions, teams,
    },
};

use super::on_both;

on_both! { garbage_is_set_aside seeding_twice_changes_nothing sessions_end }

async fn garbage_is_set_aside(db: Db) {
    seed(&db).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    for (id, name) in [("1", "good"), ("2", "Not A Name"), ("3", "fine")] {
        tx.execute("INSERT INTO teams (id, name, created_at) VALUES ($1, $2, 0)", args![id, name]).await.unwrap();
    }
    tx.execute("UPDATE environments SET profile = 'garbage' WHERE name = 'staging'", args![]).await.unwrap();
    tx.commit().await.unwrap();
    let names: Vec<_> = teams::list(&db, None).await.unwrap().into_iter().map(|team| team.name.to_string()).collect();
    assert_eq!(names, ["fine", "good"]);
    let names: Vec<_> = environments::list(&db).await.unwrap().into_iter().map(|environment| environment.name.to_string()).collect();
    assert_eq!(names, ["dev", "production"]);
    let error = teams::name_of(&db, &TeamId::from_text("2")).await.unwrap_err();
    assert!(matches!(&error, StoreError::Unreadable { column, .. } if column == "name"), "{error:?}");

    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO repositories (id, team_id, name, default_branch, created_at) VALUES ('r', '1', 's', 'main', 0)", args![])
        .await
        .unwrap();
    tx.execute(
        "INSERT INTO services (id, team_id, name, description, repository_id, created_at) VALUES ('s', '1', 's', '', 'r', 0)",
        args![],
    )
    .await
    .unwrap();
    for (name, replicas) in [("dev", "{\"web\":1}"), ("production", "not json")] {
        tx.execute(
            "INSERT INTO targets (id, team_id, service_id, environment_id, replicas, config_set_id, created_at)
             SELECT name, '1', 's', id, $2, 'c', 0 FROM environments WHERE name = $1",
            args![name, replicas],
        )
        .await
        .unwrap();
    }
    tx.commit().await.unwrap();
    let (team, service) = (TeamId::from_text("1"), "s".parse().unwrap());
    let rows = board::targets(&db, Look::at(&team, &service)).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.environment.as_str()).collect::<Vec<_>>(), ["dev"]);
}

async fn seeding_twice_changes_nothing(db: Db) {
    seed(&db).await.unwrap();
    seed(&db).await.unwrap();
    let all = environments::list(&db).await.unwrap();
    let shown: Vec<_> = all.iter().map(|e| (e.name.as_str(), e.default_replicas, e.auto_deploy, e.stabilisation_ms)).collect();
    assert_eq!(shown, [("dev", 1, true, 3_000), ("staging", 1, false, 5_000), ("production", 2, false, 10_000)]);
}

async fn sessions_end(db: Db) {
    use app::model::Timestamp;
    let mut tx = db.begin().await.unwrap();
    sessions::insert(&mut tx, "a", "1", Timestamp(1_000)).await.unwrap();
    sessions::insert(&mut tx, "b", "2", Timestamp(2_000)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(sessions::load(&db, "a", Timestamp(999)).await.unwrap().is_some());
    assert!(sessions::load(&db, "a", Timestamp(1_000)).await.unwrap().is_none());
    let mut tx = db.begin().await.unwrap();
    assert_eq!(sessions::delete_expired(&mut tx, Timestamp(1_500)).await.unwrap(), 1);
    sessions::update(&mut tx, "a", "x", Timestamp(9_000)).await.unwrap();
    tx.commit().await.unwrap();
    assert!(sessions::load(&db, "a", Timestamp(0)).await.unwrap().is_none(), "what is gone stays gone");
}
