//! Holds targets to what they serve, between rollouts, and removes what nobody asked for.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::Duration,
};

use app::{error::Result, model::TargetId};
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;
use tracing::Instrument as _;

use crate::{
    clock,
    platform::{ContainerState, Observed, Scope},
    rollout::{
        Context,
        health::{Probe, Subject},
        keep::{Action, Kept, address, pause, plan},
        plan::Slot,
        request,
        workload::{self, Recipe},
    },
    store::{
        backends::{self, BackendRow},
        leases,
        releases::{self, ReleaseRow},
        rollouts,
        targets::{self, TargetRow},
    },
    telemetry::metrics,
    wake::{self, Duty, LAZY},
};

/// How long one Berth has this duty without renewing.
const DUTY: Duration = Duration::from_secs(150);
/// How long an instance that is started again may take to become healthy before it is looked at in the next pass.
const PROVE_WITHIN: Duration = Duration::from_secs(20);
/// Events of the engine come in bursts; one pass answers them all.
const SETTLE: Duration = Duration::from_millis(200);

/// How often everything is compared: what runs and is routed is compared in every pass, and what neither runs nor is routed
/// only does so after a fault that nobody saw.
const WHOLE: Duration = Duration::from_secs(600);
/// How many targets are read at once.
const AT_ONCE: usize = 200;

/// How often slots were started again, and when last.
type Restarts = HashMap<TargetId, BTreeMap<Slot, (u32, Instant)>>;

/// What the keeper remembers from one comparison to the next.
#[derive(Default)]
struct Memory {
    restarts: Restarts,
    /// Targets that were not as they should be.
    unsettled: HashSet<TargetId>,
    /// When everything was compared last.
    whole: Option<Instant>,
}

/// Runs until stopped.
pub async fn run(ctx: Context, stop: CancellationToken) {
    let mut memory = Memory::default();
    loop {
        let passed = pass(&ctx, &mut memory).await;
        metrics::passed("keep", passed.is_ok());
        let again = match passed {
            Ok(again) => again,
            Err(error) => {
                tracing::warn!(?error, "what runs could not be compared with what should");
                wake::rest(false)
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            _ = timeout(again, ctx.wake.woken(Duty::Keep)) => {}
        }
        tokio::time::sleep(SETTLE).await;
    }
}

/// One comparison: of what runs, is routed, or was not as it should be; and every so often of everything. The answer is how
/// long it may rest.
async fn pass(ctx: &Context, memory: &mut Memory) -> Result<Duration> {
    if leases::hold(&ctx.db, "keep", &ctx.holder, DUTY).await?.is_none() {
        return Ok(LAZY);
    }
    let mut moving: HashSet<TargetId> = rollouts::moving_targets(&ctx.db).await?.into_iter().collect();
    let observed = match ctx.platform.observe(&Scope::All).await {
        Ok(observed) => group(observed, |o| o.id.target.clone()),
        Err(error) => {
            tracing::debug!(%error, "the engine does not answer; looking again later");
            return Ok(Duration::from_secs(5));
        }
    };
    let routed = group(backends::all(&ctx.db).await?, |backend| backend.target.clone());
    let mut concerned: Vec<TargetId> = observed.keys().chain(routed.keys()).cloned().chain(memory.unsettled.iter().cloned()).collect();
    concerned.sort();
    concerned.dedup();
    let whole = memory.whole.is_none_or(|at| at.elapsed() >= WHOLE);
    let mut look = Looking { ctx, memory: &mut *memory, observed, routed, rest: LAZY };
    for some in concerned.chunks(AT_ONCE) {
        let serving = releases::serving(&ctx.db, some).await?;
        moving.extend(serving.unreadable);
        let mut serving = by_target(serving.releases);
        // Looked at before and after: what was a rollout at the first look or became one until the second is left alone.
        moving.extend(rollouts::moving_targets(&ctx.db).await?);
        for target in some.iter().filter(|target| !moving.contains(target)) {
            look.at(target, serving.remove(target).as_ref()).await;
        }
    }
    let mut after = whole.then(|| TargetId::from_text(""));
    while let Some(from) = after.take() {
        let serving = releases::serving_after(&ctx.db, &from, AT_ONCE).await?;
        after = serving.last;
        moving.extend(rollouts::moving_targets(&ctx.db).await?);
        let left = |release: &&ReleaseRow| !moving.contains(&release.target_id) && concerned.binary_search(&release.target_id).is_err();
        for release in serving.releases.iter().filter(left) {
            look.at(&release.target_id, Some(release)).await;
        }
    }
    let rest = look.rest;
    if whole {
        memory.whole = Some(Instant::now());
    }
    Ok(rest)
}

fn by_target(releases: Vec<ReleaseRow>) -> HashMap<TargetId, ReleaseRow> {
    releases.into_iter().map(|release| (release.target_id.clone(), release)).collect()
}

/// A comparison under way.
struct Looking<'a> {
    ctx: &'a Context,
    memory: &'a mut Memory,
    observed: HashMap<TargetId, Vec<Observed>>,
    routed: HashMap<TargetId, Vec<BackendRow>>,
    /// How long it may rest afterwards.
    rest: Duration,
}

impl Looking<'_> {
    /// Compares one target and does what is to be done.
    async fn at(&mut self, target: &TargetId, release: Option<&ReleaseRow>) {
        let mut seen = self.memory.restarts.remove(target).unwrap_or_default();
        let one = One {
            ctx: self.ctx,
            target,
            release,
            observed: self.observed.get(target).map_or(&[], Vec::as_slice),
            backends: self.routed.get(target).map_or(&[], Vec::as_slice),
        };
        let span = tracing::info_span!("keep", %target);
        let settled = match one.keep(&mut seen).instrument(span).await {
            Ok(again) => {
                self.rest = self.rest.min(again);
                again >= LAZY
            }
            Err(error) => {
                tracing::warn!(%target, ?error, "this target could not be held to its release");
                false
            }
        };
        if settled && seen.is_empty() {
            self.memory.unsettled.remove(target);
            return;
        }
        self.memory.unsettled.insert(target.clone());
        if !seen.is_empty() {
            self.memory.restarts.insert(target.clone(), seen);
        }
    }
}

fn group<T>(items: Vec<T>, key: impl Fn(&T) -> TargetId) -> HashMap<TargetId, Vec<T>> {
    items.into_iter().fold(HashMap::new(), |mut groups, item| {
        groups.entry(key(&item)).or_default().push(item);
        groups
    })
}

/// One target.
struct One<'a> {
    ctx: &'a Context,
    target: &'a TargetId,
    release: Option<&'a ReleaseRow>,
    observed: &'a [Observed],
    backends: &'a [BackendRow],
}

impl One<'_> {
    async fn keep(&self, restarts: &mut BTreeMap<Slot, (u32, Instant)>) -> Result<Duration> {
        restarts.retain(|_, (count, at)| at.elapsed() < pause(*count) + Duration::from_secs(300));
        let kept = self.release.map(|release| Kept { generation: release.generation, slots: request::slots(&release.replicas) });
        let ago = restarts.iter().map(|(slot, (count, at))| (slot.clone(), (*count, at.elapsed()))).collect();
        let actions = plan(kept.as_ref(), self.observed, self.backends, &ago);
        if actions.is_empty() {
            return Ok(self.next_restart(restarts));
        }
        tracing::info!(target = %self.target, ?actions, "not as it should be");
        let recipe = match self.release {
            Some(release) => self.recipe(release).await?,
            None => None,
        };
        for action in actions {
            let target = targets::by_id(&self.ctx.db, self.target).await?;
            if !self.may(target.as_ref(), &rollouts::moving_targets(&self.ctx.db).await?) {
                break;
            }
            self.apply(action, recipe.as_ref(), restarts).await?;
        }
        self.ctx.wake.changed(self.release.map(|release| &release.team_id), format!("target:{}", self.target));
        Ok(Duration::from_secs(1))
    }

    /// Whether what was seen may still be acted upon: a rollout may have begun since, and then it decides.
    fn may(&self, target: Option<&TargetRow>, moving: &[TargetId]) -> bool {
        target.and_then(|target| target.release_id.as_ref()) == self.release.map(|release| &release.id) && !moving.contains(self.target)
    }

    /// When an instance that ended is due to be started again.
    fn next_restart(&self, restarts: &BTreeMap<Slot, (u32, Instant)>) -> Duration {
        let ended = self.observed.iter().filter(|o| matches!(o.state, ContainerState::Exited { .. }));
        ended
            .filter_map(|o| restarts.get(&Slot::of(&o.id)))
            .map(|(count, at)| pause(*count).saturating_sub(at.elapsed()) + Duration::from_millis(50))
            .min()
            .unwrap_or(LAZY)
    }

    async fn recipe(&self, release: &ReleaseRow) -> Result<Option<Recipe>> {
        let Some(target) = targets::by_id(&self.ctx.db, self.target).await? else { return Ok(None) };
        let variables = workload::variables(self.ctx, release).await?;
        let port = match workload::port(self.ctx, release).await {
            Ok(port) => port,
            Err(error) => {
                tracing::warn!(target = %self.target, %error, "its image cannot be looked at");
                return Ok(None);
            }
        };
        Ok(Some(Recipe { target, release: release.clone(), variables, port }))
    }

    async fn apply(&self, action: Action, recipe: Option<&Recipe>, restarts: &mut BTreeMap<Slot, (u32, Instant)>) -> Result<()> {
        match (action, recipe) {
            (Action::Unroute(backend), _) => {
                let mut tx = self.ctx.db.begin().await?;
                backends::remove_one(&mut tx, &backend.target, backend.release, &backend.process, backend.slot).await?;
                tx.commit().await?;
                self.ctx.wake.route(&backend.target);
            }
            (Action::Remove(id), _) => {
                if let Err(error) = self.ctx.platform.remove(&id, Duration::from_secs(10)).await {
                    tracing::warn!(target = %self.target, %error, "a copy could not be removed");
                }
            }
            (Action::Start(slot), Some(recipe)) => {
                let entry = restarts.entry(slot.clone()).or_insert((0, Instant::now()));
                *entry = (entry.0 + 1, Instant::now());
                let fence = clock::now().0;
                if let Err(error) = self.ctx.platform.ensure(&recipe.workload(&slot, fence)).await {
                    tracing::warn!(target = %self.target, %slot, %error, "an instance could not be started again");
                }
            }
            (Action::Prove(slot), Some(recipe)) => self.prove(&slot, recipe).await?,
            (Action::Start(_) | Action::Prove(_), None) => {}
        }
        Ok(())
    }

    /// Asks an instance for its health and puts it on the edge once it is good.
    async fn prove(&self, slot: &Slot, recipe: &Recipe) -> Result<()> {
        let id = recipe.id(slot);
        let Some(observed) = self.observed.iter().find(|o| o.id == id) else { return Ok(()) };
        let Some(address) = address(observed, recipe.port) else { return Ok(()) };
        let rule = recipe.process(slot).health;
        let subject = Subject { id, address: address.ip(), port: Some(recipe.port), rule };
        let probe = Probe { platform: self.ctx.platform.clone(), http: self.ctx.http.clone(), subject };
        let healthy = timeout(PROVE_WITHIN, async {
            while probe.ask().await.is_err() {
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        });
        if healthy.await.is_err() {
            tracing::warn!(target = %self.target, %slot, "started again, and not healthy yet");
            return Ok(());
        }
        // Asking took its time, and whoever has the address by now may have answered in its place.
        let still = self.ctx.platform.observe(&Scope::Target(self.target.clone())).await.unwrap_or_default();
        if !still.contains(observed) {
            return Ok(());
        }
        // Under the lock that rollouts are asked for under, is it still the keeper's to say?
        let mut tx = self.ctx.db.begin().await?;
        tx.lock(&request::lock_of(self.target)).await?;
        let target = targets::by_id(&mut tx, self.target).await?;
        if !self.may(target.as_ref(), &rollouts::moving_targets(&mut tx).await?) {
            return Ok(());
        }
        backends::put(&mut tx, self.target, recipe.release.generation, &slot.process, slot.index, address, clock::now()).await?;
        tx.commit().await?;
        self.ctx.wake.route(self.target);
        Ok(())
    }
}
