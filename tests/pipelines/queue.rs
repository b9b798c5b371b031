//! The queue, on both databases: a claim is never shared, a lost one writes nothing, limits and order hold.

use std::{collections::BTreeSet, time::Duration};

use app::model::{RunId, RunState, TeamId};
use server::{
    claim::Hands,
    clock,
    store::{
        Db,
        logs::{self, NewLine},
        runs::{self, NewRun, RunRow, StageRow, TakenUp},
    },
};
use tempfile::TempDir;
use tokio::{task::JoinSet, time::Instant};

use crate::support::{
    postgres::Database,
    proof,
    queue::{new_run, queue, queue_new, team},
};

/// Makes two tests of each function that takes a [`Db`].
macro_rules! on_both {
    ($($name:ident)*) => { $(
        mod $name {
            #[tokio::test(flavor = "multi_thread")]
            async fn sqlite() {
                let folder = super::TempDir::new().unwrap();
                let db = super::Db::open(&format!("sqlite:{}", folder.path().join("berth.db").display())).await.unwrap();
                super::$name(db.clone()).await;
                db.close().await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn postgres() {
                let database = super::Database::fresh().await;
                let db = super::Db::open(&database.address()).await.unwrap();
                super::$name(db.clone()).await;
                db.close().await;
            }
        }
    )* };
}

on_both! { a_group_never_exceeds_its_smallest_limit a_full_group_costs_no_scan claims_are_never_shared many_that_wait_are_given_in_fair_order what_is_in_hand_is_not_claimed_again_whatever_the_clock_says teams_take_turns_and_branches_keep_their_order a_lost_claim_writes_nothing logs_are_read_as_written }

/// What a holder is given now, with nothing in its hands.
async fn claim(db: &Db, holder: &str, limit: usize) -> Option<RunRow> {
    runs::claim(db, holder, limit, clock::now(), &Hands::default()).await.unwrap()
}

async fn finish(db: &Db, run: &RunId, fence: i64) -> bool {
    let mut tx = db.begin().await.unwrap();
    let ours = runs::finish(&mut tx, run, fence, RunState::Passed, None, None).await.unwrap();
    tx.commit().await.unwrap();
    ours
}

/// An hour later by the clock, a run that goes on is for everybody else to take up; not for the one who works on it.
async fn what_is_in_hand_is_not_claimed_again_whatever_the_clock_says(db: Db) {
    let (team, services) = team(&db, "a", 2).await;
    let (first, second) = (queue(&db, &team, &services[0], "main").await, queue(&db, &team, &services[1], "main").await);
    let (hands, later) = (Hands::default(), clock::now().plus(Duration::from_secs(3_600)));
    let mut in_hand = Vec::new();
    for run in [&first, &second] {
        let given = runs::claim(&db, "me", 3, clock::now(), &hands).await.unwrap().unwrap();
        assert_eq!(given.id, *run);
        in_hand.push(hands.take(given.id.as_str()));
    }
    assert!(runs::claim(&db, "me", 3, later, &hands).await.unwrap().is_none(), "it is at work on both");
    in_hand.truncate(1);
    assert_eq!(runs::claim(&db, "me", 3, later, &hands).await.unwrap().unwrap().id, second, "this one it had let go of");
    assert_eq!(runs::claim(&db, "other", 3, later, &Hands::default()).await.unwrap().unwrap().id, first);
}

/// Eight holders take sixty runs of twenty services; each is carried out once and nobody holds more than two.
async fn claims_are_never_shared(db: Db) {
    let (team, services) = team(&db, "a", 20).await;
    for service in &services {
        for _ in 0..3 {
            queue(&db, &team, service, "main").await;
        }
    }
    let mut holders = JoinSet::new();
    for holder in 0..8 {
        let db = db.clone();
        holders.spawn(async move {
            let holder = format!("berth-{holder}");
            let mut done = Vec::new();
            loop {
                let Some(first) = claim(&db, &holder, 2).await else { return done };
                let second = claim(&db, &holder, 2).await;
                if second.is_some() {
                    assert!(claim(&db, &holder, 2).await.is_none(), "never more than two");
                }
                for run in [Some(first), second].into_iter().flatten() {
                    assert!(finish(&db, &run.id, run.fence).await);
                    assert!(!finish(&db, &run.id, run.fence).await, "an end is an end");
                    done.push(run.id);
                }
            }
        });
    }
    let mut done: Vec<RunId> = holders.join_all().await.into_iter().flatten().collect();
    // A holder that found nothing may have left while the last of a branch were under way.
    while let Some(run) = claim(&db, "late", 2).await {
        assert!(finish(&db, &run.id, run.fence).await);
        done.push(run.id);
    }
    assert_eq!(done.len(), 60);
    assert_eq!(done.into_iter().collect::<BTreeSet<_>>().len(), 60);
}

async fn teams_take_turns_and_branches_keep_their_order(db: Db) {
    let (busy, many) = team(&db, "busy", 4).await;
    let (other, few) = team(&db, "other", 1).await;
    let first = queue(&db, &busy, &many[0], "main").await;
    let behind = queue(&db, &busy, &many[0], "main").await;
    let beside = queue(&db, &busy, &many[0], "topic").await;
    let second = queue(&db, &busy, &many[1], "main").await;
    let theirs = queue(&db, &other, &few[0], "main").await;
    let mut claimed = Vec::new();
    while let Some(run) = claim(&db, "me", 10).await {
        claimed.push(run);
    }
    let order: Vec<&RunId> = claimed.iter().map(|run| &run.id).collect();
    assert_eq!(order, [&first, &theirs, &beside, &second], "the team with less under way comes first");
    assert!(finish(&db, &first, claimed[0].fence).await);
    assert_eq!(claim(&db, "me", 10).await.unwrap().id, behind, "only now its turn");
    let mut tx = db.begin().await.unwrap();
    let third = runs::supersede(&mut tx, &busy, &many[2], "main", u64::MAX).await.unwrap();
    tx.commit().await.unwrap();
    assert_eq!(third, []);
}

/// 2,000 runs of 50 teams, of which the first alone has half: each claim goes to the team with the least under way, and takes
/// no longer with many that wait than with few.
async fn many_that_wait_are_given_in_fair_order(db: Db) {
    const TEAMS: usize = 50;
    let mut of = Vec::new();
    for number in 0..TEAMS {
        let name = format!("team-{number}");
        let (team, services) = team(&db, &name, 2).await;
        let mut tx = db.begin().await.unwrap();
        for at in 0..if number == 0 { 1_020 } else { 20 } {
            let (service, branch) = (&services[at % 2], format!("branch-{at}"));
            runs::insert(&mut tx, &new_run(&team, service, &branch), &[]).await.unwrap();
        }
        tx.commit().await.unwrap();
        of.push(team);
    }
    let mut given = vec![0_usize; TEAMS];
    let began = Instant::now();
    for round in 1..=4 {
        for _ in 0..TEAMS {
            let run = claim(&db, "me", usize::MAX).await.unwrap();
            given[of.iter().position(|team| *team == run.team_id).unwrap()] += 1;
        }
        assert_eq!(given, vec![round; TEAMS], "each team once a round, however much of one waits");
    }
    let each = began.elapsed() / 200;
    proof(
        "fair queue",
        &format!("2000 runs of {TEAMS} teams wait, 200 claims in turn, {:.1} ms each, unoptimised", each.as_secs_f64() * 1e3),
    );
}

/// Runs of two services share a group; what does not name it runs beside. Where the limits differ, the smallest holds.
async fn a_group_never_exceeds_its_smallest_limit(db: Db) {
    let (team_a, services) = team(&db, "a", 5).await;
    let (team_b, others) = team(&db, "b", 1).await;
    let group = async |team: &TeamId, service: usize, limit: u32| {
        let service = if *team == team_b { &others[service] } else { &services[service] };
        queue_new(&db, &NewRun { group: Some(("db", limit)), ..new_run(team, service, "main") }).await.0
    };
    let (first, second) = (group(&team_a, 0, 1).await, group(&team_a, 1, 2).await);
    let (third, fourth) = (group(&team_a, 2, 2).await, group(&team_a, 3, 1).await);
    let (beside, theirs) = (queue(&db, &team_a, &services[4], "main").await, group(&team_b, 0, 1).await);
    let mut claimed = Vec::new();
    while let Some(run) = claim(&db, "me", 10).await {
        claimed.push(run);
    }
    let order: Vec<&RunId> = claimed.iter().map(|run| &run.id).collect();
    assert_eq!(order, [&first, &theirs, &beside], "another team's group is another group");
    let shown = runs::show(&db, &team_a, &services[1], 1).await.unwrap().unwrap();
    assert_eq!(shown.waits.as_deref(), Some("Waits for the group db: run 1 of a-0 is in it."));
    assert!(finish(&db, &first, claimed[0].fence).await);
    let (one, two) = (claim(&db, "me", 10).await.unwrap(), claim(&db, "me", 10).await.unwrap());
    assert_eq!((&one.id, &two.id), (&second, &third), "two that both bear two");
    assert!(claim(&db, "me", 10).await.is_none());
    assert!(finish(&db, &second, one.fence).await);
    assert!(claim(&db, "me", 10).await.is_none(), "it bears nobody beside it");
    assert!(finish(&db, &third, two.fence).await);
    assert_eq!(claim(&db, "me", 10).await.unwrap().id, fourth);
    let shown = runs::show(&db, &team_a, &services[3], 1).await.unwrap().unwrap();
    assert_eq!(shown.waits, None);
}

/// A thousand runs of a team wait for a full group: a claim of another team's run takes no longer for it than a look at each.
async fn a_full_group_costs_no_scan(db: Db) {
    let (busy, many) = team(&db, "busy", 2).await;
    let (other, few) = team(&db, "other", 1).await;
    let mut tx = db.begin().await.unwrap();
    for at in 0..1_000 {
        let branch = format!("branch-{at}");
        let new = NewRun { group: Some(("db", 1)), ..new_run(&busy, &many[at % 2], &branch) };
        runs::insert(&mut tx, &new, &[]).await.unwrap();
    }
    for at in 0..50 {
        runs::insert(&mut tx, &new_run(&other, &few[0], &format!("branch-{at}")), &[]).await.unwrap();
    }
    tx.commit().await.unwrap();
    assert_eq!(claim(&db, "me", usize::MAX).await.unwrap().team_id, busy);
    let began = Instant::now();
    for _ in 0..50 {
        assert_eq!(claim(&db, "me", usize::MAX).await.unwrap().team_id, other);
    }
    let each = began.elapsed() / 50;
    assert!(claim(&db, "me", usize::MAX).await.is_none(), "the group is full");
    proof(
        "full group",
        &format!("999 runs wait for a full group, 50 claims beside it, {:.1} ms each, unoptimised", each.as_secs_f64() * 1e3),
    );
}

fn to_do(taken_up: TakenUp) -> Vec<StageRow> {
    match taken_up {
        TakenUp::ToDo(stages) => stages,
        TakenUp::Ended(stage) => panic!("{} had ended", stage.name),
    }
}

async fn a_lost_claim_writes_nothing(db: Db) {
    let (team, services) = team(&db, "a", 1).await;
    let run = queue(&db, &team, &services[0], "main").await;
    let old = claim(&db, "old", 1).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let stages = to_do(runs::take_up(&mut tx, &old, |_| true).await.unwrap().unwrap());
    assert!(runs::begin_stage(&mut tx, &run, old.fence, &stages[0]).await.unwrap());
    tx.commit().await.unwrap();
    assert!(claim(&db, "new", 1).await.is_none(), "its lease is good");
    assert_eq!(runs::standing(&db, &run, old.fence).await.unwrap(), Some(false));
    assert_eq!(runs::release_held_by(&db, "old").await.unwrap(), 1);
    let new = claim(&db, "new", 1).await.unwrap();
    assert!(new.fence > old.fence);

    // The old holder wakes up.
    let step = &stages[0].steps[0].0;
    let line = NewLine { at: clock::now(), kind: app::model::LineKind::Out, text: "late".into() };
    let mut tx = db.begin().await.unwrap();
    assert!(!logs::append(&mut tx, step, old.fence, 1, &[line]).await.unwrap());
    assert!(!runs::end_step(&mut tx, &run, old.fence, step, RunState::Passed, Some(0), None).await.unwrap());
    assert!(!runs::end_stage(&mut tx, &run, old.fence, &stages[0].id, RunState::Passed).await.unwrap());
    assert!(runs::take_up(&mut tx, &old, |_| true).await.unwrap().is_none());
    tx.commit().await.unwrap();
    assert_eq!(runs::renew(&db, &run, old.fence).await.unwrap(), None);
    assert!(!finish(&db, &run, old.fence).await);

    // The new one finds the stage interrupted and begins it again, once more than allowed it does not.
    let mut tx = db.begin().await.unwrap();
    let again = to_do(runs::take_up(&mut tx, &new, |_| true).await.unwrap().unwrap());
    assert_eq!(again.iter().map(|stage| stage.attempt).collect::<Vec<_>>(), [2]);
    assert!(runs::begin_stage(&mut tx, &run, new.fence, &again[0]).await.unwrap());
    assert_eq!(to_do(runs::take_up(&mut tx, &new, |_| false).await.unwrap().unwrap()).len(), 0);
    // A stage that ended the run ends it for the next holder too, whatever stands behind it in the queue.
    let ended = runs::take_up(&mut tx, &new, |_| true).await.unwrap().unwrap();
    assert!(matches!(ended, TakenUp::Ended(stage) if stage.state == RunState::Lost));
    tx.commit().await.unwrap();
    let shown = runs::show(&db, &team, &services[0], 1).await.unwrap().unwrap();
    assert_eq!(shown.stages.iter().map(|stage| stage.state).collect::<Vec<_>>(), [RunState::Lost, RunState::Lost]);
}

async fn logs_are_read_as_written(db: Db) {
    let (team, services) = team(&db, "a", 1).await;
    queue(&db, &team, &services[0], "main").await;
    let run = claim(&db, "me", 1).await.unwrap();
    let mut tx = db.begin().await.unwrap();
    let stages = to_do(runs::take_up(&mut tx, &run, |_| true).await.unwrap().unwrap());
    tx.commit().await.unwrap();
    let step = &stages[0].steps[0].0;
    let mut next = 1;
    for size in [1_usize, 3, 500, 2] {
        let lines: Vec<NewLine> = (0..size as u64)
            .map(|offset| NewLine { at: clock::now(), kind: app::model::LineKind::Err, text: format!("{}\0\u{1b}[1m", next + offset) })
            .collect();
        let mut tx = db.begin().await.unwrap();
        assert!(logs::append(&mut tx, step, run.fence, next, &lines).await.unwrap());
        tx.commit().await.unwrap();
        next += size as u64;
    }
    for (from, limit, first, count) in [(1, 1_000, 1, 506), (3, 2, 3, 2), (505, 100, 505, 2), (507, 10, 0, 0)] {
        let range = logs::read(&db, &team, step, from, limit).await.unwrap().unwrap();
        assert_eq!(range.lines.first().map_or(0, |line| line.number), first, "{from}");
        assert_eq!((range.lines.len(), range.total, range.complete), (count, 506, false), "{from}");
    }
    assert_eq!(logs::tail(&db, &team, step, 2).await.unwrap()[0].text, "505\0\u{1b}[1m");
    assert!(logs::read(&db, &TeamId::from_text("other"), step, 1, 10).await.unwrap().is_none(), "another team's log is not there");
}
