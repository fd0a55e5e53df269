//! Both sides of the tunnels: the cloud with its VPCs, and the customers.

use std::collections::BTreeMap;

use ::policy::{Daemon, PreSharedKey};

use super::{
    fields::{Entry, Fields, list},
    gateway,
    names::named,
    networks::{Networks, Owner},
    release::Told,
    scalar,
};
use crate::{
    Cloud, Customer, Profile, StandsInFor, Vpc,
    diagnostic::Problems,
    tree::{At, Node, Value},
};

const VPC_EXAMPLE: &str = "`main: { cidr: 10.10.0.0/16, tiers: { web: 10.10.1.0/24 } }`";
const CUSTOMER_EXAMPLE: &str = "`branch: { subnets: [172.16.10.0/24], psk: \"123123\" }`";

pub(super) fn read(node: &Node, owner: At, networks: &mut Networks, problems: &mut Problems<'_>) -> Option<Cloud> {
    let fields = Fields::read(node, owner, "the cloud", &["profile", "vpcs"], problems)?;
    let profile = match fields.get("profile") {
        Some(node) => profile(node, problems),
        None => Some(Profile::Spec2012),
    };
    let vpcs = fields.require("vpcs", &format!("`vpcs:` and a VPC, such as {VPC_EXAMPLE}"), problems)?;
    let mut read = BTreeMap::new();
    for entry in named(vpcs, "the set of VPCs", VPC_EXAMPLE, problems)? {
        read.extend(vpc(&entry, networks, problems).map(|vpc| (entry.key.to_owned(), vpc)));
    }
    Some(Cloud { profile: profile?, vpcs: read })
}

pub(super) fn customers(
    node: &Node,
    networks: &mut Networks,
    told: &mut Told,
    problems: &mut Problems<'_>,
) -> Option<BTreeMap<String, Customer>> {
    let mut read = BTreeMap::new();
    for entry in named(node, "the set of customers", CUSTOMER_EXAMPLE, problems)? {
        read.extend(customer(&entry, networks, told, problems).map(|customer| (entry.key.to_owned(), customer)));
    }
    Some(read)
}

fn vpc(entry: &Entry<'_>, networks: &mut Networks, problems: &mut Problems<'_>) -> Option<Vpc> {
    let fields = Fields::read(entry.node, entry.at, "a VPC", &["cidr", "router", "tiers"], problems)?;
    let cidr = fields.require("cidr", "`cidr: 10.10.0.0/16`", problems);
    let cidr = cidr.and_then(|node| {
        let net = scalar::network(node, "cidr", problems)?;
        networks.add(Owner::Vpc(entry.key.to_owned()), net, node.at);
        Some(net)
    });
    // The specification's own software is Openswan.
    let router = fields.get("router").map_or(Some(Daemon::Libreswan), |node| daemon(node, problems));
    let example = "`tiers: { web: 10.10.1.0/24 }`";
    let mut tiers = Vec::new();
    for tier in named(fields.require("tiers", example, problems)?, "the set of tiers", example, problems)? {
        if let Some(net) = scalar::network(tier.node, "tier", problems) {
            let owner = Owner::Tier { vpc: entry.key.to_owned(), tier: tier.key.to_owned() };
            networks.add(owner, net, tier.node.at);
            tiers.push((tier.key.to_owned(), net));
        }
    }
    Some(Vpc { cidr: cidr?, router: router?, tiers })
}

fn customer(
    entry: &Entry<'_>,
    networks: &mut Networks,
    told: &mut Told,
    problems: &mut Problems<'_>,
) -> Option<Customer> {
    let known = ["daemon", "stands-in-for", "subnets", "psk", "nat", "force-encapsulation", "gateway"];
    let fields = Fields::read(entry.node, entry.at, "a customer", &known, problems)?;
    let daemon = fields.get("daemon").map_or(Some(Daemon::Strongswan), |node| daemon(node, problems));
    let stands_in_for = fields.get("stands-in-for").map(|node| device(node, problems));

    let example = "`subnets: [172.16.10.0/24]`";
    let mut subnets = Vec::new();
    let nodes = fields.require("subnets", example, problems).and_then(|node| list(node, "subnets", example, problems));
    for node in nodes.unwrap_or_default() {
        if let Some(net) = scalar::network(node, "subnet", problems) {
            networks.add(Owner::Subnet { customer: entry.key.to_owned() }, net, node.at);
            subnets.push(net);
        }
    }

    let psk = fields
        .require("psk", "`psk: \"123123\"`, the pre-shared key that both ends know", problems)
        .and_then(|node| psk(node, fields.at("psk"), problems));
    let gateway = fields.get("gateway").map(|node| gateway::read(node, fields.at("gateway"), &gateway::OWN, problems));
    let mut yes = |key: &'static str| fields.get(key).and_then(|node| scalar::boolean(node, key, problems));
    let (nat, force_encapsulation) = (yes("nat").unwrap_or(false), yes("force-encapsulation").unwrap_or(false));
    told.forced.extend(fields.get("force-encapsulation").filter(|_| force_encapsulation).map(|node| node.at));
    let (stands_in_for, gateway) = (stands_in_for.flatten(), gateway.unwrap_or_default());
    Some(Customer { daemon: daemon?, stands_in_for, subnets, psk: psk?, nat, force_encapsulation, gateway })
}

pub(super) fn profile(node: &Node, problems: &mut Problems<'_>) -> Option<Profile> {
    scalar::word(node, "profile", &Profile::ALL, problems)
}

pub(super) fn daemon(node: &Node, problems: &mut Problems<'_>) -> Option<Daemon> {
    scalar::word(node, "daemon", &Daemon::ALL, problems)
}

pub(super) fn device(node: &Node, problems: &mut Problems<'_>) -> Option<StandsInFor> {
    scalar::word(node, "device", &StandsInFor::ALL, problems)
}

/// A pre-shared key that every daemon's file of secrets can hold between double quotes. It is reported
/// where its name is if it is written below it, since that line would show it.
pub(super) fn psk(node: &Node, name: At, problems: &mut Problems<'_>) -> Option<PreSharedKey> {
    let at = if node.at.line == name.line { node.at } else { name };
    let help = "write printable characters in quotes, such as `\"123123\"`";
    let Value::Text(key) = &node.value else {
        problems.report(at, format!("psk is a single value, and here is {}", node.kind()), help);
        return None;
    };
    let problem = if key.is_empty() {
        "is empty"
    } else if key.contains('"') {
        "contains a double quote"
    } else if key.contains(['\n', '\r']) {
        "contains a line break"
    } else if key.contains(char::is_control) {
        "contains a control character"
    } else {
        return Some(PreSharedKey::new(key.as_str()));
    };
    problems.report(at, format!("the pre-shared key {problem}"), help);
    None
}
