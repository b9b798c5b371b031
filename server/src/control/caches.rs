//! The caches of a service's steps: listed and cleared.

use app::{
    error::Result,
    model::{Actor, Cache, ServiceName, TeamName},
    said,
};

use super::{Control, services::event};
use crate::{
    auth::rights::Action,
    clock,
    pipelines::caches::SHOWN,
    store::{caches, events},
    wake::Duty,
};

impl Control {
    pub(super) async fn list_caches(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<Vec<Cache>> {
        let service = self.service(actor, team, service, Action::ViewTeam).await?;
        Ok(caches::list(&self.db, &service.team_id, &service.id, clock::now().minus(SHOWN)).await?)
    }

    pub(super) async fn give_up_caches(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<()> {
        let service = self.service(actor, team, service, Action::ChangeService).await?;
        let mut tx = self.db.begin().await?;
        let cleared = caches::clear(&mut tx, &service.team_id, &service.id).await?;
        if cleared > 0 {
            events::insert(&mut tx, actor, event(&service, "caches.cleared", said::caches_cleared(cleared))).await?;
        }
        tx.commit().await?;
        self.wake.duty(Duty::Caches);
        self.told(&service);
        Ok(())
    }
}
