//! What is not let in, whoever builds it; and what only one of the builders takes.

use std::collections::BTreeMap;

use app::said;

use super::{
    super::file::types::Builder,
    escapes,
    images::{OF_PLATFORMS, mounts},
    lines::{Instruction, instructions},
    names_its_reader, unclear,
};

/// Why a Dockerfile is not built, as a sentence; none where it may be.
pub fn refusal(dockerfile: &str, builder: Builder, args: &BTreeMap<String, String>) -> Option<String> {
    if escapes(dockerfile) {
        return Some(said::dockerfile_escapes());
    }
    if names_its_reader(dockerfile) {
        return Some(said::dockerfile_syntax());
    }
    let instructions = match instructions(dockerfile) {
        Ok(instructions) => instructions,
        Err(why) => return Some(why),
    };
    let of_builder = |instruction: &Instruction| match builder {
        Builder::Classic => unknown_to_classic(instruction).map(said::dockerfile_buildkit),
        Builder::Buildkit => not_of_a_build(instruction, dockerfile),
    };
    let steers = |name: &&String| builder == Builder::Buildkit && (name.starts_with("BUILDKIT_") || OF_PLATFORMS.contains(&name.as_str()));
    let steering = args.keys().find(steers).map(said::dockerfile_argument);
    steering.or_else(|| instructions.iter().find_map(|instruction| of_builder(instruction).or_else(|| fetched(instruction))))
}

/// Why a trigger of an image that is started from is not let run, as a sentence. Texts below one are not made part of it.
pub fn triggered(triggers: &[String], builder: Builder) -> Option<String> {
    let texts = |trigger: &str| instructions(trigger).is_ok_and(|all| all.iter().any(|one| !one.texts.is_empty()));
    let why = |trigger: &String| refusal(trigger, builder, &BTreeMap::new()).or_else(|| texts(trigger).then(|| unclear(trigger)));
    triggers.iter().find_map(why)
}

/// What an instruction uses that only BuildKit knows.
fn unknown_to_classic(instruction: &Instruction) -> Option<String> {
    let (name, flags) = (instruction.name.as_str(), &instruction.flags);
    if let Some(text) = instruction.texts.first() {
        return Some(format!("{name} {}", text.word));
    }
    let known: &[&str] = match name {
        "RUN" => &["--mount", "--network", "--security"],
        "COPY" | "ADD" => &["--link", "--chmod", "--parents", "--exclude", "--checksum", "--keep-git-dir"],
        _ => &[],
    };
    let used = flags.iter().filter_map(|flag| known.iter().find(|known| flag.split('=').next() == Some(known))).next();
    used.map(|flag| format!("{name} {flag}"))
}

/// What BuildKit would do, and commands of a build are not to have.
fn not_of_a_build(instruction: &Instruction, dockerfile: &str) -> Option<String> {
    match instruction.name.as_str() {
        "RUN" => run(instruction),
        "FROM" => instruction.flags.iter().find_map(|flag| platform(flag, dockerfile)),
        "COPY" | "ADD" if !instruction.texts.is_empty() => Some(said::dockerfile_text(&instruction.name)),
        _ => None,
    }
}

fn run(instruction: &Instruction) -> Option<String> {
    let let_in = |flag: &str| flag.starts_with("--mount=") || matches!(flag, "--network=none" | "--network=default");
    // A comma within quotes parts nothing, to an engine.
    let odd = |flag: &str| flag.contains('"');
    if let Some(flag) = instruction.flags.iter().find(|flag| !let_in(flag) || odd(flag)) {
        return Some(said::dockerfile_flag(flag.replace('`', "")));
    }
    let taken = |kind: &str| matches!(kind, "bind" | "cache" | "tmpfs");
    let kinds = mounts(instruction).into_iter().filter(|(key, _)| key == "type").map(|(_, kind)| kind.to_lowercase());
    kinds.into_iter().find(|kind| !taken(kind)).map(|kind| said::dockerfile_mount(kind.replace('`', "")))
}

/// An image of another platform than the engine's own would be fetched past the check, whatever is here by that name.
fn platform(flag: &str, dockerfile: &str) -> Option<String> {
    let platform = flag.strip_prefix("--platform=")?;
    let own = ["$BUILDPLATFORM", "${BUILDPLATFORM}", "$TARGETPLATFORM", "${TARGETPLATFORM}"].contains(&platform);
    let said_otherwise = ["BUILDPLATFORM=", "TARGETPLATFORM="].into_iter().any(|name| dockerfile.contains(name));
    let here = match std::env::consts::ARCH {
        "x86_64" => "linux/amd64",
        "aarch64" => "linux/arm64",
        other => other,
    };
    (platform != here && (!own || said_otherwise)).then(|| said::dockerfile_platform(platform.replace('`', "")))
}

/// What an engine would fetch for an `ADD`: by itself, from the host, which no wall around containers holds up.
fn fetched(instruction: &Instruction) -> Option<String> {
    if instruction.name != "ADD" {
        return None;
    }
    let Some(sources) = sources(&instruction.rest) else { return Some(unclear(&instruction.line)) };
    sources
        .iter()
        .find(|word| may_be_elsewhere(&word.replace(['\\', '"', '\''], "")))
        .map(|word| said::dockerfile_added(word.replace('`', "")))
}

/// What is added, without the place it is put at; none where that is not told.
fn sources(rest: &str) -> Option<Vec<String>> {
    let mut words: Vec<String> = rest.split_whitespace().map(str::to_owned).collect();
    if rest.starts_with('[') {
        match serde_json::from_str(rest) {
            Ok(list) => words = list,
            // An engine may read a list all the same, and what is escaped in it.
            Err(_) => return (!rest.contains('\\')).then_some(words),
        }
    }
    words.pop();
    Some(words)
}

/// Whether what a word comes to may be an address.
fn may_be_elsewhere(word: &str) -> bool {
    let begins = word.split('$').next().unwrap_or_default();
    // What begins as a path within the files stays one, whatever a variable says.
    let within = begins.contains('/') && !begins.contains([':', '@']);
    let address = word.contains("://") || word.contains('@') && word.contains(':') || word.starts_with("git@");
    address || word.contains('$') && !within
}
