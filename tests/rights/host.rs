//! Ways to ask for the host, through everything that takes a file, an image, a variable or a number from outside. Each is
//! refused with a sentence, or means nothing: what the engine is asked for in the end has no part of the host in it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use server::platform::{
    ImageInfo,
    container::{self, Place},
    fake::Behaviour,
};

use crate::{
    git::Copy,
    support::{
        app::{Client, TestApp},
        berth::until,
        proof,
    },
};

/// What is put into `processes.web`, a step, the service or beside it.
const IN_THE_FILE: &[(&str, &str)] = &[
    ("web", "privileged: true"),
    ("web", "volumes: [\"/:/host\"]"),
    ("web", "mounts: [{ type: bind, source: /, target: /host }]"),
    ("web", "devices: [\"/dev/sda\"]"),
    ("web", "cap_add: [SYS_ADMIN]"),
    ("web", "security_opt: [\"seccomp=unconfined\"]"),
    ("web", "network_mode: host"),
    ("web", "pid: host"),
    ("web", "ipc: host"),
    ("web", "userns_mode: host"),
    ("web", "cgroup_parent: /"),
    ("web", "sysctls: { kernel.core_pattern: \"|/x\" }"),
    ("web", "runtime: runc"),
    ("web", "user: \"0:0\""),
    ("web", "volumes_from: [other]"),
    ("web", "writable: [\"/proc/sys\"]"),
    ("web", "writable: [\"/sys/fs/cgroup\"]"),
    ("web", "writable: [\"/dev/mem\"]"),
    ("web", "writable: [\"/x,source=/,type=bind\"]"),
    ("web", "writable: [\"/x:/y\"]"),
    ("web", "writable: [\"../../etc\"]"),
    ("web", "writable: [\"/var/../proc\"]"),
    ("web", "port: 0"),
    ("step", "privileged: true"),
    ("step", "network: host"),
    ("step", "network: \"container:other\""),
    ("step", "volumes: [\"/var/run/docker.sock:/var/run/docker.sock\"]"),
    ("step", "docker: true"),
    ("step", "caches: [\"../../var/run\"]"),
    ("step", "caches: [\"/var/run/docker.sock\"]"),
    ("step", "env: { DOCKER_HOST: \"unix:///var/run/docker.sock\", LD_PRELOAD: /x.so }"),
    ("service", "image: { dockerfile: ../../etc/passwd }"),
    ("service", "image: { dockerfile: /etc/passwd }"),
    ("service", "image: { target: \"--security=insecure\" }"),
    ("service", "image: { args: { BUILDKIT_SYNTAX: evil/frontend } }"),
    ("service", "image: { network: host }"),
    ("service", "path: ../other"),
    ("service", "path: linked"),
    ("service", "release: [\"mount\", \"/dev/sda\", \"/mnt\"]"),
    ("image", "--privileged"),
    ("image", "-v/:/host"),
    ("image", "shell --pid=host"),
    ("image", "/etc/passwd"),
    ("image", "file:///etc/passwd"),
];

/// Dockerfiles that ask the builder for more than a build.
const DOCKERFILES: &[&str] = &[
    "# syntax=evil.example/frontend\nFROM shell\n",
    "# escape=`\n# syntax=docker/dockerfile:experimental\nFROM shell\nRUN --security=insecure id\n",
    "FROM shell\nRUN --mount=type=bind,source=/,target=/host,rw id\nRUN --network=host id\n",
    "FROM shell\nCOPY linked /x\nADD ../../etc/shadow /y\nVOLUME /proc\n",
];

fn file(place: &str, text: &str) -> String {
    let image = if place == "image" { text } else { "shell" };
    let step = if place == "step" { format!(", {text}") } else { String::new() };
    let service = if place == "service" { format!("    {text}\n") } else { String::new() };
    let web = if place == "web" { format!("        {text}\n") } else { String::new() };
    format!(
        "version: 1\nservices:\n  hello:\n    stages:\n      - name: fast\n        steps:\n          - {{ name: unit, image: \"{image}\", run: [id]{step} }}\n{service}    processes:\n      web:\n        drain: 1s\n{web}"
    )
}

/// Holds that a container has nothing of the host.
fn harmless(spec: &Value) {
    let host = spec["HostConfig"].as_object().unwrap();
    for (name, value) in host {
        let kernel = |path: &str| ["/proc", "/sys", "/dev", "/var/run"].iter().any(|of| path.starts_with(of));
        let fine = match name.as_str() {
            "NetworkMode" => *value == "its-network" || *value == "none",
            "SecurityOpt" => *value == json!(["no-new-privileges:true"]),
            "CapDrop" => *value == json!(["ALL"]),
            "CapAdd" => !value.to_string().contains("SYS_") && !value.to_string().contains("NET_ADMIN"),
            "IpcMode" | "CgroupnsMode" => *value == "private",
            "Tmpfs" => value.as_object().unwrap().keys().all(|path| !kernel(path)),
            "Mounts" => value.as_array().unwrap().iter().all(|mount| {
                let source = mount["Source"].as_str().unwrap_or_default();
                mount["Type"] == "volume"
                    && !source.contains('/')
                    && mount["VolumeOptions"]["DriverConfig"].is_null()
                    && !kernel(mount["Target"].as_str().unwrap())
            }),
            other => container::OF_THE_HOST.contains(&other),
        };
        assert!(fine, "{name}: {value}");
    }
}

/// The specifications of everything that was asked of the engine so far.
fn specifications(app: &TestApp) -> Vec<Value> {
    let image =
        ImageInfo { id: "sha256:1".into(), size: 1, ports: Vec::new(), volumes: Vec::new(), user: String::new(), triggers: Vec::new() };
    let place = Place::On { name: "net", id: "its-network" };
    let copies = app.fake.ensured().iter().map(|copy| container::copy("i", copy, &image, place)).collect::<Vec<_>>();
    let tasks = app.fake.tasks().iter().map(|task| container::task("i", task, &image, place)).collect::<Vec<_>>();
    // What the builder itself refuses is never asked for.
    copies.into_iter().chain(tasks).flatten().collect()
}

async fn pushed(app: &TestApp, owner: &Client, number: u64, write: impl FnOnce(&Copy)) -> Value {
    let copy = Copy::at(&format!("http://x:{}@{}/git/a/hello.git", owner.secret(), app.berth.console)).await;
    std::os::unix::fs::symlink("/etc", copy.path().join("linked")).unwrap();
    write(&copy);
    copy.commit("Ask").await;
    copy.good(&["push", "-q", "-f", "-o", "no-wait", "berth", "HEAD:main"]).await;
    until("the run ends", async || {
        let run = owner.get(&format!("/teams/a/services/hello/runs/{number}")).await;
        let ended = run.status == 200 && !["queued", "running"].contains(&run.body["state"].as_str().unwrap());
        ended.then_some(run.body)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_of_asking_leads_to_the_host() {
    let app = TestApp::new().await.with_team("a").await;
    let owner = app.client("owner@a.test").await;
    app.fake.set_image("shell", Behaviour::default());
    owner.post("/teams/a/services", json!({"name": "hello", "environments": ["dev"]})).await.is(201);
    let (mut refused, mut meant_nothing, mut number) = (0, 0, 0);
    for (place, text) in IN_THE_FILE {
        let file = file(place, text);
        let lint = owner.text("/lint", &file).await.is(200);
        if let Some(problem) = lint["problems"].as_array().unwrap().first() {
            assert!(problem["sentence"].as_str().unwrap().len() > 20 && problem["line"].as_u64() > Some(1), "{text}: {problem}");
            refused += 1;
            continue;
        }
        number += 1;
        pushed(&app, &owner, number, |copy| {
            copy.write("berth.yaml", &file);
            copy.write("Dockerfile", "FROM shell\n");
        })
        .await;
        meant_nothing += 1;
    }
    for dockerfile in DOCKERFILES {
        number += 1;
        pushed(&app, &owner, number, |copy| copy.write("Dockerfile", dockerfile)).await;
        meant_nothing += 1;
    }
    // A Dockerfile and a pipeline file that are links out of the repository.
    for name in ["Dockerfile", "berth.yaml"] {
        number += 1;
        let run = pushed(&app, &owner, number, |copy| {
            copy.write("Dockerfile", "FROM shell\n");
            let _ = std::fs::remove_file(copy.path().join(name));
            std::os::unix::fs::symlink("/etc/passwd", copy.path().join(name)).unwrap();
        })
        .await;
        assert!(!run.to_string().contains("root:x:"), "{run}");
        meant_nothing += 1;
    }
    let target = "/teams/a/services/hello/targets/dev";
    for image in [
        "--privileged",
        "-v/:/host",
        "shell --pid=host",
        "/etc/passwd",
        "file:///etc",
        "unix:///var/run/docker.sock",
        "../x",
        "x\n--privileged",
        "x\0y",
    ] {
        owner.post(&format!("{target}/actions/deploy"), json!({ "image": image })).await.refused(422, "invalid_image");
        refused += 1;
    }
    for replicas in [json!({"web --privileged": 1}), json!({"web": 4_000_000_000_u32}), json!({"../x": 1})] {
        let answer = owner.post(&format!("{target}/actions/scale"), json!({ "replicas": replicas })).await;
        assert!([409, 422].contains(&answer.status), "{}", answer.text);
        refused += 1;
    }
    for (name, value) in
        [("A\n--privileged", "x"), ("--volume", "/:/host"), ("A=B", "x"), ("BERTH_TEAM", "other"), ("A", "x\0y"), ("a b", "x")]
    {
        let set: BTreeMap<_, _> = [(name, value)].into();
        owner.send("PATCH", &format!("{target}/config"), Some(&json!({ "set": set }))).await.refused(422, "invalid_variable");
        refused += 1;
    }
    let specs = specifications(&app);
    assert!(specs.len() > 5, "steps and instances were asked for: {}", specs.len());
    specs.iter().for_each(harmless);
    assert!(meant_nothing + refused >= 60, "{meant_nothing} {refused}");
    let figures = format!(
        "{} ways: {refused} refused, {meant_nothing} mean nothing, 0 of {} containers have anything of the host",
        refused + meant_nothing,
        specs.len()
    );
    proof("asking for the host", &figures);
}
