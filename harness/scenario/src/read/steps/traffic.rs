//! Packets: so many at once, or one after another in the background.

use super::walk::Walk;
use crate::{
    Party, Step,
    diagnostic::Problems,
    nearest::one_of,
    read::{
        fields::{Entry, Fields, list},
        scalar,
    },
    tree::Node,
};

/// An exchange is over in seconds, and its packets all go into the record.
const MOST_PACKETS: u32 = 10_000;

const EXAMPLE: &str = "`between: [main, branch]`, one end in the cloud and one at a customer";

impl Walk<'_> {
    pub(super) fn exchange(&mut self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let fields = Fields::read(entry.node, entry.at, "an exchange", &["between", "packets", "every"], problems)?;
        let mut packets = None;
        let mut every = None;
        match (fields.get("packets"), fields.get("every")) {
            (Some(_), Some(_)) => {
                let help = "keep `packets` for so many at once, or `every` for a stream of them in the background";
                problems.report(fields.at("every"), "an exchange has either `packets` or `every`", help);
            }
            (Some(node), None) => packets = scalar::number(node, "packets", [1, MOST_PACKETS], problems),
            (None, Some(node)) => every = scalar::duration(node, "every", problems),
            (None, None) => {
                let example = "`packets: 20`, the number each way; or `every: 1s` for a stream of them";
                fields.require("packets", example, problems);
            }
        }
        let (between, vpc, customer) = self.parties_of(entry, &fields, problems)?;
        self.needs_connection(&vpc, &customer, entry.at, problems);
        if fields.get("every").is_some() {
            self.streams.insert((vpc, customer));
            self.streamed = true;
        }
        match (packets, every) {
            (Some(packets), _) => Some(Step::Exchange { between, packets }),
            (None, Some(every)) => Some(Step::Stream { between, every }),
            (None, None) => None,
        }
    }

    /// Both parties, with the VPC and the customer that they belong to.
    fn parties_of(
        &self,
        entry: &Entry<'_>,
        fields: &Fields<'_>,
        problems: &mut Problems<'_>,
    ) -> Option<([Party; 2], String, String)> {
        let between = fields.require("between", EXAMPLE, problems)?;
        let nodes = list(between, "parties", EXAMPLE, problems)?;
        let parties: Vec<_> = nodes.iter().map(|node| self.party(node, problems)).collect();
        let [first, second] = parties.as_slice() else {
            let message = format!("two parties exchange packets, not {}", nodes.len());
            problems.report(between.at, message, format!("write {EXAMPLE}"));
            return None;
        };
        let between = [first.clone()?, second.clone()?];
        let Some((vpc, customer)) = connection(&between) else {
            let message = format!("`{}` and `{}` are on the same side of the tunnel", between[0], between[1]);
            problems.report(nodes.last().map_or(entry.at, |node| node.at), message, format!("write {EXAMPLE}"));
            return None;
        };
        let (vpc, customer) = (vpc.to_owned(), customer.to_owned());
        Some((between, vpc, customer))
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
