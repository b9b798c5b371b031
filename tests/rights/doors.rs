//! Every door, and what each kind of asker gets there: REST, pages, their forms, streams, Git, what is open to all. The
//! lists come from the routers; a path without a row here fails the test.

use std::collections::{BTreeMap, BTreeSet};

use app::{
    model::Scope,
    routes::{Need, PAGES},
};
use serde_json::Value;
use server::auth::rights::{Action, rule};

use super::{
    cast::Kind,
    rest::{
        self, CHANGE,
        Gets::{self, Gone, In, No},
        OWN, SHIP, VIEW,
    },
    world::{STEP, World},
};
use crate::house::source;

/// What nobody gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Nobody {
    /// 401.
    Refused,
    /// The way to the form that signs in; a token that is no good: 401.
    Away,
    /// What everybody gets; a token that is no good: 401.
    Same,
    /// What everybody gets: nobody looks at credentials.
    Free,
    /// 401, whoever asks: no person is believed there, but a signature.
    Signed,
}

/// One thing that can be asked.
#[derive(Clone)]
pub(super) struct Door {
    /// The list it is in, and its path there: `page /teams/{team}`.
    pub(super) listed: String,
    /// The method.
    pub(super) method: String,
    /// The path, filled in.
    pub(super) path: String,
    /// The body with its type.
    pub(super) body: Option<(&'static str, Vec<u8>)>,
    /// What the other team's owner, viewer, developer, owner and a developer's deploy-only token get.
    pub(super) roles: [Gets; 5],
    /// What nobody gets.
    pub(super) nobody: Nobody,
    /// What a token has to name for it, all of them.
    pub(super) needs: Vec<Scope>,
    /// Afterwards the asker or the thing is gone: whoever may is tested by a journey of its own.
    pub(super) once: bool,
}

impl Door {
    /// What somebody of this kind gets here.
    pub(super) fn expected(&self, kind: Kind) -> Expected {
        match (kind, self.nobody) {
            (_, Nobody::Signed) => Expected::Status(401),
            (Kind::Somebody(n), _) => Expected::of(self.roles[n]),
            (Kind::Narrow(scope), _) => self.through(OWNER, self.needs.iter().all(|needed| *needed == scope)),
            (Kind::Figures, _) if self.path == "/metrics" => Expected::In,
            (Kind::Figures, _) => self.through(OWNER, self.needs.is_empty()),
            (Kind::Elsewhere, _) => self.through(STRANGER, !self.needs.contains(&Scope::Admin)),
            (Kind::Basic, _) if self.is_git() => Expected::of(self.roles[OWNER]),
            (Kind::Basic, _) => self.expected(Kind::Nobody),
            (Kind::BadToken, Nobody::Free) | (Kind::Nobody, Nobody::Same | Nobody::Free) => Expected::of(self.roles[0]),
            (Kind::BadToken, _) | (_, Nobody::Refused) => Expected::Status(401),
            (Kind::Nobody, Nobody::Away) => Expected::Away,
        }
    }

    /// What this column says, for a token that names enough (`names`) or too little.
    fn through(&self, column: usize, names: bool) -> Expected {
        match (names, self.roles[column]) {
            (true, gets) => Expected::of(gets),
            (false, In | No) => Expected::Status(403),
            (false, Gone) if self.listed.contains("/tokens") => Expected::Status(403),
            // For an administrator pages are there that are not for others.
            (false, Gone) if self.listed.contains("/platform/") => Expected::Refused,
            (false, gets) => Expected::of(gets),
        }
    }

    /// Whether it is one of Git's, which takes tokens alone, also in Basic.
    pub(super) fn is_git(&self) -> bool {
        self.listed.starts_with("other /git/")
    }
}

/// The columns of a stranger and of an owner.
const STRANGER: usize = 0;
const OWNER: usize = 3;

/// What an answer is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expected {
    /// Anything but a refusal and a fault.
    In,
    /// This status.
    Status(u16),
    /// 403 or 404.
    Refused,
    /// 303 to the form that signs in.
    Away,
}

impl Expected {
    fn of(gets: Gets) -> Self {
        match gets {
            In => Self::In,
            No => Self::Status(403),
            Gone => Self::Status(404),
        }
    }

    /// Whether an answer is that.
    pub(super) fn fits(self, status: u16, location: &str) -> bool {
        match self {
            Self::In => ![401, 403, 404].contains(&status) && status < 500 && !location.starts_with("/login?"),
            Self::Status(wanted) => status == wanted,
            Self::Refused => [403, 404].contains(&status),
            Self::Away => status == 303 && location.starts_with("/login?to="),
        }
    }
}

/// Everybody the same.
const ALL: [Gets; 5] = [In; 5];
const NONE: [Gets; 5] = [Gone; 5];
/// Whoever is signed in; a deploy-only token may neither read nor change oneself.
const SELF: [Gets; 5] = [In, In, In, In, No];
/// As [`SHIP`], where the form also reads what a deploy-only token may not.
const SHIP_SEEING: [Gets; 5] = [Gone, No, In, In, No];

/// REST.
pub(super) fn rest(world: &World) -> Vec<Door> {
    let gone = ["delete /teams/{team}/members/{user}", "delete /teams/{team}/invitations/{id}", "post /me/actions/sign-out-everywhere"];
    let rights = rest::listed();
    let mut doors: Vec<Door> = rest::rows()
        .into_iter()
        .map(|row| Door {
            listed: format!("rest {} {}", row.method, row.path),
            method: row.method.to_uppercase(),
            path: format!("/api/v1{}", world.path(row.path)),
            body: body(&row.body),
            roles: row.expected,
            nobody: Nobody::Refused,
            needs: needs(&rights, row.method, row.path),
            once: gone.contains(&format!("{} {}", row.method, row.path).as_str()),
        })
        .collect();
    let open = [("/actions/setup", Gone), ("/actions/accept-invitation", Gone)];
    let nobody = r#"{"token":"none","email":"n@a.test","name":"N","password":"correct horse battery"}"#;
    for (path, gets) in open {
        doors.push(Door { body: Some(("application/json", nobody.into())), ..free("rest post", "POST", path, [gets; 5]) });
    }
    let login = r#"{"email":"owner@a.test","password":"correct horse battery"}"#;
    doors.push(Door { body: Some(("application/json", login.into())), ..free("rest post", "POST", "/actions/login", ALL) });
    doors.push(free("rest get", "GET", "/openapi.json", ALL));
    doors.push(free("rest get", "GET", "/signing-key", ALL));
    for door in doors.iter_mut().rev().take(5) {
        door.path = format!("/api/v1{}", door.path);
        door.nobody = Nobody::Same;
    }
    doors
}

/// What a token has to name for a route, by the right the router has for it.
fn needs(rights: &BTreeMap<String, String>, method: &str, path: &str) -> Vec<Scope> {
    // It may always end itself, and no other without this.
    if path == "/tokens/{id}" {
        return vec![Scope::Admin];
    }
    // It grants no more than it holds.
    if (method, path) == ("post", "/tokens") {
        return vec![Scope::Admin, Scope::Read];
    }
    let right = &rights[&format!("{method} {path}")];
    let action = Action::ALL.into_iter().find(|action| format!("{action:?}") == *right).expect("the router names rights");
    rule(action).scope.into_iter().collect()
}

fn body(value: &Value) -> Option<(&'static str, Vec<u8>)> {
    (!value.is_null()).then(|| ("application/json", value.to_string().into_bytes()))
}

fn free(list: &str, method: &str, path: &str, roles: [Gets; 5]) -> Door {
    Door {
        listed: format!("{list} {path}"),
        method: method.into(),
        path: path.into(),
        body: None,
        roles,
        nobody: Nobody::Free,
        needs: Vec::new(),
        once: false,
    }
}

const READ: &[Scope] = &[Scope::Read];
const DEPLOY: &[Scope] = &[Scope::Deploy];
const WRITE: &[Scope] = &[Scope::Write];
const ADMIN: &[Scope] = &[Scope::Admin];
/// A form that shows its page afterwards, or reads before it acts.
const DEPLOY_SEEING: &[Scope] = &[Scope::Deploy, Scope::Read];
const WRITE_SEEING: &[Scope] = &[Scope::Write, Scope::Read];
const ADMIN_SEEING: &[Scope] = &[Scope::Admin, Scope::Read];

/// What the pages show, and what a token has to name for it.
#[rustfmt::skip]
const SHOWN: &[(&str, [Gets; 5], &[Scope])] = &[
    ("/", ALL, &[]),
    // There is an administrator already, and the links are of nobody.
    ("/setup/{token}", [No; 5], &[]),
    ("/login", ALL, &[]),
    ("/sign-in/{token}", ALL, &[]),
    ("/invite/{token}", NONE, &[]),
    ("/welcome", SELF, READ),
    ("/me", ALL, &[]),
    ("/tokens", SELF, ADMIN),
    ("/activity", SELF, READ),
    ("/teams", SELF, READ),
    ("/search", SELF, READ),
    ("/teams/new", ALL, &[]),
    ("/teams/{team}", VIEW, READ),
    ("/teams/{team}/activity", VIEW, READ),
    ("/teams/{team}/people", VIEW, ADMIN_SEEING),
    ("/teams/{team}/services/new", VIEW, READ),
    ("/teams/{team}/services/{service}", VIEW, READ),
    ("/teams/{team}/services/{service}/runs", VIEW, READ),
    ("/teams/{team}/services/{service}/runs/{number}", VIEW, READ),
    ("/teams/{team}/services/{service}/candidates", VIEW, READ),
    ("/teams/{team}/services/{service}/candidates/{number}", VIEW, READ),
    ("/teams/{team}/services/{service}/candidates/{number}/compare/{other}", VIEW, READ),
    ("/teams/{team}/services/{service}/ci", VIEW, READ),
    ("/teams/{team}/services/{service}/pipeline", VIEW, READ),
    ("/teams/{team}/services/{service}/settings", VIEW, READ),
    ("/teams/{team}/services/{service}/targets/{environment}", VIEW, READ),
    ("/teams/{team}/services/{service}/targets/{environment}/logs", VIEW, READ),
    ("/rollouts/{rollout}", VIEW, READ),
    ("/platform/bases", SELF, READ),
    ("/platform/bases/{base}", SELF, READ),
    // Not to be known of but by administrators.
    ("/platform/environments", NONE, READ),
    ("/platform/hosts", NONE, READ),
    ("/platform/people", NONE, READ),
];

/// A form of a page: its path, the verb, the other fields, who may, what a token has to name, and `once` (see [`Door::once`]).
type Sent = (&'static str, &'static str, &'static [(&'static str, &'static str)], [Gets; 5], &'static [Scope], bool);

/// What the pages' forms do.
#[rustfmt::skip]
const SENT: &[Sent] = &[
    ("/setup/{token}", "create", &[("email", "n@a.test"), ("name", "N"), ("password", "correct horse battery")], NONE, &[], false),
    ("/login", "login", &[("email", "owner@a.test"), ("password", "correct horse battery")], ALL, &[], true),
    ("/logout", "", &[], ALL, &[], true),
    ("/sign-in/{token}", "sign-in", &[], NONE, &[], false),
    ("/invite/{token}", "join", &[("name", "N"), ("password", "correct horse battery")], NONE, &[], false),
    ("/me", "language", &[("language", "en")], SELF, ADMIN, false),
    ("/me", "password", &[("old", "wrong"), ("new", "another good password")], SELF, ADMIN, false),
    ("/me", "everywhere", &[], SELF, ADMIN, true),
    ("/tokens", "create", &[("name", "x"), ("scopes", "read")], SELF, ADMIN_SEEING, false),
    ("/tokens", "revoke", &[("of", "none")], [Gone, Gone, Gone, Gone, No], ADMIN, false),
    ("/teams/new", "create", &[("name", "a")], SELF, ADMIN, false),
    ("/teams/{team}/people", "invite", &[("email", "y@a.test"), ("role", "viewer")], OWN, ADMIN_SEEING, false),
    ("/teams/{team}/people", "withdraw", &[("of", "{id}")], OWN, ADMIN, true),
    ("/teams/{team}/people", "role", &[("of", "{user}"), ("role", "owner")], OWN, ADMIN, false),
    ("/teams/{team}/people", "remove", &[("of", "{user}")], OWN, ADMIN, true),
    ("/teams/{team}/services/new", "create", &[("name", "hello"), ("environments", "dev")], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}", "promote", &[("of", "staging")], SHIP_SEEING, DEPLOY_SEEING, false),
    ("/teams/{team}/services/{service}", "add", &[("environment", "dev")], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/runs", "start", &[("branch", "none")], SHIP, DEPLOY, false),
    ("/teams/{team}/services/{service}/runs/{number}", "cancel", &[], SHIP, DEPLOY, false),
    ("/teams/{team}/services/{service}/runs/{number}", "retry", &[], SHIP, DEPLOY, false),
    ("/teams/{team}/services/{service}/runs/{number}", "approve", &[], SHIP, DEPLOY, false),
    ("/teams/{team}/services/{service}/candidates/{number}", "hold", &[], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/candidates/{number}", "let-go", &[], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/pipeline", "check", &[("text", "version: 1")], VIEW, READ, false),
    ("/teams/{team}/services/{service}/settings", "move", &[("repository", "{repository}")], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/ci", "mute", &[("of", "{flaky}"), ("until", "")], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/ci", "guard", &[], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/ci", "unguard", &[], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/ci", "badges", &[], OWN, ADMIN_SEEING, false),
    ("/teams/{team}/services/{service}/ci", "hide-badges", &[], OWN, ADMIN_SEEING, false),
    ("/teams/{team}/services/{service}/settings", "pushes", &[("running", "yes")], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/settings", "clear-caches", &[], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/settings", "secret", &[("name", "A"), ("value", "b")], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/settings", "forget-secret", &[("of", "A")], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/settings", "mirror", &[("forge", "git")], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/settings", "mirror-add", &[("mirror", "nowhere")], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/settings", "mirror-fetch", &[], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/settings", "mirror-forget", &[], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/settings", "mirror-hook", &[], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/settings", "delete", &[("confirm", "hello")], OWN, WRITE, true),
    ("/teams/{team}/services/{service}/targets/{environment}", "deploy", &[("image", "hello:1")], SHIP, DEPLOY, false),
    ("/teams/{team}/services/{service}/targets/{environment}", "deploy-plan", &[("image", "hello:1")], SHIP_SEEING, DEPLOY_SEEING, false),
    ("/teams/{team}/services/{service}/targets/{environment}", "scale", &[("replicas.web", "2")], SHIP, DEPLOY, false),
    ("/teams/{team}/services/{service}/targets/{environment}", "scale-plan", &[("replicas.web", "2")], SHIP_SEEING, DEPLOY_SEEING, false),
    ("/teams/{team}/services/{service}/targets/{environment}", "config", &[("new", "A=b")], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/targets/{environment}", "config-plan", &[("new", "A=b")], CHANGE, WRITE_SEEING, false),
    ("/teams/{team}/services/{service}/targets/{environment}", "add-route", &[("host", "hello.example.com")], CHANGE, WRITE, false),
    ("/teams/{team}/services/{service}/targets/{environment}", "remove-route", &[("of", "{route}")], CHANGE, WRITE, true),
    ("/rollouts/{rollout}", "cancel", &[], SHIP, DEPLOY, false),
    ("/rollouts/{rollout}", "rollback", &[], SHIP_SEEING, DEPLOY_SEEING, false),
    ("/platform/bases", "create", &[("name", "debian"), ("description", "x"), ("dockerfile", "FROM x")], [No; 5], ADMIN, false),
    ("/platform/bases/{base}", "rebuild", &[("dockerfile", "FROM x"), ("roll", "yes")], [No; 5], ADMIN, false),
    ("/platform/bases/{base}", "cancel", &[], [No; 5], ADMIN, false),
    ("/platform/people", "suspend", &[("of", "{user}")], NONE, ADMIN, false),
    ("/platform/people", "restore", &[("of", "{user}")], NONE, ADMIN, false),
];

/// A path or a field with what stands for names in it filled in.
pub(super) fn filled(world: &World, text: &str) -> String {
    let path = world.path(&text.replace("{id}", &world.invitation).replace("{route}", &world.route));
    let path = path.replace("{flaky}", "flaky").replace("{repository}", "hello");
    path.replace("{rollout}", &world.rollout).replace("{token}", "none")
}

/// A form as it is sent.
pub(super) fn form(verb: &str, fields: &[(&str, &str)], fill: impl Fn(&str) -> String) -> Vec<u8> {
    let encode = |text: &str| percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
    let all = fields.iter().map(|(name, value)| format!("&{}={}", encode(name), encode(&fill(value))));
    format!("do={verb}{}", all.collect::<String>()).into_bytes()
}

/// The forms of the pages: path, verb and fields, with names for what is filled in.
pub(super) fn forms() -> impl Iterator<Item = (&'static str, &'static str, &'static [(&'static str, &'static str)])> {
    SENT.iter().map(|(path, verb, fields, ..)| (*path, *verb, *fields))
}

/// The pages and their forms.
pub(super) fn pages(world: &World) -> Vec<Door> {
    let need = |path: &str| PAGES.iter().find(|page| page.path == path).map(|page| page.need);
    let nobody = |path: &str| if need(path) == Some(Need::Nothing) { Nobody::Same } else { Nobody::Away };
    let mut doors: Vec<Door> = SHOWN
        .iter()
        .map(|(path, roles, needs)| Door {
            nobody: nobody(path),
            path: filled(world, path),
            needs: needs.to_vec(),
            ..free("page", "GET", path, *roles)
        })
        .collect();
    for (path, verb, fields, roles, needs, once) in SENT {
        doors.push(Door {
            nobody: nobody(path),
            path: filled(world, path),
            body: Some(("application/x-www-form-urlencoded", form(verb, fields, |text| filled(world, text)))),
            needs: needs.to_vec(),
            once: *once,
            ..free("form", "POST", &format!("{path} {verb}"), *roles)
        });
    }
    doors
}

/// A line of Git's protocol.
fn line(text: &str) -> String {
    format!("{:04x}{text}", text.len() + 4)
}

/// A push that makes a branch of a commit that is there: an empty pack goes with it.
fn push(commit: &str) -> Vec<u8> {
    let mut body = line(&format!("{} {commit} refs/heads/made\0report-status", "0".repeat(40))).into_bytes();
    body.extend(b"0000PACK\0\0\0\x02\0\0\0\0");
    body.extend(hex::decode("029d08823bd8a8eab510ad6ac75c823cfd3ed31e").unwrap());
    body
}

/// Everything beside REST and the pages: streams of the console, Git, assets, what tells of Berth itself.
pub(super) fn others(commit: &str) -> Vec<Door> {
    let at = |path: &str, method: &str, real: &str, roles, nobody| Door { path: real.into(), nobody, ..free("other", method, path, roles) };
    let read = |door: Door| Door { needs: READ.to_vec(), ..door };
    let by_git = |door: Door| Door { needs: vec![Scope::Git], ..door };
    let git = "/git/{team}/{repository}";
    let (fetch, pushes) = ([Gone, In, In, In, No], [Gone, No, In, In, No]);
    let asks = line("command=ls-refs\n") + "0000";
    vec![
        read(at("/live", "GET", "/live", SELF, Nobody::Refused)),
        read(at("/steps/{step}/log", "GET", &format!("/steps/{STEP}/log"), VIEW, Nobody::Refused)),
        read(at("/teams/{team}/services/{service}/badge.svg", "GET", "/teams/a/services/hello/badge.svg", VIEW, Nobody::Same)),
        at("/api", "GET", "/api", ALL, Nobody::Same),
        at("/api/{*rest}", "GET", "/api/v2/anything", NONE, Nobody::Same),
        at("/healthz", "GET", "/healthz", ALL, Nobody::Free),
        at("/readyz", "GET", "/readyz", ALL, Nobody::Free),
        // For administrators, and for tokens they made for it.
        Door { needs: vec![Scope::Metrics], ..at("/metrics", "GET", "/metrics", [No; 5], Nobody::Refused) },
        at("/schema", "GET", "/schema", ALL, Nobody::Free),
        at("/schema/berth.v1.json", "GET", "/schema/berth.v1.json", ALL, Nobody::Free),
        at("/pkg/{*path}", "GET", "/pkg/main.css", ALL, Nobody::Free),
        at("/favicon.ico", "GET", "/favicon.ico", ALL, Nobody::Free),
        at("/robots.txt", "GET", "/robots.txt", ALL, Nobody::Free),
        at("/hooks/{id}", "POST", "/hooks/none", NONE, Nobody::Signed),
        by_git(at(&format!("{git}/info/refs"), "GET", "/git/a/hello.git/info/refs?service=git-upload-pack", fetch, Nobody::Refused)),
        by_git(at(&format!("{git}/info/refs"), "GET", "/git/a/hello.git/info/refs?service=git-receive-pack", pushes, Nobody::Refused)),
        Door {
            body: Some(("application/x-git-upload-pack-request", asks.into_bytes())),
            ..by_git(at(&format!("{git}/git-upload-pack"), "POST", "/git/a/hello.git/git-upload-pack", fetch, Nobody::Refused))
        },
        Door {
            body: Some(("application/x-git-receive-pack-request", push(commit))),
            ..by_git(at(&format!("{git}/git-receive-pack"), "POST", "/git/a/hello.git/git-receive-pack", pushes, Nobody::Refused))
        },
    ]
}

/// What the routers list, in the words of [`Door::listed`].
pub(super) fn listed() -> BTreeSet<String> {
    let mut all: BTreeSet<String> = rest::listed().keys().map(|route| format!("rest {route}")).collect();
    for page in PAGES {
        // `/logout` shows nothing of its own: what it shows is the page of oneself, to whom is signed in.
        if page.path != "/logout" {
            all.insert(format!("page {}", page.path));
        }
        all.extend(page.verbs.iter().map(|verb| format!("form {} {verb}", page.path)));
    }
    for (_, code) in source::files("server/src/http") {
        for part in code.split(".route(").skip(1) {
            if let Some(path) = part.trim_start().strip_prefix('"').and_then(|rest| rest.split('"').next()) {
                all.insert(format!("other {path}"));
            }
        }
    }
    all
}

/// The methods a path takes.
pub(super) fn taken<'a>(doors: &'a [Door], path: &str) -> BTreeSet<&'a str> {
    let bare = |path: &str| path.split('?').next().unwrap().to_owned();
    doors.iter().filter(|door| bare(&door.path) == bare(path)).map(|door| door.method.as_str()).collect()
}
