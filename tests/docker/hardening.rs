//! The hardening, as the kernel and the containers themselves see it.

use std::{collections::HashMap, time::Duration};

use app::model::Profile;
use server::platform::{Platform, Workload};

use super::{run, step, text, until, workload};
use crate::support::{images, platform::TestPlatform};

/// Lets a copy run its command and answers with what it wrote, once it wrote `end`.
async fn said(platform: &TestPlatform, asked: &Workload) -> String {
    platform.ensure(asked).await.unwrap();
    let text = until("the end of its output", || async {
        let log = text(platform.logs(&asked.id, 1_000, false).await.unwrap()).await;
        log.strip_suffix("end\n").map(str::to_owned)
    })
    .await;
    platform.remove(&asked.id, Duration::ZERO).await.unwrap();
    text
}

fn script(asked: &mut Workload, script: &str) {
    asked.command = Some(["sh", "-c", &format!("{script}\necho end; exec sleep 1000000")].map(str::to_owned).into());
}

fn status(text: &str) -> HashMap<&str, &str> {
    text.lines().filter_map(|line| line.split_once(':')).map(|(key, value)| (key, value.trim())).collect()
}

/// CHOWN 0, DAC_OVERRIDE 1, FOWNER 3, KILL 5, SETGID 6, SETUID 7, NET_BIND_SERVICE 10 (linux/capability.h).
const BASELINE: &str = "00000000000004eb";
const NONE: &str = "0000000000000000";

#[tokio::test]
async fn capabilities_privileges_and_system_calls_are_limited() {
    let platform = TestPlatform::new();
    let image = images::busybox_image().await;
    for (profile, bounding, user) in [(Profile::Baseline, BASELINE, "0"), (Profile::Restricted, BASELINE, "65532")] {
        let mut asked = workload(&image);
        asked.profile = profile;
        script(&mut asked, "cat /proc/1/status");
        let text = said(&platform, &asked).await;
        let status = status(&text);
        let held = if profile == Profile::Baseline { bounding } else { NONE };
        assert_eq!((status["CapEff"], status["CapPrm"], status["CapBnd"]), (held, held, held), "{profile:?}");
        assert_eq!(status["NoNewPrivs"], "1");
        assert_eq!(status["Seccomp"], "2", "a filter");
        assert!(status["Uid"].split_whitespace().all(|id| id == user), "{}", status["Uid"]);
    }
    let mut step = step(&image, "cat /proc/1/status");
    for (profile, held) in [(Profile::Baseline, BASELINE), (Profile::Restricted, NONE)] {
        step.profile = profile;
        let ran = run(&platform, &step).await;
        let status = status(&ran.out);
        assert_eq!((status["CapBnd"], status["NoNewPrivs"], status["Seccomp"]), (held, "1", "2"));
    }
    platform.clean_run(step.run.as_ref().unwrap()).await.unwrap();
    platform.finish().await;
}

#[tokio::test]
async fn the_limits_are_really_there() {
    let platform = TestPlatform::new();
    let mut asked = workload(&images::deaf_image().await);
    asked.limits = server::platform::Limits { memory: 48 << 20, cpu_millis: 250, pids: 33 };
    let made = platform.ensure(&asked).await.unwrap();
    let host = images::engine().inspect_container(&made.container, None).await.unwrap().host_config.unwrap();
    assert_eq!((host.memory, host.memory_swap), (Some(48 << 20), Some(48 << 20)));
    assert_eq!((host.nano_cpus, host.pids_limit), (Some(250_000_000), Some(33)));
    assert_eq!(host.privileged, Some(false));
    assert!(host.binds.unwrap_or_default().is_empty());
    // A fork bomb ends at the limit; the copy and the machine go on.
    let bomb = ["sh", "-c", "i=0; while [ $i -lt 100 ]; do sleep 60 & i=$((i+1)); done 2>/dev/null; true"].map(str::to_owned);
    platform.exec(&asked.id, &bomb, Duration::from_secs(20)).await.unwrap();
    let processes = images::engine().top_processes(&made.container, None).await.unwrap().processes.unwrap_or_default().len();
    assert!((1..=33).contains(&processes), "{processes}");
    platform.remove(&asked.id, Duration::ZERO).await.unwrap();
    platform.finish().await;
}

#[tokio::test]
async fn the_root_is_read_only_but_for_what_is_asked_for() {
    let platform = TestPlatform::new();
    let plain = images::image(&["VOLUME /kept"], &[]).await;
    let as_app = images::image(&["VOLUME /kept", "USER 1000", "RUN true"], &[]).await;
    for (image, root) in [(&plain, true), (&as_app, false)] {
        let mut asked = workload(image);
        asked.writable = vec!["/var/cache/app".into()];
        script(
            &mut asked,
            "for d in /tmp /run /var/tmp /var/cache/app /kept / /etc /bin /www /data; do
               if echo x 2>/dev/null >$d/probe; then echo $d writable; fi
             done
             cp /bin/busybox /tmp/busybox && /tmp/busybox true && echo /tmp runs",
        );
        let mut expected = vec!["/tmp writable", "/run writable", "/var/tmp writable", "/var/cache/app writable"];
        expected.extend(root.then_some("/kept writable"));
        expected.push("/tmp runs");
        let text = said(&platform, &asked).await;
        assert_eq!(text.lines().collect::<Vec<_>>(), expected, "{image}");
    }
    // A step may write everywhere.
    let ran = run(&platform, &step(&plain, "echo x >/etc/probe && cat /etc/probe")).await;
    assert_eq!((ran.code(), ran.out.as_str()), (0, "x\n"));
    // A release command may not.
    let mut release = step(&plain, "echo x >/etc/probe");
    release.writable_root = false;
    let ran = run(&platform, &release).await;
    assert!(ran.code() == 1 && ran.err.contains("Read-only file system"), "{}", ran.err);
    platform.clean_run(release.run.as_ref().unwrap()).await.unwrap();
    platform.finish().await;
}

#[tokio::test]
async fn a_container_sees_nothing_of_the_host() {
    let platform = TestPlatform::new();
    let ran = run(
        &platform,
        &step(
            &images::busybox_image().await,
            "ls /var/run/docker.sock /run/docker.sock; ls /proc | grep -c '^[0-9]'; hostname; mount -t proc proc /mnt; mknod /tmp/sda b 8 0; \
             unshare -r true; date -s 2001-01-01; ls /sys/fs/cgroup/../../../etc/shadow",
        ),
    )
    .await;
    let lines: Vec<_> = ran.out.lines().collect();
    assert!(lines.len() >= 2 && lines[0].parse::<u32>().unwrap() < 6 && lines[1] == "task", "{lines:?}");
    assert_eq!(ran.err.matches("ermitted").count() + ran.err.matches("enied").count(), 4, "{}", ran.err);
    platform.clean_run(&app::model::RunId::from_text("1")).await.unwrap();
    platform.finish().await;
}
