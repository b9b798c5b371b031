//! The services that come to one version, as the pages of a run and of a candidate show them.

use leptos::prelude::*;

use super::path_of;
use crate::{
    components::{run_status_of, table_of},
    locales::Lang,
    model::{ServiceName, Sibling, TeamName},
};

/// Each with its run and its candidate; nothing where the one shown stands alone.
pub(super) fn together(t: Lang, team: &TeamName, shown: (&ServiceName, u64), siblings: &[Sibling]) -> AnyView {
    if siblings.len() < 2 {
        return ().into_any();
    }
    let row = |sibling: &Sibling| {
        let service = path_of(team, &sibling.service);
        let here = ((&sibling.service, sibling.run) == shown).then_some("true");
        let candidate = sibling.candidate.map(|number| {
            view! { <a href=format!("{service}/candidates/{number}")><span class="rel">"c"{number.to_string()}</span></a> }
        });
        view! {
            <tr>
                <th scope="row"><a href=format!("{service}/runs/{}", sibling.run) aria-current=here>{sibling.service.to_string()}</a></th>
                <td data-label=t.col_state()>{run_status_of(t, sibling.state, false, None)}</td>
                <td data-label=t.candidate()>{candidate}</td>
            </tr>
        }
    };
    let rows = siblings.iter().map(row).collect_view();
    view! {
        <section class="card" data-live="together">
            <header><h2>{t.together()}</h2></header>
            <div class="body"><p class="small soft">{t.together_below()}</p>{table_of(&[t.col_service(), t.col_state(), t.candidate()], rows)}</div>
        </section>
    }
    .into_any()
}
