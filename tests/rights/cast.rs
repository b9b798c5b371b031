//! Who asks: the kinds of people and credentials that a right is judged for.

use app::model::{Scope, TeamName, TokenId};
use serde_json::json;
use server::args;

use crate::support::app::{Client, TestApp};

/// What kind of asker one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Nobody: without a credential, or with a cookie that is no good any more.
    Nobody,
    /// A token that is no good any more.
    BadToken,
    /// Somebody: the column of the tables.
    Somebody(usize),
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
    all
}

/// Those whose credentials have ended, each in its way, and who never had one.
async fn nobodies(app: &TestApp) -> Vec<Asker> {
    let team: TeamName = "a".parse().unwrap();
    let mut all = vec![Asker { name: "anonymous", kind: Kind::Nobody, client: app.anonymous(), browser: false }];
    for (name, end) in [("revoked", "revoke"), ("expired", "expire"), ("suspended", "suspend")] {
        let email = format!("{name}@a.test");
        let user = app.join(&team, &email, app::model::Role::Owner).await;
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
