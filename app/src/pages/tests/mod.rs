//! Every screen is rendered against a Berth that always says the same. With `BERTH_RENDER=folder` the documents are written
//! there to be looked at.

mod fake;

use fake::{Fake, backend, me};
use futures::executor::block_on;
use leptos::prelude::Owner;

use super::{errors, submit};
use crate::{
    caller::{Answer, Assets, Caller, Fields, Screen},
    components::document,
    error::Error,
    locales::Lang,
    model::{Actor, Credential, PlatformRole, UserId},
    routes::{Need, PAGES, PageRoute},
};

fn caller(fake: &Fake, lang: Lang, path: &str, signed_in: bool) -> Caller {
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let fields = |text: &str| {
        let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
        Fields(pairs.map(|(name, value)| (name.to_owned(), value.replace('+', " "))).collect())
    };
    let actor = Actor {
        user: Some(UserId::from_text("u1")),
        name: "Ana".into(),
        platform: PlatformRole::Admin,
        roles: Vec::new(),
        credential: Credential::Session,
        request: "019ab".into(),
        peer: None,
    };
    Caller {
        backend: backend(fake),
        actor: signed_in.then_some(actor),
        me: signed_in.then(|| me(Some(lang.code()))),
        lang,
        path: path.to_owned(),
        params: Fields::default(),
        query: fields(query),
        form: Fields::default(),
        problem: None,
        request: "019abcde-0000-7000-8000-000000000000".into(),
        peer: None,
        url: "http://localhost:8080".into(),
        assets: Assets {
            css: "main.css".into(),
            boot: "boot.js".into(),
            icon: "favicon.svg".into(),
            bundle: Some(("/pkg/berth.js".into(), "/pkg/berth_bg.wasm".into())),
        },
    }
}

/// The route of a path, with its parts filled in.
fn route(caller: &mut Caller) -> &'static PageRoute {
    let parts: Vec<String> = caller.path.split('/').map(str::to_owned).collect();
    let fits = |route: &&PageRoute| {
        let pattern: Vec<&str> = route.path.split('/').collect();
        pattern.len() == parts.len() && pattern.iter().zip(&parts).all(|(wanted, part)| wanted.starts_with('{') || wanted == part)
    };
    // A fixed part weighs more than a named one.
    let found = PAGES.iter().filter(fits).min_by_key(|route| route.path.matches('{').count()).unwrap();
    for (wanted, part) in found.path.split('/').zip(&parts) {
        if let Some(name) = wanted.strip_prefix('{') {
            caller.params.0.push((name.trim_end_matches('}').to_owned(), part.clone()));
        }
    }
    found
}

fn screen(answer: Answer) -> Screen {
    match answer {
        Answer::Screen(screen) => *screen,
        Answer::Go(to) | Answer::SignedIn(_, to) | Answer::SignedOut(to) => panic!("leads to {to}"),
    }
}

fn show(fake: &Fake, lang: Lang, path: &str, signed_in: bool) -> String {
    Owner::new().with(|| {
        let mut caller = caller(fake, lang, path, signed_in);
        let route = route(&mut caller);
        let screen = match block_on((route.page)(&caller)) {
            Ok(answer) => screen(answer),
            Err(error) => errors::screen(&caller, &error),
        };
        document(&caller, screen)
    })
}

fn send(lang: Lang, path: &str, signed_in: bool, form: &[(&str, &str)]) -> crate::error::Result<Answer> {
    Owner::new().with(|| {
        let mut caller = caller(&Fake::default(), lang, path, signed_in);
        caller.form = Fields(form.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect());
        let route = route(&mut caller);
        block_on(submit(route, &mut caller))
    })
}

/// Every screen: its name, its path, whether one is signed in, what Berth it asks.
fn screens() -> Vec<(&'static str, &'static str, bool, Fake)> {
    let full = Fake::default;
    let empty = || Fake { empty: true, ..Fake::default() };
    let first = || Fake { first_run: true, ..Fake::default() };
    vec![
        ("first-run", "/", false, first()),
        ("setup", "/setup/abc", false, first()),
        ("login", "/login", false, full()),
        ("sign-in", "/sign-in/abc", false, full()),
        ("invite", "/invite/abc", false, full()),
        ("welcome", "/welcome", true, empty()),
        ("home", "/teams/shop", true, full()),
        ("home-empty", "/teams/shop", true, empty()),
        ("new-service", "/teams/shop/services/new", true, full()),
        ("service", "/teams/shop/services/orders", true, full()),
        ("service-empty", "/teams/shop/services/orders", true, empty()),
        ("runs", "/teams/shop/services/orders/runs", true, full()),
        ("runs-none", "/teams/shop/services/orders/runs?state=lost&branch=main", true, full()),
        ("run", "/teams/shop/services/catalog/runs/56", true, full()),
        ("candidates", "/teams/shop/services/orders/candidates", true, full()),
        ("candidates-empty", "/teams/shop/services/orders/candidates", true, empty()),
        ("candidate", "/teams/shop/services/orders/candidates/41", true, full()),
        ("compare", "/teams/shop/services/orders/candidates/40/compare/41", true, full()),
        ("ci", "/teams/shop/services/orders/ci", true, full()),
        ("ci-empty", "/teams/shop/services/orders/ci", true, empty()),
        ("pipeline", "/teams/shop/services/orders/pipeline", true, full()),
        ("pipeline-empty", "/teams/shop/services/orders/pipeline", true, empty()),
        ("settings", "/teams/shop/services/orders/settings", true, full()),
        ("target", "/teams/shop/services/orders/targets/staging", true, full()),
        ("logs", "/teams/shop/services/orders/targets/staging/logs", true, full()),
        ("rollout", "/rollouts/r-done", true, full()),
        ("rollout-moving", "/rollouts/r-moving", true, full()),
        ("rollout-failed", "/rollouts/r-failed", true, full()),
        ("activity", "/teams/shop/activity", true, full()),
        ("activity-all", "/activity", true, full()),
        ("search", "/search?q=ord&from=/teams/shop/services/orders/targets/staging", true, full()),
        ("search-nothing", "/search?q=nothing", true, full()),
        ("run-found", "/teams/shop/services/catalog/runs/56?find=FAILED", true, full()),
        ("tokens", "/tokens", true, full()),
        ("people", "/teams/shop/people", true, full()),
        ("teams", "/teams", true, full()),
        ("new-team", "/teams/new", true, full()),
        ("me", "/me?done=password", true, full()),
        ("bases", "/platform/bases", true, full()),
        ("bases-empty", "/platform/bases", true, empty()),
        ("base", "/platform/bases/debian?version=3", true, full()),
        ("base-of-files", "/platform/bases/debian", true, empty()),
        ("environments", "/platform/environments", true, full()),
        ("hosts", "/platform/hosts", true, full()),
        ("users", "/platform/people", true, full()),
        ("not-found", "/teams/shop/services/nothing", true, full()),
    ]
}

#[test]
fn every_screen_is_whole_in_both_languages() {
    let folder = std::env::var_os("BERTH_RENDER").map(std::path::PathBuf::from);
    for (name, path, signed_in, fake) in screens() {
        for lang in Lang::ALL {
            let html = show(&fake, lang, path, signed_in);
            assert!(html.starts_with("<!DOCTYPE html><html lang="), "{name}");
            assert_eq!(html.matches("<h1>").count(), 1, "{name} has one first heading");
            assert_eq!(html.matches("<main id=\"main\">").count(), 1, "{name}");
            for never in [" style=", "<script>", "javascript:", " onclick"] {
                assert!(!html.contains(never), "{name} holds {never}");
            }
            if let Some(folder) = &folder {
                std::fs::write(folder.join(format!("{name}-{}.html", lang.code())), html).unwrap();
            }
        }
    }
}

#[test]
fn every_page_is_shown_by_some_screen() {
    let mut shown: Vec<&str> =
        screens().into_iter().map(|(_, path, signed_in, fake)| route(&mut caller(&fake, Lang::En, path, signed_in)).path).collect();
    shown.push("/logout");
    for page in PAGES {
        assert!(shown.contains(&page.path), "{} is not among the screens", page.path);
    }
}

#[test]
fn pages_that_need_nobody_are_few_and_known() {
    let open: Vec<_> = PAGES.iter().filter(|page| page.need == Need::Nothing).map(|page| page.path).collect();
    assert_eq!(open, ["/", "/setup/{token}", "/login", "/logout", "/sign-in/{token}", "/invite/{token}"]);
}

#[test]
fn what_comes_from_programs_is_text() {
    let run = show(&Fake::default(), Lang::En, "/teams/shop/services/catalog/runs/56", true);
    assert!(run.contains("&lt;script&gt;alert(1)"), "the log is text");
    assert!(run.contains("class=\"a-bold a-red\""), "colours are classes");
    let target = show(&Fake::default(), Lang::En, "/teams/shop/services/orders/targets/staging", true);
    assert!(target.contains("Good &lt;morning&gt;"));
}

#[test]
fn a_form_that_fails_keeps_what_was_typed() {
    let form = [("do", "create"), ("name", "Bora"), ("email", "b@example.org"), ("password", "short")];
    let answer = send(Lang::Ko, "/setup/abc", false, &form);
    // The first administrator is there already, so the page itself says so: the form's own error is nearer.
    assert_eq!(answer.err().map(|error| error.code), Some("weak_password"));

    let form = [("do", "create"), ("name", "shop")];
    let screen = screen(send(Lang::Ko, "/teams/new", true, &form).unwrap());
    assert_eq!(screen.status, 409);
    let html = Owner::new().with(|| document(&caller(&Fake::default(), Lang::Ko, "/teams/new", true), screen));
    assert!(html.contains("value=\"shop\""), "what was typed is kept");
    assert!(html.contains("aria-invalid=\"true\""), "the field is marked");
    assert!(html.contains("이미 쓰고 있는 이름이에요"), "in the language of the person");
}

#[test]
fn a_run_is_asked_for_with_a_field_for_each_input() {
    let path = "/teams/shop/services/orders/runs";
    let html = show(&Fake::default(), Lang::Ko, path, true);
    for part in
        ["name=\"inputs.PLACE\"", "name=\"inputs.NOTE\"", "&lt;eu&gt;", "What NOTE &lt;is&gt;.", "0 3 * * *(Asia/Seoul, 예약)", "v*"]
    {
        assert!(html.contains(part), "{part}: {html}");
    }
    let form = [("do", "start"), ("branch", "nowhere"), ("inputs.PLACE", "us"), ("inputs.NOTE", "a \"note\"")];
    let screen = screen(send(Lang::En, path, true, &form).unwrap());
    assert_eq!(screen.status, 422);
    let html = Owner::new().with(|| document(&caller(&Fake::default(), Lang::En, path, true), screen));
    assert!(html.contains("value=\"a &quot;note&quot;\"") && html.contains("value=\"nowhere\""), "what was typed is kept: {html}");
    let us = html.split("<option").find(|option| option.contains(">us<")).unwrap();
    assert!(us.contains("selected"), "and what was chosen: {us}");
    let run = show(&Fake::default(), Lang::En, "/teams/shop/services/catalog/runs/56", true);
    assert!(
        run.contains("asked for by Ana") && run.contains("A person") && run.contains("<code>PLACE</code>") && run.contains("&lt;eu&gt;"),
        "{run}"
    );
}

#[test]
fn a_question_that_fails_stays_open() {
    let form = [("do", "delete"), ("confirm", "wrong")];
    let screen = screen(send(Lang::En, "/teams/shop/services/orders/settings", true, &form).unwrap());
    assert_eq!(screen.status, 422);
    let html = Owner::new().with(|| document(&caller(&Fake::default(), Lang::En, "/", true), screen));
    assert!(html.contains("<details open class=\"confirm\">") || html.contains("<details class=\"confirm\" open"));
    assert!(html.contains("value=\"wrong\""));
}

#[test]
fn a_preview_shows_the_plan_and_changes_nothing() {
    let path = "/teams/shop/services/orders/targets/staging";
    let screen = screen(send(Lang::En, path, true, &[("do", "deploy-plan"), ("source", "candidate:41")]).unwrap());
    let html = Owner::new().with(|| document(&caller(&Fake::default(), Lang::En, path, true), screen));
    assert!(html.contains("Start 2 instances of release 32 beside release 31."));
    match send(Lang::En, path, true, &[("do", "deploy"), ("source", "candidate:41")]).unwrap() {
        Answer::Go(to) => assert_eq!(to, "/rollouts/r-moving"),
        _ => panic!("a deploy leads to its rollout"),
    }
}

#[test]
fn a_search_finds_things_pages_and_actions() {
    let show = |path| show(&Fake::default(), Lang::Ko, path, true);
    let html = show("/search?q=ord");
    assert!(html.contains("takes orders &lt;b&gt;"), "what people wrote is text");
    // English words find Korean pages, and what belongs to the page one comes from is there.
    let html = show("/search?q=scale&from=/teams/shop/services/orders/targets/staging");
    assert!(html.contains("/targets/staging#scale"), "{html}");
    assert!(!show("/search?q=scale").contains("#scale"));
    assert!(show("/search?q=토큰").contains("href=\"/tokens\""));
    assert!(show("/search?q=scale&from=//evil.example/teams/a").contains("hits"), "an address of another site is nobody's page");
}

#[test]
fn what_is_looked_for_in_a_log_is_marked() {
    let found = show(&Fake::default(), Lang::En, "/teams/shop/services/catalog/runs/56?find=failed", true);
    assert!(found.contains("<mark>FAILED</mark>"), "{found}");
    let nothing = show(&Fake::default(), Lang::En, "/teams/shop/services/catalog/runs/56?find=%3Cnothing%3E", true);
    assert!(nothing.contains("No line holds"));
}

#[test]
fn stored_sentences_are_said_in_the_language_of_the_reader() {
    let rollout = show(&Fake::default(), Lang::Ko, "/rollouts/r-moving", true);
    assert!(!rollout.contains("Start 2 instances"), "the plan is Korean");
    assert!(show(&Fake::default(), Lang::En, "/rollouts/r-moving", true).contains("Start 2 instances"));
}

#[test]
fn what_a_run_never_came_to_was_skipped_by_nobody() {
    let html = show(&Fake::default(), Lang::En, "/teams/shop/services/orders/runs/57", true);
    assert!(html.contains("<b>image</b><div class=\"small soft\"><span class=\"st idle\">Not reached</span>"), "{html}");
    assert!(html.contains("<title>Run 57 · orders · shop · Berth</title>"), "{html}");
}

#[test]
fn the_only_owner_of_a_team_is_told_why_nothing_can_be_changed() {
    let html = show(&Fake::default(), Lang::En, "/teams/shop/people", true);
    assert!(html.contains("A team needs an owner"), "{html}");
    assert_eq!(html.matches("value=\"role\"").count(), 2, "the others have their form: {html}");
}

#[test]
fn a_secret_is_shown_once_in_the_answer() {
    let form = [("do", "create"), ("name", "laptop"), ("scopes", "git"), ("days", "90")];
    let screen = screen(send(Lang::En, "/tokens", true, &form).unwrap());
    let html = Owner::new().with(|| document(&caller(&Fake::default(), Lang::En, "/tokens", true), screen));
    assert!(html.contains("brth_4h7sXk2mQ9"));
    let form = [("do", "create"), ("name", "laptop")];
    let Answer::Screen(screen) = send(Lang::En, "/tokens", true, &form).unwrap() else { panic!("the form again") };
    assert_eq!(screen.status, 422);
}

#[test]
fn a_draft_that_does_not_read_says_where_and_keeps_everything() {
    let path = "/teams/shop/services/orders/pipeline";
    let sent = |text: &str| {
        let screen = screen(send(Lang::En, path, true, &[("do", "check"), ("text", text)]).unwrap());
        (screen.status, Owner::new().with(|| document(&caller(&Fake::default(), Lang::En, path, true), screen)))
    };
    let (status, html) = sent("version: 1\r\nservces: {} # </textarea><script>\r\n");
    assert_eq!(status, 200);
    assert!(html.contains("line 2, column 1") && html.contains("data-line=\"2\""), "{html}");
    assert!(html.contains("version: 1\nservces: {} # &lt;/textarea>&lt;script>"), "what was typed is kept, as text: {html}");
    let (_, html) = sent("version: 1\nservices: {}\n");
    assert!(html.contains("It reads well.") && html.contains("berth service create billing --repository shop"), "{html}");
    let (status, html) = sent(&"x".repeat(1_200));
    assert_eq!(status, 422);
    assert!(html.contains("at most 256 KiB") && html.contains("xxxx"), "{html}");
}

#[test]
fn the_template_of_a_pipeline_is_named_after_its_service() {
    let html = show(&Fake { empty: true, ..Fake::default() }, Lang::En, "/teams/shop/services/orders/pipeline", true);
    assert!(html.contains("  orders:\n") && html.contains("a beginning"), "{html}");
}

#[test]
fn runs_that_nothing_fits_say_which_filter_to_drop() {
    let html = show(&Fake::default(), Lang::En, "/teams/shop/services/orders/runs?state=lost&branch=main", true);
    assert!(html.contains("No run fits all of this.") && html.contains("Drop “Lost”"), "{html}");
    assert!(!html.contains("Drop “main”"), "without the branch nothing fits either");
    assert!(html.contains("berth runs list shop/orders --state lost --branch main"));
}

#[test]
fn the_branch_whose_inputs_are_asked_for_narrows_no_list() {
    let html = show(&Fake::default(), Lang::En, "/teams/shop/services/orders/runs?do=start&branch=topic", true);
    assert!(html.contains("berth runs list shop/orders<"), "the list is whole");
    assert!(html.contains(r#"id="start-branch""#) && html.contains(r#"value="topic""#), "the form keeps its branch");
    assert!(!html.contains(r#"id="f-branch" name="branch" value="topic""#), "the filter does not take it");
    let html = show(&Fake::default(), Lang::En, "/teams/shop/services/orders/runs?branch=topic", true);
    assert!(html.contains("berth runs list shop/orders --branch topic"));
    assert_eq!(html.matches(r#"value="topic""#).count(), 1, "only the filter has the branch it narrows by");
}

#[test]
fn every_error_has_a_page() {
    for error in [
        Error::not_found("not_found", "x"),
        Error::forbidden("forbidden", "x"),
        Error::internal("x"),
        Error::unavailable("engine_gone", "x"),
    ] {
        for signed_in in [true, false] {
            let html = Owner::new().with(|| {
                let caller = caller(&Fake::default(), Lang::En, "/x", signed_in);
                let screen = errors::screen(&caller, &error);
                assert_eq!(screen.status, error.kind.status());
                document(&caller, screen)
            });
            assert!(html.contains("019abcde"), "the request's id is there");
        }
    }
}
