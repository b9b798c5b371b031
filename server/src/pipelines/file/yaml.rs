//! YAML with positions: every key and value knows its line and column.

use std::collections::HashMap;

use app::said::file as said;
use saphyr::Scalar;
use saphyr_parser::{Event, Parser, ScanError, Span};
use serde_json::{Map, Number, Value};

use super::{MAX_BYTES, Problem};

/// How many nodes a file may have once its aliases are followed: a small text can ask for millions.
const MAX_NODES: usize = 20_000;
/// How deep it may nest.
const MAX_DEPTH: usize = 40;

/// Where something stands, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct At {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl At {
    pub(super) fn problem(self, sentence: impl Into<String>) -> Problem {
        Problem { line: self.line, column: self.column, sentence: sentence.into() }
    }
}

impl From<Span> for At {
    fn from(span: Span) -> Self {
        Self { line: span.start.line(), column: span.start.col() + 1 }
    }
}

/// A value and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) at: At,
    pub(super) data: Data,
    size: usize,
}

/// A key and where it stands.
#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) at: At,
    pub(super) name: String,
}

#[derive(Clone, Debug)]
pub(super) enum Data {
    Null,
    Bool(bool),
    Number(Number),
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

impl Node {
    pub(super) fn problem(&self, sentence: impl Into<String>) -> Problem {
        self.at.problem(sentence)
    }

    /// The value of a key, where this is a map that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.entries().iter().find(|(k, _)| k.name == key).map(|(_, node)| node)
    }

    /// The key itself, where this is a map that has it.
    pub(super) fn key(&self, key: &str) -> Option<&Key> {
        self.entries().iter().find(|(k, _)| k.name == key).map(|(key, _)| key)
    }

    /// The entries, where this is a map.
    pub(super) fn entries(&self) -> &[(Key, Self)] {
        if let Data::Map(entries) = &self.data { entries } else { &[] }
    }

    /// The items, where this is a list.
    pub(super) fn items(&self) -> &[Self] {
        if let Data::List(items) = &self.data { items } else { &[] }
    }

    /// The text, where this is one.
    pub(super) fn text(&self) -> Option<&str> {
        if let Data::Text(text) = &self.data { Some(text) } else { None }
    }

    /// The node that a JSON pointer's segments lead to; as far as they lead.
    pub(super) fn find<'p>(&self, mut path: impl Iterator<Item = &'p str>) -> &Self {
        let Some(segment) = path.next() else { return self };
        let next = match &self.data {
            Data::List(items) => segment.parse::<usize>().ok().and_then(|index| items.get(index)),
            _ => self.get(segment),
        };
        next.map_or(self, |node| node.find(path))
    }

    /// The same without positions.
    pub(super) fn to_json(&self) -> Value {
        match &self.data {
            Data::Null => Value::Null,
            Data::Bool(bool) => Value::Bool(*bool),
            Data::Number(number) => Value::Number(number.clone()),
            Data::Text(text) => Value::String(text.clone()),
            Data::List(items) => Value::Array(items.iter().map(Self::to_json).collect()),
            Data::Map(entries) => {
                Value::Object(entries.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect::<Map<_, _>>())
            }
        }
    }
}

/// Reads one document.
pub(super) fn read(text: &str) -> Result<Node, Problem> {
    let start = At { line: 1, column: 1 };
    if text.len() > MAX_BYTES {
        return Err(start.problem(said::too_large(MAX_BYTES / 1024)));
    }
    let mut reader = Reader { events: Parser::new_from_str(text), anchors: HashMap::new(), nodes: 0 };
    let mut document = None;
    while let Some((event, at)) = reader.next()? {
        match event {
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => {}
            Event::DocumentStart(_) if document.is_some() => {
                return Err(at.problem(said::second_document()));
            }
            Event::DocumentStart(_) => {}
            event => document = Some(reader.node(event, at, 0)?),
        }
    }
    match document {
        None | Some(Node { data: Data::Null, .. }) => Err(start.problem(said::empty_file())),
        Some(node) => Ok(node),
    }
}

struct Reader<'t> {
    events: Parser<'t, saphyr_parser::StrInput<'t>>,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'t> Reader<'t> {
    fn next(&mut self) -> Result<Option<(Event<'t>, At)>, Problem> {
        match self.events.next_event() {
            None => Ok(None),
            Some(Ok((event, span))) => Ok(Some((event, span.into()))),
            Some(Err(error)) => Err(not_yaml(&error)),
        }
    }

    fn expect(&mut self, at: At) -> Result<(Event<'t>, At), Problem> {
        self.next()?.ok_or_else(|| at.problem(said::ends_within()))
    }

    fn count(&mut self, at: At, size: usize) -> Result<(), Problem> {
        self.nodes += size;
        if self.nodes > MAX_NODES {
            return Err(at.problem(said::many_values(MAX_NODES)));
        }
        Ok(())
    }

    fn node(&mut self, event: Event<'t>, at: At, depth: usize) -> Result<Node, Problem> {
        if depth > MAX_DEPTH {
            return Err(at.problem(said::too_deep()));
        }
        let before = self.nodes;
        self.count(at, 1)?;
        let (anchor, data) = match event {
            Event::Alias(id) => {
                let Some(node) = self.anchors.get(&id).cloned() else {
                    return Err(at.problem(said::alias_within()));
                };
                self.count(at, node.size)?;
                return Ok(node);
            }
            Event::Scalar(text, style, anchor, tag) => {
                let Some(scalar) = Scalar::parse_from_cow_and_metadata(text, style, tag.as_ref()) else {
                    return Err(at.problem(said::tag_misfit()));
                };
                (anchor, scalar_data(scalar, at)?)
            }
            Event::SequenceStart(anchor, _) => (anchor, self.list(at, depth)?),
            Event::MappingStart(anchor, _) => (anchor, self.map(at, depth)?),
            _ => return Err(at.problem(said::value_missing())),
        };
        let node = Node { at, data, size: self.nodes - before };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn list(&mut self, at: At, depth: usize) -> Result<Data, Problem> {
        let mut items = Vec::new();
        loop {
            match self.expect(at)? {
                (Event::SequenceEnd, _) => return Ok(Data::List(items)),
                (event, at) => items.push(self.node(event, at, depth + 1)?),
            }
        }
    }

    fn map(&mut self, at: At, depth: usize) -> Result<Data, Problem> {
        let mut entries: Vec<(Key, Node)> = Vec::new();
        let mut merged = Vec::new();
        loop {
            let (event, at) = self.expect(at)?;
            if event == Event::MappingEnd {
                break;
            }
            let key = key_of(self.node(event, at, depth + 1)?, at)?;
            let (event, value_at) = self.expect(at)?;
            let value = self.node(event, value_at, depth + 1)?;
            if key.name == "<<" {
                merged.extend(merge_sources(value)?);
            } else if let Some((first, _)) = entries.iter().find(|(k, _)| k.name == key.name) {
                return Err(key.at.problem(said::key_twice(&key.name, first.at.line)));
            } else {
                entries.push((key, value));
            }
        }
        for (key, value) in merged {
            if !entries.iter().any(|(k, _)| k.name == key.name) {
                entries.push((key, value));
            }
        }
        Ok(Data::Map(entries))
    }
}

/// What `<<` brings in: the entries of a map, or of each map of a list.
fn merge_sources(node: Node) -> Result<Vec<(Key, Node)>, Problem> {
    let at = node.at;
    match node.data {
        Data::Map(entries) => Ok(entries),
        Data::List(items) => {
            items.into_iter().map(merge_sources).collect::<Result<Vec<_>, _>>().map(|lists| lists.into_iter().flatten().collect())
        }
        _ => Err(at.problem(said::merge_takes())),
    }
}

fn key_of(node: Node, at: At) -> Result<Key, Problem> {
    let name = match node.data {
        Data::Text(text) => text,
        Data::Number(number) => number.to_string(),
        Data::Bool(bool) => bool.to_string(),
        _ => return Err(at.problem(said::key_is_text())),
    };
    Ok(Key { at, name })
}

fn scalar_data(scalar: Scalar<'_>, at: At) -> Result<Data, Problem> {
    Ok(match scalar {
        Scalar::Null => Data::Null,
        Scalar::Boolean(bool) => Data::Bool(bool),
        Scalar::Integer(int) => Data::Number(int.into()),
        Scalar::FloatingPoint(float) => Data::Number(Number::from_f64(*float).ok_or_else(|| at.problem(said::no_number()))?),
        Scalar::String(text) => Data::Text(text.into_owned()),
    })
}

fn not_yaml(error: &ScanError) -> Problem {
    let at = At { line: error.marker().line(), column: error.marker().col() + 1 };
    at.problem(said::not_yaml(error.info()))
}
