//! The whole grammar read, and every kind of mistake with its sentence, line and column.

use std::fmt::Write as _;

use app::{model::RunEvent, said};

use super::*;

/// Every key of the grammar.
const WHOLE: &str = r#"
version: 1
build: separate
services:
  orders:
    path: services/orders
    watch: ["libs/money/**"]
    on: { tag: ["v*", "release/**"], schedule: [{ cron: "0 3 * * *", time_zone: Asia/Seoul }, { cron: "*/30 * * * *" }] }
    inputs:
      PLACE: { description: Where it goes., default: eu, options: [eu, us] }
      WHO: { required: true }
      NOTE: {}
    stages:
      - name: fast
        timeout: 10m
        steps:
          - name: unit
            image: rust:1.95
            run: ["cargo test --lib"]
            junit: "target/junit/*.xml"
            env: { RUST_LOG: debug }
            network: none
            timeout: 5m
            caches: { /usr/local/cargo/registry: [Cargo.lock], /root/.cache: [] }
            artifacts: ["target/*.log"]
            matrix: { DB: [sqlite, postgres] }
            if: { event: [push, manual] }
      - name: slow
        if: { branch: [main, "release/*"], not: { event: [schedule] } }
        on_failure:
          - { name: dump, image: rust:1.95, run: ["cat log"], env: { A: b }, secrets: [TOKEN], network: none, timeout: 1m, artifacts: ["*.log"] }
        sidecars:
          db: { image: postgres:16, env: { POSTGRES_PASSWORD: x }, command: ["postgres"], ready: ["pg_isready", "-U", "postgres"] }
        steps:
          - { name: acceptance, image: rust:1.95, run: ["cargo test --test acceptance"], retry: { lost: 2, failed: 1, exit_codes: [75], timeout: 1, pull: 2 } }
    on_failure:
      - { name: tell, image: alpine, run: ["tell $BERTH_FAILED_STAGE"] }
    image:
      dockerfile: Dockerfile
      builder: buildkit
      target: runtime
      args: { PROFILE: release }
      timeout: 20m
    release: ["/app/migrate", "up"]
    processes:
      web: { port: 8080, writable: [/var/cache/app], health: { path: /health, interval: 1s, timeout: 1s, healthy_after: 2, unhealthy_after: 4 }, drain: 30s }
      worker: { command: ["/app/worker"], health: { command: ["/app/alive"] } }
      gate: { command: ["/app/gate"], port: 9000, health: { tcp: true } }
    jobs:
      nightly: { command: ["/app/report"], schedule: "0 3 * * *", time_zone: Asia/Seoul }
  billing:
    path: services/billing
    image: { recipe: jar, artifact: target/billing.jar }
"#;

#[test]
fn the_whole_grammar_reads() {
    let lint = lint(WHOLE);
    assert_eq!(lint.problems, []);
    assert_eq!(lint.plan[0], "billing: image");
    for line in [
        "orders: fast, slow, image",
        "orders: its image is built by BuildKit",
        "orders: runs on tags v*, release/**",
        "orders: runs at 0 3 * * * (Asia/Seoul)",
        "orders: runs at */30 * * * * (UTC)",
        "orders: takes NOTE",
        "orders: takes PLACE (\"eu\" where not given; one of eu, us)",
        "orders: takes WHO (required)",
    ] {
        assert!(lint.plan.contains(&line.to_owned()), "{line}: {:?}", lint.plan);
    }
}

/// A minimal file with something put under the service `a`.
fn service(lines: &str) -> String {
    let mut text = "version: 1\nservices:\n  a:\n".to_owned();
    for line in lines.lines() {
        let _ = writeln!(text, "    {line}");
    }
    text
}

/// A minimal file with something put into its one step.
fn step(lines: &str) -> String {
    let mut inner = "stages:\n  - name: test\n    steps:\n      - name: unit\n        image: alpine\n        run: [\"true\"]\n".to_owned();
    for line in lines.lines() {
        let _ = writeln!(inner, "        {line}");
    }
    service(&inner)
}

#[test]
#[rustfmt::skip]
fn every_mistake_has_its_sentence_and_place() {
    let cases: Vec<(String, &str)> = vec![
        (String::new(), "1:1 The file is empty. Start with `version: 1` and `services:`, or delete it to build the Dockerfile alone."),
        ("version: 1\nservices: {a: {}\n".into(), "3:1 This is not YAML: while parsing a flow mapping, did not find expected ',' or '}'."),
        ("version: 1\n---\nversion: 1\n".into(), "2:1 A second document begins here. Keep one, without `---` between."),
        ("[1, 2]\n".into(), "1:1 The file takes a map, and this is a list."),
        ("services: {a: {}}\n".into(), "1:1 `version` is missing in the file."),
        ("version: 2\nservices: {a: {}}\n".into(), "1:10 `version` is 1; this Berth reads no other."),
        ("version: 1\nservices: {}\n".into(), "2:11 `services` is empty. Name at least one."),
        ("version: 1\nservices: {a: {}}\nbuild: togetherr\n".into(), "3:8 `build` takes no `togetherr`. Did you mean `together`?"),
        ("version: 1\nservice: {a: {}}\n".into(), "1:1 `services` is missing in the file.\n2:1 `service` is not known in the file. Did you mean `services`?"),
        ("version: 1\nservices: {a: {}, a: {}}\n".into(), "2:19 `a` stands here a second time; the first is in line 2."),
        ("version: 1\nservices: {Orders: {}}\n".into(), "2:12 `Orders` is no good name. A name starts with a letter and has up to 30 small letters, digits and single hyphens."),
        ("version: 1\nservices: {a: {}, b: {path: b}}\n".into(), "2:12 `a` is one of several services, so it needs a `path`: the folder it lives in."),
        ("version: 1\nservices: {a: {path: x}, b: {path: x/}}\n".into(), "2:36 `x` is the folder of another service too. Each service has its own."),
        (service("stagess: []"), "4:5 `stagess` is not known in a service. Did you mean `stages`?"),
        (service("frobnicate: 1"), "4:5 `frobnicate` is not known in a service. Known are `path`, `watch`, `on`, `inputs`, `timeout`, `concurrency`, `stages`, `on_failure`, `image`, `release`, `processes` and `jobs`."),
        (service("path: ../other"), "4:11 `../other` leaves the repository. Write a path relative to its root, without `..`."),
        (service("watch: libs"), "4:12 `watch` takes a list. Write `[\"libs\"]`."),
        (service("watch: [\"libs/[\"]"), "4:13 `libs/[` is no glob: unclosed character class; missing ']'."),
        (service("release: []"), "4:14 `release` is empty. Name at least one."),
        (service("image: {recipe: jar}"), "4:13 `recipe` needs an `artifact`: the path of what is baked."),
        (service("image: {artifact: a.jar}"), "4:23 `artifact` goes with a `recipe`: `jar`, `wheel`, `gem`, `binary`, `deb` or `static`."),
        (service("image: {recipe: war, artifact: a}"), "4:21 `recipe` takes no `war`. Did you mean `jar`?"),
        (service("image: {recipe: jar, artifact: a, target: t}"), "4:39 `target` goes with a Dockerfile, and here is a `recipe`. Keep one of them."),
        (service("image: {dockerfile: /etc/passwd}"), "4:25 `/etc/passwd` leaves the repository. Write a path relative to its root, without `..`."),
        (service("image: {args: {N: 1}}"), "4:23 `N` takes a text. Put 1 in quotes."),
        (service("processes:\n  web:"), "5:10 `web` has no value. It takes a map."),
        (service("processes: {web: {port: 70000}}"), "4:29 `port` is 1 to 65535, and this is 70000."),
        (service("processes: {web: {port: \"8080\"}}"), "4:29 `port` takes a whole number, and this is a text."),
        (service("processes: {web: {command: /app}}"), "4:32 `command` takes a list. Write `[\"/app\"]`."),
        (service("processes: {web: {writable: [cache]}}"), "4:34 `cache` is not the absolute path of a folder. Write for example `/var/cache/app`."),
        (service("processes: {worker: {}}"), "4:17 `worker` needs a `command`: only `web` runs the image's own."),
        (service("processes: {web: {drain: 10}}"), "4:30 `drain` takes a text. Put 10 in quotes."),
        (service("processes: {web: {drain: 10 minutes}}"), "4:30 `10 minutes` is no duration. Write a whole number and `ms`, `s`, `m` or `h`, for example `10m`."),
        (service("processes: {web: {drain: 25h}}"), "4:30 `drain` is at most `24h`."),
        (service("processes: {web: {health: {path: health}}}"), "4:38 `health` is no path of a request. It starts with `/`, for example `/health`."),
        (service("processes: {web: {health: {path: /h, tcp: true}}}"), "4:42 Health is told by one of `path`, `tcp` and `command`, and `path` is there already."),
        (service("processes: {web: {health: {interval: 1ms}}}"), "4:42 `interval` is at least `100ms`."),
        (service("processes: {web: {health: {helthy_after: 2}}}"), "4:32 `helthy_after` is not known in health. Did you mean `healthy_after`?"),
        (service("processes: {w: {command: [a], health: {tcp: true}}}"), "4:44 `tcp` needs a port to ask, and `w` (line 4) has none. Add `port`."),
        (service("jobs: {j: {schedule: \"0 3 * *\", command: [a]}}"), "4:26 A schedule has five fields (minute, hour, day, month, day of the week), and this has 4."),
        (service("jobs: {j: {schedule: \"0 25 * * *\", command: [a]}}"), "4:26 `25` is no hour of a schedule: numbers from 0 to 23, `*`, `a-b`, `*/n` and lists of them."),
        (service("stages: [{name: t, steps: []}]"), "4:31 `steps` is empty. Name at least one."),
        (service("stages: [{name: image, steps: [{name: a, image: b, run: [c]}]}]"), "4:21 `image` is the stage in which Berth builds the image. Give this one another name."),
        (service("stages: [{name: t, steps: [{name: a, image: b, run: [c]}, {name: a, image: b, run: [c]}]}]"), "4:70 There is a step named `a` already. Give this one another name."),
        (service("stages: [{name: t, timeout: 0s, steps: [{name: a, image: b}]}]"), "4:33 `timeout` is at least `1s`.\n4:45 `run` is missing in a step."),
        (step("imagee: x"), "10:13 `imagee` is not known in a step. Did you mean `image`?"),
        (step("env: {BERTH_RUN: x}"), "10:19 `BERTH_RUN` is set by Berth. Choose a name that does not start with `BERTH_`."),
        (step("env: {A-B: x}"), "10:19 `A-B` is no name of a variable. Use letters, digits and underscores, and no digit first."),
        (step("retry: {exit_codes: [75]}"), "10:21 `exit_codes` says which codes `failed` is for, and that is missing. Add for example `failed: 1`."),
        (step("retry: {lost: 9}"), "10:27 `lost` is 0 to 5, and this is 9."),
        (step("network: host"), "10:22 `network` takes no `host`. It takes `run` or `none`."),
        (step("matrix: {A: []}"), "10:25 A variable of `matrix` needs at least one value."),
        (step("matrix: {A: [x, x]}"), "10:29 `x` stands here already. Each value makes a step of its own."),
        (step("matrix: {BERTH_X: [x]}"), "10:22 `BERTH_X` is set by Berth. Choose a name that does not start with `BERTH_`."),
        (step("matrix: {A: [\"\"]}"), "10:26 A value of `matrix` is part of a step's name: one line of 1 to 40 characters."),
        (step("matrix: {A: [1]}"), "10:26 An item of `A` takes a text. Put 1 in quotes."),
        (step("matrix: {A: [a, b, c, d, e], B: [a, b, c, d, e], C: [a, b, c]}"), "10:21 This makes 75 steps of one; at most 64 are. Take out values."),
        (step("if: {}"), "10:17 `if` is empty. Name at least one."),
        (step("if: main"), "10:17 `if` takes a map, and this is a text."),
        (step("if: {branch: main}"), "10:26 `branch` takes a list. Write `[\"main\"]`."),
        (step("if: {branch: []}"), "10:26 `branch` is empty. Name at least one."),
        (step("if: {branch: [\"\"]}"), "10:27 A branch has a name. Write one, or a glob such as `release/*`."),
        (step("if: {branch: [\"release/[\"]}"), "10:27 `release/[` is no glob: unclosed character class; missing ']'."),
        (step("if: {not: {branch: [\"{a\"]}}"), "10:33 `{a` is no glob: unclosed alternate group; missing '}' (maybe escape '{' with '[{]'?)."),
        (step("if: {event: [pushed]}"), "10:26 An item of `event` takes no `pushed`. Did you mean `push`?"),
        (step("if: {event: [deploy]}"), "10:26 An item of `event` takes no `deploy`. It takes `push`, `manual`, `tag`, `pull_request`, `schedule`, `api` or `base`."),
        (step("if: {branches: [main]}"), "10:18 `branches` is not known in if. Did you mean `branch`?"),
        (step("if: {not: {}}"), "10:23 `not` is empty. Name at least one."),
        (step("if: {not: {not: {event: [tag]}}}"), "10:24 `not` is not known in not. Known are `branch` and `event`."),
        (service("on_failure: [{name: a, image: b}]"), "4:18 `run` is missing in a step after a failure."),
        (service("on_failure: [{name: a, image: b, run: [c], retry: {lost: 1}}]"), "4:48 `retry` is not known in a step after a failure. Known are `name`, `image`, `run`, `env`, `secrets`, `network`, `timeout` and `artifacts`."),
        (service("on_failure: [{name: a, image: b, run: [c], timeout: 1h}]"), "4:57 `timeout` of a step after a failure is at most `10m`."),
        (service("on_failure: [{name: a, image: b, run: [c], env: {BERTH_X: y}}]"), "4:54 `BERTH_X` is set by Berth. Choose a name that does not start with `BERTH_`."),
        (service("stages:\n  - name: t\n    steps: [{name: a, image: b, run: [c]}]\n    on_failure: [{name: a, image: b, run: [\" \"]}]"), "7:29 There is a step named `a` already. Give this one another name.\n7:48 This command is empty. Write one, or leave it out."),
        (service("jobs: {j: {schedule: \"0 9-3 * * *\", command: [a]}}"), "4:26 `0 9-3 * * *` is no schedule: a range begins with the smaller number, and `*/n` stays within the field."),
        (service("jobs: {j: {schedule: \"0 3 31 2 *\", time_zone: Asia/Soul, command: [a]}}"), "4:26 `0 3 31 2 *` never comes: there is no such day.\n4:51 `Asia/Soul` is no time zone. Write for example `Asia/Seoul`."),
        (service("on: {}"), "4:9 `on` is empty. Name at least one."),
        (service("on: [push]"), "4:9 `on` takes a map, and this is a list."),
        (service("on: {push: [main]}"), "4:10 `push` is not known in on. Known are `tag`, `pull_request` and `schedule`."),
        (service("on: {tag: v1}"), "4:15 `tag` takes a list. Write `[\"v1\"]`."),
        (service("on: {tag: []}"), "4:15 `tag` is empty. Name at least one."),
        (service("on: {tag: [\"\", refs/tags/v1, \"v[\"]}"), "4:16 A tag has a name. Write one, or a glob such as `v*`.\n4:20 Tags are known by their names alone here. Write `v1`.\n4:34 `v[` is no glob: unclosed character class; missing ']'."),
        (service("on: {schedule: [\"0 3 * * *\"]}"), "4:21 An item of `schedule` takes a map, and this is a text."),
        (service("on: {schedule: [{time_zone: UTC}]}"), "4:21 `cron` is missing in a schedule."),
        (service("on: {schedule: [{cron: \"0 3 * *\"}]}"), "4:28 A schedule has five fields (minute, hour, day, month, day of the week), and this has 4."),
        (service("on: {schedule: [{cron: \"0 3 30 2 *\"}]}"), "4:28 `0 3 30 2 *` never comes: there is no such day."),
        (service("on: {schedule: [{cron: \"0 3 * * *\", time_zone: Mars/Base}]}"), "4:52 `Mars/Base` is no time zone. Write for example `Asia/Seoul`."),
        (service("on: {schedule: [{cron: \"0 3 * * *\", time_zone: \"+09:00\"}]}"), "4:52 `+09:00` is no time zone. Write for example `Asia/Seoul`."),
        (service("on: {schedule: [{cron: \"0 3 * * *\"}, {cron: \"0 3 * * *\", time_zone: UTC}]}"), "4:49 `0 3 * * *` stands here already. Once is enough."),
        (service("inputs: [A]"), "4:13 `inputs` takes a map, and this is a list."),
        (service("inputs: {A: }"), "4:15 `A` has no value. It takes a map."),
        (service("inputs: {a-b: {}}"), "4:14 `a-b` is no name of a variable. Use letters, digits and underscores, and no digit first."),
        (service("inputs: {BERTH_A: {}}"), "4:14 `BERTH_A` is set by Berth. Choose a name that does not start with `BERTH_`."),
        (service("inputs: {A: {default: 1}}"), "4:27 `default` takes a text. Put 1 in quotes."),
        (service("inputs: {A: {requird: true}}"), "4:18 `requird` is not known in an input. Did you mean `required`?"),
        (service("inputs: {A: {required: true, default: a}}"), "4:43 `A` is `required`, so its `default` is never used. Keep one of them."),
        (service("inputs: {A: {options: [a, b], default: c}}"), "4:44 `c` is none of the `options` of `A`. Take one of them."),
        (service("inputs: {A: {options: [a, a]}}"), "4:31 `a` stands here already. Once is enough."),
        (service("inputs: {A: {options: []}}"), "4:27 `options` is empty. Name at least one."),
        (service("image: {builder: kaniko}"), "4:22 `builder` takes no `kaniko`. It takes `classic` or `buildkit`."),
        (service("image: {builder: buildkitt}"), "4:22 `builder` takes no `buildkitt`. Did you mean `buildkit`?"),
        (service("image: {recipe: jar, artifact: a, builder: buildkit}"), "4:39 `builder` goes with a Dockerfile, and here is a `recipe`. Keep one of them."),
        (service("image: {context: all}"), "4:22 `context` takes no `all`. It takes `service` or `repository`."),
        (service("image: {recipe: jar, artifact: a, context: repository}"), "4:39 `context` goes with a Dockerfile, and here is a `recipe`. Keep one of them."),
        (step("caches: [/root/.cache]"), "10:21 `caches` takes a map, and this is a list."),
        (step("caches: {cache: []}"), "10:22 `cache` is not the absolute path of a folder. Write for example `/var/cache/app`."),
        (step("caches: {/proc/x: []}"), "10:22 `/proc/x` cannot be kept between runs. Name a folder of the image, or one below `/workspace`."),
        (step("caches: {/workspace/: []}"), "10:22 `/workspace/` cannot be kept between runs. Name a folder of the image, or one below `/workspace`."),
        (step("caches: {/a: lock}"), "10:26 `/a` takes a list. Write `[\"lock\"]`."),
        (step("caches: {/a: [../lock]}"), "10:27 `../lock` leaves the repository. Write a path relative to its root, without `..`."),
        (step("caches: {/a: [], /b: [], /c: [], /d: [], /e: [], /f: [], /g: [], /h: [], /i: [], /j: [], /k: []}"), "10:102 A step has at most 10 caches. Take one out."),
        (step("junit: *nothing"), "10:20 This is not YAML: while parsing node, found unknown anchor."),
        ("a: &a [*a]\n".into(), "1:8 This alias stands inside the very value it names. Take it out."),
    ];
    let mut wrong = String::new();
    let mut english = 0;
    for (text, expected) in &cases {
        english += untold(text);
        let found: Vec<String> = lint(text).problems.iter().map(|p| format!("{}:{} {}", p.line, p.column, p.sentence)).collect();
        if found.join("\n") != *expected {
            let _ = writeln!(wrong, "--- {text}\nexpected {expected}\nfound    {}", found.join("\n         "));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
    println!("proof  sentences of a berth.yaml: {} broken files, {english} sentences without their Korean", cases.len());
    assert_eq!(english, 0);
}

/// How many problems of a file are not said in Korean: each by itself, and as the reason why a run failed.
fn untold(text: &str) -> usize {
    let Err(problems) = parse(text) else { return 0 };
    let failure = |problem: &Problem| said::file::and_more(problem, 2);
    let told = |said: &str| said::in_korean(said).filter(|korean| is_korean(korean));
    let missing = problems.iter().flat_map(|problem| [problem.sentence.clone(), problem.to_string(), failure(problem)]);
    missing.filter(|said| told(said).is_none()).inspect(|said| eprintln!("{said}\n    {:?}", said::in_korean(said))).count()
}

/// Whether a sentence is Korean as a whole: what other letters it has stand in back-ticks, are names of the grammar, or are what
/// another program said.
fn is_korean(said: &str) -> bool {
    let own: String = said.split('`').step_by(2).collect();
    let foreign = ["글로브가 아니에요: ", "YAML 형식이 아니에요: "].iter().find_map(|lead| Some(own.find(lead)? + lead.len()));
    let own = &own[..foreign.unwrap_or(own.len())];
    let mut words = own.split(|c: char| !c.is_ascii_alphabetic()).filter(|word| !word.is_empty());
    let names = ["berth", "yaml", "YAML", "Berth", "Dockerfile", "on", "if", "not", "retry", "health", "image", "concurrency"];
    own.chars().any(|c| ('가'..='힣').contains(&c)) && words.all(|word| names.contains(&word))
}

#[test]
fn all_problems_are_given_at_once_from_top_to_bottom() {
    let text = service("pathh: a\nprocesses: {web: {port: 0}}\nstages: [{name: t, steps: [{name: a, image: b, run: []}]}]");
    let lines: Vec<usize> = lint(&text).problems.iter().map(|problem| problem.line).collect();
    assert_eq!(lines, [4, 5, 6]);
}

#[test]
fn anchors_and_merge_keys_work() {
    let text = service(
        "stages:\n  - name: one\n    steps:\n      - &unit { name: a, image: alpine, run: [\"true\"] }\n      - { <<: *unit, name: b }\n  - name: two\n    steps: [*unit]",
    );
    let file = parse(&text).unwrap_or_else(|problems| panic!("{problems:?}"));
    let stages = &file.services["a"].stages;
    assert_eq!(stages[0].steps[1].image, "alpine");
    assert_eq!(stages[0].steps[1].name, "b");
    assert_eq!(stages[1].steps[0].name, "a");
}

#[test]
fn a_bomb_of_aliases_is_refused_at_once() {
    let mut text = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let alias = format!("*a{}", level - 1);
        let _ = writeln!(text, "a{level}: &a{level} [{}]", vec![alias; 10].join(", "));
    }
    let problems = lint(&text).problems;
    assert_eq!(problems.len(), 1);
    assert!(problems[0].sentence.contains("more than"), "{problems:?}");
}

#[test]
fn no_text_makes_the_reading_fall() {
    let long = "a".repeat(MAX_BYTES + 1);
    for text in [
        "\0",
        "\u{feff}",
        "- ",
        "? ",
        "&",
        "*",
        "!!x y",
        "{",
        "[[[[",
        "%YAML 9\n---\n",
        "\t",
        "a: 'b",
        "<<: 1",
        "? {a: b}\n: c",
        &"[".repeat(9_000),
        &long,
    ] {
        assert!(!lint(text).problems.is_empty(), "{text:.20}");
    }
}

#[test]
fn a_dockerfile_alone_is_one_service_without_tests() {
    let pipeline = resolve(None, true, "hello").unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(pipeline.plan, ["hello: image", "hello: nothing is tested"]);
    assert!(pipeline.refused.is_empty() && pipeline.stages.is_empty());
    assert!(pipeline.shape.processes.contains_key("web"));
    let nothing = resolve(None, false, "hello").unwrap_or_else(|problems| panic!("{problems:?}"));
    assert_eq!(nothing.refused.len(), 1);
}

#[test]
fn what_is_not_run_yet_is_refused_by_name() {
    let pipeline = resolve(Some(WHOLE), true, "orders").unwrap_or_else(|problems| panic!("{problems:?}"));
    let all = pipeline.refused.join("\n");
    assert!(all.contains("jobs"), "{all}");
    for word in ["sidecars", "retry"] {
        assert!(!all.contains(word), "{word}: {all}");
    }
    let slow = &pipeline.stages[1];
    assert_eq!((slow.lost_retries, slow.steps[0].retry.failed, slow.steps[0].retry.pull), (2, 1, 2));
    assert_eq!((slow.sidecars[0].name.as_str(), slow.sidecars[0].image.as_str()), ("db", "postgres:16"));
    assert_eq!(pipeline.notes.len(), 0);
    let unit = &pipeline.stages[0].steps[0];
    assert_eq!(unit.caches["/usr/local/cargo/registry"], ["Cargo.lock"]);
    assert_eq!((unit.junit.as_deref(), unit.artifacts.len()), (Some("target/junit/*.xml"), 1));
    assert_eq!(pipeline.path, "services/orders");
    assert_eq!(pipeline.shape.processes["web"].drain_ms, 30_000);
    assert_eq!((slow.on_failure[0].name.as_str(), pipeline.on_failure[0].name.as_str()), ("dump", "tell"));
    let other = resolve(Some(&service("path: .")), true, "hello").unwrap_or_else(|problems| panic!("{problems:?}"));
    assert!(other.refused[0].contains("`hello`"), "{:?}", other.refused);
}

#[test]
fn what_a_run_does_not_want_is_marked_with_the_reason() {
    let on = |branch, event| {
        let pipeline = resolve(Some(WHOLE), true, "orders").unwrap_or_else(|problems| panic!("{problems:?}"));
        pipeline.on(When { branch: Some(branch), event })
    };
    let all = on("main", RunEvent::Push);
    assert!(all.stages.iter().all(|stage| stage.skipped().is_empty()));
    assert_eq!(all.order(), "fast, slow, image");
    let topic = on("topic", RunEvent::Push);
    assert_eq!(topic.order(), "fast, slow (skipped: only on main, release/*), image");
    assert_eq!(topic.stages[1].skipped(), [("acceptance".to_owned(), "only on main, release/*".to_owned())]);
    assert!(topic.stages[1].is_skipped() && topic.stages[1].may_run().next().is_none(), "nor is what follows a failure");
    let night = on("main", RunEvent::Schedule);
    assert_eq!(night.order(), "fast (skipped: only for push, manual), slow (skipped: not for schedule), image");
    assert_eq!(night.stages[0].skipped().len(), 2, "each step of a matrix");
    let again = night.on(When { branch: Some("main"), event: RunEvent::Push });
    assert_eq!(again.order(), "fast, slow, image", "decided anew");
    assert!(
        all.plan.iter().any(|line| line.ends_with("stage slow runs acceptance beside db, only on main, release/*, not for schedule")),
        "{:?}",
        all.plan
    );
    assert!(all.plan.iter().any(|line| line.ends_with("unit (postgres) (only for push, manual), at most 10m")), "{:?}", all.plan);
    assert!(all.plan.iter().any(|line| line.ends_with("where stage slow failed, once: dump")), "{:?}", all.plan);
}

#[test]
fn what_a_file_asks_for_is_said_in_korean() {
    let mut lines = lint(WHOLE).plan;
    lines.extend(lint(&WHOLE.replace("separate", "together")).plan.into_iter().take(1));
    for line in &lines {
        let (_, says) = line.split_once(": ").unwrap();
        let order = !says.contains(' ') || says == "fast, slow, image";
        let korean = said::in_korean(says).unwrap_or_default();
        let english = [" runs ", " at ", "most", "where", "only", "beside", "takes", "once", "command", "asked", " on "];
        assert!(order || !korean.is_empty() && !english.iter().any(|word| korean.contains(word)), "{says}: {korean}");
    }
}

#[test]
fn the_schema_is_made_of_the_types() {
    let schema = schema();
    assert_eq!(schema["properties"]["version"]["const"], 1);
    assert!(jsonschema::validator_for(schema).is_ok());
    assert!(!schema.to_string().contains("\"null\""), "{schema}");
}
