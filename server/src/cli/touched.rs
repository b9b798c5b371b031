//! `berth lint --plan`: which services a push of the working copy would run, from its own history.

use app::model::RunEvent;
use serde::Serialize;

use super::{
    failure::{Done, Failure},
    git, output,
};
use crate::pipelines::{
    file::{
        When, resolve_in, together,
        types::{BuildMode, File},
    },
    select::{Choice, Seen, Since, Watched, as_one, choose, is_whole},
};

/// Where a branch is compared with, if it has no upstream: what a remote of Berth's, or the usual one, has.
const USUAL: [&str; 5] = ["berth/main", "berth/master", "origin/HEAD", "origin/main", "origin/master"];

/// What a push would come to.
#[derive(Serialize)]
pub(super) struct Push {
    /// The commit it was compared with; none: everything runs.
    base: Option<String>,
    /// Why with that one.
    assumed: String,
    /// Who comes to one version.
    together: Option<String>,
    services: Vec<Service>,
}

/// What it would come to for a service.
#[derive(Serialize)]
struct Service {
    name: String,
    runs: bool,
    plan: String,
}

/// Works it out for the folder one stands in.
pub(super) fn plan(file: &File, asked: Option<&str>) -> Done<Push> {
    let (base, assumed) = base(asked)?;
    let watched = Watched::new(file.services.values());
    let mut seen = watched.nothing();
    if let Some(base) = &base {
        let cannot = || Failure::new(format!("What changed since {} cannot be read. Stand in the working copy.", output::short(base)));
        let changed = git::read(&["diff", "--name-only", "-z", "--no-renames", base, "--"]).ok_or_else(cannot)?;
        let new = git::read(&["ls-files", "-z", "--others", "--exclude-standard", "--full-name", ":/"]).ok_or_else(cannot)?;
        let paths = changed.split('\0').chain(new.split('\0')).filter(|path| !path.is_empty());
        paths.for_each(|path| watched.see(path, &mut seen));
    }
    let branch = git::read(&["symbolic-ref", "--short", "--quiet", "HEAD"]);
    let when = When { branch: branch.as_deref(), event: RunEvent::Push };
    let since = file.services.values().enumerate().map(|(place, service)| match (&base, is_whole(service)) {
        (_, true) => Since::Whole,
        (None, false) => Since::Never,
        (Some(_), false) => Since::Read(0, &seen, place),
    });
    let since: Vec<Since<'_>> = since.collect();
    let mut choices: Vec<(&str, Choice)> = file.services.keys().zip(&since).map(|(name, since)| (name.as_str(), choose(*since))).collect();
    if file.build == BuildMode::Together {
        as_one(&mut choices);
    }
    let services = choices.iter().zip(&since).enumerate().map(|(place, ((name, choice), since))| {
        let order = resolve_in(file, name).map(|pipeline| pipeline.on(when).order()).unwrap_or_default();
        let (runs, plan) = match (choice, &base, choose(*since)) {
            (Choice::Keep(_), Some(base), _) => (false, format!("unchanged since {}", output::short(base))),
            (Choice::Run(Some(why)), _, Choice::Keep(_)) => (true, format!("{order}, because {why}")),
            _ => (true, format!("{order}{}", because(*since, &seen, place))),
        };
        Service { name: (*name).to_owned(), runs, plan }
    });
    let services = services.collect();
    Ok(Push { together: together(file), services, base, assumed })
}

fn because(since: Since<'_>, seen: &Seen, place: usize) -> String {
    match (since, seen.touched(place)) {
        (Since::Read(..), _) if seen.file() => ", because berth.yaml changed".to_owned(),
        (Since::Read(..), Some(path)) => format!(", because {path} changed"),
        _ => String::new(),
    }
}

/// What to compare with, and why with that.
fn base(asked: Option<&str>) -> Done<(Option<String>, String)> {
    let commit = |revision: &str| git::read(&["rev-parse", "--verify", "--quiet", &format!("{revision}^{{commit}}")]);
    if let Some(asked) = asked {
        let found = (!asked.starts_with('-')).then(|| commit(asked)).flatten();
        let found = found.ok_or_else(|| Failure::new(format!("`{asked}` names no commit here. Give a branch, a tag or a commit.")))?;
        return Ok((Some(found), format!("with {asked}, as asked")));
    }
    for there in ["@{upstream}"].into_iter().chain(USUAL) {
        if commit(there).is_some()
            && let Some(base) = git::read(&["merge-base", "HEAD", there])
        {
            let name = git::read(&["rev-parse", "--abbrev-ref", there]).unwrap_or_else(|| there.to_owned());
            return Ok((Some(base), format!("with where this branch and {name} part")));
        }
    }
    Ok((None, "with nothing: there is no branch of a remote here, so this is taken for a first push".to_owned()))
}

impl Push {
    /// Prints it.
    pub(super) fn show(&self) {
        let base = self.base.as_deref().map(|base| format!(" ({})", output::short(base))).unwrap_or_default();
        output::line(&format!("Compared {}{base}, all that is not committed included:", self.assumed));
        self.together.iter().for_each(|together| output::line(&format!("  {together}")));
        self.services.iter().for_each(|service| output::line(&format!("  {}: {}", service.name, service.plan)));
        output::line("Berth compares with the commit at which each service came to a candidate last.");
    }
}
