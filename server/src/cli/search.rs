//! Searching among everything one may see.

use app::model::{Found, FoundKind};
use clap::Args;

use super::{client, failure::Done, output, session::Session, token::path_part};

/// `berth search`.
#[derive(Args)]
pub(super) struct Search {
    /// Parts of names; the number of a run, or the beginning of its commit
    #[arg(required = true, value_name = "WORD")]
    words: Vec<String>,
    /// How many at most
    #[arg(long, short = 'n', default_value_t = 20)]
    limit: u32,
}

/// Prints what fits, best first.
pub(super) async fn run(search: Search, session: &Session) -> Done<()> {
    let words = path_part(&search.words.join(" "));
    session.show(session.client.get(&format!("/search?q={words}&limit={}", search.limit)).await?, |answer| {
        let found: Vec<Found> = client::rows(answer)?;
        if found.is_empty() {
            output::line("Nothing fits. Search with fewer letters; `berth team list` shows your teams.");
            return Ok(());
        }
        let url = session.client.url();
        let row = |found: &Found| vec![kind(found.kind).to_owned(), name(found), found.detail.clone(), format!("{url}{}", found.path)];
        output::table(&["KIND", "NAME", "WHAT", "ADDRESS"], &found.iter().map(row).collect::<Vec<_>>());
        Ok(())
    })
}

const fn kind(kind: FoundKind) -> &'static str {
    match kind {
        FoundKind::Team => "team",
        FoundKind::Service => "service",
        FoundKind::Target => "target",
        FoundKind::Run => "run",
    }
}

fn name(found: &Found) -> String {
    let service = found.service.as_ref().map(|service| format!("/{service}")).unwrap_or_default();
    let environment = found.environment.as_ref().map(|environment| format!(" in {environment}")).unwrap_or_default();
    let run = found.run.map(|run| format!(" run {run}")).unwrap_or_default();
    format!("{}{service}{environment}{run}", found.team)
}
