//! A corpus of reports, honest and hostile.

use std::{fmt::Write as _, time::Instant};

use super::*;

/// What a report comes to, in a line: `suite/name=outcome` for each test, and what is said.
fn came_to(bytes: &[u8]) -> (String, String) {
    let report = read(bytes, 1_000);
    let one = |case: &Case| {
        let mark = match case.outcome {
            TestOutcome::Passed => "+",
            TestOutcome::Failed => "-",
            TestOutcome::Skipped => "0",
        };
        format!("{mark}{}/{}{}", case.suite, case.name, if case.flaky { "~" } else { "" })
    };
    (report.cases.iter().map(one).collect::<Vec<_>>().join(" "), report.trouble.unwrap_or_default())
}

/// Reports as runners write them, and what is read of each.
#[rustfmt::skip]
const ODD: &[(&str, &str, &str, &str)] = &[
    ("one suite", r#"<testsuite name="s"><testcase name="a" time="0.1"/></testsuite>"#, "+s/a", ""),
    ("suites", r#"<?xml version="1.0"?><testsuites><testsuite name="s"><testcase classname="c" name="a"/></testsuite></testsuites>"#, "+c/a", ""),
    ("nested suites", r#"<testsuites><testsuite name="o"><testsuite name="i"><testcase name="a"/></testsuite><testcase name="b"/></testsuite></testsuites>"#, "+i/a +o/b", ""),
    ("a nameless inner suite", r#"<testsuite name="o"><testsuite><testcase name="a"/></testsuite></testsuite>"#, "+o/a", ""),
    ("no names", "<testsuite><testcase/></testsuite>", "+/(no name)", ""),
    ("a file for a class", r#"<testsuite><testcase file="t.py" name="a"/></testsuite>"#, "+t.py/a", ""),
    ("failure and error", r#"<testsuite name="s"><testcase name="a"><failure message="m"/></testcase><testcase name="b"><error type="T">x</error></testcase></testsuite>"#, "-s/a -s/b", ""),
    ("left out", r#"<testsuite name="s"><testcase name="a"><skipped/></testcase><testcase name="b" status="notrun"/><testcase name="c"><skipped message="later"/></testcase></testsuite>"#, "0s/a 0s/b 0s/c", ""),
    ("failed at first", r#"<testsuite name="s"><testcase name="a"><flakyFailure message="m"><system-out>x</system-out></flakyFailure></testcase></testsuite>"#, "+s/a~", ""),
    ("failed every time", r#"<testsuite name="s"><testcase name="a"><failure/><rerunFailure message="m"/></testcase></testsuite>"#, "-s/a", ""),
    ("other elements", r#"<testsuite name="s"><properties><property name="x" value="y"/></properties><testcase name="a"><properties/></testcase><system-out>x</system-out></testsuite>"#, "+s/a", ""),
    ("name spaces", r#"<j:testsuite xmlns:j="urn:j" name="s"><j:testcase j:name="n" name="a"/></j:testsuite>"#, "+s/n", ""),
    ("entities of XML", r#"<testsuite name="a&amp;b"><testcase name="x &lt; &#121; &#x7a;"/></testsuite>"#, "+a&b/x < y z", ""),
    ("an unknown entity", r#"<testsuite name="s"><testcase name="&xxe;"/></testsuite>"#, "+s/&xxe;", ""),
    ("control characters", "<testsuite name=\"s\"><testcase name=\"a&#0;b\u{1}c&#27;[31m\nd\"/></testsuite>", "", ""),
    ("CDATA that looks like a report", "<testsuite name=\"s\"><testcase name=\"a\"><failure><![CDATA[<testcase name=\"b\"/><!DOCTYPE x>]]></failure></testcase></testsuite>", "-s/a", ""),
    ("capitals", r#"<TestSuite name="s"><TestCase name="a"/></TestSuite>"#, "+s/a", ""),
    ("several roots", r#"<testsuite name="s"><testcase name="a"/></testsuite><testsuite name="t"><testcase name="b"/></testsuite>"#, "+s/a +t/b", ""),
    ("no test at all", "<testsuites/>", "", ""),
    ("another document", "<html><body>not found</body></html>", "", ""),
    ("nothing", "", "", "cannot be read: it holds no element at all."),
    ("words", "no report today", "", "cannot be read: it holds no element at all."),
    ("cut off", r#"<testsuite name="s"><testcase name="a"/><testcase name="b"><fail"#, "+s/a", "breaks off"),
    ("cut off between", r#"<testsuite name="s"><testcase name="a"/>"#, "+s/a", "breaks off: it ends in the middle of an element. The 1 tests before that count."),
    ("crossed", r#"<testsuite name="s"><testcase name="a"></testsuite></testcase>"#, "", "cannot be read"),
    ("a document type", r#"<!DOCTYPE t><testsuite name="s"><testcase name="a"/></testsuite>"#, "", "refused: it declares a document type, which a report has no need of."),
    ("a document type in the middle", r#"<testsuite name="s"><testcase name="a"/><!DOCTYPE t [<!ENTITY x "y">]></testsuite>"#, "", "refused: "),
    ("a file of the host", r#"<?xml version="1.0"?><!DOCTYPE t [<!ENTITY x SYSTEM "file:///etc/passwd">]><testsuite name="s"><testcase name="&x;"/></testsuite>"#, "", "refused: "),
    ("declared UTF-8", r#"<?xml version='1.0' encoding='UTF-8'?><testsuite name="é"><testcase name="ü"/></testsuite>"#, "+é/ü", ""),
    ("an unknown encoding", r#"<?xml version="1.0" encoding="x-made-up"?><testsuite name="s"><testcase name="a"/></testsuite>"#, "", "cannot be read: its encoding is `x-made-up`. Let the tests write UTF-8."),
    ("UTF-7", r#"<?xml version="1.0" encoding="UTF-7"?>+ADw-testsuite+AD4-"#, "", "cannot be read: its encoding is `utf-7`."),
];

#[test]
fn reports_of_all_kinds_are_read_or_refused_with_a_sentence() {
    for (what, text, tests, trouble) in ODD {
        let (read, said) = came_to(text.as_bytes());
        if !tests.is_empty() || *what != "control characters" {
            assert_eq!(read, *tests, "{what}");
        }
        assert!(said.starts_with(trouble) && (said.is_empty() == trouble.is_empty()), "{what}: {said}");
        assert!(!read.contains(|c: char| c.is_control()), "{what}: {read:?}");
    }
    println!("proof  reports: {} kinds, 0 read wrongly", ODD.len());
}

#[test]
fn bytes_of_other_encodings_are_read() {
    let text = r#"<testsuite name="größe"><testcase name="a"/></testsuite>"#;
    let wide = |order: fn(u16) -> [u8; 2]| text.encode_utf16().chain([]).flat_map(order).collect::<Vec<u8>>();
    let little = [vec![0xff, 0xfe], wide(u16::to_le_bytes)].concat();
    let big = [vec![0xfe, 0xff], wide(u16::to_be_bytes)].concat();
    let marked = [b"\xef\xbb\xbf".to_vec(), text.as_bytes().to_vec()].concat();
    let latin: Vec<u8> = format!("<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?>{text}").chars().map(|c| c as u8).collect();
    for bytes in [little, big, marked, latin] {
        assert_eq!(came_to(&bytes), ("+größe/a".into(), String::new()));
    }
    let mut broken = text.as_bytes().to_vec();
    broken[20] = 0xff;
    assert_eq!(read(&broken, 10).cases.len(), 1, "what is no UTF-8 is replaced");
    assert!(came_to(&[0xff, 0xfe, 0x3c]).1.starts_with("cannot be read"));
}

#[test]
fn what_a_failure_says_is_kept_in_bounds() {
    let long = "x".repeat(5_000);
    let lines = (1..=90).fold(String::new(), |mut all, line| {
        writeln!(all, "\u{1b}[31mline {line}\u{1b}[0m").unwrap();
        all
    });
    let text = format!(
        "<testsuite name=\"{long}\"><testcase name=\"{long}\" time=\"1,234.5\"><failure message=\"first\nsecond {long}\">\n{lines}</failure></testcase></testsuite>"
    )
    .replace('\u{1b}', "");
    let case = read(text.as_bytes(), 10).cases.remove(0);
    assert_eq!((case.suite.chars().count(), case.name.chars().count()), (LONGEST_NAME + 1, LONGEST_NAME + 1));
    assert!(case.message.as_deref().unwrap().starts_with("first second xxx"), "{case:?}");
    assert_eq!(case.message.unwrap().chars().count(), LONGEST_MESSAGE + 1);
    assert_eq!((case.output.len(), case.output[0].as_str()), (LINES - 1, "[31mline 1[0m"));
    assert_eq!(case.took_ms, 1_234_500);
    let said = r#"<testsuite><testcase name="a"><failure>it is 4
and not 5</failure></testcase><testcase name="b"><system-out>seen</system-out><failure/></testcase></testsuite>"#;
    let cases = read(said.as_bytes(), 10).cases;
    assert_eq!((cases[0].message.as_deref(), cases[0].output.len()), (Some("it is 4"), 2));
    assert_eq!((cases[1].message.as_deref(), cases[1].output.as_slice()), (Some("seen"), &["seen".to_owned()][..]));
}

#[test]
fn times_are_read_as_runners_write_them() {
    for (text, ms) in [("0.0125", Some(13)), ("1,234.5", Some(1_234_500)), ("0,5", Some(500)), ("1e-3", Some(1)), ("2s", Some(2_000))] {
        assert_eq!(millis(text), ms, "{text}");
    }
    for text in ["", "-1", "NaN", "inf", "1e99", "soon", "0x10"] {
        assert_eq!(millis(text), None, "{text}");
    }
}

/// Reports that are made to cost much more than they are worth.
#[test]
fn hostile_reports_cost_no_more_than_their_size() {
    let bomb: String = (1..20).fold("<!DOCTYPE t [<!ENTITY e0 \"ha\">".to_owned(), |mut all, at| {
        let _ = write!(all, "<!ENTITY e{at} \"{}\">", format!("&e{};", at - 1).repeat(10));
        all
    }) + "]><testsuite><testcase name=\"&e19;\"/></testsuite>";
    let deep = "<testsuite>".repeat(400_000);
    let attributes: String = (0..300_000).fold("<testsuite><testcase".to_owned(), |mut all, at| {
        let _ = write!(all, " a{at}=\"1\"");
        all
    }) + "/></testsuite>";
    let same = format!("<testsuite><testcase {}/></testsuite>", "name=\"a\" ".repeat(400_000));
    let references = format!("<testsuite><testcase name=\"a\"><failure>{}</failure></testcase></testsuite>", "&#10;&amp;".repeat(400_000));
    let many = format!("<testsuite>{}</testsuite>", "<testcase/>".repeat(400_000));
    let line = format!("<testsuite><testcase><failure>{}</failure></testcase></testsuite>", "x".repeat(4 << 20));
    let quotes = format!("<testsuite name=\"{}", "<".repeat(4 << 20));
    let comment = format!("<testsuite><!--{}", "-".repeat(4 << 20));
    let data = format!("<testsuite><![CDATA[{}", "]".repeat(4 << 20));
    let all = [bomb, deep, attributes, same, references, many, line, quotes, comment, data];
    let count = all.len();
    let began = Instant::now();
    for text in all {
        let report = read(text.as_bytes(), 1_000);
        assert!(report.cases.len() <= 1_000, "{text:.40}");
        let held: usize = report.cases.iter().map(|case| case.output.iter().map(String::len).sum::<usize>() + case.name.len()).sum();
        assert!(held < 1 << 20, "{text:.40}: {held}");
    }
    // Minutes, where something is counted again for each of its like.
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    println!("proof  hostile reports: {count} of up to 4 MiB in {} ms", began.elapsed().as_millis());
}
