//! Several services in one repository: a real push runs those it touches, and the others keep what they have.

use std::time::Duration;

use app::model::{Actor, Move, NewService, NewToken, RetryFrom, Run, RunState, Scope, ServiceName, StartRun, TeamName};
use server::{
    args,
    platform::fake::{Behaviour, Script},
    store::Query as _,
};

use crate::{
    git::Copy,
    support::{
        app::TestApp,
        berth::{until, within},
        proof,
    },
};

/// Two services that share a library.
pub(super) const FILE: &str = "version: 1
services:
  billing:
    path: services/billing
    watch: [\"libs/money/**\"]
    stages: [{ name: fast, steps: [{ name: unit, image: shell, run: [\"make test\"] }] }]
  orders: { path: services/orders, watch: [\"libs/money/**\"] }
";

/// A team with two services built from one repository.
pub(super) struct Shop {
    pub(super) app: TestApp,
    pub(super) owner: Actor,
    token: String,
}

pub(super) fn team() -> TeamName {
    "demo".parse().unwrap()
}

pub(super) fn name(text: &str) -> ServiceName {
    text.parse().unwrap()
}

impl Shop {
    pub(super) async fn new(app: TestApp) -> Self {
        let app = app.with_team("demo").await;
        app.fake.set_image("shell", Behaviour::default());
        app.fake.on_task(|_| Some(Script { lines: vec![(false, "all good".into())], ..Script::default() }));
        let owner = app.actor(&app.user("owner@demo.test").await).await;
        let new = NewToken { name: "git".into(), scopes: vec![Scope::Git], team: None, days: None };
        let token = app.berth.backend.tokens.create(&owner, new).await.unwrap().secret;
        let shop = Self { app, owner, token };
        shop.create("orders", None).await.unwrap();
        shop.create("billing", Some("orders")).await.unwrap();
        shop
    }

    async fn create(&self, service: &str, repository: Option<&str>) -> app::error::Result<app::model::Service> {
        let repository = repository.map(|name| name.parse().unwrap());
        let new = NewService { name: name(service), description: String::new(), environments: Some(Vec::new()), repository, mirror: None };
        self.app.berth.backend.services.create(&self.owner, &team(), new).await
    }

    /// A working copy that pushes to a repository.
    pub(super) async fn copy(&self, repository: &str) -> Copy {
        Copy::at(&format!("http://x:{}@{}/git/demo/{repository}.git", self.token, self.app.berth.console)).await
    }

    pub(super) async fn run(&self, service: &str, number: u64) -> Run {
        let runs = &self.app.berth.backend.runs;
        let ended = async || runs.show(&self.owner, &team(), &name(service), number).await.ok().filter(|run| run.state.ended());
        within(Duration::from_secs(20), &format!("run {number} of {service} ends"), ended).await
    }

    pub(super) async fn candidates(&self, service: &str) -> usize {
        self.app.berth.backend.runs.candidates(&self.owner, &team(), &name(service), &Default::default()).await.unwrap().items.len()
    }

    pub(super) async fn count(&self, sql: &str) -> i64 {
        self.app.db().fetch_opt(sql, args![]).await.unwrap().unwrap().int("n").unwrap()
    }
}

/// A copy with everything the services need, pushed once.
pub(super) async fn pushed(shop: &Shop) -> Copy {
    let copy = shop.copy("orders").await;
    copy.write("berth.yaml", FILE);
    for path in ["services/orders/Dockerfile", "services/billing/Dockerfile"] {
        copy.write(path, "FROM scratch\n");
    }
    copy.write("libs/money/lib", "1");
    let shown = copy.push("First").await;
    for wanted in [
        "Run 1 of billing: http://",
        "billing: fast, image, because there is no candidate of it yet",
        "Run 1 of orders: http://",
        "billing · ▸ fast",
        "billing ·   all good",
        "billing · ✓ candidate 1",
        "orders · ✓ candidate 1",
    ] {
        assert!(shown.contains(wanted), "{wanted} is missing in\n{shown}");
    }
    copy
}

#[track_caller]
pub(super) fn holds(shown: &str, wanted: &[&str], unwanted: &[&str]) {
    for wanted in wanted {
        assert!(shown.contains(wanted), "{wanted} is missing in\n{shown}");
    }
    for unwanted in unwanted {
        assert!(!shown.contains(unwanted), "{unwanted} is in\n{shown}");
    }
}

async fn a_push_runs_what_it_touches(app: TestApp) {
    let shop = Shop::new(app).await;
    let copy = pushed(&shop).await;

    copy.write("services/orders/main", "2");
    let shown = copy.push("One service").await;
    let why = "orders: image, because services/orders/main changed since candidate 1";
    holds(&shown, &["Run 2 of orders: http://", why, "– billing: unchanged since candidate 1", "✓ candidate 2"], &["Run 2 of billing"]);
    let kept = shop.run("billing", 2).await;
    assert_eq!((kept.state, kept.kept, kept.candidate, kept.stages.len()), (RunState::Passed, true, Some(1), 0), "{kept:?}");
    assert!(kept.reason.starts_with("Nothing of the service changed since candidate 1"), "{}", kept.reason);
    let beside: Vec<_> = kept.push.iter().map(|run| (run.service.as_str(), run.number, run.kept)).collect();
    assert_eq!(beside, [("billing", 2, true), ("orders", 2, false)]);
    assert_eq!((shop.candidates("billing").await, shop.candidates("orders").await), (1, 2));

    copy.write("libs/money/lib", "3");
    let shown = copy.push("The library").await;
    holds(&shown, &["billing · ✓ candidate 2", "orders · ✓ candidate 3", "libs/money/lib changed since candidate 1"], &["unchanged"]);

    copy.write("README", "4");
    let built = shop.app.fake.tasks().len();
    let shown = copy.push("Words").await;
    holds(&shown, &["– billing: unchanged since candidate 2", "– orders: unchanged since candidate 3"], &["Run "]);
    assert_eq!(shop.app.fake.tasks().len(), built, "nothing was run");

    copy.write("berth.yaml", &format!("# Words\n{FILE}"));
    let shown = copy.push("The file").await;
    holds(&shown, &["billing · ✓ candidate 3", "orders · ✓ candidate 4", "because berth.yaml changed since candidate"], &["unchanged"]);

    // A new branch begins from the default one.
    copy.good(&["checkout", "-q", "-b", "topic"]).await;
    copy.write("services/billing/main", "5");
    let shown = copy.push("On a topic").await;
    holds(&shown, &["– orders: unchanged since candidate 4", "✓ candidate 4"], &["Run 6 of orders"]);

    // What failed is tried with the next push, whatever that changes.
    copy.good(&["checkout", "-q", "main"]).await;
    shop.app.fake.on_task(|_| Some(Script { code: 1, ..Script::default() }));
    copy.write("services/billing/main", "6");
    holds(&copy.push("It fails").await, &["✗ failed", "– orders: unchanged"], &[]);
    shop.app.fake.on_task(|_| Some(Script::default()));
    copy.write("README", "7");
    holds(&copy.push("Words again").await, &["billing: fast, image, because services/billing/main changed", "✓ candidate 5"], &[]);

    copy.good(&["commit", "-q", "--amend", "-m", "Another past"]).await;
    let shown = copy.good(&["push", "--force", "berth", "main"]).await;
    holds(&shown, &["billing · ✓ candidate 6", "orders · ✓ candidate 5", "because history was rewritten since candidate"], &["unchanged"]);

    let shown = copy.push("Nothing [skip ci]").await;
    holds(&shown, &["– billing: The commit says `[skip ci]`.", "– orders: The commit says"], &["Run "]);

    // Run again by hand, what was kept is made anew.
    let again = shop.app.berth.backend.runs.retry(&shop.owner, &team(), &name("billing"), 2, RetryFrom::Start).await.unwrap();
    let run = shop.run("billing", again.number).await;
    assert_eq!((run.state, run.kept, run.candidate), (RunState::Passed, false, Some(7)), "{run:?}");
    // So is the head of a branch.
    let runs = &shop.app.berth.backend.runs;
    let start = async |branch: &str| {
        runs.start(&shop.owner, &team(), &name("billing"), StartRun { branch: Some(branch.into()), ..StartRun::default() }).await
    };
    let run = shop.run("billing", start("topic").await.unwrap().number).await;
    assert_eq!((run.state, run.candidate, run.branch.as_str()), (RunState::Passed, Some(8), "topic"), "{run:?}");
    assert_eq!(run.reason, "owner@demo.test asked for a run of topic");
    assert_eq!(start("nowhere").await.unwrap_err().code, "unknown_branch");
    let kept = shop.count("SELECT COUNT(*) AS n FROM runs WHERE kept = TRUE").await;
    proof("selection through git", &format!("10 pushes of 2 services, {kept} runs kept a candidate, 0 built for nothing"));
    shop.app.berth.stop().await;
}

#[tokio::test]
async fn a_push_runs_what_it_touches_on_sqlite() {
    a_push_runs_what_it_touches(TestApp::new().await).await;
}

#[tokio::test]
async fn a_push_runs_what_it_touches_on_postgres() {
    a_push_runs_what_it_touches(TestApp::on_postgres().await).await;
}

#[tokio::test]
async fn the_file_and_the_services_need_not_agree_and_the_pusher_is_told_what_mends_it() {
    let shop = Shop::new(TestApp::new().await).await;
    let copy = pushed(&shop).await;
    shop.create("mails", None).await.unwrap();
    let more = "  stock: { path: services/stock }\n  mails: { path: services/mails }\n";
    copy.write("berth.yaml", &format!("{}{more}", FILE.replace("orders:", "others:")));
    let shown = copy.push("Others").await;
    holds(
        &shown,
        &[
            "billing: fast, image, because berth.yaml changed",
            "– orders: berth.yaml does not describe orders at this commit",
            "warning: berth.yaml describes `stock`, which is no service yet. `berth service create stock --repository orders` makes it.",
            "`berth service move mails --repository orders` has it built from here.",
        ],
        &["Run 2 of orders"],
    );
    assert_eq!(shop.run("orders", 2).await.state, RunState::Skipped);
    std::fs::remove_file(copy.path().join("berth.yaml")).unwrap();
    copy.push("No file").await;
    let run = shop.run("orders", 3).await;
    assert!(run.failure.as_deref().is_some_and(|failure| failure.contains("no berth.yaml that says which folder")), "{run:?}");
    // A name that is taken, and a repository that is not there.
    assert_eq!(shop.create("billing", Some("orders")).await.unwrap_err().code, "name_taken");
    let error = shop.create("stock", Some("nowhere")).await.unwrap_err();
    assert_eq!((error.code, error.field.as_deref()), ("unknown_repository", Some("repository")));
    shop.app.berth.stop().await;
}

#[tokio::test]
async fn a_service_moves_with_its_history() {
    let shop = Shop::new(TestApp::new().await).await;
    pushed(&shop).await;
    let services = &shop.app.berth.backend.services;
    let to = |repository: &str, create| Move { repository: repository.parse().unwrap(), create };
    let moved = async |to| services.move_to(&shop.owner, &team(), &name("billing"), to).await;
    assert_eq!(moved(to("orders", false)).await.unwrap_err().code, "already_there");
    assert_eq!(moved(to("apart", false)).await.unwrap_err().code, "unknown_repository");
    let service = moved(to("apart", true)).await.unwrap();
    assert!(service.clone_url.ends_with("/git/demo/apart.git"), "{}", service.clone_url);

    // What it was is still there, and its commits are found where they are.
    assert_eq!((shop.run("billing", 1).await.candidate, shop.candidates("billing").await), (Some(1), 1));
    shop.app.berth.backend.runs.retry(&shop.owner, &team(), &name("billing"), 1, RetryFrom::Start).await.unwrap();
    assert_eq!(shop.run("billing", 2).await.candidate, Some(2));

    // What is pushed there goes on from it.
    let copy = shop.copy("apart").await;
    copy.write("Dockerfile", "FROM scratch\n");
    holds(&copy.push("Apart").await, &["Run 3 of billing: http://", "✓ candidate 3"], &[]);
    let copy = shop.copy("orders").await;
    copy.good(&["fetch", "-q", "berth", "main"]).await;
    copy.good(&["checkout", "-q", "-B", "main", "FETCH_HEAD"]).await;
    copy.write("services/orders/main", "2");
    let warning = "which is built from the repository `apart`. `berth service move billing --repository orders`";
    holds(&copy.push("Without it").await, &["Run 2 of orders: http://", warning], &["Run 4"]);

    // And back.
    moved(to("orders", false)).await.unwrap();
    copy.write("services/orders/main", "3");
    let shown = copy.push("With it").await;
    holds(&shown, &["Run 3 of orders", "billing: fast, image, because the commit of candidate 3 is not in the repository"], &[]);
    assert_eq!(shop.run("billing", 4).await.candidate, Some(4));

    // A repository goes with the last that came from it.
    let folders = || std::fs::read_dir(shop.app.berth.config.repositories()).unwrap().count();
    assert_eq!(folders(), 2);
    services.delete(&shop.owner, &team(), &name("orders"), "orders").await.unwrap();
    until("it is gone", async || (shop.count("SELECT COUNT(*) AS n FROM services").await == 1).then_some(())).await;
    assert_eq!((folders(), shop.run("billing", 1).await.candidate), (2, Some(1)));
    services.delete(&shop.owner, &team(), &name("billing"), "billing").await.unwrap();
    until("all is gone", async || (shop.count("SELECT COUNT(*) AS n FROM services").await == 0).then_some(())).await;
    for table in ["repositories", "ref_changes", "runs", "candidates"] {
        assert_eq!(shop.count(&format!("SELECT COUNT(*) AS n FROM {table}")).await, 0, "{table}");
    }
    assert_eq!(folders(), 0);
    shop.app.berth.stop().await;
}
