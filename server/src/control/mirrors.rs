//! Repositories that live elsewhere: added, changed, asked to be fetched; and the hooks that ask for it.

use std::{net::IpAddr, time::Duration};

use app::{
    backend::Mirrors,
    error::{Error, Result},
    model::{Actor, Forge, Mirror, MirrorChange, NewHook, NewMirror, RepositoryId, Service, ServiceName, TeamId, TeamName},
    said,
};
use async_trait::async_trait;

use super::{Control, services::event};
use crate::{
    auth::rights::Action,
    clock,
    git::{Address, Scheme, fingerprints, new_key},
    reach::is_private,
    store::{
        Tx,
        events::{self, NewEvent},
        forge_statuses,
        mirrors::{self, MirrorRow},
        repositories,
    },
    wake::Duty,
};

/// How often one is fetched by itself, unless somebody says otherwise.
const EVERY: Duration = Duration::from_secs(300);
/// The least and the most that somebody may say, in seconds.
const MAY_BE: std::ops::RangeInclusive<u32> = 30..=86_400;
/// The longest token, in bytes.
const LONGEST: usize = 4_096;

fn invalid(sentence: impl Into<String>, field: &str) -> Error {
    Error::invalid("invalid_mirror", sentence).at(field)
}

fn no_mirror(service: &ServiceName) -> Error {
    let how = "`berth mirror add --address ADDRESS` has it mirror one.";
    Error::conflict("no_mirror", format!("The repository of `{service}` is pushed to; it mirrors none. {how}"))
}

/// Whose API a host most likely speaks.
fn likely(host: &str) -> Forge {
    let named = |names: &[&str]| host.split('.').any(|part| names.contains(&part));
    if named(&["github"]) {
        Forge::Github
    } else if named(&["gitlab"]) {
        Forge::Gitlab
    } else if named(&["gitea", "forgejo", "codeberg"]) {
        Forge::Gitea
    } else {
        Forge::Git
    }
}

/// A token as it is kept; none where it is empty.
fn token(text: Option<&str>) -> Result<Option<&str>> {
    let text = text.map(str::trim).filter(|text| !text.is_empty());
    match text {
        Some(text) if text.len() > LONGEST || !text.bytes().all(|byte| byte.is_ascii_graphic()) => {
            Err(invalid("A token is one word of letters, digits and signs, without spaces.", "token"))
        }
        text => Ok(text),
    }
}

/// What hooks are held against.
pub struct Hook {
    /// The mirror.
    pub mirror: MirrorRow,
    /// The secret.
    pub secret: Vec<u8>,
}

impl Control {
    /// The address of a repository that lives elsewhere, if Berth may go there as far as can be told without asking.
    fn remote_address(&self, text: &str, field: &str) -> Result<Address> {
        let address: Address = text.parse().map_err(|error: crate::git::NoAddress| invalid(error.to_string(), field))?;
        let literal = address.host.parse::<IpAddr>().is_ok_and(is_private);
        if !self.config.mirror_private && literal {
            return Err(invalid(said::mirror_private(&address.host), field));
        }
        if !self.config.mirror_private && address.scheme == Scheme::Http {
            return Err(invalid("Over `http://` everybody on the way can read and change it. Use `https://` or SSH.", field));
        }
        Ok(address)
    }

    /// Where the API of a forge is said to be; none where it is not said.
    fn forge_url(&self, text: Option<&str>) -> Result<Option<String>> {
        let Some(text) = text.map(|text| text.trim().trim_end_matches('/')).filter(|text| !text.is_empty()) else { return Ok(None) };
        let address = self.remote_address(&format!("{text}/x"), "forge_url")?;
        if address.scheme == Scheme::Ssh || address.path != "/x" {
            return Err(invalid("Give the address of the forge like `https://git.example.org`, without a path.", "forge_url"));
        }
        Ok(Some(text.to_owned()))
    }

    fn sealed(&self, team: &TeamId, repository: &RepositoryId, column: &str, plain: Option<&str>) -> Result<Option<String>> {
        let seal = |plain: &str| self.secrets.seal(team, repository.as_str(), column, plain.as_bytes());
        Ok(plain.map(seal).transpose()?)
    }

    /// Has a repository mirror one that lives elsewhere. Part of the change that makes it one.
    pub(super) async fn add_mirror(&self, tx: &mut Tx, team: &TeamId, repository: &RepositoryId, new: &NewMirror) -> Result<()> {
        let address = self.remote_address(&new.address, "mirror")?;
        let token = token(new.token.as_deref())?;
        let forge = new.forge.unwrap_or_else(|| likely(&address.host));
        let key = match address.scheme {
            Scheme::Ssh => Some(new_key("berth").ok_or_else(|| Error::internal("no key could be made"))?),
            Scheme::Http | Scheme::Https => None,
        };
        let (private, public) = key.unzip();
        let row = MirrorRow {
            repository: repository.clone(),
            team: team.clone(),
            address: address.to_string(),
            forge,
            forge_url: self.forge_url(new.forge_url.as_deref())?,
            token: self.sealed(team, repository, "token", token)?,
            deploy_key: self.sealed(team, repository, "deploy_key", private.as_deref())?,
            public_key: public,
            host_keys: None,
            hook_id: hex::encode(rand::random::<[u8; 16]>()),
            hook_secret: None,
            statuses: token.is_some() && forge != Forge::Git,
            every: EVERY,
            wanted_at: None,
            lease_until: None,
            fetched_at: None,
            hooked_at: None,
            failing_since: None,
            failures: 0,
            failure: None,
        };
        Ok(mirrors::insert(tx, &row).await?)
    }

    async fn mirror_of(&self, service: &Service) -> Result<MirrorRow> {
        let found = mirrors::of(&self.db, &service.team_id, &service.repository_id).await?;
        found.ok_or_else(|| no_mirror(&service.name))
    }

    async fn shown(&self, service: &Service, row: MirrorRow) -> Result<Mirror> {
        let told = forge_statuses::recent(&self.db, &service.team_id, &service.repository_id).await?;
        let host_keys = row.host_keys.as_deref().map(fingerprints).unwrap_or_default();
        Ok(Mirror { told, host_keys, ..row.show(service.repository.clone(), &self.config.url, clock::now()) })
    }

    /// The mirror of a service as it is by now.
    async fn as_it_is(&self, service: &Service) -> Result<Mirror> {
        let row = self.mirror_of(service).await?;
        self.shown(service, row).await
    }

    /// Writes what somebody changed of a mirror. `said`: what the activity says of it; none: nothing. The last two: whether it is
    /// wanted fetched, and the keys of its host forgotten.
    async fn put_mirror(
        &self,
        actor: &Actor,
        service: &Service,
        row: &MirrorRow,
        said: Option<&str>,
        [wanted, forget]: [bool; 2],
    ) -> Result<()> {
        let mut tx = self.db.begin().await?;
        mirrors::set(&mut tx, row).await?;
        if forget {
            mirrors::forget_host_keys(&mut tx, row).await?;
        }
        if wanted {
            mirrors::want(&mut tx, &row.repository, false).await?;
        }
        if let Some(said) = said {
            forge_statuses::again(&mut tx, &row.repository).await?;
            let subject = said::subject_repository(&service.repository);
            let detail = said.to_owned();
            events::insert(&mut tx, actor, NewEvent { subject, ..event(service, "mirror.changed", detail) }).await?;
        }
        tx.commit().await?;
        self.wake.duty(Duty::Mirrors);
        self.wake.duty(Duty::Statuses);
        self.wake.changed(Some(&service.team_id), format!("service:{}", service.id));
        Ok(())
    }

    /// What a hook that comes to this address is held against; none: no hook is believed there.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn hook(&self, id: &str) -> Result<Option<Hook>> {
        let Some(mirror) = mirrors::of_hook(&self.db, id).await? else { return Ok(None) };
        let Some(sealed) = &mirror.hook_secret else { return Ok(None) };
        let secret = self.secrets.unseal(&mirror.team, mirror.repository.as_str(), "hook_secret", sealed)?;
        Ok(Some(Hook { mirror, secret }))
    }

    /// Takes the hint of a hook that is believed. However many come, the one that is not yet followed is enough.
    ///
    /// # Errors
    /// Where the store does not answer.
    pub async fn hooked(&self, hook: &Hook) -> Result<()> {
        // As it is by now: what began since this was read began without it.
        let now = mirrors::of_hook(&self.db, &hook.mirror.hook_id).await?;
        if now.is_some_and(|now| now.wanted_at.is_some() && now.hooked_at.is_some()) {
            return Ok(());
        }
        let mut tx = self.db.begin().await?;
        mirrors::want(&mut tx, &hook.mirror.repository, true).await?;
        tx.commit().await?;
        self.wake.duty(Duty::Mirrors);
        Ok(())
    }
}

#[async_trait]
impl Mirrors for Control {
    async fn show(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<Option<Mirror>> {
        let service = self.service(actor, team, service, Action::ViewTeam).await?;
        match mirrors::of(&self.db, &service.team_id, &service.repository_id).await? {
            Some(row) => self.shown(&service, row).await.map(Some),
            None => Ok(None),
        }
    }

    async fn add(&self, actor: &Actor, team: &TeamName, service: &ServiceName, new: NewMirror) -> Result<Mirror> {
        let service = self.service(actor, team, service, Action::ChangeService).await?;
        let mut tx = self.db.begin().await?;
        tx.lock(&repositories::lock(&service.repository_id)).await?;
        if let Some(row) = mirrors::of(&mut tx, &service.team_id, &service.repository_id).await? {
            let sentence = format!("The repository of `{}` mirrors {} already. `berth mirror set` changes how.", service.name, row.address);
            return Err(Error::conflict("is_mirror", sentence));
        }
        self.add_mirror(&mut tx, &service.team_id, &service.repository_id, &new).await?;
        let subject = said::subject_repository(&service.repository);
        let detail = new.address.trim().to_owned();
        events::insert(&mut tx, actor, NewEvent { subject, ..event(&service, "mirror.added", detail) }).await?;
        tx.commit().await?;
        self.wake.duty(Duty::Mirrors);
        self.told(&service);
        self.as_it_is(&service).await
    }

    async fn change(&self, actor: &Actor, team: &TeamName, service: &ServiceName, change: MirrorChange) -> Result<Mirror> {
        let service = self.service(actor, team, service, Action::ChangeService).await?;
        let mut row = self.mirror_of(&service).await?;
        let mut changed = Vec::new();
        if let Some(seconds) = change.every_seconds {
            if !MAY_BE.contains(&seconds) {
                return Err(invalid("It is fetched every 30 s to every day (86,400 s).", "every_seconds"));
            }
            row.every = Duration::from_secs(seconds.into());
            changed.push("interval");
        }
        if let Some(forge) = change.forge {
            row.forge = forge;
            changed.push("forge");
        }
        if let Some(url) = &change.forge_url {
            row.forge_url = self.forge_url(Some(url))?;
            changed.push("forge_url");
        }
        if let Some(text) = &change.token {
            let token = token(Some(text))?;
            // The first one is most likely given for this.
            row.statuses |= row.token.is_none() && token.is_some() && row.forge != Forge::Git;
            row.token = self.sealed(&row.team, &row.repository, "token", token)?;
            changed.push("token");
        }
        if let Some(statuses) = change.statuses {
            row.statuses = statuses;
            changed.push("statuses");
        }
        self.put_mirror(actor, &service, &row, Some(&changed.join(", ")), [true, false]).await?;
        self.as_it_is(&service).await
    }

    async fn fetch(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<Mirror> {
        let service = self.service(actor, team, service, Action::ChangeService).await?;
        let row = self.mirror_of(&service).await?;
        self.put_mirror(actor, &service, &row, None, [true, false]).await?;
        self.as_it_is(&service).await
    }

    async fn forget_host_keys(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<Mirror> {
        let service = self.service(actor, team, service, Action::ChangeService).await?;
        let row = self.mirror_of(&service).await?;
        self.put_mirror(actor, &service, &row, Some("host key"), [true, true]).await?;
        self.as_it_is(&service).await
    }

    async fn new_hook(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<NewHook> {
        let service = self.service(actor, team, service, Action::ChangeService).await?;
        let mut row = self.mirror_of(&service).await?;
        let secret = hex::encode(rand::random::<[u8; 32]>());
        row.hook_secret = self.sealed(&row.team, &row.repository, "hook_secret", Some(&secret))?;
        self.put_mirror(actor, &service, &row, Some("hook"), [false, false]).await?;
        Ok(NewHook { url: format!("{}/hooks/{}", self.config.url, row.hook_id), secret })
    }
}
