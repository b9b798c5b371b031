//! Operations on what runs: deploys, their ends, scale, variables, routes, services.

use async_trait::async_trait;
use bollard::query_parameters::TagImageOptionsBuilder;
use serde_json::{Value, json};

use super::{
    operations::Operation,
    points,
    world::{PLAIN, World},
};
use crate::support::images;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    /// Another image, live.
    Deploy,
    /// A deploy in whose middle the database is away once.
    StoreAway,
    /// An image whose program ends at once.
    Crashing,
    /// An image that is never healthy.
    Unhealthy,
    /// An image that is not there.
    Missing,
    /// A deploy that is cancelled.
    Cancel,
    /// A deploy while the engine keeps silent for a while.
    Silent,
    /// A deploy while the clock is moved by an hour.
    Clock,
    /// More or fewer instances.
    Scale,
    /// Another variable.
    Config,
    /// A secret and a route that come, and go; what a push does to the runs before it, decided.
    Route,
    /// A copy is killed behind Berth's back.
    Died,
    /// A service with everything is deleted.
    Delete,
}

pub(super) fn all() -> Vec<Box<dyn Operation>> {
    let kinds = [
        Kind::Deploy,
        Kind::StoreAway,
        Kind::Crashing,
        Kind::Unhealthy,
        Kind::Missing,
        Kind::Cancel,
        Kind::Silent,
        Kind::Clock,
        Kind::Scale,
        Kind::Config,
        Kind::Route,
        Kind::Died,
        Kind::Delete,
    ];
    kinds.map(|kind| Box::new(Changing { kind, text: String::new(), image: String::new(), before: 0, rollout: String::new() }) as _).into()
}

struct Changing {
    kind: Kind,
    /// What is to be answered afterwards, or the name of what is made.
    text: String,
    image: String,
    /// The newest release before.
    before: i64,
    rollout: String,
}

const RELEASES: &str = "SELECT COUNT(*) AS number FROM releases";
const LIVE: &str = "plain-demo.dev.localhost";

impl Changing {
    /// Deploys a good image and waits: something serves, whatever comes.
    async fn serve(&mut self, world: &mut World) {
        self.text = format!("plain {}", world.count);
        let image = world.image(&self.text).await;
        let answer = world.send("POST", &format!("{PLAIN}/targets/dev/actions/deploy"), json!({ "image": image })).await.unwrap();
        assert!(answer.0 < 300, "{answer:?}");
        world.until("it serves", async || (world.berth.ask_host(LIVE).await.as_deref() == Some(&self.text)).then_some(())).await;
        assert_eq!(world.calm().await, Vec::<String>::new());
    }

    async fn newest(&self, world: &World, column: &str) -> String {
        world.text(&format!("SELECT {column} AS text FROM rollouts ORDER BY id DESC")).await
    }

    async fn service(&self, world: &World) -> String {
        let name = &self.text;
        let body = json!({ "name": name, "environments": ["dev"] });
        assert!(world.send("POST", "/teams/demo/services", body).await.unwrap().0 < 300);
        name.clone()
    }
}

#[async_trait(?Send)]
impl Operation for Changing {
    fn name(&self) -> String {
        format!("{:?}", self.kind)
    }

    fn beside(&self) -> String {
        match self.kind {
            Kind::StoreAway => format!("lose {}\n", points::before_commit_of("rollout/apply.rs::record")),
            _ => String::new(),
        }
    }

    async fn prepare(&mut self, world: &mut World) {
        world.count += 1;
        let docker = world.engine.docker();
        match self.kind {
            Kind::Deploy | Kind::StoreAway | Kind::Silent | Kind::Clock => {
                if self.kind == Kind::Clock {
                    // Somebody looks at the clock as it is before it is moved.
                    self.serve(world).await;
                    world.count += 1;
                }
                self.text = format!("plain {}", world.count);
                let image = world.image(&self.text).await;
                // By a name, which is resolved once.
                let tag = format!("plain-{}", world.count);
                docker.tag_image(&image, Some(TagImageOptionsBuilder::default().repo("berth-test/made").tag(&tag).build())).await.unwrap();
                self.image = format!("berth-test/made:{tag}");
            }
            Kind::Crashing => {
                self.serve(world).await;
                self.image = images::image_on(&docker, &["CMD [\"sh\", \"-c\", \"echo cannot go on; exit 3\"]"], &[]).await;
            }
            Kind::Unhealthy | Kind::Cancel => {
                self.serve(world).await;
                self.image = images::image_on(&docker, &["STOPSIGNAL SIGKILL", "CMD [\"sleep\", \"1000000\"]"], &[]).await;
            }
            Kind::Missing => {
                self.serve(world).await;
                // Where nothing listens: the answer comes at once.
                self.image = "localhost:1/nowhere:1".into();
            }
            Kind::Scale | Kind::Config | Kind::Route | Kind::Died => {
                if world.berth.ask_host(LIVE).await.as_deref() != Some(&self.text) || self.text.is_empty() {
                    self.serve(world).await;
                }
                // Whatever was started again in the place of another is on the edge.
                let routed = "SELECT COUNT(*) AS number FROM backends WHERE draining_since IS NULL";
                let whole =
                    async || (world.number(routed).await == i64::try_from(world.berth.observed().await.len()).unwrap()).then_some(());
                world.until("every copy is on the edge", whole).await;
            }
            Kind::Delete => self.prepare_deletion(world).await,
        }
        if self.kind == Kind::Cancel {
            let body = json!({ "image": self.image });
            let (_, answer) = world.send("POST", &format!("{PLAIN}/targets/dev/actions/deploy"), body).await.unwrap();
            self.rollout = answer["rollout"].as_str().unwrap().to_owned();
            let copies = async || (world.berth.observed().await.len() > 1).then_some(());
            world.until("the new one runs beside the old one", copies).await;
        }
        self.before = world.number(RELEASES).await;
    }

    async fn act(&mut self, world: &mut World) {
        let target = format!("{PLAIN}/targets/dev");
        let count = world.count;
        match self.kind {
            Kind::Deploy | Kind::StoreAway | Kind::Clock | Kind::Crashing | Kind::Unhealthy | Kind::Missing => {
                if self.kind == Kind::Clock {
                    world.shift_clock(3_600_000);
                }
                world.send("POST", &format!("{target}/actions/deploy"), json!({ "image": self.image })).await;
            }
            Kind::Silent => self.deploy_in_silence(world).await,
            Kind::Cancel => drop(world.send("POST", &format!("/rollouts/{}/actions/cancel", self.rollout), Value::Null).await),
            Kind::Scale => {
                world.send("POST", &format!("{target}/actions/scale"), json!({ "replicas": { "web": 1 + count % 2 } })).await;
                world.send("POST", &format!("{target}/actions/scale"), json!({ "replicas": { "web": 2 - count % 2 } })).await;
            }
            Kind::Config => drop(world.send("PATCH", &format!("{target}/config"), json!({ "set": { "COUNT": count.to_string() } })).await),
            Kind::Route => {
                let secret = format!("{PLAIN}/secrets/KEY");
                world.send("PUT", &secret, json!({ "value": format!("value {count}") })).await;
                world.send("DELETE", &secret, Value::Null).await;
                let policy = json!({ "default_branch": false, "running": count.is_multiple_of(2) });
                world.send("PUT", &format!("{PLAIN}/push-policy"), policy).await;
                let host = format!("r{count}.example.com");
                let made = world.send("POST", &format!("{target}/routes"), json!({ "host": host })).await;
                let id = made.and_then(|(_, route)| route["id"].as_str().map(ToOwned::to_owned));
                if let Some(id) = id {
                    world.send("DELETE", &format!("{PLAIN}/routes/{id}"), Value::Null).await;
                }
            }
            Kind::Died => {
                let copies = world.berth.observed().await;
                let copy = copies.iter().find(|copy| copy.container.contains("web")).unwrap();
                world.engine.docker().kill_container(&copy.container, None).await.unwrap();
            }
            Kind::Delete => {
                world.send("DELETE", &format!("/teams/demo/services/{0}?confirm={0}", self.text), Value::Null).await;
            }
        }
    }

    async fn taken(&mut self, world: &World) -> bool {
        match self.kind {
            Kind::Cancel => {
                let asked =
                    format!("SELECT COUNT(*) AS number FROM rollouts WHERE id = '{}' AND cancel_asked_at IS NOT NULL", self.rollout);
                world.number(&asked).await > 0
            }
            Kind::Died | Kind::Route => true,
            Kind::Delete => world.number("SELECT COUNT(*) AS number FROM services WHERE deleted_at IS NULL").await < 3,
            _ => world.number(RELEASES).await > self.before,
        }
    }

    async fn judge(&mut self, world: &World) {
        world.shift_clock(0);
        let (state, failure) = (self.newest(world, "state").await, self.newest(world, "failure").await);
        let expected = match self.kind {
            Kind::Crashing => ("failed", "exited with code 3"),
            Kind::Unhealthy => ("failed", "Nothing listens"),
            Kind::Missing => ("failed", "was not found"),
            Kind::Cancel => ("cancelled", ""),
            // Another one before may have been replaced.
            _ => ("succeeded", ""),
        };
        if self.kind != Kind::Delete {
            assert_eq!(state, expected.0, "{failure}");
            assert!(failure.contains(expected.1), "{failure}");
            // Whatever became of the new one, what is promised serves.
            world.until("it answers", async || (world.berth.ask_host(LIVE).await.as_deref() == Some(&self.text)).then_some(())).await;
        }
        let routes = "SELECT COUNT(*) AS number FROM routes WHERE is_default = FALSE";
        if self.kind == Kind::Route && world.number(routes).await > 0 {
            // Made, and Berth was gone before it was removed: it leads to the service, and can be removed.
            let id = world.text("SELECT id AS text FROM routes WHERE is_default = FALSE").await;
            let removed = world.send("DELETE", &format!("{PLAIN}/routes/{id}"), Value::Null).await;
            assert_eq!(removed.unwrap().0, 204);
        }
    }
}

impl Changing {
    /// Deploys on an engine that does not answer, until the rollout says so.
    async fn deploy_in_silence(&self, world: &mut World) {
        let deploy = format!("{PLAIN}/targets/dev/actions/deploy");
        world.engine.freeze();
        world.send("POST", &deploy, json!({ "image": self.image })).await;
        let began = std::time::Instant::now();
        while !world.berth.is_over() && !self.newest(world, "now_doing").await.contains("did not answer") {
            assert!(began.elapsed() < std::time::Duration::from_secs(30), "the rollout does not say what it waits for");
            tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        }
        world.engine.thaw();
    }

    /// A service with a repository, a candidate and a copy that runs.
    async fn prepare_deletion(&mut self, world: &mut World) {
        self.text = format!("gone{}", world.count);
        let name = self.service(world).await;
        let url = format!("http://x:{}@{}/git/demo/{name}.git", world.berth.token(), world.berth.console);
        std::fs::write(
            world.copy.join("Dockerfile"),
            format!(
                "FROM {}\nCMD [\"httpd\", \"-f\", \"-p\", \"8080\"]\nEXPOSE 8080\nSTOPSIGNAL SIGKILL\nLABEL name={name}\n",
                images::BUSYBOX
            ),
        )
        .unwrap();
        let _ = std::fs::remove_file(world.copy.join("berth.yaml"));
        world.git(&["add", "-A"]);
        world.git(&["commit", "-q", "-m", &name]);
        world.git(&["push", "-q", &url, "HEAD:main"]);
        assert_eq!(world.calm().await, Vec::<String>::new());
    }
}
