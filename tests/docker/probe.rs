//! A probe in a service, in a step and in a build says what it sees of itself and what it reaches of the host.

use std::{
    collections::{BTreeMap, HashMap},
    net::UdpSocket,
    process::Command,
    time::Duration,
};

use bollard::{
    models::{ContainerCreateBody, HostConfig, NetworkCreateRequest},
    query_parameters::{CreateContainerOptionsBuilder, LogsOptionsBuilder, RemoveContainerOptionsBuilder},
};
use futures::StreamExt as _;
use server::{
    platform::{Platform as _, Workload},
    wall,
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_util::sync::CancellationToken;

use super::{buildkit, builds, run, step, text, until, workload};
use crate::support::{images, platform::TestPlatform, proof};

/// CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, KILL 5, SETGID 6, SETUID 7, NET_BIND_SERVICE 10 (linux/capability.h).
const BASELINE: &str = "00000000000004eb";
/// What an engine gives a container it is told nothing of.
const ENGINES_OWN: &str = "00000000a80425fb";

/// What a probe says, a word each line: what it is, what it may, what it sees.
const SEES: &str = r#"
echo NoNewPrivs $(awk '/^NoNewPrivs/ {print $2}' /proc/1/status)
echo CapEff $(awk '/^CapEff/ {print $2}' /proc/1/status)
echo Seccomp $(awk '/^Seccomp:/ {print $2}' /proc/1/status)
echo root $(awk '$2 == "/" {print substr($4, 1, 2)}' /proc/mounts)
echo tmp $(awk '$2 == "/tmp" {print $3}' /proc/mounts)
echo memory $(cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null)
echo pids $(cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null)
echo devices $(find /dev -type b | wc -l)
echo sockets $(find / -xdev -name '*.sock' -type s 2>/dev/null | wc -l)
echo mounts $(awk '$3 ~ /^(ext|xfs|btrfs|zfs)/ && $2 !~ /^\/etc\/(resolv.conf|hostname|hosts)$/ {print $2}' /proc/mounts | wc -l)
echo host $(hostname)
"#;

/// What a probe reaches: its gateway and the host by its outward address on this port, and where clouds keep metadata.
fn reaches(host: &str, port: u16) -> String {
    format!(
        "for at in $(ip route | awk '/^default/ {{print $3}}') {host}; do
           (echo hello; sleep 1) | nc -w 3 $at {port} 2>/dev/null | grep -q welcome && echo reached host
         done
         nc -w 2 169.254.169.254 80 </dev/null >/dev/null 2>&1 && echo reached metadata
         echo done probing"
    )
}

fn said(text: &str) -> BTreeMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once(' ')).map(|(key, value)| (key, value.trim())).collect()
}

/// Stands for whatever listens on every address of the host: a console, an engine, a database.
async fn listener() -> u16 {
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let _ = stream.read(&mut [0; 512]).await;
                let _ = stream.write_all(b"welcome\n").await;
            });
        }
    });
    port
}

/// The address the host has towards the outside; nothing is sent.
fn outward() -> String {
    let socket = UdpSocket::bind("0.0.0.0:0").unwrap();
    socket.connect("198.51.100.1:9").unwrap();
    socket.local_addr().unwrap().ip().to_string()
}

async fn in_a_service(platform: &TestPlatform, image: &str, script: &str) -> String {
    let mut asked: Workload = workload(image);
    asked.command = Some(["sh", "-c", &format!("{script}\necho end; exec sleep 1000000")].map(str::to_owned).into());
    platform.ensure(&asked).await.unwrap();
    let found = until("the end of its output", || async {
        let log = text(platform.logs(&asked.id, 1_000, false).await.unwrap()).await;
        log.strip_suffix("end\n").map(str::to_owned)
    })
    .await;
    platform.remove(&asked.id, Duration::ZERO).await.unwrap();
    found
}

async fn in_a_build(platform: &TestPlatform, script: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let exec = serde_json::to_string(&["sh", "-c", script]).unwrap();
    // A line of its own each time: what a build said before is not said again.
    let dockerfile = format!("FROM {}\nENV PROBED={}\nRUN {exec}\n", images::BUSYBOX, folder.path().display());
    let built = builds::make(platform, &builds::build(&folder, &dockerfile), &CancellationToken::new()).await;
    let image = built.result.unwrap_or_else(|error| panic!("{error}: {}", built.text));
    platform.remove_image(&image.id).await.unwrap();
    built.text
}

/// The same on a network that is not Berth's: there the probe reaches what it may not elsewhere.
async fn beside_berth(platform: &TestPlatform, image: &str, script: &str) -> String {
    let engine = images::engine();
    let name = format!("{}-beside", platform.instance);
    let labels: HashMap<String, String> = [("berth.instance".to_owned(), platform.instance.clone())].into();
    let network = NetworkCreateRequest { name: name.clone(), labels: Some(labels.clone()), ..Default::default() };
    engine.create_network(network).await.unwrap();
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        entrypoint: Some(["sh", "-c", script].map(str::to_owned).into()),
        labels: Some(labels),
        host_config: Some(HostConfig { network_mode: Some(name.clone()), ..Default::default() }),
        ..Default::default()
    };
    engine.create_container(Some(CreateContainerOptionsBuilder::default().name(&name).build()), body).await.unwrap();
    engine.start_container(&name, None).await.unwrap();
    until("the probe to end", || async {
        let found = engine.inspect_container(&name, None).await.unwrap();
        (found.state.unwrap().running == Some(false)).then_some(())
    })
    .await;
    let options = LogsOptionsBuilder::default().stdout(true).stderr(true).build();
    let pieces: Vec<_> = engine.logs(&name, Some(options)).map(|piece| piece.unwrap().into_bytes()).collect().await;
    engine.remove_container(&name, Some(RemoveContainerOptionsBuilder::default().force(true).build())).await.unwrap();
    engine.remove_network(&name).await.unwrap();
    String::from_utf8(pieces.concat()).unwrap()
}

/// Puts a container on the engine's default network, and answers with its address there.
async fn on_default_network(platform: &TestPlatform, image: &str) -> String {
    let engine = images::engine();
    let name = format!("{}-neighbour", platform.instance);
    let labels: HashMap<String, String> = [("berth.instance".to_owned(), platform.instance.clone())].into();
    let body = ContainerCreateBody { image: Some(image.to_owned()), labels: Some(labels), ..Default::default() };
    engine.create_container(Some(CreateContainerOptionsBuilder::default().name(&name).build()), body).await.unwrap();
    engine.start_container(&name, None).await.unwrap();
    let networks = engine.inspect_container(&name, None).await.unwrap().network_settings.unwrap().networks.unwrap();
    networks["bridge"].ip_address.clone().unwrap()
}

async fn off_default_network(platform: &TestPlatform) {
    let options = RemoveContainerOptionsBuilder::default().force(true).build();
    images::engine().remove_container(&format!("{}-neighbour", platform.instance), Some(options)).await.unwrap();
}

#[tokio::test]
async fn what_a_probe_sees_of_itself_is_the_profile() {
    let platform = TestPlatform::new();
    let image = images::busybox_image().await;
    let service = in_a_service(&platform, &image, SEES).await;
    let ran = run(&platform, &step(&image, SEES)).await;
    let build = in_a_build(&platform, SEES).await;
    let hardened = [("NoNewPrivs", "1"), ("CapEff", BASELINE), ("Seccomp", "2"), ("memory", "67108864"), ("pids", "512")];
    let nothing = [("devices", "0"), ("sockets", "0"), ("mounts", "0")];
    let of_service = [("root", "ro"), ("tmp", "tmpfs"), ("host", "orders-web-0")];
    let of_step = [("root", "rw"), ("host", "task")];
    // The engine's builder takes limits and a network, and nothing that hardens: its own defaults are what there is.
    let of_build = [("NoNewPrivs", "0"), ("CapEff", ENGINES_OWN), ("Seccomp", "2"), ("memory", "3221225472")];
    let mut facts = 0;
    for (what, found, expected) in [
        ("service", said(&service), [&hardened[..], &nothing, &of_service].concat()),
        ("step", said(&ran.out), [&hardened[..], &nothing, &of_step].concat()),
        ("build", said(&build), [&of_build[..], &nothing].concat()),
    ] {
        for (fact, value) in expected {
            assert_eq!(found.get(fact), Some(&value), "{what}: {fact}");
            facts += 1;
        }
    }
    platform.clean_run(&app::model::RunId::from_text("1")).await.unwrap();
    platform.finish().await;
    let figures = format!("service, step and build probed: {facts} facts as promised (of a build: the engine's own profile), 0 otherwise");
    proof("containers", &figures);
}

#[tokio::test]
async fn a_probe_reaches_nothing_of_the_host() {
    wall::raise().await.unwrap();
    assert_eq!(wall::is_up().await, Ok(true));
    let platform = TestPlatform::new();
    let image = images::busybox_image().await;
    let script = reaches(&outward(), listener().await);
    let beside = beside_berth(&platform, &image, &script).await;
    assert_eq!(beside.matches("reached host").count(), 2, "the probe finds what may be reached: {beside}");
    let service = in_a_service(&platform, &image, &script).await;
    let step = run(&platform, &step(&image, &script)).await.out;
    let build = in_a_build(&platform, &script).await;
    for (what, found) in [("service", service), ("step", step), ("build", build)] {
        let told = found.lines().filter(|line| *line == "reached host" || *line == "reached metadata").count();
        assert!(found.contains("done probing") && told == 0, "{what}: {found}");
    }
    // Not for want of a way there: the wall counted what it dropped.
    let rules = Command::new("nft").args(["list", "table", "inet", "berth"]).output().unwrap().stdout;
    let rules = String::from_utf8(rules).unwrap();
    let metadata = rules.lines().find(|line| line.contains("169.254.0.0/16")).unwrap();
    assert!(!metadata.contains("packets 0 "), "{rules}");
    platform.clean_run(&app::model::RunId::from_text("1")).await.unwrap();
    platform.finish().await;
    proof("wall", "service, step and build: 9 ways to the host's addresses and to metadata tried, 0 open; beside Berth 2 of 2 open");
}

#[tokio::test]
async fn a_probe_reaches_nothing_from_a_build_of_buildkit() {
    let platform = TestPlatform::new();
    let image = images::web_image("a service").await;
    let bridge = platform.default_bridge().await.unwrap().unwrap();
    let service = platform.ensure(&workload(&image)).await.unwrap().address.unwrap();
    // Whatever else is on the engine's default network.
    let beside = on_default_network(&platform, &image).await;
    let ways = format!(
        "{}\nfor at in {service} {beside}; do printf 'GET / HTTP/1.0\\r\\n\\r\\n' | nc -w 3 $at 8080 2>/dev/null | grep -q service && echo reached $at; done; true",
        reaches(&outward(), listener().await)
    );
    let folder = tempfile::tempdir().unwrap();
    let said = async |script: &str| {
        let exec = serde_json::to_string(&["sh", "-c", script]).unwrap();
        let dockerfile = format!("FROM {}\nENV PROBED={}\nRUN {exec}\n", images::BUSYBOX, server::clock::new_id());
        let done = builds::make(&platform, &buildkit::kit(&folder, &dockerfile), &CancellationToken::new()).await;
        let image = done.result.unwrap_or_else(|error| panic!("{error}: {}", done.text));
        platform.remove_image(&image.id).await.unwrap();
        // The command itself is told too, on one line.
        done.text.lines().filter(|line| line.starts_with("reached") || line.starts_with("done")).map(str::to_owned).collect::<Vec<_>>()
    };
    wall::raise_for_builds(&bridge).await.unwrap();
    assert_eq!(wall::is_up_for_builds().await, Ok(true));
    let behind = said(&ways).await;
    assert_eq!(behind, ["done probing"]);
    // Not for want of a way there.
    let down = Command::new("nft").args(["delete", "table", "inet", "berth_builds"]).status().unwrap();
    assert!(down.success());
    let without = said(&ways).await;
    wall::raise_for_builds(&bridge).await.unwrap();
    assert_eq!(without.iter().filter(|line| *line == "reached host").count(), 2, "{without:?}");
    assert!(without.contains(&format!("reached {beside}")), "{without:?}");
    off_default_network(&platform).await;
    platform.remove(&workload(&image).id, Duration::ZERO).await.unwrap();
    platform.clean_run(&app::model::RunId::from_text("1")).await.unwrap();
    platform.finish().await;
    proof(
        "wall before BuildKit",
        "2 addresses of the host, metadata, a team's service, a neighbour: 5 ways tried, 0 open; without the wall 3 open",
    );
}
