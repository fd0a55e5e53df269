//! YAML as a tree in which every node knows where it stands.
//!
//! The tree is walked by hand in [`read`](crate::read) rather than by derived code, which would stop at
//! the first problem and could not say which word was meant.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, SeqAccess, Visitor},
};
use serde_saphyr::{DuplicateKeyPolicy, Error, Location, Spanned};

use crate::diagnostic::Problems;

/// Where something stands: line and column from 1, and its width, all in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub line: u32,
    pub column: u32,
    pub width: u32,
}

impl At {
    /// The beginning of the file.
    pub(crate) const START: Self = Self { line: 1, column: 1, width: 1 };
}

#[derive(Debug)]
pub(crate) struct Node {
    pub at: At,
    pub value: Value,
}

#[derive(Debug)]
pub(crate) enum Value {
    Null,
    /// A scalar as it is written: `0123` and `1_000` keep their characters, quotes and escapes are gone.
    Text(String),
    List(Vec<Node>),
    /// In the order of the file, with duplicates.
    Map(Vec<(Node, Node)>),
}

impl Node {
    /// What it is, for messages.
    pub(crate) fn kind(&self) -> &'static str {
        match self.value {
            Value::Null => "nothing",
            Value::Text(_) => "a single value",
            Value::List(_) => "a list",
            Value::Map(_) => "a mapping",
        }
    }
}

/// Reads one YAML document; a syntax error is the only problem that ends the reading of a file.
pub(crate) fn read(text: &str, problems: &mut Problems<'_>) -> Option<Node> {
    let options = serde_saphyr::options! {
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        with_snippet: false,
        // A scenario is five levels deep and some hundred nodes long.
        budget: serde_saphyr::budget! { max_depth: 32, max_nodes: 100_000, max_events: 200_000 },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000 },
    };
    match serde_saphyr::from_str_with_options::<Raw>(text, options) {
        Ok(raw) => Some(raw.locate(text)),
        Err(error) => {
            let at = error.location().map_or(At::START, |location| at(location, text));
            let message = error.to_string();
            let message = message.split(" at line ").next().unwrap_or_default();
            problems.report(at, format!("not YAML: {message}"), hint(&error, message));
            None
        }
    }
}

/// What to do about the syntax errors that are most common in hand-written files.
fn hint(error: &Error, message: &str) -> &'static str {
    match error {
        Error::MultipleDocuments { .. } => "write one scenario per file, without `---`",
        _ if message.contains("unclosed quote") => "close the quote on the same line",
        _ if message.contains("mapping values are not allowed") => "put text that contains `: ` into quotes",
        _ if message.contains("unknown anchor") => "put text that begins with `*` into quotes",
        _ if message.contains("flow") || message.contains("bracket") => {
            "close the bracket, and put a comma between its entries"
        }
        _ if message.contains("block") => "give all entries of a mapping or list the same indentation",
        _ if message.contains("unexpected character") => "put text that begins with this character into quotes",
        _ => "look at the brackets, quotes and indentation on this line and the one before",
    }
}

/// A node as the deserialiser sees it. A scalar that is no string arrives as a number or a truth value,
/// which has lost its spelling; the spelling is taken from the text.
#[derive(Debug)]
struct Raw {
    value: RawValue,
    location: Location,
}

#[derive(Debug)]
enum RawValue {
    Null,
    Plain,
    Text(String),
    List(Vec<Raw>),
    Map(Vec<(Raw, Raw)>),
}

impl Raw {
    fn locate(self, text: &str) -> Node {
        let value = match self.value {
            RawValue::Null => Value::Null,
            RawValue::Plain => Value::Text(source(self.location, text).trim().to_owned()),
            RawValue::Text(scalar) => Value::Text(scalar),
            RawValue::List(items) => Value::List(items.into_iter().map(|item| item.locate(text)).collect()),
            RawValue::Map(entries) => {
                Value::Map(entries.into_iter().map(|(k, v)| (k.locate(text), v.locate(text))).collect())
            }
        };
        Node { at: at(self.location, text), value }
    }
}

/// The characters of a scalar, with its quotes.
fn source(location: Location, text: &str) -> &str {
    let span = location.span();
    let range = span.byte_offset().zip(span.byte_len()).map(|(from, len)| from as usize..(from + len) as usize);
    range.and_then(|range| text.get(range)).unwrap_or_default()
}

fn at(location: Location, text: &str) -> At {
    let width = source(location, text).lines().next().map_or(1, |line| line.trim_end().chars().count().max(1));
    At { line: (location.line() as u32).max(1), column: (location.column() as u32).max(1), width: width as u32 }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let Spanned { value, defined, .. } = Spanned::deserialize(deserializer)?;
        Ok(Self { value, location: defined })
    }
}

impl<'de> Deserialize<'de> for RawValue {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

macro_rules! plain {
    ($($visit:ident: $kind:ty),*) => {$(
        fn $visit<E>(self, _: $kind) -> Result<RawValue, E> {
            Ok(RawValue::Plain)
        }
    )*};
}

impl<'de> Visitor<'de> for RawVisitor {
    type Value = RawValue;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any YAML")
    }

    plain!(visit_bool: bool, visit_i64: i64, visit_i128: i128, visit_u64: u64, visit_u128: u128, visit_f64: f64);

    fn visit_str<E>(self, scalar: &str) -> Result<RawValue, E> {
        Ok(RawValue::Text(scalar.to_owned()))
    }

    fn visit_unit<E>(self) -> Result<RawValue, E> {
        Ok(RawValue::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut access: A) -> Result<RawValue, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = access.next_element()? {
            items.push(item);
        }
        Ok(RawValue::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<RawValue, A::Error> {
        let mut entries = Vec::new();
        while let Some(entry) = access.next_entry()? {
            entries.push(entry);
        }
        Ok(RawValue::Map(entries))
    }
}
