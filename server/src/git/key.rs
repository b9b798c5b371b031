//! Keys that a repository elsewhere lets Berth in by: Ed25519, in the form that `ssh` reads; and the keys of hosts.

use std::fmt::Write as _;

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use sha2::{Digest as _, Sha256};

/// What such a key is called.
const KIND: &str = "ssh-ed25519";

/// A new key: its two halves as `ssh` writes them into files. None where the system gives no good random bytes.
pub fn new_key(comment: &str) -> Option<(String, String)> {
    of_seed(&rand::random(), comment)
}

fn of_seed(seed: &[u8; 32], comment: &str) -> Option<(String, String)> {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
    let public = pair.public_key().as_ref();
    let blob = [string(KIND.as_bytes()), string(public)].concat();
    // Two equal numbers, by which it is known that what was shut opened well.
    let check = [7_u8; 4];
    let secret = [seed.as_slice(), public].concat();
    let mut private =
        [&check[..], &check, &string(KIND.as_bytes()), &string(public), &string(&secret), &string(comment.as_bytes())].concat();
    private.extend((1..=7).take((8 - private.len() % 8) % 8));
    let none = string(b"none");
    let whole = [&b"openssh-key-v1\0"[..], &none, &none, &string(b""), &1_u32.to_be_bytes(), &string(&blob), &string(&private)].concat();
    Some((armoured(&whole), format!("{KIND} {} {comment}", STANDARD.encode(blob))))
}

/// Its length, then itself.
fn string(bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
    [&length.to_be_bytes(), bytes].concat()
}

fn armoured(bytes: &[u8]) -> String {
    let text = STANDARD.encode(bytes);
    let mut out = String::from("-----BEGIN OPENSSH PRIVATE KEY-----\n");
    for line in text.as_bytes().chunks(70) {
        let _ = writeln!(out, "{}", String::from_utf8_lossy(line));
    }
    out + "-----END OPENSSH PRIVATE KEY-----\n"
}

/// The fingerprints of host keys in lines of `known_hosts`, each with its kind, as `ssh-keygen -l` writes them.
pub fn fingerprints(known_hosts: &str) -> Vec<String> {
    let of = |line: &str| {
        let mut words = line.split_whitespace().skip(1);
        let (kind, key) = (words.next()?, words.next()?);
        let bytes = STANDARD.decode(key).ok()?;
        Some(format!("{kind} SHA256:{}", STANDARD_NO_PAD.encode(Sha256::digest(bytes))))
    };
    known_hosts.lines().filter_map(of).collect()
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt as _, process::Command};

    use super::*;

    #[test]
    fn ssh_reads_the_private_half_and_finds_the_public_one_in_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        for comment in ["berth", "berth of demo/hello", ""] {
            let (private, public) = new_key(comment).unwrap();
            fs::write(&file, private).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            let read = Command::new("ssh-keygen").args(["-y", "-f"]).arg(&file).output().unwrap();
            let read = String::from_utf8(read.stdout).unwrap();
            assert_eq!(read.trim(), public.trim(), "{comment}");
            fs::remove_file(&file).unwrap();
            fs::write(&file, format!("host {public}\n")).unwrap();
            let shown = Command::new("ssh-keygen").args(["-l", "-f"]).arg(&file).output().unwrap();
            let [print] = fingerprints(&fs::read_to_string(&file).unwrap()).try_into().unwrap();
            assert!(String::from_utf8(shown.stdout).unwrap().contains(print.strip_prefix("ssh-ed25519 ").unwrap()), "{print}");
        }
    }
}
