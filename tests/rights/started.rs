//! What Berth starts while strange names are thrown at it: `git` alone, and with arguments of its own choosing. A program
//! called `git` stands first on the path, writes down how it was called, and goes on as the real one.

use std::{os::unix::fs::PermissionsExt as _, path::Path};

use serde_json::json;

use crate::{
    git::Copy,
    support::{berth::until, process::Process, proof},
};

/// What may stand before `--end-of-options` (or `--`): word by word, or up to the sign.
const OPTIONS: [&str; 23] = [
    "--git-dir",
    "--quiet",
    "--bare",
    "--template=",
    "--initial-branch=main",
    "--format=%(objectname) %(refname)",
    "refs/heads",
    "refs/tags",
    "refs/pull",
    "refs/merge-requests",
    "-1",
    "--no-show-signature",
    "--format=%H%x00%an%x00%B",
    "-z",
    "--long",
    "--full-tree",
    "blob",
    "--format=tar",
    "--name-only",
    "--no-renames",
    "--format=%(refname)",
    "--count=200",
    "--no-merged=refs/heads/main",
];
const SERVING: [&str; 3] = ["--stateless-rpc", "--http-backend-info-refs", "--timeout=600"];
const VERBS: [&str; 9] = ["init", "for-each-ref", "log", "ls-tree", "cat-file", "archive", "diff", "upload-pack", "receive-pack"];

fn real_git() -> String {
    let path = std::env::var("PATH").unwrap();
    let found = path.split(':').map(|folder| Path::new(folder).join("git")).find(|git| git.is_file());
    found.expect("git is installed").to_string_lossy().into_owned()
}

/// Puts the program that writes down how it is called; where it writes.
fn watcher(folder: &Path) -> std::path::PathBuf {
    let (bin, calls) = (folder.join("bin"), folder.join("calls"));
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::create_dir_all(&calls).unwrap();
    let script = format!("#!/bin/sh\nprintf '%s\\n@@\\n' \"$@\" > '{}'/$$\nexec '{}' \"$@\"\n", calls.display(), real_git());
    std::fs::write(bin.join("git"), script).unwrap();
    std::fs::set_permissions(bin.join("git"), std::fs::Permissions::from_mode(0o755)).unwrap();
    calls
}

/// Every call so far, as its words.
fn called(calls: &Path) -> Vec<Vec<String>> {
    let files = std::fs::read_dir(calls).unwrap().map(|entry| std::fs::read_to_string(entry.unwrap().path()).unwrap());
    files.map(|text| text.split_terminator("\n@@\n").map(str::to_owned).collect()).collect()
}

/// Holds that nothing of a call before the end of its options is somebody else's text.
fn expected(words: &[String], data: &str) {
    let mut verb = None;
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        match word.as_str() {
            "--end-of-options" | "--" => break,
            "-c" => {
                let setting = rest.next().unwrap();
                let fixed = ["safe.", "core.", "gc.", "receive.", "uploadpack."].iter().any(|of| setting.starts_with(of));
                assert!(fixed && setting.split_once('=').is_some_and(|(_, value)| value.len() < 20), "{words:?}");
            }
            word if verb.is_none() && VERBS.contains(&word) => verb = Some(word),
            word => {
                let output = word.strip_prefix("--output=").is_some_and(|path| path.starts_with(data));
                let known = OPTIONS.contains(&word) || SERVING.contains(&word) || word.starts_with(data) || output;
                assert!(known, "`{word}` in {words:?}");
            }
        }
    }
    assert!(verb.is_some(), "{words:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_started_but_git_with_fixed_arguments() {
    let folder = tempfile::tempdir().unwrap();
    let calls = watcher(folder.path());
    // Nothing else is on the path, so that another program would not even be found.
    let path = folder.path().join("bin").to_string_lossy().into_owned();
    let berth = Process::with(&[("PATH", &path), ("BERTH_DOCKER", "unix:///nonexistent/docker.sock")]).await;
    let trap = folder.path().join("trap").to_string_lossy().into_owned();
    let hostile = [
        "--upload-pack=touch",
        "-x",
        "$(touch-TRAP)",
        "`touch-TRAP`",
        ";touch-TRAP",
        "|touch",
        "&&touch",
        "a'b",
        "a\"b",
        "한국어",
        "\u{202e}x",
        "--output=TRAP",
        "--exec=TRAP",
        "-c",
        "%00",
        "#",
    ]
    .map(|text| text.replace("TRAP", &trap.replace('/', "%")));
    let http = reqwest::Client::new();
    let mut asked = 0;
    for text in &hostile {
        let text: String = percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string();
        for path in [
            format!("{text}/hello.git/info/refs?service=git-upload-pack"),
            format!("demo/{text}.git/info/refs?service=git-receive-pack"),
            format!("demo/hello.git/info/refs?service={text}"),
            format!("demo/hello.git/{text}"),
        ] {
            let request = http.get(format!("http://{}/git/{path}", berth.console)).basic_auth("x", Some(berth.token()));
            let status = request.header("git-protocol", "version=2").send().await.unwrap().status();
            assert!(status.as_u16() < 500, "{path}: {status}");
            asked += 1;
        }
    }
    let copy = Copy::at(&format!("http://x:{}@{}/git/demo/hello.git", berth.token(), berth.console)).await;
    copy.write("Dockerfile", "FROM scratch\n");
    for (number, text) in hostile.iter().enumerate() {
        let quoted = json!(text);
        let file = format!(
            "version: 1\nservices:\n  hello:\n    watch: [{quoted}]\n    image: {{ dockerfile: {quoted}, args: {{ A: {quoted} }} }}\n    stages:\n      - name: fast\n        steps:\n          - {{ name: unit, image: shell, run: [{quoted}], env: {{ A: {quoted} }}, artifacts: [{quoted}] }}\n"
        );
        copy.write("berth.yaml", &file);
        copy.write(&format!("{text}.txt"), text);
        copy.commit(&format!("{text} is the message")).await;
        let branch = format!("HEAD:refs/heads/{text}");
        let pushed = copy.git(&["push", "-q", "-f", "-o", "no-wait", "berth", "HEAD:refs/heads/main", &branch]).await;
        let known = pushed.status.success() || String::from_utf8_lossy(&pushed.stderr).contains("invalid refspec");
        assert!(known, "{text}: {}", String::from_utf8_lossy(&pushed.stderr));
        if pushed.status.success() {
            until("the run is written down", async || {
                let runs = berth.get("/teams/demo/services/hello/runs?limit=200").await;
                (runs["items"].as_array().unwrap().len() > number / 2).then_some(())
            })
            .await;
        }
        asked += 2;
    }
    let all = called(&calls);
    let data = berth.folder.path().to_string_lossy().into_owned();
    all.iter().for_each(|words| expected(words, &data));
    let verbs = VERBS.iter().filter(|verb| all.iter().any(|words| words.iter().any(|word| word == *verb))).count();
    assert!(verbs >= 6, "{verbs} kinds of calls were seen");
    assert!(!Path::new(&trap).exists());
    proof(
        "programs started",
        &format!("{asked} strange names and pushes: {} starts, all `git`, {verbs} kinds, every argument expected", all.len()),
    );
}
