//! The first run, invitations, members, tokens, suspension.

use app::model::{NewPerson, Scope};
use serde_json::{Value, json};
use server::auth::links;

use crate::support::app::{ADMIN, PASSWORD, TestApp};

fn last(link: &Value) -> &str {
    link.as_str().unwrap().rsplit('/').next().unwrap()
}

#[tokio::test]
async fn the_first_link_is_good_once() {
    let app = TestApp::new().await;
    let token = app.berth.first_link.clone().unwrap();
    let person = json!({"token": last(&json!(token)), "email": "b@example.com", "name": "B", "password": PASSWORD});
    app.anonymous().post("/actions/setup", person.clone()).await.refused(404, "link_spent");
    assert_eq!(links::first_admin(app.db(), "http://x").await.unwrap(), None, "none once there is somebody");
    let me = app.as_admin().await.get("/me").await.is(200);
    assert_eq!((&me["email"], &me["platform"]), (&json!(ADMIN), &json!("admin")));
}

#[tokio::test]
async fn who_is_wrong_learns_nothing() {
    let app = TestApp::new().await;
    let nobody = app.anonymous();
    let known = nobody.post("/actions/login", json!({"email": ADMIN, "password": "wrong password"})).await;
    let unknown = nobody.post("/actions/login", json!({"email": "who@example.com", "password": "wrong password"})).await;
    assert_eq!(known.refused(401, "wrong_credentials"), unknown.refused(401, "wrong_credentials"));
    let token =
        nobody.post("/actions/login", json!({"email": " Admin@Example.com ", "password": PASSWORD, "name": "laptop"})).await.is(201);
    assert_eq!(token["token"]["name"], "laptop");
    let client = app.bearer(token["secret"].as_str().unwrap());
    client.get("/me").await.is(200);
    client.delete(&format!("/tokens/{}", token["token"]["id"].as_str().unwrap())).await.is(204);
    client.get("/me").await.refused(401, "bad_token");
}

#[tokio::test]
async fn an_invitation_is_for_one_address_and_once() {
    let app = TestApp::new().await.with_team("a").await;
    let (owner, nobody) = (app.client("owner@a.test").await, app.anonymous());
    let invited = owner.post("/teams/a/invitations", json!({"email": "New@a.test", "role": "developer"})).await.is(201);
    assert_eq!(invited["invitation"]["email"], "new@a.test");
    assert_eq!(owner.get("/teams/a/invitations").await.is(200).as_array().unwrap().len(), 1);
    let person = |token: &str, email: &str, password: &str| json!({"token": token, "email": email, "name": "New", "password": password});
    let token = last(&invited["link"]);
    let accept = async |body| nobody.post("/actions/accept-invitation", body).await;
    accept(person(token, "other@a.test", PASSWORD)).await.refused(422, "wrong_address");
    accept(person(token, "new@a.test", "short")).await.refused(422, "weak_password");
    accept(person("guess", "new@a.test", PASSWORD)).await.refused(404, "link_spent");
    accept(person(token, "new@a.test", PASSWORD)).await.is(201);
    accept(person(token, "new@a.test", PASSWORD)).await.refused(404, "link_spent");
    assert!(owner.get("/teams/a/invitations").await.is(200).as_array().unwrap().is_empty());
    app.client("new@a.test").await.get("/teams/a").await.is(200);
    owner.post("/teams/a/invitations", json!({"email": "new@a.test", "role": "viewer"})).await.refused(409, "already_member");

    let raised = owner.post("/teams/a/invitations", json!({"email": "new@a.test", "role": "owner"})).await.is(201);
    accept(person(last(&raised["link"]), "new@a.test", "not their password")).await.refused(401, "wrong_credentials");
    accept(person(last(&raised["link"]), "new@a.test", PASSWORD)).await.is(201);
    app.client("new@a.test").await.get("/teams/a/invitations").await.is(200);

    let withdrawn = owner.post("/teams/a/invitations", json!({"email": "x@a.test", "role": "viewer"})).await.is(201);
    owner.delete(&format!("/teams/a/invitations/{}", withdrawn["invitation"]["id"].as_str().unwrap())).await.is(204);
    accept(person(last(&withdrawn["link"]), "x@a.test", PASSWORD)).await.refused(404, "link_spent");
}

#[tokio::test]
async fn a_team_keeps_an_owner() {
    let app = TestApp::new().await.with_team("a").await;
    let owner = app.client("owner@a.test").await;
    let (me, developer) = (app.user("owner@a.test").await, app.user("developer@a.test").await);
    let role = |role: &str| json!({ "role": role });
    let own = format!("/teams/a/members/{me}");
    owner.send("PUT", &own, Some(&role("viewer"))).await.refused(409, "last_owner");
    owner.delete(&own).await.refused(409, "last_owner");
    owner.send("PUT", &format!("/teams/a/members/{developer}"), Some(&role("owner"))).await.is(204);
    owner.delete(&own).await.is(204);
    owner.get("/teams/a").await.refused(404, "unknown_team");
    let viewer = app.client("viewer@a.test").await;
    viewer.delete(&format!("/teams/a/members/{developer}")).await.refused(403, "forbidden");
    viewer.delete(&format!("/teams/a/members/{}", app.user("viewer@a.test").await)).await.is(204);
    viewer.get("/teams/a").await.refused(404, "unknown_team");
}

#[tokio::test]
async fn a_token_grants_no_more_than_its_maker_holds() {
    let app = TestApp::new().await.with_team("a").await.with_team("b").await;
    let narrow = app.scoped("owner@a.test", &[Scope::Admin, Scope::Read]).await;
    narrow.post("/tokens", json!({"name": "x", "scopes": ["write"]})).await.refused(403, "missing_scope");
    narrow.post("/tokens", json!({"name": "x", "scopes": []})).await.refused(422, "no_scope");
    narrow.post("/tokens", json!({"name": "x", "scopes": ["read"], "days": 0})).await.refused(422, "invalid_days");
    narrow.post("/tokens", json!({"name": "x", "scopes": ["read"], "team": "b"})).await.refused(404, "unknown_team");
    let ends = narrow.post("/tokens", json!({"name": "x", "scopes": ["read", "admin"], "days": 1})).await.is(201);
    let ends = app.bearer(ends["secret"].as_str().unwrap());
    let outliving = ends.post("/tokens", json!({"name": "y", "scopes": ["read"]})).await.is(201);
    assert!(outliving["token"]["expires_at"].is_string(), "ends with its maker at the latest");

    let bound = app.as_admin().await.post("/tokens", json!({"name": "x", "scopes": ["read", "write", "admin"], "team": "a"})).await.is(201);
    let bound = app.bearer(bound["secret"].as_str().unwrap());
    bound.get("/teams/a").await.is(200);
    bound.get("/teams/b").await.refused(404, "unknown_team");
    bound.post("/tokens", json!({"name": "x", "scopes": ["read"]})).await.refused(403, "token_bound");
    bound.get("/tokens").await.refused(403, "token_bound");
    let seen = bound.get("/teams").await.is(200);
    assert_eq!(seen.as_array().unwrap().iter().map(|team| team["name"].clone()).collect::<Vec<_>>(), ["a"]);
    let events = bound.get("/events").await.is(200);
    assert!(events["items"].as_array().unwrap().iter().all(|event| event["team"] == "a"));
    let text = app.client("owner@a.test").await.get("/tokens").await.text;
    assert!(!text.contains("secret") && !text.contains("hash"));
}

#[tokio::test]
async fn who_is_suspended_is_out_at_once() {
    let app = TestApp::new().await.with_team("a").await;
    let (admin, developer) = (app.as_admin().await, app.client("developer@a.test").await);
    let id = app.user("developer@a.test").await;
    admin.post(&format!("/people/{id}/actions/suspend"), json!({})).await.is(204);
    developer.get("/me").await.refused(401, "bad_token");
    app.anonymous()
        .post("/actions/login", json!({"email": "developer@a.test", "password": PASSWORD}))
        .await
        .refused(401, "wrong_credentials");
    assert!(links::sign_in(app.db(), "http://x", "developer@a.test").await.is_err());
    admin.post(&format!("/people/{id}/actions/restore"), json!({})).await.is(204);
    developer.get("/me").await.is(200);
    let own = app.user(ADMIN).await;
    admin.post(&format!("/people/{own}/actions/suspend"), json!({})).await.refused(409, "suspend_self");
}

#[tokio::test]
async fn a_sign_in_link_is_good_once() {
    let app = TestApp::new().await;
    let link = links::sign_in(app.db(), "http://x", ADMIN).await.unwrap();
    let token = link.rsplit('/').next().unwrap();
    let accounts = &app.berth.backend.accounts;
    assert_eq!(accounts.sign_in_by_link(token, None).await.unwrap(), app.user(ADMIN).await);
    assert_eq!(accounts.sign_in_by_link(token, None).await.unwrap_err().code, "link_spent");
    let person = NewPerson { token: token.into(), email: "x@example.com".into(), name: "X".into(), password: PASSWORD.into() };
    assert_eq!(accounts.create_first_admin(person, None).await.unwrap_err().code, "link_spent", "each link is for its purpose");
}

#[tokio::test]
async fn no_secret_is_stored_as_it_is() {
    use server::{args, store::Query as _};
    let app = TestApp::new().await.with_team("a").await;
    let owner = app.client("owner@a.test").await;
    let token = owner.post("/tokens", json!({"name": "x", "scopes": ["read"]})).await.is(201)["secret"].as_str().unwrap().to_owned();
    let link = owner.post("/teams/a/invitations", json!({"email": "x@a.test", "role": "viewer"})).await.is(201);
    let link = last(&link["link"]).to_owned();
    for (table, columns) in [
        ("tokens", &["hash", "prefix", "name"][..]),
        ("links", &["hash"]),
        ("users", &["password_hash"]),
        ("events", &["subject", "detail"]),
    ] {
        for row in app.db().fetch_all(format!("SELECT * FROM {table}"), args![]).await.unwrap() {
            for column in columns {
                let text = row.text(column).unwrap();
                assert!(!text.contains(&token) && !text.contains(&link) && !text.contains(PASSWORD), "{table}.{column}");
            }
        }
    }
}
