//! What a Berth is told at its start: flags, `BERTH_…` variables and a file, in this order of weight.

use std::{net::SocketAddr, path::PathBuf};

use clap::Args;
use serde::Deserialize;

/// Every setting of `berth serve`. A flag wins over its variable, a variable over the file.
#[derive(Args, Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Address of console and API [default: 127.0.0.1:8080]
    #[arg(long, env = "BERTH_LISTEN", value_name = "ADDRESS")]
    pub listen: Option<SocketAddr>,
    /// Address of the edge, which serves the teams' services [default: 0.0.0.0:8000]
    #[arg(long, env = "BERTH_EDGE_LISTEN", value_name = "ADDRESS")]
    pub edge_listen: Option<SocketAddr>,
    /// Folder for the database, repositories, keys and the edge's last table [default: ./data, as root /var/lib/berth]
    #[arg(long, env = "BERTH_DATA", value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Database: `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME` [default: sqlite in the data folder]
    #[arg(long, env = "BERTH_DATABASE", value_name = "URL", hide_env_values = true)]
    pub database: Option<String>,
    /// Domain under which services get their addresses [default: localhost]
    #[arg(long, env = "BERTH_DOMAIN", value_name = "DOMAIN")]
    pub domain: Option<String>,
    /// Address people reach the console under, for links [default: http://LISTEN]
    #[arg(long, env = "BERTH_URL", value_name = "URL")]
    pub url: Option<String>,
    /// The container engine: `unix://…` or `tcp://…` [default: as the docker command finds it]
    #[arg(long, env = "BERTH_DOCKER", value_name = "URL")]
    pub docker: Option<String>,
    /// Range that container networks are taken from [default: 10.201.0.0/16]
    #[arg(long, env = "BERTH_SUBNETS", value_name = "CIDR")]
    pub subnets: Option<String>,
    /// How many runs may be under way at once [default: 2]
    #[arg(long, env = "BERTH_RUNS", value_name = "N")]
    pub runs: Option<usize>,
    /// Form of the log: `text` or `json` [default: text]
    #[arg(long, env = "BERTH_LOG_FORMAT", value_name = "FORM")]
    pub log_format: Option<String>,
}

/// The settings with every default filled in.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where console and API listen.
    pub listen: SocketAddr,
    /// Where the edge listens.
    pub edge_listen: SocketAddr,
    /// The data folder.
    pub data: PathBuf,
    /// The database's address.
    pub database: String,
    /// The domain of the default routes.
    pub domain: String,
    /// The console's address for links, without a final slash.
    pub url: String,
    /// The engine's address, if given.
    pub docker: Option<String>,
    /// The range of container networks, CIDR.
    pub subnets: String,
    /// Runs under way at once.
    pub runs: usize,
    /// Whether the log is JSON.
    pub log_json: bool,
}

impl Config {
    /// Where hosted repositories live.
    pub fn repositories(&self) -> PathBuf {
        self.data.join("repositories")
    }

    /// Where archives and other passing files live; emptied at start.
    pub fn scratch(&self) -> PathBuf {
        self.data.join("scratch")
    }

    /// The root key of the secrets.
    pub fn key_file(&self) -> PathBuf {
        self.data.join("root.key")
    }

    /// The edge's last good table.
    pub fn edge_table(&self) -> PathBuf {
        self.data.join("edge-table.json")
    }

    /// The default host name of a target.
    pub fn default_host(&self, team: &str, service: &str, environment: &str) -> String {
        format!("{service}-{team}.{environment}.{}", self.domain)
    }

    /// The address of a host name as people open it: with the edge's port, where it is not the usual one.
    pub fn url_of(&self, host: &str, path: &str) -> String {
        let port = self.edge_listen.port();
        let path = if path == "/" { "/" } else { path };
        if port == 80 { format!("http://{host}{path}") } else { format!("http://{host}:{port}{path}") }
    }
}
