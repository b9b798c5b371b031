//! Every REST route in one list, each with its right. A route that is not marked as open needs somebody who asks, so that
//! one added in haste is closed.

use std::sync::OnceLock;

use app::backend::Backend;
use axum::{
    Router,
    extract::{FromRef, Request},
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;
use utoipa::openapi::{
    Components, InfoBuilder, OpenApi, OpenApiBuilder, RefOr,
    extensions::ExtensionsBuilder,
    path::{Operation, PathItem},
    security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
};
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouter},
    routes,
};

use super::{
    api::{
        accounts, bases, caches, candidates, ci, logs, meta, mirrors, pipelines, platform, policies, releases, runs, secrets, services,
        teams, tokens,
    },
    extract::Asker,
    problem::{self, Problem},
};
use crate::{
    auth::rights::{self, Action, Least},
    control::authorize,
};

/// What every path of the API starts with.
pub const PREFIX: &str = "/api/v1";

/// What handlers are given.
#[derive(Clone)]
pub struct Doors {
    /// The seam.
    pub backend: Backend,
    /// Cancelled when the server stops: streams end then.
    pub stop: CancellationToken,
}

impl FromRef<Doors> for Backend {
    fn from_ref(doors: &Doors) -> Self {
        doors.backend.clone()
    }
}

impl FromRef<Doors> for CancellationToken {
    fn from_ref(doors: &Doors) -> Self {
        doors.stop.clone()
    }
}

/// Who may come through a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Right {
    /// Everybody.
    Open,
    /// Whoever may do this.
    Needs(Action),
}

/// A route with its right.
type Entry = (Right, UtoipaMethodRouter<Doors>);

fn open(routes: UtoipaMethodRouter<Doors>) -> Entry {
    (Right::Open, routes)
}

fn needs(action: Action, routes: UtoipaMethodRouter<Doors>) -> Entry {
    (Right::Needs(action), routes)
}

/// The list.
#[rustfmt::skip]
fn list() -> Vec<Entry> {
    use Action as A;
    vec![
        // The first run, signing in, oneself.
        open(routes!(accounts::setup)),
        open(routes!(accounts::login)),
        open(routes!(accounts::accept_invitation)),
        needs(A::ViewSelf, routes!(accounts::me)),
        needs(A::ManageSelf, routes!(accounts::sign_out_everywhere)),
        needs(A::ManageSelf, routes!(tokens::list)),
        needs(A::ManageSelf, routes!(tokens::create)),
        needs(A::ViewSelf, routes!(tokens::revoke)),

        // People, for administrators.
        needs(A::InspectPlatform, routes!(accounts::people)),
        needs(A::AdminPlatform, routes!(accounts::suspend)),
        needs(A::AdminPlatform, routes!(accounts::restore)),

        // Teams.
        needs(A::ViewPlatform, routes!(teams::list)),
        needs(A::CreateTeam, routes!(teams::create)),
        needs(A::ViewTeam, routes!(teams::show)),
        needs(A::ViewTeam, routes!(teams::members)),
        needs(A::ManageTeam, routes!(teams::set_role)),
        needs(A::LeaveTeam, routes!(teams::remove_member)),
        needs(A::ManageTeam, routes!(teams::invitations)),
        needs(A::ManageTeam, routes!(teams::invite)),
        needs(A::ManageTeam, routes!(teams::withdraw)),

        // Services and targets.
        needs(A::ViewTeam, routes!(services::board)),
        needs(A::ViewTeam, routes!(services::list)),
        needs(A::CreateService, routes!(services::create)),
        needs(A::ViewTeam, routes!(services::show)),
        needs(A::ChangeService, routes!(services::move_to)),
        needs(A::DeleteService, routes!(services::delete)),
        needs(A::ViewTeam, routes!(services::overview)),
        needs(A::ChangeService, routes!(services::add_environment)),
        needs(A::ViewTeam, routes!(services::target)),
        needs(A::ManageRoutes, routes!(services::add_route)),
        needs(A::ManageRoutes, routes!(services::remove_route)),
        needs(A::ViewTeam, routes!(policies::show)),
        needs(A::ChangeService, routes!(policies::set)),
        needs(A::ViewTeam, routes!(caches::list)),
        needs(A::ChangeService, routes!(caches::clear)),
        needs(A::ReadConfig, routes!(secrets::list)),
        needs(A::ChangeConfig, routes!(secrets::set)),
        needs(A::ChangeConfig, routes!(secrets::unset)),

        // Releases.
        needs(A::Deploy, routes!(releases::deploy)),
        needs(A::Scale, routes!(releases::scale)),
        needs(A::ReadConfig, routes!(releases::config)),
        needs(A::ChangeConfig, routes!(releases::change_config)),
        needs(A::ReadConfig, routes!(releases::config_sets)),
        needs(A::ViewTeam, routes!(releases::releases)),
        needs(A::ViewTeam, routes!(releases::logs)),
        needs(A::ViewTeam, routes!(releases::rollout)),
        needs(A::Deploy, routes!(releases::cancel)),
        needs(A::ViewTeam, routes!(releases::stream)),

        // Runs.
        needs(A::ViewTeam, routes!(runs::list)),
        needs(A::ViewTeam, routes!(runs::show)),
        needs(A::ViewTeam, routes!(runs::triggers)),
        needs(A::RetryRun, routes!(runs::start)),
        needs(A::CancelRun, routes!(runs::cancel)),
        needs(A::RetryRun, routes!(runs::retry)),
        needs(A::ApproveRun, routes!(runs::approve)),
        needs(A::ViewTeam, routes!(runs::stream)),
        needs(A::ViewTeam, routes!(runs::log)),
        needs(A::ViewTeam, routes!(logs::find)),
        needs(A::ViewTeam, routes!(logs::text)),
        needs(A::ViewTeam, routes!(runs::stream_log)),
        needs(A::ViewTeam, routes!(runs::candidates)),

        // Repositories that live elsewhere.
        needs(A::ViewTeam, routes!(mirrors::show)),
        needs(A::ChangeService, routes!(mirrors::add)),
        needs(A::ChangeService, routes!(mirrors::change)),
        needs(A::ChangeService, routes!(mirrors::fetch)),
        needs(A::ChangeService, routes!(mirrors::forget_host_keys)),
        needs(A::ChangeService, routes!(mirrors::new_hook)),

        // The file in the repository.
        needs(A::ViewTeam, routes!(pipelines::file)),
        needs(A::ViewTeam, routes!(pipelines::check)),

        // Candidates.
        needs(A::ViewTeam, routes!(candidates::show)),
        needs(A::ViewTeam, routes!(candidates::provenance)),
        needs(A::ViewTeam, routes!(candidates::sbom)),
        needs(A::ViewTeam, routes!(candidates::compare)),
        needs(A::ChangeService, routes!(candidates::hold)),
        needs(A::ChangeService, routes!(candidates::let_go)),
        open(routes!(candidates::signing_key)),

        // What runs say and leave, and what that comes to.
        needs(A::ViewTeam, routes!(ci::tests)),
        needs(A::ViewTeam, routes!(ci::flaky)),
        needs(A::ChangeService, routes!(ci::mute)),
        needs(A::ViewTeam, routes!(ci::artifacts)),
        needs(A::ViewTeam, routes!(ci::artifact)),
        needs(A::ViewTeam, routes!(ci::report)),
        needs(A::ChangeService, routes!(ci::guard)),
        needs(A::ViewTeam, routes!(ci::digest)),
        needs(A::ManageTeam, routes!(ci::badges)),

        // The platform.
        needs(A::ViewPlatform, routes!(platform::environments)),
        needs(A::ViewPlatform, routes!(platform::environment)),
        needs(A::InspectPlatform, routes!(platform::hosts)),
        needs(A::ViewPlatform, routes!(platform::events)),
        needs(A::ViewPlatform, routes!(platform::search)),
        needs(A::ViewPlatform, routes!(platform::stream)),

        // Base images.
        needs(A::ViewPlatform, routes!(bases::list)),
        needs(A::AdminPlatform, routes!(bases::create)),
        needs(A::ViewPlatform, routes!(bases::show)),
        needs(A::AdminPlatform, routes!(bases::rebuild)),
        needs(A::AdminPlatform, routes!(bases::cancel)),

        // The API itself.
        open(routes!(meta::openapi)),
        needs(A::ViewSelf, routes!(meta::lint)),
    ]
}

/// Lets nobody through who is nobody, nor who lacks a right that no team gives. Rights in a team are judged where the team
/// is known: behind the seam, as every right is once more.
async fn check(action: Action, request: Request, next: Next) -> Response {
    let (mut parts, body) = request.into_parts();
    let asker = match axum::RequestPartsExt::extract::<Asker>(&mut parts).await {
        Ok(Asker(actor)) => actor,
        Err(problem) => return problem.into_response(),
    };
    if !matches!(rights::rule(action).least, Least::Role(_))
        && let Err(error) = authorize(&asker, action, None)
    {
        return Problem(error).into_response();
    }
    next.run(Request::from_parts(parts, body)).await
}

/// What a right is called in the document.
fn named(right: Right) -> String {
    match right {
        Right::Open => "open".to_owned(),
        Right::Needs(action) => format!("{action:?}"),
    }
}

/// Writes a route's right into its description.
fn describe(operation: &mut Operation, right: Right) {
    operation.extensions = Some(ExtensionsBuilder::new().add("x-right", named(right)).build());
    operation.security = Some(match right {
        Right::Open => Vec::new(),
        Right::Needs(action) => {
            let scopes = rights::rule(action).scope.map(|scope| scope.name());
            vec![SecurityRequirement::new("token", scopes)]
        }
    });
    let problem = utoipa::openapi::ContentBuilder::new().schema(Some(utoipa::openapi::Ref::from_schema_name("Problem"))).build();
    let response = utoipa::openapi::ResponseBuilder::new()
        .description("What went wrong, and what to do.")
        .content("application/problem+json", problem)
        .build();
    operation.responses.responses.insert("default".into(), RefOr::T(response));
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().filter_map(Option::as_mut)
}

fn added(router: OpenApiRouter<Doors>, (right, (schemas, mut paths, methods)): Entry) -> OpenApiRouter<Doors> {
    paths.paths.values_mut().flat_map(operations).for_each(|operation| describe(operation, right));
    let methods = match right {
        Right::Open => methods,
        // On the routes alone: that a method is not offered is no secret, and is said to everybody.
        Right::Needs(action) => methods.route_layer(from_fn(move |request, next| check(action, request, next))),
    };
    router.routes((schemas, paths, methods))
}

fn preamble() -> OpenApi {
    let info = InfoBuilder::new()
        .title("Berth")
        .version("1")
        .description(Some(
            "Everything the console and the command line do. Send `Authorization: Bearer berth_…`. Errors are \
             `application/problem+json` with a stable `code` and a sentence. A POST may carry an `Idempotency-Key`; listings \
             take `cursor` and `limit`; changes that take long answer 202 and go on in the background.",
        ))
        .contact(None::<utoipa::openapi::Contact>)
        .build();
    let token = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some("An API token: `berth token create`.")).build();
    let mut components = Components::new();
    components.add_security_scheme("token", SecurityScheme::Http(token));
    components.schemas.insert("Problem".into(), <problem::Body as utoipa::PartialSchema>::schema());
    OpenApiBuilder::new().info(info).components(Some(components)).build()
}

fn whole() -> (Router<Doors>, OpenApi) {
    let routes = list().into_iter().fold(OpenApiRouter::<Doors>::default(), added);
    OpenApiRouter::with_openapi(preamble()).nest(PREFIX, routes).split_for_parts()
}

/// The document at `/api/v1/openapi.json`.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| serde_json::to_value(whole().1).unwrap_or_else(|_| json!({})))
}

/// The routes.
pub fn router() -> Router<Doors> {
    whole().0
}
