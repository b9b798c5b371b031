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
        let mut engine = Self { folder: tempfile::tempdir().unwrap(), bridge: Bridge::new(), child: None };
        engine.start().await;
        engine
    }

    /// Starts it and waits until it answers.
    pub(crate) async fn start(&mut self) {
        let path = |name: &str| self.folder.path().join(name).display().to_string();
        let log = File::options().create(true).append(true).open(path("log")).unwrap();
        let mut command = Command::new("dockerd");
        // The machine's own rules are left alone: its other engine has written them.
        command.args([
            "--bridge",
            &self.bridge.0,
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
struct Bridge(String);

impl Bridge {
    fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = (std::process::id() + 4099 * COUNT.fetch_add(1, Ordering::Relaxed)) % 8192;
        let bridge = Self(format!("bt-{number}"));
        let address = format!("10.203.{}.{}/29", number / 32, number % 32 * 8 + 1);
        bridge.ip(&["link", "add", "name", &bridge.0, "type", "bridge"]);
        bridge.ip(&["address", "add", &address, "dev", &bridge.0]);
        bridge
    }

    fn ip(&self, arguments: &[&str]) {
        let done = Command::new("ip").args(arguments).output().expect("ip is on the PATH; `make` sets it up");
        assert!(done.status.success(), "the bridge {}: {}", self.0, String::from_utf8_lossy(&done.stderr));
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["link", "delete", &self.0]).status();
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
