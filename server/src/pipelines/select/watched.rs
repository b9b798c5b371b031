//! Which services a changed path belongs to.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use aho_corasick::AhoCorasick;
use globset::{Candidate, Glob, GlobBuilder, GlobSet};

use crate::pipelines::file::{FILE_NAME, types::Service};

/// What stands for other letters in a glob.
const STANDS_FOR_OTHERS: [char; 5] = ['*', '?', '[', '{', '\\'];

/// What the services of a file watch, made once for all the paths of a push. A path is looked up by the folders it is in:
/// globs are tried only below the folder that they begin with.
#[derive(Debug, Default)]
pub struct Watched {
    /// The services of which everything in a folder is watched.
    folders: HashMap<String, Vec<usize>>,
    /// The globs that begin with a folder.
    globs: HashMap<String, Globs>,
    services: usize,
}

/// Globs. Of hundreds a path is held against one or two: each is tried only where the part of it stands that the fewest others have
/// too. A set of them all is asked about each one.
#[derive(Debug, Default)]
struct Globs {
    /// Each with its service; none: one that is too large, and fits everything.
    all: Vec<(Option<GlobSet>, usize)>,
    /// Parts that stand in every path that fits …
    parts: Option<AhoCorasick>,
    /// … and the globs that each is of.
    with_part: Vec<Vec<usize>>,
    /// The globs without such a part.
    without: Vec<usize>,
}

impl Globs {
    fn new(globs: &[(Glob, usize)]) -> Self {
        let set = |glob: &Glob| GlobSet::builder().add(glob.clone()).build().ok();
        let all: Vec<(Option<GlobSet>, usize)> = globs.iter().map(|(glob, service)| (set(glob), *service)).collect();
        let parts_of = globs.iter().zip(&all).map(|((glob, _), (set, _))| if set.is_some() { parts(glob.glob()) } else { Vec::new() });
        let parts_of: Vec<Vec<&str>> = parts_of.collect();
        let mut shared = HashMap::<&str, usize>::new();
        parts_of.iter().flatten().for_each(|part| *shared.entry(part).or_default() += 1);
        let (mut with_part, mut without) = (BTreeMap::<&str, Vec<usize>>::new(), Vec::new());
        for (place, parts) in parts_of.iter().enumerate() {
            match parts.iter().min_by_key(|part| (shared.get(*part), Reverse(part.len()))) {
                Some(part) => with_part.entry(part).or_default().push(place),
                None => without.push(place),
            }
        }
        match AhoCorasick::new(with_part.keys()) {
            Ok(found) => Self { all, parts: Some(found), with_part: with_part.into_values().collect(), without },
            // Too many or too long: then every one is tried.
            Err(_) => Self { without: (0..all.len()).collect(), all, ..Self::default() },
        }
    }

    /// The services one of whose globs fits this path.
    fn fitting<'g>(&'g self, path: &'g str) -> impl Iterator<Item = usize> + 'g {
        let found = self.parts.iter().flat_map(move |parts| parts.find_overlapping_iter(path));
        let with_part = found.filter_map(|found| self.with_part.get(found.pattern().as_usize())).flatten();
        let tried = with_part.chain(&self.without).filter_map(|place| self.all.get(*place));
        let path = Candidate::new(path);
        tried.filter(move |(glob, _)| glob.as_ref().is_none_or(|glob| glob.is_match_candidate(&path))).map(|(_, service)| *service)
    }
}

/// The parts of a glob that stand as they are in every path that fits it.
fn parts(glob: &str) -> Vec<&str> {
    // What these mean decides about what stands between them too.
    if glob.contains(['[', ']', '{', '}', '\\']) {
        return Vec::new();
    }
    glob.split(['*', '?']).map(|part| part.trim_matches('/')).filter(|part| !part.is_empty()).collect()
}

/// The changed paths that were looked at so far, as far as they matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether the pipeline file itself changed.
    file: bool,
    /// For each service the first path that touched it.
    by: Vec<Option<String>>,
}

impl Seen {
    /// Whether `berth.yaml` changed.
    pub const fn file(&self) -> bool {
        self.file
    }

    /// The first changed path that touched the service at this place.
    pub fn touched(&self, service: usize) -> Option<&str> {
        self.by.get(service)?.as_deref()
    }

    fn touch(&mut self, service: usize, path: &str) {
        if let Some(by @ None) = self.by.get_mut(service) {
            *by = Some(path.to_owned());
        }
    }
}

/// Whether a service is the whole repository: every push touches it.
pub fn is_whole(service: &Service) -> bool {
    folder(service).is_empty()
}

/// The folder of a service; empty: the whole repository.
fn folder(service: &Service) -> String {
    clean(service.path.as_deref().unwrap_or_default())
}

/// A path without `.` and empty parts.
fn clean(path: &str) -> String {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/")
}

/// The folders a glob begins with, as far as they are plain names, and what of it follows.
fn literal(glob: &str) -> (String, String) {
    let parts: Vec<&str> = glob.split('/').filter(|part| !part.is_empty() && *part != ".").collect();
    let plain = parts.iter().take_while(|part| !part.contains(STANDS_FOR_OTHERS)).count();
    (parts[..plain].join("/"), parts[plain..].join("/"))
}

/// The glob of a text; a `*` stays within a folder. The check of the file lets through none that is no glob: such a one would
/// count as all that is in the folder it begins with.
fn made(text: &str) -> Option<Glob> {
    GlobBuilder::new(text.trim_start_matches("./")).literal_separator(true).build().ok()
}

impl Watched {
    /// What these services watch. They are known by their places in this order.
    pub fn new<'f>(services: impl IntoIterator<Item = &'f Service>) -> Self {
        let mut watched = Self::default();
        let mut globs = HashMap::<String, Vec<(Glob, usize)>>::new();
        for (place, service) in services.into_iter().enumerate() {
            watched.services += 1;
            watched.folders.entry(folder(service)).or_default().push(place);
            for text in &service.watch {
                let (above, rest) = literal(text);
                let glob = if rest.is_empty() || rest == "**" { None } else { made(text) };
                match glob {
                    Some(glob) => globs.entry(above).or_default().push((glob, place)),
                    None => watched.folders.entry(above).or_default().push(place),
                }
            }
        }
        watched.globs = globs.into_iter().map(|(above, globs)| (above, Globs::new(&globs))).collect();
        watched
    }

    /// Nothing seen yet.
    pub fn nothing(&self) -> Seen {
        Seen { by: vec![None; self.services], ..Seen::default() }
    }

    /// Takes a changed path into account.
    pub fn see(&self, path: &str, seen: &mut Seen) {
        seen.file |= path == FILE_NAME;
        let above = std::iter::successors(Some(path), |path| match path.rsplit_once('/') {
            Some((above, _)) => Some(above),
            None => (!path.is_empty()).then_some(""),
        });
        for folder in above {
            for place in self.folders.get(folder).into_iter().flatten() {
                seen.touch(*place, path);
            }
            for place in self.globs.get(folder).into_iter().flat_map(|globs| globs.fitting(path)) {
                seen.touch(place, path);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use globset::GlobSetBuilder;

    use super::*;

    /// Numbers without an order, the same each time.
    fn numbers(mut seed: u64) -> impl FnMut(usize) -> usize {
        move |below| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap_or_default() % below
        }
    }

    #[test]
    fn a_path_fits_the_globs_that_it_fits_one_by_one() {
        let mut number = numbers(7);
        let pieces = ["a", "b", "ab", "s1-", ".rs", "*", "**", "?", "[ab]", "{a,b}", "/"];
        let names = ["a", "b", "ab", "s1-x.rs", "s11-a.rs", "b.rs", "aa"];
        let mut fitted = 0;
        for _ in 0..300 {
            let mut text = |most: usize, of: &[&str], between: &str| -> String {
                let parts: Vec<&str> = (0..=number(most)).map(|_| of[number(of.len())]).collect();
                parts.join(between)
            };
            let globs: Vec<(Glob, usize)> =
                (0..12).filter_map(|place| made(&text(4, &pieces, ["", "/"][place % 2])).map(|glob| (glob, place))).collect();
            let mut set = GlobSetBuilder::new();
            for (glob, _) in &globs {
                set.add(glob.clone());
            }
            let set = set.build().unwrap_or_default();
            let services: Vec<usize> = globs.iter().map(|(_, place)| *place).collect();
            let all = Globs::new(&globs);
            for _ in 0..20 {
                let path = text(3, &names, "/");
                let mut expected: Vec<usize> = set.matches(&path).into_iter().map(|glob| services[glob]).collect();
                let mut found: Vec<usize> = all.fitting(&path).collect();
                expected.sort_unstable();
                found.sort_unstable();
                found.dedup();
                assert_eq!(found, expected, "{path} of {:?}", all.all);
                fitted += expected.len();
            }
        }
        assert!(fitted > 1_000, "{fitted}");
        println!("proof: globs: 6000 paths held against 12 globs each, {fitted} fit, 0 otherwise than one by one");
    }
}
