//! Berths at the line of runs, in ten thousand worlds without a database: the rules of the claims as [`super::line`] has them, with
//! the real [`Claim`], the real [`Hands`] and the real [`Room`] of the steps. Berths are killed without letting go, frozen, and cut
//! off from the store for shorter and longer than a lease; steps hang until their time is over, engines go away in the middle,
//! clocks differ and are moved by an hour; people push and cancel. Then everything heals, and all must come to its end.

use std::{
    collections::BTreeMap,
    fmt::Write as _,
    ops::AddAssign,
    pin::Pin,
    sync::Arc,
    time::{Duration, Instant},
};

use app::model::RunState;
use futures::FutureExt as _;
use rand::{Rng as _, SeedableRng as _, rngs::StdRng};
use server::{
    claim::{Claim, Hands, InHand, LEASE},
    pipelines::room::{OfRun, Place, Room},
};
use tokio_util::sync::CancellationToken;

use super::{
    line::{LOST_RETRIES, Line, Run, Wall},
    seeds::Life,
    store::Ms,
};

/// Runs at once of one Berth.
const LIMIT: usize = 2;
/// Steps at once: on the host of a Berth, and of one run.
const ROOM: (usize, usize) = (3, 2);
const TEAMS: usize = 3;
const SERVICES: usize = 2;
/// So many times something may go wrong.
const CHAOS: usize = 60;
/// A step that hangs is ended after this long.
const LONGEST_STEP: Ms = 90_000;
/// Clocks may differ by this much: two of them together stay within what lies between the end of the work and that of the lease.
const SKEW: Wall = 5_000;
const HOUR: Wall = 3_600_000;
/// A lease that reaches two hours ahead, by clocks that were moved apart, and then everything in line.
const CONVERGES_WITHIN: Ms = 3 * 3_600_000;

/// What happened in one world, or in all of them.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) seeds: u64,
    pub(super) runs: u64,
    pub(super) claims: u64,
    pub(super) taken_over: u64,
    pub(super) refused: u64,
    pub(super) kills: u64,
    pub(super) freezes: u64,
    pub(super) short: u64,
    pub(super) long: u64,
    pub(super) moved: u64,
    pub(super) superseded: u64,
    pub(super) cancelled: u64,
    pub(super) lost: u64,
    pub(super) timed_out: u64,
    pub(super) waited: u64,
}

impl Tally {
    /// All figures, in the order of their names above.
    pub(super) fn all(&self) -> [u64; 15] {
        let Self {
            seeds,
            runs,
            claims,
            taken_over,
            refused,
            kills,
            freezes,
            short,
            long,
            moved,
            superseded,
            cancelled,
            lost,
            timed_out,
            ..
        } = *self;
        let waited = self.waited;
        [seeds, runs, claims, taken_over, refused, kills, freezes, short, long, moved, superseded, cancelled, lost, timed_out, waited]
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.seeds += other.seeds;
        self.runs += other.runs;
        self.claims += other.claims;
        self.taken_over += other.taken_over;
        self.refused += other.refused;
        self.kills += other.kills;
        self.freezes += other.freezes;
        self.short += other.short;
        self.long += other.long;
        self.moved += other.moved;
        self.superseded += other.superseded;
        self.cancelled += other.cancelled;
        self.lost += other.lost;
        self.timed_out += other.timed_out;
        self.waited += other.waited;
    }
}

/// A step: waits for a place, works in it, and is done.
enum Step {
    Waits(Pin<Box<dyn Future<Output = Option<Place>>>>, Ms),
    Works { until: Ms, _place: Place },
    Done,
}

/// A run in the hands of a Berth, as it believes.
struct Hold {
    run: usize,
    fence: i64,
    claim: Claim,
    cancel: CancellationToken,
    steps: Vec<Step>,
    /// When the time of its steps is over.
    until: Ms,
    _in_hand: InHand,
}

impl Hold {
    fn working(&self) -> usize {
        self.steps.iter().filter(|step| matches!(step, Step::Works { .. })).count()
    }

    fn waits(&self) -> bool {
        self.steps.iter().any(|step| matches!(step, Step::Waits(..)))
    }

    /// Its steps go on as far as there is room. Some: how it ends.
    fn work(&mut self, now: Ms) -> Option<RunState> {
        for step in &mut self.steps {
            match step {
                Step::Waits(place, takes) => match place.now_or_never() {
                    Some(Some(place)) => *step = Step::Works { until: now.saturating_add(*takes), _place: place },
                    Some(None) => *step = Step::Done,
                    None => {}
                },
                Step::Works { until, .. } if *until <= now || self.cancel.is_cancelled() => *step = Step::Done,
                Step::Works { .. } | Step::Done => {}
            }
        }
        if self.cancel.is_cancelled() {
            return Some(RunState::Cancelled);
        }
        let done = self.steps.iter().all(|step| matches!(step, Step::Done));
        if done { Some(RunState::Passed) } else { (now >= self.until).then_some(RunState::TimedOut) }
    }
}

struct Berth {
    name: String,
    hands: Hands,
    room: Room,
    holds: Vec<Hold>,
    /// What its clock shows beyond the true time.
    skew: Wall,
    /// Whether its clock was moved since it looked last.
    moved: bool,
    killed_until: Ms,
    frozen_until: Ms,
    cut_until: Ms,
    /// Runs of which it could write no end, and until when it tries to let go of each.
    lets_go: Vec<(Hold, Ms)>,
    /// Whether it is to start, or to go on.
    starts: bool,
    thaws: bool,
}

impl Berth {
    fn runs_at(&self, now: Ms) -> bool {
        now >= self.killed_until && now >= self.frozen_until
    }

    fn reaches(&self, now: Ms) -> bool {
        now >= self.cut_until
    }
}

struct World {
    rng: StdRng,
    began: Instant,
    now: Ms,
    line: Line,
    berths: Vec<Berth>,
    /// How often each run was carried out with effect.
    counted: Vec<u32>,
    /// The state of each run when it was looked at last.
    seen: Vec<RunState>,
    /// Whether clocks differ by more than is allowed: then two may work on the same, and one of them counts.
    apart: bool,
    broken: Option<String>,
    story: Option<Vec<String>>,
    tally: Tally,
}

/// Lives through one world.
pub(super) fn live(seed: u64, tell: bool) -> Life<Tally> {
    let mut rng = StdRng::seed_from_u64(seed);
    let berth = |at: usize, rng: &mut StdRng| Berth {
        name: format!("Berth {at}"),
        hands: Hands::default(),
        room: Room::new(ROOM.0, ROOM.1),
        holds: Vec::new(),
        skew: rng.random_range(-SKEW..=SKEW),
        moved: false,
        killed_until: 0,
        frozen_until: 0,
        cut_until: 0,
        lets_go: Vec::new(),
        starts: false,
        thaws: false,
    };
    // One alone may have its clock moved without two ever working on the same.
    let count = rng.random_range(1..=4);
    let berths = (0..count).map(|at| berth(at, &mut rng)).collect();
    let mut world = World {
        rng,
        began: Instant::now(),
        now: 1,
        line: Line::default(),
        berths,
        counted: Vec::new(),
        seen: Vec::new(),
        apart: false,
        broken: None,
        story: tell.then(Vec::new),
        tally: Tally { seeds: 1, ..Tally::default() },
    };
    let result = world.run();
    Life { result: result.map(|()| world.tally), story: world.story.unwrap_or_default() }
}

impl World {
    fn run(&mut self) -> Result<(), String> {
        for _ in 0..CHAOS {
            if self.rng.random_ratio(1, 3) {
                self.push();
            }
            self.mishap();
            let step = self.rng.random_range(500..6_000);
            self.pass(step)?;
        }
        self.heal();
        let healed = self.now;
        while self.line.open().next().is_some() {
            if self.now > healed + CONVERGES_WITHIN {
                let open: Vec<String> = self.line.open().map(|(index, run)| format!("run {index} is {}", run.state.name())).collect();
                return Err(format!("not at its end {} min after everything healed: {}", CONVERGES_WITHIN / 60_000, open.join(", ")));
            }
            let idle = self.berths.iter().all(|berth| berth.holds.is_empty());
            self.pass(if idle { 20_000 } else { 3_000 })?;
        }
        self.ends()
    }

    fn wall(&self, at: usize) -> Wall {
        Wall::try_from(self.now).unwrap() + 10 * HOUR + self.berths[at].skew
    }

    fn instant(&self) -> Instant {
        self.began + Duration::from_millis(self.now)
    }

    fn tell(&mut self, what: impl FnOnce(&Self) -> String) {
        if self.story.is_some() {
            let line = format!("{:>8} ms  {}", self.now, what(self));
            self.story.get_or_insert_default().push(line);
        }
    }

    fn broke(&mut self, rule: impl FnOnce() -> String) {
        self.broken.get_or_insert_with(rule);
    }

    /// Time passes, and each Berth does what it does, in some order.
    fn pass(&mut self, by: Ms) -> Result<(), String> {
        self.now += by;
        let first = self.rng.random_range(0..self.berths.len());
        for at in 0..self.berths.len() {
            self.act((first + at) % self.berths.len());
            self.rules();
            if let Some(rule) = self.broken.take() {
                return Err(rule);
            }
        }
        Ok(())
    }

    fn act(&mut self, at: usize) {
        let berth = &mut self.berths[at];
        if !berth.runs_at(self.now) {
            return;
        }
        if std::mem::take(&mut berth.starts) && berth.reaches(self.now) {
            let name = berth.name.clone();
            self.line.release_held_by(&name);
        }
        if std::mem::take(&mut self.berths[at].thaws) && self.rng.random() {
            // The first it does is to write what it was about to.
            if let Some(hold) = self.berths[at].holds.pop() {
                self.write_end(at, hold, RunState::Passed);
            }
        }
        self.keep(at);
        self.work(at);
        self.let_go(at);
        self.claim(at);
    }

    /// Stops what could not be renewed for too long, then renews what is due: `runner::watch`.
    fn keep(&mut self, at: usize) {
        let (instant, wall, reaches) = (self.instant(), self.wall(at), self.berths[at].reaches(self.now));
        for mut hold in std::mem::take(&mut self.berths[at].holds) {
            if instant >= hold.claim.ends() {
                self.tell(|_| format!("Berth {at} stops run {} by itself", hold.run));
                continue;
            }
            if instant >= hold.claim.due() {
                if reaches {
                    let Some(cancel) = self.line.renew(hold.run, hold.fence, wall) else {
                        self.tell(|_| format!("Berth {at} hears that run {} is another's", hold.run));
                        continue;
                    };
                    hold.claim.renewed(instant);
                    if cancel {
                        hold.cancel.cancel();
                    }
                } else {
                    hold.claim.not_renewed(instant);
                }
            }
            self.berths[at].holds.push(hold);
        }
    }

    fn work(&mut self, at: usize) {
        let mut ended = Vec::new();
        let berth = &mut self.berths[at];
        // Twice: what one run gives back is for another.
        for _ in 0..2 {
            for mut hold in std::mem::take(&mut berth.holds) {
                match hold.work(self.now) {
                    Some(state) => ended.push((Hold { steps: Vec::new(), ..hold }, state)),
                    None => berth.holds.push(hold),
                }
            }
        }
        for (hold, state) in ended {
            self.write_end(at, hold, state);
        }
    }

    /// Writes the end of a run; what it cannot write it lets go of as soon as it can.
    fn write_end(&mut self, at: usize, hold: Hold, state: RunState) {
        let (run, fence) = (hold.run, hold.fence);
        if !self.berths[at].reaches(self.now) {
            self.leave(at, hold);
            return self.tell(|_| format!("Berth {at} cannot write the end of run {run}"));
        }
        let state = if self.line.runs[run].cancel { RunState::Cancelled } else { state };
        let ours = self.line.finish(run, fence, state);
        self.tell(|_| format!("Berth {at} ends run {run}: {}, {}", state.name(), if ours { "written" } else { "refused" }));
        self.tally.refused += u64::from(!ours);
        self.counted[run] += u32::from(ours && state == RunState::Passed);
        self.tally.timed_out += u64::from(ours && state == RunState::TimedOut);
    }

    /// Leaves a run as it is, to be let go of.
    fn leave(&mut self, at: usize, hold: Hold) {
        let until = self.now + Ms::try_from(LEASE.as_millis()).unwrap();
        self.berths[at].lets_go.push((Hold { steps: Vec::new(), ..hold }, until));
    }

    fn let_go(&mut self, at: usize) {
        let reaches = self.berths[at].reaches(self.now);
        for (hold, until) in std::mem::take(&mut self.berths[at].lets_go) {
            if reaches {
                self.line.let_go(hold.run, hold.fence);
            } else if self.now < until {
                self.berths[at].lets_go.push((hold, until));
            }
        }
    }

    /// `queue::claim_all`, then what `runner` does first.
    fn claim(&mut self, at: usize) {
        if !self.berths[at].reaches(self.now) {
            return;
        }
        let (wall, name) = (self.wall(at), self.berths[at].name.clone());
        if std::mem::take(&mut self.berths[at].moved) {
            self.line.renew_all(&name, wall);
        }
        loop {
            let own: Vec<usize> = self.berths[at].hands.full_of().iter().map(|id| id.parse().unwrap()).collect();
            let before = self.fair_share(wall, &own);
            let Some(run) = self.line.claim(&name, LIMIT, wall, &own) else { return };
            self.judge_claim(run, &before);
            let in_hand = self.berths[at].hands.take(&run.to_string());
            self.take_up(at, run, in_hand);
        }
    }

    fn take_up(&mut self, at: usize, run: usize, in_hand: InHand) {
        let (fence, cancelled) = (self.line.runs[run].fence, self.line.runs[run].cancel);
        self.tally.claims += 1;
        self.tally.taken_over += u64::from(fence > 1);
        self.tell(|_| format!("Berth {at} claims run {run} under fence {fence}"));
        let claim = Claim::new(self.instant());
        let cancel = CancellationToken::new();
        let hold = Hold { run, fence, claim, cancel: cancel.clone(), steps: Vec::new(), until: self.now + LONGEST_STEP, _in_hand: in_hand };
        if cancelled {
            return self.write_end(at, hold, RunState::Cancelled);
        }
        if self.line.take_up(run, fence) == Some(false) {
            self.tally.lost += 1;
            return self.write_end(at, hold, RunState::Lost);
        }
        self.line.begin(run, fence);
        let room = Arc::new(self.berths[at].room.of_run_on(None));
        let steps = (0..self.rng.random_range(1..5)).map(|_| self.step(&room, &cancel)).collect();
        self.berths[at].holds.push(Hold { steps, ..hold });
    }

    /// A step that is begun where there is room at once. Some hang.
    fn step(&mut self, room: &Arc<OfRun>, cancel: &CancellationToken) -> Step {
        let takes = if self.rng.random_ratio(1, 25) { Ms::MAX } else { self.rng.random_range(500..25_000) };
        if let Some(place) = room.at_once() {
            return Step::Works { until: self.now.saturating_add(takes), _place: place };
        }
        self.tally.waited += 1;
        let (room, cancel) = (Arc::clone(room), cancel.clone());
        Step::Waits(Box::pin(async move { room.wait(&cancel).await }), takes)
    }

    fn push(&mut self) {
        let place = (self.rng.random_range(0..TEAMS), self.rng.random_range(0..SERVICES), ["main", "topic"][self.rng.random_range(0..2)]);
        let groups = [None, None, Some(("db", 1)), Some(("disk", 2)), Some(("disk", 3))];
        let group = groups[self.rng.random_range(0..groups.len())];
        let run = self.line.push(place, group);
        self.counted.push(0);
        self.seen.push(RunState::Queued);
        self.tally.runs += 1;
        self.tell(|_| format!("run {run} is pushed: {place:?}, group {group:?}"));
        if self.rng.random() {
            self.tally.superseded += self.line.supersede(run) as u64;
            if self.rng.random() {
                self.line.cut_short(run);
            }
            let older = |other: &Run| other.behind_each_other(&self.line.runs[run]) && other.state == RunState::Queued;
            if self.line.open().filter(|(_, other)| older(other)).count() > 1 {
                self.broke(|| format!("run {run} took the place of others, and one of them waits"));
            }
        }
    }

    fn mishap(&mut self) {
        let (at, now) = (self.rng.random_range(0..self.berths.len()), self.now);
        let long = if self.rng.random_ratio(1, 3) { 150_000 } else { 25_000 };
        let until = now + self.rng.random_range(1_000..long);
        match self.rng.random_range(0..18) {
            0 => self.kill(at, until),
            1 => {
                self.tell(|_| format!("Berth {at} is frozen until {until}"));
                self.tally.freezes += 1;
                (self.berths[at].frozen_until, self.berths[at].thaws) = (until, true);
            }
            2 => {
                self.tell(|_| format!("Berth {at} is cut off until {until}"));
                let longer = until - now > Ms::try_from(LEASE.as_millis()).unwrap();
                self.tally.long += u64::from(longer);
                self.tally.short += u64::from(!longer);
                self.berths[at].cut_until = until;
            }
            3 => self.engine_away(at),
            4 if !self.line.runs.is_empty() => {
                let run = self.rng.random_range(0..self.line.runs.len());
                self.tell(|_| format!("run {run} is cancelled"));
                self.tally.cancelled += u64::from(self.line.ask_cancel(run));
            }
            5 if self.rng.random_ratio(1, 3) => {
                // Away from what it should show, or back.
                let away = if self.rng.random() { HOUR } else { -HOUR };
                let by = if self.berths[at].skew.abs() > SKEW { -HOUR * self.berths[at].skew.signum() } else { away };
                self.tell(|_| format!("the clock of Berth {at} is moved by {} h", by / HOUR));
                self.tally.moved += 1;
                self.apart |= self.berths.len() > 1;
                (self.berths[at].skew, self.berths[at].moved) = (self.berths[at].skew + by, true);
            }
            _ => {}
        }
    }

    /// Killed, letting go of nothing. Some start again under their name, some are another machine with another one.
    fn kill(&mut self, at: usize, until: Ms) {
        self.tally.kills += 1;
        let same = self.rng.random();
        self.tell(|_| format!("Berth {at} is killed until {until}{}", if same { "" } else { ", and another takes its place" }));
        let berth = &mut self.berths[at];
        if !same {
            berth.name.push('\'');
        }
        berth.holds.clear();
        berth.lets_go.clear();
        (berth.hands, berth.room) = (Hands::default(), Room::new(ROOM.0, ROOM.1));
        (berth.killed_until, berth.starts, berth.thaws, berth.moved) = (until, true, false, false);
    }

    /// Nobody knows how its steps ended: the runs are let go of, to be taken up again.
    fn engine_away(&mut self, at: usize) {
        if !self.berths[at].runs_at(self.now) {
            return;
        }
        self.tell(|_| format!("the engine of Berth {at} goes away"));
        for hold in std::mem::take(&mut self.berths[at].holds) {
            self.leave(at, hold);
        }
    }

    fn heal(&mut self) {
        self.tell(|_| "from here on nothing goes wrong any more".to_owned());
        for berth in &mut self.berths {
            (berth.killed_until, berth.frozen_until, berth.cut_until) =
                (berth.killed_until.min(self.now), berth.frozen_until.min(self.now), berth.cut_until.min(self.now));
        }
    }

    /// How many runs of each team are under way that has one which could be given now; and whether a silent holder left one. Reckoned
    /// anew from all rows, and not as the claim does.
    fn fair_share(&self, now: Wall, own: &[usize]) -> (BTreeMap<usize, usize>, bool) {
        let all = self.line.runs.iter().enumerate();
        let open: Vec<(usize, &Run)> = all.filter(|(_, run)| matches!(run.state, RunState::Queued | RunState::Running)).collect();
        let running = || open.iter().map(|(_, run)| *run).filter(|run| run.state == RunState::Running);
        let mut teams = BTreeMap::new();
        for (_, run) in open.iter().filter(|(_, run)| run.state == RunState::Queued) {
            let run: &Run = run;
            let first = open.iter().filter(|(_, other)| other.behind_each_other(run)).all(|(_, other)| other.number >= run.number);
            let alone = !running().any(|other| other.behind_each_other(run));
            let named = |run: &Run| run.group.map(|(name, _)| name);
            let in_group: Vec<&Run> = running().filter(|other| other.team == run.team && named(other) == named(run)).collect();
            let bears = in_group.iter().copied().chain([run]).filter_map(|other| Some(other.group?.1 as usize)).min();
            if first && alone && bears.is_none_or(|bears| in_group.len() < bears) {
                teams.insert(run.team, running().filter(|other| other.team == run.team).count());
            }
        }
        let left = open.iter().any(|(index, run)| run.left(now) && !own.contains(index));
        (teams, left)
    }

    fn judge_claim(&mut self, run: usize, (teams, left): &(BTreeMap<usize, usize>, bool)) {
        let given = &self.line.runs[run];
        let (team, fence) = (given.team, given.fence);
        match teams.get(&team) {
            _ if *left != (fence > 1) => self.broke(|| format!("run {run} is given, and silent holders left others: {left}")),
            _ if *left => {}
            None => self.broke(|| format!("run {run} is begun and something holds it up")),
            Some(mine) => {
                if let Some((other, _)) = teams.iter().find(|(_, under_way)| *under_way < mine) {
                    self.broke(|| format!("run {run} of team {team} is begun, and team {other} has less under way"));
                }
            }
        }
    }

    /// What must hold at every step.
    fn rules(&mut self) {
        let mut broken = String::new();
        let instant = self.instant();
        let mut at_work: BTreeMap<usize, usize> = BTreeMap::new();
        for berth in &self.berths {
            if berth.holds.len() > LIMIT {
                write!(broken, "{} works on {} runs", berth.name, berth.holds.len()).unwrap();
            }
            let on_host: usize = berth.holds.iter().map(Hold::working).sum();
            if on_host > ROOM.0 || berth.holds.iter().any(|hold| hold.working() > ROOM.1) {
                write!(broken, "{} has {on_host} steps under way", berth.name).unwrap();
            }
            let idle = |hold: &Hold| hold.waits() && hold.working() < ROOM.1 && on_host < ROOM.0 && !hold.cancel.is_cancelled();
            if berth.runs_at(self.now) && berth.holds.iter().any(idle) {
                write!(broken, "a step of {} waits while there is room", berth.name).unwrap();
            }
            // Who is frozen does nothing; what it writes first is refused.
            if self.now >= berth.frozen_until && !berth.thaws {
                for hold in berth.holds.iter().filter(|hold| instant < hold.claim.ends()) {
                    *at_work.entry(hold.run).or_default() += 1;
                }
            }
        }
        if let Some((run, _)) = at_work.iter().find(|(_, workers)| **workers > 1).filter(|_| !self.apart) {
            write!(broken, "two work on run {run}").unwrap();
        }
        if let Some(run) = self.counted.iter().position(|times| *times > 1) {
            write!(broken, "run {run} counted twice").unwrap();
        }
        for (run, seen) in self.line.runs.iter().zip(&mut self.seen) {
            if seen.ended() && *seen != run.state || *seen == RunState::Running && run.state == RunState::Queued {
                write!(broken, "a run went back from {} to {}", seen.name(), run.state.name()).unwrap();
            }
            *seen = run.state;
        }
        self.limits(&mut broken);
        if !broken.is_empty() {
            self.broke(|| broken);
        }
    }

    fn limits(&self, broken: &mut String) {
        let running: Vec<&Run> = self.line.open().map(|(_, run)| run).filter(|run| run.state == RunState::Running).collect();
        for run in &running {
            let beside = running.iter().filter(|other| other.behind_each_other(run)).count();
            if beside > 1 {
                write!(broken, "{beside} runs of one branch are under way").unwrap();
            }
            if let Some((name, limit)) = run.group {
                let within = running.iter().filter(|other| other.team == run.team && other.group.is_some_and(|(n, _)| n == name)).count();
                if within > limit as usize {
                    write!(broken, "{within} runs are under way in group {name}, which bears {limit}").unwrap();
                }
            }
        }
    }

    /// Everything has ended: nothing is lost, and nothing counted that should not.
    fn ends(&self) -> Result<(), String> {
        for (index, (run, counted)) in self.line.runs.iter().zip(&self.counted).enumerate() {
            let good = match run.state {
                RunState::Passed => *counted == 1,
                RunState::Lost => *counted == 0 && run.fence > i64::from(LOST_RETRIES),
                RunState::Cancelled | RunState::Superseded | RunState::TimedOut => *counted == 0,
                _ => false,
            };
            if !good {
                return Err(format!("run {index} is {} under fence {} and counted {counted} times", run.state.name(), run.fence));
            }
        }
        Ok(())
    }
}
