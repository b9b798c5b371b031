//! Packets, the head of a push, and the questions asked of a real repository.

use super::*;

fn line(text: &str) -> Vec<u8> {
    format!("{:04x}{text}", text.len() + 4).into_bytes()
}

#[test]
fn packets_are_found_however_the_bytes_come() {
    let mut whole = line("hello\n");
    whole.extend(band(Band::Progress, b"Run 1\n"));
    whole.extend(flush());
    for step in 1..whole.len() {
        let mut packets = Packets::default();
        let (mut out, mut flushed) = (Vec::new(), false);
        for piece in whole.chunks(step) {
            packets.push(piece);
            let (bytes, end) = packets.take_until_flush();
            out.extend_from_slice(&bytes);
            flushed |= end;
        }
        assert!(flushed, "{step}");
        assert_eq!(out, whole[..whole.len() - 4], "{step}");
    }
}

#[test]
fn a_long_text_becomes_several_packets() {
    let out = band(Band::Progress, &vec![b'x'; 70_000]);
    assert_eq!(&out[..5], b"fff0\x02");
}

#[test]
fn the_head_of_a_push_is_read_once_it_is_whole() {
    let (old, new) = ("0".repeat(40), "a".repeat(40));
    let mut bytes = line(&format!("{old} {new} refs/heads/main\0 report-status side-band-64k push-options agent=git/2"));
    bytes.extend(flush());
    assert_eq!(read_head(&bytes), None, "the options are still to come");
    bytes.extend(line("no-wait\n"));
    bytes.extend(flush());
    bytes.extend(b"PACK....");
    let head = read_head(&bytes).unwrap_or_default();
    assert_eq!(head.commands, [("refs/heads/main".to_owned(), old, new)]);
    assert!(head.side_band);
    assert_eq!(head.options, ["no-wait"]);
    assert_eq!(read_head(b"garbage!"), Some(Head::default()));
}

async fn work(folder: &Path, args: &[&str]) {
    let mut git = command(None);
    git.args(["-c", "user.name=Ann", "-c", "user.email=ann@example.org"]).args(args).current_dir(folder);
    output(git, "test", DEADLINE).await.unwrap_or_else(|error| panic!("{args:?}: {error}"));
}

#[tokio::test]
async fn a_repository_answers_questions() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let bare = folder.path().join("a.git");
    for _ in 0..2 {
        ensure_bare(&bare, "main").await.unwrap_or_else(|error| panic!("{error}"));
    }
    let tree = folder.path().join("tree");
    std::fs::create_dir_all(tree.join("sub")).unwrap_or_else(|error| panic!("{error}"));
    for (name, text) in [("berth.yaml", "version: 1\n"), ("sub/-x", "y")] {
        std::fs::write(tree.join(name), text).unwrap_or_else(|error| panic!("{error}"));
    }
    work(&tree, &["init", "-q", "-b", "main"]).await;
    work(&tree, &["add", "."]).await;
    work(&tree, &["commit", "-q", "-m", "First\n\nwith more"]).await;
    work(&tree, &["push", "-q", bare.to_str().unwrap_or_default(), "main"]).await;
    let refs = refs(&bare).await.unwrap_or_default();
    let head = &refs["refs/heads/main"];
    let before = moved_at(&bare);
    assert!(before.is_some() && moved_at(&folder.path().join("none")).is_none());
    work(&tree, &["push", "-q", bare.to_str().unwrap_or_default(), "main:a/topic"]).await;
    assert!(moved_at(&bare) > before, "a ref in a folder of its own moved");
    let info = commit(&bare, head).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((info.title().as_str(), info.author.as_str(), &info.id), ("First", "Ann", head));
    assert_eq!(read_file(&bare, head, "berth.yaml", 100).await.ok().flatten().as_deref(), Some(b"version: 1\n".as_slice()));
    assert_eq!(read_file(&bare, head, "none", 100).await.ok(), Some(None));
    assert_eq!(has_file(&bare, head, "sub/-x").await.ok(), Some(true));
    assert_eq!(has_file(&bare, head, "sub").await.ok(), Some(false), "a folder is no file");
    let tar = folder.path().join("sub.tar");
    archive(&bare, head, "sub", &tar).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(tar.metadata().is_ok_and(|meta| meta.len() > 512));
    assert!(matches!(commit(&bare, "--output=/tmp/x").await, Err(GitError::NoCommit(_))));
}

#[tokio::test]
async fn commits_are_compared() {
    let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("{error}"));
    let tree = folder.path();
    let git = tree.join(".git");
    let write = |name: &str, text: &str| {
        let path = tree.join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(tree)).unwrap_or_else(|error| panic!("{error}"));
        std::fs::write(path, text).unwrap_or_else(|error| panic!("{error}"));
    };
    let head = async || {
        work(tree, &["add", "."]).await;
        work(tree, &["commit", "-q", "--allow-empty", "-m", "One more"]).await;
        refs(&git).await.unwrap_or_default().into_values().next_back().unwrap_or_default()
    };
    work(tree, &["init", "-q", "-b", "main"]).await;
    write("a/one", "the same text, long enough to be found again");
    write("b/two", "2");
    let first = head().await;
    std::fs::rename(tree.join("a/one"), tree.join("b/moved")).unwrap_or_else(|error| panic!("{error}"));
    write("c/with space\n", "3");
    let second = head().await;
    let mut paths = Vec::new();
    changed(&git, &first, &second, |path| paths.push(path.to_owned())).await.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(paths, ["a/one", "b/moved", "c/with space\n"], "both places of what moved, and names as they are");
    assert_eq!(ancestry(&git, &first, &second).await.ok(), Some(Ancestry::Within));
    assert_eq!(ancestry(&git, &second, &first).await.ok(), Some(Ancestry::Beside));
    assert_eq!(ancestry(&git, &"0".repeat(40), &first).await.ok(), Some(Ancestry::Missing));
    assert!(changed(&git, &"0".repeat(40), &first, |_| {}).await.is_err());
    let asked = ["b/two", "b", "none", "c/with space\n"].map(str::to_owned).into();
    assert_eq!(files(&git, &second, &asked).await.unwrap_or_default(), ["b/two", "c/with space\n"].map(str::to_owned).into());
}
