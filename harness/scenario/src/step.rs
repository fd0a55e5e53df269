//! What a cell does, one after another, and what must then be so.

use std::{fmt, time::Duration};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::{cell::ConnectionState, duration};

/// A longer hold needs virtual time.
const LONGEST_REAL_HOLD: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Step {
    Connect {
        vpc: String,
        customer: String,
    },
    Disconnect {
        vpc: String,
        customer: String,
    },
    Expect(Expectation),
    /// Numbered packets each way; all must arrive, protected on the way.
    Exchange {
        /// One in the cloud and one at a customer.
        between: [Party; 2],
        packets: u32,
    },
    /// Reboots a VPC's router through the API.
    RebootRouter(String),
    /// Lets time pass.
    #[serde(with = "duration")]
    Hold(Duration),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// Every connection is in this state before the time is up.
    Connection {
        state: ConnectionState,
        #[serde(with = "duration")]
        within: Duration,
    },
    Traffic(Traffic),
    Alert(Alert),
}

/// What listAlerts tells of the customers' connections, by now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alert {
    None,
    /// The monitor saw every open connection go from one state to another.
    Switched {
        from: ConnectionState,
        to: ConnectionState,
    },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Traffic {
    /// Probes both ways between every tier and subnet: none may be seen in clear on the internet.
    NoneInClear,
}

/// Those who exchange packets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// All tiers of a VPC.
    Vpc(String),
    Tier {
        vpc: String,
        tier: String,
    },
    /// All subnets of a customer.
    Customer(String),
    Subnet {
        customer: String,
        net: Ipv4Net,
    },
}

impl Step {
    /// The VPC and the customer that it connects.
    pub fn connects(&self) -> Option<(&str, &str)> {
        match self {
            Self::Connect { vpc, customer } => Some((vpc, customer)),
            _ => None,
        }
    }

    /// Whether it waits longer than a run in real time should.
    pub fn needs_virtual_time(&self) -> bool {
        matches!(self, Self::Hold(duration) if *duration > LONGEST_REAL_HOLD)
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect { vpc, customer } => write!(f, "connect {vpc} -> {customer}"),
            Self::Disconnect { vpc, customer } => write!(f, "disconnect {vpc} -> {customer}"),
            Self::Expect(expectation) => write!(f, "expect {expectation}"),
            Self::Exchange { between: [a, b], packets } => {
                let s = if *packets == 1 { "" } else { "s" };
                write!(f, "exchange {packets} packet{s} each way between {a} and {b}")
            }
            Self::RebootRouter(vpc) => write!(f, "reboot the router of {vpc}"),
            Self::Hold(duration) => write!(f, "hold {}", duration::format(*duration)),
        }
    }
}

impl fmt::Display for Expectation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection { state, within } => write!(f, "{state} within {}", duration::format(*within)),
            Self::Traffic(traffic) => write!(f, "traffic {traffic}"),
            Self::Alert(alert) => alert.fmt(f),
        }
    }
}

impl fmt::Display for Alert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("no alert"),
            Self::Switched { from, to } => write!(f, "alert from {from} to {to}"),
        }
    }
}

impl Traffic {
    pub const ALL: [Self; 1] = [Self::NoneInClear];

    pub fn name(self) -> &'static str {
        match self {
            Self::NoneInClear => "none-in-clear",
        }
    }
}

impl fmt::Display for Traffic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Party {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Vpc(vpc) => f.write_str(vpc),
            Self::Tier { vpc, tier } => write!(f, "{vpc}.{tier}"),
            Self::Customer(customer) => f.write_str(customer),
            Self::Subnet { customer, net } => write!(f, "{customer} {net}"),
        }
    }
}
