//! Releases, config, scale, rollouts: everything that changes what runs is a new release.

use std::collections::BTreeMap;

use app::{
    backend::{Live, Releases},
    error::{Error, Result},
    model::{
        Actor, Change, ConfigChange, ConfigSet, ConfigSetId, EnvironmentName, LineKind, LogLine, Page, PageRequest, Process, Release,
        Rollout, RolloutId, ServiceName, Shape, Source, TeamName,
    },
    said,
};
use async_trait::async_trait;
use futures::StreamExt as _;

use super::{
    Control,
    candidates::{still_there, unknown_candidate},
};
use crate::{
    auth::rights::Action,
    clock,
    platform::{self, ContainerState, Observed, Scope},
    rollout::request,
    store::{
        candidates,
        events::{self, NewEvent},
        releases::{self, ConfigSetRow, Content, ReleaseRow},
        rollouts,
        targets::{self, TargetRow},
    },
    wake::Duty,
};

/// The most instances of one process.
const MOST_REPLICAS: u32 = 100;
/// The longest value of a variable, in bytes.
const LONGEST_VALUE: usize = 32 << 10;
/// The most variables of a target.
const MOST_VARIABLES: usize = 500;

/// Where a target stands: what a change starts from.
struct Standing {
    serving: Option<ReleaseRow>,
    wanted: Option<ReleaseRow>,
}

impl Standing {
    /// What is wanted now, on top of which a change is made.
    fn base(&self) -> Option<&ReleaseRow> {
        self.wanted.as_ref().or(self.serving.as_ref())
    }
}

impl Control {
    async fn standing(&self, target: &TargetRow) -> Result<Standing> {
        let wanted = match &target.wanted_release_id {
            Some(id) => releases::by_id(&self.db, &target.team_id, id).await?,
            None => None,
        };
        let serving = match &target.release_id {
            Some(id) if wanted.as_ref().is_some_and(|wanted| wanted.id == *id) => wanted.clone(),
            Some(id) => releases::by_id(&self.db, &target.team_id, id).await?,
            None => None,
        };
        Ok(Standing { serving, wanted })
    }

    pub(super) async fn newest_config(&self, target: &TargetRow) -> Result<ConfigSetRow> {
        releases::config_by_id(&self.db, &target.team_id, &target.config_set_id)
            .await?
            .ok_or_else(|| Error::internal(format!("target {} has no config set", target.id)))
    }

    pub(super) fn variables(&self, target: &TargetRow, set: &ConfigSetRow) -> Result<BTreeMap<String, String>> {
        let plain = self.secrets.unseal(&target.team_id, set.id.as_str(), "variables", &set.variables)?;
        serde_json::from_slice(&plain).map_err(Error::internal)
    }

    fn config_set(&self, target: &TargetRow, set: &ConfigSetRow) -> Result<ConfigSet> {
        Ok(ConfigSet {
            id: set.id.clone(),
            number: set.number,
            variables: self.variables(target, set)?,
            by: set.created_by.clone(),
            created_at: set.created_at,
        })
    }

    /// Makes a release of this content, or says what would happen.
    async fn change(
        &self,
        actor: &Actor,
        target: &TargetRow,
        content: Content,
        reason: &str,
        action: &str,
        dry_run: bool,
    ) -> Result<Change> {
        let standing = self.standing(target).await?;
        let mut plan = request::preview(target, &content, standing.wanted.as_ref(), standing.serving.as_ref(), target.next_release);
        if plan.is_empty() {
            return Ok(Change { release: None, rollout: None, plan: vec![said::plan_nothing()] });
        }
        plan.extend(self.vouched(&target.team_id, &content).await?);
        if dry_run {
            return Ok(Change { release: None, rollout: None, plan });
        }
        let mut tx = self.db.begin().await?;
        still_as_read(&mut tx, target).await?;
        still_there(&mut tx, &target.team_id, &content).await?;
        let (release, rollout) = request::release(&mut tx, target, &content, &actor.name, reason).await?;
        self.tell(&mut tx, actor, target, action, reason, Some((&release, &rollout))).await?;
        tx.commit().await?;
        self.moved(target, Some(&rollout));
        Ok(Change { release: Some(release.number), rollout: Some(rollout), plan })
    }

    async fn tell(
        &self,
        tx: &mut crate::store::Tx,
        actor: &Actor,
        target: &TargetRow,
        action: &str,
        detail: &str,
        release: Option<(&ReleaseRow, &RolloutId)>,
    ) -> Result<()> {
        let place = format!("{} in {}", target.service, target.environment.name);
        let event = NewEvent {
            team: Some(&target.team_id),
            service: Some(&target.service_id),
            action,
            subject: release.map_or_else(
                || place.clone(),
                |(release, _)| said::subject_release(release.number, &target.service, &target.environment.name),
            ),
            path: Some(release.map_or_else(
                || format!("/teams/{}/services/{}", target.team, target.service),
                |(_, rollout)| format!("/rollouts/{rollout}"),
            )),
            detail: detail.to_owned(),
        };
        events::insert(tx, actor, event).await?;
        Ok(())
    }

    fn moved(&self, target: &TargetRow, rollout: Option<&RolloutId>) {
        self.wake.duty(Duty::Rollouts);
        self.wake.changed(Some(&target.team_id), format!("target:{}", target.id));
        if let Some(rollout) = rollout {
            self.wake.changed(Some(&target.team_id), format!("rollout:{rollout}"));
        }
        self.wake.changed(Some(&target.team_id), "events");
    }

    /// What a source comes down to, with the reason that names it.
    async fn content(&self, actor: &Actor, target: &TargetRow, standing: &Standing, source: Source) -> Result<(Content, String)> {
        let config = self.newest_config(target).await?;
        let newest = (config.id, config.number);
        match source {
            Source::Candidate(number) => {
                let candidate = candidates::by_number(&self.db, &target.service_id, number).await?;
                let candidate = candidate.ok_or_else(|| unknown_candidate(&target.service, number))?;
                let replicas = request::replicas(&candidate.shape, &target.replicas, &target.environment);
                let candidate_key = Some((candidate.id, number));
                let content =
                    Content { image: candidate.image, candidate: candidate_key, config: newest, replicas, shape: candidate.shape };
                Ok((content, said::reason_candidate(number)))
            }
            Source::Image(reference) => {
                check_image(&reference)?;
                let shape = standing.base().map_or_else(
                    || Shape {
                        processes: BTreeMap::from([("web".to_owned(), Process { drain_ms: 10_000, ..Process::default() })]),
                        release: None,
                    },
                    |base| base.shape.clone(),
                );
                let replicas = request::replicas(&shape, &target.replicas, &target.environment);
                let reason = said::reason_image(&reference);
                Ok((Content { image: reference, candidate: None, config: newest, replicas, shape }, reason))
            }
            Source::Release(number) => {
                let release = releases::by_number(&self.db, &target.id, number).await?.ok_or_else(|| {
                    Error::not_found(
                        "unknown_release",
                        format!(
                            "There is no release {number} here. `berth releases {} --env {}` lists them.",
                            target.service, target.environment.name
                        ),
                    )
                    .at("release")
                })?;
                Ok((release.content(), said::reason_back(number)))
            }
            Source::From(environment) => {
                let from = self.target(actor, &target.team, &target.service, &environment, Action::ViewTeam).await?;
                let serving = self.standing(&from).await?.serving.ok_or_else(|| {
                    Error::conflict(
                        "nothing_to_promote",
                        format!("Nothing runs in `{environment}` yet, so there is nothing to promote. Deploy there first."),
                    )
                    .at("from")
                })?;
                let replicas = request::replicas(&serving.shape, &target.replicas, &target.environment);
                let what = serving.candidate_number.map_or_else(said::its_image, said::reason_candidate);
                let content = Content { config: newest, replicas, ..serving.content() };
                Ok((content, said::reason_promoted(what, environment)))
            }
        }
    }
}

/// A reference to an image from outside.
fn check_image(reference: &str) -> Result<()> {
    if platform::is_reference(reference) {
        return Ok(());
    }
    Err(Error::invalid(
        "invalid_image",
        "That is no name of an image. Give one like `registry.example.com/shop/orders@sha256:…` or `orders:1.2`.",
    )
    .at("image"))
}

/// Puts a change onto variables.
fn apply_change(mut variables: BTreeMap<String, String>, change: ConfigChange) -> Result<BTreeMap<String, String>> {
    let invalid = |name: &str, why: String| Err(Error::invalid("invalid_variable", why).at(name));
    for (name, value) in change.set {
        let good = name.len() <= 128
            && name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
            && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
        if !good {
            return invalid(
                &name,
                format!("`{}` is no name of a variable. Use capital letters, digits and `_`, as in DATABASE_URL.", name.escape_default()),
            );
        }
        if name.starts_with("BERTH_") {
            return invalid(&name, format!("`{name}` is one of the names Berth sets itself. Choose another."));
        }
        if value.len() > LONGEST_VALUE || value.contains('\0') {
            return invalid(&name, format!("The value of `{name}` is longer than 32 KiB or holds a NUL byte."));
        }
        variables.insert(name, value);
    }
    for name in change.unset {
        if variables.remove(&name).is_none() {
            return invalid(&name, format!("`{}` is not set, so it cannot be unset.", name.escape_default()));
        }
    }
    if variables.len() > MOST_VARIABLES {
        return invalid("set", format!("A target holds up to {MOST_VARIABLES} variables."));
    }
    Ok(variables)
}

#[async_trait]
impl Releases for Control {
    async fn deploy(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        source: Source,
        dry_run: bool,
    ) -> Result<Change> {
        let target = self.target(actor, team, service, environment, Action::Deploy).await?;
        let action = match &source {
            Source::Release(_) => "release.rolled_back",
            Source::From(_) => "release.promoted",
            Source::Candidate(_) | Source::Image(_) => "release.deployed",
        };
        let standing = self.standing(&target).await?;
        let (content, reason) = self.content(actor, &target, &standing, source).await?;
        self.change(actor, &target, content, &reason, action, dry_run).await
    }

    async fn scale(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        replicas: BTreeMap<String, u32>,
        dry_run: bool,
    ) -> Result<Change> {
        let target = self.target(actor, team, service, environment, Action::Scale).await?;
        if let Some((process, count)) = replicas.iter().find(|(_, count)| **count > MOST_REPLICAS) {
            return Err(Error::invalid(
                "too_many_instances",
                format!("{count} instances of {process} are more than the {MOST_REPLICAS} a process may have."),
            )
            .at(process));
        }
        let standing = self.standing(&target).await?;
        let Some(base) = standing.base() else {
            return Err(Error::conflict("nothing_deployed", "Nothing was deployed here yet. Deploy a candidate first, then scale it."));
        };
        if let Some(unknown) = replicas.keys().find(|process| !base.shape.processes.contains_key(*process)) {
            let known = base.shape.processes.keys().cloned().collect::<Vec<_>>().join(", ");
            return Err(Error::invalid(
                "unknown_process",
                format!("There is no process `{}` here. It has: {known}.", unknown.escape_default()),
            )
            .at("replicas"));
        }
        let mut content = base.content();
        content.replicas.extend(replicas);
        let words: Vec<String> = content.replicas.iter().map(|(process, count)| format!("{process} to {count}")).collect();
        let reason = said::reason_scaled(words.join(", "));
        self.change(actor, &target, content, &reason, "release.scaled", dry_run).await
    }

    async fn config(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        set: Option<u64>,
    ) -> Result<ConfigSet> {
        let target = self.target(actor, team, service, environment, Action::ReadConfig).await?;
        let row = match set {
            None => self.newest_config(&target).await?,
            Some(number) => releases::config_by_number(&self.db, &target.id, number)
                .await?
                .ok_or_else(|| Error::not_found("unknown_config", format!("There is no config set {number} here.")))?,
        };
        self.config_set(&target, &row)
    }

    async fn config_sets(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        page: &PageRequest,
    ) -> Result<Page<ConfigSet>> {
        let target = self.target(actor, team, service, environment, Action::ReadConfig).await?;
        let rows = releases::config_list(&self.db, &target.id, page).await?;
        let items = rows.items.iter().map(|row| self.config_set(&target, row)).collect::<Result<_>>()?;
        Ok(Page { items, next: rows.next })
    }

    async fn change_config(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        change: ConfigChange,
        base: Option<u64>,
        dry_run: bool,
    ) -> Result<Change> {
        let target = self.target(actor, team, service, environment, Action::ChangeConfig).await?;
        let newest = self.newest_config(&target).await?;
        let before = self.variables(&target, &newest)?;
        if base.is_some_and(|base| base != newest.number) {
            return Err(changed_meanwhile(newest.number));
        }
        let names: Vec<String> = change.set.keys().cloned().chain(change.unset.iter().map(|name| format!("-{name}"))).collect();
        let variables = apply_change(before.clone(), change)?;
        if variables == before {
            return Ok(Change { release: None, rollout: None, plan: vec![said::plan_nothing_set()] });
        }
        let standing = self.standing(&target).await?;
        let id = ConfigSetId::from_text(clock::new_id());
        let draft = standing.base().map(|base| Content { config: (id.clone(), newest.number + 1), ..base.content() });
        let plan = draft.as_ref().map_or_else(
            || vec![said::plan_keep()],
            |draft| request::preview(&target, draft, standing.wanted.as_ref(), standing.serving.as_ref(), target.next_release),
        );
        if dry_run {
            return Ok(Change { release: None, rollout: None, plan });
        }
        let plain = serde_json::to_vec(&variables).map_err(Error::internal)?;
        let sealed = self.secrets.seal(&target.team_id, id.as_str(), "variables", &plain)?;
        let mut tx = self.db.begin().await?;
        still_as_read(&mut tx, &target).await?;
        let number = releases::insert_config(&mut tx, &target.team_id, &target.id, &id, &sealed, &actor.name).await?;
        if number != newest.number + 1 {
            return Err(changed_meanwhile(number - 1));
        }
        let reason = said::reason_config(number, names.join(", "));
        let made = match draft {
            Some(draft) => Some(request::release(&mut tx, &target, &draft, &actor.name, &reason).await?),
            None => None,
        };
        self.tell(&mut tx, actor, &target, "config.changed", &reason, made.as_ref().map(|(release, rollout)| (release, rollout))).await?;
        tx.commit().await?;
        self.moved(&target, made.as_ref().map(|(_, rollout)| rollout));
        Ok(Change { release: made.as_ref().map(|(release, _)| release.number), rollout: made.map(|(_, rollout)| rollout), plan })
    }

    async fn releases(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        page: &PageRequest,
    ) -> Result<Page<Release>> {
        let target = self.target(actor, team, service, environment, Action::ViewTeam).await?;
        let rows = releases::list(&self.db, &target.id, page).await?;
        let (lowest, highest) = (rows.items.last().map_or(0, |row| row.number), rows.items.first().map_or(0, |row| row.number));
        let rollouts = rollouts::of_releases(&self.db, &target.id, lowest, highest).await?;
        let mut by_release: BTreeMap<u64, _> = rollouts.into_iter().map(|rollout| (rollout.to, rollout)).collect();
        let items = rows.items.into_iter().map(|row| shown(row, &mut by_release)).collect();
        Ok(Page { items, next: rows.next })
    }

    async fn rollout(&self, actor: &Actor, rollout: &RolloutId) -> Result<Rollout> {
        let team = rollouts::team_of(&self.db, rollout).await?.ok_or_else(unknown_rollout)?;
        super::authorize_by_id(actor, Action::ViewTeam, &team, unknown_rollout)?;
        let mut shown = rollouts::show(&self.db, &team, rollout).await?.ok_or_else(unknown_rollout)?;
        shown.url = rollouts::address_of(&self.db, &team, rollout).await?.map(|(host, path)| self.config.url_of(&host, &path));
        Ok(shown)
    }

    async fn cancel_rollout(&self, actor: &Actor, rollout: &RolloutId) -> Result<()> {
        let team = rollouts::team_of(&self.db, rollout).await?.ok_or_else(unknown_rollout)?;
        super::authorize_by_id(actor, Action::Deploy, &team, unknown_rollout)?;
        let shown = rollouts::show(&self.db, &team, rollout).await?.ok_or_else(unknown_rollout)?;
        let target = self.target(actor, &shown.team, &shown.service, &shown.environment, Action::Deploy).await?;
        let mut tx = self.db.begin().await?;
        if !rollouts::ask_cancel(&mut tx, &team, rollout).await? {
            return Err(Error::conflict("already_ended", format!("This rollout has ended already: {}.", shown.state.name())));
        }
        rollouts::unwant_queued(&mut tx, rollout).await?;
        let detail = said::detail_release(shown.to);
        self.tell(&mut tx, actor, &target, "rollout.cancel_asked", &detail, None).await?;
        tx.commit().await?;
        self.moved(&target, Some(rollout));
        Ok(())
    }

    async fn logs(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        environment: &EnvironmentName,
        tail: u32,
        follow: bool,
    ) -> Result<Live<LogLine>> {
        let target = self.target(actor, team, service, environment, Action::ViewTeam).await?;
        let observed =
            self.platform.observe(&Scope::Target(target.id)).await.map_err(|error| {
                Error::unavailable("engine_unavailable", format!("The logs cannot be read now: {error}")).because(error)
            })?;
        let several = observed.iter().filter(|o| o.state == ContainerState::Running).count() > 1;
        let mut streams = Vec::new();
        for instance in observed {
            let follow = follow && instance.state == ContainerState::Running;
            if let Ok(output) = self.platform.logs(&instance.id, tail.clamp(1, 5_000), follow).await {
                streams.push(lines(output, label(&instance, several)));
            }
        }
        let mut number = 0;
        Ok(Box::pin(futures::stream::select_all(streams).map(move |mut line| {
            number += 1;
            line.number = number;
            line
        })))
    }
}

/// Which instance a line is from, where there are several.
fn label(instance: &Observed, several: bool) -> String {
    if several { format!("{}.{} | ", instance.id.process, instance.id.slot) } else { String::new() }
}

/// Cuts output into lines.
fn lines(output: crate::platform::OutputStream, label: String) -> Live<LogLine> {
    let mut rest: Vec<u8> = Vec::new();
    let pieces = output.filter_map(|piece| async move { piece.ok() }).map(Some).chain(futures::stream::once(async { None }));
    Box::pin(pieces.flat_map(move |piece| {
        let (error, last) = piece.as_ref().map_or((false, true), |piece| (piece.error, false));
        rest.extend_from_slice(piece.as_ref().map_or(&[][..], |piece| &piece.bytes));
        let mut made = Vec::new();
        while let Some(end) = rest.iter().position(|byte| *byte == b'\n').or_else(|| (rest.len() > 16 << 10).then_some(16 << 10)) {
            let line: Vec<u8> = rest.drain(..=end.min(rest.len() - 1)).collect();
            made.push(line);
        }
        if last && !rest.is_empty() {
            made.push(std::mem::take(&mut rest));
        }
        let kind = if error { LineKind::Err } else { LineKind::Out };
        let label = label.clone();
        futures::stream::iter(made.into_iter().map(move |line| LogLine {
            number: 0,
            at: clock::now(),
            kind,
            text: format!("{label}{}", String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r'])),
        }))
    }))
}

fn shown(row: ReleaseRow, rollouts: &mut BTreeMap<u64, app::model::RolloutBrief>) -> Release {
    Release {
        rollout: rollouts.remove(&row.number),
        id: row.id,
        number: row.number,
        image: row.image,
        candidate: row.candidate_number,
        config: row.config_number,
        replicas: row.replicas,
        shape: row.shape,
        by: row.created_by,
        reason: row.reason,
        created_at: row.created_at,
    }
}

/// A change was worked out from what was read before its transaction: of two at the same moment one wins, and the other is
/// told so.
async fn still_as_read(tx: &mut crate::store::Tx, read: &TargetRow) -> Result<()> {
    tx.lock(&request::lock_of(&read.id)).await?;
    let now = targets::by_id(&mut *tx, &read.id).await?;
    let same = now.is_some_and(|now| {
        now.release_id == read.release_id && now.wanted_release_id == read.wanted_release_id && now.config_set_id == read.config_set_id
    });
    if same {
        return Ok(());
    }
    Err(Error::conflict(
        "changed_meanwhile",
        format!("Something else changed {} in {} at the same moment. Look at it, then try again.", read.service, read.environment.name),
    ))
}

fn unknown_rollout() -> Error {
    Error::not_found("unknown_rollout", "There is no such rollout, or it belongs to a team you are not in.")
}

fn changed_meanwhile(newest: u64) -> Error {
    Error::precondition(
        "changed_meanwhile",
        format!("Somebody changed the variables meanwhile: config {newest} is the newest. Look at it, then try again."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_change_as_asked_and_bad_names_are_refused() {
        let before = BTreeMap::from([("A".to_owned(), "1".to_owned()), ("B".to_owned(), "2".to_owned())]);
        let set = |name: &str, value: &str| ConfigChange { set: BTreeMap::from([(name.to_owned(), value.to_owned())]), unset: vec![] };
        let after = apply_change(before.clone(), ConfigChange { unset: vec!["A".into()], ..set("C", "x=y\nz") }).unwrap();
        assert_eq!(after, BTreeMap::from([("B".to_owned(), "2".to_owned()), ("C".to_owned(), "x=y\nz".to_owned())]));
        for bad in ["", "a", "1A", "A-B", "A B", "A=B", "BERTH_X", "Ä"] {
            assert!(apply_change(before.clone(), set(bad, "x")).is_err(), "{bad}");
        }
        assert!(apply_change(before.clone(), set("A", "nul\0")).is_err());
        assert!(apply_change(before, ConfigChange { unset: vec!["NOT_THERE".into()], ..ConfigChange::default() }).is_err());
    }

    #[test]
    fn an_image_reference_is_nothing_else() {
        for good in ["orders:1.2", "registry.example.com:5000/shop/orders@sha256:00ff", "a"] {
            assert!(check_image(good).is_ok(), "{good}");
        }
        for bad in ["", "--privileged", "a b", "a;b", "$(x)", "ä", "a\n"] {
            assert!(check_image(bad).is_err(), "{bad}");
        }
    }
}
