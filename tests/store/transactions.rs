//! What a transaction promises.

use app::model::Timestamp;
use server::{
    args, clock,
    store::{Db, Query as _, StoreError, sessions},
};
use tokio::task::JoinSet;

use super::on_both;

on_both! { all_or_nothing the_outside_sees_it_when_it_is_done adding_up_loses_nothing claims_are_never_shared a_taken_name_is_said_so }

const LATER: Timestamp = Timestamp(9_000_000_000_000);

async fn all_or_nothing(db: Db) {
    let mut tx = db.begin().await.unwrap();
    assert!(sessions::insert(&mut tx, "a", "{}", LATER).await.unwrap());
    drop(tx);
    assert_eq!(sessions::load(&db, "a", clock::now()).await.unwrap(), None);
    let mut tx = db.begin().await.unwrap();
    assert!(sessions::insert(&mut tx, "a", "{}", LATER).await.unwrap());
    assert!(!sessions::insert(&mut tx, "a", "other", LATER).await.unwrap(), "an id is given once");
    tx.commit().await.unwrap();
    assert_eq!(sessions::load(&db, "a", clock::now()).await.unwrap().as_deref(), Some("{}"));
}

async fn the_outside_sees_it_when_it_is_done(db: Db) {
    let mut tx = db.begin().await.unwrap();
    sessions::insert(&mut tx, "a", "{}", LATER).await.unwrap();
    assert_eq!(sessions::load(&db, "a", clock::now()).await.unwrap(), None, "not before its commit");
    assert!(sessions::load(&mut tx, "a", clock::now()).await.unwrap().is_some(), "inside at once");
    tx.commit().await.unwrap();
    assert!(sessions::load(&db, "a", clock::now()).await.unwrap().is_some());
}

/// Sixteen writers read a number and write it back one higher, fifteen times each.
async fn adding_up_loses_nothing(db: Db) {
    let mut tx = db.begin().await.unwrap();
    tx.execute("INSERT INTO leases (name, holder, fence, until) VALUES ('sum', 'nobody', 0, 0)", args![]).await.unwrap();
    tx.commit().await.unwrap();
    let mut writers = JoinSet::new();
    for _ in 0..16 {
        let db = db.clone();
        writers.spawn(async move {
            for _ in 0..15 {
                let mut tx = db.begin().await.unwrap();
                tx.lock("sum").await.unwrap();
                let row = tx.fetch_opt("SELECT fence FROM leases WHERE name = 'sum'", args![]).await.unwrap().unwrap();
                let next = row.int("fence").unwrap() + 1;
                tx.execute("UPDATE leases SET fence = $1 WHERE name = 'sum'", args![next]).await.unwrap();
                tx.commit().await.unwrap();
            }
        });
    }
    while let Some(done) = writers.join_next().await {
        done.unwrap();
    }
    let row = db.fetch_opt("SELECT fence FROM leases WHERE name = 'sum'", args![]).await.unwrap().unwrap();
    assert_eq!(row.int("fence").unwrap(), 240);
}

/// Eight claimers take from forty rows: each row is taken once.
async fn claims_are_never_shared(db: Db) {
    let mut tx = db.begin().await.unwrap();
    for n in 0..40 {
        tx.execute("INSERT INTO leases (name, holder, fence, until) VALUES ($1, '', 0, 0)", args![format!("job {n}")]).await.unwrap();
    }
    tx.commit().await.unwrap();
    let mut claimers = JoinSet::new();
    for claimer in 0..8 {
        let db = db.clone();
        claimers.spawn(async move {
            let mut taken = Vec::new();
            loop {
                let mut tx = db.begin().await.unwrap();
                let sql = format!("SELECT name FROM leases WHERE holder = '' ORDER BY name LIMIT 1{}", tx.skip_locked());
                let Some(row) = tx.fetch_opt(sql, args![]).await.unwrap() else { break taken };
                let name = row.text("name").unwrap();
                tx.execute("UPDATE leases SET holder = $2 WHERE name = $1", args![&name, claimer.to_string()]).await.unwrap();
                tx.commit().await.unwrap();
                taken.push(name);
            }
        });
    }
    let mut all = Vec::new();
    while let Some(taken) = claimers.join_next().await {
        all.extend(taken.unwrap());
    }
    all.sort();
    assert_eq!(all.len(), 40);
    all.dedup();
    assert_eq!(all.len(), 40);
}

async fn a_taken_name_is_said_so(db: Db) {
    let mut tx = db.begin().await.unwrap();
    let sql = "INSERT INTO teams (id, name, created_at) VALUES ($1, 'a', 0)";
    tx.execute(sql, args!["1"]).await.unwrap();
    let error = tx.execute(sql, args!["2"]).await.unwrap_err();
    assert!(matches!(error, StoreError::Taken(_)), "{error:?}");
}
