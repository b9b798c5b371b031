//! What BuildKit tells of a build: messages of protocol buffers (`StatusResponse` of its API), of which a few fields are read
//! here; and how that is put into lines.

use std::{collections::BTreeMap, mem::take};

use super::super::Output;

/// What a line without an end may hold until it is passed on as it is.
const LONGEST: usize = 64 << 10;

/// A step of a build, as far as it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Vertex {
    digest: Vec<u8>,
    name: String,
    cached: bool,
    started: bool,
    completed: bool,
    error: String,
}

/// What a step wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Written {
    vertex: Vec<u8>,
    stream: u64,
    bytes: Vec<u8>,
}

/// A message.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Told {
    vertexes: Vec<Vertex>,
    written: Vec<Written>,
}

/// A field of a message.
enum Field<'b> {
    Number(u64),
    Bytes(&'b [u8]),
}

/// The fields of a message with their numbers; none from where it does not read.
fn fields(mut bytes: &[u8]) -> impl Iterator<Item = (u64, Field<'_>)> {
    std::iter::from_fn(move || {
        let key = number(&mut bytes)?;
        let field = match key & 7 {
            0 => Field::Number(number(&mut bytes)?),
            1 => Field::Bytes(bytes.split_off(..8)?),
            2 => {
                let length = usize::try_from(number(&mut bytes)?).ok()?;
                Field::Bytes(bytes.split_off(..length)?)
            }
            5 => Field::Bytes(bytes.split_off(..4)?),
            _ => return None,
        };
        Some((key >> 3, field))
    })
}

fn number(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..64).step_by(7) {
        let byte = *bytes.split_off_first()?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

impl Told {
    /// Reads a message.
    pub(super) fn read(message: &[u8]) -> Self {
        let mut told = Self::default();
        for (key, field) in fields(message) {
            match (key, field) {
                (1, Field::Bytes(vertex)) => told.vertexes.push(Vertex::read(vertex)),
                (3, Field::Bytes(written)) => told.written.push(Written::read(written)),
                _ => {}
            }
        }
        told
    }
}

impl Vertex {
    fn read(message: &[u8]) -> Self {
        let mut vertex = Self::default();
        for (key, field) in fields(message) {
            match (key, field) {
                (1, Field::Bytes(digest)) => vertex.digest = digest.to_vec(),
                (3, Field::Bytes(name)) => vertex.name = String::from_utf8_lossy(name).into_owned(),
                (4, Field::Number(cached)) => vertex.cached = cached != 0,
                (5, Field::Bytes(_)) => vertex.started = true,
                (6, Field::Bytes(_)) => vertex.completed = true,
                (7, Field::Bytes(error)) => vertex.error = String::from_utf8_lossy(error).into_owned(),
                _ => {}
            }
        }
        vertex
    }

    /// Whether it is a step of the Dockerfile: what else BuildKit does is its own bookkeeping.
    fn is_step(&self) -> bool {
        self.name.starts_with('[') && !self.name.starts_with("[internal]")
    }
}

impl Written {
    fn read(message: &[u8]) -> Self {
        let mut written = Self::default();
        for (key, field) in fields(message) {
            match (key, field) {
                (1, Field::Bytes(vertex)) => written.vertex = vertex.to_vec(),
                (3, Field::Number(stream)) => written.stream = stream,
                (4, Field::Bytes(bytes)) => written.bytes = bytes.to_vec(),
                _ => {}
            }
        }
        written
    }
}

/// Puts what is told into lines. Steps run side by side: what each writes is passed on by whole lines, below its name.
#[derive(Debug, Default)]
pub(super) struct Lines {
    steps: BTreeMap<Vec<u8>, Step>,
    /// The step whose lines come now.
    now: Vec<u8>,
    /// An image that was looked for last, or that a step needs which failed.
    image: Option<String>,
}

#[derive(Debug, Default)]
struct Step {
    name: String,
    begun: bool,
    cached: bool,
    /// What has no end yet, of both streams.
    open: [Vec<u8>; 2],
}

impl Lines {
    /// The image that was looked for last.
    pub(super) fn image(&self) -> Option<&str> {
        self.image.as_deref()
    }

    /// Takes a message, and answers with what there is to be said.
    pub(super) fn take(&mut self, told: Told) -> Vec<Output> {
        let mut out = Vec::new();
        for vertex in told.vertexes {
            self.note_image(&vertex);
            if vertex.is_step() {
                self.step(vertex, &mut out);
            }
        }
        for written in told.written {
            self.write(&written, &mut out);
        }
        out
    }

    fn note_image(&mut self, vertex: &Vertex) {
        let looked = vertex.name.strip_prefix("[internal] load metadata for ");
        let failed = || vertex.name.split_once("FROM ").map(|(_, image)| image).filter(|_| !vertex.error.is_empty());
        if let Some(image) = looked.or_else(failed) {
            let image = image.strip_prefix("docker.io/").unwrap_or(image);
            self.image = Some(image.strip_prefix("library/").unwrap_or(image).to_owned());
        }
    }

    fn step(&mut self, vertex: Vertex, out: &mut Vec<Output>) {
        let step = self.steps.entry(vertex.digest.clone()).or_default();
        step.name = vertex.name;
        if vertex.started && !step.begun {
            step.begun = true;
            self.now.clone_from(&vertex.digest);
            out.push(line(&step.name));
        }
        if vertex.cached && !step.cached && !step.name.contains("] FROM ") {
            step.cached = true;
            head(&mut self.now, &vertex.digest, step, out);
            out.push(line(" ---> Using cache"));
        }
        if vertex.completed {
            let rest: Vec<(bool, Vec<u8>)> = [false, true].into_iter().zip(step.open.each_mut().map(take)).collect();
            for (error, mut bytes) in rest.into_iter().filter(|(_, bytes)| !bytes.is_empty()) {
                bytes.push(b'\n');
                head(&mut self.now, &vertex.digest, step, out);
                out.push(Output { error, bytes: bytes.into() });
            }
        }
    }

    fn write(&mut self, written: &Written, out: &mut Vec<Output>) {
        let step = self.steps.entry(written.vertex.clone()).or_default();
        let error = written.stream == 2;
        let open = &mut step.open[usize::from(error)];
        open.extend_from_slice(&written.bytes);
        let end = match open.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if open.len() > LONGEST => open.len(),
            None => return,
        };
        let rest = open.split_off(end);
        let bytes = std::mem::replace(open, rest);
        head(&mut self.now, &written.vertex, step, out);
        out.push(Output { error, bytes: bytes.into() });
    }
}

/// Says whose lines follow, where those before were another step's.
fn head(now: &mut Vec<u8>, digest: &[u8], step: &Step, out: &mut Vec<Output>) {
    if now != digest && step.begun {
        out.push(line(&step.name));
        *now = digest.to_vec();
    }
}

fn line(text: &str) -> Output {
    Output { error: false, bytes: format!("{text}\n").into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(key: u8, body: &[u8]) -> Vec<u8> {
        [&[key << 3 | 2, u8::try_from(body.len()).unwrap()], body].concat()
    }

    fn vertex(digest: &str, name: &str, more: &[u8]) -> Vec<u8> {
        message(1, &[message(1, digest.as_bytes()), message(3, name.as_bytes()), more.to_vec()].concat())
    }

    fn written(digest: &str, stream: u8, text: &str) -> Vec<u8> {
        message(3, &[message(1, digest.as_bytes()), vec![3 << 3, stream], message(4, text.as_bytes())].concat())
    }

    /// What is said, line by line; of the standard error with a mark.
    fn says(messages: &[Vec<u8>]) -> Vec<String> {
        let mut lines = Lines::default();
        let all = messages.iter().flat_map(|message| lines.take(Told::read(message)));
        let all: Vec<String> =
            all.map(|piece| format!("{}{}", if piece.error { "! " } else { "" }, String::from_utf8_lossy(&piece.bytes))).collect();
        all.concat().lines().map(str::to_owned).collect()
    }

    #[test]
    fn steps_side_by_side_are_told_by_whole_lines_below_their_names() {
        let (started, ended) = (message(5, &[8, 1]), message(6, &[8, 2]));
        let cached = [vec![4 << 3, 1], started.clone(), ended.clone()].concat();
        let said = says(&[
            vertex("i", "[internal] load metadata for docker.io/library/base:1", &started),
            vertex("f", "[a 1/2] FROM docker.io/library/base:1", &cached),
            [vertex("a", "[a 2/2] RUN one", &[]), vertex("b", "[b 2/2] RUN two", &[])].concat(),
            vertex("a", "[a 2/2] RUN one", &started),
            vertex("b", "[b 2/2] RUN two", &started),
            written("a", 1, "half of "),
            written("b", 2, "worse\n"),
            written("a", 1, "a line\nrest"),
            vertex("a", "[a 2/2] RUN one", &[started.clone(), ended.clone()].concat()),
            vertex("c", "[3/3] COPY x y", &cached),
            vertex("c", "[3/3] COPY x y", &cached),
            vertex("e", "exporting to image", &started),
        ]);
        let expected = [
            "[a 1/2] FROM docker.io/library/base:1",
            "[a 2/2] RUN one",
            "[b 2/2] RUN two",
            "! worse",
            "[a 2/2] RUN one",
            "half of a line",
            "rest",
            "[3/3] COPY x y",
            " ---> Using cache",
        ];
        assert_eq!(said, expected);
    }

    #[test]
    fn what_was_looked_for_last_is_known() {
        let mut lines = Lines::default();
        lines.take(Told::read(&vertex("i", "[internal] load metadata for docker.io/library/base:1", &[])));
        assert_eq!(lines.image(), Some("base:1"));
        lines.take(Told::read(&vertex("x", "FROM docker.io/of/none:2", &[])));
        assert_eq!(lines.image(), Some("base:1"));
        lines.take(Told::read(&vertex("x", "FROM docker.io/of/none:2", &message(7, b"no such host"))));
        assert_eq!(lines.image(), Some("of/none:2"));
    }

    #[test]
    fn what_does_not_read_is_left_out() {
        let good = vertex("a", "[1/1] RUN x", &message(5, &[8, 1]));
        for cut in 0..good.len() {
            assert!(says(&[good[..cut].to_vec()]).len() <= 1);
        }
        assert_eq!(Told::read(&[0xff; 40]), Told::default());
        assert_eq!(says(&[good]), ["[1/1] RUN x"]);
    }
}
