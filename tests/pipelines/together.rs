//! Services that are built together: a real push brings all of them to one version, or none.

use std::time::Duration;

use app::model::{Move, NewService, RetryFrom, Run, RunState, Sibling, StartRun};
use server::{args, platform::fake::Script, platform::fake::Verb, store::Query as _};

use super::monorepo::{FILE, Shop, holds, name, pushed, team};
use crate::{
    git::{Copy, harbour},
    support::{
        app::TestApp,
        berth::{Harbour, until},
        proof,
    },
};

/// The same two services, at one version.
fn as_one() -> String {
    FILE.replace("version: 1\n", "version: 1\nbuild: together\n")
}

fn stuck() -> Script {
    Script { takes: Duration::from_secs(3_600), ..Script::default() }
}

fn numbers(siblings: &[Sibling]) -> Vec<(&str, u64, Option<u64>)> {
    siblings.iter().map(|sibling| (sibling.service.as_str(), sibling.run, sibling.candidate)).collect()
}

impl Shop {
    /// The newest candidate of both: one number.
    async fn version(&self) -> u64 {
        let of = async |service: &str| {
            let all = self.app.berth.backend.runs.candidates(&self.owner, &team(), &name(service), &Default::default()).await.unwrap();
            (all.items[0].number, all.items[0].commit.clone())
        };
        let (billing, orders) = (of("billing").await, of("orders").await);
        assert_eq!(billing, orders, "one version, of one commit");
        billing.0
    }

    /// The states of the newest runs of both.
    async fn states(&self) -> (RunState, RunState) {
        let of = async |service: &str| {
            let runs = self
                .app
                .berth
                .backend
                .runs
                .list(&self.owner, &team(), &name(service), &Default::default(), &Default::default())
                .await
                .unwrap();
            runs.items[0].state
        };
        (of("billing").await, of("orders").await)
    }
}

async fn all_come_to_one_version_or_none(app: TestApp) {
    let shop = Shop::new(app).await;
    let copy = pushed(&shop).await;
    let backend = &shop.app.berth.backend;
    copy.write("services/orders/main", "2");
    copy.push("Orders alone").await;
    assert_eq!((shop.candidates("billing").await, shop.candidates("orders").await), (1, 2), "until now each has its own");

    // From separate to together: the history stays, and the version is beyond both.
    copy.write("berth.yaml", &as_one());
    let shown = copy.push("As one").await;
    holds(&shown, &["together: billing, orders at one version", "billing · ✓ candidate 3", "orders · ✓ candidate 3"], &["unchanged"]);
    assert_eq!(shop.version().await, 3);
    let run = shop.run("orders", 3).await;
    assert_eq!(numbers(&run.together), [("billing", 3, Some(3)), ("orders", 3, Some(3))]);

    // What touches one builds all, and each says whose doing it is.
    copy.write("services/billing/main", "3");
    let wanted = [
        "billing: fast, image, because services/billing/main changed since candidate 3",
        "orders: image, because billing is touched, and they come to one version",
    ];
    holds(&copy.push("Billing").await, &wanted, &["unchanged"]);
    assert_eq!(shop.version().await, 4);
    let shown = backend.candidates.show(&shop.owner, &team(), &name("orders"), 4).await.unwrap();
    assert_eq!(numbers(&shown.together), [("billing", 4, Some(4)), ("orders", 4, Some(4))], "a candidate names its siblings");
    let alone = backend.candidates.show(&shop.owner, &team(), &name("orders"), 1).await.unwrap();
    assert_eq!(alone.together, []);
    let listed = backend.runs.list(&shop.owner, &team(), &name("orders"), &Default::default(), &Default::default()).await.unwrap();
    let with: Vec<usize> = listed.items.iter().map(|run| run.together.len()).collect();
    assert_eq!(with, [2, 2, 0, 0]);

    // What touches none builds none.
    copy.write("README", "4");
    holds(&copy.push("Words").await, &["– billing: unchanged since candidate 4", "– orders: unchanged since candidate 4"], &["together"]);

    // One fails: nothing becomes of the other, whose own stages are good.
    shop.app.fake.on_task(|_| Some(Script { code: 1, ..Script::default() }));
    copy.write("services/orders/main", "5");
    let shown = copy.push("Billing fails").await;
    holds(
        &shown,
        &["billing · ✗ failed. Stage fast, step unit", "orders · ✗ failed. billing did not pass, and the services"],
        &["✓ candidate"],
    );
    assert_eq!((shop.states().await, shop.version().await), ((RunState::Failed, RunState::Failed), 4));
    let built = "SELECT COUNT(*) AS n FROM candidates";
    assert_eq!(shop.count(built).await, 3 + 4, "none was made");

    // Asked for again by one, both are.
    shop.app.fake.on_task(|_| Some(Script::default()));
    let again = backend.runs.retry(&shop.owner, &team(), &name("orders"), 6, RetryFrom::Start).await.unwrap();
    assert_eq!(again.number, 7);
    let run = shop.run("orders", 7).await;
    assert_eq!((run.state, numbers(&run.together)), (RunState::Passed, vec![("billing", 7, Some(5)), ("orders", 7, Some(5))]), "{run:?}");
    // So they are where a run kept what it had, and by hand.
    backend.runs.retry(&shop.owner, &team(), &name("billing"), 5, RetryFrom::Start).await.unwrap();
    assert_eq!((shop.run("billing", 8).await.candidate, shop.run("orders", 8).await.candidate), (Some(6), Some(6)));
    backend.runs.start(&shop.owner, &team(), &name("billing"), StartRun::default()).await.unwrap();
    assert_eq!((shop.run("billing", 9).await.candidate, shop.run("orders", 9).await.candidate), (Some(7), Some(7)));

    // Back: each goes on by itself from there.
    copy.write("berth.yaml", FILE);
    holds(&copy.push("Apart again").await, &["billing · ✓ candidate 8", "orders · ✓ candidate 8"], &["together"]);
    copy.write("services/orders/main", "6");
    holds(&copy.push("Orders").await, &["– billing: unchanged since candidate 8", "✓ candidate 9"], &[]);

    // To a repository of its own: what it was stays, and still names those it was made with.
    let to = Move { repository: "apart".parse().unwrap(), create: true };
    backend.services.move_to(&shop.owner, &team(), &name("billing"), to).await.unwrap();
    let shown = backend.candidates.show(&shop.owner, &team(), &name("billing"), 4).await.unwrap();
    assert_eq!(numbers(&shown.together), [("billing", 4, Some(4)), ("orders", 4, Some(4))]);
    let again = backend.runs.retry(&shop.owner, &team(), &name("billing"), 4, RetryFrom::Start).await.unwrap();
    assert_eq!((shop.run("billing", again.number).await.candidate, shop.version().await), (Some(10), 10));
    proof("together", "2 services, separate → together → separate → a repository of its own: 6 versions of both, 0 of one alone");
    shop.app.berth.stop().await;
}

#[tokio::test]
async fn all_come_to_one_version_or_none_on_sqlite() {
    all_come_to_one_version_or_none(TestApp::new().await).await;
}

#[tokio::test]
async fn all_come_to_one_version_or_none_on_postgres() {
    all_come_to_one_version_or_none(TestApp::on_postgres().await).await;
}

/// A copy whose services are built together, committed and not pushed.
async fn together(shop: &Shop) -> Copy {
    let copy = shop.copy("orders").await;
    copy.write("berth.yaml", &as_one());
    for path in ["services/orders/Dockerfile", "services/billing/Dockerfile"] {
        copy.write(path, "FROM scratch\n");
    }
    copy.commit("First").await;
    copy
}

async fn push(copy: &Copy, text: &str) {
    copy.write("services/orders/main", text);
    copy.commit(text).await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "HEAD"]).await;
}

impl Shop {
    async fn is(&self, service: &str, number: u64, state: RunState) -> Run {
        let runs = &self.app.berth.backend.runs;
        let show = async || runs.show(&self.owner, &team(), &name(service), number).await.ok().filter(|run| run.state == state);
        until(&format!("run {number} of {service} is {}", state.name()), show).await
    }

    /// Waits until a step of a run is under way.
    async fn begins(&self, service: &str, number: u64) {
        let runs = &self.app.berth.backend.runs;
        let step = async || {
            let run = runs.show(&self.owner, &team(), &name(service), number).await.ok()?;
            run.stages.iter().flat_map(|stage| &stage.steps).any(|step| step.state == RunState::Running).then_some(())
        };
        until(&format!("a step of run {number} of {service} begins"), step).await;
    }
}

#[tokio::test]
async fn they_wait_are_superseded_cancelled_and_deleted_as_one() {
    let shop = Shop::new(TestApp::new().await).await;
    let backend = &shop.app.berth.backend;
    shop.app.fake.on_task(|_| Some(stuck()));
    let copy = together(&shop).await;
    copy.good(&["checkout", "-q", "-b", "topic"]).await;
    push(&copy, "1").await;
    shop.begins("billing", 1).await;
    assert_eq!(shop.is("orders", 1, RunState::Running).await.together.len(), 2);

    // The next waits for both, says so, and gives way to the one after it.
    push(&copy, "2").await;
    assert_eq!(shop.is("orders", 2, RunState::Queued).await.waits.as_deref(), Some("Waits for run 1, which is before it on `topic`."));
    push(&copy, "3").await;
    shop.is("billing", 2, RunState::Superseded).await;
    shop.is("orders", 2, RunState::Superseded).await;

    // Whoever is cancelled, all are: under way, and before they begin.
    backend.runs.cancel(&shop.owner, &team(), &name("orders"), 3).await.unwrap();
    shop.is("billing", 3, RunState::Cancelled).await;
    shop.is("orders", 3, RunState::Cancelled).await;
    backend.runs.cancel(&shop.owner, &team(), &name("orders"), 1).await.unwrap();
    shop.is("billing", 1, RunState::Cancelled).await;
    shop.is("orders", 1, RunState::Cancelled).await;
    assert_eq!(backend.runs.cancel(&shop.owner, &team(), &name("billing"), 1).await.unwrap_err().code, "already_ended");

    // So it is where a team asks that newer pushes of one of them cancel what is under way.
    push(&copy, "4").await;
    shop.begins("billing", 4).await;
    let mut tx = shop.app.db().begin().await.unwrap();
    tx.execute("UPDATE services SET supersedes_running = TRUE WHERE name = 'orders'", args![]).await.unwrap();
    tx.commit().await.unwrap();
    push(&copy, "5").await;
    assert_eq!(shop.is("orders", 4, RunState::Superseded).await.superseded_by, Some(5));
    let run = shop.is("billing", 4, RunState::Superseded).await;
    assert_eq!(run.failure.as_deref(), Some("A newer push took the place of a service that was to come to the same version."));

    // The one that carries the others goes: they end, and the one that stays goes on alone.
    shop.begins("billing", 5).await;
    backend.services.delete(&shop.owner, &team(), &name("billing"), "billing").await.unwrap();
    let run = shop.is("orders", 5, RunState::Cancelled).await;
    assert_eq!(run.failure.as_deref(), Some("A service that was to come to the same version was deleted."));
    until("it is gone", async || (shop.count("SELECT COUNT(*) AS n FROM services").await == 1).then_some(())).await;
    push(&copy, "6").await;
    let run = shop.run("orders", 6).await;
    assert_eq!((run.state, run.candidate, run.together.len()), (RunState::Passed, Some(1), 0), "{run:?}");
    assert_eq!(shop.count("SELECT COUNT(*) AS n FROM stages WHERE state IN ('queued', 'running')").await, 0);
    shop.app.berth.stop().await;
}

/// A service alone holds up those it is built with since.
#[tokio::test]
async fn they_wait_for_what_one_of_them_still_does() {
    let shop = Shop::new(TestApp::new().await).await;
    shop.app.fake.on_task(|_| Some(stuck()));
    let copy = together(&shop).await;
    copy.write("berth.yaml", FILE);
    push(&copy, "1").await;
    shop.begins("billing", 1).await;
    assert_eq!(shop.run("orders", 1).await.candidate, Some(1));
    // Both name a group in which there is one place: together they take it.
    let grouped = as_one().replace("path: services/orders,", "path: services/orders, concurrency: { group: db },");
    copy.write(
        "berth.yaml",
        &grouped.replace("    path: services/billing\n", "    path: services/billing\n    concurrency: { group: db }\n"),
    );
    push(&copy, "2").await;
    let run = shop.is("orders", 2, RunState::Queued).await;
    assert_eq!(run.waits.as_deref(), Some("Waits for run 1 of billing, which is before them on `main`."));
    shop.app.berth.backend.runs.cancel(&shop.owner, &team(), &name("billing"), 1).await.unwrap();
    shop.begins("billing", 2).await;
    shop.is("orders", 2, RunState::Running).await;
    shop.app.berth.stop().await;
}

async fn twins() -> (Harbour, Copy) {
    let harbour = harbour().await;
    let new = NewService {
        name: name("twin"),
        description: String::new(),
        environments: Some(vec!["dev".parse().unwrap()]),
        repository: Some("hello".parse().unwrap()),
        mirror: None,
    };
    harbour.berth.backend.services.create(&harbour.owner, &team(), new).await.unwrap();
    let copy = Copy::new(&harbour).await;
    let stages = "stages: [{ name: fast, steps: [{ name: unit, image: shell, run: [\"a\"] }] }, { name: slow, steps: [{ name: all, image: shell, run: [\"b\"] }] }]";
    let file = format!("version: 1\nbuild: together\nservices:\n  hello: {{ path: a, {stages} }}\n  twin: {{ path: b, {stages} }}\n");
    copy.write("berth.yaml", &file);
    copy.write("a/Dockerfile", "FROM scratch\n");
    copy.write("b/Dockerfile", "FROM scratch\n");
    (harbour, copy)
}

async fn shown(harbour: &Harbour, service: &str) -> Option<Run> {
    harbour.berth.backend.runs.show(&harbour.owner, &team(), &name(service), 1).await.ok()
}

async fn over(harbour: &Harbour, service: &str) -> Run {
    until("the run ends", async || shown(harbour, service).await.filter(|run| run.state.ended())).await
}

/// The rollouts stay each service's own; a restart in the middle carries all on where they were.
#[tokio::test]
async fn a_restart_in_the_middle_carries_all_on() {
    let (harbour, copy) = twins().await;
    harbour.fake.on_task(|task| Some(if task.name.ends_with("all") { stuck() } else { Script::default() }));
    copy.commit("First").await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "HEAD"]).await;
    let slow = async || (harbour.fake.tasks().iter().filter(|task| task.name.ends_with("all")).count() == 2).then_some(());
    until("both are in their second stage", slow).await;
    harbour.fake.on_task(|_| Some(Script::default()));
    let harbour = harbour.restart().await;
    for service in ["hello", "twin"] {
        let run = over(&harbour, service).await;
        assert_eq!((run.state, run.candidate, run.rollouts.len()), (RunState::Passed, Some(1), 1), "{run:?}");
        let stages: Vec<_> = run.stages.iter().map(|stage| (stage.name.as_str(), stage.attempt, stage.state)).collect();
        let expected =
            [("fast", 1, RunState::Passed), ("slow", 1, RunState::Lost), ("slow", 2, RunState::Passed), ("image", 1, RunState::Passed)];
        assert_eq!(stages, expected);
    }
    let held = "SELECT COUNT(*) AS n FROM runs WHERE lease_until IS NOT NULL OR finished_at IS NULL";
    assert_eq!(harbour.berth.db.fetch_opt(held, args![]).await.unwrap().unwrap().int("n").unwrap(), 0);
    harbour.berth.stop().await;
}

/// One cannot be built when the other's image is there already: that one goes, and nobody has a candidate.
#[tokio::test]
async fn an_image_whose_sibling_failed_is_swept() {
    let (harbour, copy) = twins().await;
    harbour.fake.on_task(|task| {
        let late = task.env.get("BERTH_SERVICE").is_some_and(|service| service == "twin") && task.name.ends_with("all");
        Some(if late { Script { code: 3, takes: Duration::from_millis(700), ..Script::default() } } else { Script::default() })
    });
    copy.commit("First").await;
    let shown = copy.good(&["push", "berth", "HEAD"]).await;
    holds(
        &shown,
        &["hello · ✓ image passed", "hello · ✗ failed. twin did not pass", "twin · ✗ failed. Stage slow, step all"],
        &["✓ candidate"],
    );
    let (hello, twin) = (over(&harbour, "hello").await, over(&harbour, "twin").await);
    assert_eq!((hello.state, twin.state, hello.candidate, twin.candidate), (RunState::Failed, RunState::Failed, None, None));
    assert_eq!(hello.stages.iter().map(|stage| stage.state).collect::<Vec<_>>(), [RunState::Passed; 3], "its own stages were good");
    until("its image is swept", async || harbour.fake.calls().iter().any(|(verb, _)| *verb == Verb::RemoveImage).then_some(())).await;
    harbour.berth.stop().await;
}
