//! Who asks for a page and with what, and what a page answers. Nothing of the web server's library in here: the server
//! binds these to it, tests build them by hand.

use std::{future::Future, pin::Pin};

use leptos::prelude::AnyView;

use crate::{
    backend::Backend,
    error::{Error, Kind, Result},
    locales::Lang,
    model::{Actor, Me, PlatformRole, Role, TeamName, Timestamp, UserId},
    way::Way,
};

/// Names and values of a path, a query or a form, in the order they came. A name may come several times.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Fields(pub Vec<(String, String)>);

impl Fields {
    /// The first value of this name, with the spaces around it taken off; empty where there is none.
    pub fn get(&self, name: &str) -> &str {
        self.raw(name).map_or("", str::trim)
    }

    /// The first value of this name as it came.
    pub fn raw(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Every value of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Whether something of this name came.
    pub fn has(&self, name: &str) -> bool {
        self.raw(name).is_some()
    }
}

/// The addresses of what a page loads beside itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Assets {
    /// The style sheet.
    pub css: String,
    /// The script that starts the islands.
    pub boot: String,
    /// The icon.
    pub icon: String,
    /// The islands' script and their WebAssembly; none where the binary was built without.
    pub bundle: Option<(String, String)>,
}

/// A request for a page.
#[derive(Clone)]
pub struct Caller {
    /// What can be asked.
    pub backend: Backend,
    /// Who asks; none: nobody signed in.
    pub actor: Option<Actor>,
    /// The same person as they see themselves.
    pub me: Option<Me>,
    /// The language to answer in.
    pub lang: Lang,
    /// The path asked for, without its query.
    pub path: String,
    /// The parts of the path by the names of its pattern.
    pub params: Fields,
    /// The query.
    pub query: Fields,
    /// The form, where one was sent; kept when it is shown again.
    pub form: Fields,
    /// What was wrong with that form.
    pub problem: Option<Error>,
    /// The request's id.
    pub request: String,
    /// The address it came from.
    pub peer: Option<String>,
    /// The console's own address, without a final slash.
    pub url: String,
    /// What pages load.
    pub assets: Assets,
}

impl Caller {
    /// The signed-in actor.
    ///
    /// # Errors
    /// `sign_in_first`.
    pub fn actor(&self) -> Result<&Actor> {
        self.actor.as_ref().ok_or_else(|| Error::unauthenticated("sign_in_first", "Sign in to see this page."))
    }

    /// The signed-in person.
    ///
    /// # Errors
    /// `sign_in_first`.
    pub fn me(&self) -> Result<&Me> {
        self.me.as_ref().ok_or_else(|| Error::unauthenticated("sign_in_first", "Sign in to see this page."))
    }

    /// A part of the path, parsed.
    ///
    /// # Errors
    /// `not_found` where it has no such form: nothing can be there then.
    pub fn param<T: std::str::FromStr>(&self, name: &str) -> Result<T> {
        self.params.get(name).parse().map_err(|_| no_such_page())
    }

    /// Whether the person administers the platform.
    pub fn is_admin(&self) -> bool {
        self.me.as_ref().is_some_and(|me| me.platform == PlatformRole::Admin)
    }

    /// Whether the person has at least this role in the team. Only decides what is shown: what may be done is decided
    /// behind the seam.
    pub fn may(&self, team: &TeamName, role: Role) -> bool {
        self.is_admin() || self.me.as_ref().is_some_and(|me| me.teams.iter().any(|mine| mine.name == *team && mine.role >= role))
    }

    /// The same, as if no form had been sent: for a page that is shown after one succeeded.
    #[must_use]
    pub fn without_form(&self) -> Self {
        Self { form: Fields::default(), problem: None, ..self.clone() }
    }

    /// The clock.
    pub fn now(&self) -> Timestamp {
        self.backend.platform.now()
    }

    /// The verb of the form that was sent.
    pub fn verb(&self) -> &str {
        self.form.get("do")
    }
}

/// The error of a path that leads nowhere.
pub fn no_such_page() -> Error {
    Error::not_found("not_found", "There is no such page, or none that you may see.")
}

/// The error of a form whose verb no form of the page has.
pub fn no_such_form() -> Error {
    Error::invalid("unknown_form", "This form is not known here. Load the page again and repeat.")
}

/// How much is around the content of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The rail with the navigation.
    Rail,
    /// Nothing but the mark: signing in, the first run.
    Bare,
}

/// Where in the console a page stands; lights its entry in the rail.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Place {
    /// The team it belongs to.
    pub team: Option<TeamName>,
    /// The entry of the rail, by its path.
    pub entry: String,
}

/// A page, ready to be put into a document.
pub struct Screen {
    /// The HTTP status.
    pub status: u16,
    /// The title.
    pub title: String,
    /// What is around it.
    pub frame: Frame,
    /// Where it stands.
    pub place: Place,
    /// The way here: words and paths, from the team on; the last is the page itself.
    pub crumbs: Vec<(String, String)>,
    /// The same on the command line and over the API.
    pub ways: Vec<Way>,
    /// Beginnings of the topics that make it look again (`run:`, `rollout:` …); none: it is not live.
    pub live: Vec<&'static str>,
    /// The content.
    pub body: AnyView,
}

impl Screen {
    /// A page with a rail.
    pub fn new(title: impl Into<String>, body: AnyView) -> Self {
        Self {
            status: 200,
            title: title.into(),
            frame: Frame::Rail,
            place: Place::default(),
            crumbs: Vec::new(),
            ways: Vec::new(),
            live: Vec::new(),
            body,
        }
    }

    /// A page without a rail.
    pub fn bare(title: impl Into<String>, body: AnyView) -> Self {
        Self { frame: Frame::Bare, ..Self::new(title, body) }
    }

    /// Says where it stands: a team and the path of the rail's entry.
    #[must_use]
    pub fn at(mut self, team: Option<&TeamName>, entry: impl Into<String>) -> Self {
        self.place = Place { team: team.cloned(), entry: entry.into() };
        self
    }

    /// Adds a word to the way here.
    #[must_use]
    pub fn crumb(mut self, word: impl Into<String>, path: impl Into<String>) -> Self {
        self.crumbs.push((word.into(), path.into()));
        self
    }

    /// Says what does the same elsewhere.
    #[must_use]
    pub fn ways(mut self, ways: impl IntoIterator<Item = Way>) -> Self {
        self.ways.extend(ways);
        self
    }

    /// Makes it live.
    #[must_use]
    pub fn live(mut self, topics: &[&'static str]) -> Self {
        self.live = topics.to_vec();
        self
    }

    /// Sets the status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }
}

/// What a page or a form answers.
pub enum Answer {
    /// A page.
    Screen(Box<Screen>),
    /// Look there (303).
    Go(String),
    /// This person is signed in from now on; look there.
    SignedIn(UserId, String),
    /// Nobody is signed in any more; look there.
    SignedOut(String),
}

impl From<Screen> for Answer {
    fn from(screen: Screen) -> Self {
        Self::Screen(Box::new(screen))
    }
}

/// The answer of a page under way.
pub type Answering<'a> = Pin<Box<dyn Future<Output = Result<Answer>> + Send + 'a>>;

/// Whether an error belongs on the form it came from, and not on a page of its own.
pub fn belongs_on_form(error: &Error) -> bool {
    !matches!(error.kind, Kind::Internal | Kind::NotFound)
}
