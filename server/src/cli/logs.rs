//! The output of a service.

use app::model::LogLine;
use clap::Args;
use futures::StreamExt as _;

use super::{
    args::InEnvironment,
    client,
    failure::{Done, Failure},
    output,
    session::Session,
};

/// `berth logs`.
#[derive(Args)]
pub(super) struct Logs {
    #[command(flatten)]
    of: InEnvironment,
    /// Go on as lines come
    #[arg(long, short)]
    follow: bool,
    /// How many of the last lines
    #[arg(long, short = 'n', default_value_t = 100)]
    tail: u32,
}

/// Prints the last lines, and what follows if asked for.
pub(super) async fn run(logs: Logs, session: &Session) -> Done<()> {
    let service = session.service_path(&logs.of.of).await?;
    let path = format!("{service}/targets/{}/logs?tail={}&follow={}", logs.of.env, logs.tail, logs.follow);
    if !logs.follow {
        return session.show(session.client.get(&path).await?, |answer| {
            let lines = client::rows::<LogLine>(answer)?;
            lines.iter().for_each(|line| output::line(&clean(&line.text)));
            if lines.is_empty() {
                eprintln!("Nothing was written there yet. `berth status` shows whether something runs.");
            }
            Ok(())
        });
    }
    let mut messages = session.client.stream(&path).await?;
    while let Some(message) = messages.next().await {
        let data = message?.data;
        if session.json {
            output::line(&data);
        } else if let Ok(line) = serde_json::from_str::<LogLine>(&data) {
            output::line(&clean(&line.text));
        }
    }
    Err(Failure::new("The log ended: nothing runs there any more, or the server stopped."))
}

/// Text of an app, without what would move the cursor or rename the window: only colours stay, and those only where a terminal
/// shows them.
pub(super) fn clean(text: &str) -> String {
    cleaned(text, output::colours())
}

fn cleaned(text: &str, colours: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(character) = rest.next() {
        match character {
            '\x1b' if rest.peek() == Some(&'[') => {
                rest.next();
                let mut sequence = String::new();
                let end = loop {
                    match rest.next() {
                        Some(c @ ('0'..='9' | ';')) => sequence.push(c),
                        other => break other,
                    }
                };
                if end == Some('m') && colours {
                    out.extend(["\x1b[", &sequence, "m"]);
                }
            }
            '\t' => out.push('\t'),
            c if c.is_control() => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_nothing_to_a_file() {
        assert_eq!(cleaned("\x1b[1;31mred\x1b[0m", false), "red");
    }

    #[test]
    fn colours_stay_and_tricks_go() {
        for (text, cleaned) in [
            ("plain\ttext", "plain\ttext"),
            ("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m"),
            ("\x1b[2Jgone", "gone"),
            ("\x1b]0;title\x07x", "]0;titlex"),
            ("a\rb\x08", "ab"),
        ] {
            assert_eq!(super::cleaned(text, true), cleaned);
        }
    }
}
