//! The queue under a fleet of workers that all act at once, on either database: they are killed without letting go, frozen, cut
//! off from the store for shorter and longer than a lease, and their clocks differ. Whatever happens, no run is carried out
//! twice with effect, no group and no branch has more under way than it may, and none is lost.
//!
//! A seed decides what happens; only the order in which the database takes up statements of one round is its own. Time passes by
//! moving the leases, so that minutes take no time.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use app::model::{RunId, RunState, ServiceId, TeamId, Timestamp};
use futures::future::join_all;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use server::{
    args,
    claim::{Claim, Hands, InHand, LEASE},
    clock,
    store::{
        Db, Query as _,
        runs::{self, NewRun, RunRow, StageRow, TakenUp},
    },
};

use crate::support::{
    postgres::Database,
    proof,
    queue::{self, new_run},
};

/// How many fleets are looked at on each database.
const SEEDS: u64 = 16;
const ROUNDS: usize = 70;
const WORKERS: usize = 5;
/// Runs at once of one worker.
const LIMIT: usize = 2;
/// So far clocks may differ; together two of them stay within what is between the end of the work and that of the lease.
const SKEW_MS: i64 = 5_000;
/// Groups with the limits that files name for them.
const GROUPS: [(&str, u32); 4] = [("db", 1), ("disk", 2), ("disk", 3), ("net", 2)];

/// What happened, summed up.
#[derive(Debug, Default)]
struct Tally {
    runs: u64,
    claims: u64,
    taken_over: u64,
    kills: u64,
    freezes: u64,
    short: u64,
    long: u64,
    refused: u64,
    superseded: u64,
    cancelled: u64,
}

/// What a worker holds, as it believes.
struct Hold {
    run: RunRow,
    stages: Vec<StageRow>,
    claim: Claim,
    cancel: bool,
    _in_hand: InHand,
}

/// What a worker is about to do.
#[derive(Clone, Copy, Debug)]
enum Act {
    Rest,
    Claim,
    Finish,
    /// Ends the stage, and is killed before the run's own end is written.
    DieMidway,
}

/// What came of it.
#[derive(Default)]
struct Came {
    claimed: Option<(RunId, bool)>,
    counted: Option<RunId>,
    refused: bool,
}

struct Worker {
    name: String,
    skew: i64,
    hands: Hands,
    holds: Vec<Hold>,
    frozen: bool,
    cut_off: Option<Instant>,
}

impl Worker {
    fn reaches(&self) -> bool {
        !self.frozen && self.cut_off.is_none()
    }

    fn clock(&self) -> Timestamp {
        Timestamp(clock::now().0 + self.skew)
    }

    async fn act(&mut self, db: &Db, act: Act, now: Instant) -> Came {
        match act {
            _ if !self.reaches() => Came::default(),
            Act::Rest => Came::default(),
            Act::Claim => self.claim(db, now).await,
            Act::Finish => self.finish(db, false).await,
            Act::DieMidway => self.finish(db, true).await,
        }
    }

    async fn claim(&mut self, db: &Db, now: Instant) -> Came {
        let Some(run) = runs::claim(db, &self.name, LIMIT, self.clock(), &self.hands).await.unwrap() else { return Came::default() };
        let in_hand = self.hands.take(run.id.as_str());
        let mut tx = db.begin().await.unwrap();
        let taken = runs::take_up(&mut tx, &run, |_| true).await.unwrap();
        let stages = match taken {
            Some(TakenUp::ToDo(stages)) => stages,
            Some(TakenUp::Ended(_)) | None => Vec::new(),
        };
        if let Some(stage) = stages.first() {
            assert!(runs::begin_stage(&mut tx, &run.id, run.fence, stage).await.unwrap());
        }
        tx.commit().await.unwrap();
        let came = Came { claimed: Some((run.id.clone(), run.fence > 1)), ..Came::default() };
        self.holds.push(Hold { cancel: run.cancel_asked_at.is_some(), run, stages, claim: Claim::new(now), _in_hand: in_hand });
        came
    }

    /// Writes the end of what it holds longest. What it no longer holds is refused.
    async fn finish(&mut self, db: &Db, dies: bool) -> Came {
        if self.holds.is_empty() {
            return Came::default();
        }
        let hold = self.holds.remove(0);
        let state = if hold.cancel { RunState::Cancelled } else { RunState::Passed };
        let mut tx = db.begin().await.unwrap();
        let mut ours = true;
        for stage in &hold.stages {
            ours &= runs::end_stage(&mut tx, &hold.run.id, hold.run.fence, &stage.id, state).await.unwrap();
        }
        if dies {
            tx.commit().await.unwrap();
            return Came { refused: !ours, ..Came::default() };
        }
        ours &= runs::finish(&mut tx, &hold.run.id, hold.run.fence, state, None, None).await.unwrap();
        tx.commit().await.unwrap();
        Came { counted: (ours && state == RunState::Passed).then(|| hold.run.id.clone()), refused: !ours, claimed: None }
    }

    /// Stops what could not be renewed for too long, then renews what is due.
    async fn keep(&mut self, db: &Db, now: Instant) {
        if self.frozen {
            return;
        }
        self.holds.retain(|hold| now < hold.claim.ends());
        for mut hold in std::mem::take(&mut self.holds) {
            if now >= hold.claim.due() {
                if self.cut_off.is_some() {
                    hold.claim.not_renewed(now);
                } else {
                    let Some(cancel) = runs::renew(db, &hold.run.id, hold.run.fence).await.unwrap() else { continue };
                    hold.cancel |= cancel;
                    hold.claim.renewed(now);
                }
            }
            self.holds.push(hold);
        }
    }
}

struct Fleet {
    db: Db,
    rng: StdRng,
    seed: u64,
    now: Instant,
    shifted: Instant,
    teams: Vec<(TeamId, Vec<ServiceId>)>,
    runs: BTreeMap<RunId, Option<(TeamId, &'static str, u32)>>,
    counted: BTreeMap<RunId, u32>,
    workers: Vec<Worker>,
    story: Vec<String>,
    tally: Tally,
}

impl Fleet {
    async fn new(db: &Db, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let mut teams = Vec::new();
        for team in 0..2 {
            teams.push(queue::team(db, &format!("f{seed}-{team}"), 4).await);
        }
        let worker = |at: usize| Worker {
            name: format!("f{seed}-w{at}"),
            skew: rng.random_range(-SKEW_MS..=SKEW_MS),
            hands: Hands::default(),
            holds: Vec::new(),
            frozen: false,
            cut_off: None,
        };
        let workers = (0..WORKERS).map(worker).collect();
        Self {
            db: db.clone(),
            rng,
            seed,
            now: Instant::now() + 60 * LEASE,
            shifted: Instant::now(),
            teams,
            runs: BTreeMap::new(),
            counted: BTreeMap::new(),
            workers,
            story: Vec::new(),
            tally: Tally::default(),
        }
    }

    async fn live(mut self) -> Tally {
        for _ in 0..ROUNDS {
            for _ in 0..self.rng.random_range(0..3) {
                self.push().await;
            }
            self.mishap().await;
            self.round().await;
        }
        self.heal().await;
        self.ends().await;
        self.tally
    }

    /// A rule is broken: says which, after what, and how to see it again.
    fn broken(&self, rule: &str) -> ! {
        let seed = self.seed;
        panic!("{}\n\nseed {seed}: {rule}\nagain: BERTH_SEED={seed} .ci/test --no-capture simulation::fleet", self.story.join("\n"));
    }

    /// Everybody does something at once; then time passes, and the rules must hold.
    async fn round(&mut self) {
        let acts: Vec<Act> = (0..WORKERS)
            .map(|_| match self.rng.random_range(0..12) {
                0..=4 => Act::Claim,
                5..=8 => Act::Finish,
                9 => Act::DieMidway,
                _ => Act::Rest,
            })
            .collect();
        self.story.push(format!("{acts:?}"));
        self.act(&acts).await;
        self.rules().await;
        self.pass_time().await;
        self.rules().await;
    }

    async fn act(&mut self, acts: &[Act]) {
        let (db, now) = (self.db.clone(), self.now);
        let all = self.workers.iter_mut().zip(acts).map(|(worker, act)| worker.act(&db, *act, now));
        let all: Vec<Came> = join_all(all).await;
        for (at, came) in all.into_iter().enumerate() {
            if let Some((run, again)) = came.claimed {
                self.story.push(format!("{} claims {run}{}", self.workers[at].name, if again { " again" } else { "" }));
                self.tally.claims += 1;
                self.tally.taken_over += u64::from(again);
            }
            if let Some(run) = came.counted {
                self.story.push(format!("{} ends {run}", self.workers[at].name));
                *self.counted.entry(run).or_default() += 1;
            }
            self.tally.refused += u64::from(came.refused);
            if matches!(acts[at], Act::DieMidway) && self.workers[at].reaches() {
                self.kill(at).await;
            }
        }
    }

    /// Killed with `kill -9`: lets go of nothing by itself. Some start again under their name, which lets go of what they had.
    async fn kill(&mut self, at: usize) {
        self.story.push(format!("{} is killed", self.workers[at].name));
        self.tally.kills += 1;
        let worker = &mut self.workers[at];
        (worker.hands, worker.holds, worker.frozen, worker.cut_off) = (Hands::default(), Vec::new(), false, None);
        if self.rng.random() {
            runs::release_held_by(&self.db, &self.workers[at].name).await.unwrap();
        } else {
            // Another machine takes its place: what it had is given again when its leases are over.
            self.workers[at].name.push('\'');
        }
    }

    async fn mishap(&mut self) {
        let at = self.rng.random_range(0..WORKERS);
        match self.rng.random_range(0..14) {
            0 => self.kill(at).await,
            1 | 2 => match self.workers[at].cut_off.take() {
                None => self.workers[at].cut_off = Some(self.now),
                Some(since) => self.reached(since),
            },
            3 | 4 => {
                let goes_on = self.workers[at].frozen;
                self.workers[at].frozen = !goes_on;
                self.tally.freezes += u64::from(!goes_on);
                if goes_on && self.workers[at].reaches() {
                    // The first it does is to write what it was about to.
                    let mut acts = [Act::Rest; WORKERS];
                    acts[at] = Act::Finish;
                    self.act(&acts).await;
                }
            }
            5 => self.cancel().await,
            _ => {}
        }
    }

    fn reached(&mut self, since: Instant) {
        if self.now - since > LEASE {
            self.tally.long += 1;
        } else {
            self.tally.short += 1;
        }
    }

    async fn push(&mut self) {
        let (team, services) = self.teams[self.rng.random_range(0..self.teams.len())].clone();
        let service = &services[self.rng.random_range(0..services.len())];
        let branch = if self.rng.random() { "main" } else { "topic" };
        let group = self.rng.random_ratio(2, 3).then(|| GROUPS[self.rng.random_range(0..GROUPS.len())]);
        let (run, number) = queue::queue_new(&self.db, &NewRun { group, ..new_run(&team, service, branch) }).await;
        self.story.push(format!("queued {run} of {service} on {branch}, group {group:?}"));
        self.runs.insert(run, group.map(|(name, limit)| (team.clone(), name, limit)));
        self.tally.runs += 1;
        if branch == "topic" {
            let mut tx = self.db.begin().await.unwrap();
            let ended = runs::supersede(&mut tx, &team, service, branch, number).await.unwrap();
            if self.rng.random() {
                runs::cut_short(&mut tx, &team, service, branch, number).await.unwrap();
            }
            tx.commit().await.unwrap();
            self.tally.superseded += ended.len() as u64;
        }
    }

    async fn cancel(&mut self) {
        let (team, services) = self.teams[self.rng.random_range(0..self.teams.len())].clone();
        let service = &services[self.rng.random_range(0..services.len())];
        let number = self.rng.random_range(1..8);
        let mut tx = self.db.begin().await.unwrap();
        let asked = runs::ask_cancel(&mut tx, &team, service, number).await.unwrap();
        tx.commit().await.unwrap();
        self.tally.cancelled += u64::from(matches!(asked, Some((_, true))));
    }

    /// Time passes, less what the test itself took.
    async fn pass_time(&mut self) {
        let step = Duration::from_millis(self.rng.random_range(3_000..9_000));
        self.now += step;
        let took = self.shifted.elapsed();
        self.shifted = Instant::now();
        let by = i64::try_from(step.as_millis()).unwrap() - i64::try_from(took.as_millis()).unwrap();
        let mut tx = self.db.begin().await.unwrap();
        tx.execute("UPDATE runs SET lease_until = lease_until - $1 WHERE lease_until > 0", args![by]).await.unwrap();
        tx.commit().await.unwrap();
        let (db, now) = (self.db.clone(), self.now);
        join_all(self.workers.iter_mut().map(|worker| worker.keep(&db, now))).await;
    }

    /// What must hold at every moment.
    async fn rules(&mut self) {
        let mut groups: BTreeMap<(&TeamId, &str), (u32, u32)> = BTreeMap::new();
        let mut at_work = BTreeSet::new();
        for worker in &self.workers {
            if worker.holds.len() > LIMIT {
                self.broken(&format!("{} works on {} runs at once", worker.name, worker.holds.len()));
            }
            // Who is frozen does nothing; its first write is refused.
            for hold in worker.holds.iter().filter(|hold| !worker.frozen && self.now < hold.claim.ends()) {
                if !at_work.insert(&hold.run.id) {
                    self.broken(&format!("two work on {}", hold.run.id));
                }
                if let Some(Some((team, group, limit))) = self.runs.get(&hold.run.id) {
                    let (count, least) = groups.entry((team, group)).or_insert((0, u32::MAX));
                    (*count, *least) = (*count + 1, (*least).min(*limit));
                }
            }
        }
        if let Some((group, counts)) = groups.iter().find(|(_, (count, least))| count > least) {
            self.broken(&format!("more work in {group:?} than may: {counts:?}"));
        }
        if let Some(run) = self.counted.iter().find(|(_, times)| **times > 1) {
            self.broken(&format!("a run counted twice: {run:?}"));
        }
        for (rule, sql) in [
            (
                "a group exceeds its limit",
                "SELECT concurrency AS what FROM runs WHERE state = 'running' AND finished_at IS NULL AND concurrency IS NOT NULL
                  GROUP BY team_id, concurrency HAVING COUNT(*) > MIN(concurrency_limit)",
            ),
            (
                "two runs of a branch are under way",
                "SELECT branch AS what FROM runs WHERE state = 'running' AND finished_at IS NULL GROUP BY service_id, branch HAVING COUNT(*) > 1",
            ),
        ] {
            let rows = self.db.fetch_all(sql, args![]).await.unwrap();
            if let Some(row) = rows.first() {
                self.broken(&format!("{rule}: {}", row.text("what").unwrap()));
            }
        }
    }

    /// Everything heals: what is open comes to its end within a bound.
    async fn heal(&mut self) {
        for at in 0..WORKERS {
            self.workers[at].frozen = false;
            if let Some(since) = self.workers[at].cut_off.take() {
                self.reached(since);
            }
        }
        for _ in 0..self.runs.len() * 2 + 20 {
            self.act(&[Act::Claim; WORKERS]).await;
            self.rules().await;
            self.act(&[Act::Finish; WORKERS]).await;
            self.pass_time().await;
            self.rules().await;
        }
    }

    async fn ends(&self) {
        for run in self.runs.keys() {
            let row = runs::row(&self.db, run).await.unwrap().unwrap();
            let times = self.counted.get(run).copied().unwrap_or(0);
            match row.state {
                RunState::Passed if times == 1 => {}
                RunState::Cancelled | RunState::Superseded if times == 0 => {}
                state if state.ended() => self.broken(&format!("{run} is {} and counted {times} times", state.name())),
                state => self.broken(&format!("{run} is lost: it is {} for ever", state.name())),
            }
        }
    }
}

async fn every_fleet(db: &Db, name: &str) {
    let only = std::env::var("BERTH_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let (began, mut sum) = (Instant::now(), Tally::default());
    for seed in only.map_or(0..SEEDS, |seed| seed..seed + 1) {
        let one = Fleet::new(db, seed).await.live().await;
        sum.runs += one.runs;
        sum.claims += one.claims;
        sum.taken_over += one.taken_over;
        sum.kills += one.kills;
        sum.freezes += one.freezes;
        sum.short += one.short;
        sum.long += one.long;
        sum.refused += one.refused;
        sum.superseded += one.superseded;
        sum.cancelled += one.cancelled;
    }
    let Tally { runs, claims, taken_over, kills, freezes, short, long, refused, superseded, cancelled } = sum;
    let all = [runs, claims, taken_over, kills, freezes, short, long, refused, superseded, cancelled];
    assert!(only.is_some() || all.iter().all(|n| *n > 0), "chaos reaches everything: {all:?}");
    proof(
        &format!("queue under a fleet, {name}"),
        &format!(
            "{SEEDS} seeds in {} s, {WORKERS} workers at once: {runs} runs, {claims} claims ({taken_over} taken over), {kills} kills, \
             {freezes} freezes, partitions {short} shorter and {long} longer than the lease, {superseded} superseded, {cancelled} \
             cancelled, {refused} late writes refused; double executions that count: 0, limits broken: 0, lost: 0",
            began.elapsed().as_secs()
        ),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_keeps_its_promises_to_a_fleet() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&format!("sqlite:{}", folder.path().join("berth.db").display())).await.unwrap();
    every_fleet(&db, "SQLite").await;
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_keeps_its_promises_to_a_fleet() {
    let database = Database::fresh().await;
    let db = Db::open(&database.address()).await.unwrap();
    every_fleet(&db, "PostgreSQL").await;
    db.close().await;
}
