//! The addresses that lead to a target.

use leptos::prelude::*;

use super::There;
use crate::{
    caller::Fields,
    components::{Field, Formed, empty, submit},
};

/// The addresses, and a form for one more.
pub(super) fn card(there: &There<'_>) -> AnyView {
    let t = there.caller.lang;
    let rows = there
        .target
        .routes
        .iter()
        .map(|route| {
            let out = (there.may && !route.default).then(|| {
                let form = Formed::of(there.caller, "remove-route", route.id.as_str());
                view! { <form method="post">{form.names()}{form.trouble(&[])}{submit("small", t.remove())}</form> }
            });
            view! {
                <li class="spread">
                    <a class="wrap" href=route.url.clone()>{breaking(&route.host)}{(route.path != "/").then(|| route.path.clone())}</a>
                    {route.default.then(|| view! { <span class="chip">{t.made_by_berth()}</span> })}
                    {out}
                </li>
            }
        })
        .collect_view();
    let list =
        if there.target.routes.is_empty() { empty(t.routes_empty(), ()) } else { view! { <ul class="body plain">{rows}</ul> }.into_any() };
    let form = Formed::new(there.caller, "add-route");
    let add = there.may.then(|| {
        view! {
            <details class="fold" open=form.sent()>
                <summary class="small">{t.add_route()}</summary>
                <form method="post" class="body stack">
                    {form.names()}
                    {form.trouble(&["host", "path"])}
                    {Field { hint: t.host_hint(), ..Field::text("host", t.host_name()) }.show(&form)}
                    {Field { value: "/", required: false, ..Field::text("path", t.path()) }.show(&form)}
                    {submit("", t.add())}
                </form>
            </details>
        }
    });
    view! {
        <section class="card" id="routes">
            <header><h2>{t.routes()}</h2></header>
            {list}
            {add}
        </section>
    }
    .into_any()
}

/// A host name, which may be broken after its dots.
fn breaking(host: &str) -> AnyView {
    let parts = host.split_inclusive('.').map(|part| view! { {part.to_owned()}<wbr /> });
    parts.collect_view().into_any()
}

/// The path of the form; the whole host where it is left out.
pub(super) fn path(form: &Fields) -> &str {
    match form.get("path") {
        "" => "/",
        path => path,
    }
}
