//! Rollouts: show, watch, cancel.

use std::process::ExitCode;

use app::model::{EnvironmentName, Rollout, RolloutId, Target};
use clap::{Args, Subcommand};

use super::{
    args::{OfService, ServiceRef},
    client,
    failure::{Done, Failure},
    output::{self, Tone, mark},
    progress,
    session::Session,
    token::path_part,
};

/// `berth rollout …`.
#[derive(Subcommand)]
pub(super) enum RolloutCommand {
    /// Show a rollout with its plan and evidence
    Show(Which),
    /// Follow a rollout to its end; the exit code is 3 where it did not succeed
    Watch(Which),
    /// Stop a rollout; the old release goes on serving
    Cancel(Which),
}

/// Names a rollout: by its id, or as the newest of a target.
#[derive(Args)]
pub(super) struct Which {
    /// Its id [default: the newest of --env]
    id: Option<String>,
    /// The environment
    #[arg(long, short, env = "BERTH_ENV", value_name = "ENV", required_unless_present = "id")]
    env: Option<EnvironmentName>,
    /// The service, or TEAM/SERVICE [default: that of this folder]
    #[arg(long, value_name = "SERVICE")]
    service: Option<ServiceRef>,
}

impl Which {
    async fn find(self, session: &Session) -> Done<RolloutId> {
        if let Some(id) = self.id {
            return Ok(RolloutId::from_text(path_part(&id)));
        }
        let environment = self.env.ok_or_else(|| Failure::new("Which rollout? Give its id, or --env for the newest there."))?;
        let service = session.service_path(&OfService { service: self.service }).await?;
        let target: Target = client::read(session.client.get(&format!("{service}/targets/{environment}")).await?)?;
        let newest = target.rollout.map(|rollout| rollout.id);
        newest.ok_or_else(|| Failure::new(format!("Nothing was ever rolled out to {environment}.")))
    }
}

/// Runs it.
pub(super) async fn run(command: RolloutCommand, session: &Session) -> Done<ExitCode> {
    match command {
        RolloutCommand::Show(which) => {
            let id = which.find(session).await?;
            session.show(session.client.get(&format!("/rollouts/{id}")).await?, |answer| {
                show(&client::read(answer)?);
                Ok(())
            })?;
        }
        RolloutCommand::Watch(which) => return progress::rollout(session, &which.find(session).await?).await,
        RolloutCommand::Cancel(which) => {
            let id = which.find(session).await?;
            session.client.post(&format!("/rollouts/{id}/actions/cancel"), &serde_json::json!({})).await?;
            if !session.json {
                output::line("It is being stopped. The release before it goes on serving.");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn show(rollout: &Rollout) {
    let from = rollout.from.map(|from| format!("release {from} → ")).unwrap_or_default();
    let state = mark(output::of_rollout(rollout.state), rollout.state.name());
    output::line(&format!("{state}  {} in {}: {from}release {}", rollout.service, rollout.environment, rollout.to));
    output::line(&format!(
        "{} by {}, {}; image {}",
        rollout.reason,
        rollout.by,
        output::ago(rollout.created_at),
        output::short(&rollout.image)
    ));
    rollout.plan.iter().for_each(|sentence| output::line(&format!("  plan      {sentence}")));
    for evidence in &rollout.evidence {
        output::line(&format!("  {}  {}", mark(Tone::Good, progress::phase(evidence.phase)), evidence.fact));
    }
    rollout.now.iter().chain(&rollout.waits).chain(&rollout.failure).for_each(|sentence| output::line(sentence));
    rollout.last_lines.iter().for_each(|line| output::line(&format!("    | {line}")));
    rollout.url.iter().for_each(|url| output::line(url));
}
