//! Connections: made, deleted, reset, and given other settings.

use super::walk::{Walk, connect_before};
use crate::{
    Step,
    diagnostic::Problems,
    fault::Side,
    read::{
        fields::{Entry, Fields},
        gateway,
        release::Change,
    },
};

const CHANGE_EXAMPLE: &str = "`change: { customer: branch, gateway: { psk: \"456456\" } }`";

impl Walk<'_> {
    pub(super) fn connect(&mut self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let (vpc, customer) = self.ends(entry, problems)?;
        let ends = (vpc.clone(), customer.clone());
        let message = || format!("`{vpc}` and `{customer}` are connected already");
        let help = || "put a `disconnect` before it, or leave this step out".to_owned();
        self.order(!self.open.contains(&ends), entry.at, message, help, problems);
        self.made.insert(ends.clone());
        self.open.insert(ends);
        Some(Step::Connect { vpc, customer })
    }

    /// Its streams are over with it.
    pub(super) fn disconnect(&mut self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let (vpc, customer) = self.ends(entry, problems)?;
        self.needs_connection(&vpc, &customer, entry.at, problems);
        let ends = (vpc.clone(), customer.clone());
        self.open.remove(&ends);
        self.streams.remove(&ends);
        Some(Step::Disconnect { vpc, customer })
    }

    pub(super) fn reset(&mut self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let (vpc, customer) = self.ends(entry, problems)?;
        self.needs_connection(&vpc, &customer, entry.at, problems);
        Some(Step::Reset { vpc, customer })
    }

    /// The VPC and the customer of a connection.
    fn ends(&self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<(String, String)> {
        let fields = Fields::read(entry.node, entry.at, "a connection", &["vpc", "customer"], problems)?;
        let vpc = fields.require("vpc", "`vpc: NAME`", problems);
        let vpc = vpc.and_then(|node| self.vpc(node, problems));
        let customer = fields.require("customer", "`customer: NAME`", problems);
        let customer = customer.and_then(|node| self.customer(node, problems));
        vpc.zip(customer)
    }

    pub(super) fn change(&mut self, entry: &Entry<'_>, problems: &mut Problems<'_>) -> Option<Step> {
        let fields = Fields::read(entry.node, entry.at, "a change", &["customer", "cloud", "gateway"], problems)?;
        let customer = fields.require("customer", "`customer: NAME`", problems);
        let customer = customer.and_then(|node| self.customer(node, problems));
        let (side, to) = match (fields.get("cloud"), fields.get("gateway")) {
            (Some(_), Some(_)) => {
                let help = "begin a new step for the other side: `- change: ...`";
                problems.report(fields.at("gateway"), "one step changes one side, `cloud` or `gateway`", help);
                return None;
            }
            (Some(node), None) => {
                let to = gateway::read(node, fields.at("cloud"), &gateway::IN_CLOUD, problems);
                self.changes.push(Change::of(&to, node));
                (Side::Cloud, to)
            }
            (None, Some(node)) => {
                (Side::Customer, gateway::read(node, fields.at("gateway"), &gateway::CHANGED, problems))
            }
            (None, None) if fields.has_unknown => return None,
            (None, None) => {
                let help = format!("write what the `cloud` is told or what its `gateway` has: {CHANGE_EXAMPLE}");
                problems.report(entry.at, "nothing is changed", help);
                return None;
            }
        };
        let customer = customer?;
        let message = || format!("`{customer}` has not been connected before this step");
        let help = || {
            let vpc = self.names.vpcs().first().map_or_else(|| "NAME".to_owned(), |vpc| (*vpc).to_owned());
            let before = connect_before(&vpc, &customer);
            format!("{before}; what it has from the beginning stands in `customers.{customer}`")
        };
        let is_made = self.made.iter().any(|(_, made)| *made == customer);
        self.order(is_made, entry.at, message, help, problems);
        Some(Step::Change { customer, side, to: Box::new(to) })
    }
}
