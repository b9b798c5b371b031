//! Examples at the end of each command's help, in one table: a test types every one of them.

use clap::Command;

/// A command, and what one types to do what.
type Entry = (&'static str, &'static [(&'static str, &'static str)]);

/// The table. Commands of a group are written with a space.
const TABLE: &[Entry] = &[
    (
        "serve",
        &[
            ("berth serve", "console on 127.0.0.1:8080, data in ./data"),
            ("berth serve --listen 0.0.0.0:8080 --url https://berth.example.com", "behind a TLS proxy"),
        ],
    ),
    ("doctor", &[("berth doctor", "what is missing on this machine, and how to mend it")]),
    (
        "login",
        &[
            ("berth login https://berth.example.com", "asks for address and password"),
            ("berth login https://berth.example.com --token-stdin", "with a token, for instance in a script"),
        ],
    ),
    ("token create", &[("berth token create ci --scope git,deploy --days 90", "a token for a CI system")]),
    ("team invite", &[("berth team invite dana@example.com --role developer", "prints a link to hand over")]),
    (
        "service create",
        &[
            ("berth service create orders --env dev,staging,production --remote", "and adds the Git remote `berth`"),
            ("berth service create billing --repository shop", "built from a repository that is there"),
            ("berth service create orders --mirror git@github.com:acme/orders.git", "built from one that lives elsewhere"),
        ],
    ),
    (
        "runs start",
        &[
            ("berth runs start orders --branch main", "whatever changed in it"),
            ("berth runs start orders --input PLACE=eu", "with a value for what its file takes"),
        ],
    ),
    ("service triggers", &[("berth service triggers orders", "tags, schedules with their next time, and what a run takes")]),
    ("service move", &[("berth service move billing --repository shop", "its runs, candidates and releases stay")]),
    (
        "base create",
        &[
            ("berth base create python --dockerfile Dockerfile.python", "services are built on it as base/python"),
            ("berth base create debian --root-file-system debian.tar.gz", "from a root file system, as debootstrap makes one"),
        ],
    ),
    ("base rebuild", &[("berth base rebuild python --roll", "a new version, and then a run of each service that uses it")]),
    ("base cancel", &[("berth base cancel python", "stops the build; base/python stays the version before")]),
    ("push", &[("berth push", "pushes and follows until it is live, or says why not")]),
    (
        "deploy",
        &[
            ("berth deploy orders --env dev", "the newest candidate"),
            ("berth deploy orders --env staging --candidate 41", "that one"),
            ("berth deploy orders --env staging --plan", "only says what would happen"),
        ],
    ),
    ("promote", &[("berth promote orders --to production", "what runs in the environment before")]),
    (
        "rollback",
        &[
            ("berth rollback orders --env production", "to the release before"),
            ("berth rollback orders --env production --to 12", "to that one"),
        ],
    ),
    (
        "candidates",
        &[
            ("berth candidates orders", "all of them, newest first"),
            ("berth candidates verify orders 41", "that its image came from this Berth, checked on this machine"),
            ("berth candidates compare orders 38 41", "commits, packages and processes between the two"),
        ],
    ),
    (
        "status",
        &[
            ("berth status", "every service of the team"),
            ("berth status orders", "one service with its runs and candidates"),
            ("berth status --json", "for a program"),
        ],
    ),
    ("logs", &[("berth logs orders --env production --follow", "and what comes next")]),
    ("runs logs", &[("berth runs logs --follow", "the newest run of this folder's service, to its end")]),
    ("runs tests", &[("berth runs tests 57 --service orders", "those that failed first, against the default branch")]),
    ("runs artifacts", &[("berth runs artifacts 57 --download out", "stores what the steps left")]),
    (
        "ci",
        &[
            ("berth ci orders", "three lights with what they rest on, and five measures of delivery"),
            ("berth ci --digest", "the week of the team, as a text"),
            ("berth ci orders --guard-red on", "pushes onto red must mend it"),
        ],
    ),
    ("flaky mute", &[("berth flaky mute 0a1b2c3d4e5f60718293 --until 2027-01-31", "shows its failures as muted until then")]),
    (
        "service pushes",
        &[
            ("berth service pushes orders", "what newer pushes do to the runs before them"),
            ("berth service pushes orders --cancel-running on", "they cancel what is under way too"),
        ],
    ),
    ("search", &[("berth search ord prod", "the target of orders in production"), ("berth search orders 56", "its run 56")]),
    ("scale", &[("berth scale 3 worker=2 --env production", "three of web, two of worker")]),
    (
        "config set",
        &[
            ("berth config set LOG_LEVEL=debug --env dev", "makes a new release"),
            ("berth config set API_KEY=- --env dev", "reads the value from the standard input"),
        ],
    ),
    ("cache clear", &[("berth cache clear orders", "the next run of orders begins with nothing kept")]),
    ("secret set", &[("berth secret set orders DEPLOY_KEY", "asks for the value, or reads what is piped in")]),
    ("route add", &[("berth route add shop.example.com --env production", "leads a further host name there")]),
    (
        "lint",
        &[
            ("berth lint", "checks ./berth.yaml, offline"),
            ("berth lint --plan", "and says which services a push would run"),
            ("berth lint --plan --base v1.4", "compared with that"),
        ],
    ),
    (
        "completions",
        &[
            ("berth completions bash > /etc/bash_completion.d/berth", "for Bash"),
            ("berth completions zsh > \"${fpath[1]}/_berth\"", "for Zsh"),
            ("berth completions fish > ~/.config/fish/completions/berth.fish", "for fish"),
        ],
    ),
    ("man", &[("berth man /usr/local/share/man/man1", "then `man berth-deploy`")]),
];

/// The command line with its examples.
pub(super) fn with_examples(command: Command) -> Command {
    TABLE.iter().fold(command, |command, (path, lines)| added(command, &path.split(' ').collect::<Vec<_>>(), lines))
}

fn added(command: Command, path: &[&str], lines: &[(&str, &str)]) -> Command {
    match path {
        [] => {
            let longest = |of: fn(&(&str, &str)) -> usize| lines.iter().map(of).max().unwrap_or(0);
            let (width, beside) = (longest(|(line, _)| line.chars().count()), longest(|(_, says)| says.chars().count()));
            // Side by side where both fit into the usual terminal.
            let gap = if width + beside + 4 <= 80 { " ".repeat(2) } else { format!("\n{}", " ".repeat(6)) };
            let pad = if gap.starts_with(' ') { width } else { 0 };
            let lines: Vec<String> = lines.iter().map(|(line, says)| format!("  {line:pad$}{gap}{says}")).collect();
            command.after_help(format!("Examples:\n{}", lines.join("\n")))
        }
        [first, rest @ ..] => {
            let name = (*first).to_owned();
            command.mut_subcommand(name, |command| added(command, rest, lines))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_example_can_be_typed() {
        let mut typed = 0;
        for (path, lines) in TABLE {
            for (line, _) in *lines {
                let line = line.split(" > ").next().unwrap();
                let found = super::super::command().try_get_matches_from(line.split(' '));
                assert!(found.is_ok(), "`{line}` of {path}: {}", found.unwrap_err());
                typed += 1;
            }
        }
        assert!(typed >= 30, "only {typed}");
    }

    #[test]
    fn they_stand_in_the_help() {
        let mut command = super::super::command();
        let help = command.find_subcommand_mut("deploy").unwrap().render_long_help().to_string();
        assert!(help.contains("Examples:\n  berth deploy orders --env dev  "), "{help}");
    }
}
