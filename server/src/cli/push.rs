//! `berth push`: `git push`, and the exit status of what the push set off.

use std::process::ExitCode;

use app::model::Service;
use clap::Args;

use super::{
    args::{OfService, Wait},
    client,
    failure::{Done, Failure},
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
    let (team, name) = session.service(&push.of).await?;
    let service_path = format!("/teams/{team}/services/{name}");
    let remote = match place::of_remote(session.client.url()).filter(|here| here.team == team && here.service == name) {
        Some(here) => here.remote,
        None => client::read::<Service>(session.client.get(&service_path).await?)?.clone_url,
    };
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
    let number = progress::run_of_commit(session, &service_path, &commit).await?;
    if !session.json {
        output::line(&format!("run {number}  {}/teams/{team}/services/{name}/runs/{number}", session.client.url()));
    }
    progress::run(session, &service_path, number).await
}
