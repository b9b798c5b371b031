//! Rows of mirrors, and of what forges are told, that do not read: they are set aside with the reason, and hold nobody up.

use app::model::Timestamp;
use server::{
    args, clock,
    store::{Db, Query as _, forge_statuses, mirrors},
};

use super::on_both;

on_both! { a_mirror_that_does_not_read_holds_up_no_other statuses_that_do_not_read_hold_up_no_other }

/// So many are told at once; there are more that do not read.
const AT_ONCE: u32 = 8;

async fn run(db: &Db, sql: &str) {
    let mut tx = db.begin().await.unwrap();
    tx.execute(sql, args![]).await.unwrap();
    tx.commit().await.unwrap();
}

/// A team `t` with a service `s`, and repositories by these names.
async fn furnish(db: &Db, repositories: &[&str]) {
    run(db, "INSERT INTO teams (id, name, created_at) VALUES ('t', 'team', 0)").await;
    for name in repositories {
        let sql = "INSERT INTO repositories (id, team_id, name, default_branch, created_at) VALUES ('NAME', 't', 'NAME', 'main', 0)";
        run(db, &sql.replace("NAME", name)).await;
        let sql = "INSERT INTO mirrors (repository_id, team_id, address, forge, hook_id, statuses, every_ms, due_at)
                   VALUES ('NAME', 't', 'https://git.example.org/a/b', 'gitea', 'NAME', TRUE, 300000, 1)";
        run(db, &sql.replace("NAME", name)).await;
    }
    let sql =
        "INSERT INTO services (id, team_id, name, description, repository_id, created_at) VALUES ('s', 't', 'service', '', 'good', 0)";
    run(db, sql).await;
}

async fn text(db: &Db, sql: &str) -> Option<String> {
    db.fetch_opt(sql, args![]).await.unwrap().unwrap().text_opt("text").unwrap()
}

async fn number(db: &Db, sql: &str) -> Option<i64> {
    db.fetch_opt(sql, args![]).await.unwrap().unwrap().int_opt("number").unwrap()
}

async fn a_mirror_that_does_not_read_holds_up_no_other(db: Db) {
    furnish(&db, &["broken", "wanted", "good"]).await;
    run(&db, "UPDATE mirrors SET forge = 'garbage', due_at = 0 WHERE repository_id = 'broken'").await;
    run(&db, "UPDATE mirrors SET every_ms = -1, due_at = 0, wanted_at = 1 WHERE repository_id = 'wanted'").await;
    let began = clock::now();
    let claim = async || mirrors::claim(&db, "me", clock::now().plus(std::time::Duration::from_secs(60))).await.unwrap();

    assert_eq!(claim().await.unwrap().repository.as_str(), "good");
    assert_eq!(claim().await, None, "and those are not claimed again at once");
    assert!(mirrors::next(&db).await.unwrap().unwrap() > began, "nor looked for");
    for (name, column) in [("broken", "forge"), ("wanted", "every_ms")] {
        let of = |what: &str| format!("SELECT {what} FROM mirrors WHERE repository_id = '{name}'");
        let why = text(&db, &of("failure AS text")).await.unwrap();
        assert!(why.contains(&format!("does not read ({column})")), "{why}");
        assert!(number(&db, &of("due_at AS number")).await.unwrap() > began.0 && number(&db, &of("wanted_at AS number")).await.is_none());
    }

    // Mended, and wanted by somebody: it is fetched as any other.
    run(&db, "UPDATE mirrors SET forge = 'github', wanted_at = 1, tried_at = NULL WHERE repository_id = 'broken'").await;
    let mended = claim().await.unwrap();
    assert_eq!((mended.repository.as_str(), mended.failure.is_some()), ("broken", true));
}

async fn statuses_that_do_not_read_hold_up_no_other(db: Db) {
    furnish(&db, &["good"]).await;
    let insert = async |id: &str, team: &str, state: &str, due: u32| {
        let sql = format!(
            "INSERT INTO forge_statuses (id, team_id, repository_id, service_id, run_id, run_number, commit_id, state, version, due_at, changed_at)
             VALUES ('{id}', '{team}', 'good', 's', 'r', 1, '{id}', '{state}', 1, {due}, 1)"
        );
        run(&db, &sql).await;
    };
    for n in 0..AT_ONCE {
        insert(&format!("bad{n}"), "t", "garbage", 1).await;
    }
    // Of a team that is not there.
    insert("nobody", "gone", "passed", 2).await;
    insert("good", "t", "passed", 3).await;

    let taken = forge_statuses::take(&db, AT_ONCE).await.unwrap();
    assert_eq!(taken.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), ["good"]);
    let due = "SELECT COUNT(*) AS number FROM forge_statuses WHERE due_at IS NOT NULL";
    assert_eq!(number(&db, due).await, Some(1), "what does not read is not due any more");
    for (id, column) in [("bad0", "state"), ("nobody", "team")] {
        let why = text(&db, &format!("SELECT failure AS text FROM forge_statuses WHERE id = '{id}'")).await.unwrap();
        assert!(why.contains(&format!("does not read ({column})")), "{why}");
    }
    assert!(forge_statuses::take(&db, AT_ONCE).await.unwrap().is_empty(), "it is in somebody's hands");
    let mut tx = db.begin().await.unwrap();
    forge_statuses::told(&mut tx, &taken[0]).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(forge_statuses::next(&db).await.unwrap(), None::<Timestamp>);
}
