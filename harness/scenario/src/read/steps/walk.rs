//! What the steps so far have done, and what cannot be done after it.

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    diagnostic::Problems,
    fault::Victim,
    nearest::one_of,
    read::{names::Names, release::Change, scalar},
    tree::{At, Node},
};

pub(super) struct Walk<'a> {
    pub names: &'a Names,
    /// The connections that are there, as VPC and customer.
    pub open: BTreeSet<(String, String)>,
    /// Those that have been there.
    pub made: BTreeSet<(String, String)>,
    /// Those with streams.
    pub streams: BTreeSet<(String, String)>,
    /// Whether there has been a stream.
    pub streamed: bool,
    /// The VPCs whose routers are stopped.
    pub stopped: BTreeSet<String>,
    /// The customers whose gateways are without power.
    pub dark: BTreeSet<String>,
    pub killed: Vec<Victim>,
    /// The links that are not as they were at first, and whether they are down.
    pub links: BTreeMap<String, bool>,
    /// What the cloud has been told anew.
    pub changes: Vec<Change>,
    /// A step was not understood, so that nothing can be said about the order of those after it.
    pub unsure: bool,
}

impl<'a> Walk<'a> {
    pub(super) fn of(names: &'a Names) -> Self {
        Self {
            names,
            open: BTreeSet::new(),
            made: BTreeSet::new(),
            streams: BTreeSet::new(),
            streamed: false,
            stopped: BTreeSet::new(),
            dark: BTreeSet::new(),
            killed: Vec::new(),
            links: BTreeMap::new(),
            changes: Vec::new(),
            unsure: false,
        }
    }

    /// Reports what cannot be at this step, if it is sure what was before.
    pub(super) fn order(
        &self,
        is_right: bool,
        at: At,
        message: impl FnOnce() -> String,
        help: impl FnOnce() -> String,
        problems: &mut Problems<'_>,
    ) {
        if !is_right && !self.unsure {
            problems.report(at, message(), help());
        }
    }

    pub(super) fn needs_connection(&self, vpc: &str, customer: &str, at: At, problems: &mut Problems<'_>) {
        let message = || format!("`{vpc}` and `{customer}` are not connected at this step");
        let is_open = self.open.contains(&(vpc.to_owned(), customer.to_owned()));
        self.order(is_open, at, message, || connect_before(vpc, customer), problems);
    }

    /// Reports a machine that cannot have its daemon or its plug pulled, because it does not run.
    pub(super) fn needs_machine(&self, name: &str, at: At, problems: &mut Problems<'_>) {
        let message = || format!("the router of `{name}` is stopped at this step");
        let help = || format!("put `- start-router: {name}` before it");
        self.order(!self.stopped.contains(name), at, message, help, problems);
        let message = || format!("the gateway of `{name}` has no power at this step");
        let help = || format!("put `- power-on: {name}` before it");
        self.order(!self.dark.contains(name), at, message, help, problems);
    }

    /// A machine that has been off has its daemon again, even if that was killed before.
    pub(super) fn begins_anew(&mut self, name: &str) {
        self.killed.retain(|victim| !matches!(victim, Victim::Daemon(of) if of == name));
    }

    pub(super) fn vpc(&self, node: &Node, problems: &mut Problems<'_>) -> Option<String> {
        name(node, "VPC", &self.names.vpcs(), problems)
    }

    pub(super) fn customer(&self, node: &Node, problems: &mut Problems<'_>) -> Option<String> {
        name(node, "customer", &self.names.customers(), problems)
    }

    /// A VPC, which stands for its router, or a customer, which stands for its gateway.
    pub(super) fn machine(&self, node: &Node, problems: &mut Problems<'_>) -> Option<String> {
        name(node, "VPC or customer", &[self.names.vpcs(), self.names.customers()].concat(), problems)
    }
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

pub(super) fn connect_before(vpc: &str, customer: &str) -> String {
    format!("put `- connect: {{ vpc: {vpc}, customer: {customer} }}` before it")
}
