//! Secrets of a service that its steps are given by name: set, listed by name, forgotten; never shown.

use std::collections::BTreeMap;

use app::{
    error::{Error, Result},
    model::{Actor, ServiceName, StepSecret, TeamName},
};

use super::{Control, services::event};
use crate::{
    auth::rights::Action,
    clock,
    store::{
        events,
        secrets::{self, Sealed},
    },
};

/// The longest value, in bytes.
const LONGEST: usize = 32 << 10;
/// How many a service has.
const MOST: usize = 100;

/// Whether a name is one: that of a variable, and none of Berth's own.
fn check(name: &str, value: &str) -> Result<()> {
    let good = name.len() <= 128
        && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
        && !name.starts_with("BERTH_");
    if !good {
        let shown: String = name.escape_default().take(60).collect();
        let sentence = format!("`{shown}` is no name of a secret. Use letters, digits and `_`, as in DEPLOY_KEY, and not BERTH_ in front.");
        return Err(Error::invalid("invalid_secret", sentence).at("name"));
    }
    if value.is_empty() || value.len() > LONGEST || value.contains('\0') {
        let sentence = format!("The value of `{name}` is empty, longer than 32 KiB, or holds a NUL byte.");
        return Err(Error::invalid("invalid_secret", sentence).at("value"));
    }
    Ok(())
}

impl Control {
    pub(super) async fn list_secrets(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<Vec<StepSecret>> {
        let service = self.service(actor, team, service, Action::ReadConfig).await?;
        Ok(secrets::list(&self.db, &service.id).await?)
    }

    pub(super) async fn keep_secret(&self, actor: &Actor, team: &TeamName, service: &ServiceName, name: &str, value: &str) -> Result<()> {
        let service = self.service(actor, team, service, Action::ChangeConfig).await?;
        check(name, value)?;
        let id = clock::new_id();
        let plain = serde_json::to_vec(&BTreeMap::from([(name, value)])).map_err(Error::internal)?;
        let variables = self.secrets.seal(&service.team_id, &id, "variables", &plain)?;
        let mut tx = self.db.begin().await?;
        secrets::set(&mut tx, &service.team_id, &service.id, &Sealed { id, name: name.to_owned(), variables }, &actor.name).await?;
        if secrets::list(&mut tx, &service.id).await?.len() > MOST {
            return Err(Error::conflict("too_many_secrets", format!("A service has up to {MOST} secrets. Forget one that no step names.")));
        }
        events::insert(&mut tx, actor, event(&service, "secret.set", name.to_owned())).await?;
        tx.commit().await?;
        self.wake.changed(Some(&service.team_id), format!("service:{}", service.id));
        Ok(())
    }

    pub(super) async fn forget_secret(&self, actor: &Actor, team: &TeamName, service: &ServiceName, name: &str) -> Result<()> {
        let service = self.service(actor, team, service, Action::ChangeConfig).await?;
        let mut tx = self.db.begin().await?;
        if secrets::unset(&mut tx, &service.id, name).await? {
            events::insert(&mut tx, actor, event(&service, "secret.unset", name.to_owned())).await?;
        }
        tx.commit().await?;
        self.wake.changed(Some(&service.team_id), format!("service:{}", service.id));
        Ok(())
    }
}
