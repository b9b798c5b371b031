//! Sessions in a browser's cookie: a new id at sign-in, no replay after the end, none from another site.

use axum::{
    Router,
    extract::State,
    routing::{get, post},
};
use server::{
    args,
    control::Control,
    http::{
        extract::Asker,
        session::{self, cookie_name},
    },
    store::Query as _,
};
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tower_sessions::Session;

use crate::support::app::{ADMIN, Answer, Client, PASSWORD, TestApp};

/// The smallest console: signs in, says who is there, signs out.
fn console(control: &Arc<Control>) -> Router {
    async fn sign_in(State(control): State<Arc<Control>>, session: Session) -> &'static str {
        let backend = control.backend();
        let user = backend.accounts.sign_in(ADMIN, PASSWORD, None).await.unwrap();
        session::sign_in(&session, &backend, &user).await.unwrap();
        "welcome"
    }
    async fn sign_out(session: Session) -> &'static str {
        session::sign_out(&session).await.unwrap();
        "bye"
    }
    async fn who(Asker(actor): Asker) -> String {
        actor.name.clone()
    }
    Router::new()
        .route("/test/sign-in", post(sign_in))
        .route("/test/sign-out", post(sign_out))
        .route("/test/who", get(who))
        .with_state(Arc::clone(control))
}

/// Serves it beside the app's own server, on the same data.
async fn browser(app: &TestApp) -> Client {
    let control = app.control();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = format!("http://{}", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let router = server::http::app(&control, console(&control), Router::new(), stop.clone());
    tokio::spawn(server::http::serve(listener, router, stop));
    app.anonymous().at(&base).with("sec-fetch-site", "same-origin")
}

fn cookie(answer: &Answer) -> String {
    answer.header("set-cookie").split(';').next().unwrap().to_owned()
}

async fn send(browser: &Client, method: &str, path: &str, cookie: &str) -> Answer {
    browser.clone().with("cookie", cookie).send(method, path, None).await
}

#[tokio::test]
async fn from_sign_in_to_sign_out() {
    let app = TestApp::new().await;
    let browser = browser(&app).await;
    let welcome = browser.send("POST", "/test/sign-in", None).await;
    let line = welcome.header("set-cookie").to_lowercase();
    assert!(line.starts_with("berth=") && line.contains("httponly") && line.contains("samesite=lax") && line.contains("path=/"), "{line}");
    assert!(!line.contains("secure"), "not over plain http on loopback");
    let cookie = cookie(&welcome);
    assert_eq!(send(&browser, "GET", "/test/who", &cookie).await.text, "Admin");
    assert_eq!(send(&browser, "GET", "/me", &cookie).await.is(200)["email"], ADMIN);
    let bye = send(&browser, "POST", "/test/sign-out", &cookie).await;
    assert!(bye.header("set-cookie").to_lowercase().contains("max-age=0"));
    send(&browser, "GET", "/test/who", &cookie).await.refused(401, "not_signed_in");
}

#[tokio::test]
async fn a_planted_id_is_worth_nothing() {
    let app = TestApp::new().await;
    let browser = browser(&app).await;
    let planted = "berth=AAAAAAAAAAAAAAAAAAAAAA";
    let fresh = cookie(&send(&browser, "POST", "/test/sign-in", planted).await);
    assert_ne!(fresh, planted);
    send(&browser, "GET", "/test/who", planted).await.refused(401, "not_signed_in");
    let again = cookie(&send(&browser, "POST", "/test/sign-in", &fresh).await);
    assert_ne!(again, fresh, "a new id at every sign-in");
    send(&browser, "GET", "/test/who", &fresh).await.refused(401, "not_signed_in");
    assert_eq!(send(&browser, "GET", "/test/who", &again).await.text, "Admin");
}

#[tokio::test]
async fn another_site_cannot_use_it() {
    let app = TestApp::new().await;
    let browser = browser(&app).await;
    let cookie = cookie(&browser.send("POST", "/test/sign-in", None).await);
    let bare = browser.clone();
    for site in ["cross-site", "same-site"] {
        let answer =
            bare.clone().with("sec-fetch-site", site).with("cookie", &cookie).send("POST", "/me/actions/sign-out-everywhere", None).await;
        answer.refused(403, "cross_origin");
    }
    assert_eq!(send(&browser, "GET", "/test/who", &cookie).await.text, "Admin");
}

#[tokio::test]
async fn sign_out_everywhere_and_time_end_it() {
    let app = TestApp::new().await;
    let browser = browser(&app).await;
    let first = cookie(&browser.send("POST", "/test/sign-in", None).await);
    let second = cookie(&browser.send("POST", "/test/sign-in", None).await);
    send(&browser, "POST", "/me/actions/sign-out-everywhere", &first).await.is(204);
    for cookie in [&first, &second] {
        send(&browser, "GET", "/test/who", cookie).await.refused(401, "not_signed_in");
    }
    let third = cookie(&browser.send("POST", "/test/sign-in", None).await);
    let rows = app.db().fetch_all("SELECT * FROM sessions", args![]).await.unwrap();
    assert_eq!(rows.len(), 1, "ended sessions leave nothing");
    assert!(!third.contains(&rows[0].text("id").unwrap()), "the id is stored as a hash");
    let mut tx = app.db().begin().await.unwrap();
    tx.execute("UPDATE sessions SET expires_at = 1", args![]).await.unwrap();
    tx.commit().await.unwrap();
    send(&browser, "GET", "/test/who", &third).await.refused(401, "not_signed_in");
}

#[test]
fn the_cookie_is_bound_to_its_host_where_there_is_tls() {
    assert_eq!((cookie_name(true), cookie_name(false)), ("__Host-berth", "berth"));
}
