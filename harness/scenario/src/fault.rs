//! Faults: what a scenario does to links, machines and messages while the daemons run as they are.

use std::{fmt, time::Duration};

use serde::{Deserialize, Serialize};

use crate::duration;

/// Which packets of a link a fault is for, as the gateway at its end sees them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Way {
    #[default]
    Both,
    /// From the internet to the gateway.
    In,
    /// From the gateway to the internet.
    Out,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Both, Self::In, Self::Out];

    pub fn name(self) -> &'static str {
        match self {
            Self::Both => "both",
            Self::In => "in",
            Self::Out => "out",
        }
    }
}

/// A part of all packets, in hundredths of a percent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Share(u16);

impl Share {
    pub const WHOLE: Self = Self(10_000);

    /// Nothing if it is more than the whole.
    pub fn new(hundredths_of_a_percent: u16) -> Option<Self> {
        (hundredths_of_a_percent <= Self::WHOLE.0).then_some(Self(hundredths_of_a_percent))
    }

    pub fn is_none(self) -> bool {
        self.0 == 0
    }

    /// From 0 to 1.
    pub fn fraction(self) -> f64 {
        f64::from(self.0) / f64::from(Self::WHOLE.0)
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.0 / 100, self.0 % 100) {
            (whole, 0) => write!(f, "{whole}%"),
            (whole, part) if part % 10 == 0 => write!(f, "{whole}.{}%", part / 10),
            (whole, part) => write!(f, "{whole}.{part:02}%"),
        }
    }
}

/// What a link does to the packets that it carries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Impairment {
    pub loss: Share,
    /// These are carried twice.
    pub duplicate: Share,
    /// One bit of these is turned over.
    pub corrupt: Share,
    /// These overtake the others, which takes a delay.
    pub reorder: Share,
    pub delay_ms: u32,
    /// By so much the delay is longer or shorter, at random.
    pub jitter_ms: u32,
    /// Thousands of bits a second; without it as fast as the machine can.
    pub rate_kbit: Option<u32>,
}

impl fmt::Display for Impairment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let share = |name: &str, share: Share| (!share.is_none()).then(|| format!("{name} {share}"));
        let words: Vec<String> = [
            share("loss", self.loss),
            share("duplicate", self.duplicate),
            share("corrupt", self.corrupt),
            share("reorder", self.reorder),
            (self.delay_ms > 0).then(|| format!("delay {} ms", self.delay_ms)),
            (self.jitter_ms > 0).then(|| format!("jitter {} ms", self.jitter_ms)),
            self.rate_kbit.map(|rate| format!("rate {rate} kbit/s")),
        ]
        .into_iter()
        .flatten()
        .collect();
        f.write_str(if words.is_empty() { "nothing" } else { "" })?;
        f.write_str(&words.join(", "))
    }
}

/// What becomes of a gateway's link to the internet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LinkChange {
    /// It carries nothing.
    Down,
    /// As it was at first: whole, fast and wide.
    Up,
    Impaired {
        way: Way,
        impairment: Impairment,
    },
    /// The longest IPv4 packet that it carries, in bytes. Whoever sends a longer one that must not be cut is told by
    /// ICMP (RFC 1191), or, without `told`, is not: a black hole.
    Mtu {
        bytes: u16,
        told: bool,
    },
}

/// Work on messages of IKE on their way across the internet: daemons are as they are, and only wonder.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Surgery {
    pub action: Action,
    pub exchange: Exchange,
    /// Which message of the exchange, in the order in which they were first sent, from 1.
    pub number: u8,
    /// Only messages of one side; else of either.
    pub from: Option<Side>,
    /// How many messages; each time a message is sent again counts.
    pub times: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    Drop,
    #[serde(with = "duration")]
    Delay(Duration),
    Duplicate,
    /// It passes, and passes again after this time.
    #[serde(with = "duration")]
    Replay(Duration),
    /// Only so many bytes of the message pass, in a packet whose lengths agree.
    Truncate(u16),
}

/// The exchanges of RFC 2408 section 3.1 and RFC 7296 section 3.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Exchange {
    MainMode,
    AggressiveMode,
    QuickMode,
    /// Of either version.
    Informational,
    IkeSaInit,
    IkeAuth,
    CreateChildSa,
}

impl Exchange {
    pub const ALL: [Self; 7] = [
        Self::MainMode,
        Self::AggressiveMode,
        Self::QuickMode,
        Self::Informational,
        Self::IkeSaInit,
        Self::IkeAuth,
        Self::CreateChildSa,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::MainMode => "main-mode",
            Self::AggressiveMode => "aggressive-mode",
            Self::QuickMode => "quick-mode",
            Self::Informational => "informational",
            Self::IkeSaInit => "ike-sa-init",
            Self::IkeAuth => "ike-auth",
            Self::CreateChildSa => "create-child-sa",
        }
    }
}

/// One of the two sides of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Side {
    Cloud,
    Customer,
}

impl Side {
    pub const ALL: [Self; 2] = [Self::Cloud, Self::Customer];

    pub fn name(self) -> &'static str {
        match self {
            Self::Cloud => "cloud",
            Self::Customer => "customer",
        }
    }
}

/// What is killed, as by `kill -9`, and started again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Victim {
    /// The IKE daemon of a VPC's router or of a customer's gateway. The machine and its kernel go on.
    Daemon(String),
    /// The management service.
    Service,
}

impl fmt::Display for Victim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Daemon(of) => write!(f, "the daemon of {of}"),
            Self::Service => f.write_str("the management service"),
        }
    }
}

impl fmt::Display for LinkChange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Down => f.write_str("goes down"),
            Self::Up => f.write_str("is whole again"),
            Self::Impaired { way: Way::Both, impairment } => write!(f, "has {impairment}"),
            Self::Impaired { way, impairment } => write!(f, "has {impairment} on the way {way}"),
            Self::Mtu { bytes, told: true } => write!(f, "carries {bytes} bytes at most"),
            Self::Mtu { bytes, told: false } => write!(f, "carries {bytes} bytes at most, and nobody is told"),
        }
    }
}

impl fmt::Display for Surgery {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { action, exchange, number, from, times } = self;
        match action {
            Action::Drop => f.write_str("drop")?,
            Action::Delay(by) => write!(f, "delay by {}", duration::format(*by))?,
            Action::Duplicate => f.write_str("duplicate")?,
            Action::Replay(after) => write!(f, "replay after {}", duration::format(*after))?,
            Action::Truncate(bytes) => write!(f, "truncate to {bytes} bytes")?,
        }
        write!(f, " message {number} of {exchange}")?;
        if let Some(from) = from {
            write!(f, " from the {from}")?;
        }
        if *times > 1 { write!(f, ", {times} times") } else { Ok(()) }
    }
}

macro_rules! named {
    ($($kind:ident),*) => {$(
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }
    )*};
}

named!(Way, Exchange, Side);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn a_share_is_written_as_people_write_it() {
        for (hundredths, text) in [(100, "1%"), (150, "1.5%"), (5, "0.05%"), (10_000, "100%"), (2_025, "20.25%")] {
            assert_eq!(Share::new(hundredths).unwrap().to_string(), text);
        }
        assert_eq!(Share::new(10_001), None);
    }
}
