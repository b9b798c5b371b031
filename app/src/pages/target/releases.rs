//! The releases of a target, and the way back to one.

use leptos::prelude::*;

use super::There;
use crate::{
    components::{Confirm, Formed, empty, pager, rollout_status, short_image, table_of, when},
    model::{Release, RolloutState},
};

/// The list.
pub(super) fn card(there: &There<'_>) -> AnyView {
    let t = there.caller.lang;
    let content = if there.releases.items.is_empty() {
        empty(t.releases_empty(), ())
    } else {
        let rows = there.releases.items.iter().map(|release| row(there, release)).collect_view();
        table_of(&[t.release(), t.reason(), t.col_state(), ""], rows)
    };
    view! {
        <section class="card" id="releases" data-live="releases">
            <header><h2>{t.releases()}</h2><span class="small soft">{t.releases_below()}</span></header>
            {content}
            {pager(t, &there.path(), there.releases.next.as_deref())}
        </section>
    }
    .into_any()
}

fn row(there: &There<'_>, release: &Release) -> AnyView {
    let (t, now) = (there.caller.lang, there.caller.now());
    let serves = there.target.release.as_ref().is_some_and(|serving| serving.number == release.number);
    let proven = release.rollout.as_ref().is_some_and(|rollout| rollout.state == RolloutState::Succeeded);
    let what = match release.candidate {
        Some(number) => view! { "c"{number.to_string()} }.into_any(),
        None => view! { <code title=release.image.clone()>{short_image(&release.image)}</code> }.into_any(),
    };
    let state = match &release.rollout {
        Some(rollout) => view! { <a href=format!("/rollouts/{}", rollout.id)>{rollout_status(t, rollout.state)}</a> }.into_any(),
        None => ().into_any(),
    };
    let back = (there.may && proven && !serves).then(|| {
        // The verb is the deploy form's; `of` tells the rows apart and is what goes along as the source.
        let form = Formed::of(there.caller, "deploy", release.number.to_string());
        let (says, does) = (t.rollback_says(release.number, &there.environment), t.rollback_does(release.number));
        let ask = Confirm { open: t.rollback(), says: &says, does: &does, name: None, bad: false };
        view! { <div class="back">{ask.with("source", format!("release:{}", release.number)).show(t, &form)}</div> }
    });
    view! {
        <tr>
            <th scope="row">
                <span class="rel">"v"{release.number.to_string()}</span>
                {serves.then(|| view! { " "<span class="chip on">{t.serves()}</span> })}
            </th>
            <td data-label=t.reason() class="grow">
                {t.stored(&release.reason)}
                <span class="small faint block">{what}" · "{t.config_number(release.config)}" · "{release.by.clone()}" · "{when(t, now, release.created_at)}</span>
            </td>
            <td data-label=t.col_state()>{state}</td>
            <td class="acts">{back}</td>
        </tr>
    }
    .into_any()
}
