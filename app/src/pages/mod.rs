//! The screens: one file each, with what it shows and what its forms do.
//!
//! A page is `async fn page(&Caller) -> Result<Answer>`; its forms are `async fn form(&Caller) -> Result<Answer>`, told apart
//! by their field `do`. A form that fails shows the page again: see [`submit`].

pub mod activity;
pub mod base;
pub mod bases;
mod caches;
pub mod candidate;
pub mod candidates;
pub mod ci;
pub mod compare;
pub mod environments;
pub mod errors;
pub mod hosts;
pub mod invite;
pub mod login;
pub mod logs;
pub mod me;
mod mirror;
pub mod new_service;
pub mod new_team;
pub mod people;
pub mod pipeline;
pub mod rollout;
pub mod run;
mod run_results;
pub mod runs;
pub mod search;
pub mod service;
pub mod settings;
pub mod setup;
pub mod sign_in;
pub mod start;
pub mod target;
pub mod team;
pub mod teams;
mod together;
pub mod tokens;
pub mod users;
pub mod welcome;

#[cfg(test)]
mod tests;

use crate::{
    caller::{Answer, Caller, belongs_on_form},
    components::note,
    error::Result,
    model::{PageRequest, Service, ServiceName, TeamName},
    routes::PageRoute,
};
use leptos::prelude::*;

/// Sends a form; one that fails shows its page again, with the error beside the field and everything typed kept. A verb that
/// the page does not list is refused before anything else: no form of the page could say what is the matter with it.
///
/// # Errors
/// What has no place on the form.
pub async fn submit(route: &PageRoute, caller: &mut Caller) -> Result<Answer> {
    let known = route.form.filter(|_| route.verbs.contains(&caller.verb()));
    let Some(form) = known else { return Err(crate::caller::no_such_form()) };
    let problem = match form(caller).await {
        Err(problem) if belongs_on_form(&problem) => problem,
        answer => return answer,
    };
    let status = problem.kind.status();
    let before = problem.clone();
    caller.problem = Some(problem);
    match (route.page)(caller).await {
        Ok(Answer::Screen(mut screen)) => {
            screen.status = status;
            Ok(Answer::Screen(screen))
        }
        Ok(_) => Err(before),
        // The page itself cannot be shown: what the form said is nearer to what was asked.
        Err(_) => Err(before),
    }
}

/// What was just done, as the address says after a form.
fn done(caller: &Caller) -> AnyView {
    let t = caller.lang;
    let said = match caller.query.get("done") {
        "saved" => t.done_saved(),
        "password" => t.done_password(),
        "revoked" => t.done_revoked(),
        "withdrawn" => t.done_withdrawn(),
        "removed" => t.done_removed(),
        "role" => t.done_role(),
        "moved" => t.done_moved(),
        "added" => t.done_added(),
        "cancelling" => t.done_cancelling(),
        "nothing" => t.done_nothing(),
        "config" => t.done_config(),
        "created" => t.done_created(),
        "deleted" => t.done_deleted(),
        "approved" => t.done_approved(),
        "fetching" => t.done_fetching(),
        "held" => t.done_held(),
        "let-go" => t.done_let_go(),
        _ => return ().into_any(),
    };
    note(said)
}

/// The page of a listing that the address asks for.
fn page_of(caller: &Caller) -> PageRequest {
    let cursor = caller.query.get("cursor");
    PageRequest { cursor: (!cursor.is_empty()).then(|| cursor.to_owned()), limit: None }
}

/// Only a path of the console's own: nothing leads elsewhere by an address somebody else made.
fn own_path(path: &str) -> Option<&str> {
    (path.starts_with('/') && !path.starts_with("//") && !path.contains('\\') && !path.contains(|c: char| c.is_control())).then_some(path)
}

/// The path of a service's page.
fn path_of(team: &TeamName, service: &ServiceName) -> String {
    format!("/teams/{team}/services/{service}")
}

/// The pages of a service.
fn service_tabs(caller: &Caller, service: &Service, environments: &[String], here: &str) -> AnyView {
    let t = caller.lang;
    let base = path_of(&service.team, &service.name);
    let mut all = vec![
        (t.tab_overview().to_owned(), base.clone(), here.is_empty()),
        (t.tab_runs().to_owned(), format!("{base}/runs"), here == "runs"),
        (t.candidates().to_owned(), format!("{base}/candidates"), here == "candidates"),
        (t.tab_ci().to_owned(), format!("{base}/ci"), here == "ci"),
        (t.tab_pipeline().to_owned(), format!("{base}/pipeline"), here == "pipeline"),
    ];
    for name in environments {
        all.push((name.clone(), format!("{base}/targets/{name}"), here == name));
    }
    all.push((t.tab_settings().to_owned(), format!("{base}/settings"), here == "settings"));
    crate::components::tabs(t.service_pages(), all)
}

/// What a page or a form came to: a whole document, or where to go.
pub enum Rendered {
    /// A document with its status.
    Document(u16, String),
    /// What is no screen, as it was answered.
    Other(Answer),
}

/// Answers a request for a page (`route`: the one its path fits, none where it fits no page), with the page of the error
/// where it comes to one. The error is given back too, for the log.
pub async fn render(route: Option<&'static PageRoute>, mut caller: Caller, send: bool) -> (Rendered, Option<crate::error::Error>) {
    let owner = Owner::new();
    let answer = async {
        match route {
            None => Err(crate::caller::no_such_page()),
            Some(route) if send => submit(route, &mut caller).await,
            Some(route) => (route.page)(&caller).await,
        }
    };
    // Islands are made while the page is: whatever they need of the reactive system belongs to this request alone.
    let answer = owner.with(|| leptos::reactive::computed::ScopedFuture::new(answer)).await;
    let (screen, problem) = match answer {
        Ok(Answer::Screen(screen)) => (*screen, None),
        Ok(other) => return (Rendered::Other(other), None),
        Err(error) => (owner.with(|| errors::screen(&caller, &error)), Some(error)),
    };
    let status = screen.status;
    (Rendered::Document(status, owner.with(|| crate::components::document(&caller, screen))), problem)
}

/// The page of an error that came before any page was asked for, with the status it came with.
pub fn refusal(caller: &Caller, error: &crate::error::Error, status: u16) -> String {
    Owner::new().with(|| crate::components::document(caller, errors::screen(caller, error).status(status)))
}
