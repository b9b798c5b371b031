//! Which services a changed path belongs to.

use std::collections::HashMap;

use globset::{Glob, GlobBuilder, GlobSet, GlobSetBuilder};

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

/// Globs, all in one set.
#[derive(Debug)]
struct Globs {
    set: GlobSet,
    /// The service of each.
    services: Vec<usize>,
}

/// The changed paths that were looked at so far, as far as they matter.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Seen {
    /// Whether the pipeline file itself changed.
    file: bool,
    /// For each service the first path that touched it.
    by: Vec<Option<String>>,
    /// The globs that fit the last path.
    fitting: Vec<usize>,
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
        for (above, globs) in globs {
            let mut set = GlobSetBuilder::new();
            let services = globs.iter().map(|(_, place)| *place).collect();
            for (glob, _) in globs {
                set.add(glob);
            }
            match set.build() {
                Ok(set) => drop(watched.globs.insert(above, Globs { set, services })),
                // In doubt, everything there touches them.
                Err(_) => watched.folders.entry(above).or_default().extend(services),
            }
        }
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
            let Some(globs) = self.globs.get(folder) else { continue };
            let mut fitting = std::mem::take(&mut seen.fitting);
            globs.set.matches_into(path, &mut fitting);
            for place in fitting.iter().filter_map(|glob| globs.services.get(*glob)) {
                seen.touch(*place, path);
            }
            seen.fitting = fitting;
        }
    }
}
