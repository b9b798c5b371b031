//! What is there and belongs to nobody: on the engine, in the database, in the data folder.

use std::{collections::BTreeSet, fs, path::Path, process::Command};

use bollard::query_parameters::{ListContainersOptionsBuilder, ListImagesOptionsBuilder, ListNetworksOptions, ListVolumesOptions};

use server::{
    args, clock,
    store::{
        artifacts::{self, NewArtifact},
        backends, runs,
    },
};

use super::world::World;
use crate::support::{images::BUSYBOX, proof, queue};

/// What a test itself brought to the engine, and the image of nothing that Berth keeps.
const KEPT: [&str; 3] = ["berth-test/busybox:", "berth-test/made:", "berth-empty:"];

/// Everything that belongs to nobody, one line each.
pub(super) async fn find(world: &World) -> Vec<String> {
    let mut left = containers(world).await;
    left.extend(networks_and_volumes(world).await);
    left.extend(images(world).await);
    left.extend(rows(world).await);
    left.extend(folders(world).await);
    left
}

/// Every container is a running copy of a release that serves; as many as it wants.
async fn containers(world: &World) -> Vec<String> {
    let wanted: i64 = {
        let rows = world.rows("SELECT r.replicas FROM targets t JOIN releases r ON r.id = t.release_id").await;
        rows.iter().flat_map(|row| row.json::<std::collections::BTreeMap<String, i64>>("replicas").unwrap().into_values()).sum()
    };
    let options = ListContainersOptionsBuilder::default().all(true).build();
    let all = world.engine.docker().list_containers(Some(options)).await.unwrap();
    let mut left = Vec::new();
    let mut copies = 0;
    for container in all {
        let state = format!("{:?}", container.state);
        if container.labels.unwrap_or_default().contains_key("berth.slot") && state.contains("RUNNING") {
            copies += 1;
        } else {
            left.push(format!("container {:?} {state}", container.names.unwrap_or_default()));
        }
    }
    if copies != wanted {
        left.push(format!("{copies} copies run and {wanted} are wanted"));
    }
    left
}

async fn networks_and_volumes(world: &World) -> Vec<String> {
    let docker = world.engine.docker();
    let own = ["host", "none", "bridge"];
    let mut left = Vec::new();
    for network in docker.list_networks(None::<ListNetworksOptions>).await.unwrap() {
        let name = network.name.unwrap_or_default();
        if own.contains(&name.as_str()) {
            continue;
        }
        let found = docker.inspect_network(&name, None::<bollard::query_parameters::InspectNetworkOptions>).await;
        if found.is_ok_and(|found| found.containers.unwrap_or_default().is_empty()) {
            left.push(format!("network {name}"));
        }
    }
    let volumes = docker.list_volumes(None::<ListVolumesOptions>).await.unwrap().volumes.unwrap_or_default();
    // The files of a run that failed are kept, and so are caches, as their rows say.
    let kept = world.rows("SELECT id FROM runs WHERE files_until IS NOT NULL UNION SELECT id FROM caches WHERE removed_at IS NULL").await;
    let kept: Vec<String> = kept.iter().map(|row| row.text("id").unwrap()).collect();
    let orphan = |name: &String| !kept.iter().any(|run| name.ends_with(run.as_str()));
    left.extend(volumes.into_iter().map(|volume| volume.name).filter(orphan).map(|name| format!("volume {name}")));
    left
}

/// Every image is a candidate's, one is made from it, it is the cache of a service that is there, or the test's own.
async fn images(world: &World) -> Vec<String> {
    let options = ListImagesOptionsBuilder::default().build();
    let all = world.engine.docker().list_images(Some(options)).await.unwrap();
    let named: BTreeSet<String> = {
        let rows = world.rows("SELECT image FROM candidates WHERE removed_at IS NULL").await;
        rows.iter().map(|row| row.text("image").unwrap()).collect()
    };
    let bases: BTreeSet<String> = {
        let rows = world.rows("SELECT image FROM base_versions WHERE image IS NOT NULL AND gone_at IS NULL").await;
        rows.iter().map(|row| row.text("image").unwrap()).collect()
    };
    let services: Vec<String> = {
        let rows = world.rows("SELECT id FROM services").await;
        rows.iter().map(|row| row.text("id").unwrap()).collect()
    };
    let given_up: BTreeSet<String> = {
        let rows = world.rows("SELECT image FROM candidates WHERE gone_at IS NOT NULL").await;
        rows.iter().map(|row| row.text("image").unwrap()).collect()
    };
    let there: BTreeSet<&String> = all.iter().map(|image| &image.id).collect();
    let mut left: Vec<String> =
        named.difference(&given_up).filter(|id| !there.contains(id)).map(|id| format!("a candidate's image {id} is gone")).collect();
    for image in &all {
        let kept = image.repo_tags.iter().any(|tag| KEPT.iter().any(|kept| tag.starts_with(kept)));
        let cache =
            image.repo_tags.iter().any(|tag| services.iter().any(|service| tag.starts_with("berth-cache-") && tag.contains(service)));
        if !kept && !cache && !named.contains(&image.id) && !bases.contains(&image.id) {
            left.push(format!("image {} of {:?}", image.id, image.labels.get("berth.run")));
        }
    }
    left
}

/// Rows that say of something that it goes on, in runs that ended.
async fn rows(world: &World) -> Vec<String> {
    let mut left = Vec::new();
    for table in ["stages", "steps"] {
        let open = format!("SELECT COUNT(*) AS number FROM {table} WHERE state = 'running'");
        if world.number(&open).await > 0 {
            left.push(format!("rows of {table} are left running"));
        }
    }
    let backends = "SELECT COUNT(*) AS number FROM backends b LEFT JOIN targets t ON t.id = b.target_id
                     WHERE t.release_id IS NULL OR b.draining_since IS NOT NULL";
    if world.number(backends).await > 0 {
        left.push("backends of nothing that serves".into());
    }
    // Of what is deleted, nothing may name it any more.
    if !world.berth.on_postgres() {
        for row in world.rows("SELECT \"table\" AS child, parent FROM pragma_foreign_key_check").await {
            left.push(format!("a row of {} belongs to one of {} that is gone", row.text("child").unwrap(), row.text("parent").unwrap()));
        }
    }
    left
}

/// Files of runs, and repositories without a service.
async fn folders(world: &World) -> Vec<String> {
    let data = world.berth.folder.path();
    let known: BTreeSet<String> = {
        let rows = world.rows("SELECT id FROM repositories").await;
        rows.iter().map(|row| format!("{}.git", row.text("id").unwrap())).collect()
    };
    let mut left: Vec<String> = names(&data.join("scratch")).into_iter().map(|name| format!("file scratch/{name}")).collect();
    left.extend(
        names(&data.join("repositories")).into_iter().filter(|name| !known.contains(name)).map(|name| format!("repository {name}")),
    );
    left.extend(names(data).into_iter().filter(|name| name.ends_with(".new")).map(|name| format!("file {name}")));
    left.extend(kept_files(world).await);
    left
}

/// Files that rows say are kept and are not there, and those of services that are not there. One of a step that was cut short is
/// no leftover: it is swept a day later.
async fn kept_files(world: &World) -> Vec<String> {
    let folder = world.berth.folder.path().join("artifacts");
    let rows = world.rows("SELECT service_id, id FROM artifacts").await;
    let gone = rows.iter().map(|row| (row.text("service_id").unwrap(), row.text("id").unwrap()));
    let mut left: Vec<String> = gone
        .filter(|(service, id)| !folder.join(service).join(id).is_file())
        .map(|(_, id)| format!("the kept file {id} is gone"))
        .collect();
    let services: BTreeSet<String> = world.rows("SELECT id FROM services").await.iter().map(|row| row.text("id").unwrap()).collect();
    let strange = names(&folder).into_iter().filter(|service| !services.contains(service));
    left.extend(strange.filter(|service| !names(&folder.join(service)).is_empty()).map(|service| format!("kept files of {service}")));
    left
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// What is planted, and as what it is to be seen.
const PLANTED: [(&str, &str); 13] = [
    ("a container", "container [\"/stray\"]"),
    ("a copy of nothing", "copies run and"),
    ("a network", "network stray"),
    ("a volume", "volume stray"),
    ("an image", "image sha256:"),
    ("a stage under way", "rows of stages are left running"),
    ("a step under way", "rows of steps are left running"),
    ("an instance on the edge", "backends of nothing that serves"),
    ("a file in the making", "file scratch/stray"),
    ("a repository", "repository stray.git"),
    ("half a file", "file stray.new"),
    ("a kept file", "the kept file"),
    ("kept files of a service", "kept files of stray"),
];

#[tokio::test]
async fn every_kind_of_leftover_is_seen_on_the_engine() {
    let mut world = World::new(1).await;
    world.settles().await;
    // Nobody clears up meanwhile.
    world.berth.kill();
    let docker = |words: &str| {
        let done = Command::new("docker").args(words.split(' ')).env("DOCKER_HOST", world.engine.address()).output().unwrap();
        assert!(done.status.success(), "docker {words}: {}", String::from_utf8_lossy(&done.stderr));
    };
    docker(&format!("create --name stray {BUSYBOX} true"));
    docker(&format!("run -d --network none --label berth.slot=0 {BUSYBOX} sleep 1000"));
    docker("network create stray");
    docker("volume create stray");
    docker("commit stray");
    rows_of_nothing(&world).await;
    let data = world.berth.folder.path();
    for folder in ["scratch", "repositories/stray.git", "artifacts/stray"] {
        fs::create_dir_all(data.join(folder)).unwrap();
    }
    for file in ["scratch/stray", "stray.new", "artifacts/stray/file"] {
        fs::write(data.join(file), "").unwrap();
    }
    let found = find(&world).await;
    for (what, seen) in PLANTED {
        assert!(found.iter().any(|line| line.contains(seen)), "{what} is not seen: {found:#?}");
    }
    proof("leaks", &format!("{} kinds of leftovers planted, 0 overlooked", PLANTED.len()));
}

async fn rows_of_nothing(world: &World) {
    let (team, service) = (world.text("SELECT team_id AS text FROM services").await, world.text("SELECT id AS text FROM services").await);
    let target = world.text("SELECT id AS text FROM targets").await;
    let (team, service) = (app::model::TeamId::from_text(team), app::model::ServiceId::from_text(service));
    let db = world.berth.db().await;
    let run = queue::queue(&db, &team, &service, "main").await;
    let row = runs::row(&db, &run).await.unwrap().unwrap();
    let step = app::model::StepId::from_text(world.text("SELECT id AS text FROM steps").await);
    let mut tx = db.begin().await.unwrap();
    for table in ["stages", "steps"] {
        tx.execute(format!("UPDATE {table} SET state = 'running'"), args![]).await.unwrap();
    }
    let target = app::model::TargetId::from_text(target);
    backends::put(&mut tx, &target, 1, "web", 0, ([10, 0, 0, 1], 80).into(), clock::now()).await.unwrap();
    let file = NewArtifact { id: clock::new_id(), path: "out".into(), size: 1, sha256: "a".repeat(64) };
    artifacts::insert(&mut tx, &row, &step, "unit", &[file]).await.unwrap();
    tx.commit().await.unwrap();
    db.close().await;
}
