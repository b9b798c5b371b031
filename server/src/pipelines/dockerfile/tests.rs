//! What engines find in a Dockerfile is found here; what could be read otherwise is refused.

use std::collections::BTreeMap;

use super::{super::file::types::Builder, lines::cut_flags, *};

fn images(text: &str) -> Result<Vec<String>, String> {
    images_of(text, &BTreeMap::from([("TAG".to_owned(), "2".to_owned())]), &Triggers::new())
}

#[test]
fn the_images_of_a_dockerfile_are_told_before_it_is_built() {
    let cases: [(&str, &[&str]); 29] = [
        ("FROM alpine\nRUN true", &["alpine"]),
        ("# FROM x\nfrom rust:1 as b\nRUN x\nFROM scratch\nCOPY --from=b /a /a", &["rust:1"]),
        ("FROM --platform=linux/amd64 \\\n  debian:12\nCOPY --from=busybox:1 /bin/sh /sh", &["busybox:1", "debian:12"]),
        ("ARG TAG=1\nFROM app:${TAG}", &["app:2"]),
        ("ARG OTHER=7\nFROM app:$OTHER", &["app:7"]),
        ("ARG NONE\nFROM app:${NONE:-3}\nFROM $NONE", &["$NONE", "app:3"]),
        ("FROM a AS one\nFROM one AS two\nCOPY --from=0 x y", &["a"]),
        ("FROM ${UNKNOWN}", &["${UNKNOWN}"]),
        // Ways to name an image that engines understand.
        ("ARG X=1\nFROM ${X:+sha256:0a}", &["sha256:0a"]),
        ("FROM a\nCOPY \\\n\n  # why\n --from=b x y", &["a", "b"]),
        ("FROM a\nCOPY --fr\\om=\"b\" x y\nADD --'from'=c x y", &["a", "b", "c"]),
        ("FROM 'a'\nFROM \\b", &["a", "b"]),
        ("FROM a\nONBUILD COPY --from=b x y\nonbuild onbuild copy --from=c x y", &["a", "b", "c"]),
        ("FROM a\nCOPY --from=b --from=c x y", &["a", "b", "c"]),
        ("", &[]),
        // A line goes on without a space between; a mark of the order of bytes stands before the first.
        ("FROM a\nFR\\\nOM b", &["a", "b"]),
        ("FROM a\nCOPY --fr\\  \nom=b x y", &["a", "b"]),
        ("\u{feff}FROM a", &["a"]),
        ("FROM a\nRUN x \\\u{b}\nFROM b", &["a", "b"]),
        // What mounts.
        ("FROM a\nRUN --mount=type=cache,target=/c --mount=from=b,target=/b x", &["a", "b"]),
        ("FROM a\nRUN --mount=\"type=bind,target=/with space,FROM=b\" x", &["a", "b"]),
        ("FROM a AS s\nFROM c\nRUN --mount=from=s,target=/b x\nRUN --mount=from=0 x", &["0", "a", "c"]),
        ("FROM a\nRUN echo --mount=from=b", &["a"]),
        ("FROM a\nONBUILD RUN --mount=from=b,target=/b x", &["a", "b"]),
        // What newer engines make of a variable, and what they know by themselves.
        ("ARG A=victim\nFROM ${A-x:-a}", &["${A-x:-a}"]),
        ("ARG TARGETARCH=a\nFROM x-$TARGETARCH", &["x-$TARGETARCH"]),
        ("ARG A=-b\nARG A\nFROM x${A}\nFROM y${A:+-c}", &["x${A}", "y${A:+-c}"]),
        // A text below is no instruction, and begins no stage.
        ("FROM a\nRUN <<EOF\nFROM b AS c\nEOF\nCOPY --from=c x y", &["a", "c"]),
        ("FROM a\nRUN cat <<-'ONE' <<TWO >/x\n\tFROM b\n\tONE\nFROM c\nTWO\nFROM d", &["a", "d"]),
    ];
    for (text, expected) in cases {
        assert_eq!(images(text).unwrap_or_else(|why| panic!("{text}: {why}")), expected, "{text}");
    }
}

#[test]
fn what_engines_read_in_more_than_one_way_is_refused() {
    let cases = [
        "FROM a\nRUN x \\\\\nFROM b",
        "FROM a\nRUN x\rFROM b",
        "FROM a\nCOPY \u{fffd}--from=b x y",
        "FROM a\nONBU\u{130}LD COPY --from=b x y",
        "FROM a\nCOPY --chown=\u{e0}--from=b x y",
        "FROM a\nRUN echo ${ <<EOF\nFROM b\nEOF",
        "FROM a\nRUN \"x <<EOF\nFROM b\nEOF",
        "FROM a\nRUN <<E\"O\"F\nFROM b\nEOF",
        "FROM a\nRUN <<$X\nFROM b\n$X",
        "FROM a\nRUN <<EOF\nFROM b\n",
        "FROM a\nRUN [\"x\", <<EOF\nFROM b\nEOF",
    ];
    for text in cases {
        let why = images(text).map_or_else(|why| why, |found| panic!("{text}: {found:?}"));
        assert!(why.contains("more than one way"), "{why}");
    }
    for plain in ["FROM a\nRUN echo $((1 << 2))", "FROM a\nRUN cat <<<x", "FROM a\nRUN x<<EOF"] {
        assert_eq!(images(plain), Ok(vec!["a".to_owned()]), "{plain}");
    }
}

#[test]
fn flags_are_cut_as_engines_cut_them() {
    for (text, flags, rest) in [
        ("--a=1 --b x --c", vec!["--a=1", "--b"], "x --c"),
        ("--a='x y' --b=\"\\\"\" z", vec!["--a=x y", "--b=\""], "z"),
        ("--a\\ b c", vec!["--a b"], "c"),
        ("-- --a", vec![], "--a"),
        ("x --a", vec![], "x --a"),
        ("--a=\"x", vec!["--a=x"], ""),
    ] {
        assert_eq!(cut_flags(text), (flags.into_iter().map(str::to_owned).collect(), rest), "{text}");
    }
}

#[test]
fn what_an_image_triggers_is_looked_at_where_it_is_started_from() {
    let triggers = Triggers::from([("a".to_owned(), vec!["COPY --from=b x y".to_owned(), "RUN true".to_owned()])]);
    let found = |text: &str| images_of(text, &BTreeMap::new(), &triggers).unwrap();
    assert_eq!(found("FROM a"), ["a", "b"]);
    assert_eq!(found("FROM c AS b\nFROM a"), ["a", "c"], "a stage by then");
    assert_eq!(found("FROM a\nFROM c AS b"), ["a", "b", "c"], "none yet");
    let triggers = Triggers::from([("a".to_owned(), vec!["ARG X=c".to_owned()])]);
    assert_eq!(images_of("ARG X=b\nFROM a\nFROM $X", &BTreeMap::new(), &triggers).unwrap(), ["a", "b"]);
    assert!(triggered(&["ADD http://169.254.169.254/ /x".to_owned()], Builder::Classic).is_some());
}

#[test]
fn what_is_not_let_in_says_why() {
    const BOTH: [Builder; 2] = [Builder::Classic, Builder::Buildkit];
    let (classic, buildkit) = ([Builder::Classic], [Builder::Buildkit]);
    let cases: [(&str, &[Builder], &str); 38] = [
        ("# syntax=docker/dockerfile:1\nFROM a", &BOTH, "`syntax`"),
        ("#Syntax = x", &BOTH, "`syntax`"),
        ("\n# syntax=x\nFROM a", &BOTH, "`syntax`"),
        ("#!/x\n// syntax=x\nFROM a", &BOTH, "`syntax`"),
        ("{\"syntax\": \"x\"}", &BOTH, "`syntax`"),
        ("# escape=`\nFROM a", &BOTH, "`escape`"),
        ("FROM a\nADD http://x/y /z", &BOTH, "past the wall"),
        ("FROM a\nADD ht\"tp\"://x/y /z", &BOTH, "past the wall"),
        ("FROM a\nADD [\"\\u0068ttp\\u003a//x/y\", \"/z\"]", &BOTH, "past the wall"),
        ("FROM a\nADD [\"http://x\",\"/y\"]z", &BOTH, "past the wall"),
        ("FROM a\nADD [\"http\\u003a//x\",\"/y\"] z", &BOTH, "more than one way"),
        ("ARG U=http://x\nFROM a\nADD $U /z", &BOTH, "past the wall"),
        ("FROM a\nADD h${U} /z", &BOTH, "past the wall"),
        ("FROM a\nADD http:/$U /z", &BOTH, "past the wall"),
        ("FROM a\nADD git@x:y.git /z", &BOTH, "past the wall"),
        ("FROM a\nADD me@x.org:y.git#main /z", &BOTH, "past the wall"),
        ("FROM a\nONBUILD ADD https://x /z", &BOTH, "past the wall"),
        ("FROM a\nADD --checksum=sha256:0 https://x /z", &buildkit, "past the wall"),
        ("FROM a\nRUN --mount=type=cache,target=/c x", &classic, "`RUN --mount`"),
        ("FROM a\nRUN <<EOF\nx\nEOF", &classic, "`RUN <<EOF`"),
        ("FROM a\nCOPY --link x y", &classic, "`COPY --link`"),
        ("FROM a\nCOPY --chmod=0700 x y", &classic, "`COPY --chmod`"),
        ("FROM a\nRUN --network=host x", &buildkit, "`RUN --network=host`"),
        ("FROM a\nRUN --security=insecure x", &buildkit, "`RUN --security=insecure`"),
        ("FROM a\nRUN --device=x y", &buildkit, "`RUN --device=x`"),
        ("FROM a\nRUN --mount=type=secret,id=a x", &buildkit, "type=secret"),
        ("FROM a\nRUN --mount=type=cache,type=SSH x", &buildkit, "type=ssh"),
        ("FROM a\nRUN --mount=type=bind,\\\"from=b\\\" x", &buildkit, "is not let in"),
        ("FROM a\nONBUILD RUN --mount=type=ssh x", &buildkit, "type=ssh"),
        ("FROM --platform=linux/mips a", &buildkit, "--platform=linux/mips"),
        ("ARG TARGETPLATFORM=linux/mips\nFROM --platform=$TARGETPLATFORM a", &buildkit, "--platform"),
        ("FROM a\nCOPY <<EOF /x\ny\nEOF", &buildkit, "below `COPY`"),
        ("FROM a\nADD <<EOF /x\ny\nEOF", &buildkit, "below `ADD`"),
        ("FROM a\nRUN x \\\\\nFROM b", &BOTH, "more than one way"),
        ("FROM a\nRUN true\nCOPY --chown=1:1 x y\nADD x.tar files/$X /y\nCOPY $X /y", &BOTH, ""),
        ("FROM --platform=$BUILDPLATFORM a\nRUN --network=none --mount=type=cache,id=x,target=/x x", &buildkit, ""),
        ("FROM a\nRUN --mount=target=/src --mount=type=tmpfs,target=/t <<EOF\nx\nEOF", &buildkit, ""),
        ("FROM a\nCOPY --link --chmod=0700 x y\nADD https.tar /$X", &buildkit, ""),
    ];
    let mut said = 0;
    for (text, builders, part) in cases {
        for builder in builders {
            let why = refusal(text, *builder, &BTreeMap::new());
            assert_eq!(why.is_none(), part.is_empty(), "{text} {builder:?}: {why:?}");
            let Some(why) = why else { continue };
            assert!(why.contains(part), "{text} {builder:?}: {why}");
            assert!(app::said::in_korean(&why).is_some(), "{why}");
            said += 1;
        }
    }
    for name in ["BUILDKIT_SYNTAX", "TARGETPLATFORM"] {
        let args = BTreeMap::from([(name.to_owned(), "x".to_owned())]);
        assert!(refusal("FROM a", Builder::Buildkit, &args).unwrap().contains(name));
    }
    println!("proof: Dockerfiles: {said} that go round what is checked refused with their sentence, 0 let in");
}

#[test]
fn a_text_below_a_run_is_made_part_of_it() {
    let cases = [
        ("FROM a\nRUN true\n", None),
        (
            "FROM a # x\nRUN --mount=type=cache,target=/c <<EOF\nset -e\necho \"$X\" 'y' \\\n  z\nEOF\nUSER b",
            Some(
                r#"FROM a # x
RUN --mount=type=cache,target=/c ["/bin/sh","-c","set -e\necho \"$X\" 'y' \\\n  z\n"]
USER b
"#,
            ),
        ),
        ("FROM a\nrun cat <<-X > /y\n\tone\n\tX\n", Some("FROM a\nRUN [\"/bin/sh\",\"-c\",\"cat <<-X > /y\\none\\nX\\n\"]\n")),
        (
            "FROM a\nRUN <<X\n#!/usr/bin/env python3\nprint(1)\nX\n",
            Some("FROM a\nRUN [\"/usr/bin/env\",\"python3\",\"-c\",\"#!/usr/bin/env python3\\nprint(1)\\n\"]\n"),
        ),
        (
            "FROM a AS b\nSHELL [\"/bin/bash\", \"-c\"]\nFROM c\nRUN <<X\n1\nX\nFROM b\nONBUILD RUN <<X\n2\nX\n",
            Some(
                "FROM a AS b\nSHELL [\"/bin/bash\", \"-c\"]\nFROM c\nRUN [\"/bin/sh\",\"-c\",\"1\\n\"]\nFROM b\nONBUILD RUN [\"/bin/bash\",\"-c\",\"2\\n\"]\n",
            ),
        ),
    ];
    for (text, expected) in cases {
        assert_eq!(unfolded(text).unwrap().as_deref(), expected, "{text}");
    }
    assert!(unfolded("FROM a\nRUN <<X\n#!/usr/bin/perl\n1\nX\n").unwrap_err().contains("`/usr/bin/perl`"));
}
