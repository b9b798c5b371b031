//! One candidate: its image, what vouches for it, where it runs, what it can be compared with.

use leptos::prelude::*;

use super::{done, path_of, together::together};
use crate::{
    caller::{Answer, Caller, Screen, no_such_form},
    components::{Formed, Tone, code_block, empty, facts, head, say, sentence, short_commit, short_image, status, submit, table_of, when},
    error::Result,
    locales::Lang,
    model::{Candidate, CandidateShown, Role, ServiceName, Target, TeamName, Vouched},
    way::{Way, named},
};

/// The candidate.
pub async fn page(caller: &Caller) -> Result<Answer> {
    let t = caller.lang;
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let number: u64 = caller.param("number")?;
    let actor = caller.actor()?;
    let shown = caller.backend.candidates.show(actor, &team, &name, number).await?;
    let all = caller.backend.services.overview(actor, &team, &name).await?;
    let service = path_of(&team, &name);
    let path = format!("{service}/candidates/{number}");
    let may = caller.may(&team, Role::Developer);
    let candidate = &shown.candidate;
    let below = view! {
        "“"{candidate.title.clone()}"” · "<code>{short_commit(&candidate.commit)}</code>" "{t.of_ref(&candidate.branch)}
    };
    let refusal = shown.refusal.as_ref().map(|refusal| say(Tone::Bad, sentence(t, refusal)));
    let body = view! {
        {done(caller)}
        {head(t.candidate_number(number), below, may.then(|| hold(caller, candidate)))}
        {refusal}
        <div class="two even">
            <section class="card">
                <header><h2>{t.candidate_image()}</h2></header>
                <div class="body">{about(caller, &service, &shown)}</div>
            </section>
            <section class="card" data-live="places">
                <header><h2>{t.targets()}</h2></header>
                {places(caller, &service, &shown)}
                <div class="body">{comparisons(t, &service, number, &all.targets)}</div>
            </section>
        </div>
        {together(t, &team, (&name, candidate.run), &shown.together)}
        <section class="card pad stack">
            <h2>{t.verify_it()}</h2>
            {code_block(t, &format!("berth candidates verify {} {number}", named(&team, &name)))}
        </section>
    };
    Ok(Screen::new(t.candidate_title(number, &name), body.into_any())
        .at(Some(&team), format!("/teams/{team}"))
        .crumb(team.to_string(), format!("/teams/{team}"))
        .crumb(name.to_string(), service)
        .crumb(t.candidate_number(number), path.clone())
        .live(&["service:", "rollout:", "target:"])
        .ways(ways(t, &path, &named(&team, &name), candidate))
        .into())
}

fn ways(t: Lang, path: &str, service: &str, candidate: &Candidate) -> Vec<Way> {
    let number = candidate.number;
    let (does, verb) = if candidate.held { (t.candidate_let_go(), "let-go") } else { (t.candidate_hold(), "hold") };
    vec![
        Way::get(t.way_look(), path).cli(format!("berth candidates show {service} {number}")),
        Way::get(t.provenance(), format!("{path}/provenance")).cli(format!("berth candidates provenance {service} {number}")),
        Way::get(t.bill_of_materials(), format!("{path}/sbom")).cli(format!("berth candidates sbom {service} {number}")),
        Way::act(does, "POST", format!("{path}/actions/{verb}")).cli(format!("berth candidates {verb} {service} {number}")),
    ]
}

/// The button that keeps its image, or lets it go.
fn hold(caller: &Caller, candidate: &Candidate) -> AnyView {
    let t = caller.lang;
    if candidate.gone_at.is_some() {
        return ().into_any();
    }
    let (verb, word) = if candidate.held { ("let-go", t.candidate_let_go()) } else { ("hold", t.candidate_hold()) };
    let form = Formed::new(caller, verb);
    view! { <form method="post">{form.names()}{form.trouble(&[])}{submit("", word)}</form> }.into_any()
}

/// The signature in a word, with its key.
fn vouched(t: Lang, shown: &CandidateShown) -> AnyView {
    let (tone, word) = match shown.vouched {
        Vouched::Verified => (Tone::Ok, t.vouched_verified()),
        Vouched::Unsigned => (Tone::Idle, t.vouched_unsigned()),
        Vouched::Refused => (Tone::Bad, t.vouched_refused()),
    };
    let key = shown.key.as_ref().map(|key| view! { " "<span class="small faint">{t.vouched_key(key)}</span> });
    view! { {status(tone, word)}{key} }.into_any()
}

fn about(caller: &Caller, service: &str, shown: &CandidateShown) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    let candidate = &shown.candidate;
    let mut rows = vec![
        (t.candidate_image(), view! { <code class="wrap">{candidate.image.clone()}</code> }.into_any()),
        (t.candidate_size(), format!("{} MiB", candidate.size >> 20).into_any()),
        (t.vouched(), vouched(t, shown)),
    ];
    let run = format!("{service}/runs/{}", candidate.run);
    if let Some(made) = &candidate.made {
        let bases = made.bases.iter().map(|base| {
            view! { <span class="block">{base.name.clone()}" "<code class="small faint" title=base.id.clone()>{short_image(&base.id)}</code></span> }
        });
        let bases = if made.bases.is_empty() { t.candidate_no_bases().into_any() } else { bases.collect_view().into_any() };
        rows.push((t.candidate_bases(), bases));
        let packages = made.packages.map_or_else(|| t.candidate_packages_unknown().to_owned(), |count| count.to_string());
        rows.push((t.candidate_packages(), packages.into_any()));
        let tests = made.tests.as_ref();
        let tests = tests.map(|tests| t.candidate_tests_are(tests.passed, tests.failed, tests.skipped));
        rows.push((t.candidate_tests(), tests.unwrap_or_else(|| t.candidate_no_tests().to_owned()).into_any()));
        rows.push((t.candidate_built(), t.took(std::time::Duration::from_millis(made.build_ms)).into_any()));
        rows.push((t.run(), view! { <a href=run>{t.candidate_from(candidate.run, &made.by)}</a> }.into_any()));
    } else {
        rows.push((t.run(), view! { <a href=run>{t.from_run(candidate.run)}</a> }.into_any()));
    }
    rows.push((t.commit(), view! { <code class="wrap">{candidate.commit.clone()}</code> }.into_any()));
    rows.push((t.candidate_made(), when(t, now, candidate.created_at)));
    let kept = match (candidate.gone_at, candidate.held) {
        (Some(at), _) => view! { {t.candidate_gone_on()}" "{when(t, now, at)} }.into_any(),
        (None, true) => t.candidate_kept_held().into_any(),
        (None, false) => t.candidate_kept_rule().into_any(),
    };
    rows.push((t.candidate_kept(), kept));
    facts(rows)
}

fn places(caller: &Caller, service: &str, shown: &CandidateShown) -> AnyView {
    let (t, now) = (caller.lang, caller.now());
    if shown.places.is_empty() {
        return empty(t.candidate_nowhere(), ());
    }
    let rows = shown.places.iter().map(|place| {
        view! {
            <tr>
                <th scope="row"><a href=format!("{service}/targets/{}", place.environment)>{place.environment.to_string()}</a></th>
                <td data-label=t.release()><span class="chip on">"v"{place.release.to_string()}</span></td>
                <td data-label=t.col_since() class="small soft">{when(t, now, place.since)}</td>
            </tr>
        }
    });
    table_of(&[t.environment(), t.release(), t.col_since()], rows.collect_view())
}

/// What it can be compared with: the one before, and what runs elsewhere.
fn comparisons(t: Lang, service: &str, number: u64, targets: &[Target]) -> AnyView {
    let mut others: Vec<(u64, String)> = Vec::new();
    if number > 1 {
        others.push((number - 1, t.compare_before().to_owned()));
    }
    for target in targets {
        let runs = target.release.as_ref().and_then(|release| release.candidate).filter(|runs| *runs != number);
        others.extend(runs.map(|runs| (runs, t.compare_what_runs(&target.environment))));
    }
    if others.is_empty() {
        return ().into_any();
    }
    let links = others.into_iter().map(|(other, says)| {
        view! { <li><a class="wrap" href=format!("{service}/candidates/{other}/compare/{number}")>"c"{other.to_string()}</a>" "<span class="small soft">{says}</span></li> }
    });
    view! { <h3>{t.compare_with()}</h3><ul class="plain">{links.collect_view()}</ul> }.into_any()
}

/// Keeps its image, or lets it go.
pub async fn form(caller: &Caller) -> Result<Answer> {
    let (team, name): (TeamName, ServiceName) = (caller.param("team")?, caller.param("service")?);
    let number: u64 = caller.param("number")?;
    let (held, said) = match caller.verb() {
        "hold" => (true, "held"),
        "let-go" => (false, "let-go"),
        _ => return Err(no_such_form()),
    };
    caller.backend.candidates.hold(caller.actor()?, &team, &name, number, held).await?;
    Ok(Answer::Go(format!("{}/candidates/{number}?done={said}", path_of(&team, &name))))
}
