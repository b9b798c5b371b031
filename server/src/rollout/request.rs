//! Asks for a release: rows only. The background carries it out.

use std::{collections::BTreeMap, time::Duration};

use app::{
    error::Result,
    model::{Candidate, Environment, RolloutId, Shape, TargetId},
};

use super::plan::{Desired, Slot, sentences};
use crate::store::{
    Tx,
    releases::{self, Content, ReleaseRow},
    rollouts,
    targets::{self, TargetRow},
};

/// The instances of each process a target wants: what was asked for, else the environment's default for `web` and one of
/// every other.
pub fn replicas(shape: &Shape, asked: &BTreeMap<String, u32>, environment: &Environment) -> BTreeMap<String, u32> {
    let default = |process: &str| if process == "web" { environment.default_replicas } else { 1 };
    shape.processes.keys().map(|process| (process.clone(), asked.get(process).copied().unwrap_or_else(|| default(process)))).collect()
}

/// The instances of so many of each process.
pub fn slots(replicas: &BTreeMap<String, u32>) -> Vec<Slot> {
    replicas.iter().flat_map(|(process, count)| (0..*count).map(|index| Slot { process: process.clone(), index })).collect()
}

/// What a release comes down to.
pub fn desired(generation: u64, content: &Content, environment: &Environment, from: Option<&ReleaseRow>) -> Desired {
    let slots = self::slots(&content.replicas);
    let before = from.filter(|from| from.generation == generation).map(|from| self::slots(&from.replicas)).unwrap_or_default();
    // What goes is drained as its own shape says.
    let drain = from.map_or(&content.shape, |from| &from.shape).processes.values().map(|p| p.drain_ms).max().unwrap_or(0);
    let start_within = content.shape.processes.values().filter_map(|process| process.health.start_within_ms).max();
    Desired {
        generation,
        image: content.image.clone(),
        routed: slots.iter().any(|slot| slot.process == "web"),
        slots,
        before,
        command: content.shape.release.is_some() && from.is_none_or(|from| from.image != content.image),
        stabilisation: Duration::from_millis(environment.stabilisation_ms),
        deadline: Duration::from_millis(start_within.unwrap_or(environment.deadline_ms)),
        drain: Duration::from_millis(drain),
    }
}

/// The plan of a release that does not exist yet, in sentences; nothing where nothing would change.
pub fn preview(
    target: &TargetRow,
    content: &Content,
    wanted: Option<&ReleaseRow>,
    serving: Option<&ReleaseRow>,
    number: u64,
) -> Vec<String> {
    if wanted.is_some_and(|wanted| wanted.content() == *content) && wanted.map(|w| w.number) == serving.map(|s| s.number) {
        return Vec::new();
    }
    let same = serving.is_some_and(|s| s.image == content.image && s.config_set_id == content.config.0 && s.shape == content.shape);
    let from = serving.map(|serving| (serving.number, serving.replicas.values().sum()));
    sentences(&desired(number, content, &target.environment, serving), from, number, same)
}

/// Writes a release and queues its rollout.
///
/// # Errors
/// Those of the store.
pub async fn release(tx: &mut Tx, target: &TargetRow, content: &Content, by: &str, reason: &str) -> Result<(ReleaseRow, RolloutId)> {
    let serving = match &target.release_id {
        Some(id) => releases::by_id(&mut *tx, &target.team_id, id).await?,
        None => None,
    };
    // Only what serves can be kept: a generation that never got there is made anew.
    let release = releases::insert(tx, &target.team_id, &target.id, content, serving.as_ref(), by, reason).await?;
    let plan = preview(target, content, None, serving.as_ref(), release.number);
    let rollout = rollouts::enqueue(tx, &target.service_id, &release, serving.as_ref(), &plan).await?;
    Ok((release, rollout))
}

/// The lock under which a target's next release is made.
pub fn lock_of(target: &TargetId) -> String {
    format!("target:{target}")
}

/// Deploys a candidate to a target with its newest config, in the transaction that makes the candidate.
///
/// # Errors
/// Those of the store.
pub async fn deploy_candidate(tx: &mut Tx, target: &TargetRow, candidate: &Candidate, by: &str, reason: &str) -> Result<RolloutId> {
    tx.lock(&lock_of(&target.id)).await?;
    // Read again under the lock: a change may have been made meanwhile.
    let newest = targets::by_id(&mut *tx, &target.id).await?;
    let target = newest.as_ref().unwrap_or(target);
    let config = releases::config_by_id(&mut *tx, &target.team_id, &target.config_set_id).await?;
    let config_number = config.map_or(0, |set| set.number);
    let content = Content {
        image: candidate.image.clone(),
        candidate: Some((candidate.id.clone(), candidate.number)),
        config: (target.config_set_id.clone(), config_number),
        replicas: replicas(&candidate.shape, &target.replicas, &target.environment),
        shape: candidate.shape.clone(),
    };
    Ok(release(tx, target, &content, by, reason).await?.1)
}
