//! The packages of an image, read from the databases that its package managers keep in it.

use std::collections::BTreeMap;

/// The files that are read. A folder stands for the files in it.
pub const PATHS: [&str; 6] = [DPKG, DPKG_PARTS, APK, APK_USR, "/usr/lib/os-release", "/etc/os-release"];

/// Debian's.
const DPKG: &str = "/var/lib/dpkg/status";
/// Debian's where there is no manager: a file a package.
const DPKG_PARTS: &str = "/var/lib/dpkg/status.d";
/// Alpine's, until 3.21 and since.
const APK: &str = "/lib/apk/db/installed";
const APK_USR: &str = "/usr/lib/apk/db/installed";

/// At most so many packages are listed.
const MOST: usize = 20_000;

/// A package as its database has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Package {
    /// `deb` or `apk`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its architecture, where it says.
    pub architecture: Option<String>,
    /// Its licence, where it says.
    pub licence: Option<String>,
    /// The package it was built from, where it is called otherwise.
    pub source: Option<String>,
}

/// The distribution an image says it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Distribution {
    /// `debian`, `alpine`.
    pub id: String,
    /// Its version, where it has one.
    pub version: Option<String>,
    /// As people call it.
    pub name: String,
}

/// What an image's own files say of its packages.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Inventory {
    /// What it is.
    pub distribution: Option<Distribution>,
    /// The databases that were found.
    pub databases: Vec<String>,
    /// Its packages, by name.
    pub packages: Vec<Package>,
    /// Why there may be more than is listed, as a sentence.
    pub lacks: Option<String>,
}

impl Inventory {
    /// One that could not be read.
    pub fn unread(why: &str) -> Self {
        Self { lacks: Some(format!("The image's package databases could not be read: {why}")), ..Self::default() }
    }

    /// How many packages there are; none where nothing is known of them.
    pub fn count(&self) -> Option<u64> {
        (!self.databases.is_empty()).then_some(self.packages.len() as u64)
    }
}

/// Reads the files of [`PATHS`] that an image has: their paths and bytes.
pub fn read(files: &[(String, Vec<u8>)]) -> Inventory {
    let mut found = Inventory::default();
    for (path, bytes) in files {
        let text = String::from_utf8_lossy(bytes);
        let own = path == DPKG || path.strip_prefix(DPKG_PARTS).is_some_and(|rest| !rest.ends_with(".md5sums"));
        match path.as_str() {
            _ if own => found.take(path, stanzas(&text).filter_map(|fields| debian(&fields)).collect()),
            APK | APK_USR => found.take(path, stanzas(&text).filter_map(|fields| alpine(&fields)).collect()),
            path if path.ends_with("/os-release") && found.distribution.is_none() => found.distribution = distribution(&text),
            _ => {}
        }
    }
    found.packages.sort();
    found.packages.dedup();
    if found.packages.len() > MOST {
        found.packages.truncate(MOST);
        found.lacks = Some(format!("Only the first {MOST} packages are listed."));
    } else if found.databases.is_empty() {
        found.lacks = Some("The image has no package database of dpkg or apk; what it holds is not known.".to_owned());
    }
    found
}

impl Inventory {
    fn take(&mut self, path: &str, packages: Vec<Package>) {
        self.databases.push(path.to_owned());
        self.packages.extend(packages);
    }
}

/// The paragraphs of a file: fields by name. Lines that go on are left out: none of the fields wanted has them.
fn stanzas(text: &str) -> impl Iterator<Item = BTreeMap<&str, &str>> {
    text.split("\n\n").map(|stanza| {
        let fields = stanza.lines().filter(|line| !line.starts_with([' ', '\t'])).filter_map(|line| line.split_once(':'));
        fields.map(|(name, value)| (name, value.trim())).collect()
    })
}

fn owned(fields: &BTreeMap<&str, &str>, name: &str) -> Option<String> {
    fields.get(name).filter(|value| !value.is_empty()).map(|value| (*value).to_owned())
}

/// A package of Debian, where it is installed: removed ones leave a paragraph too.
fn debian(fields: &BTreeMap<&str, &str>) -> Option<Package> {
    let installed = fields.get("Status").is_none_or(|status| status.ends_with(" installed"));
    let name = owned(fields, "Package").filter(|_| installed)?;
    // `Source: glibc (2.36-9)` where its version is another.
    let source = owned(fields, "Source").map(|source| source.split(' ').next().unwrap_or_default().to_owned());
    let (version, architecture) = (owned(fields, "Version")?, owned(fields, "Architecture"));
    Some(Package { kind: "deb", source: source.filter(|source| *source != name), name, version, architecture, licence: None })
}

/// A package of Alpine.
fn alpine(fields: &BTreeMap<&str, &str>) -> Option<Package> {
    let (name, version) = (owned(fields, "P")?, owned(fields, "V")?);
    let source = owned(fields, "o").filter(|source| *source != name);
    Some(Package { kind: "apk", name, version, architecture: owned(fields, "A"), licence: owned(fields, "L"), source })
}

fn distribution(text: &str) -> Option<Distribution> {
    let value = |name: &str| {
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('='))?;
        Some(line.trim().trim_matches(['"', '\'']).to_owned()).filter(|value| !value.is_empty())
    };
    let id = value("ID")?;
    Some(Distribution { name: value("PRETTY_NAME").unwrap_or_else(|| id.clone()), version: value("VERSION_ID"), id })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &str, text: &str) -> (String, Vec<u8>) {
        (path.to_owned(), text.as_bytes().to_vec())
    }

    #[test]
    fn the_databases_of_dpkg_and_apk_are_read() {
        let status = "Package: libc6\nStatus: install ok installed\nArchitecture: amd64\nSource: glibc (2.36-8)\nVersion: 2.36-9+deb12u7\n\
                      Description: GNU C Library\n Package: no\n\nPackage: old\nStatus: deinstall ok config-files\nVersion: 1\n\n\
                      Package: bash\nStatus: install ok installed\nVersion: 1:5.2\n";
        let found = read(&[file(DPKG, status), file("/etc/os-release", "PRETTY_NAME=\"Debian 12\"\nID=debian\nVERSION_ID=\"12\"\n")]);
        let names: Vec<_> = found.packages.iter().map(|package| (package.name.as_str(), package.version.as_str())).collect();
        assert_eq!(names, [("bash", "1:5.2"), ("libc6", "2.36-9+deb12u7")]);
        assert_eq!((found.packages[1].source.as_deref(), found.count(), found.lacks), (Some("glibc"), Some(2), None));
        let debian = found.distribution.unwrap();
        assert_eq!((debian.id.as_str(), debian.version.as_deref(), debian.name.as_str()), ("debian", Some("12"), "Debian 12"));

        let part = file("/var/lib/dpkg/status.d/tzdata", "Package: tzdata\nVersion: 2024a\nArchitecture: all\n");
        assert_eq!(read(&[part, file("/var/lib/dpkg/status.d/tzdata.md5sums", "0 x")]).count(), Some(1));

        let installed = "C:Q1x=\nP:musl\nV:1.2.5-r0\nA:x86_64\nL:MIT\no:musl\nF:lib\n\nP:busybox\nV:1.36.1-r2\nL:GPL-2.0-only\n";
        let found = read(&[file(APK, installed)]);
        assert_eq!((found.packages[0].name.as_str(), found.packages[0].licence.as_deref()), ("busybox", Some("GPL-2.0-only")));
        assert_eq!((found.packages[1].kind, found.packages[1].source.as_deref()), ("apk", None));
    }

    #[test]
    fn what_is_not_there_is_said_and_not_guessed() {
        let nothing = read(&[]);
        assert_eq!(nothing.count(), None);
        assert!(nothing.lacks.unwrap().contains("no package database"));
        assert_eq!(read(&[file(DPKG, "")]).count(), Some(0), "a database that is empty is one");
        let noise = read(&[file(DPKG, "\0\0: :\n\n:\nPackage:\nVersion: 1\n\nPackage: x\n"), file("/etc/os-release", "=\nID=\n")]);
        assert_eq!((noise.packages.len(), noise.distribution), (0, None));
    }
}
