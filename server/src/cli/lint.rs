//! `berth lint`: the check of a `berth.yaml`, without a server.

use std::{
    fs,
    io::{self, Read as _},
    path::PathBuf,
    process::ExitCode,
};

use clap::Args;
use serde_json::json;

use super::{
    failure::{Done, Failure},
    output, touched,
};
use crate::pipelines::file;

/// `berth lint`.
#[derive(Args)]
pub(super) struct Lint {
    /// The file; `-` reads the standard input
    #[arg(default_value = file::FILE_NAME)]
    file: PathBuf,
    /// Say which services a push of this working copy would run
    #[arg(long)]
    plan: bool,
    /// What to compare the working copy with [default: where the branch and its upstream part]
    #[arg(long, value_name = "REV", requires = "plan")]
    base: Option<String>,
}

/// Says everything that is wrong, each at its line and column; else what the file asks for.
pub(super) fn run(lint: &Lint, json: bool) -> Done<ExitCode> {
    let path = lint.file.display();
    let cannot = |error: io::Error| Failure::new(format!("{path} cannot be read: {error}."));
    let text = if lint.file.as_os_str() == "-" {
        let mut text = String::new();
        io::stdin().lock().read_to_string(&mut text).map_err(cannot)?;
        text
    } else {
        fs::read_to_string(&lint.file).map_err(cannot)?
    };
    let found = file::lint(&text);
    let good = found.problems.is_empty();
    let push = match file::parse(&text) {
        Ok(file) if lint.plan => Some(touched::plan(&file, lint.base.as_deref())?),
        _ => None,
    };
    if json {
        let mut answer = json!({ "file": lint.file, "problems": found.problems, "plan": found.plan });
        if let Some(push) = push {
            answer["push"] = json!(push);
        }
        output::json(&answer)?;
    } else if let Some(push) = push {
        output::line(&format!("{path} is good."));
        push.show();
    } else if good {
        output::line(&format!("{path} is good."));
        found.plan.iter().for_each(|sentence| output::line(&format!("  {sentence}")));
    } else {
        for problem in &found.problems {
            output::line(&format!("{path}:{}:{}: {}", problem.line, problem.column, problem.sentence));
        }
    }
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
