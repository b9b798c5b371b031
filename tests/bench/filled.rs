//! Berths that serve from filled stores. A store is filled once, kept under `$BERTH_CACHE/bench`, and made anew when the
//! schema or what fills it changes.

use std::{
    fs,
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use app::model::{RepositoryId, RolloutId, StepId};
use reqwest::{
    blocking::{Client, Response},
    redirect::Policy,
};
use server::{
    args, git,
    store::{Db, Query as _, repositories},
};
use sha2::{Digest, Sha256};
use tokio::runtime::Runtime;

use crate::{
    engine,
    method::{Sut, pinned},
    support::{
        fill::{self, ADMIN, PASSWORD, Size, fill},
        migrations,
        reads::Sample,
    },
};

/// A runtime for what is asked of the store and the engine.
pub(crate) fn runtime() -> Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap()
}

/// What a store of so many services holds: a hundred runs each, and one container for every tenth, on one machine.
pub(crate) fn size(services: usize) -> Size {
    Size { teams: services.div_ceil(200), services, runs: 100 * services, running: services / 10 }
}

/// The data folder of a Berth with so many services; filled where it is not there yet.
pub(crate) fn data(runtime: &Runtime, services: usize) -> PathBuf {
    let cache = std::env::var_os("BERTH_CACHE").map_or_else(|| dirs::home_dir().unwrap().join(".cache/berth"), PathBuf::from);
    let mut content = Sha256::new();
    for text in [migrations().concat().as_str(), include_str!("../support/fill.rs"), &format!("{:?}", size(services))] {
        content.update(text);
    }
    let folder = cache.join("bench").join(format!("{services}-{}", &hex::encode(content.finalize())[..12]));
    if folder.exists() {
        return folder;
    }
    let began = Instant::now();
    forget(&cache.join("bench"), services);
    let beside = folder.with_extension("new");
    fs::create_dir_all(&beside).unwrap();
    if services > 0 {
        runtime.block_on(async {
            fill(&beside, size(services)).await;
            pushed(&beside).await;
        });
    }
    fs::rename(&beside, &folder).unwrap();
    eprintln!("bench: filled a store with {services} services in {:.0} s", began.elapsed().as_secs_f64());
    folder
}

/// Removes the stores of this size that nobody opens any more: each is gigabytes.
fn forget(stores: &Path, services: usize) {
    for store in fs::read_dir(stores).into_iter().flatten().flatten() {
        if store.file_name().to_string_lossy().starts_with(&format!("{services}-")) {
            let _ = fs::remove_dir_all(store.path());
        }
    }
}

/// Gives every repository its folder, known to the store as one in which nothing moved.
async fn pushed(data: &Path) {
    let db = open(data).await;
    let folder = data.join("repositories");
    for row in db.fetch_all("SELECT id FROM repositories", args![]).await.unwrap() {
        let bare = folder.join(format!("{}.git", row.text("id").unwrap()));
        for part in ["objects", "refs/heads", "refs/tags"] {
            fs::create_dir_all(bare.join(part)).unwrap();
        }
        fs::write(bare.join("HEAD"), "ref: refs/heads/main\n").unwrap();
    }
    let mut tx = db.begin().await.unwrap();
    for (name, moved) in git::all_moved_at(&folder) {
        repositories::set_compared(&mut tx, &RepositoryId::from_text(name), moved).await.unwrap();
    }
    tx.commit().await.unwrap();
    db.close().await;
}

/// The store of a data folder.
pub(crate) async fn open(data: &Path) -> Db {
    Db::open(&format!("sqlite:{}", data.join("berth.db").display())).await.unwrap()
}

fn free() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

/// A Berth on a data folder, on a core of its own, beside an engine that never changes.
pub(crate) struct Filled {
    /// The process.
    pub(crate) sut: Sut,
    /// Where its console is.
    pub(crate) url: String,
    data: PathBuf,
    _engine: Runtime,
}

impl Filled {
    /// Starts it and waits until it answers.
    pub(crate) fn start(data: &Path) -> Self {
        let runtime = runtime();
        let socket = std::env::temp_dir().join(format!("berth-bench-{}.sock", free().port()));
        runtime.block_on(async { engine::serve(&socket, &open(data).await).await });
        let (url, sut) = spawn(data, Some(&socket));
        wait(&url);
        Self { sut, url, data: data.to_owned(), _engine: runtime }
    }

    /// A token of its administrator.
    pub(crate) fn token(&self) -> String {
        let words = format!("admin create-token {ADMIN} bench --scope read,deploy,write,admin");
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        let output = command.args(words.split(' ')).env("BERTH_DATA", &self.data).env("BERTH_LISTEN", "127.0.0.1:1").output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// The cookie of its administrator, signed in.
    pub(crate) fn cookie(&self, http: &Client) -> String {
        let form = [("do", "login"), ("email", ADMIN), ("password", PASSWORD)];
        let answer = http.post(format!("{}/login", self.url)).header("origin", &self.url).form(&form).send().unwrap();
        answer.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned()
    }

    /// Something of everything, of the busiest service.
    pub(crate) fn sample(&self, runtime: &Runtime) -> Sample {
        runtime.block_on(async {
            let db = open(&self.data).await;
            let one = async |sql: &str| db.fetch_opt(sql, args![]).await.unwrap().unwrap().text("id").unwrap();
            let rollout = one("SELECT o.id FROM services s JOIN rollouts o ON o.service_id = s.id WHERE s.rowid = 1 LIMIT 1").await;
            let step = one("SELECT t.id FROM runs r JOIN steps t ON t.run_id = r.id WHERE r.number = 20 AND t.lines > 0 LIMIT 1").await;
            let row = db
                .fetch_opt("SELECT MAX(number) AS newest FROM runs WHERE service_id = (SELECT id FROM services WHERE rowid = 1)", args![]);
            let newest: u64 = row.await.unwrap().unwrap().num("newest").unwrap();
            db.close().await;
            Sample {
                team: fill::team(0),
                service: fill::service(0),
                environment: "production".into(),
                number: newest / 2,
                rollout: RolloutId::from_text(rollout),
                step: StepId::from_text(step),
            }
        })
    }
}

/// Starts `berth serve`; says where its console will be.
pub(crate) fn spawn(data: &Path, engine: Option<&Path>) -> (String, Sut) {
    let address = free();
    let mut command = pinned(0, env!("CARGO_BIN_EXE_berth"));
    command.arg("serve").env("BERTH_DATA", data).env("BERTH_LISTEN", address.to_string()).env("BERTH_EDGE_LISTEN", free().to_string());
    // So that one machine can ask as many would.
    command.env("BERTH_TRUSTED_PROXIES", "127.0.0.1");
    let engine = engine.map_or_else(|| "unix:///nonexistent".to_owned(), |socket| format!("unix://{}", socket.display()));
    command.env("BERTH_DOCKER", engine).env("BERTH_LOG", "warn").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    (format!("http://{address}"), Sut(command.spawn().unwrap()))
}

/// Starts what a Berth cannot be below: this program as a server that opens an empty store and answers `ok`.
pub(crate) fn spawn_floor(data: &Path) -> (String, Sut) {
    let address = free();
    let mut command = pinned(0, std::env::current_exe().unwrap());
    command.arg("floor").arg(address.to_string()).arg(data).stdout(Stdio::null());
    (format!("http://{address}"), Sut(command.spawn().unwrap()))
}

/// The server of [`spawn_floor`].
pub(crate) fn floor(address: &str, data: &str) {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let _db = open(Path::new(data)).await;
        let listener = tokio::net::TcpListener::bind(address).await.unwrap();
        axum::serve(listener, axum::Router::new().fallback(|| async { "ok" })).await.unwrap();
    });
}

/// Waits for the first answer that is a success; says how long that took.
pub(crate) fn wait(url: &str) -> Duration {
    let began = Instant::now();
    let address = url.trim_start_matches("http://");
    loop {
        // A connection first: a client of its own would take longer to make than an answer.
        if let Ok(mut stream) = std::net::TcpStream::connect(address) {
            use std::io::{Read as _, Write as _};
            let mut answer = [0; 12];
            let asked = stream.write_all(format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n").as_bytes());
            if asked.is_ok() && stream.read_exact(&mut answer).is_ok() && answer.ends_with(b" 200") {
                return began.elapsed();
            }
        }
        assert!(began.elapsed() < Duration::from_secs(120), "{url} does not answer");
        std::thread::sleep(Duration::from_micros(500));
    }
}

/// A client that follows nothing and unpacks nothing.
pub(crate) fn client() -> Client {
    Client::builder().redirect(Policy::none()).timeout(Duration::from_secs(30)).build().unwrap()
}

/// Reads an answer to its end; says its status and its bytes.
pub(crate) fn read(answer: Response) -> (u16, usize) {
    let status = answer.status().as_u16();
    (status, answer.bytes().unwrap().len())
}
