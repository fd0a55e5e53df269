//! The steps, and whether they can follow one another.

use std::collections::BTreeSet;

use super::{
    fields::{Entry, Fields, entries, list},
    names::Names,
    scalar,
};
use crate::{
    Alert, ConnectionState, Expectation, Party, Step, Traffic,
    diagnostic::Problems,
    nearest::one_of,
    tree::{At, Node, Value},
};

const STEPS: [&str; 6] = ["connect", "disconnect", "exchange", "expect", "hold", "reboot-router"];
const STEP_EXAMPLE: &str = "`- connect: { vpc: main, customer: branch }`";

/// An exchange is over in seconds, and its packets all go into the record.
const MOST_PACKETS: u32 = 10_000;

pub(super) fn read(node: &Node, names: &Names, problems: &mut Problems<'_>) -> Vec<Step> {
    let mut walk = Walk { names, open: BTreeSet::new(), ever: false, unsure: false };
    let items = list(node, "steps", STEP_EXAMPLE, problems).unwrap_or_default();
    items.iter().flat_map(|item| walk.step(item, problems)).collect()
}

/// What the steps so far have done.
struct Walk<'a> {
    names: &'a Names,
    /// The connections that are there, as VPC and customer.
    open: BTreeSet<(String, String)>,
    /// Whether there has been one.
    ever: bool,
    /// A step was not understood, so that nothing can be said about the order of those after it.
    unsure: bool,
}

impl Walk<'_> {
    fn step(&mut self, node: &Node, problems: &mut Problems<'_>) -> Vec<Step> {
        let help = || format!("write one of {}, such as {STEP_EXAMPLE}", STEPS.join(", "));
        let entries = entries(node, "a step", help, problems).unwrap_or_default();
        let [entry] = entries.as_slice() else {
            self.unsure = true;
            if let Some(second) = entries.get(1) {
                let message = format!("`{}` is a second action in one step", second.key);
                problems.report(second.at, message, format!("begin a new step: `- {}: ...`", second.key));
            }
            return Vec::new();
        };
        match entry.key {
            "connect" => Vec::from_iter(self.connect(entry, problems)),
            "disconnect" => Vec::from_iter(self.disconnect(entry, problems)),
            "exchange" => Vec::from_iter(self.exchange(entry, problems)),
            "expect" => self.expect(entry, problems),
            "hold" => Vec::from_iter(scalar::duration(entry.node, "hold", problems).map(Step::Hold)),
            "reboot-router" => {
                let vpc = name(entry.node, "VPC", &self.names.vpcs(), problems);
                Vec::from_iter(vpc.map(Step::RebootRouter))
            }
            word => {
                self.unsure = true;
                problems.report(entry.at, format!("unknown step `{word}`"), one_of(word, &STEPS));
                Vec::new()
            }
        }
    }

    fn connect(&mut self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let ends = self.ends(entry, problems);
        self.unsure |= ends.is_none();
        let (vpc, customer) = ends?;
        self.ever = true;
        if !self.open.insert((vpc.clone(), customer.clone())) && !self.unsure {
            let message = format!("`{vpc}` and `{customer}` are connected already");
            problems.report(entry.at, message, "put a `disconnect` before it, or leave this step out");
        }
        Some(Step::Connect { vpc, customer })
    }

    fn disconnect(&mut self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let ends = self.ends(entry, problems);
        self.unsure |= ends.is_none();
        let (vpc, customer) = ends?;
        if !self.open.remove(&(vpc.clone(), customer.clone())) && !self.unsure {
            let message = format!("`{vpc}` and `{customer}` are not connected at this step");
            problems.report(entry.at, message, connect_before(&vpc, &customer));
        }
        Some(Step::Disconnect { vpc, customer })
    }

    /// The VPC and the customer of a connection.
    fn ends(&self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<(String, String)> {
        let fields = Fields::read(entry.node, entry.at, "a connection", &["vpc", "customer"], problems)?;
        let vpc = fields.require("vpc", "`vpc: NAME`", problems);
        let vpc = vpc.and_then(|node| name(node, "VPC", &self.names.vpcs(), problems));
        let customer = fields.require("customer", "`customer: NAME`", problems);
        let customer = customer.and_then(|node| name(node, "customer", &self.names.customers(), problems));
        vpc.zip(customer)
    }

    fn exchange(&self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let fields = Fields::read(entry.node, entry.at, "an exchange", &["between", "packets"], problems)?;
        let packets = fields.require("packets", "`packets: 20`, the number each way", problems);
        let packets = packets.and_then(|node| scalar::number(node, "packets", [1, MOST_PACKETS], problems));

        let example = "`between: [main, branch]`, one end in the cloud and one at a customer";
        let between = fields.require("between", example, problems)?;
        let nodes = list(between, "parties", example, problems)?;
        let parties: Vec<_> = nodes.iter().map(|node| self.party(node, problems)).collect();
        let [first, second] = parties.as_slice() else {
            problems.report(
                between.at,
                format!("two parties exchange packets, not {}", nodes.len()),
                format!("write {example}"),
            );
            return None;
        };
        let between = [first.clone()?, second.clone()?];
        match connection(&between) {
            None => {
                let message = format!("`{}` and `{}` are on the same side of the tunnel", between[0], between[1]);
                problems.report(nodes[1].at, message, format!("write {example}"));
            }
            Some((vpc, customer)) if !self.unsure && !self.open.contains(&(vpc.to_owned(), customer.to_owned())) => {
                let message = format!("`{vpc}` and `{customer}` are not connected at this step");
                problems.report(entry.at, message, connect_before(vpc, customer));
            }
            Some(_) => (),
        }
        Some(Step::Exchange { between, packets: packets? })
    }

    /// `main`, `main.web`, `branch` or `branch 172.16.10.0/24`.
    fn party(&self, node: &Node, problems: &mut Problems<'_>) -> Option<Party> {
        let help = || "write a VPC, `VPC.TIER`, a customer or `CUSTOMER SUBNET`".to_owned();
        let word = scalar::raw(node, "a party", help, problems)?.trim();
        let known = self.parties();
        let found = known.iter().find(|party| party.to_string() == word);
        if found.is_none() {
            let known: Vec<_> = known.iter().map(Party::to_string).collect();
            let known: Vec<_> = known.iter().map(String::as_str).collect();
            problems.report(node.at, format!("unknown party `{word}`"), one_of(word, &known));
        }
        found.cloned()
    }

    fn parties(&self) -> Vec<Party> {
        let tier = |vpc: &String, tier: &String| Party::Tier { vpc: vpc.clone(), tier: tier.clone() };
        let vpcs = self.names.vpcs.iter().flat_map(|(vpc, tiers)| {
            [Party::Vpc(vpc.clone())].into_iter().chain(tiers.iter().map(move |name| tier(vpc, name)))
        });
        let customers = self.names.customers.iter().flat_map(|(customer, subnets)| {
            let subnet = |net: &_| Party::Subnet { customer: customer.clone(), net: *net };
            [Party::Customer(customer.clone())].into_iter().chain(subnets.iter().map(subnet))
        });
        vpcs.chain(customers).collect()
    }

    /// What is said about connections, about alerts and about traffic are expectations of their own, one after the other.
    fn expect(&self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Vec<Step> {
        let known = ["connection", "within", "alert", "traffic"];
        let Some(fields) = Fields::read(entry.node, entry.at, "an expectation", &known, problems) else {
            return Vec::new();
        };
        let example = "`expect: { connection: Connected, within: 60s }` or `expect: { traffic: none-in-clear }`";
        let mut steps = Vec::new();
        match (fields.get("connection"), fields.get("within")) {
            (Some(_), None) => {
                fields.require("within", "`within: 60s`, the longest that it may take", problems);
            }
            (Some(connection), Some(within)) => {
                if !self.ever && !self.unsure {
                    let message = "there is no connection at this step";
                    problems.report(fields.at("connection"), message, format!("put {STEP_EXAMPLE} before it"));
                }
                let state = state(connection, problems);
                let within = scalar::duration(within, "within", problems);
                steps.extend(state.zip(within).map(|(state, within)| Expectation::Connection { state, within }));
            }
            (None, Some(_)) => {
                let help = format!("write {example}");
                problems.report(fields.at("within"), "`within` says how long `connection` may take", help);
            }
            (None, None) if fields.get("traffic").is_none() && fields.get("alert").is_none() => {
                problems.report(entry.at, "nothing is expected", format!("write {example}"));
            }
            (None, None) => (),
        }
        if let Some(node) = fields.get("alert") {
            steps.extend(alert(node, fields.at("alert"), problems).map(Expectation::Alert));
        }
        if let Some(node) = fields.get("traffic") {
            steps.extend(scalar::word(node, "traffic", &Traffic::ALL, problems).map(Expectation::Traffic));
        }
        steps.into_iter().map(Step::Expect).collect()
    }
}

/// `none`, or `{ from: Connected, to: Disconnected }`.
fn alert(node: &Node, owner: At, problems: &mut Problems<'_>) -> Option<Alert> {
    if let Value::Text(word) = &node.value {
        if word == "none" {
            return Some(Alert::None);
        }
        let help = "write `none`, or the states of a change, such as `{ from: Connected, to: Disconnected }`";
        problems.report(node.at, format!("unknown alert `{word}`"), help);
        return None;
    }
    let fields = Fields::read(node, owner, "an alert", &["from", "to"], problems)?;
    let from = fields.require("from", "`from: Connected`, the state before", problems);
    let from = from.and_then(|node| state(node, problems));
    let to = fields.require("to", "`to: Disconnected`, the state after", problems);
    let to = to.and_then(|node| state(node, problems));
    Some(Alert::Switched { from: from?, to: to? })
}

fn state(node: &Node, problems: &mut Problems<'_>) -> Option<ConnectionState> {
    scalar::word(node, "connection state", &ConnectionState::ALL, problems)
}

/// A name that the file has given.
fn name(node: &Node, what: &str, known: &[&str], problems: &mut Problems<'_>) -> Option<String> {
    let word = scalar::raw(node, what, || one_of("", known), problems)?;
    if !known.contains(&word) {
        problems.report(node.at, format!("unknown {what} `{word}`"), one_of(word, known));
        return None;
    }
    Some(word.to_owned())
}

/// The VPC and the customer of two parties, if they are on different sides.
fn connection(between: &[Party; 2]) -> Option<(&str, &str)> {
    let side = |party: &'_ Party| matches!(party, Party::Vpc(_) | Party::Tier { .. });
    let [a, b] = between;
    match (side(a), side(b)) {
        (true, false) => Some((owner(a), owner(b))),
        (false, true) => Some((owner(b), owner(a))),
        _ => None,
    }
}

fn owner(party: &Party) -> &str {
    match party {
        Party::Vpc(vpc) | Party::Tier { vpc, .. } => vpc,
        Party::Customer(customer) | Party::Subnet { customer, .. } => customer,
    }
}

fn connect_before(vpc: &str, customer: &str) -> String {
    format!("put `- connect: {{ vpc: {vpc}, customer: {customer} }}` before it")
}
