//! `berth push`: `git push`, and the exit status of what the push set off.

use std::process::ExitCode;

use app::model::{Run, RunState, Service, ServiceName};
use clap::Args;

use super::{
    args::{OfService, Wait},
    client,
    failure::{DID_NOT_SUCCEED, Done, Failure},
    git, output, place, progress,
    session::Session,
};

/// `berth push`.
#[derive(Args)]
pub(super) struct Push {
    #[command(flatten)]
    of: OfService,
    /// The branch to push to [default: the branch one is on]
    #[arg(long, short, value_name = "BRANCH")]
    branch: Option<String>,
    /// Push even where history was rewritten
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    wait: Wait,
}

/// Pushes the current commit; follows its run and rollout.
pub(super) async fn run(push: Push, session: &Session) -> Done<ExitCode> {
    let commit = git::read(&["rev-parse", "--verify", "HEAD"]).ok_or_else(|| Failure::new("There is no commit here. Commit first."))?;
    let branch = match push.branch {
        Some(branch) => branch,
        None => git::read(&["symbolic-ref", "--short", "HEAD"])
            .ok_or_else(|| Failure::new("You are on no branch. Say which one to push to with --branch."))?,
    };
    let service = service(session, &push.of).await?;
    let team = &service.team;
    let remote = place::of_remote(session.client.url())
        .filter(|here| here.team == *team && here.service.as_str() == service.repository.as_str())
        .map_or_else(|| service.clone_url.clone(), |here| here.remote);
    let mut arguments = Vec::new();
    if push.force {
        arguments.push("--force".to_owned());
    }
    arguments.extend(["--end-of-options".to_owned(), remote, format!("{commit}:refs/heads/{branch}")]);
    if !git::push(&arguments, session.client.url())? {
        return Err(Failure::new("Git could not push. What it says above is the reason."));
    }
    if !push.wait.asked() {
        return Ok(ExitCode::SUCCESS);
    }
    let path = |name: &ServiceName| format!("/teams/{team}/services/{name}");
    let number = progress::run_of_commit(session, &path(&service.name), &commit).await?;
    let run: Run = client::read(session.client.get(&format!("{}/runs/{number}", path(&service.name))).await?)?;
    let mut runs: Vec<(ServiceName, u64)> = Vec::new();
    for pushed in &run.push {
        if pushed.kept || pushed.state == RunState::Skipped {
            say(session, &format!("{}: {}", pushed.service, pushed.plan));
        } else {
            runs.push((pushed.service.clone(), pushed.number));
        }
    }
    if runs.is_empty() {
        runs.push((service.name.clone(), number));
    }
    for (name, number) in &runs {
        say(session, &format!("run {number} of {name}  {}{}/runs/{number}", session.client.url(), path(name)));
    }
    let mut good = true;
    for (name, number) in runs {
        good &= progress::run(session, &path(&name), number).await? == ExitCode::SUCCESS;
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::from(DID_NOT_SUCCEED) })
}

fn say(session: &Session, line: &str) {
    if !session.json {
        output::line(line);
    }
}

/// The service that is pushed to: as typed, or of the folder. A repository that has no service of its own name stands for the
/// first that is built from it.
async fn service(session: &Session, of: &OfService) -> Done<Service> {
    let (team, name) = session.service(of).await?;
    let services = format!("/teams/{team}/services");
    let found = session.client.get(&format!("{services}/{name}")).await;
    if found.is_err() && of.service.is_none() {
        let all: Vec<Service> = client::rows(session.client.all(&services).await?)?;
        if let Some(service) = all.into_iter().find(|service| service.repository.as_str() == name.as_str()) {
            return Ok(service);
        }
    }
    client::read(found?)
}
