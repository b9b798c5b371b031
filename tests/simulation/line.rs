//! The queue of runs as the store keeps it, as a plain value: what is pushed, claimed, renewed, ended and cancelled, as
//! `server::store::runs` and `server::store::groups` do it. [`super::queue`] holds the real store against it on both databases, and
//! [`super::crew`] lets Berths loose on it in ten thousand worlds.

use app::model::RunState;
use server::claim::LEASE;

/// A wall clock, in milliseconds. Berths may differ in it.
pub(super) type Wall = i64;

/// How often a stage that was interrupted is begun again.
pub(super) const LOST_RETRIES: u32 = 1;

/// The length of a lease.
pub(super) fn lease() -> Wall {
    Wall::try_from(LEASE.as_millis()).unwrap()
}

/// A group with the limit that a run names for it.
pub(super) type Group = (&'static str, u32);

/// A run of one stage.
#[derive(Clone, Debug)]
pub(super) struct Run {
    pub(super) team: usize,
    pub(super) service: usize,
    pub(super) branch: &'static str,
    /// Within its service.
    pub(super) number: u64,
    pub(super) group: Option<Group>,
    pub(super) state: RunState,
    pub(super) fence: i64,
    pub(super) cancel: bool,
    holder: String,
    lease_until: Wall,
    attempt: u32,
    begun: bool,
    given_up: bool,
}

impl Run {
    /// Whether it belongs to the same line as another: one of these is under way at a time, in their order.
    pub(super) fn behind_each_other(&self, other: &Self) -> bool {
        (self.team, self.service, self.branch) == (other.team, other.service, other.branch)
    }

    /// Whether its holder went silent.
    pub(super) fn left(&self, now: Wall) -> bool {
        self.state == RunState::Running && self.lease_until < now
    }
}

/// All runs, in the order in which they were queued.
#[derive(Default)]
pub(super) struct Line {
    pub(super) runs: Vec<Run>,
    /// Which of them have not ended, in their order.
    open: Vec<usize>,
}

impl Line {
    /// `runs::insert`.
    pub(super) fn push(&mut self, (team, service, branch): (usize, usize, &'static str), group: Option<Group>) -> usize {
        let number = self.runs.iter().filter(|run| (run.team, run.service) == (team, service)).count() as u64 + 1;
        self.runs.push(Run {
            team,
            service,
            branch,
            number,
            group,
            state: RunState::Queued,
            fence: 0,
            cancel: false,
            holder: String::new(),
            lease_until: 0,
            attempt: 1,
            begun: false,
            given_up: false,
        });
        self.open.push(self.runs.len() - 1);
        self.runs.len() - 1
    }

    /// The runs that have not ended, in their order.
    pub(super) fn open(&self) -> impl Iterator<Item = (usize, &Run)> {
        self.open.iter().map(|index| (*index, &self.runs[*index]))
    }

    fn ends(&mut self, index: usize, state: RunState) {
        self.runs[index].state = state;
        self.open.retain(|open| *open != index);
    }

    fn before(&self, by: usize, state: RunState) -> Vec<usize> {
        let newer = &self.runs[by];
        let older = |run: &Run| run.behind_each_other(newer) && run.number < newer.number && run.state == state;
        self.open().filter(|(_, run)| older(run)).map(|(index, _)| index).collect()
    }

    /// `runs::supersede`: how many end.
    pub(super) fn supersede(&mut self, by: usize) -> usize {
        let ended = self.before(by, RunState::Queued);
        for index in &ended {
            self.ends(*index, RunState::Superseded);
        }
        ended.len()
    }

    /// `runs::cut_short`: how many are asked to stop.
    pub(super) fn cut_short(&mut self, by: usize) -> usize {
        let asked = self.before(by, RunState::Running);
        for index in &asked {
            self.runs[*index].cancel = true;
        }
        asked.len()
    }

    /// How many of a team are under way.
    pub(super) fn under_way(&self, team: usize) -> usize {
        self.open().filter(|(_, run)| run.team == team && run.state == RunState::Running).count()
    }

    fn full(&self, wants: &Run) -> bool {
        let Some((name, limit)) = wants.group else { return false };
        let within = |run: &Run| run.state == RunState::Running && run.team == wants.team && run.group.is_some_and(|(n, _)| n == name);
        let limits: Vec<u32> = self.open().filter(|(_, run)| within(run)).filter_map(|(_, run)| Some(run.group?.1)).collect();
        limits.iter().min().is_some_and(|least| limits.len() >= (*least).min(limit) as usize)
    }

    fn may_begin(&self, run: &Run) -> bool {
        let held_up = |other: &Run| other.behind_each_other(run) && (other.state == RunState::Running || other.number < run.number);
        run.state == RunState::Queued && !self.open().any(|(_, other)| held_up(other)) && !self.full(run)
    }

    /// What a silent holder left first, then of the team with the least under way the oldest that nothing holds up.
    fn next(&self, now: Wall, own: &[usize]) -> Option<usize> {
        let rank = |(index, run): (usize, &Run)| (self.under_way(run.team), index);
        let left = self.open().filter(|(index, run)| run.left(now) && !own.contains(index));
        let left = left.map(rank).min();
        let next = left.or_else(|| self.open().filter(|(_, run)| self.may_begin(run)).map(rank).min());
        next.map(|(_, index)| index)
    }

    /// `runs::claim`: the run that is given. `own` is what the holder has in its hands.
    pub(super) fn claim(&mut self, holder: &str, limit: usize, now: Wall, own: &[usize]) -> Option<usize> {
        let held = |run: &Run| run.state == RunState::Running && run.holder == holder && run.lease_until >= now;
        if self.open().filter(|(_, run)| held(run)).count().max(own.len()) >= limit {
            return None;
        }
        let index = self.next(now, own)?;
        let run = &mut self.runs[index];
        (run.state, run.fence, run.lease_until) = (RunState::Running, run.fence + 1, now + lease());
        holder.clone_into(&mut run.holder);
        Some(index)
    }

    fn held(&mut self, index: usize, fence: i64) -> Option<&mut Run> {
        Some(&mut self.runs[index]).filter(|run| run.state == RunState::Running && run.fence == fence)
    }

    /// `runs::take_up`: whether there is anything to do, which there is not of what was interrupted too often. None: the claim is lost.
    pub(super) fn take_up(&mut self, index: usize, fence: i64) -> Option<bool> {
        let run = self.held(index, fence)?;
        if run.begun {
            run.begun = false;
            run.given_up = run.attempt > LOST_RETRIES;
            run.attempt += 1;
        }
        Some(!run.given_up)
    }

    /// `runs::begin_stage`: false where the claim is lost.
    pub(super) fn begin(&mut self, index: usize, fence: i64) -> bool {
        let run = self.held(index, fence);
        run.map(|run| run.begun = true).is_some()
    }

    /// `runs::renew`: whether cancelling was asked for; none where the claim is lost.
    pub(super) fn renew(&mut self, index: usize, fence: i64, now: Wall) -> Option<bool> {
        let run = self.held(index, fence)?;
        run.lease_until = now + lease();
        Some(run.cancel)
    }

    /// `leases::renew_all`.
    pub(super) fn renew_all(&mut self, holder: &str, now: Wall) {
        for index in self.open.clone() {
            let run = &mut self.runs[index];
            if run.state == RunState::Running && run.holder == holder && run.lease_until > 0 {
                run.lease_until = now + lease();
            }
        }
    }

    /// `runs::let_go`.
    pub(super) fn let_go(&mut self, index: usize, fence: i64) {
        if let Some(run) = self.held(index, fence) {
            run.lease_until = 0;
        }
    }

    /// `runs::release_held_by`: how many.
    pub(super) fn release_held_by(&mut self, holder: &str) -> u64 {
        let mut released = 0;
        for index in self.open.clone() {
            let run = &mut self.runs[index];
            if run.state == RunState::Running && run.holder == holder {
                run.lease_until = 0;
                released += 1;
            }
        }
        released
    }

    /// `runs::finish`: false where the claim is lost.
    pub(super) fn finish(&mut self, index: usize, fence: i64, state: RunState) -> bool {
        let ours = self.held(index, fence).is_some();
        if ours {
            self.ends(index, state);
        }
        ours
    }

    /// `runs::ask_cancel`: whether it was open.
    pub(super) fn ask_cancel(&mut self, index: usize) -> bool {
        match self.runs[index].state {
            RunState::Queued => self.ends(index, RunState::Cancelled),
            RunState::Running => self.runs[index].cancel = true,
            _ => return false,
        }
        true
    }
}
