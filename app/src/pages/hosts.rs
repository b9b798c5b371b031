//! The hosts, for administrators.

use leptos::prelude::*;

use crate::{
    caller::{Answer, Caller, Screen},
    components::{Tone, code_block, empty, head, status, table},
    error::Result,
    locales::Lang,
    model::{EngineState, Host},
    way::Way,
};

/// The table.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let hosts = caller.backend.platform.hosts(caller.actor()?).await?;
    let content = if hosts.is_empty() { empty(t.hosts_empty(), code_block(t, "berth doctor")) } else { list(t, &hosts) };
    let body = view! {
        {head(t.nav_hosts(), t.hosts_below(), ())}
        <section class="card" aria-label=t.nav_hosts()>{content}</section>
    };
    Ok(Screen::new(t.nav_hosts(), body.into_any())
        .at(None, "/platform/hosts")
        .crumb(t.nav_platform(), "/platform/hosts")
        .crumb(t.nav_hosts(), "/platform/hosts")
        .ways([Way::get(t.way_look(), "/hosts")])
        .into())
}

fn list(t: Lang, hosts: &[Host]) -> AnyView {
    let rows = hosts
        .iter()
        .map(|host| {
            let (tone, word) = match host.state {
                EngineState::Answers => (Tone::Ok, t.engine_answers()),
                EngineState::Slow => (Tone::Warn, t.engine_slow()),
                EngineState::Hung => (Tone::Bad, t.engine_hung()),
                EngineState::Gone => (Tone::Bad, t.engine_gone()),
            };
            let engine = match (&host.engine, &host.api) {
                (Some(engine), Some(api)) => format!("{engine} (API {api})"),
                (Some(engine), None) => engine.clone(),
                _ => "–".to_owned(),
            };
            let gib = host.memory / (1 << 20);
            view! {
                <tr>
                    <th scope="row">{host.name.clone()}</th>
                    <td data-label=t.col_state()>{status(tone, word)}</td>
                    <td data-label=t.col_pool()>{host.pool.clone()}</td>
                    <td data-label=t.col_engine()>{engine}</td>
                    <td data-label=t.col_cores()>{host.cpus.to_string()}</td>
                    <td data-label=t.col_memory()>{format!("{}.{} GiB", gib / 1024, gib % 1024 * 10 / 1024)}</td>
                    <td data-label=t.col_instances()>{host.instances.to_string()}</td>
                </tr>
            }
        })
        .collect_view();
    let columns = [t.name(), t.col_state(), t.col_pool(), t.col_engine(), t.col_cores(), t.col_memory(), t.col_instances()];
    table(&columns, rows)
}
