//! The first run, every later start, `berth admin`, and all the small requests of people.

use async_trait::async_trait;
use serde_json::{Value, json};
use server::{
    args,
    store::{Db, Query as _},
};

use super::{operations::Operation, world::World};
use crate::support::process::Process;

pub(super) fn all() -> Vec<Box<dyn Operation>> {
    let mut all: Vec<Box<dyn Operation>> = vec![Box::new(First { berth: None }), Box::new(Again)];
    all.extend([0, 1, 2, 3].map(|which| Box::new(Admin { which, died: false, count: 0 }) as Box<dyn Operation>));
    all.push(Box::new(Requests { count: 0 }));
    all
}

/// From nothing to an administrator.
struct First {
    berth: Option<Process>,
}

impl First {
    fn link(&self) -> Option<String> {
        let said = self.berth.as_ref()?.said();
        let link = said.lines().rfind(|line| line.contains("/setup/"))?;
        Some(link.rsplit('/').next()?.trim().to_owned())
    }

    async fn setup(&self) {
        let Some(token) = self.link() else { return };
        let person = json!({ "token": token, "email": "bob@example.com", "name": "Bob", "password": "correct horse battery" });
        let berth = self.berth.as_ref().unwrap();
        let _ = berth.request("POST", "/api/v1/actions/setup").json(&person).send().await;
    }
}

#[async_trait(?Send)]
impl Operation for First {
    fn name(&self) -> String {
        "first run".into()
    }

    fn aside(&self) -> bool {
        true
    }

    async fn prepare(&mut self, world: &mut World) {
        self.berth = Some(world.another());
    }

    async fn act(&mut self, world: &mut World) {
        let berth = self.berth.as_mut().unwrap();
        berth.begin();
        while !berth.is_over() && !berth.said().contains("/setup/") {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        self.setup().await;
        let _ = world;
    }

    fn died(&mut self, _world: &mut World) -> bool {
        self.berth.as_mut().unwrap().is_over()
    }

    async fn restart(&mut self, _world: &mut World) {
        self.berth.as_mut().unwrap().start().await;
    }

    async fn judge(&mut self, _world: &World) {
        self.setup().await;
        let berth = self.berth.as_ref().unwrap();
        let login = json!({ "email": "bob@example.com", "password": "correct horse battery" });
        let answer = berth.request("POST", "/api/v1/actions/login").json(&login).send().await.unwrap();
        assert_eq!(answer.status(), 201, "the administrator signs in");
        let db: Db = berth.db().await;
        for (table, expected) in [("users", 1), ("environments", 3)] {
            let rows = db.fetch_all(format!("SELECT COUNT(*) AS number FROM {table}"), args![]).await.unwrap();
            assert_eq!(rows[0].int("number").unwrap(), expected, "{table}");
        }
        db.close().await;
        let left: Vec<_> = std::fs::read_dir(berth.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("root") && name != "root.key"), "{left:?}");
    }
}

/// Another start on the same data, and in the repository a push that nobody had written down.
struct Again;

#[async_trait(?Send)]
impl Operation for Again {
    fn name(&self) -> String {
        "start".into()
    }

    async fn prepare(&mut self, world: &mut World) {
        // Whoever asks for a repository first makes it.
        world.git(&["ls-remote", "berth"]);
        world.git(&["commit", "-q", "--allow-empty", "-m", "unseen"]);
    }

    async fn act(&mut self, world: &mut World) {
        world.berth.kill();
        world.count += 1;
        let hello = "SELECT r.id AS text FROM repositories r JOIN services s ON s.repository_id = r.id WHERE s.name = 'hello'";
        let folder = world.berth.folder.path().join("repositories").join(format!("{}.git", world.text(hello).await));
        // A tag makes no run.
        world.git(&["push", "-q", &folder.display().to_string(), &format!("HEAD:refs/tags/unseen-{}", world.count)]);
        world.berth.begin();
        let url = "/readyz";
        while !world.berth.is_over() && !world.berth.request("GET", url).send().await.is_ok_and(|answer| answer.status() == 200) {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    }

    async fn judge(&mut self, world: &World) {
        assert_eq!(world.send("GET", "/me", Value::Null).await.unwrap().0, 200);
    }
}

/// `berth admin`, beside a Berth that runs.
struct Admin {
    which: u8,
    died: bool,
    count: u32,
}

impl Admin {
    fn run(&mut self, world: &World) -> (bool, String) {
        let password = "another horse battery";
        match self.which {
            0 => world.run(&format!("admin create-user p{}@example.com --name P --password-stdin", self.count), password, &[]),
            1 => world.run("admin reset-password ada@example.com --password-stdin", password, &[]),
            2 => world.run("admin login-link ada@example.com", "", &[]),
            _ => world.run("admin create-token ada@example.com again --scope read", "", &[]),
        }
    }
}

#[async_trait(?Send)]
impl Operation for Admin {
    fn name(&self) -> String {
        format!("berth admin {}", self.which)
    }

    fn aside(&self) -> bool {
        true
    }

    async fn prepare(&mut self, world: &mut World) {
        world.count += 1;
        (self.died, self.count) = (false, world.count);
    }

    async fn act(&mut self, world: &mut World) {
        self.died = !self.run(world).0;
    }

    fn died(&mut self, _world: &mut World) -> bool {
        self.died
    }

    async fn restart(&mut self, _world: &mut World) {}

    async fn judge(&mut self, world: &World) {
        // Done again it succeeds, or it was done: then the person is known already.
        let (good, _) = self.run(world);
        let known = world.number(&format!("SELECT COUNT(*) AS number FROM users WHERE email = 'p{}@example.com'", self.count)).await == 1;
        assert!(good || known);
    }
}

/// What people ask for all day, one after the other. Each is one transaction: it happened or it did not.
struct Requests {
    count: u32,
}

const SECRET: &str = "correct horse battery";

impl Requests {
    async fn form(world: &World, path: &str, cookie: &str, fields: &[(&str, &str)]) -> Option<String> {
        let request = world.berth.request("POST", path).header("sec-fetch-site", "same-origin").header("cookie", cookie).form(fields);
        let answer = request.send().await.ok()?;
        assert!(answer.status().as_u16() < 500, "{path}: {}", answer.status());
        let line = answer.headers().get("set-cookie").and_then(|line| line.to_str().ok()).unwrap_or(cookie);
        Some(line.split(';').next().unwrap_or_default().to_owned())
    }

    /// All of them; ends where Berth does.
    async fn all(&self, world: &World) -> Option<()> {
        let n = self.count;
        let (team, who) = (format!("team{n}"), format!("eve{n}@example.com"));
        let ask = async |method: &str, path: String, body: Value| {
            let answer = world.send(method, &path, body).await?;
            assert!(answer.0 < 500, "{method} {path}: {answer:?}");
            Some(answer.1)
        };
        ask("POST", "/teams".into(), json!({ "name": team })).await?;
        let once = world.berth.request("POST", "/api/v1/teams").header("idempotency-key", format!("key-{n}"));
        world.berth.try_answer(once.json(&json!({ "name": format!("once{n}") }))).await?;
        // Two invitations: one is taken back, one is taken up.
        for taken in [false, true] {
            let email = if taken { who.clone() } else { format!("x{who}") };
            let invited = ask("POST", format!("/teams/{team}/invitations"), json!({ "email": email, "role": "viewer" })).await?;
            if !taken {
                let id = invited["invitation"]["id"].as_str().unwrap_or("none").to_owned();
                ask("DELETE", format!("/teams/{team}/invitations/{id}"), Value::Null).await?;
                continue;
            }
            let token = invited["link"].as_str().unwrap_or_default().rsplit('/').next().unwrap_or_default().to_owned();
            let person = json!({ "token": token, "email": email, "name": "Eve", "password": SECRET });
            world.berth.request("POST", "/api/v1/actions/accept-invitation").json(&person).send().await.ok()?;
        }
        let eve = world.text(&format!("SELECT id AS text FROM users WHERE email = '{who}'")).await;
        ask("PUT", format!("/teams/{team}/members/{eve}"), json!({ "role": "developer" })).await?;
        ask("DELETE", format!("/teams/{team}/members/{eve}"), Value::Null).await?;
        let service = format!("/teams/{team}/services");
        ask("POST", service.clone(), json!({ "name": "fresh", "environments": ["dev"] })).await?;
        ask("POST", format!("{service}/fresh/targets"), json!({ "environment": "staging" })).await?;
        // Its repository is made when somebody asks for it first.
        world.try_git(&["ls-remote", &format!("http://x:{}@{}/git/{team}/fresh.git", world.berth.token(), world.berth.console)]);
        self.tokens_and_sessions(world, &who, &eve).await
    }

    async fn tokens_and_sessions(&self, world: &World, who: &str, eve: &str) -> Option<()> {
        let made = world.send("POST", "/tokens", json!({ "name": "t", "scopes": ["read"] })).await?.1;
        let id = made["token"]["id"].as_str().or(made["id"].as_str()).unwrap_or("none").to_owned();
        let secret = made["secret"].as_str().unwrap_or_default();
        world.berth.request("GET", "/api/v1/me").bearer_auth(secret).send().await.ok()?;
        world.send("DELETE", &format!("/tokens/{id}"), Value::Null).await?;
        let (_, link) = world.run(&format!("admin login-link {who}"), "", &[]);
        let path = link.find("/sign-in/").map_or("/sign-in/none", |at| &link[at..]);
        Self::form(world, path.lines().next().unwrap_or_default(), "", &[("do", "sign-in")]).await?;
        let cookie = Self::form(world, "/login", "", &[("do", "login"), ("email", who), ("password", SECRET)]).await?;
        Self::form(world, "/me", &cookie, &[("do", "language"), ("language", "ko")]).await?;
        // Some minutes later: that it was used is written down.
        world.shift_clock(11 * 60_000);
        let seen = world.berth.request("GET", "/me").header("cookie", &cookie).send().await;
        let used = world.send("GET", "/me", Value::Null).await;
        world.shift_clock(0);
        seen.ok()?;
        used?;
        let cookie = Self::form(world, "/me", &cookie, &[("do", "password"), ("old", SECRET), ("new", "other horse battery")]).await?;
        Self::form(world, "/me", &cookie, &[("do", "everywhere")]).await?;
        for action in ["suspend", "restore"] {
            world.send("POST", &format!("/people/{eve}/actions/{action}"), Value::Null).await?;
        }
        Some(())
    }
}

#[async_trait(?Send)]
impl Operation for Requests {
    fn name(&self) -> String {
        "requests".into()
    }

    async fn prepare(&mut self, world: &mut World) {
        world.count += 1;
        self.count = world.count;
    }

    async fn act(&mut self, world: &mut World) {
        let _ = self.all(world).await;
    }

    async fn judge(&mut self, world: &World) {
        // Asked for again, each is done or was done: nothing is in between.
        self.all(world).await.expect("Berth answers");
        let broken = "SELECT COUNT(*) AS number FROM members m LEFT JOIN users u ON u.id = m.user_id WHERE u.id IS NULL";
        assert_eq!(world.number(broken).await, 0);
    }
}
