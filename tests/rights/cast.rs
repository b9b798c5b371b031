//! Who asks: the kinds of people and credentials that a right is judged for.

use app::model::{NewToken, Role, Scope, TeamName, TokenId};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::json;
use server::{args, clock, store::teams};

use crate::support::app::{ADMIN, Client, PASSWORD, TestApp};

/// What kind of asker one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nobody: without a credential, or with a cookie that is no good any more.
    Nobody,
    /// A token that is no good any more.
    BadToken,
    /// Somebody: the column of the tables.
    Somebody(usize),
    /// An owner by a token that names this alone.
    Narrow(Scope),
    /// An owner of both teams by a token that is bound to the other.
    Elsewhere,
    /// An administrator by a token for Berth's own figures alone.
    Figures,
    /// An owner by a token as the password of Basic: Git's way alone.
    Basic,
}

/// One who asks.
pub(super) struct Asker {
    /// As failures name them.
    pub(super) name: &'static str,
    /// Their kind.
    pub(super) kind: Kind,
    /// Their client.
    pub(super) client: Client,
    /// Whether it is a browser.
    pub(super) browser: bool,
}

/// Everybody, over the teams `a` (theirs) and `b` (the strangers').
pub(super) async fn everybody(app: &TestApp) -> Vec<Asker> {
    let mut all = nobodies(app).await;
    let people = ["owner@b.test", "viewer@a.test", "developer@a.test", "owner@a.test"];
    for (n, (name, email)) in ["other team's owner", "viewer", "developer", "owner"].into_iter().zip(people).enumerate() {
        all.push(Asker { name, kind: Kind::Somebody(n), client: app.client(email).await, browser: false });
        all.push(Asker { name, kind: Kind::Somebody(n), client: app.browser(email).await, browser: true });
    }
    let deploy_only = app.scoped("developer@a.test", &[Scope::Deploy]).await;
    all.push(Asker { name: "deploy-only token", kind: Kind::Somebody(4), client: deploy_only, browser: false });
    all.extend(narrow(app).await);
    all.extend(moved(app).await);
    all.extend(ended(app).await);
    all.extend(made_up(app).await);
    all
}

fn by_token(name: &'static str, kind: Kind, client: Client) -> Asker {
    Asker { name, kind, client, browser: false }
}

fn by_browser(name: &'static str, kind: Kind, client: Client) -> Asker {
    Asker { name, kind, client, browser: true }
}

/// Tokens that say less than their owners may.
async fn narrow(app: &TestApp) -> Vec<Asker> {
    let mut all = Vec::new();
    for (name, scope) in [
        ("owner's read-only token", Scope::Read),
        ("owner's git-only token", Scope::Git),
        ("owner's deploy-only token", Scope::Deploy),
        ("owner's write-only token", Scope::Write),
        ("owner's admin-only token", Scope::Admin),
        ("owner's metrics-only token", Scope::Metrics),
    ] {
        all.push(by_token(name, Kind::Narrow(scope), app.scoped("owner@a.test", &[scope]).await));
    }
    all.push(by_token("administrator's metrics-only token", Kind::Figures, app.scoped(ADMIN, &[Scope::Metrics]).await));
    let both = app.join(&team(), "both@a.test", Role::Owner).await;
    let mut tx = app.db().begin().await.unwrap();
    let other = teams::id_of(&mut tx, &"b".parse().unwrap()).await.unwrap().unwrap();
    teams::put_member(&mut tx, &other, &both, Role::Owner, clock::now()).await.unwrap();
    tx.commit().await.unwrap();
    let actor = app.actor(&both).await;
    let bound = NewToken { name: "bound".into(), scopes: Scope::ALL.to_vec(), team: Some("b".parse().unwrap()), days: None };
    let bound = app.berth.backend.tokens.create(&actor, bound).await.unwrap().secret;
    all.push(by_token("token bound to the other team", Kind::Elsewhere, app.bearer(&bound)));
    all
}

/// Whose rights became fewer a moment ago, by credentials of before.
async fn moved(app: &TestApp) -> Vec<Asker> {
    let owner = app.client("owner@a.test").await;
    let mut all = Vec::new();
    for (name, email, kind) in
        [("removed a moment ago", "removed@a.test", Kind::Somebody(0)), ("lowered to a viewer", "lowered@a.test", Kind::Somebody(1))]
    {
        let user = app.join(&team(), email, Role::Owner).await;
        let (token, browser) = (app.client(email).await, app.browser(email).await);
        token.get("/teams/a").await.is(200);
        let path = format!("/teams/a/members/{user}");
        match kind {
            Kind::Somebody(0) => owner.delete(&path).await.is(204),
            _ => owner.send("PUT", &path, Some(&json!({"role": "viewer"}))).await.is(204),
        };
        all.push(by_token(name, kind, token));
        all.push(by_browser(name, kind, browser));
    }
    all
}

/// Sessions that are over, each in its way.
async fn ended(app: &TestApp) -> Vec<Asker> {
    let mut all = Vec::new();
    for (name, email) in [("signed out", "out@a.test"), ("before a new password", "new@a.test"), ("a month old", "old@a.test")] {
        let user = app.join(&team(), email, Role::Owner).await;
        let browser = app.browser(email).await;
        match name {
            "signed out" => assert_eq!(browser.form("/logout", &[]).await.status, 303),
            "before a new password" => {
                let form = [("do", "password"), ("old", PASSWORD), ("new", "another good password")];
                assert_eq!(browser.form("/me", &form).await.status, 303);
            }
            _ => {
                let mut tx = app.db().begin().await.unwrap();
                let aged = "UPDATE sessions SET data = json_set(data, '$.since', 1) WHERE data LIKE $1";
                assert_eq!(tx.execute(aged, args![format!("%{user}%")]).await.unwrap(), 1);
                tx.commit().await.unwrap();
            }
        }
        all.push(by_browser(name, Kind::Nobody, browser));
    }
    all
}

/// Credentials that never were any, or that stand where none is read.
async fn made_up(app: &TestApp) -> Vec<Asker> {
    let good = app.client("owner@a.test").await;
    let secret = good.secret().to_owned();
    let basic = |secret: &str| app.anonymous().with("authorization", &format!("Basic {}", STANDARD.encode(format!("x:{secret}"))));
    let gone = app.client("owner@a.test").await;
    gone.delete(&format!("/tokens/{}", id_of(&gone).await)).await.is(204);
    let signed_in = app.browser("owner@a.test").await;
    let planted = app.anonymous().with("sec-fetch-site", "same-origin").with("cookie", "berth=AAAAAAAAAAAAAAAAAAAAAA");
    vec![
        by_token("made-up token", Kind::BadToken, app.bearer(&format!("berth_{}", "A".repeat(43)))),
        by_token("token cut short", Kind::BadToken, app.bearer(&secret[..secret.len() - 1])),
        by_token("token in capitals", Kind::BadToken, app.bearer(&secret.to_uppercase())),
        by_token("good session, bad token", Kind::BadToken, signed_in.with("authorization", "Bearer berth_none")),
        by_browser("made-up session", Kind::Nobody, planted),
        by_token("token in Basic", Kind::Basic, basic(&secret)),
        by_token("revoked token in Basic", Kind::Nobody, basic(gone.secret())),
        by_token(
            "token where none is read",
            Kind::Nobody,
            app.anonymous().with("x-api-key", &secret).with("cookie", &format!("token={secret}")),
        ),
    ]
}

fn team() -> TeamName {
    "a".parse().unwrap()
}

/// The id of a client's own token.
async fn id_of(client: &Client) -> String {
    let tokens = client.get("/tokens").await.is(200);
    let is_own = |prefix: &str| client.secret().starts_with(prefix);
    let own = tokens.as_array().unwrap().iter().find(|token| is_own(token["prefix"].as_str().unwrap())).unwrap();
    own["id"].as_str().unwrap().to_owned()
}

/// Those whose credentials have ended, each in its way, and who never had one.
async fn nobodies(app: &TestApp) -> Vec<Asker> {
    let team = team();
    let mut all = vec![Asker { name: "anonymous", kind: Kind::Nobody, client: app.anonymous(), browser: false }];
    for (name, end) in [("revoked", "revoke"), ("expired", "expire"), ("suspended", "suspend")] {
        let email = format!("{name}@a.test");
        let user = app.join(&team, &email, Role::Owner).await;
        let (token, browser) = (app.client(&email).await, app.browser(&email).await);
        match end {
            "revoke" => {
                let own = token.get("/tokens").await.is(200)[0]["id"].as_str().unwrap().to_owned();
                let actor = app.actor(&user).await;
                app.berth.backend.tokens.revoke(&actor, &TokenId::from_text(own)).await.unwrap();
                browser.clone().form("/me", &[("do", "everywhere")]).await.is(303);
            }
            "expire" => {
                let mut tx = app.db().begin().await.unwrap();
                tx.execute("UPDATE tokens SET expires_at = 1 WHERE user_id = $1", args![&user]).await.unwrap();
                // The newest one is this browser's: ids of sessions are hashes and say nothing.
                let newest = "UPDATE sessions SET expires_at = 1 WHERE data LIKE $1";
                tx.execute(newest, args![format!("%{user}%")]).await.unwrap();
                tx.commit().await.unwrap();
            }
            _ => {
                app.as_admin().await.post(&format!("/people/{user}/actions/suspend"), json!({})).await.is(204);
            }
        }
        all.push(Asker { name, kind: Kind::BadToken, client: token, browser: false });
        all.push(Asker { name, kind: Kind::Nobody, client: browser, browser: true });
    }
    all
}
