//! Carries out a rollout: load what should be, observe what is, plan, apply, record; again until it ends.

mod ending;
mod listening;

use std::{collections::BTreeMap, net::SocketAddr, time::Duration};

use app::{
    error::{Error, Result},
    model::{Evidence, HealthCheck, Phase, RolloutId, RolloutState, RunId},
    said,
};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_util::sync::CancellationToken;

use super::{
    Context,
    health::{Subject, Watch},
    plan::{Action, Command, Desired, Progress, Situation, Slot, Stop, Waiting, plan},
    progress::{self, Standing},
    request, trust,
    workload::{self, Recipe},
};
use crate::{
    clock,
    edge::{By, table},
    platform::{ContainerState, Limits, Observed, PlatformError, Scope, Task},
    store::{
        StoreError, Tx,
        backends::{self, BackendRow},
        releases::{self, ReleaseRow},
        rollouts::{self, RolloutRow},
        routes, targets,
    },
    telemetry::metrics,
    wake::Duty,
};

/// The lines of log kept with a failure.
const LAST_LINES: u32 = 30;
/// Ports looked at when nothing answers on the expected one: what common frameworks listen on unasked.
const USUAL_PORTS: [u16; 11] = [80, 3000, 3333, 4000, 5000, 5173, 8000, 8080, 8081, 8888, 9000];
/// How long until a rollout is taken up again after the store did not answer.
const STORE_AGAIN: Duration = Duration::from_secs(2);
/// How long the edge may take to leave what is about to be stopped; it takes milliseconds unless the machine hardly moves. What
/// still gets requests must not be stopped, so this is far beyond that.
const LEFT: Duration = Duration::from_secs(30);
/// How long a release command may take.
const COMMAND_WITHIN: Duration = Duration::from_secs(15 * 60);

/// Why a rollout is left without an end.
enum Left {
    /// Somebody else has it now, or Berth stops.
    Fenced,
    /// The store does not answer now: it is taken up again from its row.
    Store(StoreError),
    /// It cannot go on; the sentence is its failure.
    Broken(String),
}

impl From<Error> for Left {
    fn from(error: Error) -> Self {
        tracing::warn!(?error, "a rollout met an error of its own");
        Self::Broken(error.sentence)
    }
}

impl From<StoreError> for Left {
    fn from(error: StoreError) -> Self {
        if error.may_pass() { Self::Store(error) } else { Self::from(Error::from(error)) }
    }
}

/// Carries a claimed rollout to its end, or until it is somebody else's, or until `stop`.
pub async fn carry_out(ctx: Context, row: RolloutRow, stop: CancellationToken) {
    let id = row.id.clone();
    let fence = row.fence;
    let work = listening::aloud(&ctx, &row, async {
        match Rollout::load(&ctx, row.clone()).await {
            Ok(mut rollout) => match rollout.run().await {
                Err(Left::Broken(sentence)) => rollout.give_up(&sentence).await,
                other => other,
            },
            Err(left) => Err(left),
        }
    });
    tokio::select! {
        result = work => match result {
            Ok(()) => {}
            Err(Left::Fenced) => tracing::info!(rollout = %id, "left to the Berth that holds it now"),
            Err(Left::Store(error)) => {
                tracing::warn!(rollout = %id, %error, "left as it is: the store does not answer; it is taken up again");
                // Until the store takes it; whoever holds the claim ends this when it runs out.
                while timeout(STORE_AGAIN, stop.cancelled()).await.is_err() {
                    match rollouts::let_go(&ctx.db, &id, fence).await {
                        Ok(()) => break,
                        Err(error) => tracing::warn!(rollout = %id, %error, "it cannot be let go of now"),
                    }
                }
                ctx.wake.duty(Duty::Rollouts);
            }
            Err(Left::Broken(sentence)) => {
                tracing::error!(rollout = %id, %sentence, "cannot be carried out");
                if let Err(error) = end_broken(&ctx, &id, fence, &sentence).await {
                    tracing::error!(rollout = %id, ?error, "its end could not be written");
                }
            }
        },
        () = stop.cancelled() => tracing::info!(rollout = %id, "left for the next start"),
    }
}

/// Ends a rollout that could not even be loaded; where what it is told of does not read either, without telling of it.
async fn end_broken(ctx: &Context, id: &RolloutId, fence: i64, sentence: &str) -> Result<()> {
    match end_told(ctx, id, fence, sentence).await {
        Err(error) if error.code == "unreadable" => {
            let mut tx = ctx.db.begin().await?;
            rollouts::give_up(&mut tx, id, sentence).await?;
            tx.commit().await?;
            ctx.wake.changed(None, format!("rollout:{id}"));
            ctx.wake.duty(Duty::Rollouts);
            ctx.wake.duty(Duty::Keep);
            Ok(())
        }
        told => told,
    }
}

async fn end_told(ctx: &Context, id: &RolloutId, fence: i64, sentence: &str) -> Result<()> {
    let mut tx = ctx.db.begin().await?;
    let Some(row) = rollouts::row(&mut tx, id).await? else { return Ok(()) };
    if !rollouts::finish(&mut tx, id, fence, RolloutState::Failed, Some(sentence), &[]).await? {
        return Ok(());
    }
    let release = releases::by_id(&mut tx, &row.team_id, &row.release_id).await?;
    if let Some(release) = &release {
        releases::give_up(&mut tx, release).await?;
    }
    if let Some(target) = targets::by_id(&mut tx, &row.target_id).await? {
        let number = release.map_or(0, |release| release.number);
        ending::tell(&mut tx, &target, number, id, RolloutState::Failed, sentence).await?;
    }
    tx.commit().await?;
    metrics::rollout_ended(RolloutState::Failed.name(), clock::now().since(row.created_at));
    ctx.wake.changed(Some(&row.team_id), format!("rollout:{id}"));
    ctx.wake.changed(Some(&row.team_id), format!("target:{}", row.target_id));
    ctx.wake.changed(Some(&row.team_id), "events");
    ctx.wake.duty(Duty::Rollouts);
    ctx.wake.duty(Duty::Keep);
    Ok(())
}

struct Rollout<'a> {
    ctx: &'a Context,
    row: RolloutRow,
    recipe: Recipe,
    desired: Desired,
    from: Option<ReleaseRow>,
    progress: Progress,
    evidence: Vec<Evidence>,
    watch: Watch,
    began: Instant,
    /// When the engine was asked first in this pass.
    asked: Instant,
    draining_since: Option<Instant>,
    silent_since: Option<Instant>,
    /// Whether the engine was away since the last plan.
    engine_away: bool,
    /// Whether it was seen that no route that reads leads to the target.
    no_way: bool,
    /// What the release command wrote last.
    command_lines: Vec<String>,
    /// The last sentence of what it does now, so that only a new one is written.
    said: Option<String>,
}

impl<'a> Rollout<'a> {
    async fn load(ctx: &'a Context, row: RolloutRow) -> Result<Self, Left> {
        let gone = || Left::Broken(said::cause_gone());
        let target = targets::by_id(&ctx.db, &row.target_id).await?.ok_or_else(gone)?;
        let mut release = releases::by_id(&ctx.db, &row.team_id, &row.release_id).await?.ok_or_else(gone)?;
        let from = match &row.from_release_id {
            Some(id) => releases::by_id(&ctx.db, &row.team_id, id).await?,
            None => None,
        };
        let image =
            with_patience(|| ctx.platform.image(&release.image, &row.team_id)).await.map_err(|error| Left::Broken(error.to_string()))?;
        if image.id != release.image {
            let mut tx = ctx.db.begin().await?;
            releases::resolve_image(&mut tx, &release.id, &image.id).await?;
            tx.commit().await?;
            release.image.clone_from(&image.id);
        }
        // What is proven already goes on to its end, whatever vouches for it by now.
        if !row.progress::<Progress>().draining
            && let Some(refusal) = trust::refusal(&ctx.db, &ctx.secrets, &release).await?
        {
            return Err(Left::Broken(refusal));
        }
        let port = with_patience(|| workload::port(ctx, &release)).await.map_err(|error| Left::Broken(error.to_string()))?;
        let variables = workload::variables(ctx, &release).await?;
        let mut desired = request::desired(release.generation, &release.content(), &target.environment, from.as_ref());
        desired.image.clone_from(&image.id);
        Ok(Self {
            watch: Watch::new(ctx.platform.clone(), ctx.http.clone()),
            progress: row.progress(),
            evidence: row.evidence.clone(),
            recipe: Recipe { target, release, variables, port },
            ctx,
            row,
            desired,
            from,
            began: Instant::now(),
            asked: Instant::now(),
            draining_since: None,
            silent_since: None,
            engine_away: false,
            no_way: false,
            command_lines: Vec::new(),
            said: None,
        })
    }

    async fn run(&mut self) -> Result<(), Left> {
        loop {
            let mut engine = self.ctx.wake.engine();
            let stop = self.stop().await?;
            self.asked = Instant::now();
            let observed = match self.ctx.platform.observe(&Scope::Target(self.recipe.target.id.clone())).await {
                Ok(observed) => observed,
                Err(error) => {
                    self.wait_for_engine(&error).await?;
                    continue;
                }
            };
            let backends = backends::of_target(&self.ctx.db, &self.recipe.target.id).await?;
            self.watch.only(self.subjects(&observed));
            let health = self.watch.seen();
            let actions = plan(&self.situation(&observed, &health, &backends, stop));
            tracing::debug!(rollout = %self.row.id, ?actions, "pass");
            self.engine_away = false;
            self.note_started(&actions, &observed).await?;
            let mut answered = true;
            for action in actions {
                match action {
                    Action::Wait(at_most, what) => {
                        self.say(&what).await?;
                        if what == Waiting::Edge {
                            self.look_for_a_way().await?;
                        }
                        tokio::select! {
                            () = tokio::time::sleep(at_most.max(Duration::from_millis(10))) => {}
                            () = self.watch.moved() => {}
                            _ = engine.changed() => {}
                        }
                    }
                    Action::End => return self.end().await,
                    action => {
                        if let Err(error) = self.apply(action, &observed).await? {
                            self.engine_error(error).await?;
                            answered = false;
                            break;
                        }
                    }
                }
            }
            if answered {
                self.silent_since = None;
            }
        }
    }

    /// Begins a change. What the store takes for that is not counted against the instances.
    async fn begin(&mut self) -> Result<Tx, Left> {
        let asked = Instant::now();
        let tx = self.ctx.db.begin().await?;
        self.began += asked.elapsed();
        Ok(tx)
    }

    /// Whether it is asked to stop; also finds out whether it is still ours.
    async fn stop(&mut self) -> Result<Option<Stop>, Left> {
        let row = rollouts::row(&self.ctx.db, &self.row.id).await?.ok_or(Left::Fenced)?;
        let target = targets::by_id(&self.ctx.db, &self.row.target_id).await?.ok_or(Left::Fenced)?;
        match progress::standing(&row, self.row.fence, target.wanted_release_id.as_ref()) {
            Standing::Ours(stop) => Ok(stop),
            Standing::Fenced => Err(Left::Fenced),
        }
    }

    fn subjects(&self, observed: &[Observed]) -> Vec<Subject> {
        observed
            .iter()
            .filter(|o| o.id.release == self.desired.generation && o.state == ContainerState::Running)
            .filter(|o| !self.progress.kept.contains(&Slot::of(&o.id)))
            .filter_map(|o| {
                let slot = Slot::of(&o.id);
                Some(Subject {
                    id: o.id.clone(),
                    address: o.address?,
                    port: self.recipe.port_of(&slot),
                    rule: self.recipe.process(&slot).health,
                })
            })
            .collect()
    }

    fn situation<'s>(
        &'s self,
        observed: &'s [Observed],
        health: &'s BTreeMap<Slot, super::plan::Health>,
        backends: &'s [BackendRow],
        stop: Option<Stop>,
    ) -> Situation<'s> {
        let (edge, target, generation) = (&self.ctx.edge, &self.recipe.target.id, self.desired.generation);
        let answered: Vec<u32> = edge.first_requests(target, generation).into_iter().map(|first| first.slot).collect();
        let new_web = || self.desired.slots.iter().filter(|slot| slot.process == "web" && !self.progress.kept.contains(slot));
        let draining = backends.iter().filter(|backend| backend.draining_since.is_some());
        Situation {
            desired: &self.desired,
            observed,
            health,
            backends,
            progress: &self.progress,
            elapsed: self.began.elapsed(),
            edge_serves: edge.serves(target, generation),
            no_way: self.no_way,
            first_request: new_web().all(|slot| answered.contains(&slot.index)),
            in_flight: draining.map(|backend| edge.in_flight(backend.address)).sum(),
            draining_for: self.draining_since.map_or(Duration::ZERO, |since| since.elapsed()),
            engine_away: self.engine_away,
            stop,
        }
    }

    /// Applies one action. The inner error is the engine's, for [`Self::engine_error`] to judge.
    async fn apply(&mut self, action: Action, observed: &[Observed]) -> Result<Result<(), PlatformError>, Left> {
        match action {
            Action::Begin(kept) => {
                self.progress.begin(kept);
                self.record(None).await?;
            }
            Action::RunCommand => return self.run_command().await,
            Action::Start(slot) => {
                self.record(Some(said::starting(&slot))).await?;
                let workload = self.recipe.workload(&slot, self.row.fence);
                if let Err(error) = self.ctx.platform.ensure(&workload).await {
                    return Ok(Err(error));
                }
            }
            Action::Route(slots) => self.route(&slots, observed).await?,
            Action::SendFirstRequest => {
                self.record(Some(said::sending_first())).await?;
                let sent = self.ctx.edge.prove(&self.recipe.target.id, self.desired.generation, Duration::from_secs(5)).await;
                if sent.is_err() || !self.situation_first_request() {
                    self.look_for_a_way().await?;
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
            Action::NoteFirstRequest => self.note_first_request().await?,
            Action::Drain(rows) => self.drain(&rows).await?,
            Action::Unroute(rows) => self.unroute(&rows).await?,
            Action::Remove(id) => {
                // Others of the same plan may have taken long: what is somebody else's by now is left to them.
                self.stop().await?;
                // What never served has nothing to finish.
                let grace = if self.progress.draining { self.desired.drain } else { Duration::ZERO };
                let grace = grace.clamp(Duration::from_secs(1), Duration::from_secs(30));
                if let Err(error) = self.ctx.platform.remove(&id, grace).await {
                    return Ok(Err(error));
                }
            }
            Action::GiveUp(reason) => self.decide(&reason, observed).await?,
            Action::Wait(..) | Action::End => {}
        }
        Ok(Ok(()))
    }

    /// How health is told, in words.
    fn check_words(&self) -> String {
        let web = self.recipe.release.shape.processes.get("web").map(|web| web.health.check.clone());
        match web {
            Some(HealthCheck::Http { path }) => said::check_http(path, self.recipe.port),
            Some(HealthCheck::Command { command }) => said::check_command(command.join(" ")),
            Some(HealthCheck::Auto | HealthCheck::Tcp) => said::check_port(self.recipe.port),
            Some(HealthCheck::Running) | None => said::check_runs(),
        }
    }

    fn situation_first_request(&self) -> bool {
        self.ctx.edge.first_request(&self.recipe.target.id, self.desired.generation).is_some()
    }

    /// Whether a first request can come at all. Looked at where none came.
    async fn look_for_a_way(&mut self) -> Result<(), Left> {
        let routes = routes::of_target_for_edge(&self.ctx.db, &self.recipe.target.id).await?;
        self.no_way = !table::leads(&routes);
        Ok(())
    }

    async fn route(&mut self, slots: &[Slot], observed: &[Observed]) -> Result<(), Left> {
        let mut facts = Vec::new();
        let mut tx = self.begin().await?;
        for slot in slots {
            let id = self.recipe.id(slot);
            let Some(address) = observed.iter().find(|o| o.id == id).and_then(|o| o.address) else { return Ok(()) };
            let address = SocketAddr::new(address, self.recipe.port);
            backends::put(&mut tx, &self.recipe.target.id, self.desired.generation, &slot.process, slot.index, address, clock::now())
                .await?;
            facts.push(slot.to_string());
        }
        if !self.progress.proven {
            let new = self.desired.slots.len() - self.progress.kept.iter().filter(|slot| self.desired.slots.contains(slot)).count();
            if new > 0 {
                let stable = self.desired.stabilisation.as_secs_f32();
                let check = self.check_words();
                self.prove(Phase::Healthy, said::healthy(said::instances(new), stable, check));
            }
        }
        self.progress.route();
        if !facts.is_empty() {
            self.prove(Phase::Routed, said::routed(facts.join(", ")));
        }
        self.record_in(&mut tx, None).await?;
        tx.commit().await?;
        self.ctx.wake.route(&self.recipe.target.id);
        let _ = timeout(Duration::from_secs(2), self.ctx.edge.wait_for(&self.recipe.target.id, self.desired.generation)).await;
        self.changed();
        Ok(())
    }

    async fn note_first_request(&mut self) -> Result<(), Left> {
        self.progress.first_request = true;
        for first in self.ctx.edge.first_requests(&self.recipe.target.id, self.desired.generation) {
            let by = match first.by {
                By::Client => said::somebody_outside(),
                By::Berth => "Berth".to_owned(),
            };
            self.prove(Phase::FirstRequest, said::first_answer(first.slot, first.status, by));
        }
        self.record(None).await
    }

    /// The point of no return: the new release is proven and from here on the one that serves.
    async fn drain(&mut self, rows: &[BackendRow]) -> Result<(), Left> {
        let mut tx = self.begin().await?;
        for row in rows {
            backends::drain_one(&mut tx, row, clock::now()).await?;
        }
        releases::serve(&mut tx, &self.recipe.release).await?;
        self.progress.draining = true;
        self.draining_since.get_or_insert_with(Instant::now);
        self.record_in(&mut tx, None).await?;
        tx.commit().await?;
        self.ctx.wake.route(&self.recipe.target.id);
        self.wait_without(rows).await;
        self.changed();
        Ok(())
    }

    /// Waits until the edge gives none of these a new request.
    async fn wait_without(&self, rows: &[BackendRow]) {
        let (edge, target) = (&self.ctx.edge, &self.recipe.target.id);
        let left = async {
            // A wake-up makes it quick. Should one be lost, the whole table is read.
            while timeout(Duration::from_secs(1), edge.wait_without_these(target, rows)).await.is_err() {
                self.ctx.wake.duty(Duty::Edge);
            }
        };
        let _ = timeout(LEFT, left).await;
    }

    async fn unroute(&mut self, rows: &[BackendRow]) -> Result<(), Left> {
        if self.progress.draining {
            let addresses: Vec<_> = rows.iter().map(|row| row.address).collect();
            let open = self.ctx.edge.open_at(&addresses);
            let fact = match open.requests + open.events + open.sockets {
                0 if rows.len() == 1 => said::drained_one(),
                0 => said::drained(said::instances(rows.len())),
                1 => said::one_still_open(open),
                _ => said::still_open(open),
            };
            self.prove(Phase::Drained, fact);
        }
        let mut tx = self.begin().await?;
        for row in rows {
            backends::remove_one(&mut tx, &row.target, row.release, &row.process, row.slot).await?;
        }
        self.record_in(&mut tx, None).await?;
        tx.commit().await?;
        self.ctx.wake.route(&self.recipe.target.id);
        self.wait_without(rows).await;
        Ok(())
    }

    /// Runs the release command. That it began is written before, how it ended after: in between nobody knows.
    async fn run_command(&mut self) -> Result<Result<(), PlatformError>, Left> {
        let Some(command) = self.recipe.release.shape.release.clone() else { return Ok(Ok(())) };
        self.progress.command = Command::Begun;
        self.record(Some(said::running_command())).await?;
        point!("rollout::after_command_begun");
        let (sink, mut output) = mpsc::channel::<crate::platform::Output>(64);
        let masks = self.recipe.masks();
        let lines = tokio::spawn(async move {
            let mut text = Vec::new();
            while let Some(piece) = output.recv().await {
                text.extend_from_slice(&piece.bytes);
                let excess = text.len().saturating_sub(64 << 10);
                if excess > 0 {
                    // Whole lines go: half of a value would not be known for one.
                    let end = text[excess..].iter().position(|byte| *byte == b'\n').map_or(excess, |end| excess + end + 1);
                    text.drain(..end);
                }
            }
            ending::last_lines(&text, &masks)
        });
        let task = Task {
            name: format!("release-{}", self.row.id),
            team: self.recipe.target.team_id.clone(),
            run: Some(self.command_run()),
            image: self.desired.image.clone(),
            command,
            alias: None,
            env: self.recipe.env(None),
            workspace: None,
            caches: Vec::new(),
            limits: Limits::default(),
            profile: self.recipe.target.environment.profile,
            network: self.recipe.network(),
            writable_root: false,
            writable: self.recipe.release.shape.processes.values().flat_map(|process| process.writable.clone()).collect(),
            timeout: COMMAND_WITHIN,
        };
        let ended = self.ctx.platform.run_to_end(&task, sink, CancellationToken::new()).await;
        let lines = lines.await.unwrap_or_default();
        self.progress.command = progress::command(&ended);
        match ended {
            Err(error) if !error.passing() => return Ok(Err(error)),
            _ if self.progress.command == Command::Passed => {
                self.prove(Phase::ReleaseCommand, said::command_ended());
            }
            _ => {}
        }
        self.command_lines = lines;
        // Its time is its own: the instances have theirs from here on.
        self.began = Instant::now();
        self.record(None).await?;
        Ok(Ok(()))
    }

    /// The label a release command's container is found by, after a crash too.
    fn command_run(&self) -> RunId {
        RunId::from_text(self.row.id.as_str())
    }

    /// The engine said no: wait where it may pass, fail where it will not.
    async fn engine_error(&mut self, error: PlatformError) -> Result<(), Left> {
        if error.passing() { self.wait_for_engine(&error).await } else { Err(Left::Broken(error.to_string())) }
    }

    /// Waits for an engine that does not answer. That time is not counted against the instances.
    async fn wait_for_engine(&mut self, error: &PlatformError) -> Result<(), Left> {
        self.engine_away = true;
        let silent = self.silent_since.get_or_insert_with(Instant::now).elapsed();
        if self.progress.gives_up(silent) {
            return Err(Left::Broken(said::silent_engine(error, silent.as_secs())));
        }
        self.record(Some(said::waiting_engine(error))).await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        self.began = (self.began + self.asked.elapsed()).min(Instant::now());
        Ok(())
    }

    async fn say(&mut self, what: &Waiting) -> Result<(), Left> {
        let sentence = match what {
            Waiting::Healthy(n, of) => said::so_many_healthy(n, of),
            Waiting::Stabilisation(_) => said::watching(self.desired.stabilisation.as_secs_f32()),
            Waiting::Edge => said::waiting_edge(),
            Waiting::Drain(open) => said::letting_finish(open),
        };
        self.record(Some(sentence)).await
    }

    /// The evidence that every new instance was started, from what is observed once nothing is missing any more.
    async fn note_started(&mut self, actions: &[Action], observed: &[Observed]) -> Result<(), Left> {
        let known = self.evidence.iter().any(|evidence| evidence.phase == Phase::Started);
        let starting =
            actions.iter().any(|a| matches!(a, Action::Start(_) | Action::Begin(_) | Action::RunCommand | Action::GiveUp(_) | Action::End));
        let new =
            observed.iter().filter(|o| o.id.release == self.desired.generation && !self.progress.kept.contains(&Slot::of(&o.id))).count();
        if known || starting || new == 0 {
            return Ok(());
        }
        let image = self.desired.image.strip_prefix("sha256:").unwrap_or(&self.desired.image);
        let image = image.get(..12).unwrap_or(image);
        self.prove(Phase::Started, said::started(said::instances(new), image));
        self.record(None).await
    }

    fn prove(&mut self, phase: Phase, fact: String) {
        self.evidence.push(Evidence { phase, fact, at: clock::now() });
    }

    async fn record(&mut self, now_doing: Option<String>) -> Result<(), Left> {
        if now_doing.is_some() && now_doing == self.said {
            return Ok(());
        }
        let mut tx = self.begin().await?;
        self.record_in(&mut tx, now_doing).await?;
        tx.commit().await?;
        self.changed();
        Ok(())
    }

    async fn record_in(&mut self, tx: &mut Tx, now_doing: Option<String>) -> Result<(), Left> {
        if now_doing.is_some() {
            self.said = now_doing;
        }
        let ours = rollouts::record(tx, &self.row.id, self.row.fence, &self.evidence, &self.progress, self.said.as_deref()).await?;
        if ours { Ok(()) } else { Err(Left::Fenced) }
    }

    fn changed(&self) {
        self.ctx.wake.changed(Some(&self.row.team_id), format!("rollout:{}", self.row.id));
        self.ctx.wake.changed(Some(&self.row.team_id), format!("target:{}", self.row.target_id));
    }
}

/// Tries what may pass for as long as a silent engine is waited for. Meanwhile [`listening`] says so.
async fn with_patience<T, F>(mut ask: impl FnMut() -> F) -> Result<T, PlatformError>
where
    F: Future<Output = Result<T, PlatformError>>,
{
    let began = Instant::now();
    loop {
        match ask().await {
            Err(error) if error.passing() && began.elapsed() < progress::ENGINE_PATIENCE => {
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            done => return done,
        }
    }
}
