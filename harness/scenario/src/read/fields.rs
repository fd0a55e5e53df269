//! Mappings and lists: which keys are known, which are missing, which stand twice.

use crate::{
    diagnostic::Problems,
    nearest::one_of,
    tree::{At, Node, Value},
};

/// One entry of a mapping whose key could be read.
pub(super) struct Entry<'n> {
    pub key: &'n str,
    pub at: At,
    pub node: &'n Node,
}

/// A mapping with known keys.
pub(super) struct Fields<'n> {
    owner: At,
    what: &'static str,
    entries: Vec<Entry<'n>>,
    /// A key was not known, and may have been meant to be what is missing.
    pub has_unknown: bool,
}

impl<'n> Fields<'n> {
    /// Reports every key that is not in `known`. `owner` is the key of the mapping itself: there a
    /// missing key is reported.
    pub(super) fn read(
        node: &'n Node,
        owner: At,
        what: &'static str,
        known: &[&str],
        problems: &mut Problems<'_>,
    ) -> Option<Self> {
        let help = || format!("write its keys: {}", known.join(", "));
        let mut entries = entries(node, what, help, problems)?;
        let there = entries.len();
        entries.retain(|entry| {
            let is_known = known.contains(&entry.key);
            if !is_known {
                let message = format!("unknown key `{}` in {what}", entry.key);
                problems.report(entry.at, message, one_of(entry.key, known));
            }
            is_known
        });
        Some(Self { owner, what, has_unknown: entries.len() < there, entries })
    }

    pub(super) fn get(&self, key: &str) -> Option<&'n Node> {
        self.entries.iter().find(|entry| entry.key == key).map(|entry| entry.node)
    }

    /// As [`get`](Self::get), but reports what is missing; `example` is what to write.
    pub(super) fn require(&self, key: &str, example: &str, problems: &mut Problems<'_>) -> Option<&'n Node> {
        let node = self.get(key);
        if node.is_none() {
            problems.report(self.owner, format!("`{key}` is missing in {}", self.what), format!("write {example}"));
        }
        node
    }

    /// Where a key stands, or, if it is missing, the owner.
    pub(super) fn at(&self, key: &str) -> At {
        self.entries.iter().find(|entry| entry.key == key).map_or(self.owner, |entry| entry.at)
    }
}

/// The entries of a mapping with any keys, each key once.
pub(super) fn entries<'n>(
    node: &'n Node,
    what: &str,
    help: impl Fn() -> String,
    problems: &mut Problems<'_>,
) -> Option<Vec<Entry<'n>>> {
    let Value::Map(pairs) = &node.value else {
        problems.report(node.at, format!("{what} is a mapping, and here is {}", node.kind()), help());
        return None;
    };
    let mut entries: Vec<Entry<'n>> = Vec::new();
    for (key, node) in pairs {
        let Value::Text(text) = &key.value else {
            problems.report(key.at, format!("a key is a single word, and here is {}", key.kind()), help());
            continue;
        };
        match entries.iter().find(|entry| entry.key == text) {
            Some(first) => {
                let message = format!("key `{text}` stands twice: first on line {}", first.at.line);
                problems.report(key.at, message, "keep one of the two");
            }
            None => entries.push(Entry { key: text, at: key.at, node }),
        }
    }
    Some(entries)
}

/// A list with something in it.
pub(super) fn list<'n>(node: &'n Node, what: &str, example: &str, problems: &mut Problems<'_>) -> Option<&'n [Node]> {
    match &node.value {
        Value::List(items) if items.is_empty() => {
            problems.report(node.at, format!("the list of {what} is empty"), format!("write {example}"));
            None
        }
        Value::List(items) => Some(items),
        _ => {
            let message = format!("{what} are a list, and here is {}", node.kind());
            problems.report(node.at, message, format!("write {example}"));
            None
        }
    }
}
