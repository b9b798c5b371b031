//! The queue of runs on the real store, in seeded histories: pushes, claims, renewals, ends, cancelled runs, Berths that are
//! killed, frozen and cut off from the store. A model beside it says whom every claim must give; time passes by moving the
//! leases, and a claim ends as `server::claim` says.

use std::time::{Duration, Instant};

use app::model::{RunId, RunState, ServiceId, TeamId};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use server::{
    args,
    claim::{Claim, Hands, LEASE},
    clock,
    store::{Db, runs},
};

use crate::support::{proof, queue};

/// How many histories `make test` looks at.
const SEEDS: u64 = 80;
/// Runs at once of one Berth.
const LIMIT: usize = 2;
/// Time passes in steps that never end near a lease's end: the test itself takes time too.
const STEP: Duration = Duration::from_secs(9);

/// A run as it should be.
struct Expected {
    id: RunId,
    team: usize,
    service: usize,
    branch: &'static str,
    number: u64,
    state: RunState,
    holder: usize,
    fence: i64,
    leased: Instant,
    cancel: bool,
}

impl Expected {
    fn open(&self) -> bool {
        matches!(self.state, RunState::Queued | RunState::Running)
    }
}

/// A Berth: what it believes it holds, and until when it acts on that.
#[derive(Default)]
struct Berth {
    frozen: bool,
    cut_off: bool,
    holds: Vec<(usize, i64, Claim)>,
}

struct History {
    db: Db,
    rng: StdRng,
    seed: u64,
    now: Instant,
    teams: Vec<(TeamId, Vec<ServiceId>)>,
    runs: Vec<Expected>,
    berths: Vec<Berth>,
    tally: [u64; 6],
}

#[tokio::test]
async fn the_queue_gives_each_run_to_one_and_lets_nobody_wait_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&format!("sqlite:{}", folder.path().join("berth.db").display())).await.unwrap();
    let only = std::env::var("BERTH_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let began = Instant::now();
    let mut tally = [0; 6];
    for seed in only.map_or(0..SEEDS, |seed| seed..seed + 1) {
        for (sum, n) in tally.iter_mut().zip(History::new(&db, seed).await.live().await) {
            *sum += n;
        }
    }
    let [runs, claims, stale, lost, cancelled, superseded] = tally;
    assert!(only.is_some() || tally.iter().all(|n| *n > 0), "{tally:?}");
    proof(
        "queue",
        &format!(
            "{SEEDS} seeds in {} s: {runs} runs, {claims} claims as the model says, {stale} writes of lost claims refused, {lost} runs \
             taken over from silent holders, {cancelled} cancelled, {superseded} superseded; 0 rules broken, every run ended once",
            began.elapsed().as_secs()
        ),
    );
    db.close().await;
}

impl History {
    async fn new(db: &Db, seed: u64) -> Self {
        let mut teams = Vec::new();
        for team in 0..3 {
            teams.push(queue::team(db, &format!("t{seed}-{team}"), 2).await);
        }
        let berths = (0..3).map(|_| Berth::default()).collect();
        let rng = StdRng::seed_from_u64(seed);
        Self { db: db.clone(), rng, seed, now: Instant::now() + 60 * LEASE, teams, runs: Vec::new(), berths, tally: [0; 6] }
    }

    async fn live(mut self) -> [u64; 6] {
        for _ in 0..80 {
            let berth = self.rng.random_range(0..self.berths.len());
            match self.rng.random_range(0..16) {
                0..=3 => self.push().await,
                4..=6 => self.claim(berth).await,
                7..=8 => self.finish(berth).await,
                9..=11 => self.pass_time().await,
                12 => self.cancel().await,
                13 => self.restart(berth).await,
                14 => self.freeze(berth).await,
                _ => self.berths[berth].cut_off = !self.berths[berth].cut_off,
            }
            self.rules();
        }
        // Everything heals: every run comes to its end.
        for berth in 0..self.berths.len() {
            self.restart(berth).await;
        }
        for _ in 0..self.runs.len() * 3 {
            for berth in 0..self.berths.len() {
                self.claim(berth).await;
                self.finish(berth).await;
            }
            self.rules();
        }
        let open = self.runs.iter().filter(|run| run.open()).count();
        assert_eq!(open, 0, "seed {}: runs that nobody ends", self.seed);
        for run in &self.runs {
            let row = runs::row(&self.db, &run.id).await.unwrap().unwrap();
            assert_eq!((row.state, row.fence), (run.state, run.fence), "seed {}: run {}", self.seed, run.number);
        }
        self.tally[0] = self.runs.len() as u64;
        self.tally
    }

    /// A push takes the place of what still waits on its branch.
    async fn push(&mut self) {
        let (team, service) = (self.rng.random_range(0..self.teams.len()), self.rng.random_range(0..2));
        let branch = if self.rng.random_ratio(2, 3) { "main" } else { "topic" };
        let (id, services) = self.teams[team].clone();
        if self.rng.random() {
            let mut tx = self.db.begin().await.unwrap();
            runs::supersede(&mut tx, &id, &services[service], branch, u64::MAX).await.unwrap();
            tx.commit().await.unwrap();
            let same = |run: &&mut Expected| (run.team, run.service, run.branch, run.state) == (team, service, branch, RunState::Queued);
            for run in self.runs.iter_mut().filter(same) {
                run.state = RunState::Superseded;
                self.tally[5] += 1;
            }
        }
        let run = queue::queue(&self.db, &id, &services[service], branch).await;
        let number = runs::row(&self.db, &run).await.unwrap().unwrap().number;
        let (state, leased) = (RunState::Queued, self.now);
        self.runs.push(Expected { id: run, team, service, branch, number, state, holder: 0, fence: 0, leased, cancel: false });
    }

    fn lapsed(&self, run: &Expected) -> bool {
        self.now > run.leased + LEASE
    }

    /// Whom a claim must give: what a silent holder left first, then the team with the least under way, then the oldest.
    fn next(&self, berth: usize) -> Option<usize> {
        let running = |run: &&Expected| run.state == RunState::Running;
        if self.runs.iter().filter(running).filter(|run| run.holder == berth && !self.lapsed(run)).count() >= LIMIT {
            return None;
        }
        let free = |index: &usize| {
            let run = &self.runs[*index];
            let same = |other: &&Expected| (other.team, other.service, other.branch) == (run.team, run.service, run.branch) && other.open();
            match run.state {
                RunState::Running => self.lapsed(run),
                RunState::Queued => !self.runs.iter().filter(same).any(|o| o.state == RunState::Running || o.number < run.number),
                _ => false,
            }
        };
        let under_way = |team: usize| self.runs.iter().filter(running).filter(|run| run.team == team).count();
        let rank = |index: &usize| {
            let run = &self.runs[*index];
            (run.state != RunState::Running, under_way(run.team), *index)
        };
        (0..self.runs.len()).filter(free).min_by_key(rank)
    }

    async fn claim(&mut self, berth: usize) {
        if self.berths[berth].frozen || self.berths[berth].cut_off {
            return;
        }
        let expected = self.next(berth);
        let given = runs::claim(&self.db, &self.name(berth), LIMIT, clock::now(), &Hands::default()).await.unwrap();
        let index = given.as_ref().and_then(|given| self.runs.iter().position(|run| run.id == given.id));
        assert_eq!(index, expected, "seed {}: Berth {berth} is given another run than is next", self.seed);
        let (Some(index), Some(given)) = (index, given) else { return };
        let (now, run) = (self.now, &mut self.runs[index]);
        self.tally[1] += 1;
        self.tally[3] += u64::from(run.state == RunState::Running);
        assert_eq!(given.fence, run.fence + 1, "seed {}: every claim raises the fence", self.seed);
        (run.state, run.holder, run.fence, run.leased) = (RunState::Running, berth, given.fence, now);
        self.berths[berth].holds.push((index, given.fence, Claim::new(now)));
    }

    /// A Berth ends what it believes to hold. A claim that was lost writes nothing.
    async fn finish(&mut self, berth: usize) {
        if self.berths[berth].frozen || self.berths[berth].cut_off {
            return;
        }
        let Some((index, fence, _)) = self.berths[berth].holds.pop() else { return };
        let run = &mut self.runs[index];
        let ours = run.state == RunState::Running && run.fence == fence;
        let state = if run.cancel { RunState::Cancelled } else { RunState::Passed };
        let mut tx = self.db.begin().await.unwrap();
        let written = runs::finish(&mut tx, &run.id, fence, state, None, None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(written, ours, "seed {}: run {} under fence {fence}", self.seed, run.number);
        if ours {
            run.state = state;
        }
        self.tally[2] += u64::from(!ours);
    }

    /// Time passes: claims are renewed where they can be, and end where they cannot.
    async fn pass_time(&mut self) {
        for _ in 0..self.rng.random_range(1..8) {
            self.now += STEP;
            let mut tx = self.db.begin().await.unwrap();
            let by = i64::try_from(STEP.as_millis()).unwrap();
            tx.execute("UPDATE runs SET lease_until = lease_until - $1 WHERE lease_until > 0", args![by]).await.unwrap();
            tx.commit().await.unwrap();
            for berth in 0..self.berths.len() {
                self.renew(berth).await;
            }
        }
    }

    async fn renew(&mut self, berth: usize) {
        if self.berths[berth].frozen {
            return;
        }
        let (now, cut_off) = (self.now, self.berths[berth].cut_off);
        let mut holds = std::mem::take(&mut self.berths[berth].holds);
        // What could not be renewed for too long is let go of before anything else.
        holds.retain(|(_, _, claim)| now < claim.ends());
        let mut kept = Vec::new();
        for (index, fence, mut claim) in holds {
            if now < claim.due() {
                kept.push((index, fence, claim));
                continue;
            }
            if cut_off {
                claim.not_renewed(now);
                kept.push((index, fence, claim));
                continue;
            }
            let run = &mut self.runs[index];
            let ours = run.state == RunState::Running && run.fence == fence;
            let renewed = runs::renew(&self.db, &run.id, fence).await.unwrap();
            assert_eq!(renewed, ours.then_some(run.cancel), "seed {}: the renewal of run {}", self.seed, run.number);
            if ours {
                run.leased = now;
                claim.renewed(now);
                kept.push((index, fence, claim));
            }
        }
        self.berths[berth].holds = kept;
    }

    async fn cancel(&mut self) {
        if self.runs.is_empty() {
            return;
        }
        let index = self.rng.random_range(0..self.runs.len());
        let run = &mut self.runs[index];
        let (team, services) = &self.teams[run.team];
        let mut tx = self.db.begin().await.unwrap();
        let asked = runs::ask_cancel(&mut tx, team, &services[run.service], run.number).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(asked, Some((run.id.clone(), run.open())), "seed {}", self.seed);
        self.tally[4] += u64::from(run.open());
        match run.state {
            RunState::Queued => run.state = RunState::Cancelled,
            RunState::Running => run.cancel = true,
            _ => {}
        }
    }

    /// Killed and started again: it believes nothing, and lets go of what it held.
    async fn restart(&mut self, berth: usize) {
        self.berths[berth] = Berth::default();
        runs::release_held_by(&self.db, &self.name(berth)).await.unwrap();
        let past = self.now - 2 * LEASE;
        for run in self.runs.iter_mut().filter(|run| run.holder == berth && run.state == RunState::Running) {
            run.leased = past;
        }
    }

    /// Frozen; or going on, and then the first it does is to write.
    async fn freeze(&mut self, berth: usize) {
        let goes_on = self.berths[berth].frozen;
        self.berths[berth].frozen = !goes_on;
        if goes_on {
            self.berths[berth].cut_off = false;
            self.finish(berth).await;
        }
    }

    fn name(&self, berth: usize) -> String {
        format!("{}-{berth}", self.seed)
    }

    /// What must hold at every step.
    fn rules(&self) {
        for (index, run) in self.runs.iter().enumerate() {
            let works =
                |berth: &&Berth| !berth.frozen && berth.holds.iter().any(|(held, _, claim)| *held == index && self.now < claim.ends());
            let workers = self.berths.iter().filter(works).count();
            assert!(workers <= 1, "seed {}: {workers} Berths carry out run {}", self.seed, run.number);
            let same = |other: &&Expected| (other.team, other.service, other.branch) == (run.team, run.service, run.branch);
            let running = self.runs.iter().filter(same).filter(|other| other.state == RunState::Running).count();
            assert!(running <= 1, "seed {}: two runs of one branch are under way", self.seed);
        }
    }
}
