//! Images for tests on a real engine, made from nothing but the static busybox of this machine: nothing is pulled.
//!
//! All have tags `berth-test/…` and stay on the engine as a cache: the same content is built once. A Dockerfile of a test
//! may say `FROM berth-test/busybox:1` once [`busybox_image`] was called.

use std::{fmt::Write as _, fs::File, process::Command};

use bollard::{
    Docker,
    query_parameters::{BuildImageOptionsBuilder, CreateImageOptionsBuilder},
};
use bytes::Bytes;
use futures::StreamExt;
use sha2::{Digest, Sha256};

/// The base: busybox with all its commands, users `root` and `app` (1000), `/www`.
pub(crate) const BUSYBOX: &str = "berth-test/busybox:1";

/// As the first process of a container busybox does not hear `SIGTERM`; tests need not wait for that.
const STOP: &str = "STOPSIGNAL SIGKILL";

/// A Dockerfile of a container that serves what is in a folder, after these lines.
pub(crate) fn serving(folder: &str, lines: &str) -> String {
    format!("FROM {BUSYBOX}\n{lines}CMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"{folder}\"]\n")
}

/// The engine, as tests reach it.
pub(crate) fn engine() -> Docker {
    Docker::connect_with_defaults().expect("an engine for the tests")
}

/// Makes sure that [`BUSYBOX`] is there and answers with its id.
pub(crate) async fn busybox_image() -> String {
    let docker = engine();
    if let Some(id) = id_of(&docker, BUSYBOX).await {
        return id;
    }
    // Tests run in processes of their own, side by side; one of them makes it.
    let lock = File::create(std::env::temp_dir().join("berth-test-busybox.lock")).expect("a lock file");
    lock.lock().expect("the lock");
    busybox_on(&docker).await
}

/// Makes sure that [`BUSYBOX`] is on this engine and answers with its id.
pub(crate) async fn busybox_on(docker: &Docker) -> String {
    if let Some(id) = id_of(docker, BUSYBOX).await {
        return id;
    }
    let options = CreateImageOptionsBuilder::default()
        .from_src("-")
        .repo("berth-test/busybox")
        .tag("1")
        .changes(vec!["ENV PATH=/bin".into(), "CMD [\"sh\"]".into(), "LABEL berth.test=1".into()])
        .build();
    let mut progress = Box::pin(docker.create_image(Some(options), Some(bollard::body_full(root())), None));
    while let Some(line) = progress.next().await {
        line.expect("import of busybox");
    }
    drop(progress);
    id_of(docker, BUSYBOX).await.expect("busybox was imported")
}

/// The file system of the base, as an archive.
pub(crate) fn root() -> Bytes {
    let busybox = std::fs::read("/bin/busybox").expect("/bin/busybox: install busybox-static");
    let applets = Command::new("/bin/busybox").arg("--list").output().expect("busybox runs").stdout;
    let mut tar = tar::Builder::new(Vec::new());
    for (path, mode) in [("bin/", 0o755), ("etc/", 0o755), ("root/", 0o700), ("tmp/", 0o1777), ("www/", 0o755), ("data/", 0o755)] {
        folder(&mut tar, path, mode);
    }
    file(&mut tar, "bin/busybox", 0o755, &busybox);
    file(&mut tar, "etc/passwd", 0o644, b"root:x:0:0:root:/root:/bin/sh\napp:x:1000:1000:app:/:/bin/sh\n");
    file(&mut tar, "etc/group", 0o644, b"root:x:0:\napp:x:1000:\n");
    for applet in String::from_utf8(applets).expect("names").lines().filter(|name| *name != "busybox") {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(tar::EntryType::Symlink);
        header.set_size(0);
        header.set_mode(0o777);
        tar.append_link(&mut header, format!("bin/{applet}"), "busybox").expect("a link");
    }
    tar.into_inner().expect("an archive").into()
}

fn folder(tar: &mut tar::Builder<Vec<u8>>, path: &str, mode: u32) {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(tar::EntryType::Directory);
    header.set_size(0);
    header.set_mode(mode);
    tar.append_data(&mut header, path, &[][..]).expect("a folder");
}

fn file(tar: &mut tar::Builder<Vec<u8>>, path: &str, mode: u32, bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(mode);
    tar.append_data(&mut header, path, bytes).expect("a file");
}

async fn id_of(docker: &Docker, reference: &str) -> Option<String> {
    docker.inspect_image(reference).await.ok().and_then(|image| image.id)
}

/// A tar archive of these files, each of mode 0755.
pub(crate) fn archive(files: &[(&str, &str)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    for (path, text) in files {
        file(&mut tar, path, 0o755, text.as_bytes());
    }
    tar.into_inner().expect("an archive")
}

/// Builds an image `FROM` the base with these lines of Dockerfile and files, once per content. Answers with its id.
pub(crate) async fn image(lines: &[&str], files: &[(&str, &str)]) -> String {
    busybox_image().await;
    image_on(&engine(), lines, files).await
}

/// As [`image`], on this engine, which has [`BUSYBOX`].
pub(crate) async fn image_on(docker: &Docker, lines: &[&str], files: &[(&str, &str)]) -> String {
    let mut dockerfile = format!("FROM {BUSYBOX}\n");
    for line in lines {
        writeln!(dockerfile, "{line}").expect("a string takes it");
    }
    let mut files = files.to_vec();
    files.push(("Dockerfile", &dockerfile));
    let context = archive(&files);
    let tag = format!("berth-test/made:{}", &hex::encode(Sha256::digest(&context))[..16]);
    if let Some(id) = id_of(docker, &tag).await {
        return id;
    }
    let options = BuildImageOptionsBuilder::default().t(&tag).rm(true).forcerm(true).build();
    let mut progress = Box::pin(docker.build_image(options, None, Some(bollard::body_full(context.into()))));
    while let Some(line) = progress.next().await {
        line.expect("build of a test image");
    }
    drop(progress);
    id_of(docker, &tag).await.expect("the image was built")
}

/// A server on port 8080 which answers `text` to `/` and `ok` to `/health`.
pub(crate) async fn web_image(text: &str) -> String {
    busybox_image().await;
    web_on(&engine(), text).await
}

/// As [`web_image`], on this engine, which has [`BUSYBOX`].
pub(crate) async fn web_on(docker: &Docker, text: &str) -> String {
    let lines = ["COPY index.html health /www/", "EXPOSE 8080", STOP, "CMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]"];
    image_on(docker, &lines, &[("index.html", text), ("health", "ok")]).await
}

/// A server on port 8080 whose every answer is 404: never healthy.
pub(crate) async fn unhealthy_image() -> String {
    image(&["EXPOSE 8080", STOP, "CMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/data\"]"], &[]).await
}

/// Says why, and exits with this code at once.
pub(crate) async fn crashing_image(code: u8) -> String {
    image(&[&format!("CMD [\"sh\", \"-c\", \"echo cannot go on; exit {code}\"]")], &[]).await
}

/// Eats memory until it is ended.
pub(crate) async fn hungry_image() -> String {
    image(&["CMD [\"sh\", \"-c\", \"x=aaaaaaaaaaaaaaaa; while true; do x=$x$x; done\"]"], &[]).await
}

/// Runs and listens nowhere.
pub(crate) async fn deaf_image() -> String {
    image(&[STOP, "CMD [\"sleep\", \"1000000\"]"], &[]).await
}

/// Prints its own `/proc/1/status` (capabilities, no-new-privileges, seccomp, user) and stays.
pub(crate) async fn status_image() -> String {
    image(&["CMD [\"sh\", \"-c\", \"cat /proc/1/status; exec sleep 1000000\"]"], &[]).await
}
