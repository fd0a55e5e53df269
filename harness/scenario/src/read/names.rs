//! The names that a file gives: they become names of interfaces and namespaces.

use std::collections::BTreeMap;

use ipnet::Ipv4Net;

use super::fields::{Entry, entries};
use crate::{
    diagnostic::Problems,
    tree::{Node, Value},
};

/// All names, also of what could otherwise not be read, so that a mistake in a VPC does not make every
/// mention of it another one.
#[derive(Debug, Default)]
pub(super) struct Names {
    /// VPCs and their tiers.
    pub vpcs: BTreeMap<String, Vec<String>>,
    /// Customers and their subnets.
    pub customers: BTreeMap<String, Vec<Ipv4Net>>,
}

impl Names {
    pub(super) fn of(cloud: Option<&Node>, customers: Option<&Node>, problems: &mut Problems<'_>) -> Self {
        let mut names = Self::default();
        for (vpc, node) in cloud.and_then(|node| child(node, "vpcs")).map(pairs).unwrap_or_default() {
            let tiers = child(node, "tiers").map(pairs).unwrap_or_default();
            names
                .vpcs
                .entry(vpc.to_owned())
                .or_insert_with(|| tiers.iter().map(|(tier, _)| (*tier).to_owned()).collect());
        }
        let Some(Value::Map(customers)) = customers.map(|node| &node.value) else {
            return names;
        };
        for (key, node) in customers {
            let Value::Text(customer) = &key.value else { continue };
            if names.vpcs.contains_key(customer) {
                let message = format!("`{customer}` is the name of a VPC already");
                problems.report(key.at, message, "give the customer a name of its own: steps tell the two apart by it");
            }
            let subnets = child(node, "subnets").map(texts).unwrap_or_default();
            let subnets = subnets.iter().filter_map(|text| text.parse().ok()).collect();
            names.customers.entry(customer.clone()).or_insert(subnets);
        }
        names
    }

    pub(super) fn vpcs(&self) -> Vec<&str> {
        self.vpcs.keys().map(String::as_str).collect()
    }

    pub(super) fn customers(&self) -> Vec<&str> {
        self.customers.keys().map(String::as_str).collect()
    }
}

/// The entries of a mapping from names to things, of which there is at least one.
pub(super) fn named<'n>(
    node: &'n Node,
    what: &'static str,
    example: &str,
    problems: &mut Problems<'_>,
) -> Option<Vec<Entry<'n>>> {
    let help = || format!("write {example}");
    let entries = entries(node, what, help, problems)?;
    if entries.is_empty() {
        problems.report(node.at, format!("{what} is empty"), help());
    }
    for entry in &entries {
        if !is_name(entry.key) {
            let help = "write a lower-case letter, then up to nine lower-case letters, digits or hyphens";
            problems.report(entry.at, format!("`{}` cannot be a name", entry.key), help);
        }
    }
    Some(entries)
}

fn is_name(word: &str) -> bool {
    word.len() <= 10
        && word.starts_with(|c: char| c.is_ascii_lowercase())
        && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

pub(super) fn child<'n>(node: &'n Node, key: &str) -> Option<&'n Node> {
    pairs(node).into_iter().find(|(name, _)| *name == key).map(|(_, node)| node)
}

fn pairs(node: &Node) -> Vec<(&str, &Node)> {
    let Value::Map(entries) = &node.value else { return Vec::new() };
    entries.iter().filter_map(|(key, node)| text(key).map(|key| (key, node))).collect()
}

fn texts(node: &Node) -> Vec<&str> {
    let Value::List(items) = &node.value else { return Vec::new() };
    items.iter().filter_map(text).collect()
}

fn text(node: &Node) -> Option<&str> {
    match &node.value {
        Value::Text(text) => Some(text),
        _ => None,
    }
}
