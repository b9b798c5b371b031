//! What newer pushes do to the runs before them: looked at and changed.

use app::{
    error::Result,
    model::{Actor, PushPolicy, ServiceName, TeamName},
    said,
};

use super::{Control, services::event};
use crate::{
    auth::rights::Action,
    store::{events, policies},
};

/// What was decided, as a sentence.
fn sentence(policy: PushPolicy) -> String {
    match (policy.default_branch, policy.running) {
        (false, false) => said::pushes_branches(),
        (false, true) => said::pushes_branches_running(),
        (true, false) => said::pushes_all(),
        (true, true) => said::pushes_all_running(),
    }
}

impl Control {
    pub(super) async fn policy(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<PushPolicy> {
        let service = self.service(actor, team, service, Action::ViewTeam).await?;
        Ok(policies::of(&self.db, &service.team_id, &service.id).await?)
    }

    pub(super) async fn change_policy(
        &self,
        actor: &Actor,
        team: &TeamName,
        service: &ServiceName,
        policy: PushPolicy,
    ) -> Result<PushPolicy> {
        let service = self.service(actor, team, service, Action::ChangeService).await?;
        let mut tx = self.db.begin().await?;
        policies::set(&mut tx, &service.team_id, &service.id, policy).await?;
        events::insert(&mut tx, actor, event(&service, "service.pushes_decided", sentence(policy))).await?;
        tx.commit().await?;
        self.told(&service);
        Ok(policy)
    }
}
