//! Ids of another team among one's own: whoever may all in their team asks every route that takes several with those of the
//! second team in every set of their places. Each answer is that there is no such thing, in the words for what nobody has, and
//! nothing changed.

use std::collections::BTreeMap;

use app::routes::PAGES;
use server::args;

use super::{
    canary::{MARK, Marked, NOBODY, marked},
    doors,
    rest::{Gets, rows},
    state,
    world::{STEP, World},
};
use crate::support::{
    app::{Answer, Client, TestApp},
    proof,
};

/// What the second team alone has under this number: a run, a candidate, a release, a set of variables.
const NUMBER: &str = "74011";
/// What nobody has.
const NO_NUMBER: &str = "79993";
const NO_ID: &str = "0192aaaa-0000-7000-8000-000000000000";

/// One thing to ask, with names for the ids in it.
struct Asked {
    method: String,
    path: String,
    body: Option<(&'static str, Body)>,
}

/// What goes with it.
enum Body {
    Json(String),
    Form(&'static str, Vec<(String, String)>),
}

/// Ids by the places they stand in.
type Ids = BTreeMap<&'static str, String>;

/// Numbers and ids of the second team that the first has not: `marked` leaves what both have under the same.
async fn apart(app: &TestApp) {
    let of = format!("(SELECT id FROM services WHERE name = '{MARK}')");
    let mut tx = app.db().begin().await.unwrap();
    let statements = [
        format!("UPDATE runs SET number = {NUMBER} WHERE number = 2 AND service_id = {of}"),
        // The newest of each target.
        format!(
            "UPDATE rollouts SET release_number = {NUMBER} WHERE release_id IN
               (SELECT r.id FROM targets t JOIN releases r ON r.target_id = t.id AND r.number = t.next_release - 1 WHERE t.service_id = {of})"
        ),
        format!(
            "UPDATE releases SET number = {NUMBER} WHERE id IN
               (SELECT r.id FROM targets t JOIN releases r ON r.target_id = t.id AND r.number = t.next_release - 1 WHERE t.service_id = {of})"
        ),
        format!("UPDATE config_sets SET number = {NUMBER} WHERE id IN (SELECT config_set_id FROM targets WHERE service_id = {of})"),
        format!(
            "INSERT INTO candidates (id, team_id, service_id, number, image, size, commit_id, title, branch, run_id, run_number, shape,
               created_at, made)
             SELECT '{MARK}candidate', r.team_id, r.service_id, {NUMBER}, 'sha256:1', 1, r.commit_id, r.title, r.branch, r.id, r.number,
               '{{\"processes\":{{}}}}', 0, '{{}}' FROM runs r WHERE r.number = {NUMBER}"
        ),
        format!(
            "INSERT INTO flaky_tests (service_id, id, team_id, suite, name, times, last_run, last_at)
             SELECT id, '{MARK}flaky', team_id, '{MARK}', '{MARK}', 1, 1, 0 FROM services WHERE name = '{MARK}'"
        ),
        format!(
            "INSERT INTO artifacts (id, team_id, service_id, run_id, run_number, step_id, step, path, size, sha256, created_at)
             SELECT '{MARK}kept', r.team_id, r.service_id, r.id, r.number, t.id, 'fast/unit', '{MARK}', 5, '', 0
               FROM runs r JOIN steps t ON t.run_id = r.id WHERE r.service_id = {of} LIMIT 1"
        ),
    ];
    for sql in statements {
        assert!(tx.execute(sql.as_str(), args![]).await.unwrap() > 0, "{sql}");
    }
    tx.commit().await.unwrap();
}

fn own(world: &World, token: &str) -> Ids {
    let ids = [
        ("team", "a"),
        ("service", "hello"),
        ("repository", "hello"),
        ("number", "1"),
        ("other", "1"),
        ("user", world.member.as_str()),
        ("rollout", world.rollout.as_str()),
        ("step", STEP),
        ("route", world.route.as_str()),
        ("invitation", world.invitation.as_str()),
        ("flaky", "flaky"),
        ("artifact", "kept"),
        ("token", token),
    ];
    ids.map(|(place, id)| (place, id.to_owned())).into()
}

fn theirs(marked: &Marked, token: &str) -> Ids {
    let (flaky, artifact) = (format!("{MARK}flaky"), format!("{MARK}kept"));
    let mut ids: Ids = [
        ("team", MARK),
        ("service", MARK),
        ("repository", MARK),
        ("number", NUMBER),
        ("other", NUMBER),
        ("flaky", flaky.as_str()),
        ("artifact", artifact.as_str()),
        ("token", token),
    ]
    .map(|(place, id)| (place, id.to_owned()))
    .into();
    ids.extend(marked.ids.iter().cloned());
    ids
}

/// In the places of the second team's what nobody has.
fn nobodys(theirs: &Ids) -> Ids {
    let none = |place: &str| match place {
        "team" | "service" | "repository" => NOBODY,
        "number" | "other" => NO_NUMBER,
        _ => NO_ID,
    };
    theirs.keys().map(|place| (*place, none(place).to_owned())).collect()
}

/// A path of the router's list with a name of its own for each kind of id.
fn told_apart(path: &str) -> String {
    let kinds = [
        ("/rollouts/{id}", "rollout"),
        ("/steps/{id}", "step"),
        ("/routes/{id}", "route"),
        ("/invitations/{id}", "invitation"),
        ("/flaky-tests/{id}", "flaky"),
        ("/artifacts/{id}", "artifact"),
        ("/tokens/{id}", "token"),
        ("/people/{id}", "user"),
    ];
    let named = kinds.iter().fold(path.to_owned(), |path, (part, kind)| path.replace(part, &part.replace("{id}", &format!("{{{kind}}}"))));
    let named = named.replace("{environment}", "dev").replace("{name}", "A_SECRET");
    if named.ends_with("/matches") { format!("{named}?text=a") } else { named }
}

/// Every route of REST that takes an id and that an owner may, and what names further things in its body or query.
fn rest() -> Vec<Asked> {
    let rows = rows().into_iter().filter(|row| row.path.contains('{') && row.expected[3] != Gets::No);
    let mut all: Vec<Asked> = rows
        .filter(|row| !row.path.starts_with("/environments"))
        .map(|row| Asked {
            method: row.method.to_uppercase(),
            path: format!("/api/v1{}", told_apart(row.path)),
            body: (!row.body.is_null()).then(|| ("application/json", Body::Json(row.body.to_string()))),
        })
        .collect();
    let target = "/api/v1/teams/{team}/services/{service}/targets/dev";
    let more = [
        ("POST", "/api/v1/tokens".to_owned(), r#"{"name":"x","scopes":["read"],"team":"{team}"}"#),
        ("POST", format!("{target}/actions/deploy"), r#"{"candidate":{number}}"#),
        ("POST", format!("{target}/actions/deploy?dry_run=true"), r#"{"candidate":{number}}"#),
        ("POST", format!("{target}/actions/deploy"), r#"{"release":{number}}"#),
        ("POST", "/api/v1/teams/{team}/services/{service}/actions/move".to_owned(), r#"{"repository":"{repository}"}"#),
        ("GET", format!("{target}/config?set={{number}}"), ""),
        ("GET", "/api/v1/events?team={team}".to_owned(), ""),
        ("GET", "/api/v1/events/stream?team={team}".to_owned(), ""),
    ];
    all.extend(more.into_iter().map(|(method, path, body)| Asked {
        method: method.to_owned(),
        path,
        body: (!body.is_empty()).then(|| ("application/json", Body::Json(body.to_owned()))),
    }));
    all
}

/// Every page that takes an id, and every form of one.
fn pages() -> Vec<Asked> {
    let page = |path: &str| path.replace("{environment}", "dev");
    let takes = |path: &str| path.contains('{') && !path.contains("{token}");
    let shown = PAGES.iter().filter(|page| takes(page.path));
    let mut all: Vec<Asked> = shown.map(|shown| Asked { method: "GET".into(), path: page(shown.path), body: None }).collect();
    let form = |path: &str, verb, fields: &[(&str, &str)]| {
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), value.replace("{id}", "{invitation}"))).collect();
        Asked { method: "POST".into(), path: page(path), body: Some(("application/x-www-form-urlencoded", Body::Form(verb, fields))) }
    };
    all.extend(doors::forms().filter(|(path, ..)| takes(path)).map(|(path, verb, fields)| form(path, verb, fields)));
    let target = "/teams/{team}/services/{service}/targets/{environment}";
    all.push(form(target, "deploy", &[("source", "candidate:{number}")]));
    all.push(form(target, "deploy-plan", &[("source", "release:{number}")]));
    all.push(form("/tokens", "create", &[("name", "x"), ("scopes", "read"), ("team", "{team}")]));
    all.push(form("/tokens", "revoke", &[("of", "{token}")]));
    all
}

/// Git's ways in.
fn git() -> Vec<Asked> {
    let refs = |service: &str| Asked {
        method: "GET".into(),
        path: format!("/git/{{team}}/{{repository}}.git/info/refs?service={service}"),
        body: None,
    };
    vec![refs("git-upload-pack"), refs("git-receive-pack")]
}

impl Asked {
    /// The places in it that take an id.
    fn places(&self, ids: &Ids) -> Vec<&'static str> {
        let body = match &self.body {
            Some((_, Body::Json(text))) => text.clone(),
            Some((_, Body::Form(_, fields))) => fields.iter().map(|(_, value)| value.as_str()).collect::<Vec<_>>().join(" "),
            None => String::new(),
        };
        let all = format!("{} {body}", self.path);
        ids.keys().copied().filter(|place| all.contains(&format!("{{{place}}}"))).collect()
    }

    async fn by(&self, client: &Client, ids: &Ids) -> Answer {
        let fill = |text: &str| ids.iter().fold(text.to_owned(), |text, (place, id)| text.replace(&format!("{{{place}}}"), id));
        let body = self.body.as_ref().map(|(kind, body)| match body {
            Body::Json(text) => (*kind, fill(text).into_bytes()),
            Body::Form(verb, fields) => {
                let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                (*kind, doors::form(verb, &fields, fill))
            }
        });
        client.ask(&self.method, &fill(&self.path), body).await
    }
}

/// An answer without the ids that were asked for and what is new in each.
fn essence(answer: &Answer, foreign: &Ids) -> String {
    let mut text = format!("{} {} {}", answer.status, answer.header("location"), answer.text);
    text = text.replace(answer.header("x-request-id"), "REQUEST");
    let mut ids: Vec<&String> = foreign.values().collect();
    ids.sort_by_key(|id| std::cmp::Reverse(id.len()));
    for id in ids {
        text = text.replace(id.as_str(), "ID");
    }
    text
}

/// One's own ids, but in these places others.
fn mixed(own: &Ids, others: &Ids, set: &[&'static str]) -> Ids {
    own.iter().map(|(place, id)| (*place, if set.contains(place) { others[place].clone() } else { id.clone() })).collect()
}

/// The sets of places, but for the empty one.
fn sets<'a>(places: &'a [&'static str]) -> impl Iterator<Item = Vec<&'static str>> + 'a {
    let of = move |set: u32| places.iter().enumerate().filter(move |(n, _)| set & (1 << n) != 0).map(|(_, place)| *place).collect();
    (1..1_u32 << places.len()).map(of)
}

#[tokio::test(flavor = "multi_thread")]
async fn ids_of_another_team_are_of_nothing() {
    let world = World::over(TestApp::new().await.with_team(MARK).await).await;
    let app = &world.app;
    let marked = marked(app).await;
    apart(app).await;
    world.settled().await;
    let (token, browser) = (app.client("owner@a.test").await, app.browser("owner@a.test").await);
    let stranger = app.client(&format!("owner@{MARK}.test")).await;
    let token_of = async |client: &Client| client.get("/tokens").await.is(200)[0]["id"].as_str().unwrap().to_owned();
    let (own, theirs) = (own(&world, &token_of(&token).await), theirs(&marked, &token_of(&stranger).await));
    let nobodys = nobodys(&theirs);
    let eye = state::Eye::of(app).await;
    let mut before = eye.sees().await;
    let (mut asked, mut routes, mut wrong) = (0, 0, Vec::new());
    for (client, all) in [(&token, rest()), (&token, git()), (&browser, pages()), (&browser, rest())] {
        for one in all {
            routes += 1;
            for set in sets(&one.places(&own)) {
                let there = one.by(client, &mixed(&own, &theirs, &set)).await;
                let not_there = one.by(client, &mixed(&own, &nobodys, &set)).await;
                asked += 1;
                let (said, as_of_nothing) = (essence(&there, &theirs), essence(&not_there, &nobodys));
                if there.status != 404 || said != as_of_nothing {
                    wrong.push(format!(
                        "{} {} with theirs at {set:?}: {said:.400}\n  and of nobody's: {as_of_nothing:.400}",
                        one.method, one.path
                    ));
                }
            }
            let now = eye.sees().await;
            let changed = state::difference(&before, &now);
            if !changed.is_empty() {
                wrong.push(format!("{} {} changed {changed:#?}", one.method, one.path));
                before = now;
            }
        }
    }
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    proof(
        "ids of another team",
        &format!(
            "{routes} routes and forms, {asked} mixtures of one's own and the other team's ids: 0 told, 0 changed, each as of nothing"
        ),
    );
}
