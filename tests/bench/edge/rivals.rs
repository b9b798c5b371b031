//! Other proxies, set up to do what the edge does: kept connections on both sides, the same fields set, nothing stored, one
//! thread. nginx is measured where it is there; the others where their programs are named (`PEER_HAPROXY=/usr/sbin/haproxy`).

use std::{fs, net::SocketAddr, path::Path, process::Command};

use super::cpu::HOST;
use crate::method::pinned;

/// A proxy to be compared with.
pub(super) struct Rival {
    pub(super) name: &'static str,
    /// The variable that names its program.
    variable: &'static str,
    /// Its program where the variable is not set.
    usual: Option<&'static str>,
    /// Writes its settings into a folder, and says with which words it is started.
    set_up: fn(&Path, SocketAddr, SocketAddr) -> Vec<String>,
    /// What the edge may cost at the most, as a multiple of it.
    pub(super) budget: Option<f64>,
}

/// All that are known.
pub(super) const RIVALS: [Rival; 3] = [
    Rival { name: "nginx", variable: "PEER_NGINX", usual: Some("nginx"), set_up: nginx, budget: Some(1.5) },
    Rival { name: "HAProxy", variable: "PEER_HAPROXY", usual: None, set_up: haproxy, budget: None },
    Rival { name: "Caddy", variable: "PEER_CADDY", usual: None, set_up: caddy, budget: None },
];

impl Rival {
    /// How it is started, listening at the address, on the core of what is measured; none where no program is named.
    pub(super) fn command(&self, folder: &Path, address: SocketAddr, service: SocketAddr) -> Option<Command> {
        let program = std::env::var(self.variable).ok().or_else(|| self.usual.map(ToOwned::to_owned));
        let Some(program) = program else {
            eprintln!("bench: {} is not compared; name its program with {}", self.name, self.variable);
            return None;
        };
        let words = (self.set_up)(folder, address, service);
        let mut command = pinned(0, program);
        command.args(words).env("HOME", folder).env("GOMAXPROCS", "1").current_dir(folder);
        Some(command)
    }
}

fn write(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).expect("the folder takes a file");
    path.display().to_string()
}

fn nginx(folder: &Path, address: SocketAddr, service: SocketAddr) -> Vec<String> {
    let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(|kind| format!("{kind}_temp_path tmp;")).concat();
    let fields = [
        ("Connection", "''"),
        ("Host", "$host"),
        ("X-Forwarded-For", "$remote_addr"),
        ("X-Forwarded-Proto", "$scheme"),
        ("X-Forwarded-Host", "$host"),
        ("X-Real-IP", "$remote_addr"),
        ("Forwarded", "'for=$remote_addr;host=\"$host\";proto=$scheme'"),
        ("X-Request-Id", "$request_id"),
    ];
    let fields = fields.map(|(name, value)| format!("proxy_set_header {name} {value}; ")).concat();
    let text = format!(
        "daemon off; master_process off; pid pid; error_log stderr crit;\nevents {{ worker_connections 4096; }}\nhttp {{ {temporary}\n\
         access_log off; keepalive_requests 1000000000; upstream service {{ server {service}; keepalive 64; keepalive_requests 1000000000; }}\n\
         server {{ listen {address}; server_name {HOST}; location / {{ proxy_pass http://service; proxy_http_version 1.1;\n\
         proxy_buffering off; add_header X-Request-Id $request_id; {fields} }} }} }}\n"
    );
    write(folder, "nginx.conf", &text);
    vec!["-p".into(), folder.display().to_string(), "-c".into(), "nginx.conf".into(), "-e".into(), "stderr".into()]
}

fn haproxy(folder: &Path, address: SocketAddr, service: SocketAddr) -> Vec<String> {
    let text = format!(
        "global\n  nbthread 1\n  maxconn 4096\n\
         defaults\n  mode http\n  timeout connect 3s\n  timeout client 60s\n  timeout server 60s\n  http-reuse always\n\
         frontend edge\n  bind {address}\n  unique-id-format %[uuid()]\n  unique-id-header X-Request-Id\n\
         \x20 acl known hdr(host) -i {HOST}\n  use_backend service if known\n\
         backend service\n  option forwardfor\n  http-request set-header X-Forwarded-Proto http\n\
         \x20 http-request set-header X-Forwarded-Host %[req.hdr(host)]\n  http-request set-header X-Real-IP %[src]\n\
         \x20 http-request set-header Forwarded for=%[src];host=\\\"%[req.hdr(host)]\\\";proto=http\n\
         \x20 http-response set-header X-Request-Id %[unique-id]\n  server one {service}\n"
    );
    vec!["-f".into(), write(folder, "haproxy.cfg", &text), "-db".into()]
}

fn caddy(folder: &Path, address: SocketAddr, service: SocketAddr) -> Vec<String> {
    let text = format!(
        "{{\n  admin off\n  auto_https off\n  log {{\n    output discard\n  }}\n}}\n\
         http://{HOST}:{} {{\n  bind {}\n  header X-Request-Id {{http.request.uuid}}\n  reverse_proxy {service} {{\n\
         \x20   header_up X-Real-IP {{remote_host}}\n    header_up X-Request-Id {{http.request.uuid}}\n\
         \x20   header_up Forwarded \"for={{remote_host}};host={{host}};proto=http\"\n  }}\n}}\n",
        address.port(),
        address.ip()
    );
    vec!["run".into(), "--adapter".into(), "caddyfile".into(), "--config".into(), write(folder, "Caddyfile", &text)]
}
