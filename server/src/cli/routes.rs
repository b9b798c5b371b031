//! Host names that lead to a service.

use app::model::{EnvironmentName, Route, ServiceOverview};
use clap::Subcommand;
use serde_json::json;

use super::{
    args::{OfService, ServiceRef},
    client,
    failure::{Done, Failure},
    output,
    session::Session,
    token::path_part,
};

/// `berth route …`.
#[derive(Subcommand)]
pub(super) enum RouteCommand {
    /// Lead a further host name to a service
    Add {
        /// The host name
        host: String,
        /// The path it starts with
        #[arg(long, default_value = "/")]
        path: String,
        /// The environment
        #[arg(long, short, env = "BERTH_ENV", value_name = "ENV")]
        env: EnvironmentName,
        /// The service, or TEAM/SERVICE [default: that of this folder]
        #[arg(long, value_name = "SERVICE")]
        service: Option<ServiceRef>,
    },
    /// List the addresses of a service
    List(OfService),
    /// Take a host name back
    Remove {
        /// The host name, with its path if it has one; or the route's id
        route: String,
        /// The service, or TEAM/SERVICE [default: that of this folder]
        #[arg(long, value_name = "SERVICE")]
        service: Option<ServiceRef>,
    },
}

/// Runs it.
pub(super) async fn run(command: RouteCommand, session: &Session) -> Done<()> {
    match command {
        RouteCommand::Add { host, path, env, service } => {
            let service = session.service_path(&OfService { service }).await?;
            let body = json!({ "host": host, "path": path });
            session.show(session.client.post(&format!("{service}/targets/{env}/routes"), &body).await?, |answer| {
                let route: Route = client::read(answer)?;
                output::line(&format!("{} leads to {env} now.", route.url));
                Ok(())
            })
        }
        RouteCommand::List(of) => {
            let service = session.service_path(&of).await?;
            let all = routes(session, &service).await?;
            if session.json {
                return output::json(
                    &all.iter().map(|(environment, route)| json!({ "environment": environment, "route": route })).collect::<Vec<_>>(),
                );
            }
            let row = |(environment, route): &(EnvironmentName, Route)| {
                let made = if route.default { "with the service" } else { "by hand" };
                vec![environment.to_string(), made.to_owned(), route.url.clone()]
            };
            output::table(&["ENVIRONMENT", "MADE", "ADDRESS"], &all.iter().map(row).collect::<Vec<_>>());
            Ok(())
        }
        RouteCommand::Remove { route, service } => {
            let service = session.service_path(&OfService { service }).await?;
            let all = routes(session, &service).await?;
            let exact = all.iter().find(|(_, one)| one.id.as_str() == route || named(one, &route));
            let of_host: Vec<_> = all.iter().filter(|(_, one)| one.host == route).collect();
            let Some((_, found)) = exact.or(if let [one] = of_host.as_slice() { Some(*one) } else { None }) else {
                return Err(Failure::new(format!("{route} does not lead to this service. See `berth route list`.")));
            };
            session.client.delete(&format!("{service}/routes/{}", path_part(found.id.as_str()))).await?;
            if !session.json {
                output::line(&format!("{} leads here no longer.", found.host));
            }
            Ok(())
        }
    }
}

/// Whether this is what the route is called: its host name, with its path unless that is all of the host.
fn named(route: &Route, text: &str) -> bool {
    let text = text.split_once("://").map_or(text, |(_, rest)| rest).trim_end_matches('/');
    text == format!("{}{}", route.host, route.path.trim_end_matches('/'))
}

async fn routes(session: &Session, service: &str) -> Done<Vec<(EnvironmentName, Route)>> {
    let overview: ServiceOverview = client::read(session.client.get(&format!("{service}/overview")).await?)?;
    let of = |target: app::model::Target| target.routes.into_iter().map(move |route| (target.environment.clone(), route));
    Ok(overview.targets.into_iter().flat_map(of).collect())
}
