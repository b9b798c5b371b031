//! A pool: an engine at home, and a builder on a host of its own.

use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};

use app::model::{BaseImage, CacheId, EngineState, RunId, ServiceId, TeamId};
use server::platform::{
    CacheMount, Engine as _, Network, Placing, Platform, PlatformError, TaskEnd, Workspace,
    docker::{Deadlines, Docker, Settings},
    pool::Pool,
};
use tokio_util::sync::CancellationToken;

use super::{
    builds::{build, make_on},
    run_on, step,
};
use crate::support::{engine::Engine, images, platform::TestPlatform};

fn driver(home: &TestPlatform, name: &str, engine: &Engine, deadlines: Deadlines) -> Docker {
    let settings = Settings {
        host: Some(name.into()),
        address: Some(engine.address()),
        instance: home.instance.clone(),
        subnets: "10.202.0.0/16".into(),
        deadlines,
    };
    Docker::new(settings).unwrap()
}

async fn there(builder: &Docker, id: &str) -> bool {
    builder.image_id(id).await.unwrap().is_some()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_carried_out_on_a_builder_and_its_image_comes_home() {
    let (home, engine) = (TestPlatform::new(), Engine::elsewhere().await);
    let builder = driver(&home, "b1", &engine, Deadlines::default());
    let pool = Pool::new(&home.instance, Arc::new(home.docker.clone()), vec![("b1".into(), Arc::new(builder.clone()))]);
    let base = images::busybox_image().await;
    let (id, team, service) = (RunId::from_text("1"), TeamId::from_text("a"), ServiceId::from_text("service"));
    let workspace = Workspace { run: id.clone(), team: team.clone() };
    let go_on = CancellationToken::new();
    let hosts = pool.hosts().await;
    assert_eq!((hosts.len(), hosts[1].name.as_str(), hosts[1].pool.as_str(), hosts[1].state), (2, "b1", "builders", EngineState::Answers));

    pool.take_host(Placing { run: &id, service: &service, files: None }).await.unwrap();
    assert_eq!(pool.host_of(&id).as_deref(), Some("b1"));
    let folder = tempfile::tempdir().unwrap();
    let archive = folder.path().join("files.tar");
    std::fs::write(&archive, images::archive(&[("README", "read me\n")])).unwrap();
    pool.fill_workspace(&workspace, archive, CancellationToken::new()).await.unwrap();
    let cache = CacheId::from_text("kept");
    let mut task = step(images::BUSYBOX, "cat README /kept/* 2>/dev/null; echo left >/kept/left; echo >&2 here");
    task.workspace = Some((workspace.clone(), "/workspace".into()));
    task.caches = vec![CacheMount { id: cache.clone(), path: "/kept".into() }];
    let ran = run_on(&pool, &task, &go_on).await;
    assert_eq!((ran.code(), ran.out.as_str()), (0, "read me\n"), "{}", ran.err);
    // All of it was there, and nothing at home.
    assert!(there(&builder, &base).await);
    assert_eq!(builder.runs_with_leftovers().await.unwrap(), std::slice::from_ref(&id));
    assert_eq!((home.things().await, home.caches().await.unwrap()), (vec![], BTreeSet::new()));
    // Another Berth, or this one after a crash, finds where the run is; and goes on with its files.
    let again = Pool::new(&home.instance, Arc::new(home.docker.clone()), vec![("b1".into(), Arc::new(builder.clone()))]);
    let next = RunId::from_text("2");
    again.take_host(Placing { run: &next, service: &service, files: Some(&id) }).await.unwrap();
    let to = Workspace { run: next.clone(), team: team.clone() };
    again.copy_workspace(&workspace, &to, CancellationToken::new()).await.unwrap();
    let mut more = step(images::BUSYBOX, "cat README /kept/left");
    (more.name, more.run, more.network) = ("step-2".into(), Some(next.clone()), Network::Run(next.clone()));
    more.workspace = Some((to, "/workspace".into()));
    more.caches = task.caches.clone();
    assert_eq!(run_on(&again, &more, &go_on).await.out, "read me\nleft\n");

    // Who does not want to wait for an image that is brought is let go.
    let cancelled = CancellationToken::new();
    cancelled.cancel();
    assert_eq!(run_on(&again, &more, &cancelled).await.end, Ok(TaskEnd::Cancelled));

    let mut asked = build(&folder, &format!("FROM {}\nCOPY hello /\nRUN echo {} >/made\n", images::BUSYBOX, server::clock::new_id()));
    asked.bases = vec![BaseImage { name: images::BUSYBOX.into(), id: base.clone() }];
    let built = make_on(&pool, &asked, &CancellationToken::new()).await;
    let image = built.result.unwrap_or_else(|error| panic!("{error}: {}", built.text));
    assert_eq!(home.image_id(&image.id).await.unwrap().as_ref(), Some(&image.id), "the same at home");
    assert_eq!(pool.image(&image.id, &team).await.unwrap(), image);
    assert_eq!(pool.built_images().await.unwrap(), [(image.id.clone(), id.clone())]);

    // What is not needed at home is not kept elsewhere.
    home.remove_image(&image.id).await.unwrap();
    pool.drop_brought(&BTreeSet::new()).await;
    assert!(there(&builder, &image.id).await && there(&builder, &base).await, "its run may be under way");
    pool.drop_brought(&[image.id.clone()].into()).await;
    assert!(!there(&builder, &image.id).await && there(&builder, &base).await);

    pool.clean_run(&id).await.unwrap();
    again.clean_run(&next).await.unwrap();
    assert_eq!((pool.host_of(&id), builder.runs_with_leftovers().await.unwrap()), (None, vec![]));
    // The cache is moved to where it is used next.
    let local = Pool::new(&home.instance, Arc::new(builder.clone()), vec![("b2".into(), Arc::new(home.docker.clone()))]);
    local.take_host(Placing { run: &id, service: &service, files: None }).await.unwrap();
    task.workspace = Some((workspace, "/workspace".into()));
    let ran = run_on(&local, &task, &go_on).await;
    assert_eq!(ran.out, "left\n", "{}", ran.err);
    assert_eq!((home.caches().await.unwrap(), builder.caches().await.unwrap()), ([cache.clone()].into(), BTreeSet::new()));
    local.clean_run(&id).await.unwrap();
    local.remove_cache(&cache).await.unwrap();
    home.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_builder_that_hangs_holds_up_nobody() {
    let (home, engine) = (TestPlatform::new(), Engine::elsewhere().await);
    let soon = Duration::from_millis(300);
    let hasty = driver(&home, "b1", &engine, Deadlines { short: soon, long: soon, ..Deadlines::default() });
    let pool = Pool::new(&home.instance, Arc::new(home.docker.clone()), vec![("b1".into(), Arc::new(hasty))]);
    let (run, service) = (RunId::from_text("1"), ServiceId::from_text("service"));
    pool.take_host(Placing { run: &run, service: &service, files: None }).await.unwrap();
    engine.freeze();
    let asked = Instant::now();
    assert_eq!(pool.caches().await.unwrap(), BTreeSet::new(), "what is at home is told");
    assert!(asked.elapsed() >= soon, "it was asked");
    let none = format!("sha256:{}", "0".repeat(64));
    let again = Instant::now();
    for _ in 0..5 {
        pool.caches().await.unwrap();
        pool.remove_image(&none).await.unwrap();
    }
    assert!(again.elapsed() < soon, "it is not asked again at once: {:?}", again.elapsed());
    // What was begun there waits for it, what begins anew has nowhere else to go.
    for files in [Some(&run), None] {
        let taken = pool.take_host(Placing { run: &run, service: &service, files }).await;
        assert!(matches!(taken, Err(PlatformError::Gone(_))), "{taken:?}");
    }
    assert_eq!(pool.hosts().await[1].state, EngineState::Hung);
    engine.thaw();
    pool.take_host(Placing { run: &run, service: &service, files: Some(&run) }).await.unwrap();
    home.finish().await;
}
