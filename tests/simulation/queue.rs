//! The queue of runs on the real store, on either database, in seeded histories: pushes, claims, renewals, ends, cancelled runs,
//! Berths that are killed, frozen and cut off from the store. [`Line`] beside it says what every answer must be, and with it whom a
//! claim must give; time passes by moving the leases, and a claim ends as `server::claim` says.

use std::time::{Duration, Instant};

use app::model::{RunId, RunState, ServiceId, TeamId};
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use server::{
    args,
    claim::{Claim, Hands, InHand},
    clock,
    store::{
        Db, leases,
        runs::{self, NewRun, TakenUp},
    },
};

use super::line::{Group, LOST_RETRIES, Line, Wall};
use crate::support::{
    postgres::Database,
    proof,
    queue::{self, new_run},
};

/// How many histories `make test` looks at on SQLite, and on PostgreSQL, which takes ten times as long for each.
const SEEDS: [u64; 2] = [60, 20];
/// Runs at once of one Berth.
const LIMIT: usize = 2;
const BERTHS: usize = 3;
/// Time passes in steps that never end near a lease's end: the test itself takes time too.
const STEP: Duration = Duration::from_secs(9);

/// What a Berth believes it holds, and until when it acts on that.
struct Hold {
    run: usize,
    fence: i64,
    claim: Claim,
    _in_hand: InHand,
}

#[derive(Default)]
struct Berth {
    frozen: bool,
    cut_off: bool,
    hands: Hands,
    holds: Vec<Hold>,
}

struct History {
    db: Db,
    rng: StdRng,
    seed: u64,
    began: Instant,
    /// What the line's clock shows. The store's is moved by as much, less what the test itself takes.
    now: Wall,
    moved_at: Instant,
    teams: Vec<(TeamId, Vec<ServiceId>)>,
    line: Line,
    ids: Vec<RunId>,
    berths: Vec<Berth>,
    tally: [u64; 8],
}

#[tokio::test(flavor = "multi_thread")]
async fn sqlite_gives_each_run_to_one_and_lets_nobody_wait_for_ever() {
    let folder = tempfile::tempdir().unwrap();
    let db = Db::open(&format!("sqlite:{}", folder.path().join("berth.db").display())).await.unwrap();
    every_history(&db, "SQLite", SEEDS[0]).await;
    db.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postgresql_gives_each_run_to_one_and_lets_nobody_wait_for_ever() {
    let database = Database::fresh().await;
    let db = Db::open(&database.address()).await.unwrap();
    every_history(&db, "PostgreSQL", SEEDS[1]).await;
    db.close().await;
}

async fn every_history(db: &Db, name: &str, seeds: u64) {
    let only = std::env::var("BERTH_SEED").ok().and_then(|seed| seed.parse::<u64>().ok());
    let began = Instant::now();
    let mut tally = [0; 8];
    for seed in only.map_or(0..seeds, |seed| seed..seed + 1) {
        for (sum, n) in tally.iter_mut().zip(History::new(db, seed).await.live().await) {
            *sum += n;
        }
    }
    let [runs, claims, stale, taken_over, cancelled, superseded, lost, answers] = tally;
    assert!(only.is_some() || tally.iter().all(|n| *n > 0), "{tally:?}");
    proof(
        &format!("queue, {name}"),
        &format!(
            "{seeds} seeds in {} s: {runs} runs, {answers} answers as the model says, {claims} of them claims ({taken_over} taken over from \
             silent holders); {stale} writes of lost claims refused, {cancelled} cancelled, {superseded} superseded, {lost} lost after their \
             last attempt; 0 rules broken, every run ended once",
            began.elapsed().as_secs()
        ),
    );
}

impl History {
    async fn new(db: &Db, seed: u64) -> Self {
        let mut teams = Vec::new();
        for team in 0..3 {
            teams.push(queue::team(db, &format!("t{seed}-{team}"), 2).await);
        }
        Self {
            db: db.clone(),
            rng: StdRng::seed_from_u64(seed),
            seed,
            began: Instant::now(),
            now: 1_000_000_000,
            moved_at: Instant::now(),
            teams,
            line: Line::default(),
            ids: Vec::new(),
            berths: (0..BERTHS).map(|_| Berth::default()).collect(),
            tally: [0; 8],
        }
    }

    /// What is said where an answer is another than the model's.
    fn again(&self) -> String {
        format!("again: BERTH_SEED={} .ci/test --no-capture simulation::queue", self.seed)
    }

    async fn live(mut self) -> [u64; 8] {
        for _ in 0..80 {
            let berth = self.rng.random_range(0..BERTHS);
            match self.rng.random_range(0..18) {
                0..=3 => self.push().await,
                4..=6 => self.claim(berth).await,
                7..=8 => self.finish(berth).await,
                9..=11 => self.pass_time().await,
                12 => self.cancel().await,
                13 => self.restart(berth).await,
                14 => self.freeze(berth).await,
                15 => self.leave(berth).await,
                16 => self.sees_its_clock_moved(berth).await,
                _ => self.berths[berth].cut_off = !self.berths[berth].cut_off,
            }
            self.rules();
        }
        // Everything heals: every run comes to its end.
        for berth in 0..BERTHS {
            self.restart(berth).await;
        }
        for _ in 0..self.ids.len() * 3 {
            for berth in 0..BERTHS {
                self.claim(berth).await;
                self.finish(berth).await;
            }
            self.rules();
        }
        assert_eq!(self.line.open().count(), 0, "runs that nobody ends; {}", self.again());
        for (id, run) in self.ids.iter().zip(&self.line.runs) {
            let row = runs::row(&self.db, id).await.unwrap().unwrap();
            assert_eq!((row.state, row.fence), (run.state, run.fence), "run {} of team {}; {}", run.number, run.team, self.again());
        }
        self.tally[0] = self.ids.len() as u64;
        self.tally
    }

    /// A push takes the place of what still waits on its branch, and of what is under way if the team asks for that.
    async fn push(&mut self) {
        let (team, service) = (self.rng.random_range(0..self.teams.len()), self.rng.random_range(0..2));
        let branch = if self.rng.random_ratio(2, 3) { "main" } else { "topic" };
        let groups: [Option<Group>; 5] = [None, None, Some(("db", 1)), Some(("disk", 2)), Some(("disk", 3))];
        let group = groups[self.rng.random_range(0..groups.len())];
        let (id, services) = self.teams[team].clone();
        let (run, number) = queue::queue_new(&self.db, &NewRun { group, ..new_run(&id, &services[service], branch) }).await;
        self.ids.push(run);
        let index = self.line.push((team, service, branch), group);
        assert_eq!(number, self.line.runs[index].number);
        if self.rng.random() {
            let mut tx = self.db.begin().await.unwrap();
            let ended = runs::supersede(&mut tx, &id, &services[service], branch, number).await.unwrap().len();
            let expected = self.line.supersede(index);
            let cut = if self.rng.random_ratio(1, 3) {
                let cut = runs::cut_short(&mut tx, &id, &services[service], branch, number).await.unwrap().len();
                (cut, self.line.cut_short(index))
            } else {
                (0, 0)
            };
            tx.commit().await.unwrap();
            assert_eq!((ended, cut.0), (expected, cut.1), "what a push takes the place of; {}", self.again());
            self.tally[5] += ended as u64;
            self.tally[7] += 1;
        }
    }

    fn reaches(&self, berth: usize) -> bool {
        !self.berths[berth].frozen && !self.berths[berth].cut_off
    }

    async fn claim(&mut self, berth: usize) {
        if !self.reaches(berth) {
            return;
        }
        let name = self.name(berth);
        let own: Vec<usize> = self.berths[berth].holds.iter().map(|hold| hold.run).collect();
        let before = self.line.open().filter(|(_, run)| run.left(self.now)).map(|(index, _)| index).collect::<Vec<_>>();
        let expected = self.line.claim(&name, LIMIT, self.now, &own);
        let given = runs::claim(&self.db, &name, LIMIT, clock::now(), &self.berths[berth].hands).await.unwrap();
        let index = given.as_ref().and_then(|given| self.ids.iter().position(|id| *id == given.id));
        assert_eq!(index, expected, "Berth {berth} is given another run than is next; {}", self.again());
        let (Some(index), Some(given)) = (index, given) else { return };
        assert_eq!(given.fence, self.line.runs[index].fence, "every claim raises the fence; {}", self.again());
        self.tally[1] += 1;
        self.tally[7] += 1;
        self.tally[3] += u64::from(before.contains(&index));
        let claim = Claim::new(self.instant());
        let _in_hand = self.berths[berth].hands.take(given.id.as_str());
        self.berths[berth].holds.push(Hold { run: index, fence: given.fence, claim, _in_hand });
        // What was interrupted too often is ended; everything else is begun.
        let mut tx = self.db.begin().await.unwrap();
        let taken = runs::take_up(&mut tx, &given, |stage| stage.attempt <= LOST_RETRIES).await.unwrap();
        let to_do = match taken {
            Some(TakenUp::ToDo(stages)) => stages,
            Some(TakenUp::Ended(stage)) => {
                assert_eq!(stage.state, RunState::Lost);
                Vec::new()
            }
            None => panic!("a claim that was just given is lost; {}", self.again()),
        };
        let expected = self.line.take_up(index, given.fence);
        assert_eq!(Some(!to_do.is_empty()), expected, "run {index} under fence {}; {}", given.fence, self.again());
        if let Some(stage) = to_do.first() {
            let begun = runs::begin_stage(&mut tx, &given.id, given.fence, stage).await.unwrap();
            assert_eq!(begun, self.line.begin(index, given.fence));
        }
        tx.commit().await.unwrap();
        if to_do.is_empty() {
            self.tally[6] += 1;
            self.end(berth, RunState::Lost).await;
        }
    }

    /// A Berth ends what it believes to hold.
    async fn finish(&mut self, berth: usize) {
        if self.reaches(berth) {
            self.end(berth, RunState::Passed).await;
        }
    }

    /// Ends what was taken up last. A claim that was lost writes nothing.
    async fn end(&mut self, berth: usize, state: RunState) {
        let Some(hold) = self.berths[berth].holds.pop() else { return };
        let state = if self.line.runs[hold.run].cancel { RunState::Cancelled } else { state };
        let ours = self.line.finish(hold.run, hold.fence, state);
        let mut tx = self.db.begin().await.unwrap();
        let written = runs::finish(&mut tx, &self.ids[hold.run], hold.fence, state, None, None).await.unwrap();
        tx.commit().await.unwrap();
        assert_eq!(written, ours, "the end of run {} under fence {}; {}", hold.run, hold.fence, self.again());
        self.tally[2] += u64::from(!ours);
        self.tally[7] += 1;
    }

    /// Leaves what it took up last as it is: its engine went away.
    async fn leave(&mut self, berth: usize) {
        if self.reaches(berth)
            && let Some(hold) = self.berths[berth].holds.pop()
        {
            self.line.let_go(hold.run, hold.fence);
            runs::let_go(&self.db, &self.ids[hold.run], hold.fence).await.unwrap();
        }
    }

    async fn sees_its_clock_moved(&mut self, berth: usize) {
        if self.reaches(berth) {
            let name = self.name(berth);
            self.line.renew_all(&name, self.now);
            leases::renew_all(&self.db, &name, clock::now()).await.unwrap();
        }
    }

    fn instant(&self) -> Instant {
        self.began + Duration::from_millis(u64::try_from(self.now).unwrap())
    }

    /// Time passes: claims are renewed where they can be, and end where they cannot.
    async fn pass_time(&mut self) {
        for _ in 0..self.rng.random_range(1..8) {
            let step = i64::try_from(STEP.as_millis()).unwrap();
            self.now += step;
            let took = std::mem::replace(&mut self.moved_at, Instant::now()).elapsed();
            let by = step - i64::try_from(took.as_millis()).unwrap();
            let mut tx = self.db.begin().await.unwrap();
            tx.execute("UPDATE runs SET lease_until = lease_until - $1 WHERE lease_until > 0", args![by]).await.unwrap();
            tx.commit().await.unwrap();
            for berth in 0..BERTHS {
                self.renew(berth).await;
            }
        }
    }

    async fn renew(&mut self, berth: usize) {
        if self.berths[berth].frozen {
            return;
        }
        let (now, cut_off) = (self.instant(), self.berths[berth].cut_off);
        let mut holds = std::mem::take(&mut self.berths[berth].holds);
        // What could not be renewed for too long is let go of before anything else.
        holds.retain(|hold| now < hold.claim.ends());
        for mut hold in holds {
            if now >= hold.claim.due() && cut_off {
                hold.claim.not_renewed(now);
            } else if now >= hold.claim.due() {
                let expected = self.line.renew(hold.run, hold.fence, self.now);
                let renewed = runs::renew(&self.db, &self.ids[hold.run], hold.fence).await.unwrap();
                assert_eq!(renewed, expected, "the renewal of run {}; {}", hold.run, self.again());
                self.tally[7] += 1;
                if renewed.is_none() {
                    continue;
                }
                hold.claim.renewed(now);
            }
            self.berths[berth].holds.push(hold);
        }
    }

    async fn cancel(&mut self) {
        if self.ids.is_empty() {
            return;
        }
        let index = self.rng.random_range(0..self.ids.len());
        let run = self.line.runs[index].clone();
        let (team, services) = &self.teams[run.team];
        let mut tx = self.db.begin().await.unwrap();
        let asked = runs::ask_cancel(&mut tx, team, &services[run.service], run.number).await.unwrap();
        tx.commit().await.unwrap();
        let open = self.line.ask_cancel(index);
        assert_eq!(asked, Some((self.ids[index].clone(), open)), "{}", self.again());
        self.tally[4] += u64::from(open);
        self.tally[7] += 1;
    }

    /// Killed and started again: it believes nothing, and lets go of what it held.
    async fn restart(&mut self, berth: usize) {
        self.berths[berth] = Berth::default();
        let name = self.name(berth);
        let released = runs::release_held_by(&self.db, &name).await.unwrap();
        assert_eq!(released, self.line.release_held_by(&name), "{}", self.again());
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
        let now = self.instant();
        for index in 0..self.ids.len() {
            let works = |berth: &&Berth| !berth.frozen && berth.holds.iter().any(|hold| hold.run == index && now < hold.claim.ends());
            let workers = self.berths.iter().filter(works).count();
            assert!(workers <= 1, "{workers} Berths carry out run {index}; {}", self.again());
        }
        for (index, run) in self.line.open().filter(|(_, run)| run.state == RunState::Running) {
            let beside = |(other, beside): &(usize, &super::line::Run)| {
                *other != index && beside.state == RunState::Running && beside.behind_each_other(run)
            };
            assert_eq!(self.line.open().filter(beside).count(), 0, "two runs of one branch are under way; {}", self.again());
        }
    }
}
