use std::time::Duration;

use app::model::EnvironmentId;
use serde_json::Value;

use super::*;
use crate::platform::{CacheMount, Network};

/// Texts that would ask for the host, had they a way to.
const NASTY: &[&str] = &[
    "",
    "/",
    "--privileged",
    "/var/run/docker.sock:/var/run/docker.sock",
    "host",
    "container:other",
    "../../etc",
    "a\nb",
    "SYS_ADMIN",
    "seccomp=unconfined",
    "{\"Privileged\":true}",
    "type=bind,source=/,target=/host",
];

fn workload(text: &str, profile: Profile) -> Workload {
    let team = TeamId::from_text(text);
    Workload {
        id: WorkloadId { team: team.clone(), target: TargetId::from_text(text), release: 12, process: text.into(), slot: 3 },
        fence: 7,
        service: "orders".parse().unwrap(),
        image: text.into(),
        command: Some(vec![text.into()]),
        env: [(text.to_owned(), text.to_owned())].into(),
        writable: vec!["/var/cache/app".into()],
        limits: Limits::default(),
        profile,
        network: Network::Target { team, environment: EnvironmentId::from_text(text) },
    }
}

fn step(text: &str, profile: Profile, writable_root: bool) -> Task {
    let (team, run) = (TeamId::from_text(text), RunId::from_text(text));
    Task {
        name: text.into(),
        team: team.clone(),
        run: Some(run.clone()),
        image: text.into(),
        command: vec![text.into()],
        alias: None,
        env: [(text.to_owned(), text.to_owned())].into(),
        workspace: Some((Workspace { run, team }, "/workspace/src".into())),
        caches: vec![CacheMount { id: CacheId::from_text(text), path: "/kept".into() }],
        limits: Limits::default(),
        profile,
        network: Network::None,
        writable_root,
        writable: vec!["/data".into()],
        timeout: Duration::from_secs(1),
    }
}

fn image(user: &str) -> ImageInfo {
    ImageInfo { id: "sha256:abc".into(), size: 1, ports: vec![], volumes: vec![], user: user.into(), triggers: vec![] }
}

const ON: Place<'static> = Place::On { name: "berth-x-net", id: "0123" };

/// Every specification that any input leads to.
fn all() -> Vec<(Profile, Value)> {
    let mut all = Vec::new();
    for text in NASTY {
        for profile in [Profile::Baseline, Profile::Restricted] {
            for user in ["", "root", "0:0", "1000", "app", text] {
                all.push((profile, copy("x", &workload(text, profile), &image(user), ON).unwrap()));
                for writable in [true, false] {
                    all.push((profile, task("x", &step(text, profile, writable), &image(user), Place::Nowhere).unwrap()));
                    let beside = Task { alias: Some((*text).to_owned()), command: Vec::new(), ..step(text, profile, writable) };
                    all.push((profile, task("x", &beside, &image(user), ON).unwrap()));
                }
            }
        }
        let workspace = Workspace { run: RunId::from_text(*text), team: TeamId::from_text(*text) };
        all.push((Profile::Restricted, helper("x", &workspace, workspace_name("x", &workspace.run), "berth-empty:1").unwrap()));
    }
    all
}

/// Nothing but these keys is ever sent: no `Privileged`, `Binds`, `Devices`, `PidMode`, `UsernsMode`, `Sysctls`, `Runtime`,
/// `VolumesFrom`, `PortBindings`, `CgroupParent`, `ExtraHosts`, `OomKillDisable`, `MaskedPaths` …
#[test]
fn no_field_exists_that_weakens() {
    let top = ["Image", "Hostname", "Env", "Labels", "Healthcheck", "HostConfig", "Entrypoint", "User", "WorkingDir", "NetworkingConfig"];
    for (_, spec) in all() {
        for key in spec.as_object().unwrap().keys() {
            assert!(top.contains(&key.as_str()), "{key}");
        }
        for key in spec["HostConfig"].as_object().unwrap().keys() {
            assert!(OF_THE_HOST.contains(&key.as_str()), "{key}");
        }
        // A name on its own network, and nothing else of how it is connected.
        let alias = spec["NetworkingConfig"]["EndpointsConfig"]["0123"]["Aliases"][0].clone();
        assert!(
            spec.get("NetworkingConfig").is_none_or(|all| *all == json!({ "EndpointsConfig": { "0123": { "Aliases": [alias] } } })),
            "{spec}"
        );
    }
}

#[test]
fn every_specification_is_hardened() {
    for (profile, spec) in all() {
        let host = &spec["HostConfig"];
        assert_eq!(host["SecurityOpt"], json!(["no-new-privileges:true"]));
        assert_eq!(host["CapDrop"], json!(["ALL"]));
        assert_eq!(host["RestartPolicy"]["Name"], "no");
        assert_eq!(host["IpcMode"], "private");
        assert_eq!(host["CgroupnsMode"], "private");
        assert!(host["Memory"].as_i64().unwrap() > 0);
        assert_eq!(host["Memory"], host["MemorySwap"], "no swap");
        assert!(host["NanoCpus"].as_i64().unwrap() > 0);
        assert!(host["PidsLimit"].as_i64().unwrap() > 0);
        assert_eq!(host["LogConfig"], json!({ "Type": "json-file", "Config": { "max-size": "10m", "max-file": "3" } }));
        assert!(host["NetworkMode"] == "0123" || host["NetworkMode"] == "none");
        for mount in host["Mounts"].as_array().unwrap() {
            assert_eq!(mount["Type"], "volume");
            for key in mount.as_object().unwrap().keys() {
                assert!(["Type", "Source", "Target", "VolumeOptions"].contains(&key.as_str()), "{key}");
            }
            for key in mount.get("VolumeOptions").into_iter().flat_map(|options| options.as_object().unwrap().keys()) {
                assert!(["NoCopy", "Labels"].contains(&key.as_str()), "no driver and no driver options: {key}");
            }
            let own = |source: &Value| ["berth-x-workspace-", "berth-x-cache-"].iter().any(|own| source.as_str().unwrap().starts_with(own));
            assert!(mount.get("Source").is_none_or(own), "{mount}");
        }
        for options in host["Tmpfs"].as_object().unwrap().values() {
            assert!(options.as_str().unwrap().contains("nosuid,nodev"));
        }
        match profile {
            Profile::Baseline => assert_eq!(host["CapAdd"], json!(BASELINE_CAPABILITIES)),
            Profile::Restricted => {
                assert!(host.get("CapAdd").is_none());
                let user = spec["User"].as_str().unwrap();
                assert!(user.split(':').all(|number| number.parse::<u32>().unwrap() != 0), "{user}");
            }
        }
    }
}

#[test]
fn services_have_a_read_only_root_and_steps_a_writable_one() {
    let service = copy("x", &workload("t", Profile::Baseline), &image(""), ON).unwrap();
    assert_eq!(service["HostConfig"]["ReadonlyRootfs"], true);
    let tmpfs: Vec<_> = service["HostConfig"]["Tmpfs"].as_object().unwrap().keys().collect();
    assert_eq!(tmpfs, ["/tmp", "/run", "/var/tmp"]);
    assert_eq!(service["HostConfig"]["Mounts"][0]["Target"], "/var/cache/app");
    let other = copy("x", &workload("t", Profile::Baseline), &image("app"), ON).unwrap();
    assert!(other["HostConfig"]["Tmpfs"]["/var/cache/app"].is_string(), "not root: a volume would belong to root");
    let step = task("x", &step("t", Profile::Baseline, true), &image(""), Place::Nowhere).unwrap();
    assert_eq!(step["HostConfig"]["ReadonlyRootfs"], false);
    assert_eq!(step["WorkingDir"], "/workspace/src");
    assert_eq!(step["HostConfig"]["Mounts"][0]["Source"], "berth-x-workspace-t");
}

#[test]
fn writable_paths_are_paths() {
    let with = |path: &str| {
        let mut workload = workload("t", Profile::Baseline);
        workload.writable = vec![path.into()];
        // A cache of a step is put at a path like these, or nowhere.
        let step =
            Task { caches: vec![CacheMount { id: CacheId::from_text("c"), path: path.into() }], ..step("t", Profile::Baseline, true) };
        let both = [copy("x", &workload, &image(""), ON), task("x", &step, &image(""), ON)];
        assert_eq!(both[0].is_ok(), both[1].is_ok(), "{path}");
        both.into_iter().next().unwrap()
    };
    for good in ["/data", "/var/lib/app/", "/tmp", "/procession", "/a b"] {
        with(good).unwrap_or_else(|error| panic!("{good}: {error}"));
    }
    for bad in ["", "/", "data", "/a/../b", "/a//b", "/proc", "/proc/sys", "/sys/fs", "/dev/shm", "/a:/b", "/a,b", "/a\nb", "."] {
        assert!(matches!(with(bad), Err(PlatformError::Refused(_))), "{bad}");
    }
}

#[test]
fn labels_say_which_copy_it_is() {
    let workload = workload("t", Profile::Baseline);
    let spec = copy("x", &workload, &image(""), ON).unwrap();
    let labels = serde_json::from_value(spec["Labels"].clone()).unwrap();
    assert_eq!(read_labels(&labels), Some((workload.id.clone(), 7)));
    assert_eq!(labels[INSTANCE], "x");
    assert_eq!(labels[NETWORK], "berth-x-net");
    assert_eq!(copy_name("x", &workload.id), "berth-x-t-r12-t-3");
}

#[test]
fn restricted_is_never_root() {
    for (of_image, is) in [
        ("", NOBODY),
        ("root", NOBODY),
        ("0", NOBODY),
        ("00", NOBODY),
        ("0:1000", NOBODY),
        ("app", NOBODY),
        ("1000", "1000:1000"),
        ("1000:0", "1000:1000"),
        ("1000:2000", "1000:2000"),
        ("-1", NOBODY),
    ] {
        assert_eq!(user(Profile::Restricted, of_image).as_deref(), Some(is), "{of_image}");
        assert_eq!(user(Profile::Baseline, of_image), None);
    }
}
