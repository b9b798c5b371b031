//! Runs that begin because their time has come. What a file asks for is written down with the push that brings it to the
//! default branch; when a schedule is due, the head of that branch is queued, and the schedule moved on in the same
//! transaction: whoever else looks finds nothing to do.

use std::time::Duration;

use app::{
    model::{RepositoryId, RunEvent, RunId, ServiceId, Timestamp},
    said,
};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::{
    Context,
    cron::{Cron, Due},
    heads::{self, Asking},
    intake::IntakeError,
    pushed,
};
use crate::{
    clock, git,
    store::{
        StoreError, Tx,
        repositories::{self, BuiltHere, RefChange, RepositoryRow},
        schedules::{self, ScheduleRow, Wanted},
    },
    telemetry::metrics,
    wake::{self, Duty},
};

/// Who asks for the runs of schedules.
const BY: &str = "schedule";
/// Where one repository could not be looked at, the others are not held up, and it is looked at again after this long.
const AGAIN: Duration = Duration::from_secs(60);

/// Runs until stopped.
pub async fn run(ctx: Context, stop: CancellationToken) {
    let mut moves = clock::Moves::new();
    // At a start the clock may have been moved meanwhile.
    let mut doubted = true;
    loop {
        let (now, moved) = moves.look();
        doubted |= moved;
        let passed = pass(&ctx, now, doubted).await;
        metrics::passed("schedules", passed.is_ok());
        let rest = match passed {
            Ok(next) => {
                doubted = false;
                // A moved clock is noticed this soon.
                let lazy = clock::pace(wake::LAZY);
                next.map_or(lazy, |next| next.since(now)).clamp(Duration::from_millis(10), lazy)
            }
            Err(error) => {
                tracing::warn!(%error, "the schedules cannot be read now");
                wake::rest(false)
            }
        };
        tokio::select! {
            () = stop.cancelled() => return,
            _ = timeout(rest, ctx.wake.woken(Duty::Schedules)) => {}
        }
    }
}

/// Queues what is due. The answer: when the next is.
async fn pass(ctx: &Context, now: Timestamp, doubted: bool) -> Result<Option<Timestamp>, StoreError> {
    let mut later = None;
    let mut after = String::new();
    loop {
        let unread = schedules::unread(&ctx.db, &after).await?;
        let Some(last) = unread.last() else { break };
        after = last.to_string();
        for repository in unread {
            if let Err(error) = read_anew(ctx, &repository, now).await {
                later = Some(now.plus(AGAIN));
                tracing::warn!(%repository, %error, "its schedules cannot be read now");
            }
        }
    }
    if doubted {
        put_right(ctx, now).await?;
    }
    let mut due = schedules::due(&ctx.db, now).await?;
    while let Some(first) = due.first() {
        let repository = first.repository.clone();
        let (of_it, rest) = due.into_iter().partition(|row| row.repository == repository);
        due = rest;
        if let Err(error) = begin(ctx, &repository, of_it, now).await {
            later = Some(now.plus(AGAIN));
            tracing::warn!(%repository, %error, "what is due cannot be run now");
        }
    }
    // What could not be done is due still: it is not asked for without a pause.
    let next = schedules::next(&ctx.db).await?;
    Ok(match later {
        Some(later) => Some(next.filter(|next| *next > now).map_or(later, |next| next.min(later))),
        None => next,
    })
}

/// Moves what a clock that was wrong made too late.
async fn put_right(ctx: &Context, now: Timestamp) -> Result<(), StoreError> {
    for row in schedules::all(&ctx.db).await? {
        if let Some(Due::Earlier(next)) = Cron::new(&row.cron, &row.time_zone).and_then(|cron| cron.decide(row.due_at, now)) {
            let mut tx = ctx.db.begin().await?;
            schedules::move_on(&mut tx, &row, next).await?;
            tx.commit().await?;
            tracing::warn!(service = %row.service, cron = row.cron, "the clock was put back: its schedule is due earlier");
        }
    }
    Ok(())
}

/// What the file at the head of the default branch asks for.
pub(super) struct Asked {
    /// The commit; empty: there is no such branch.
    commit: String,
    /// For each service; none where the file does not read.
    wanted: Option<Vec<(ServiceId, Vec<Wanted>)>>,
}

/// Reads what a change asks for, where it is one of the default branch.
pub(super) async fn of_push(ctx: &Context, repository: &RepositoryRow, change: &RefChange) -> git::Result<Option<Asked>> {
    let of_default = change.reference == default_ref(repository);
    if of_default { Ok(Some(read(ctx, repository, change.new.as_deref(), clock::now()).await?)) } else { Ok(None) }
}

fn default_ref(repository: &RepositoryRow) -> String {
    format!("refs/heads/{}", repository.default_branch)
}

async fn read(ctx: &Context, repository: &RepositoryRow, commit: Option<&str>, now: Timestamp) -> git::Result<Asked> {
    let nothing = || repository.services.iter().map(|service| (service.id.clone(), Vec::new())).collect();
    let Some(commit) = commit else { return Ok(Asked { commit: String::new(), wanted: Some(nothing()) }) };
    let file = pushed::read_pipeline_file(&ctx.repository(&repository.id), commit).await?;
    let wanted = match file {
        None => Some(nothing()),
        Some(Err(_)) => None,
        Some(Ok(file)) => {
            let of = |service: &BuiltHere| {
                let asked = file.services.get(service.name.as_str()).map(|found| found.on.schedule.as_slice()).unwrap_or_default();
                let wanted = asked.iter().filter_map(|schedule| {
                    let due = Cron::new(&schedule.cron, schedule.zone())?.next(now)?;
                    Some((schedule.cron.clone(), schedule.zone().to_owned(), due))
                });
                (service.id.clone(), wanted.collect())
            };
            Some(repository.services.iter().map(of).collect())
        }
    };
    Ok(Asked { commit: commit.to_owned(), wanted })
}

impl Asked {
    /// Writes it down, unless something newer was pushed: that is read by itself.
    pub(super) async fn write(&self, tx: &mut Tx, repository: &RepositoryRow) -> Result<(), StoreError> {
        let head = repositories::last_commit(&mut *tx, &repository.id, &default_ref(repository)).await?;
        if head.as_deref().unwrap_or_default() != self.commit {
            return Ok(());
        }
        for service in &repository.services {
            let of = |all: &'_ [(ServiceId, Vec<Wanted>)]| all.iter().find(|(id, _)| *id == service.id).map(|(_, wanted)| wanted.clone());
            let wanted = self.wanted.as_deref().map(|all| of(all).unwrap_or_default());
            schedules::set(tx, &repository.team_id, &service.id, &self.commit, wanted.as_deref()).await?;
        }
        Ok(())
    }
}

/// Reads the schedules of services that came to a repository without a push.
async fn read_anew(ctx: &Context, id: &RepositoryId, now: Timestamp) -> Result<(), IntakeError> {
    let Some(repository) = repositories::by_id(&ctx.db, id).await? else { return Ok(()) };
    let head = repositories::last_commit(&ctx.db, id, &default_ref(&repository)).await?;
    let asked = read(ctx, &repository, head.as_deref(), now).await?;
    let mut tx = ctx.db.begin().await?;
    asked.write(&mut tx, &repository).await?;
    tx.commit().await?;
    Ok(())
}

/// Queues the runs of schedules of one repository that are due, each service once, and moves the schedules on.
async fn begin(ctx: &Context, id: &RepositoryId, due: Vec<ScheduleRow>, now: Timestamp) -> Result<(), IntakeError> {
    // One that is being deleted.
    let Some(repository) = repositories::by_id(&ctx.db, id).await? else { return Ok(()) };
    let head = repositories::last_commit(&ctx.db, id, &default_ref(&repository)).await?;
    let commit = match &head {
        Some(head) => Some(git::commit(&ctx.repository(id), head).await?),
        None => None,
    };
    let mut found = Vec::new();
    if let Some(head) = &head {
        for row in &due {
            if let Some(service) = repository.services.iter().find(|service| service.id == row.service) {
                found.push((row.service.clone(), heads::runs_of(ctx, &repository, head, service, RunEvent::Schedule).await?));
            }
        }
    }
    let mut tx = ctx.db.begin().await?;
    let mut made: Vec<(ServiceId, RunId)> = Vec::new();
    for row in &due {
        let Some(next) = Cron::new(&row.cron, &row.time_zone).and_then(|cron| cron.next(now)) else {
            schedules::remove(&mut tx, row).await?;
            continue;
        };
        // Another Berth was first; or it runs already, for another schedule or with one that is.
        if !schedules::move_on(&mut tx, row, next).await? || made.iter().any(|(service, _)| *service == row.service) {
            continue;
        }
        if schedules::waits(&mut tx, &row.service).await? {
            tracing::info!(service = %row.service, cron = row.cron, "left out: a run of a schedule still waits");
            continue;
        }
        let (Some(commit), Some(at)) = (&commit, found.iter().position(|(service, _)| *service == row.service)) else { continue };
        let asked = Asking { event: RunEvent::Schedule, by: BY, reason: &said::reason_schedule(&row.cron, &row.time_zone) };
        let queued = heads::queue(&mut tx, &repository, commit, found.swap_remove(at).1, asked).await?;
        made.extend(queued.into_iter().map(|queued| (queued.service, queued.run)));
    }
    tx.commit().await?;
    for (service, run) in &made {
        ctx.run_changed(&repository.team_id, run);
        ctx.wake.changed(Some(&repository.team_id), format!("service:{service}"));
    }
    ctx.wake.duty(Duty::Runs);
    Ok(())
}
