//! A container engine of a test's own: it can be stopped, killed and frozen without hurting anybody.

use std::{
    fs::{self, File},
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use bollard::Docker;
use tempfile::TempDir;

use super::berth::within;

/// A private `dockerd` with a containerd, images and networks of its own.
pub(crate) struct Engine {
    folder: TempDir,
    bridge: Bridge,
    child: Option<Child>,
}

impl Engine {
    /// A fresh one that answers.
    pub(crate) async fn new() -> Self {
        Self::on(Bridge::new(None)).await
    }

    /// A fresh one on a host of its own: a network namespace, so that no address of its containers is one of another engine's. Its
    /// containers reach nothing else.
    pub(crate) async fn elsewhere() -> Self {
        Self::on(Bridge::new(Some(Namespace::new()))).await
    }

    async fn on(bridge: Bridge) -> Self {
        let mut engine = Self { folder: tempfile::tempdir().unwrap(), bridge, child: None };
        engine.start().await;
        engine
    }

    /// Starts it and waits until it answers.
    pub(crate) async fn start(&mut self) {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let log = File::options().create(true).append(true).open(path("log")).unwrap();
        let mut command = match &self.bridge.namespace {
            // `ip netns exec` would hide the cgroups from it.
            Some(Namespace(name)) => {
                let mut command = Command::new("nsenter");
                command.args([&format!("--net=/var/run/netns/{name}"), "dockerd"]);
                command
            }
            None => Command::new("dockerd"),
        };
        // The machine's own rules are left alone: its other engine has written them.
        command.args([
            "--bridge",
            &self.bridge.name,
            "--iptables=false",
            "--ip-masq=false",
            "--ip-forward=false",
            "--storage-driver=overlay2",
        ]);
        command.args(["--data-root", &path("data"), "--exec-root", &path("run"), "--pidfile", &path("pid")]);
        command.args(["-H", &self.address()]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        self.child = Some(command.spawn().expect("dockerd is on the PATH; `make` sets it up"));
        let said = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
        let answers = async || self.client().ok()?.ping().await.ok().map(drop);
        if tokio::time::timeout(Duration::from_secs(40), within(Duration::from_secs(60), "the engine answers", answers)).await.is_err() {
            panic!("the engine does not start: {}", said());
        }
    }

    /// Its address.
    pub(crate) fn address(&self) -> String {
        format!("unix://{}", self.folder.path().join("sock").display())
    }

    /// A client of it.
    pub(crate) fn docker(&self) -> Docker {
        self.client().unwrap()
    }

    fn client(&self) -> Result<Docker, bollard::errors::Error> {
        Docker::connect_with_unix(&self.address(), 60, bollard::API_DEFAULT_VERSION)
    }

    fn signal(&self, name: &str) {
        let id = self.child.as_ref().unwrap().id().to_string();
        assert!(Command::new("kill").args([name, &id]).status().unwrap().success());
    }

    /// Stops it in good order, and with it every container.
    pub(crate) fn stop(&mut self) {
        self.signal("-TERM");
        self.child.take().unwrap().wait().unwrap();
    }

    /// Freezes it: it is there, and answers nothing.
    pub(crate) fn freeze(&self) {
        self.signal("-STOP");
    }

    /// Lets it go on.
    pub(crate) fn thaw(&self) {
        self.signal("-CONT");
    }
}

/// The bridge it calls its default one. Told to have none, an engine removes `docker0`, which is the other engine's.
struct Bridge {
    name: String,
    namespace: Option<Namespace>,
}

/// A number that no other test has now.
fn number() -> u32 {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    (std::process::id() + 4099 * COUNT.fetch_add(1, Ordering::Relaxed)) % 8192
}

fn ip(arguments: &[&str]) {
    let done = Command::new("ip").args(arguments).output().expect("ip is on the PATH; `make` sets it up");
    assert!(done.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
}

impl Bridge {
    fn new(namespace: Option<Namespace>) -> Self {
        let number = number();
        let bridge = Self { name: format!("bt-{number}"), namespace };
        let address = format!("10.203.{}.{}/29", number / 32, number % 32 * 8 + 1);
        bridge.ip(&["link", "add", "name", &bridge.name, "type", "bridge"]);
        bridge.ip(&["address", "add", &address, "dev", &bridge.name]);
        bridge
    }

    fn ip(&self, arguments: &[&str]) {
        let there: Vec<&str> = self.namespace.iter().flat_map(|Namespace(name)| ["-n", name.as_str()]).collect();
        ip(&[&there, arguments].concat());
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        if self.namespace.is_none() {
            let _ = Command::new("ip").args(["link", "delete", &self.name]).status();
        }
    }
}

/// A network namespace; gone with whatever is in it when it is dropped.
struct Namespace(String);

impl Namespace {
    fn new() -> Self {
        let namespace = Self(format!("bt-{}-{}", std::process::id(), number()));
        ip(&["netns", "add", &namespace.0]);
        ip(&["-n", &namespace.0, "link", "set", "lo", "up"]);
        namespace
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.0]).status();
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if self.child.is_none() {
            return;
        }
        self.thaw();
        // Its networks would outlive it, and their routes stand in the way of the next.
        let clear = "for c in $(docker ps -aq); do docker rm -f -v $c; done; docker network prune -f";
        let _ =
            Command::new("sh").args(["-c", clear]).env("DOCKER_HOST", self.address()).stdout(Stdio::null()).stderr(Stdio::null()).status();
        self.stop();
    }
}
