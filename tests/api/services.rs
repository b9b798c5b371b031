//! Services, targets, routes, the board; on both databases.

use serde_json::{Value, json};

use crate::support::{app::TestApp, berth::until};

async fn journey(app: TestApp) {
    let owner = app.client("owner@a.test").await;
    let made = owner.post("/teams/a/services", json!({"name": "hello", "description": "Says hello."})).await.is(201);
    assert_eq!(made["clone_url"], format!("{}/git/a/hello.git", app.url()));
    owner.post("/teams/a/services", json!({"name": "hello"})).await.refused(409, "name_taken");
    owner.post("/teams/a/services", json!({"name": "new"})).await.refused(422, "invalid_name");
    owner.post("/teams/a/services", json!({"name": "x", "environments": ["nowhere"]})).await.refused(422, "unknown_environment");
    owner.post("/teams/a/services", json!({"name": "x", "description": "two\nlines"})).await.refused(422, "invalid_description");

    let target = owner.post("/teams/a/services/hello/targets", json!({"environment": "production"})).await.is(201);
    assert_eq!((&target["replicas"], &target["health"], &target["routes"][0]["default"]), (&json!(2), &json!("empty"), &json!(true)));
    owner.post("/teams/a/services/hello/targets", json!({"environment": "production"})).await.refused(409, "already_there");
    owner.post("/teams/a/services/hello/targets", json!({"environment": "nowhere"})).await.refused(404, "unknown_environment");

    let overview = owner.get("/teams/a/services/hello/overview").await.is(200);
    assert_eq!(overview["available"], json!(["staging"]));
    assert_eq!(overview["targets"][0]["environment"], "dev");
    assert_eq!(overview["targets"][0]["routes"][0]["host"], "hello-a.dev.localhost");
    owner.get("/teams/a/services/nope").await.refused(404, "unknown_service");
    owner.get("/teams/a/services/hello/targets/staging").await.refused(404, "unknown_target");

    let board = owner.get("/teams/a/targets").await.is(200);
    assert_eq!(board["environments"], json!(["dev", "staging", "production"]));
    let cells: Vec<_> = board["rows"][0]["cells"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(cells, ["dev", "production"]);

    routes(&app).await;
    deployed(&app).await;

    owner.delete("/teams/a/services/hello?confirm=hell").await.refused(422, "confirm_name");
    owner.delete("/teams/a/services/hello?confirm=hello").await.is(202);
    owner.get("/teams/a/services/hello").await.refused(404, "unknown_service");
    owner.post("/teams/a/services", json!({"name": "hello"})).await.is(201);
    let events = owner.get("/events?team=a").await.is(200);
    let actions: Vec<_> = events["items"].as_array().unwrap().iter().map(|event| event["action"].as_str().unwrap()).collect();
    for action in ["service.created", "service.environment_added", "route.added", "route.removed", "service.deleted"] {
        assert!(actions.contains(&action), "{action} in {actions:?}");
    }
}

async fn routes(app: &TestApp) {
    let owner = app.client("owner@a.test").await;
    let add = async |body: Value| owner.post("/teams/a/services/hello/targets/dev/routes", body).await;
    let route = add(json!({"host": "Shop.Example.com."})).await.is(201);
    assert_eq!((&route["host"], &route["path"], &route["default"]), (&json!("shop.example.com"), &json!("/"), &json!(false)));
    add(json!({"host": "shop.example.com"})).await.refused(409, "host_taken");
    add(json!({"host": "shop.example.com", "path": "/v2/"})).await.is(201);
    add(json!({"host": "localhost"})).await.refused(422, "reserved_host");
    add(json!({"host": "other-team.production.localhost"})).await.refused(422, "reserved_host");
    add(json!({"host": "127.0.0.1"})).await.refused(422, "invalid_host");
    add(json!({"host": "a.example.com", "path": "/../x"})).await.refused(422, "invalid_path");
    let stranger = app.client("owner@b.test").await;
    stranger.post("/teams/b/services", json!({"name": "thief"})).await.is(201);
    let taken = stranger.post("/teams/b/services/thief/targets/dev/routes", json!({"host": "shop.example.com"})).await;
    assert!(!taken.refused(409, "host_taken").contains("hello"), "whose it is stays untold");
    let id = route["id"].as_str().unwrap();
    stranger.delete(&format!("/teams/b/services/thief/routes/{id}")).await.refused(404, "unknown_route");
    owner.delete(&format!("/teams/a/services/hello/routes/{id}")).await.is(204);
    let target = owner.get("/teams/a/services/hello/targets/dev").await.is(200);
    let default = target["routes"][0]["id"].as_str().unwrap();
    owner.delete(&format!("/teams/a/services/hello/routes/{default}")).await.refused(409, "default_route");
}

async fn deployed(app: &TestApp) {
    let developer = app.client("developer@a.test").await;
    let change = developer.post("/teams/a/services/hello/targets/dev/actions/deploy", json!({"image": "hello:1"})).await.is(202);
    let rollout = change["rollout"].as_str().unwrap().to_owned();
    let end = until("the rollout ends", async || {
        let rollout = developer.get(&format!("/rollouts/{rollout}")).await.is(200);
        (!["queued", "running"].contains(&rollout["state"].as_str().unwrap())).then_some(rollout)
    });
    assert_eq!(end.await["state"], "succeeded");
    let target = developer.get("/teams/a/services/hello/targets/dev").await.is(200);
    assert_eq!(
        (&target["health"], &target["release"]["number"], &target["instances"][0]["state"]),
        (&json!("healthy"), &json!(1), &json!("serving"))
    );
}

async fn prepared(app: TestApp) -> TestApp {
    use server::args;
    use server::platform::fake::Behaviour;
    app.fake.set_image("hello:1", Behaviour::saying("hello"));
    let mut tx = app.db().begin().await.unwrap();
    tx.execute("UPDATE environments SET stabilisation_ms = 50, deadline_ms = 5000", args![]).await.unwrap();
    tx.commit().await.unwrap();
    app.with_team("a").await.with_team("b").await
}

#[tokio::test]
async fn a_service_from_its_making_to_its_end() {
    journey(prepared(TestApp::new().await).await).await;
}

#[tokio::test]
async fn a_service_from_its_making_to_its_end_on_postgres() {
    journey(prepared(TestApp::on_postgres().await).await).await;
}

#[tokio::test]
async fn names_that_would_share_an_address_are_told_apart() {
    let app = TestApp::new().await.with_team("b-c").await.with_team("c").await;
    app.client("owner@b-c.test").await.post("/teams/b-c/services", json!({"name": "a"})).await.is(201);
    let second = app.client("owner@c.test").await.post("/teams/c/services", json!({"name": "a-b"})).await;
    assert!(second.refused(409, "host_taken").contains("a-b-c.dev.localhost"));
    assert!(
        app.client("owner@c.test").await.get("/teams/c/services").await.is(200)["items"].as_array().unwrap().is_empty(),
        "nothing is left of it"
    );
}

#[tokio::test]
async fn variables_are_guarded_by_their_number() {
    let app = TestApp::new().await.with_team("a").await;
    let developer = app.client("developer@a.test").await;
    developer.post("/teams/a/services", json!({"name": "hello"})).await.is(201);
    let path = "/teams/a/services/hello/targets/dev/config";
    let before = developer.get(path).await;
    assert_eq!((before.header("etag"), &before.body["variables"]), ("\"0\"", &json!({})));
    let change = json!({"set": {"GREETING": "hi"}});
    developer.clone().with("if-match", "\"0\"").send("PATCH", path, Some(&change)).await.is(200);
    developer.clone().with("if-match", "\"0\"").send("PATCH", path, Some(&change)).await.refused(412, "changed_meanwhile");
    developer.clone().with("if-match", "garbage").send("PATCH", path, Some(&change)).await.refused(422, "invalid_if_match");
    let after = developer.get(path).await;
    assert_eq!((after.header("etag"), &after.body["variables"]["GREETING"]), ("\"1\"", &json!("hi")));
    app.client("viewer@a.test").await.get(path).await.refused(403, "forbidden");
    let row = {
        use server::{args, store::Query as _};
        let sql = "SELECT variables FROM config_sets WHERE number = 1";
        app.db().fetch_opt(sql, args![]).await.unwrap().unwrap().text("variables").unwrap()
    };
    assert!(row.starts_with("v1.") && !row.contains("GREETING"), "sealed in the store");
}
