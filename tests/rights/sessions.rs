//! Sessions through the console's own forms: a new id at every sign-in, nothing after the end, nothing from another site; and
//! what is open under a session or a token ends with it.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use app::model::Role;
use serde_json::json;
use server::{config::Config, control::Control, http, platform::fake::Script, secrets::Secrets};
use tokio::{net::TcpListener, time::timeout};
use tokio_util::sync::CancellationToken;

use super::{state, world::World};
use crate::{
    git::Copy,
    support::{
        app::{Answer, Client, Events, PASSWORD, TestApp},
        berth::until,
        proof,
    },
};

const OWNER: &str = "owner@a.test";

fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

async fn sign_in(browser: &Client) -> Answer {
    let answer = browser.form("/login", &[("do", "login"), ("email", OWNER), ("password", PASSWORD)]).await;
    assert_eq!(answer.status, 303, "{}", answer.text);
    answer
}

/// Whether a cookie is somebody's.
async fn good(app: &TestApp, cookie: &str) -> bool {
    app.anonymous().with("cookie", cookie).get("/me").await.status == 200
}

#[tokio::test]
async fn a_session_is_new_and_ends_for_good() {
    let app = TestApp::new().await.with_team("a").await;
    let same = app.anonymous().with("sec-fetch-site", "same-origin");
    let mut tried = 0;
    // Fixation: an id planted before, of one's own making or of somebody else's session, is worth nothing afterwards.
    for planted in ["berth=AAAAAAAAAAAAAAAAAAAAAA", "berth=", "berth=../../x", &cookie(&sign_in(&same).await)] {
        let fresh = cookie(&sign_in(&same.clone().with("cookie", planted)).await);
        assert!(fresh != planted && good(&app, &fresh).await && !good(&app, planted).await, "{planted}");
        tried += 1;
    }
    // Replay: after signing out here, everywhere, and after a new password.
    for form in [&[][..], &[("do", "everywhere")], &[("do", "password"), ("old", PASSWORD), ("new", "another good password")]] {
        let (here, there) = (cookie(&sign_in(&same).await), cookie(&sign_in(&same).await));
        let path = if form.is_empty() { "/logout" } else { "/me" };
        let answer = same.clone().with("cookie", &here).form(path, form).await;
        assert_eq!(answer.status, 303);
        assert!(!good(&app, &here).await, "{form:?}");
        assert_eq!(good(&app, &there).await, form.is_empty(), "{form:?}: other browsers");
        let changed = form.len() == 3;
        assert_eq!(changed && good(&app, &cookie(&answer)).await, changed, "who changed the password goes on under a new id");
        tried += 1;
    }
    proof("sessions, fixation and replay", &format!("{tried} tried, 0 worked"));
}

#[tokio::test]
async fn the_cookie_is_for_this_host_alone() {
    let app = TestApp::new().await.with_team("a").await;
    let plain = sign_in(&app.anonymous().with("sec-fetch-site", "same-origin")).await.header("set-cookie").to_lowercase();
    let secure = {
        let control = app.control();
        let config = Arc::new(Config { url: "https://berth.example.com".into(), ..Config::clone(&control.config) });
        let secrets = Secrets::open(&config.key_file()).unwrap();
        let control = Control::new(config, control.db.clone(), control.wake.clone(), control.platform.clone(), secrets);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let stop = CancellationToken::new();
        let router = http::app(&control, http::ui::router(&control, stop.clone()), http::git::router(&control, stop.clone()), stop.clone());
        tokio::spawn(http::serve(listener, router, stop));
        sign_in(&app.anonymous().at(&base).with("origin", "https://berth.example.com")).await.header("set-cookie").to_lowercase()
    };
    assert!(plain.starts_with("berth=") && !plain.contains("secure"), "{plain}");
    assert!(secure.starts_with("__host-berth=") && secure.contains("; secure"), "{secure}");
    for line in [plain, secure] {
        for wanted in ["; httponly", "; samesite=lax", "; path=/", "; max-age="] {
            assert!(line.contains(wanted), "{wanted} is missing in {line}");
        }
        assert!(!line.contains("domain="), "{line}");
        let id = line.split(['=', ';']).nth(1).unwrap();
        assert!(id.len() >= 22, "128 bits: {id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn another_site_can_send_but_changes_nothing() {
    let world = World::new().await;
    let app = &world.app;
    world.settled().await;
    let cookie = cookie(&sign_in(&app.anonymous().with("sec-fetch-site", "same-origin")).await);
    let host = app.url().split_once("://").unwrap().1.to_owned();
    let origins: Vec<(&str, Option<&'static str>, String)> = vec![
        ("cross-site", Some("cross-site"), String::new()),
        ("same-site", Some("same-site"), String::new()),
        ("unknown word", Some("same-Origin"), String::new()),
        ("empty word", Some(""), String::new()),
        ("own origin said by another site", Some("cross-site"), app.url()),
        ("another origin", None, "https://evil.example".into()),
        ("another port", None, "http://127.0.0.1:1".into()),
        ("own host as a user", None, format!("http://{host}@evil.example")),
        ("own host as a beginning", None, format!("http://{host}.evil.example")),
        ("no origin it would name", None, "null".into()),
        ("a file", None, "file://".into()),
        ("neither header, but a cookie", None, String::new()),
    ];
    let json = || Some(("application/json", br#"{"name":"made"}"#.to_vec()));
    let form = |text: &str| Some(("application/x-www-form-urlencoded", text.as_bytes().to_vec()));
    let before = state::everything(app).await;
    let mut tried = 0;
    for (what, site, origin) in &origins {
        let mut client = app.anonymous().with("cookie", &cookie);
        if let Some(site) = site {
            client = client.with("sec-fetch-site", site);
        }
        if !origin.is_empty() {
            client = client.with("origin", origin);
        }
        for (method, path, body) in [
            ("POST", "/api/v1/teams", json()),
            // What a form of another site can send without asking first.
            ("POST", "/api/v1/teams", Some(("text/plain", br#"{"name":"made"}"#.to_vec()))),
            ("DELETE", "/api/v1/teams/a/services/hello", None),
            ("PUT", &format!("/api/v1/teams/a/members/{}", world.member), Some(("application/json", br#"{"role":"owner"}"#.to_vec()))),
            ("PATCH", "/api/v1/teams/a/services/hello/targets/dev/config", Some(("application/json", br#"{"set":{"A":"b"}}"#.to_vec()))),
            ("POST", "/teams/new", form("do=create&name=made")),
            ("POST", "/me", form("do=everywhere")),
            ("POST", "/logout", form("")),
            ("POST", "/login", form("do=login&email=owner%40a.test&password=x")),
        ] {
            client.ask(method, path, body).await.refused(403, "cross_origin");
            assert!(good(app, &cookie).await, "{what}: {method} {path} ended the session");
            tried += 1;
        }
    }
    let changed = state::difference(&before, &state::everything(app).await);
    assert!(changed.is_empty(), "{changed:#?}");
    let own = app.anonymous().with("cookie", &cookie).with("origin", &app.url());
    assert_eq!(own.form("/me", &[("do", "language"), ("language", "en")]).await.status, 303, "the console itself may");
    proof("sessions, other sites", &format!("{tried} forms and fetches, all refused, nothing changed"));
}

/// Reads a stream to its end; how long it took from now.
async fn ends(mut events: Events) -> Duration {
    let began = Instant::now();
    timeout(Duration::from_secs(10), async { while events.next().await.is_some() {} }).await.expect("the stream ends");
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_open_ends_with_the_right_to_it() {
    let app = TestApp::new().await.with_team("a").await;
    let (admin, team) = (app.as_admin().await, "a".parse().unwrap());
    app.client(OWNER).await.post("/teams/a/services", json!({"name": "hello"})).await.is(201);
    let mut slowest = Duration::ZERO;
    for how in ["revoked", "signed out", "everywhere", "suspended", "removed", "lowered"] {
        let email = format!("{}@a.test", how.replace(' ', "-"));
        let user = app.join(&team, &email, Role::Developer).await;
        let (token, browser) = (app.client(&email).await, app.browser(&email).await);
        // One that nothing happens to, to see that only those concerned are ended.
        let mut other = app.client("viewer@a.test").await.stream("/events/stream").await;
        let open = match how {
            "revoked" | "suspended" | "removed" | "lowered" => token.stream("/events/stream?team=a").await,
            _ => browser.listen("/live").await,
        };
        let own = token.get("/tokens").await.is(200)[0]["id"].as_str().unwrap().to_owned();
        match how {
            "revoked" => done(&token.delete(&format!("/tokens/{own}")).await),
            "signed out" => done(&browser.form("/logout", &[]).await),
            "everywhere" => done(&browser.form("/me", &[("do", "everywhere")]).await),
            "suspended" => done(&admin.post(&format!("/people/{user}/actions/suspend"), json!({})).await),
            "removed" => done(&admin.delete(&format!("/teams/a/members/{user}")).await),
            _ => done(&admin.send("PUT", &format!("/teams/a/members/{user}"), Some(&json!({"role": "viewer"}))).await),
        }
        slowest = slowest.max(ends(open).await);
        admin.post("/teams/a/services", json!({"name": how.replace(' ', "-")})).await.is(201);
        while !timeout(Duration::from_secs(10), other.next()).await.unwrap().expect("others go on").1.contains("service:") {}
    }
    slowest = slowest.max(a_push_is_let_go(&app).await);
    assert!(slowest < Duration::from_secs(5), "{slowest:?}");
    proof("streams of ended rights", &format!("7 ways to lose one, 7 streams cut, the slowest after {} ms", slowest.as_millis()));
}

fn done(answer: &Answer) {
    assert!(answer.status < 400, "{}", answer.text);
}

/// A push whose run goes on and on, shown to one whose token is revoked meanwhile.
async fn a_push_is_let_go(app: &TestApp) -> Duration {
    app.fake.set_image("shell", server::platform::fake::Behaviour::default());
    app.fake.on_task(|_| Some(Script { takes: Duration::from_secs(3_600), ..Script::default() }));
    let pusher = app.client("developer@a.test").await;
    let copy = Copy::at(&format!("http://x:{}@{}/git/a/hello.git", pusher.secret(), app.berth.console)).await;
    copy.write("berth.yaml", crate::git::FILE);
    copy.write("Dockerfile", "FROM scratch\n");
    copy.commit("First").await;
    let pushing = tokio::spawn(async move { copy.good(&["push", "berth", "main"]).await });
    until("the step runs", async || {
        let run = pusher.get("/teams/a/services/hello/runs/1").await;
        (run.body["state"] == "running").then_some(())
    })
    .await;
    let own = pusher.get("/tokens").await.is(200)[0]["id"].as_str().unwrap().to_owned();
    done(&pusher.delete(&format!("/tokens/{own}")).await);
    let began = Instant::now();
    let shown = timeout(Duration::from_secs(10), pushing).await.expect("the push ends").unwrap();
    assert!(shown.contains("You may not see this any more"), "{shown}");
    began.elapsed()
}
