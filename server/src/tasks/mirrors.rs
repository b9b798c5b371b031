//! Fetches the repositories that live elsewhere: when somebody wants one, or its time has come. What moved there is written down
//! as a push would be, and everything else follows as from a push. A hook is a hint that one is wanted, and no more: what is
//! there is what is fetched. Whatever stops a fetch in its middle, the next one finds what was not written down.

use std::{collections::BTreeMap, time::Duration};

use app::{model::Actor, said};
use tokio::{task::JoinSet, time::timeout};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    git::{self, Address, Credentials, Limits, Remote, RemoteError, Scheme},
    pipelines::intake::moved,
    reach::{Unreachable, reach},
    rollout::Context,
    store::{
        StoreError,
        events::{self, NewEvent},
        mirrors::{self, MirrorRow, Went},
        repositories::{self, RepositoryRow},
    },
    telemetry::metrics,
    wake::{self, Duty},
};

/// How many are fetched at once.
const AT_ONCE: usize = 3;
/// How long one is in somebody's hands at most: the list, the fetch, and what is around them.
const HANDS: Duration = Duration::from_secs(2_100);
/// The first pause after a failure; each further one is twice as long, up to the mirror's own time.
const AGAIN: Duration = Duration::from_secs(30);

/// Runs until stopped.
pub async fn run(ctx: Context, stop: CancellationToken) {
    let mut under_way = JoinSet::new();
    let mut released = false;
    loop {
        let passed = pass(&ctx, &mut under_way, &mut released).await;
        metrics::passed("mirrors", passed.is_ok());
        let rest = passed.unwrap_or_else(|error| {
            tracing::warn!(%error, "the mirrors cannot be read now");
            wake::rest(false)
        });
        tokio::select! {
            () = stop.cancelled() => return,
            Some(_) = under_way.join_next() => {}
            _ = timeout(rest, ctx.wake.woken(Duty::Mirrors)) => {}
        }
    }
}

/// Begins what is to be fetched, as far as there is room. The answer: when to look again.
async fn pass(ctx: &Context, under_way: &mut JoinSet<()>, released: &mut bool) -> Result<Duration, StoreError> {
    if !*released {
        let mut tx = ctx.db.begin().await?;
        mirrors::release_held_by(&mut tx, &ctx.holder).await?;
        tx.commit().await?;
        *released = true;
    }
    while under_way.len() < AT_ONCE {
        let Some(mirror) = mirrors::claim(&ctx.db, &ctx.holder, clock::now().plus(HANDS)).await? else { break };
        under_way.spawn(one(ctx.clone(), mirror));
    }
    let (now, lazy) = (clock::now(), clock::pace(wake::LAZY));
    let next = mirrors::next(&ctx.db).await?;
    let least = if under_way.len() < AT_ONCE { Duration::from_millis(20) } else { lazy };
    Ok(next.map_or(lazy, |next| next.since(now)).clamp(least, lazy))
}

async fn one(ctx: Context, mirror: MirrorRow) {
    let repository = match repositories::by_id(&ctx.db, &mirror.repository).await {
        Ok(Some(repository)) => repository,
        // One that is being deleted.
        Ok(None) => return,
        Err(error) => return tracing::warn!(repository = %mirror.repository, %error, "a mirror cannot be read now"),
    };
    tell(&ctx, &repository);
    let (fetched, host_keys) = fetch(&ctx, &mirror, &repository).await;
    match &fetched {
        Ok(_) => tracing::info!(repository = %repository.id, "fetched"),
        Err(why) => tracing::info!(repository = %repository.id, why, "it cannot be fetched"),
    }
    if let Err(error) = write(&ctx, &mirror, repository, fetched, host_keys).await {
        tracing::warn!(repository = %mirror.repository, %error, "what was fetched cannot be written down now");
        // Its lease runs out; who fetches it then finds what moved.
        ctx.wake.duty(Duty::Mirrors);
    }
}

/// Who shows it looks again.
fn tell(ctx: &Context, repository: &RepositoryRow) {
    for service in &repository.services {
        ctx.wake.changed(Some(&repository.team_id), format!("service:{}", service.id));
    }
}

/// What is there by now.
struct Fetched {
    /// Its default branch, where it says so.
    head: Option<String>,
    /// Its refs.
    refs: BTreeMap<String, String>,
}

/// Fetches; beside how that went, the keys that the host showed where none was known.
async fn fetch(ctx: &Context, mirror: &MirrorRow, repository: &RepositoryRow) -> (Result<Fetched, String>, Option<String>) {
    let remote = match prepare(ctx, mirror).await {
        Ok(remote) => remote,
        Err(why) => return (Err(why), None),
    };
    let fetched = over(ctx, repository, &remote).await.map_err(|error| error.to_string());
    let seen = if mirror.host_keys.is_none() { remote.host_keys() } else { None };
    (fetched, seen)
}

async fn over(ctx: &Context, repository: &RepositoryRow, remote: &Remote) -> Result<Fetched, RemoteError> {
    let folder = ctx.config.repository(&repository.id);
    let listed = remote.list().await?;
    let head = listed.head.as_deref().unwrap_or(&repository.default_branch);
    git::ensure_bare(&folder, head).await?;
    git::set_head(&folder, head).await?;
    let mut refs = git::refs(&folder).await?;
    if refs != listed.refs {
        git::has_room(&folder).await?;
        remote.fetch(&folder, Limits::default()).await?;
        refs = git::refs(&folder).await?;
    }
    Ok(Fetched { head: listed.head, refs })
}

/// Finds the other side, and opens what one is let in by.
async fn prepare(ctx: &Context, mirror: &MirrorRow) -> Result<Remote, String> {
    let address: Address = mirror.address.parse().map_err(|error: git::NoAddress| error.to_string())?;
    let private = ctx.config.mirror_private;
    if address.scheme == Scheme::Http && !private {
        return Err(said::mirror_private(&address.host));
    }
    let at = reach(&address.host, address.port(), private).await.map_err(|error| match error {
        Unreachable::Unknown(host) => said::mirror_name_unknown(host),
        Unreachable::Private(host) => said::mirror_private(host),
    })?;
    let open = |column: &str, sealed: &Option<String>| match sealed {
        None => Ok(None),
        Some(sealed) => {
            let plain = ctx.secrets.unseal_text(&mirror.team, mirror.repository.as_str(), column, sealed);
            plain.map(Some).map_err(|_| said::mirror_sealed())
        }
    };
    let with = Credentials {
        token: open("token", &mirror.token)?,
        key: open("deploy_key", &mirror.deploy_key)?,
        host_keys: mirror.host_keys.clone(),
    };
    Remote::new(address, at, &with, &ctx.config.scratch()).map_err(|error| error.to_string())
}

/// Writes down how it went, and what moved, in one transaction.
async fn write(
    ctx: &Context,
    mirror: &MirrorRow,
    mut repository: RepositoryRow,
    fetched: Result<Fetched, String>,
    host_keys: Option<String>,
) -> Result<(), StoreError> {
    let pause = wake::pause(AGAIN, mirror.failures, mirror.every);
    let failure = fetched.as_ref().err().map(String::as_str);
    let went = Went { host_keys, failure, again: failure.map(|_| clock::now().plus(pause)) };
    let actor = Actor::system("mirrors");
    let mut tx = ctx.db.begin().await?;
    let mut changes = Vec::new();
    // Before it is marked as fetched: what comes first is history.
    if let Ok(Fetched { head, refs }) = &fetched {
        if let Some(head) = head {
            mirrors::follow_head(&mut tx, &repository.id, head).await?;
            repository.default_branch.clone_from(head);
        }
        let host = mirror.address.parse::<Address>().map_or_else(|_| String::new(), |address| address.host);
        changes = repositories::record_refs(&mut tx, &repository, refs, &host).await?;
        if repository.mirrors.as_ref().is_some_and(|mirrors| mirrors.fetched) {
            for change in &changes {
                events::insert(&mut tx, &actor, moved(&repository, change)).await?;
            }
        }
    }
    if !mirrors::went(&mut tx, mirror, &ctx.holder, &went).await? {
        return Ok(());
    }
    if let (Some(why), None) = (failure, mirror.failing_since) {
        events::insert(&mut tx, &actor, failing(&repository, why)).await?;
    }
    tx.commit().await?;
    if !changes.is_empty() {
        ctx.wake.duty(Duty::Pushes);
    }
    tell(ctx, &repository);
    ctx.wake.changed(Some(&repository.team_id), "events");
    Ok(())
}

fn failing<'a>(repository: &'a RepositoryRow, why: &str) -> NewEvent<'a> {
    let only = repository.only();
    NewEvent {
        team: Some(&repository.team_id),
        service: only.map(|service| &service.id),
        action: "mirror.failing",
        subject: said::subject_repository(&repository.name),
        path: only.map(|service| format!("/teams/{}/services/{}/settings", repository.team, service.name)),
        detail: why.to_owned(),
    }
}
