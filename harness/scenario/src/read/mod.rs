//! The walk over the tree: the format of scenario files.
//!
//! A value that cannot be read is reported and left out, and the walk goes on. What it builds is used
//! only if nothing was reported, so the gaps never show.

mod cloud;
mod expected;
mod fields;
mod gateway;
mod matrix;
mod names;
mod networks;
mod policy;
mod policy_path;
mod release;
mod scalar;
mod steps;
mod target;

pub(crate) use self::expected::expected;
use self::{fields::Fields, names::Names, networks::Networks};
use crate::{
    Scenario,
    diagnostic::Problems,
    tree::{At, Node, Value},
};

/// The keys of a file, in the order in which they are best written.
const KEYS: [&str; 9] =
    ["scenario", "about", "clauses", "cloud", "customers", "policy", "initiator", "matrix", "steps"];

pub(crate) fn scenario(stem: String, root: &Node, problems: &mut Problems<'_>) -> Option<Scenario> {
    if matches!(root.value, Value::Null) {
        let help = "begin with `scenario: TITLE`, and see scenarios/quickstart.yaml";
        problems.report(At::START, "the file is empty", help);
        return None;
    }
    let fields = Fields::read(root, At::START, "a scenario", &KEYS, problems)?;

    let title = fields
        .require("scenario", "`scenario: one tunnel, both subnets`, the title", problems)
        .and_then(|node| scalar::text(node, "title", problems));
    let about = fields.get("about").and_then(|node| scalar::text(node, "description", problems));
    let clauses = fields.get("clauses").map(|node| clauses(node, problems));

    let mut networks = Networks::default();
    let mut told = release::Told::default();
    let cloud = fields
        .require("cloud", "`cloud: { vpcs: { main: { ... } } }`", problems)
        .and_then(|node| cloud::read(node, fields.at("cloud"), &mut networks, problems));
    let customers = fields
        .require("customers", "`customers: { branch: { ... } }`", problems)
        .and_then(|node| cloud::customers(node, &mut networks, &mut told, problems));
    networks.check(problems);

    let policy = fields
        .require("policy", "`policy: { ike: aes128-sha1;modp1536, esp: aes128-sha1 }`", problems)
        .and_then(|node| policy::read(node, fields.at("policy"), problems));

    let initiator = fields.get("initiator").map(|node| scalar::initiator(node, problems));

    let names = Names::of(fields.get("cloud"), fields.get("customers"), problems);
    let axes = match fields.get("matrix") {
        Some(node) => matrix::read(node, stem.len(), &names, problems),
        None => Vec::new(),
    };
    let steps = fields
        .require("steps", "`steps:` and a list of them", problems)
        .map(|node| steps::read(node, &names, &mut told, problems));

    let written = policy?;
    let scenario = Scenario {
        stem,
        title: title?,
        about: about.unwrap_or_default(),
        clauses: clauses.unwrap_or_default(),
        cloud: cloud?,
        customers: customers?,
        ike_version: written.ike_version.map(|(version, _)| version),
        policy: written.policy.clone(),
        initiator: initiator.flatten().unwrap_or_default(),
        steps: steps?,
        axes,
    };
    release::check(&scenario, &written, &told, problems);
    Some(scenario)
}

fn clauses(node: &Node, problems: &mut Problems<'_>) -> Vec<String> {
    let Some(items) = fields::list(node, "clauses", "[createVpnConnection, policy]", problems) else {
        return Vec::new();
    };
    items.iter().filter_map(|item| scalar::text(item, "clause", problems)).collect()
}
