//! What of a scenario cannot be done where there is no laboratory, and why. Pure.

use std::{collections::BTreeMap, net::Ipv4Addr};

use scenario::{
    Cell, Condition, ConnectionState, Expectation, Step,
    fault::{Side, Victim},
};

/// What there is instead of a laboratory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limits {
    /// The simulator, over routers that answer as is predicted.
    Modelled,
    /// A cloud of others; `answer` if IPsec gateways answer at the customers' addresses.
    Foreign { answer: bool },
}

impl Limits {
    /// Why there are no packets.
    pub fn no_packets(self) -> &'static str {
        match self {
            Self::Modelled => "there are no packets in the modelled world",
            Self::Foreign { .. } => "packets in a foreign cloud can be neither sent nor seen from here",
        }
    }

    /// Why nothing can be proven.
    pub fn name(self) -> &'static str {
        match self {
            Self::Modelled => "no packets in the modelled world",
            Self::Foreign { .. } => "no packets of a foreign cloud",
        }
    }

    pub fn answers(self) -> bool {
        self != Self::Foreign { answer: false }
    }

    /// Why the step cannot be taken, if it cannot.
    pub fn refusal(self, step: &Step) -> Option<String> {
        match (self, step) {
            (
                _,
                Step::Exchange { .. }
                | Step::Stream { .. }
                | Step::Expect(Expectation::Traffic(_) | Expectation::Lost { .. } | Expectation::Rekeys { .. })
                | Step::Change { side: Side::Customer, .. }
                | Step::Kill(Victim::Daemon(_))
                | Step::Restart(Victim::Daemon(_))
                | Step::PowerOff(_)
                | Step::PowerOn(_)
                | Step::Link { .. }
                | Step::Partition { .. }
                | Step::Clock { .. }
                | Step::Message(_),
            ) => Some(self.no_packets().to_owned()),
            (_, Step::Expect(expectation)) if is_about_packets(expectation) => Some(self.no_packets().to_owned()),
            (_, Step::Kill(Victim::Service) | Step::Restart(Victim::Service) | Step::KillDuring(_)) => {
                Some("what the management service stored is not kept here, or is not ours".to_owned())
            }
            (Self::Foreign { .. }, _) if step.needs_virtual_time() => Some(
                "the time of a foreign cloud is real, and a longer hold than a minute needs virtual time".to_owned(),
            ),
            (_, Step::Expect(Expectation::Connection { state: ConnectionState::Connected, .. })) if !self.answers() => {
                Some(
                    "no IPsec gateway answers at the customers' addresses: the endpoint file says `answer = false`"
                        .to_owned(),
                )
            }
            (
                _,
                Step::Connect { .. }
                | Step::Disconnect { .. }
                | Step::Expect(_)
                | Step::RebootRouter(_)
                | Step::StopRouter(_)
                | Step::StartRouter(_)
                | Step::RestartVpc { .. }
                | Step::Reset { .. }
                | Step::Change { side: Side::Cloud, .. }
                | Step::Hold(_),
            ) => None,
        }
    }
}

/// Whether it can only be told from packets, or from kernels.
fn is_about_packets(expectation: &Expectation) -> bool {
    let conditions = match expectation {
        Expectation::Within { condition, .. }
        | Expectation::Always { condition, .. }
        | Expectation::Never { condition, .. } => [Some(condition), None],
        Expectation::Until { condition, until, .. } => [Some(condition), Some(until)],
        _ => [None, None],
    };
    conditions.into_iter().flatten().any(|condition| matches!(condition, Condition::Sas { .. } | Condition::Flowing(_)))
}

/// The customers that the steps connect, in the order in which they do.
pub(crate) fn connected(cell: &Cell) -> Vec<&str> {
    let mut customers = Vec::new();
    for step in &cell.steps {
        if let Step::Connect { customer, .. } = step
            && !customers.contains(&customer.as_str())
        {
            customers.push(customer.as_str());
        }
    }
    customers
}

/// Gives each of them one of the addresses, or says what is missing.
pub(crate) fn addressed(cell: &Cell, addresses: &[Ipv4Addr]) -> Result<BTreeMap<String, Ipv4Addr>, String> {
    let customers = connected(cell);
    if customers.len() > addresses.len() {
        let (needed, there) = (customers.len(), addresses.len());
        return Err(format!(
            "it connects {needed} customers ({}), and the endpoint file has {there} addresses for customers: \
             write more under [customers]",
            customers.join(", ")
        ));
    }
    Ok(customers.into_iter().map(str::to_owned).zip(addresses.iter().copied()).collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const SCENARIO: &str = "
scenario: two customers
cloud: { vpcs: { main: { cidr: 10.10.0.0/16, tiers: { web: 10.10.1.0/24 } } } }
customers:
  a: { subnets: [172.16.10.0/24], psk: '123123' }
  b: { subnets: [172.16.11.0/24], psk: '123123' }
policy: { ike: 3des-md5;modp1536, esp: 3des-md5 }
steps:
  - connect: { vpc: main, customer: b }
  - disconnect: { vpc: main, customer: b }
  - connect: { vpc: main, customer: a }
  - disconnect: { vpc: main, customer: a }
";

    #[test]
    fn customers_take_addresses_in_the_order_in_which_they_are_connected() {
        let cell = scenario::parse("two.yaml", SCENARIO).unwrap().cells().remove(0);
        let [first, second] = [[198, 51, 100, 7], [198, 51, 100, 8]].map(Ipv4Addr::from);
        let given = addressed(&cell, &[first, second]).unwrap();
        assert_eq!(given, [("a".to_owned(), second), ("b".to_owned(), first)].into());
        let missing = addressed(&cell, &[first]).unwrap_err();
        assert!(
            missing.starts_with("it connects 2 customers (b, a), and the endpoint file has 1 addresses"),
            "{missing}"
        );
    }
}
