//! What steps leave for the next: who gets what, on both databases.

use app::model::{CacheEnd, CacheId, RunState, StepId, Timestamp};
use server::{
    args, clock,
    store::{
        Db, Query as _,
        caches::{self, Taken, Wanted},
        runs::{self, RunRow},
    },
};

use super::on_both;
use crate::support::queue;

const LONG: Timestamp = Timestamp(0);

/// A run under way, and its step.
async fn under_way(db: &Db) -> (RunRow, StepId) {
    let (team, services) = queue::team(db, "a", 1).await;
    let id = queue::queue(db, &team, &services[0], "main").await;
    let mut tx = db.begin().await.unwrap();
    let sql = "UPDATE runs SET state = 'running', fence = 1, holder = 'me', lease_until = 9000000000000 WHERE id = $1";
    tx.execute(sql, args![&id]).await.unwrap();
    tx.commit().await.unwrap();
    let run = runs::row(db, &id).await.unwrap().unwrap();
    let rows = db.fetch_all("SELECT id FROM steps", args![]).await.unwrap();
    (run, StepId::from_text(rows[0].text("id").unwrap()))
}

async fn take(db: &Db, run: &RunRow, step: &str, made_for: &str) -> Option<Taken> {
    let mut tx = db.begin().await.unwrap();
    let wanted = Wanted { path: "/kept", image: "shell", made_for };
    let taken = caches::take(&mut tx, run, &StepId::from_text(step), wanted).await.unwrap();
    tx.commit().await.unwrap();
    taken
}

async fn change<T>(db: &Db, how: impl AsyncFnOnce(&mut server::store::Tx) -> Result<T, server::store::StoreError>) -> T {
    let mut tx = db.begin().await.unwrap();
    let done = how(&mut tx).await.unwrap();
    tx.commit().await.unwrap();
    done
}

async fn back(db: &Db, step: &str, whole: bool) -> bool {
    change(db, async |tx| caches::give_back(tx, &StepId::from_text(step), whole).await).await
}

async fn one_step_at_a_time_has_a_cache(db: Db) {
    let (run, _) = under_way(&db).await;
    let first = take(&db, &run, "one", "x").await.unwrap();
    let second = take(&db, &run, "two", "x").await.unwrap();
    assert!(first.id != second.id && first.of_run.is_none() && second.copy_of.is_none());
    assert!(back(&db, "one", true).await && !back(&db, "one", true).await, "once");
    // For the same files: the same. For others: a copy of it, which nobody else has meanwhile.
    let third = take(&db, &run, "three", "x").await.unwrap();
    assert_eq!((&third.id, third.of_run, &third.copy_of), (&first.id, Some(1), &None));
    back(&db, "three", true).await;
    let fourth = take(&db, &run, "four", "y").await.unwrap();
    assert_eq!((fourth.of_run, fourth.copy_of.as_ref()), (Some(1), Some(&first.id)));
    assert_eq!(take(&db, &run, "five", "x").await.unwrap().of_run, None, "held while it is copied");
    change(&db, async |tx| caches::copied(tx, &StepId::from_text("four"), None).await).await;
    assert_eq!(take(&db, &run, "six", "x").await.unwrap().id, first.id);
    // Ended from outside: given up, but for what was only read.
    back(&db, "six", true).await;
    let seventh = take(&db, &run, "seven", "z").await.unwrap();
    back(&db, "seven", false).await;
    let gone: Vec<CacheId> = caches::going(&db).await.unwrap();
    assert_eq!(gone, std::slice::from_ref(&seventh.id));
    let failed = take(&db, &run, "eight", "z").await.unwrap();
    change(&db, async |tx| caches::copied(tx, &StepId::from_text("eight"), Some(&failed.id)).await).await;
    assert_eq!(caches::going(&db).await.unwrap().len(), 2);
    for id in [&seventh.id, &failed.id] {
        change(&db, async |tx| caches::removed(tx, id).await).await;
    }
    assert!(caches::going(&db).await.unwrap().is_empty());
    let (there, all) = (caches::there(&db).await.unwrap(), caches::of_service(&db, &run.service_id).await.unwrap());
    assert_eq!((there.len(), all.len()), (4, 4), "first, second, the copy, and that of the fifth");
    // Whoever lost the claim gets nothing.
    assert_eq!(take(&db, &RunRow { fence: 0, ..run }, "nine", "x").await, None);
}

async fn caches_are_measured_and_given_up(db: Db) {
    let (run, step) = under_way(&db).await;
    let (kept, held) = (take(&db, &run, "one", "").await.unwrap().id, take(&db, &run, step.as_str(), "").await.unwrap().id);
    assert!(!caches::any_unmeasured(&db).await.unwrap(), "a step has each");
    // The step of the first is not there any more, that of the second is under way.
    assert_eq!(change(&db, async |tx| caches::give_up_left(tx).await).await, 1);
    assert_eq!(caches::going(&db).await.unwrap(), [kept]);
    back(&db, step.as_str(), true).await;
    let other = take(&db, &run, "two", "").await.unwrap();
    assert_eq!(other.id, held);
    back(&db, "two", true).await;
    assert!(caches::any_unmeasured(&db).await.unwrap());
    change(&db, async |tx| caches::measured(tx, &held, 700).await).await;
    assert!(!caches::any_unmeasured(&db).await.unwrap());
    assert_eq!(caches::services_over(&db, 699).await.unwrap(), std::slice::from_ref(&run.service_id));
    assert!(caches::services_over(&db, 700).await.unwrap().is_empty());
    assert_eq!(caches::kept(&db, &run.service_id).await.unwrap().iter().map(|one| one.size).collect::<Vec<_>>(), [700]);
    assert!(change(&db, async |tx| caches::give_up(tx, &held, CacheEnd::OverBudget).await).await);
    assert!(!change(&db, async |tx| caches::give_up(tx, &held, CacheEnd::OverBudget).await).await, "once");
    let third = take(&db, &run, "three", "").await.unwrap();
    back(&db, "three", true).await;
    assert_eq!(change(&db, async |tx| caches::give_up_unused(tx, LONG).await).await, 0);
    assert_eq!(change(&db, async |tx| caches::give_up_unused(tx, clock::now().plus(std::time::Duration::from_secs(1))).await).await, 1);
    let fourth = take(&db, &run, "four", "").await.unwrap();
    // Cleared while a step has it: gone once that ends.
    assert_eq!(change(&db, async |tx| caches::clear(tx, &run.team_id, &run.service_id).await).await, 1);
    assert!(!caches::going(&db).await.unwrap().contains(&fourth.id));
    back(&db, "four", true).await;
    assert!(caches::going(&db).await.unwrap().contains(&fourth.id));
    let listed = caches::list(&db, &run.team_id, &run.service_id, LONG).await.unwrap();
    let ends: Vec<Option<CacheEnd>> = listed.iter().rev().map(|cache| cache.why).collect();
    assert_eq!(ends.len(), 4, "{listed:?}");
    assert!([CacheEnd::CutShort, CacheEnd::OverBudget, CacheEnd::Unused, CacheEnd::Cleared].iter().all(|why| ends.contains(&Some(*why))));
    assert!(caches::list(&db, &run.team_id, &run.service_id, clock::now()).await.unwrap().is_empty());
    for cache in [&third.id, &fourth.id] {
        change(&db, async |tx| caches::removed(tx, cache).await).await;
    }
    change(&db, async |tx| caches::forget(tx, clock::now().plus(std::time::Duration::from_secs(1))).await).await;
    assert_eq!(caches::list(&db, &run.team_id, &run.service_id, LONG).await.unwrap().len(), 2, "whose files are gone are forgotten");
    assert_eq!(run.state, RunState::Running);
}

on_both! { one_step_at_a_time_has_a_cache caches_are_measured_and_given_up }
