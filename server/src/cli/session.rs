//! A server to ask, and how one likes the answers.

use std::env;

use serde_json::Value;

use super::{
    args::{Everywhere, OfService, ServiceRef},
    client::{self, Client},
    contexts::Contexts,
    failure::{Done, Failure},
    output, place,
};
use app::model::{Me, ServiceName, TeamName};

/// Where a Berth is looked for when nobody said where.
const USUAL_URL: &str = "http://127.0.0.1:8080";

/// A server to ask, and how one likes the answers.
pub(super) struct Session {
    /// The server.
    pub(super) client: Client,
    /// Whether to print JSON.
    pub(super) json: bool,
    /// Whether not to ask whether one is sure.
    pub(super) yes: bool,
    /// The context in use; none where the environment says everything.
    pub(super) context: Option<String>,
    team: Option<TeamName>,
}

impl Session {
    /// `BERTH_TOKEN` and `BERTH_URL` win over the contexts of this machine.
    pub(super) fn open(everywhere: Everywhere) -> Done<Self> {
        let text = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let contexts = Contexts::load()?;
        let picked = contexts.pick(everywhere.context.as_deref())?;
        let (url, token, context) = match (text("BERTH_TOKEN"), text("BERTH_URL"), picked) {
            (Some(token), url, picked) => {
                let url = url.or_else(|| picked.map(|context| context.url.clone())).unwrap_or_else(|| USUAL_URL.into());
                (url, Some(token), None)
            }
            (None, _, Some(context)) => {
                let name = everywhere.context.or_else(|| contexts.current.clone());
                (context.url.clone(), Some(context.token.clone()), name)
            }
            (None, url, None) => {
                let url = url.unwrap_or_else(|| USUAL_URL.into());
                return Err(Failure::new(format!("You are not signed in. Run `berth login {url}`, or set BERTH_TOKEN.")));
            }
        };
        Ok(Self { client: Client::new(&url, token)?, json: everywhere.json, yes: everywhere.yes, context, team: everywhere.team })
    }

    /// Prints an answer: as it came with `--json`, else as `show` does.
    pub(super) fn show(&self, answer: Value, show: impl FnOnce(Value) -> Done<()>) -> Done<()> {
        if self.json { output::json(&answer) } else { show(answer) }
    }

    /// Says something beside the answer; nothing with `--json`.
    pub(super) fn say(&self, line: &str) {
        if !self.json {
            output::line(line);
        }
    }

    /// The team: as typed, else of the folder, else one's only one.
    pub(super) async fn team(&self) -> Done<TeamName> {
        if let Some(team) = &self.team {
            return Ok(team.clone());
        }
        if let Some(here) = place::of_remote(self.client.url()) {
            return Ok(here.team);
        }
        let me: Me = client::read(self.client.get("/me").await?)?;
        match me.teams.as_slice() {
            [one] => Ok(one.name.clone()),
            [] => Err(Failure::new("You are in no team yet. Create one with `berth team create NAME`.")),
            several => {
                let names: Vec<_> = several.iter().map(|team| team.name.as_str()).collect();
                Err(Failure::new(format!("You are in several teams: {}. Say which with --team.", names.join(", "))))
            }
        }
    }

    /// Team and service: as typed, else of the folder.
    pub(super) async fn service(&self, of: &OfService) -> Done<(TeamName, ServiceName)> {
        if let Some(ServiceRef { team, service }) = &of.service {
            let team = match team {
                Some(team) => team.clone(),
                None => self.team().await?,
            };
            return Ok((team, service.clone()));
        }
        if let Some(here) = place::of_remote(self.client.url())
            && self.team.as_ref().is_none_or(|team| *team == here.team)
        {
            return Ok((here.team, place::of_file().unwrap_or(here.service)));
        }
        match place::of_file() {
            Some(service) => Ok((self.team().await?, service)),
            None => Err(Failure::new(
                "Which service? Name it (`berth service list` shows them), or stand in a folder with a Git remote to Berth or a \
                 berth.yaml that names one service.",
            )),
        }
    }

    /// The path of a service in the API.
    pub(super) async fn service_path(&self, of: &OfService) -> Done<String> {
        let (team, service) = self.service(of).await?;
        Ok(format!("/teams/{team}/services/{service}"))
    }

    /// Asks whether one is sure; `--yes` answers for one.
    pub(super) fn sure(&self, question: &str) -> Done<()> {
        if self.yes || output::ask(&format!("{question} [y/N] "))?.is_some_and(|answer| answer.eq_ignore_ascii_case("y")) {
            return Ok(());
        }
        Err(Failure::new("Nothing was done. Say yes, or give --yes."))
    }
}
