//! The dry run: what would be built, sent and expected.

use std::fmt::Write;

use policy::Initiator;
use scenario::{Cell, Expectation, Party, Step, fault::Side};

use crate::{judge, limits::Limits};

/// A cell's plan in words: topology, API calls and prediction.
pub fn plan(cell: &Cell) -> String {
    described(cell, None)
}

/// The same for the modelled world, and what would not be run there.
pub fn plan_modelled(cell: &Cell) -> String {
    described(cell, Some(Limits::Modelled))
}

fn described(cell: &Cell, limits: Option<Limits>) -> String {
    let mut text = String::new();
    // Writing to a string cannot fail.
    let _ = describe(cell, limits, &mut text);
    text
}

fn describe(cell: &Cell, limits: Option<Limits>, out: &mut String) -> std::fmt::Result {
    writeln!(out, "{}", cell.id)?;
    writeln!(out, "  prediction: {}", judge::predict(cell))?;
    writeln!(out, "  policy: {}", cell.grade())?;
    if cell.initiator != Initiator::default() {
        writeln!(out, "  initiator: {}", cell.initiator)?;
    }
    writeln!(out, "  topology:")?;
    for (name, vpc) in &cell.cloud.vpcs {
        writeln!(out, "    VPC {name} {}, router {}", vpc.cidr, vpc.router)?;
        for (tier, net) in &vpc.tiers {
            writeln!(out, "      tier {tier} {net}, guest {name}.{tier}")?;
        }
    }
    for (name, customer) in &cell.customers {
        let device = customer.stands_in_for.map_or(String::new(), |d| format!(" standing in for {}", d.device()));
        writeln!(out, "    customer {name}, {}{device}", customer.daemon)?;
        let own = customer.gateway.to_string();
        if !own.is_empty() {
            writeln!(out, "      its gateway has {own}")?;
        }
        for (number, net) in customer.subnets.iter().enumerate() {
            writeln!(out, "      subnet {net}, host {name}.{number}")?;
        }
    }
    writeln!(out, "  steps:")?;
    for call in prologue(cell) {
        writeln!(out, "    API  {call}")?;
    }
    for step in &cell.steps {
        writeln!(out, "    {step}")?;
        if let Some(reason) = limits.and_then(|limits| limits.refusal(step)) {
            writeln!(out, "         not run: {reason}")?;
            continue;
        }
        for line in consequences(cell, step) {
            writeln!(out, "         {line}")?;
        }
    }
    writeln!(out, "    API  deletes of all that was created")
}

fn prologue(cell: &Cell) -> Vec<String> {
    let mut calls = Vec::new();
    for (name, vpc) in &cell.cloud.vpcs {
        calls.push(format!("createVPC name={name} cidr={}", vpc.cidr));
        calls.extend(vpc.tiers.iter().map(|(tier, net)| format!("createNetwork name={tier} ({net})")));
        calls.push(format!("createVpnGateway vpc={name}"));
    }
    calls
}

fn consequences(cell: &Cell, step: &Step) -> Vec<String> {
    match step {
        Step::Connect { customer, .. } => {
            let policy = &cell.policy;
            let version = cell.ike_version.map_or_else(String::new, |version| format!(" ikeversion={version}"));
            vec![
                format!(
                    "API  createVpnCustomerGateway name={customer} ikepolicy={} esppolicy={}{version}",
                    policy.ike, policy.esp
                ),
                "API  createVpnConnection".into(),
            ]
        }
        Step::RebootRouter(_) => vec!["API  rebootRouter".into()],
        Step::Disconnect { .. } => vec!["API  deleteVpnConnection".into()],
        Step::Exchange { between: [a, b], packets } => {
            let flows = 2 * stations(cell, a) * stations(cell, b);
            vec![format!("{} packets in {flows} flows", flows as u64 * u64::from(*packets))]
        }
        Step::Expect(Expectation::Connection { .. }) => vec!["API  listVpnConnections".into()],
        Step::Expect(Expectation::Alert(_)) => vec!["API  listAlerts".into()],
        Step::StopRouter(_) => vec!["API  stopRouter".into()],
        Step::StartRouter(_) => vec!["API  startRouter".into()],
        Step::RestartVpc { cleanup, .. } => vec![format!("API  restartVPC cleanup={cleanup}")],
        Step::Reset { .. } => vec!["API  resetVpnConnection".into()],
        Step::Change { side: Side::Cloud, .. } => vec!["API  updateVpnCustomerGateway".into()],
        Step::Stream { between: [a, b], .. } => {
            vec![format!("{} flows, until the two are disconnected", 2 * stations(cell, a) * stations(cell, b))]
        }
        _ => Vec::new(),
    }
}

fn stations(cell: &Cell, party: &Party) -> usize {
    match party {
        Party::Vpc(name) => cell.cloud.vpcs.get(name).map_or(0, |vpc| vpc.tiers.len()),
        Party::Customer(name) => cell.customers.get(name).map_or(0, |customer| customer.subnets.len()),
        Party::Tier { .. } | Party::Subnet { .. } => 1,
    }
}
