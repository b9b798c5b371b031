//! Whether a service, or a team, really integrates continuously.

use app::model::{Answered, CiDigest, CiReport, Light, Measure, Measured, Question};
use clap::Args;
use serde_json::json;

use super::{
    args::{OfService, Switch},
    client,
    failure::Done,
    output,
    session::Session,
};

/// `berth ci`.
#[derive(Args)]
pub(super) struct Ci {
    #[command(flatten)]
    of: OfService,
    /// The week of the whole team, as a text to be sent
    #[arg(long, conflicts_with_all = ["guard_red"])]
    digest: bool,
    /// Refuse pushes onto a red default branch unless they say that they mend it (`git push -o fix`)
    #[arg(long, value_name = "on|off")]
    guard_red: Option<Switch>,
    /// Show the badges of the team's services to everybody
    #[arg(long, value_name = "on|off")]
    public_badges: Option<Switch>,
}

/// Runs it.
pub(super) async fn run(ci: Ci, session: &Session) -> Done<()> {
    if let Some(switch) = ci.public_badges {
        let team = session.team().await?;
        session.client.put(&format!("/teams/{team}/ci/badges"), &json!({ "public_badges": switch == Switch::On })).await?;
        if !session.json {
            let who = if switch == Switch::On { "Everybody" } else { "Only who may see the team" };
            output::line(&format!("{who} may see the badges of {team}'s services."));
        }
        return Ok(());
    }
    if ci.digest {
        let team = session.team().await?;
        return session.show(session.client.get(&format!("/teams/{team}/ci")).await?, |answer| {
            let digest: CiDigest = client::read(answer)?;
            output::line(digest.text.trim_end());
            Ok(())
        });
    }
    let service = session.service_path(&ci.of).await?;
    if let Some(switch) = ci.guard_red {
        session.client.put(&format!("{service}/ci/guard"), &json!({ "guards_red": switch == Switch::On })).await?;
        if !session.json {
            let says = match switch {
                Switch::On => {
                    "Pushes onto a red default branch are refused from now on, unless they say that they mend it: git push -o fix"
                }
                Switch::Off => "Pushes onto a red default branch are taken from now on.",
            };
            output::line(says);
        }
        return Ok(());
    }
    session.show(session.client.get(&format!("{service}/ci")).await?, |answer| {
        show(&client::read(answer)?);
        Ok(())
    })
}

const fn tone(light: Light) -> output::Tone {
    match light {
        Light::Green => output::Tone::Good,
        Light::Amber => output::Tone::Busy,
        Light::Red => output::Tone::Bad,
        Light::Grey => output::Tone::Quiet,
    }
}

/// What a light says to its question.
const fn says(light: Light) -> &'static str {
    match light {
        Light::Green => "yes",
        Light::Amber => "partly",
        Light::Red => "no",
        Light::Grey => "too little to say",
    }
}

fn show(report: &CiReport) {
    output::line(&format!("{}/{}, the last {} days of {}", report.team, report.service, report.days, report.branch));
    report.answers.iter().for_each(answer);
    if let Some(environment) = &report.environment {
        output::line(&format!("\ndelivery to {environment}"));
        let row = |one: &Measured| vec![name(one.measure).to_owned(), value(one)];
        output::table(&["MEASURE", "VALUE"], &report.measures.iter().map(row).collect::<Vec<_>>());
        output::line("");
        for one in &report.measures {
            output::line(&format!("{} (DORA {}): {}", name(one.measure), one.year, one.definition));
        }
    }
    if report.guards_red {
        output::line("\nPushes onto a red default branch are refused unless they say that they mend it: git push -o fix");
    }
}

fn answer(answer: &Answered) {
    let question = match answer.question {
        Question::Integrates => "Does everybody integrate daily?",
        Question::Validates => "Do tests validate each change?",
        Question::Fixes => "Is red fixed first?",
    };
    output::line(&format!("\n{}  {question}\n  {}", output::mark(tone(answer.light), says(answer.light)), answer.why));
    answer.evidence.iter().for_each(|fact| output::line(&format!("  - {}", fact.says)));
}

const fn name(measure: Measure) -> &'static str {
    match measure {
        Measure::DeploymentFrequency => "deployment frequency",
        Measure::ChangeLeadTime => "change lead time",
        Measure::ChangeFailRate => "change fail rate",
        Measure::FailedDeploymentRecoveryTime => "failed deployment recovery time",
        Measure::ReworkRate => "rework rate",
    }
}

fn value(one: &Measured) -> String {
    match (one.value, one.unit.as_str()) {
        (None, _) => "–".to_owned(),
        (Some(value), "per_week") => format!("{value:.1} a week"),
        (Some(value), "share") => format!("{:.0}% of {}", value * 100.0, one.of),
        (Some(value), _) => output::lasting(std::time::Duration::from_secs_f64((value / 1_000.0).clamp(0.0, 1e9))),
    }
}
