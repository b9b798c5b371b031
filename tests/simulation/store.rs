//! What a database would hold of one target, changed as `server::store` changes it: whole transactions, guarded by fences.

use std::collections::BTreeMap;

use app::model::{
    ConfigSetId, Environment, EnvironmentId, Process, Profile, ReleaseId, RolloutId, RolloutState, ServiceId, Shape, TargetId, TeamId,
    Timestamp,
};
use server::{
    claim::LEASE,
    rollout::plan::{Progress, Slot},
    store::{
        backends::BackendRow,
        releases::{Content, ReleaseRow},
        rollouts::RolloutRow,
    },
};

/// Time in milliseconds since the world began.
pub(super) type Ms = u64;

/// How long an instance must be healthy, in every world.
pub(super) const STABLE: Ms = 3_000;

/// A rollout's row, with what [`RolloutRow`] leaves to the store alone.
pub(super) struct Queued {
    pub(super) row: RolloutRow,
    pub(super) holder: String,
    pub(super) lease_until: Ms,
    pub(super) began: Option<Ms>,
}

/// The rows of one target.
pub(super) struct Store {
    pub(super) down_until: Ms,
    pub(super) releases: Vec<ReleaseRow>,
    pub(super) serving: Option<ReleaseId>,
    pub(super) wanted: Option<ReleaseId>,
    pub(super) rollouts: Vec<Queued>,
    pub(super) backends: Vec<BackendRow>,
    pub(super) keeper: (String, Ms),
}

pub(super) fn target() -> TargetId {
    TargetId::from_text("target")
}

pub(super) fn team() -> TeamId {
    TeamId::from_text("team")
}

pub(super) fn environment() -> Environment {
    Environment {
        id: EnvironmentId::from_text("dev"),
        name: "dev".parse().unwrap(),
        position: 0,
        pool: String::new(),
        default_replicas: 1,
        auto_deploy: true,
        stabilisation_ms: STABLE,
        deadline_ms: 30_000,
        profile: Profile::Baseline,
    }
}

/// The instances of a release.
pub(super) fn slots(release: &ReleaseRow) -> Vec<Slot> {
    server::rollout::request::slots(&release.replicas)
}

/// What a person asks for.
pub(super) struct Asked {
    pub(super) image: String,
    pub(super) config: u64,
    pub(super) command: bool,
    pub(super) web: u32,
    pub(super) worker: u32,
}

impl Asked {
    fn content(&self) -> Content {
        let process = Process { drain_ms: 5_000, ..Process::default() };
        let processes = BTreeMap::from([("web".to_owned(), process.clone()), ("worker".to_owned(), process)]);
        let release = self.command.then(|| vec!["migrate".to_owned()]);
        Content {
            image: self.image.clone(),
            candidate: None,
            config: (ConfigSetId::from_text(self.config.to_string()), self.config),
            replicas: BTreeMap::from([("web".to_owned(), self.web), ("worker".to_owned(), self.worker)]),
            shape: Shape { processes, release },
        }
    }
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            down_until: 0,
            releases: Vec::new(),
            serving: None,
            wanted: None,
            rollouts: Vec::new(),
            backends: Vec::new(),
            keeper: (String::new(), 0),
        }
    }

    pub(super) fn release(&self, id: &ReleaseId) -> &ReleaseRow {
        self.releases.iter().find(|release| release.id == *id).expect("releases are never removed")
    }

    pub(super) fn serves(&self) -> Option<&ReleaseRow> {
        self.serving.as_ref().map(|id| self.release(id))
    }

    /// Whether a rollout waits or is under way: the keeper leaves the target alone.
    pub(super) fn moving(&self) -> bool {
        self.rollouts.iter().any(|queued| !queued.row.state.ended())
    }

    /// `releases::insert` and `rollouts::enqueue`.
    pub(super) fn ask(&mut self, asked: &Asked) -> u64 {
        let (number, content) = (self.releases.len() as u64 + 1, asked.content());
        let same = self
            .serves()
            .filter(|s| s.image == content.image && s.config_set_id == content.config.0 && s.shape == content.shape)
            .map(|s| s.generation);
        let id = ReleaseId::from_text(number.to_string());
        self.releases.push(ReleaseRow {
            id: id.clone(),
            team_id: team(),
            target_id: target(),
            number,
            generation: same.unwrap_or(number),
            image: content.image,
            candidate_id: None,
            candidate_number: None,
            config_set_id: content.config.0,
            config_number: content.config.1,
            replicas: content.replicas,
            shape: content.shape,
            created_by: String::new(),
            reason: String::new(),
            created_at: Timestamp(0),
        });
        for queued in self.rollouts.iter_mut().filter(|queued| queued.row.state == RolloutState::Queued) {
            queued.row.state = RolloutState::Superseded;
        }
        let row = RolloutRow {
            id: RolloutId::from_text(number.to_string()),
            team_id: team(),
            service_id: ServiceId::from_text("service"),
            target_id: target(),
            release_id: id.clone(),
            from_release_id: self.serving.clone(),
            state: RolloutState::Queued,
            evidence: Vec::new(),
            progress: "{}".to_owned(),
            cancel_asked_at: None,
            created_by: String::new(),
            created_at: Timestamp(0),
            fence: 0,
            started_at: None,
        };
        self.rollouts.push(Queued { row, holder: String::new(), lease_until: 0, began: None });
        self.wanted = Some(id);
        number
    }

    /// `rollouts::ask_cancel` and `rollouts::unwant_queued`, for the newest.
    pub(super) fn cancel(&mut self) {
        let Some(queued) = self.rollouts.last_mut() else { return };
        match queued.row.state {
            RolloutState::Queued => {
                queued.row.state = RolloutState::Cancelled;
                if self.wanted.as_ref() == Some(&queued.row.release_id) {
                    self.wanted.clone_from(&self.serving);
                }
            }
            RolloutState::Running => queued.row.cancel_asked_at = Some(Timestamp(1)),
            _ => {}
        }
    }

    /// `rollouts::claim`.
    pub(super) fn claim(&mut self, holder: &str, now: Ms) -> Option<RolloutRow> {
        let running = self.rollouts.iter().any(|queued| queued.row.state == RolloutState::Running);
        let next = self.rollouts.iter_mut().find(|queued| match queued.row.state {
            RolloutState::Running => queued.lease_until < now,
            RolloutState::Queued => !running,
            _ => false,
        })?;
        next.row.state = RolloutState::Running;
        next.row.fence += 1;
        holder.clone_into(&mut next.holder);
        next.lease_until = now + lease();
        next.began.get_or_insert(now);
        Some(next.row.clone())
    }

    /// `rollouts::release_held_by`.
    pub(super) fn release_held_by(&mut self, holder: &str) {
        for queued in self.rollouts.iter_mut().filter(|q| q.holder == holder && q.row.state == RolloutState::Running) {
            queued.lease_until = 0;
        }
    }

    pub(super) fn row(&self, id: &RolloutId) -> &RolloutRow {
        &self.rollouts.iter().find(|queued| queued.row.id == *id).expect("rollouts are never removed").row
    }

    /// When it was taken up first.
    pub(super) fn began(&self, id: &RolloutId) -> Ms {
        self.rollouts.iter().find(|queued| queued.row.id == *id).and_then(|queued| queued.began).unwrap_or_default()
    }

    /// The rollout of this id, if this fence still holds it: the guard of every change by the one who carries it out.
    pub(super) fn held(&mut self, id: &RolloutId, fence: i64) -> Option<&mut Queued> {
        self.rollouts.iter_mut().find(|q| q.row.id == *id && q.row.fence == fence && q.row.state == RolloutState::Running)
    }

    /// `rollouts::record`: false where the claim is lost.
    pub(super) fn record(&mut self, id: &RolloutId, fence: i64, progress: &Progress, now: Ms) -> bool {
        let Some(queued) = self.held(id, fence) else { return false };
        queued.row.progress = serde_json::to_string(progress).unwrap();
        queued.lease_until = now + lease();
        true
    }

    /// `rollouts::renew`.
    pub(super) fn renew(&mut self, id: &RolloutId, fence: i64, now: Ms) {
        if let Some(queued) = self.held(id, fence) {
            queued.lease_until = now + lease();
        }
    }

    /// `rollouts::finish`, with `releases::serve` or `releases::give_up`: false where the claim is lost.
    pub(super) fn finish(&mut self, id: &RolloutId, fence: i64, state: RolloutState) -> bool {
        let Some(queued) = self.held(id, fence) else { return false };
        queued.row.state = state;
        let release = queued.row.release_id.clone();
        if state == RolloutState::Succeeded {
            self.serving = Some(release);
        } else if self.wanted.as_ref() == Some(&release) {
            self.wanted.clone_from(&self.serving);
        }
        true
    }

    /// `backends::put`.
    pub(super) fn put(&mut self, row: BackendRow) {
        let same = |b: &BackendRow| b.release == row.release && b.process == row.process && b.slot == row.slot;
        self.backends.retain(|b| !same(b));
        self.backends.push(row);
        self.backends.sort_by(|a, b| (a.release, &a.process, a.slot).cmp(&(b.release, &b.process, b.slot)));
    }

    /// `backends::remove_one`.
    pub(super) fn forget(&mut self, row: &BackendRow) {
        self.backends.retain(|b| b.release != row.release || b.process != row.process || b.slot != row.slot);
    }

    /// `backends::drain_one`.
    pub(super) fn drain(&mut self, row: &BackendRow, now: Ms) {
        for b in self.backends.iter_mut().filter(|b| b.release == row.release && b.process == row.process && b.slot == row.slot) {
            b.draining_since.get_or_insert(Timestamp(i64::try_from(now).unwrap()));
        }
    }
}

fn lease() -> Ms {
    u64::try_from(LEASE.as_millis()).unwrap()
}
