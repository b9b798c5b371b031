//! The images a Dockerfile names.

use std::collections::BTreeMap;

use super::lines::{Instruction, instructions};

/// What engines know by themselves in a `FROM`, and some let a Dockerfile or an argument say otherwise: it is not told what such
/// a name stands for.
pub(super) const OF_PLATFORMS: [&str; 9] = [
    "BUILDPLATFORM",
    "BUILDOS",
    "BUILDOSVERSION",
    "BUILDARCH",
    "BUILDVARIANT",
    "TARGETPLATFORM",
    "TARGETOS",
    "TARGETARCH",
    "TARGETVARIANT",
];

/// The triggers (`ONBUILD`) of images, by the names that images are started from: they run in every build that does so.
pub type Triggers = BTreeMap<String, Vec<String>>;

/// The images a Dockerfile starts from, copies from or mounts, and those that the triggers of its images name. Stages of its
/// own and `scratch` are left out. A name made of unknown variables stands as it is: an engine would find nothing by it either.
///
/// # Errors
/// A sentence that names a line which is read in more than one way.
pub fn images_of(dockerfile: &str, args: &BTreeMap<String, String>, triggers: &Triggers) -> Result<Vec<String>, String> {
    let known = OF_PLATFORMS.map(|name| (name.to_owned(), None)).into();
    let mut reader = Reader { args, triggers, known, stages: Vec::new(), images: Vec::new() };
    for instruction in instructions(dockerfile)? {
        reader.take(&instruction)?;
    }
    Ok(reader.found())
}

struct Reader<'a> {
    args: &'a BTreeMap<String, String>,
    triggers: &'a Triggers,
    /// Variables before the first stage; none: it is not told what it stands for.
    known: BTreeMap<String, Option<String>>,
    stages: Vec<String>,
    images: Vec<String>,
}

impl Reader<'_> {
    fn found(mut self) -> Vec<String> {
        self.images.retain(|image| image != "scratch");
        self.images.sort();
        self.images.dedup();
        self.images
    }

    fn take(&mut self, instruction: &Instruction) -> Result<(), String> {
        match instruction.name.as_str() {
            "ARG" if self.stages.is_empty() => instruction.rest.split_whitespace().for_each(|word| self.argument(word)),
            "FROM" => {
                let mut words = instruction.rest.split_whitespace();
                let image = words.next().map(|word| named(word, &self.known));
                let name = words.next().filter(|word| word.eq_ignore_ascii_case("as")).and_then(|_| words.next());
                if let Some(image) = image.filter(|image| !self.stages.contains(&image.to_lowercase())) {
                    self.trigger(&image)?;
                    self.images.push(image);
                }
                self.stages.push(name.map(str::to_lowercase).unwrap_or_default());
            }
            "COPY" | "ADD" => {
                // A number is a stage.
                let from = instruction.flags.iter().filter_map(|flag| flag.strip_prefix("--from="));
                let from: Vec<&str> = from.filter(|from| from.parse::<usize>().is_err()).collect();
                from.into_iter().for_each(|from| self.from(from));
            }
            "RUN" => mounts(instruction).into_iter().filter(|(key, _)| key == "from").for_each(|(_, from)| self.from(&from)),
            _ => {}
        }
        Ok(())
    }

    /// What an image triggers where a stage begins from it: what is a stage by then is one to it too.
    fn trigger(&mut self, image: &str) -> Result<(), String> {
        let triggers: &[String] = self.triggers.get(image).map_or(&[], Vec::as_slice);
        for trigger in triggers {
            // A trigger begins no stage, and its variables are not those before the first one.
            for instruction in instructions(trigger)?.into_iter().filter(|one| !["FROM", "ARG"].contains(&one.name.as_str())) {
                self.take(&instruction)?;
            }
        }
        Ok(())
    }

    fn argument(&mut self, word: &str) {
        let (name, default) = word.split_once('=').map_or((word, None), |(name, default)| (name, Some(default)));
        let default = default.map(|default| default.trim_matches(['"', '\'']).to_owned());
        let value = self.args.get(name).cloned().or(default);
        if OF_PLATFORMS.contains(&name) || value.is_none() && !self.known.contains_key(name) {
            return;
        }
        // Said a second time without a value: engines differ.
        self.known.insert(name.to_owned(), value);
    }

    fn from(&mut self, name: &str) {
        if !name.is_empty() && !self.stages.contains(&name.to_lowercase()) {
            self.images.push(name.to_owned());
        }
    }
}

/// Every part of every `--mount` of a `RUN`: its key in small letters, and its value.
pub(super) fn mounts(run: &Instruction) -> Vec<(String, String)> {
    let mounts = run.flags.iter().filter_map(|flag| flag.strip_prefix("--mount="));
    let parts = mounts.flat_map(|mount| mount.split(','));
    parts.map(|part| part.split_once('=').unwrap_or((part, ""))).map(|(key, value)| (key.to_lowercase(), value.to_owned())).collect()
}

/// What a word of a Dockerfile names.
fn named(word: &str, known: &BTreeMap<String, Option<String>>) -> String {
    expand(word, known).map_or_else(|| word.to_owned(), |word| unquoted(&word))
}

/// A word without what quotes.
fn unquoted(word: &str) -> String {
    word.replace(['\\', '"', '\''], "")
}

/// A word with `$NAME`, `${NAME}`, `${NAME:-default}` and `${NAME:+instead}` replaced; none where one of them is not known.
fn expand(word: &str, known: &BTreeMap<String, Option<String>>) -> Option<String> {
    let value_of = |name: &str| match known.get(name) {
        Some(None) => None,
        Some(Some(value)) => Some(value.as_str()),
        None => Some(""),
    };
    let mut out = String::new();
    let mut rest = word.trim_matches('"');
    while let Some(start) = rest.find('$') {
        out.push_str(&rest[..start]);
        let after = &rest[start + 1..];
        let (name, next) = match after.strip_prefix('{') {
            Some(braced) => braced.split_once('}')?,
            None => after.split_at(after.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(after.len())),
        };
        let (name, instead) = name.split_once(':').map_or((name, None), |(name, instead)| (name, Some(instead)));
        // `${NAME-x}` and the like are known to newer engines alone.
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            return None;
        }
        let value = Some(value_of(name)?).filter(|value| !value.is_empty());
        let value = match instead.map(|instead| (instead.strip_prefix('-'), instead.strip_prefix('+'))) {
            None => value?,
            Some((Some(default), _)) => value.unwrap_or(default),
            Some((_, Some(instead))) => value.map_or("", |_| instead),
            Some((None, None)) => return None,
        };
        out.push_str(value);
        rest = next;
    }
    out.push_str(rest);
    (!out.is_empty()).then_some(out)
}
