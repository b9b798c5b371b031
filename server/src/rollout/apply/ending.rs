//! How a rollout ends: why it failed is gathered while everything is still there, what is new is taken away, and the end is
//! written with its event.

use std::{collections::BTreeMap, time::Duration};

use app::{
    model::{Actor, Phase, RolloutId, RolloutState},
    said,
};
use futures::StreamExt as _;
use tokio::time::timeout;

use super::{LAST_LINES, Left, Rollout, USUAL_PORTS};
use crate::{
    clock,
    platform::{Limits, Observed, Scope, WorkloadId},
    rollout::{
        cause::{self, Facts},
        health,
        plan::{Ending, Failure, Reason, Stop, plan},
        workload,
    },
    secrets::Masks,
    store::{
        StoreError, Tx, backends,
        events::{self, NewEvent},
        releases, rollouts,
        targets::TargetRow,
    },
    telemetry::metrics,
    wake::Duty,
};

impl Rollout<'_> {
    /// Decides that it ends without its release; the reason is gathered while the instances are still there.
    pub(super) async fn decide(&mut self, reason: &Reason, observed: &[Observed]) -> Result<(), Left> {
        let (state, failure, last_lines) = match reason {
            Reason::Stopped(Stop::Cancelled) => (RolloutState::Cancelled, None, Vec::new()),
            Reason::Stopped(Stop::Superseded) => (RolloutState::Superseded, None, Vec::new()),
            Reason::Failed(failure) => {
                if *failure == Failure::CommandUncertain
                    && let Err(error) = self.ctx.platform.clean_run(&self.command_run()).await
                {
                    tracing::warn!(rollout = %self.row.id, %error, "what is left of the release command could not be removed");
                }
                let facts = self.facts(failure, observed).await;
                (RolloutState::Failed, Some(cause::sentence(failure, &facts)), facts.last_lines)
            }
        };
        self.progress.ending = Some(Ending { state, failure, last_lines });
        self.record(Some(said::taking_away())).await
    }

    /// What is known of a failure.
    async fn facts(&mut self, failure: &Failure, observed: &[Observed]) -> Facts {
        let slot = match failure {
            Failure::Exited { slot, .. } | Failure::NotHealthy { slot, .. } | Failure::WrongImage(slot) => Some(slot),
            Failure::NoFirstRequest => self.desired.slots.iter().find(|slot| slot.process == "web"),
            Failure::Command(_) | Failure::CommandUncertain | Failure::NoWay => None,
        };
        let found = slot.and_then(|slot| observed.iter().find(|o| o.id == self.recipe.id(slot)));
        let last_lines = match found {
            Some(found) => self.last_lines_of(&found.id).await,
            None => std::mem::take(&mut self.command_lines),
        };
        let mut ports = USUAL_PORTS.to_vec();
        ports.push(self.recipe.port);
        let open_ports = match found.and_then(|found| found.address) {
            Some(address) if matches!(failure, Failure::NotHealthy { .. }) => health::open_ports(address, &ports).await,
            _ => Vec::new(),
        };
        let before = match &self.from {
            Some(from) => workload::variables(self.ctx, from).await.unwrap_or_default(),
            None => BTreeMap::new(),
        };
        Facts {
            port: slot.and_then(|slot| self.recipe.port_of(slot)),
            open_ports,
            missing_variables: before.into_keys().filter(|name| !self.recipe.variables.contains_key(name)).collect(),
            before: self.from.as_ref().map(|from| from.number),
            last_lines,
            memory: Limits::default().memory,
            waited: self.began.elapsed(),
        }
    }

    async fn last_lines_of(&self, id: &WorkloadId) -> Vec<String> {
        let read = async {
            let mut text = Vec::new();
            let mut stream = self.ctx.platform.logs(id, LAST_LINES, false).await.ok()?;
            while let Some(Ok(piece)) = stream.next().await {
                text.extend_from_slice(&piece.bytes);
            }
            Some(last_lines(&text, &self.recipe.masks()))
        };
        timeout(Duration::from_secs(5), read).await.ok().flatten().unwrap_or_default()
    }

    /// Writes how it ends, with its event, in one transaction.
    pub(super) async fn end(&mut self) -> Result<(), Left> {
        let ending = self.progress.end();
        if ending.state == RolloutState::Succeeded && self.from.is_some() {
            self.prove(Phase::Stopped, said::nothing_left());
        }
        let mut tx = self.begin().await?;
        self.record_in(&mut tx, None).await?;
        let ours =
            rollouts::finish(&mut tx, &self.row.id, self.row.fence, ending.state, ending.failure.as_deref(), &ending.last_lines).await?;
        if !ours {
            return Err(Left::Fenced);
        }
        if ending.state == RolloutState::Succeeded {
            releases::serve(&mut tx, &self.recipe.release).await?;
        } else {
            releases::give_up(&mut tx, &self.recipe.release).await?;
        }
        self.write_event(&mut tx, &ending).await?;
        tx.commit().await?;
        self.changed();
        self.ctx.wake.duty(Duty::Rollouts);
        self.ctx.wake.duty(Duty::Keep);
        metrics::rollout_ended(ending.state.name(), clock::now().since(self.row.created_at));
        tracing::info!(rollout = %self.row.id, state = ending.state.name(), failure = ending.failure, "ended");
        Ok(())
    }

    async fn write_event(&self, tx: &mut Tx, ending: &Ending) -> Result<(), Left> {
        let target = &self.recipe.target;
        let detail = ending.failure.as_ref().unwrap_or(&self.recipe.release.reason);
        tell(tx, target, self.recipe.release.number, &self.row.id, ending.state, detail).await?;
        self.ctx.wake.changed(Some(&target.team_id), "events");
        Ok(())
    }

    /// It cannot go on: whatever is new is taken away as far as the engine lets us, and it ends with this sentence.
    pub(super) async fn give_up(&mut self, sentence: &str) -> Result<(), Left> {
        self.progress.break_off(sentence);
        if self.progress.draining {
            return self.end().await;
        }
        self.record(None).await?;
        let backends = backends::of_target(&self.ctx.db, &self.recipe.target.id).await?;
        let observed = self.ctx.platform.observe(&Scope::Target(self.recipe.target.id.clone())).await.unwrap_or_default();
        for action in plan(&self.situation(&observed, &BTreeMap::new(), &backends, None)) {
            // What cannot be removed now is found and removed by the keeper.
            if let Err(error) = self.apply(action, &observed).await? {
                tracing::warn!(rollout = %self.row.id, %error, "left for the keeper");
            }
        }
        self.end().await
    }
}

/// Writes the event of a rollout's end.
pub(super) async fn tell(
    tx: &mut Tx,
    target: &TargetRow,
    release: u64,
    id: &RolloutId,
    state: RolloutState,
    detail: &str,
) -> Result<(), StoreError> {
    let event = NewEvent {
        team: Some(&target.team_id),
        service: Some(&target.service_id),
        action: &format!("rollout.{}", state.name()),
        subject: said::subject_release(release, &target.service, &target.environment.name),
        path: Some(format!("/rollouts/{id}")),
        detail: detail.to_owned(),
    };
    events::insert(tx, &Actor::system("Berth"), event).await
}

/// The last lines of a text that may hold anything. Values of variables are hidden before a line is cut: a program that
/// dies often prints them, and who may read a failure may not read those.
pub(super) fn last_lines(text: &[u8], masks: &Masks) -> Vec<String> {
    let text = String::from_utf8_lossy(text);
    let lines: Vec<&str> = text.lines().collect();
    let last = &lines[lines.len().saturating_sub(LAST_LINES as usize)..];
    last.iter().map(|line| masks.hide((*line).to_owned()).chars().take(2_000).collect()).collect()
}
