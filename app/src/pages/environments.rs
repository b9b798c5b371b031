//! The environments, for administrators.

use leptos::prelude::*;

use crate::{
    caller::{Answer, Caller, Screen},
    components::{head, table},
    error::Result,
    way::Way,
};

/// The table.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let environments = caller.backend.platform.environments(caller.actor()?).await?;
    let rows = environments
        .into_iter()
        .map(|one| {
            view! {
                <tr>
                    <th scope="row">{one.name.to_string()}</th>
                    <td data-label=t.col_pool()>{one.pool.clone()}</td>
                    <td data-label=t.col_instances()>{one.default_replicas.to_string()}</td>
                    <td data-label=t.col_deploys()>{if one.auto_deploy { t.by_itself() } else { t.by_hand() }}</td>
                    <td data-label=t.col_stable()>{t.took(std::time::Duration::from_millis(one.stabilisation_ms))}</td>
                    <td data-label=t.col_deadline()>{t.took(std::time::Duration::from_millis(one.deadline_ms))}</td>
                    <td data-label=t.col_profile()><span class="chip">{one.profile.name()}</span></td>
                </tr>
            }
        })
        .collect_view();
    let columns = [t.name(), t.col_pool(), t.col_instances(), t.col_deploys(), t.col_stable(), t.col_deadline(), t.col_profile()];
    let body = view! {
        {head(t.nav_environments(), t.environments_below(), ())}
        <section class="card" aria-label=t.nav_environments()>
            {table(&columns, rows)}
        </section>
    };
    Ok(Screen::new(t.nav_environments(), body.into_any())
        .at(None, "/platform/environments")
        .crumb(t.nav_platform(), "/platform/hosts")
        .crumb(t.nav_environments(), "/platform/environments")
        .ways([Way::get(t.way_look(), "/environments").cli("berth env list")])
        .into())
}
