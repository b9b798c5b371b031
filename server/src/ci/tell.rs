//! The lights for elsewhere: a badge, and the week of a team as a text.

use std::fmt::Write as _;

use app::model::{Answered, CiBrief, Light, Question, ServiceName, TeamName, Timestamp};

/// A shape for each colour: a badge is read without colours too.
const fn mark(light: Light) -> (&'static str, &'static str) {
    match light {
        Light::Green => ("✓", "#1d7a4c"),
        Light::Amber => ("~", "#a15c00"),
        Light::Red => ("✗", "#b3261e"),
        Light::Grey => ("–", "#6b7280"),
    }
}

const fn asks(question: Question) -> &'static str {
    match question {
        Question::Integrates => "integrates daily",
        Question::Validates => "tests validate",
        Question::Fixes => "red fixed first",
    }
}

/// The three lights as a picture.
pub fn badge(answers: &[Answered]) -> String {
    let says: Vec<String> = answers.iter().map(|answer| format!("{}: {}", asks(answer.question), answer.light.name())).collect();
    let title = says.join(", ");
    let width = 28 + 24 * answers.len();
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"20\" role=\"img\" aria-label=\"CI: {title}\">\
         <title>CI: {title}</title><rect width=\"{width}\" height=\"20\" rx=\"3\" fill=\"#24292f\"/>\
         <g font-family=\"Verdana,DejaVu Sans,sans-serif\" font-size=\"11\" fill=\"#fff\" text-anchor=\"middle\"><text x=\"14\" y=\"14\">CI</text>"
    );
    for (at, answer) in answers.iter().enumerate() {
        let (shape, colour) = mark(answer.light);
        let x = 28 + 24 * at;
        let _ = write!(svg, "<rect x=\"{x}\" width=\"24\" height=\"20\" fill=\"{colour}\"/><text x=\"{}\" y=\"14\">{shape}</text>", x + 12);
    }
    svg + "</g></svg>\n"
}

/// A service in a line.
pub fn brief(service: &ServiceName, answers: &[Answered]) -> CiBrief {
    CiBrief {
        service: service.clone(),
        lights: answers.iter().map(|answer| answer.light).collect(),
        why: answers.iter().map(|answer| answer.why.clone()).collect(),
    }
}

/// The week of a team, to be sent as it is: each service by name, in the order of names and in no other.
pub fn digest(team: &TeamName, services: &[CiBrief], url: &str, now: Timestamp) -> String {
    let day = now.to_string();
    let mut text = format!("{team}: is it continuously integrated? As of {}.\n", day.get(..10).unwrap_or_default());
    if services.is_empty() {
        text.push_str("\nThe team has no service yet.\n");
    }
    for service in services {
        let _ = write!(text, "\n{}  {url}/teams/{team}/services/{}/ci\n", service.service, service.service);
        let questions = [Question::Integrates, Question::Validates, Question::Fixes];
        for ((question, light), why) in questions.iter().zip(&service.lights).zip(&service.why) {
            let _ = writeln!(text, "  {} {:<16}  {why}", mark(*light).0, asks(*question));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_badge_has_shapes_and_words() {
        let answer = |question, light| Answered { question, light, why: String::new(), evidence: Vec::new() };
        let answers =
            [answer(Question::Integrates, Light::Green), answer(Question::Validates, Light::Red), answer(Question::Fixes, Light::Grey)];
        let svg = badge(&answers);
        for part in ["CI: integrates daily: green, tests validate: red, red fixed first: grey", "✓", "✗", "–", "width=\"100\""] {
            assert!(svg.contains(part), "{part}: {svg}");
        }
        assert!(!svg.contains("script") && svg.matches("<rect").count() == 4);
    }

    #[test]
    fn a_digest_names_services_in_no_other_order() {
        let service =
            |name: &str| CiBrief { service: name.parse().unwrap(), lights: vec![Light::Red; 3], why: vec!["So it is.".into(); 3] };
        let team: TeamName = "shop".parse().unwrap();
        let text = digest(&team, &[service("catalog"), service("orders")], "http://b", Timestamp(1_795_000_000_000));
        assert!(text.find("catalog").unwrap() < text.find("orders").unwrap());
        assert!(text.contains("✗ integrates daily  So it is.") && text.contains("http://b/teams/shop/services/orders/ci"), "{text}");
        assert!(digest(&team, &[], "", Timestamp(0)).contains("no service yet"));
    }
}
