//! A private PostgreSQL: one cluster for all test processes of this machine's user, a database of its own for each test.
//!
//! Every process that uses the cluster holds a shared lock on a file; the last one to let go stops it. It listens on a
//! socket in its folder only, and trusts whoever reaches that.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
};

use sqlx::{Connection as _, Executor as _, PgConnection};

/// The user the server runs as: PostgreSQL refuses root.
const SYSTEM_USER: &str = "postgres";
const PORT: u16 = 54_399;

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().unwrap();
    output.stdout.trim_ascii() == b"0"
}

fn home() -> PathBuf {
    std::env::temp_dir().join(format!("berth-test-postgres{}", if is_root() { "" } else { "-user" }))
}

/// Where a program of PostgreSQL is: Debian keeps those of a server, by version, where no PATH leads.
fn found(program: &str) -> PathBuf {
    let on_path = std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let of_debian = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten().map(|version| version.path().join("bin"));
    let mut places = on_path.chain(of_debian).map(|folder| folder.join(program));
    places.find(|path| path.exists()).expect("PostgreSQL's initdb and pg_ctl are here; `.ci/setup test` gets them")
}

/// Runs a program of PostgreSQL, as its own user where we are root.
fn run(program: &str, args: &[&str]) -> bool {
    let program = found(program);
    let mut command = if is_root() {
        let mut command = Command::new("runuser");
        command.args(["-u", SYSTEM_USER, "--"]).arg(program);
        command
    } else {
        Command::new(program)
    };
    let output = command.args(args).current_dir("/tmp").stdin(std::process::Stdio::null()).output();
    output.expect("PostgreSQL's programs can be started").status.success()
}

fn lock_file(name: &str) -> File {
    let path = home().join(name);
    File::options().create(true).truncate(false).write(true).open(path).unwrap()
}

fn data() -> String {
    data_in(&home())
}

fn data_in(home: &Path) -> String {
    home.join("data").display().to_string()
}

fn running() -> bool {
    run("pg_ctl", &["-D", &data(), "status"])
}

fn make_and_start() -> bool {
    make_and_start_in(&home())
}

fn make_and_start_in(folder: &Path) -> bool {
    let (home, data) = (folder.display(), data_in(folder));
    if !Path::new(&data).join("PG_VERSION").exists() {
        let _ = fs::remove_dir_all(&data);
        assert!(run("initdb", &["-D", &data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"]), "initdb");
    }
    let settings = format!(
        "-k {home} -p {PORT} -c listen_addresses= -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c max_connections=400"
    );
    let log = format!("{home}/log");
    run("pg_ctl", &["-D", &data, "-w", "-t", "60", "-l", &log, "-o", &settings, "start"])
}

/// A server for one test alone, which may be stopped.
pub(crate) struct Private {
    folder: tempfile::TempDir,
}

impl Private {
    /// A fresh one that runs.
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        if is_root() {
            assert!(Command::new("chown").args([SYSTEM_USER, &folder.path().display().to_string()]).status().unwrap().success());
        }
        let private = Self { folder };
        private.start();
        private
    }

    /// The address of its first database.
    pub(crate) fn address(&self) -> String {
        format!("postgres://postgres@localhost:{PORT}/postgres?host={}", self.folder.path().display())
    }

    /// Starts it.
    pub(crate) fn start(&self) {
        assert!(make_and_start_in(self.folder.path()));
    }

    /// Stops it, whoever is connected.
    pub(crate) fn stop(&self) {
        run("pg_ctl", &["-D", &data_in(self.folder.path()), "-m", "fast", "-w", "stop"]);
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The right to use the cluster.
struct Cluster {
    users: Option<File>,
}

impl Cluster {
    fn open() -> Self {
        fs::create_dir_all(home()).unwrap();
        if is_root() {
            assert!(Command::new("chown").args([SYSTEM_USER, &home().display().to_string()]).status().unwrap().success());
        }
        let starting = lock_file("starting");
        starting.lock().unwrap();
        let users = lock_file("users");
        users.lock_shared().unwrap();
        if !running() && !make_and_start() {
            // What is left of a machine that stopped in the middle is not worth mending.
            let _ = fs::remove_dir_all(data());
            assert!(make_and_start(), "PostgreSQL does not start; see {}/log", home().display());
        }
        Self { users: Some(users) }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let starting = lock_file("starting");
        let _ = starting.lock();
        // Closing the file lets go of the lock, also where the file was locked by this process alone.
        drop(self.users.take());
        if lock_file("users").try_lock().is_ok() {
            run("pg_ctl", &["-D", &data(), "-m", "fast", "-w", "stop"]);
        }
    }
}

fn address(database: &str) -> String {
    format!("postgres://postgres@localhost:{PORT}/{database}?host={}", home().display())
}

/// A database that is gone with this value.
pub(crate) struct Database {
    name: String,
    _cluster: Cluster,
}

impl Database {
    /// A fresh one.
    pub(crate) async fn fresh() -> Self {
        let cluster = tokio::task::spawn_blocking(Cluster::open).await.unwrap();
        let name = format!("test_{}", server::clock::new_id().replace('-', "_"));
        let mut connection = PgConnection::connect(&address("postgres")).await.unwrap();
        connection.execute(sqlx::AssertSqlSafe(format!("CREATE DATABASE {name}"))).await.unwrap();
        connection.close().await.unwrap();
        Self { name, _cluster: cluster }
    }

    /// Its address.
    pub(crate) fn address(&self) -> String {
        address(&self.name)
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        let name = self.name.clone();
        // A runtime of its own: this one may be ending.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                if let Ok(mut connection) = PgConnection::connect(&address("postgres")).await {
                    let _ = connection.execute(sqlx::AssertSqlSafe(format!("DROP DATABASE {name} WITH (FORCE)"))).await;
                }
            });
        });
        let _ = dropped.join();
    }
}
