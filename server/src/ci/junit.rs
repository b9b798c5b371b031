//! Reads test reports in the form of JUnit's XML, which every test runner writes a little differently.
//!
//! A report comes from whatever a step ran, so nothing in it is believed: no document type and no entity of its own is read
//! (only the five of XML and characters by number), nothing nests deeper than [`DEEPEST`], every text is cut, and what is
//! not well formed ends the reading. What was read until then counts: a runner that was killed leaves half a report.

use app::model::TestOutcome;
use quick_xml::{
    Reader, escape,
    events::{BytesStart, Event},
};

/// How deep elements may nest.
const DEEPEST: usize = 64;
/// How many attributes of an element are looked at.
const ATTRIBUTES: usize = 32;
/// How long a name may be, in characters.
const LONGEST_NAME: usize = 200;
/// How long a message may be, in characters.
const LONGEST_MESSAGE: usize = 600;
/// How many lines of output are kept …
const LINES: usize = 20;
/// … and how long each may be, in characters.
const LONGEST_LINE: usize = 300;

/// A test as its report tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The class it belongs to; the suite, where it names none.
    pub suite: String,
    /// Its name.
    pub name: String,
    /// What it came to.
    pub outcome: TestOutcome,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// Whether the runner itself saw both results.
    pub flaky: bool,
    /// What it says of its failure, or why it was left out.
    pub message: Option<String>,
    /// The first lines of its output, of a failed one.
    pub output: Vec<String>,
}

/// What came of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Its tests, in its order.
    pub cases: Vec<Case>,
    /// What was wrong with it, to be said after its path.
    pub trouble: Option<String>,
}

/// Reads a report; at most `most` tests of it.
pub fn read(bytes: &[u8], most: usize) -> Report {
    let text = match decoded(bytes) {
        Ok(text) => text,
        Err(trouble) => return Report { cases: Vec::new(), trouble: Some(trouble) },
    };
    let mut reading = Reading { most, ..Reading::default() };
    let trouble = reading.all(&text).err();
    match trouble {
        None => Report { cases: reading.cases, trouble: None },
        Some(Trouble::Hostile(why)) => Report { cases: Vec::new(), trouble: Some(format!("refused: {why}.")) },
        Some(Trouble::Broken(why)) => {
            let trouble = match reading.cases.len() {
                0 => format!("cannot be read: {why}."),
                read => format!("breaks off: {why}. The {read} tests before that count."),
            };
            Report { cases: reading.cases, trouble: Some(trouble) }
        }
    }
}

/// The text of a report. Most are UTF-8; UTF-16 is told by its mark, and Latin-1 by what the report declares.
fn decoded(bytes: &[u8]) -> Result<String, String> {
    let wide = |of: fn([u8; 2]) -> u16| {
        let units: Vec<u16> = bytes[2..].chunks_exact(2).map(|pair| of([pair[0], pair[1]])).collect();
        String::from_utf16_lossy(&units)
    };
    match bytes {
        [0xff, 0xfe, ..] => return Ok(wide(u16::from_le_bytes)),
        [0xfe, 0xff, ..] => return Ok(wide(u16::from_be_bytes)),
        _ => {}
    }
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    match declared(bytes).as_deref() {
        None | Some("utf-8" | "utf8" | "us-ascii" | "ascii") => Ok(String::from_utf8_lossy(bytes).into_owned()),
        Some("iso-8859-1" | "latin1" | "latin-1" | "windows-1252") => Ok(bytes.iter().map(|byte| char::from(*byte)).collect()),
        Some(other) => {
            let shown: String = other.chars().filter(|c| c.is_ascii_graphic()).take(40).collect();
            Err(format!("cannot be read: its encoding is `{shown}`. Let the tests write UTF-8."))
        }
    }
}

/// The encoding a report declares in its first line, in small letters.
fn declared(bytes: &[u8]) -> Option<String> {
    let head = bytes.get(..bytes.len().min(200))?;
    let head = String::from_utf8_lossy(head).to_ascii_lowercase();
    let head = head.trim_start().strip_prefix("<?xml")?.split("?>").next()?.to_owned();
    let value = head.split_once("encoding")?.1.trim_start().strip_prefix('=')?.trim_start().to_owned();
    let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''))?;
    value[1..].split(quote).next().map(str::to_owned)
}

/// Why the reading ended early.
enum Trouble {
    /// Nothing of it counts.
    Hostile(String),
    /// What was read counts.
    Broken(String),
}

/// An element that is open.
enum Open {
    /// A suite, by its name.
    Suite(String),
    /// A test.
    Case,
    /// What a test says: its failure, its output. The text goes there.
    Says(Says),
    /// Anything else.
    Other,
}

/// Where text goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Says {
    /// To the failure.
    Failure,
    /// To why it was left out.
    Skipped,
    /// To the output, where the failure has none.
    Output,
}

/// A test while it is read.
#[derive(Default)]
struct Being {
    suite: String,
    name: String,
    took_ms: u64,
    failed: bool,
    skipped: bool,
    flaky: bool,
    message: Option<String>,
    failure: Text,
    output: Text,
}

/// The first lines of a text that comes in pieces.
#[derive(Default)]
struct Text {
    lines: Vec<String>,
    /// The last line goes on with the next piece.
    open: bool,
}

impl Text {
    fn push(&mut self, piece: &str) {
        if self.lines.len() > LINES {
            return;
        }
        for (at, part) in piece.split('\n').enumerate() {
            let part = part.trim_end_matches('\r');
            match self.lines.last_mut() {
                Some(line) if at == 0 && self.open => {
                    let room = LONGEST_LINE.saturating_sub(line.chars().count());
                    line.extend(part.chars().filter(|c| shown(*c)).take(room));
                }
                _ => self.lines.push(part.chars().filter(|c| shown(*c)).take(LONGEST_LINE).collect()),
            }
            self.open = true;
            if self.lines.len() > LINES {
                return;
            }
        }
    }

    /// Its lines, without empty ones at both ends.
    fn done(mut self) -> Vec<String> {
        self.lines.truncate(LINES);
        while self.lines.last().is_some_and(|line| line.trim().is_empty()) {
            self.lines.pop();
        }
        let first = self.lines.iter().position(|line| !line.trim().is_empty()).unwrap_or(0);
        self.lines.split_off(first)
    }
}

/// A character that can be stored and shown; colours of a terminal begin with one that cannot.
fn shown(c: char) -> bool {
    c == '\t' || !c.is_control()
}

fn cut(text: &str, most: usize) -> String {
    let plain = plain(text);
    if plain.chars().count() <= most { plain } else { plain.chars().take(most).chain(['…']).collect() }
}

/// In one line, without what cannot be shown.
fn plain(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_whitespace() { ' ' } else { c }).filter(|c| shown(*c)).collect();
    text.trim().to_owned()
}

#[derive(Default)]
struct Reading {
    most: usize,
    open: Vec<Open>,
    being: Option<Being>,
    cases: Vec<Case>,
}

impl Reading {
    fn all(&mut self, text: &str) -> Result<(), Trouble> {
        let mut reader = Reader::from_str(text);
        reader.config_mut().check_end_names = true;
        let mut seen = false;
        loop {
            let at = reader.buffer_position();
            match reader.read_event() {
                Ok(Event::Start(element)) => {
                    seen = true;
                    self.begin(&element)?;
                }
                Ok(Event::Empty(element)) => {
                    seen = true;
                    self.begin(&element)?;
                    self.end();
                }
                Ok(Event::End(_)) => self.end(),
                Ok(Event::Text(text)) => self.text(&text.xml10_content()),
                Ok(Event::CData(text)) => self.text(&text.xml10_content()),
                Ok(Event::GeneralRef(name)) => self.reference(&name),
                Ok(Event::DocType(_)) => {
                    return Err(Trouble::Hostile("it declares a document type, which a report has no need of".into()));
                }
                Ok(Event::Comment(_) | Event::Decl(_) | Event::PI(_)) => {}
                Ok(Event::Eof) if !self.open.is_empty() => return Err(Trouble::Broken("it ends in the middle of an element".into())),
                Ok(Event::Eof) if !seen => return Err(Trouble::Broken("it holds no element at all".into())),
                Ok(Event::Eof) => return Ok(()),
                Err(error) => return Err(Trouble::Broken(format!("{} at byte {at}", cut(&error.to_string(), 120)))),
            }
        }
    }

    fn begin(&mut self, element: &BytesStart<'_>) -> Result<(), Trouble> {
        if self.open.len() >= DEEPEST {
            return Err(Trouble::Hostile(format!("its elements nest deeper than {DEEPEST}")));
        }
        let name = element.local_name().into_inner().to_ascii_lowercase();
        let open = match (name.as_str(), self.being.as_mut()) {
            ("testcase", None) => {
                if self.cases.len() >= self.most {
                    return Err(Trouble::Broken("a run keeps no more tests than this".into()));
                }
                self.being = Some(self.case(element));
                Open::Case
            }
            ("testsuite" | "testsuites", None) => Open::Suite(attribute(element, "name").unwrap_or_default()),
            ("failure" | "error", Some(being)) => {
                being.failed = true;
                let message = attribute(element, "message").or_else(|| attribute(element, "type"));
                being.message = being.message.take().or(message);
                Open::Says(Says::Failure)
            }
            ("skipped" | "disabled" | "ignored", Some(being)) => {
                being.skipped = true;
                being.message = being.message.take().or_else(|| attribute(element, "message"));
                Open::Says(Says::Skipped)
            }
            // It failed at first and passed when it was tried again.
            ("flakyfailure" | "flakyerror", Some(being)) => {
                being.flaky = true;
                Open::Other
            }
            ("system-out" | "system-err", Some(_)) if !matches!(self.open.last(), Some(Open::Other)) => Open::Says(Says::Output),
            _ => Open::Other,
        };
        self.open.push(open);
        Ok(())
    }

    fn case(&self, element: &BytesStart<'_>) -> Being {
        let class = attribute(element, "classname").or_else(|| attribute(element, "class"));
        let named = |open: &Open| matches!(open, Open::Suite(name) if !name.is_empty());
        let suite = || match self.open.iter().rev().find(|open| named(open)) {
            Some(Open::Suite(name)) => name.clone(),
            _ => attribute(element, "file").unwrap_or_default(),
        };
        let status = attribute(element, "status").unwrap_or_default().to_ascii_lowercase();
        Being {
            suite: class.unwrap_or_else(suite),
            name: attribute(element, "name").unwrap_or_else(|| "(no name)".to_owned()),
            took_ms: attribute(element, "time").and_then(|time| millis(&time)).unwrap_or(0),
            skipped: matches!(status.as_str(), "notrun" | "skipped" | "disabled"),
            ..Being::default()
        }
    }

    fn end(&mut self) {
        if !matches!(self.open.pop(), Some(Open::Case)) {
            return;
        }
        let Some(being) = self.being.take() else { return };
        let outcome = match (being.failed, being.skipped) {
            (true, _) => TestOutcome::Failed,
            (_, true) => TestOutcome::Skipped,
            _ => TestOutcome::Passed,
        };
        let mut output = if being.failed { being.failure.done() } else { Vec::new() };
        if being.failed && output.is_empty() {
            output = being.output.done();
        }
        // Many runners repeat the message as the first line of the text.
        if being.message.is_some() && output.first().map(|line| cut(line, LONGEST_MESSAGE)) == being.message {
            output.remove(0);
        }
        let message = being.message.or_else(|| being.failed.then(|| output.first().cloned()).flatten());
        self.cases.push(Case {
            suite: being.suite,
            name: being.name,
            outcome,
            took_ms: being.took_ms,
            flaky: being.flaky && !being.failed,
            message: message.filter(|message| !message.is_empty()),
            output,
        });
    }

    fn text(&mut self, text: &str) {
        let Some(being) = self.being.as_mut() else { return };
        match self.open.last() {
            Some(Open::Says(Says::Failure)) => being.failure.push(text),
            Some(Open::Says(Says::Output)) => being.output.push(text),
            Some(Open::Says(Says::Skipped)) if being.message.is_none() && !text.trim().is_empty() => {
                being.message = Some(cut(text, LONGEST_MESSAGE));
            }
            _ => {}
        }
    }

    /// A character by its number or one of XML's own five names. Any other stays as it is written: there is no place in
    /// which a report could say what it stands for.
    fn reference(&mut self, name: &quick_xml::events::BytesRef<'_>) {
        let one = match name.resolve_char_ref() {
            Ok(Some(c)) => c.to_string(),
            _ => escape::resolve_predefined_entity(name).map_or_else(|| format!("&{};", &**name), str::to_owned),
        };
        self.text(&one);
    }
}

/// An attribute's value, cut and in one line; none where it is missing or empty. Only the first few attributes are looked
/// at, and not held against each other: a report may have very many.
fn attribute(element: &BytesStart<'_>, name: &str) -> Option<String> {
    let mut attributes = element.attributes();
    let found = attributes.with_checks(false).take(ATTRIBUTES).flatten().find(|one| one.key.local_name().into_inner() == name)?;
    let value = escape::unescape(&found.value).map_or_else(|_| found.value.to_string(), |value| value.into_owned());
    let most = if name == "message" { LONGEST_MESSAGE } else { LONGEST_NAME };
    let value = cut(&value, most);
    (!value.is_empty()).then_some(value)
}

/// Seconds as runners write them: `0.012`, `1,234.5`, `0,012`, `1e-3`.
fn millis(text: &str) -> Option<u64> {
    let text = if text.contains('.') { text.replace(',', "") } else { text.replace(',', ".") };
    let seconds: f64 = text.trim().trim_end_matches('s').parse().ok()?;
    let day = 86_400.0;
    // Whatever claims more than a day, or less than nothing, is no time a test took.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    (0.0..=day).contains(&seconds).then(|| (seconds * 1_000.0).round() as u64)
}

#[cfg(test)]
mod tests;
