//! Every page of the console in one list, each with the least right it needs.

use crate::{
    caller::{Answering, Caller},
    pages::{
        activity, base, bases, candidate, candidates, ci, compare, environments, hosts, invite, login, logs, me, new_service, new_team,
        people, pipeline, rollout, run, runs, search, service, settings, setup, sign_in, start, target, team, teams, tokens, users,
        welcome,
    },
};

/// The least right a page needs. What is done there is checked again behind the seam.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// None.
    Nothing,
    /// To be signed in; a team's page also needs its role, which the seam checks.
    Person,
    /// To administer the platform.
    Admin,
}

/// A page: its path, its right, what it shows, what its forms do.
pub struct PageRoute {
    /// The path; `{name}` stands for one part of it.
    pub path: &'static str,
    /// The least right.
    pub need: Need,
    /// What it shows.
    pub page: for<'a> fn(&'a Caller) -> Answering<'a>,
    /// What its forms do.
    pub form: Option<for<'a> fn(&'a Caller) -> Answering<'a>>,
    /// The verbs its forms have in their field `do`; any other is refused before anything is looked at.
    pub verbs: &'static [&'static str],
}

macro_rules! pages {
    ($($path:literal $need:ident $page:ident $(:: $form:ident [$($verb:literal)+])?;)*) => {
        &[$(PageRoute {
            path: $path,
            need: Need::$need,
            page: |caller| Box::pin($page::page(caller)),
            form: pages!(@form $page $($form)?),
            verbs: &[$($($verb),+)?],
        }),*]
    };
    (@form $page:ident) => { None };
    (@form $page:ident $form:ident) => { Some(|caller| Box::pin($page::$form(caller))) };
}

/// The list.
pub const PAGES: &[PageRoute] = pages! {
    "/"                                                              Nothing start;
    "/setup/{token}"                                                 Nothing setup::form ["create"];
    "/login"                                                         Nothing login::form ["login"];
    "/logout"                                                        Nothing me::leave [""];
    "/sign-in/{token}"                                               Nothing sign_in::form ["sign-in"];
    "/invite/{token}"                                                Nothing invite::form ["join"];
    "/welcome"                                                       Person  welcome;
    "/me"                                                            Person  me::form ["language" "password" "everywhere"];
    "/tokens"                                                        Person  tokens::form ["create" "revoke"];
    "/activity"                                                      Person  activity;
    "/search"                                                        Person  search;
    "/teams"                                                         Person  teams;
    "/teams/new"                                                     Person  new_team::form ["create"];
    "/teams/{team}"                                                  Person  team;
    "/teams/{team}/activity"                                         Person  activity;
    "/teams/{team}/people"                                           Person  people::form ["invite" "withdraw" "role" "remove"];
    "/teams/{team}/services/new"                                     Person  new_service::form ["create"];
    "/teams/{team}/services/{service}"                               Person  service::form ["promote" "add"];
    "/teams/{team}/services/{service}/runs"                          Person  runs::form ["start"];
    "/teams/{team}/services/{service}/runs/{number}"                 Person  run::form ["cancel" "retry" "approve"];
    "/teams/{team}/services/{service}/candidates"                    Person  candidates;
    "/teams/{team}/services/{service}/candidates/{number}"           Person  candidate::form ["hold" "let-go"];
    "/teams/{team}/services/{service}/candidates/{number}/compare/{other}" Person compare;
    "/teams/{team}/services/{service}/ci"                            Person  ci::form ["mute" "guard" "unguard" "badges" "hide-badges"];
    "/teams/{team}/services/{service}/pipeline"                      Person  pipeline::form ["check"];
    "/teams/{team}/services/{service}/settings"                      Person  settings::form
        ["move" "pushes" "secret" "forget-secret" "clear-caches" "mirror" "mirror-add" "mirror-fetch" "mirror-forget" "mirror-hook" "delete"];
    "/teams/{team}/services/{service}/targets/{environment}"         Person  target::form
        ["deploy" "deploy-plan" "scale" "scale-plan" "config" "config-plan" "add-route" "remove-route"];
    "/teams/{team}/services/{service}/targets/{environment}/logs"    Person  logs;
    "/rollouts/{rollout}"                                            Person  rollout::form ["cancel" "rollback"];
    "/platform/bases"                                                Person  bases::form ["create"];
    "/platform/bases/{base}"                                         Person  base::form ["rebuild" "cancel"];
    "/platform/environments"                                         Admin   environments;
    "/platform/hosts"                                                Admin   hosts;
    "/platform/people"                                               Admin   users::form ["suspend" "restore"];
};
