//! Servers of others behind the edge: each reads a request in its own way, and notes the first line of every one it sees.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::edge::support::Backend;

/// A server that notes what reaches it.
pub(super) enum Service {
    /// Our own, which knows nothing but the standard.
    Strict(Backend),
    /// A program of somebody else's, with its log.
    Program { name: &'static str, child: Child, log: PathBuf, address: SocketAddr, _folder: tempfile::TempDir },
}

impl Drop for Service {
    fn drop(&mut self) {
        if let Self::Program { child, .. } = self {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Service {
    pub(super) async fn strict() -> Self {
        Self::Strict(Backend::saying("ok").await)
    }

    pub(super) fn nginx() -> Option<Self> {
        let conf = |log: &Path, address: SocketAddr| {
            let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path tmp;")).concat();
            format!(
                "daemon off; master_process off; pid pid; error_log stderr crit;\nevents {{}}\nhttp {{ {temporary}\n\
                 log_format line '$request'; access_log {} line; underscores_in_headers on; keepalive_requests 100000;\n\
                 server {{ listen {address}; location / {{ return 200 ok; }} }} }}\n",
                log.display()
            )
        };
        let program = std::env::var("PEER_NGINX").unwrap_or_else(|_| "nginx".to_owned());
        Self::program("nginx", &program, |folder, log, address| {
            fs::write(folder.join("nginx.conf"), conf(log, address)).unwrap();
            vec!["-p".into(), folder.display().to_string(), "-c".into(), "nginx.conf".into(), "-e".into(), "stderr".into()]
        })
    }

    pub(super) fn python() -> Option<Self> {
        Self::script("python3", "service.py", include_str!("service.py"))
    }

    pub(super) fn node() -> Option<Self> {
        Self::script("node", "service.js", include_str!("service.js"))
    }

    fn script(program: &'static str, file: &str, text: &str) -> Option<Self> {
        Self::program(program, program, |folder, log, address| {
            fs::write(folder.join(file), text).unwrap();
            vec![folder.join(file).display().to_string(), address.port().to_string(), log.display().to_string()]
        })
    }

    /// Starts a program with these arguments and waits until it listens; none where this machine does not have it.
    fn program(name: &'static str, program: &str, arguments: impl FnOnce(&Path, &Path, SocketAddr) -> Vec<String>) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let log = folder.path().join("requests.log");
        let arguments = arguments(folder.path(), &log, address);
        let child = Command::new(program).args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn().ok()?;
        let service = Self::Program { name, child, log, address, _folder: folder };
        let began = Instant::now();
        while std::net::TcpStream::connect(address).is_err() {
            assert!(began.elapsed() < Duration::from_secs(20), "{name} does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        Some(service)
    }

    pub(super) fn name(&self) -> &'static str {
        match self {
            Self::Strict(_) => "strict",
            Self::Program { name, .. } => name,
        }
    }

    pub(super) fn address(&self) -> SocketAddr {
        match self {
            Self::Strict(backend) => backend.address,
            Self::Program { address, .. } => *address,
        }
    }

    /// The first lines of the requests that arrived.
    pub(super) fn arrived(&self) -> Vec<String> {
        match self {
            Self::Strict(backend) => backend.seen.lock().unwrap().iter().map(|seen| seen.request_line().to_owned()).collect(),
            Self::Program { log, .. } => {
                String::from_utf8_lossy(&fs::read(log).unwrap_or_default()).lines().map(ToOwned::to_owned).collect()
            }
        }
    }
}
