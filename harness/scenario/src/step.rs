//! What a cell does, one after another, and what must then be so.

use std::{fmt, time::Duration};

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};

use crate::{
    Gateway,
    cell::ConnectionState,
    duration,
    fault::{LinkChange, Side, Surgery, Victim},
};

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
    /// Numbered packets each way in the background, one after every period, until the two are disconnected or the steps
    /// are over. What becomes of each is counted.
    Stream {
        between: [Party; 2],
        #[serde(with = "duration")]
        every: Duration,
    },
    /// Reboots a VPC's router through the API.
    RebootRouter(String),
    StopRouter(String),
    StartRouter(String),
    RestartVpc {
        vpc: String,
        /// Destroys the router and deploys another.
        cleanup: bool,
    },
    /// resetVpnConnection.
    Reset {
        vpc: String,
        customer: String,
    },
    /// Gives one side other settings for its connections: the cloud by updateVpnCustomerGateway, the customer's gateway
    /// by its owner.
    Change {
        customer: String,
        side: Side,
        to: Box<Gateway>,
    },
    Kill(Victim),
    /// Has the management service killed while the next job of this command runs, and started again.
    KillDuring(String),
    Restart(Victim),
    /// Pulls the plug of a customer's gateway.
    PowerOff(String),
    PowerOn(String),
    /// Of a VPC's router or a customer's gateway.
    Link {
        of: String,
        change: LinkChange,
    },
    /// A VPC's router and a customer's gateway do not hear each other for a while.
    Partition {
        between: [String; 2],
        #[serde(with = "duration")]
        lasting: Duration,
    },
    /// Sets a machine's clock ahead.
    Clock {
        of: String,
        #[serde(with = "duration")]
        ahead: Duration,
    },
    Message(Surgery),
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
    /// It is so before the time is up.
    Within {
        condition: Condition,
        #[serde(with = "duration")]
        within: Duration,
    },
    /// It is so, all the time.
    Always {
        condition: Condition,
        #[serde(with = "duration")]
        lasting: Duration,
    },
    /// It is never so.
    Never {
        condition: Condition,
        #[serde(with = "duration")]
        lasting: Duration,
    },
    /// It stays so until the other is so, which comes before the time is up.
    Until {
        condition: Condition,
        until: Condition,
        #[serde(with = "duration")]
        within: Duration,
    },
    /// Of the streams since the last time that this was asked, or since they began.
    Lost {
        /// So many packets at most.
        packets: u32,
        /// No longer than this did nothing arrive.
        #[serde(with = "duration::optional")]
        gap: Option<Duration>,
    },
    /// So often at least since the cell began, on every connection that is open.
    Rekeys {
        ike: u32,
        esp: u32,
    },
}

/// What is so at a moment, or is not.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// Every connection that is open is in the state; or those of one customer.
    Connection {
        state: ConnectionState,
        of: Option<String>,
    },
    /// A machine's kernel holds SAs, or none: a VPC's router or a customer's gateway.
    Sas {
        on: String,
        held: bool,
    },
    /// Packets of every stream arrive both ways, or none does.
    Flowing(bool),
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

impl Party {
    /// The VPC or the customer.
    pub fn owner(&self) -> &str {
        match self {
            Self::Vpc(vpc) | Self::Tier { vpc, .. } => vpc,
            Self::Customer(customer) | Self::Subnet { customer, .. } => customer,
        }
    }

    pub fn is_of_a_vpc(&self) -> bool {
        matches!(self, Self::Vpc(_) | Self::Tier { .. })
    }
}

impl Step {
    /// The VPC and the customer that it connects.
    pub fn connects(&self) -> Option<(&str, &str)> {
        match self {
            Self::Connect { vpc, customer } => Some((vpc, customer)),
            _ => None,
        }
    }

    /// Whether it expects something of a stretch of time.
    pub fn is_over_time(&self) -> bool {
        use Expectation as E;
        matches!(self, Self::Expect(E::Within { .. } | E::Always { .. } | E::Never { .. } | E::Until { .. }))
    }

    /// Whether it waits longer than a run in real time should.
    pub fn needs_virtual_time(&self) -> bool {
        let longest = match self {
            Self::Hold(duration) | Self::Partition { lasting: duration, .. } => duration,
            Self::Expect(Expectation::Always { lasting, .. } | Expectation::Never { lasting, .. }) => lasting,
            _ => return false,
        };
        *longest > LONGEST_REAL_HOLD
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
            Self::Stream { between: [a, b], every } => {
                write!(f, "exchange a packet each way every {} between {a} and {b}", duration::format(*every))
            }
            Self::RebootRouter(vpc) => write!(f, "reboot the router of {vpc}"),
            Self::StopRouter(vpc) => write!(f, "stop the router of {vpc}"),
            Self::StartRouter(vpc) => write!(f, "start the router of {vpc}"),
            Self::RestartVpc { vpc, cleanup: false } => write!(f, "restart {vpc}"),
            Self::RestartVpc { vpc, cleanup: true } => write!(f, "restart {vpc} with clean-up"),
            Self::Reset { vpc, customer } => write!(f, "reset {vpc} -> {customer}"),
            // Which settings, but not what they are: a key may be among them.
            Self::Change { customer, side: Side::Cloud, to } => {
                write!(f, "change {} of {customer} in the cloud", to.settings().join(", "))
            }
            Self::Change { customer, side: Side::Customer, to } => {
                write!(f, "change {} on the gateway of {customer}", to.settings().join(", "))
            }
            Self::Kill(victim) => write!(f, "kill {victim}"),
            Self::KillDuring(command) => write!(f, "kill the management service during the next {command}"),
            Self::Restart(victim) => write!(f, "restart {victim}"),
            Self::PowerOff(customer) => write!(f, "power-off of the gateway of {customer}"),
            Self::PowerOn(customer) => write!(f, "power-on of the gateway of {customer}"),
            Self::Link { of, change } => write!(f, "link of {of} {change}"),
            Self::Partition { between: [a, b], lasting } => {
                write!(f, "partition between {a} and {b} for {}", duration::format(*lasting))
            }
            Self::Clock { of, ahead } => write!(f, "clock of {of} {} ahead", duration::format(*ahead)),
            Self::Message(surgery) => surgery.fmt(f),
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
            Self::Within { condition, within } => write!(f, "{condition} within {}", duration::format(*within)),
            Self::Always { condition, lasting } => write!(f, "always {condition} for {}", duration::format(*lasting)),
            Self::Never { condition, lasting } => write!(f, "never {condition} for {}", duration::format(*lasting)),
            Self::Until { condition, until, within } => {
                write!(f, "{condition} until {until}, within {}", duration::format(*within))
            }
            Self::Lost { packets, gap: None } => write!(f, "at most {packets} packets lost"),
            Self::Lost { packets, gap: Some(gap) } => {
                write!(f, "at most {packets} packets lost, no gap longer than {}", duration::format(*gap))
            }
            Self::Rekeys { ike, esp } => write!(f, "at least {ike} rekeys of IKE and {esp} of ESP"),
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connection { state, of: None } => state.fmt(f),
            Self::Connection { state, of: Some(customer) } => write!(f, "{customer} {state}"),
            Self::Sas { on, held: true } => write!(f, "SAs on {on}"),
            Self::Sas { on, held: false } => write!(f, "no SAs on {on}"),
            Self::Flowing(true) => f.write_str("traffic flowing"),
            Self::Flowing(false) => f.write_str("traffic stopped"),
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
