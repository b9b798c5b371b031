//! Rollouts: show, watch, cancel.

use std::process::ExitCode;

use app::model::{Rollout, RolloutId};
use clap::Subcommand;

use super::{
    client,
    failure::Done,
    output::{self, Tone, mark},
    progress,
    session::Session,
    token::path_part,
};

/// `berth rollout …`.
#[derive(Subcommand)]
pub(super) enum RolloutCommand {
    /// Show a rollout with its plan and evidence
    Show {
        /// Its id
        id: String,
    },
    /// Follow a rollout to its end
    Watch {
        /// Its id
        id: String,
    },
    /// Stop a rollout; the old release goes on serving
    Cancel {
        /// Its id
        id: String,
    },
}

/// Runs it.
pub(super) async fn run(command: RolloutCommand, session: &Session) -> Done<ExitCode> {
    match command {
        RolloutCommand::Show { id } => {
            session.show(session.client.get(&format!("/rollouts/{}", path_part(&id))).await?, |answer| {
                show(&client::read(answer)?);
                Ok(())
            })?;
        }
        RolloutCommand::Watch { id } => return progress::rollout(session, &RolloutId::from_text(path_part(&id))).await,
        RolloutCommand::Cancel { id } => {
            session.client.post(&format!("/rollouts/{}/actions/cancel", path_part(&id)), &serde_json::json!({})).await?;
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
