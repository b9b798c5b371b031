//! Activity, hosts, environments, and changes as they happen; and what a first start lays out.

use std::time::Duration;

use app::{
    backend::{Changed, Live, Platform},
    error::{Error, Result},
    model::{
        Actor, Credential, Environment, EnvironmentId, EnvironmentName, Event, EventFilter, Found, Host, Page, PageRequest, PlatformRole,
        Profile, TeamId, Timestamp,
    },
    said,
};
use async_trait::async_trait;
use futures::{StreamExt as _, future};
use tokio_stream::wrappers::{BroadcastStream, errors::BroadcastStreamRecvError};

use super::{Control, authorize};
use crate::{
    auth::rights::{Action, Verdict, judge},
    clock,
    store::{
        Db, environments,
        events::{self, NewEvent, Of},
    },
};

/// How long the engines may take to say how they are.
const HOSTS_DEADLINE: Duration = Duration::from_secs(5);

/// The environments of a first start.
fn first_environments() -> Result<Vec<Environment>> {
    let environment = |position, name: &str, default_replicas, stabilisation_ms| -> Result<Environment> {
        Ok(Environment {
            id: EnvironmentId::from_text(clock::new_id()),
            name: name.parse()?,
            position,
            pool: "default".into(),
            default_replicas,
            auto_deploy: position == 0,
            stabilisation_ms,
            deadline_ms: 120_000,
            profile: Profile::Baseline,
        })
    };
    Ok(vec![environment(0, "dev", 1, 3_000)?, environment(1, "staging", 1, 5_000)?, environment(2, "production", 2, 10_000)?])
}

/// Lays out `dev → staging → production` where there is no environment yet. Called at every start.
///
/// # Errors
/// Where the store does not answer.
pub async fn seed(db: &Db) -> Result<()> {
    let mut tx = db.begin().await?;
    tx.lock("environments").await?;
    if !environments::list(&mut tx).await?.is_empty() {
        return Ok(());
    }
    for environment in first_environments()? {
        environments::insert(&mut tx, &environment, clock::now()).await?;
        let event = NewEvent {
            action: "environment.created",
            subject: said::subject_environment(&environment.name),
            path: Some(format!("/environments/{}", environment.name)),
            ..NewEvent::default()
        };
        events::insert(&mut tx, &Actor::system("first start"), event).await?;
    }
    tx.commit().await?;
    Ok(())
}

/// The teams whose activity an actor sees, and whether the platform's own too.
pub(super) fn seen(actor: &Actor) -> Of<'static> {
    let bound = matches!(&actor.credential, Credential::Token { team: Some(_), .. });
    if actor.platform == PlatformRole::Admin && !bound {
        return Of::Everything;
    }
    let bound = match &actor.credential {
        Credential::Token { team, .. } => team.clone(),
        _ => None,
    };
    let teams: Vec<TeamId> = match (bound, actor.platform) {
        (Some(team), PlatformRole::Admin) => vec![team],
        _ => actor.roles.iter().map(|(team, _)| team.clone()).collect(),
    };
    Of::Teams(teams.into())
}

#[async_trait]
impl Platform for Control {
    async fn environments(&self, actor: &Actor) -> Result<Vec<Environment>> {
        authorize(actor, Action::ViewPlatform, None)?;
        Ok(environments::list(&self.db).await?)
    }

    async fn environment(&self, actor: &Actor, name: &EnvironmentName) -> Result<Environment> {
        authorize(actor, Action::ViewPlatform, None)?;
        self.environment_named(name).await
    }

    async fn hosts(&self, actor: &Actor) -> Result<Vec<Host>> {
        authorize(actor, Action::InspectPlatform, None)?;
        tokio::time::timeout(HOSTS_DEADLINE, self.platform.hosts()).await.map_err(|_| {
            let seconds = HOSTS_DEADLINE.as_secs();
            Error::unavailable(
                "engine_hung",
                format!("The engines did not say within {seconds} s how they are. `berth doctor` looks closer."),
            )
        })
    }

    async fn events(&self, actor: &Actor, filter: &EventFilter, page: &PageRequest) -> Result<Page<Event>> {
        authorize(actor, Action::ViewPlatform, None)?;
        let of = match &filter.team {
            Some(team) => [self.team(actor, team, Action::ViewTeam).await?].into(),
            None => seen(actor),
        };
        Ok(events::list(&self.db, &of, filter, page).await?)
    }

    async fn search(&self, actor: &Actor, query: &str, limit: u32) -> Result<Vec<Found>> {
        self.find(actor, query, limit).await
    }

    async fn changes(&self, actor: &Actor) -> Result<Live<Changed>> {
        authorize(actor, Action::ViewPlatform, None)?;
        let actor = actor.clone();
        let may_see = move |changed: &Changed| match &changed.team {
            Some(team) => judge(&actor, Action::ViewTeam, Some(team)) == Verdict::Yes,
            None => true,
        };
        let changes = BroadcastStream::new(self.wake.listen()).filter_map(move |item| {
            future::ready(match item {
                Ok(changed) => Some(changed).filter(&may_see),
                // Some were lost: whoever listens looks again.
                Err(BroadcastStreamRecvError::Lagged(_)) => Some(Changed { team: None, topic: "lost".into() }),
            })
        });
        Ok(Box::pin(changes))
    }

    fn now(&self) -> Timestamp {
        clock::now()
    }
}
