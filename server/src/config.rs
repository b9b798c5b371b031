//! What a Berth is told at its start: flags, `BERTH_…` variables and a file, in this order of weight.

use std::{
    collections::BTreeMap,
    env,
    fmt::Display,
    fs,
    io::ErrorKind,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use app::error::{Error, Result};
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
    /// Folder for the database, repositories, keys and the edge's last table [default: ./data, as a system service of root /var/lib/berth]
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
    /// Engines that runs are carried out on, each with a name for it: `NAME=unix://…` or `NAME=tcp://…`, with commas between [default: none, the same engine as the services]
    #[arg(long, env = "BERTH_BUILDERS", value_name = "BUILDERS", value_delimiter = ',')]
    pub builders: Option<Vec<String>>,
    /// Range that container networks are taken from [default: 10.201.0.0/16]
    #[arg(long, env = "BERTH_SUBNETS", value_name = "CIDR")]
    pub subnets: Option<String>,
    /// How many runs may be under way at once [default: 2]
    #[arg(long, env = "BERTH_RUNS", value_name = "N")]
    pub runs: Option<usize>,
    /// How many steps of all runs may be under way at once [default: 8]
    #[arg(long, env = "BERTH_STEPS", value_name = "N")]
    pub steps: Option<usize>,
    /// How many steps of one run may be under way at once [default: 4]
    #[arg(long, env = "BERTH_RUN_STEPS", value_name = "N")]
    pub run_steps: Option<usize>,
    /// How much memory a step, a sidecar or a build may use, in MiB [default: 2048]
    #[arg(long, env = "BERTH_STEP_MEMORY", value_name = "MIB")]
    pub step_memory: Option<u64>,
    /// How many cores a step, a sidecar or a build may use [default: 2]
    #[arg(long, env = "BERTH_STEP_CPUS", value_name = "CORES")]
    pub step_cpus: Option<f64>,
    /// How much the caches of a service's steps may take, in MiB [default: 4096]
    #[arg(long, env = "BERTH_CACHE_BUDGET", value_name = "MIB")]
    pub cache_budget: Option<u64>,
    /// Whether teams may have BuildKit build their images, whose commands have no limit of memory and are on the engine's default network [default: no]
    #[arg(long, env = "BERTH_BUILDKIT", num_args = 0..=1, default_missing_value = "true", value_name = "YES")]
    pub buildkit: Option<bool>,
    /// Addresses of proxies in front of Berth whose word about the client is taken, with commas between [default: none]
    #[arg(long, env = "BERTH_TRUSTED_PROXIES", value_name = "ADDRESSES", value_delimiter = ',')]
    pub trusted_proxies: Option<Vec<IpAddr>>,
    /// Whether repositories that live elsewhere may be on this machine and in private networks, and be fetched in the clear [default: no]
    #[arg(long, env = "BERTH_MIRROR_PRIVATE", num_args = 0..=1, default_missing_value = "true", value_name = "YES")]
    pub mirror_private: Option<bool>,
    /// Form of the log: `text` or `json` [default: text]
    #[arg(long, env = "BERTH_LOG_FORMAT", value_name = "FORM")]
    pub log_format: Option<String>,
}

/// The file that is read where none is named, and that may be missing.
const USUAL_FILE: &str = "/etc/berth.toml";

impl Settings {
    /// These settings, and the file's where they say nothing. `file`: the one named by `--config`, which must be there.
    ///
    /// # Errors
    /// `bad_settings` where the file cannot be read, or says what no setting means, with line and column.
    pub fn with_file(self, file: Option<&Path>) -> Result<Self> {
        let path = file.unwrap_or(Path::new(USUAL_FILE));
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if file.is_none() && error.kind() == ErrorKind::NotFound => return Ok(self),
            Err(error) => return Err(bad(format!("{} cannot be read: {error}. Mend it, or name another with --config.", path.display()))),
        };
        let under = toml::from_str(&text).map_err(|error| bad(format!("{} does not read:\n{error}", path.display())))?;
        Ok(self.over(under))
    }

    fn over(self, under: Self) -> Self {
        Self {
            listen: self.listen.or(under.listen),
            edge_listen: self.edge_listen.or(under.edge_listen),
            data: self.data.or(under.data),
            database: self.database.or(under.database),
            domain: self.domain.or(under.domain),
            url: self.url.or(under.url),
            docker: self.docker.or(under.docker),
            builders: self.builders.or(under.builders),
            subnets: self.subnets.or(under.subnets),
            runs: self.runs.or(under.runs),
            steps: self.steps.or(under.steps),
            run_steps: self.run_steps.or(under.run_steps),
            step_memory: self.step_memory.or(under.step_memory),
            step_cpus: self.step_cpus.or(under.step_cpus),
            cache_budget: self.cache_budget.or(under.cache_budget),
            buildkit: self.buildkit.or(under.buildkit),
            trusted_proxies: self.trusted_proxies.or(under.trusted_proxies),
            mirror_private: self.mirror_private.or(under.mirror_private),
            log_format: self.log_format.or(under.log_format),
        }
    }

    /// The settings with every default filled in.
    ///
    /// # Errors
    /// `bad_settings` where a value is none, with a sentence that says what would be.
    pub fn resolve(self) -> Result<Config> {
        let listen = self.listen.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 8_080)));
        let data = self.data.unwrap_or_else(usual_data);
        let data = std::path::absolute(&data).map_err(|error| bad(format!("{} is no folder: {error}.", data.display())))?;
        Ok(Config {
            listen,
            edge_listen: self.edge_listen.unwrap_or(SocketAddr::from((Ipv4Addr::UNSPECIFIED, 8_000))),
            database: self.database.map_or_else(|| Ok(format!("sqlite:{}", data.join("berth.db").display())), check_database)?,
            domain: check_domain(self.domain.as_deref().unwrap_or("localhost"))?,
            url: self.url.as_deref().map_or_else(|| Ok(url_of_listen(listen)), check_url)?,
            docker: self.docker.filter(|docker| !docker.is_empty()),
            builders: check_builders(&self.builders.unwrap_or_default())?,
            subnets: check_subnets(self.subnets.as_deref().unwrap_or("10.201.0.0/16"))?,
            runs: at_least_one("runs", self.runs.unwrap_or(2))?,
            steps: at_least_one("steps", self.steps.unwrap_or(8))?,
            run_steps: at_least_one("run_steps", self.run_steps.unwrap_or(4))?,
            step_memory: check_memory(self.step_memory.unwrap_or(2_048))?,
            step_cpu_millis: check_cpus(self.step_cpus.unwrap_or(2.0))?,
            cache_budget: check_budget(self.cache_budget.unwrap_or(4_096))?,
            buildkit: self.buildkit.unwrap_or(false),
            trusted_proxies: self.trusted_proxies.unwrap_or_default(),
            mirror_private: self.mirror_private.unwrap_or(false),
            log_json: match self.log_format.as_deref() {
                None | Some("text") => false,
                Some("json") => true,
                Some(other) => return Err(bad(format!("`{other}` is no form of the log. Use `text` or `json`."))),
            },
            data,
        })
    }
}

fn bad(sentence: impl Into<String>) -> Error {
    Error::invalid("bad_settings", sentence)
}

fn at_least_one(name: &str, number: usize) -> Result<usize> {
    if number == 0 {
        return Err(bad(format!("`{name}` is at least 1: with 0 nothing that is pushed would ever be tested.")));
    }
    Ok(number)
}

/// Builders by name: one name is one host, in the logs and for good.
fn check_builders(told: &[String]) -> Result<BTreeMap<String, String>> {
    let mut builders = BTreeMap::new();
    for one in told.iter().map(|one| one.trim()).filter(|one| !one.is_empty()) {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let named = one.split_once('=').filter(|(name, _)| !name.is_empty() && name.len() <= 40 && name.chars().all(plain));
        let Some((name, address)) = named else {
            return Err(bad(format!(
                "`{one}` is no builder. Write NAME=ADDRESS, like `b1=tcp://10.0.0.5:2375`; a name has small letters, digits and hyphens."
            )));
        };
        // The engine of the services is called so.
        if name == "home" || builders.insert(name.to_owned(), address.to_owned()).is_some() {
            return Err(bad(format!("Two hosts are called `{name}`. Give each builder a name of its own.")));
        }
    }
    Ok(builders)
}

/// Bytes of so many MiB.
fn check_memory(mib: u64) -> Result<u64> {
    // Less than the engine takes, or than a shell and a compiler can begin with; more than any machine has.
    if (64..=1 << 24).contains(&mib) { Ok(mib << 20) } else { Err(bad("`step_memory` is a number of MiB from 64 on, like 4096.")) }
}

/// Bytes of so many MiB.
fn check_budget(mib: u64) -> Result<u64> {
    if mib <= 1 << 30 { Ok(mib << 20) } else { Err(bad("`cache_budget` is a number of MiB, like 4096; with 0 nothing is kept.")) }
}

/// Thousandths of so many cores.
fn check_cpus(cores: f64) -> Result<u32> {
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // Within the range that is checked.
    if (0.1..=1_024.0).contains(&cores) {
        return Ok((cores * 1_000.0).round() as u32);
    }
    Err(bad("`step_cpus` is a number of cores from 0.1 on, like 2 or 1.5."))
}

fn usual_data() -> PathBuf {
    // systemd gives every service it starts an invocation id.
    let service = env::var_os("INVOCATION_ID").is_some();
    let root = fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0);
    PathBuf::from(if service && root { "/var/lib/berth" } else { "data" })
}

/// An address that listens everywhere is none to open: the machine's own name for itself is.
fn url_of_listen(listen: SocketAddr) -> String {
    if listen.ip().is_unspecified() { format!("http://localhost:{}", listen.port()) } else { format!("http://{listen}") }
}

fn check_database(address: String) -> Result<String> {
    if ["sqlite:", "postgres://", "postgresql://"].iter().any(|scheme| address.starts_with(scheme)) {
        return Ok(address);
    }
    Err(bad("`database` is `sqlite:PATH` or `postgres://USER:PASSWORD@HOST/NAME`."))
}

fn check_domain(domain: &str) -> Result<String> {
    let domain = domain.trim_matches('.').to_ascii_lowercase();
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if domain.len() <= 160 && domain.split('.').all(label) {
        return Ok(domain);
    }
    Err(bad(format!("`{domain}` is no domain. Give one like `apps.example.org`, without scheme, port or wildcard.")))
}

fn check_url(url: &str) -> Result<String> {
    let url = url.trim_end_matches('/');
    let rest = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://"));
    match rest {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => Ok(url.to_owned()),
        _ => Err(bad(format!("`{url}` is no address of a console. Give one like `https://berth.example.org`, without a path."))),
    }
}

fn check_subnets(range: &str) -> Result<String> {
    let good = range.split_once('/').is_some_and(|(address, bits)| {
        address.parse::<IpAddr>().is_ok_and(|address| address.is_ipv4()) && bits.parse::<u8>().is_ok_and(|bits| (8..=24).contains(&bits))
    });
    if good { Ok(range.to_owned()) } else { Err(bad(format!("`{range}` is no range of networks. Give one like `10.201.0.0/16`."))) }
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
    /// The engines that runs are carried out on, by name; none: that of the services.
    pub builders: BTreeMap<String, String>,
    /// The range of container networks, CIDR.
    pub subnets: String,
    /// Runs under way at once.
    pub runs: usize,
    /// Steps of all runs under way at once.
    pub steps: usize,
    /// Steps of one run under way at once.
    pub run_steps: usize,
    /// Memory of a step, a sidecar or a build, in bytes.
    pub step_memory: u64,
    /// Cores of a step, a sidecar or a build, in thousandths.
    pub step_cpu_millis: u32,
    /// What the caches of a service may take, in bytes.
    pub cache_budget: u64,
    /// Whether teams may have BuildKit build their images.
    pub buildkit: bool,
    /// Proxies in front of Berth whose word about the client is taken.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether repositories that live elsewhere may be in private networks.
    pub mirror_private: bool,
    /// Whether the log is JSON.
    pub log_json: bool,
}

impl Config {
    /// Where hosted repositories live.
    pub fn repositories(&self) -> PathBuf {
        self.data.join("repositories")
    }

    /// Where the repository of this id lives.
    pub fn repository(&self, id: impl Display) -> PathBuf {
        self.repositories().join(format!("{id}.git"))
    }

    /// Where archives and other passing files live; emptied at start.
    pub fn scratch(&self) -> PathBuf {
        self.data.join("scratch")
    }

    /// Where the files that runs left are kept, a folder for each service.
    pub fn artifacts(&self) -> PathBuf {
        self.data.join("artifacts")
    }

    /// Where root file systems of base images wait to be built.
    pub fn bases(&self) -> PathBuf {
        self.data.join("bases")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(text: &str) -> Settings {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn defaults_are_those_of_the_readme() {
        let config = Settings::default().resolve().unwrap();
        assert_eq!(config.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(config.edge_listen.to_string(), "0.0.0.0:8000");
        assert_eq!(config.url, "http://127.0.0.1:8080");
        assert_eq!(config.domain, "localhost");
        assert!(config.data.is_absolute());
        assert!(config.database.starts_with("sqlite:/"), "{}", config.database);
        assert_eq!((config.step_memory, config.step_cpu_millis), (2 << 30, 2_000));
    }

    #[test]
    fn what_is_said_wins_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("berth.toml");
        fs::write(&file, "domain = \"file.example\"\nruns = 7\n").unwrap();
        let said = Settings { domain: Some("said.example".into()), ..Settings::default() };
        let config = said.with_file(Some(&file)).unwrap().resolve().unwrap();
        assert_eq!((config.domain.as_str(), config.runs), ("said.example", 7));
    }

    #[test]
    fn a_file_with_an_unknown_setting_is_refused_with_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("berth.toml");
        fs::write(&file, "domain = \"a.example\"\ndomian = \"b\"\n").unwrap();
        let error = Settings::default().with_file(Some(&file)).unwrap_err();
        assert!(error.sentence.contains("line 2") && error.sentence.contains("domian"), "{error}");
        assert!(Settings::default().with_file(Some(Path::new("/nowhere/berth.toml"))).is_err());
    }

    #[test]
    fn values_that_are_none_are_refused() {
        for text in [
            "domain = \"http://x\"",
            "domain = \"*.x.org\"",
            "url = \"berth.example.org\"",
            "url = \"https://x.org/path\"",
            "database = \"mysql://x\"",
            "subnets = \"10.0.0.0\"",
            "runs = 0",
            "builders = [\"b1\"]",
            "builders = [\"B 1=unix:///x\"]",
            "builders = [\"home=unix:///x\"]",
            "builders = [\"b1=unix:///x\", \"b1=unix:///y\"]",
            "steps = 0",
            "run_steps = 0",
            "step_memory = 63",
            "step_memory = 99999999999",
            "step_cpus = 0.0",
            "step_cpus = nan",
            "log_format = \"xml\"",
        ] {
            assert!(settings(text).resolve().is_err(), "{text}");
        }
        let config = settings("step_memory = 4096\nstep_cpus = 1.5").resolve().unwrap();
        assert_eq!((config.step_memory, config.step_cpu_millis), (4 << 30, 1_500));
        let config = settings("builders = [\"b1=unix:///x.sock\", \"b2=tcp://10.0.0.5:2375\"]").resolve().unwrap();
        assert_eq!(config.builders.into_iter().collect::<Vec<_>>()[1], ("b2".to_owned(), "tcp://10.0.0.5:2375".to_owned()));
        assert_eq!(settings("url = \"https://b.example.org/\"").resolve().unwrap().url, "https://b.example.org");
    }
}
