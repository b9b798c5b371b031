//! Deploying, promoting, rolling back; releases and candidates.

use std::process::ExitCode;

use app::model::{Candidate, Environment, EnvironmentName, Release, Source};
use clap::Args;

use super::{
    args::{How, InEnvironment, OfService},
    client,
    failure::{Done, Failure},
    output, progress,
    session::Session,
};

/// `berth deploy`.
#[derive(Args)]
pub(super) struct Deploy {
    #[command(flatten)]
    to: InEnvironment,
    /// The candidate's number [default: the newest]
    #[arg(long, short, conflicts_with = "image")]
    candidate: Option<u64>,
    /// An image from outside: a reference the engine has, or can pull
    #[arg(long)]
    image: Option<String>,
    #[command(flatten)]
    how: How,
}

/// `berth promote`.
#[derive(Args)]
pub(super) struct Promote {
    #[command(flatten)]
    of: OfService,
    /// The environment to bring it to
    #[arg(long, value_name = "ENV")]
    to: EnvironmentName,
    /// The environment to take it from [default: the one before]
    #[arg(long, value_name = "ENV")]
    from: Option<EnvironmentName>,
    #[command(flatten)]
    how: How,
}

/// `berth rollback`.
#[derive(Args)]
pub(super) struct Rollback {
    #[command(flatten)]
    of: InEnvironment,
    /// The number of the release to go back to [default: the one proven before the present one]
    #[arg(long, value_name = "N")]
    to: Option<u64>,
    #[command(flatten)]
    how: How,
}

/// Deploys a candidate or an image.
pub(super) async fn deploy(deploy: Deploy, session: &Session) -> Done<ExitCode> {
    let path = session.service_path(&deploy.to.of).await?;
    let source = match (deploy.image, deploy.candidate) {
        (Some(image), _) => Source::Image(image),
        (None, Some(candidate)) => Source::Candidate(candidate),
        (None, None) => {
            let newest = newest_candidate(session, &path).await?;
            session.say(&format!("candidate {newest} → {}", deploy.to.env));
            Source::Candidate(newest)
        }
    };
    go(session, &path, &deploy.to.env, &source, deploy.how).await
}

async fn newest_candidate(session: &Session, path: &str) -> Done<u64> {
    let candidates: Vec<Candidate> = client::rows(session.client.get(&format!("{path}/candidates?limit=1")).await?)?;
    let newest = candidates.first().map(|candidate| candidate.number);
    newest.ok_or_else(|| Failure::new("There is no candidate yet. Push something that passes, or give --image."))
}

/// Brings what runs in one environment to the next.
pub(super) async fn promote(promote: Promote, session: &Session) -> Done<ExitCode> {
    let path = session.service_path(&promote.of).await?;
    let from = match promote.from {
        Some(from) => from,
        None => {
            let environments: Vec<Environment> = client::rows(session.client.get("/environments").await?)?;
            before(&environments, &promote.to)?
        }
    };
    session.say(&format!("what runs in {from} → {}", promote.to));
    go(session, &path, &promote.to, &Source::From(from), promote.how).await
}

/// The environment before this one.
fn before(environments: &[Environment], to: &EnvironmentName) -> Done<EnvironmentName> {
    let place = environments.iter().position(|environment| environment.name == *to);
    match place {
        Some(0) => Err(Failure::new(format!("Nothing comes before {to}. Say where to take it from with --from, or use `berth deploy`."))),
        Some(place) => Ok(environments[place - 1].name.clone()),
        None => Err(Failure::new(format!("There is no environment {to}. See `berth env list`."))),
    }
}

/// Goes back to an earlier release.
pub(super) async fn rollback(rollback: Rollback, session: &Session) -> Done<ExitCode> {
    let path = session.service_path(&rollback.of.of).await?;
    let environment = &rollback.of.env;
    let to = match rollback.to {
        Some(to) => to,
        None => {
            let target: app::model::Target = client::read(session.client.get(&format!("{path}/targets/{environment}")).await?)?;
            let releases: Vec<Release> = client::rows(session.client.get(&format!("{path}/targets/{environment}/releases")).await?)?;
            earlier(&releases, target.release.map(|release| release.number))
                .ok_or_else(|| Failure::new(format!("Nothing was proven in {environment} before what runs now. See `berth releases`.")))?
        }
    };
    session.say(&format!("what release {to} had → {environment}"));
    go(session, &path, environment, &Source::Release(to), rollback.how).await
}

/// The newest release before the present one whose rollout succeeded.
fn earlier(releases: &[Release], present: Option<u64>) -> Option<u64> {
    let proven = |release: &&Release| release.rollout.as_ref().is_some_and(|rollout| rollout.state == app::model::RolloutState::Succeeded);
    let present = present.unwrap_or(u64::MAX);
    releases.iter().filter(proven).map(|release| release.number).filter(|number| *number < present).max()
}

async fn go(session: &Session, path: &str, environment: &EnvironmentName, source: &Source, how: How) -> Done<ExitCode> {
    let path = format!("{path}/targets/{environment}/actions/deploy?dry_run={}", how.plan);
    let answer = session.client.post(&path, source).await?;
    progress::change(session, answer, how.wait.asked(), how.plan).await
}

/// Lists releases.
pub(super) async fn releases(of: InEnvironment, session: &Session) -> Done<()> {
    let path = session.service_path(&of.of).await?;
    session.show(session.client.get(&format!("{path}/targets/{}/releases", of.env)).await?, |answer| {
        let releases: Vec<Release> = client::rows(answer)?;
        output::listing(
            &["RELEASE", "CANDIDATE", "CONFIG", "IMAGE", "ROLLOUT", "MADE", "BY", "WHY"],
            &releases.iter().map(row).collect::<Vec<_>>(),
            "Nothing was deployed there yet. `berth deploy` or `berth promote` does.",
        );
        Ok(())
    })
}

fn row(release: &Release) -> Vec<String> {
    let rollout =
        release.rollout.as_ref().map_or_else(String::new, |rollout| output::mark(output::of_rollout(rollout.state), rollout.state.name()));
    vec![
        release.number.to_string(),
        release.candidate.map_or_else(|| "–".into(), |candidate| candidate.to_string()),
        release.config.to_string(),
        output::short(&release.image).to_owned(),
        rollout,
        output::ago(release.created_at),
        release.by.clone(),
        release.reason.clone(),
    ]
}
