//! What newer pushes do to the runs before them.

use app::model::PushPolicy;
use clap::Args;
use serde_json::json;

use super::{
    args::{OfService, Switch},
    client,
    failure::Done,
    output,
    session::Session,
};

/// `berth service pushes`.
#[derive(Args)]
pub(super) struct Pushes {
    #[command(flatten)]
    of: OfService,
    /// Let a newer push take the place of runs that wait on the default branch too
    #[arg(long, value_name = "on|off")]
    default_branch: Option<Switch>,
    /// Let it cancel those under way too
    #[arg(long, value_name = "on|off")]
    cancel_running: Option<Switch>,
}

/// Runs it.
pub(super) async fn run(asked: Pushes, session: &Session) -> Done<()> {
    let path = format!("{}/push-policy", session.service_path(&asked.of).await?);
    let now = session.client.get(&path).await?;
    if asked.default_branch.is_none() && asked.cancel_running.is_none() {
        return session.show(now, |answer| show(client::read(answer)?));
    }
    let now: PushPolicy = client::read(now)?;
    let policy = PushPolicy {
        default_branch: asked.default_branch.map_or(now.default_branch, Switch::is_on),
        running: asked.cancel_running.map_or(now.running, Switch::is_on),
    };
    session.show(session.client.put(&path, &json!(policy)).await?, |answer| show(client::read(answer)?))
}

fn show(policy: PushPolicy) -> Done<()> {
    let of = if policy.running { "that wait or are under way" } else { "that wait" };
    let on = if policy.default_branch { "on every branch" } else { "on every branch but the default one" };
    output::line(&format!("A newer push takes the place of the runs before it {of}, {on}."));
    Ok(())
}
