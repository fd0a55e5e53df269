//! How a negotiation fails: where, with which word on the wire, and which settings of the two ends are to blame.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Initiator, Version};

/// What two ends that do not agree come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Failure {
    /// The exchange in which it shows.
    pub stage: Stage,
    /// The last message of that exchange, from 1. What version 2 says of a failure is in the answer, and so in message 2;
    /// in version 1 it is an exchange of its own.
    pub message: u32,
    /// The tunnel comes up, and this happens when it is to be rekeyed.
    pub at_rekey: bool,
    /// What is then said of it; absent if nothing is.
    pub notice: Option<Notice>,
    pub difference: Difference,
}

/// The part of a negotiation in which it fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    MainMode,
    QuickMode,
    IkeSaInit,
    IkeAuth,
    CreateChildSa,
}

/// A notification, and the gateway that sends it; nobody where either may begin, and the other one sends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Notice {
    pub by: Option<Initiator>,
    pub kind: Notification,
}

/// Errors that are told to the other end (RFC 2408 section 3.14.1, RFC 7296 section 3.10.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Notification {
    InvalidMajorVersion,
    NoProposalChosen,
    PayloadMalformed,
    InvalidKeInformation,
    InvalidIdInformation,
    InvalidHashInformation,
    AuthenticationFailed,
    TsUnacceptable,
}

/// A setting that the two ends have differently, by its path in a scenario file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    pub setting: String,
    /// What is wrong, in words.
    pub problem: String,
    /// The router's value, and the customer gateway's.
    pub router: String,
    pub customer: String,
}

impl Stage {
    /// As accounts of captures call the exchange.
    pub fn name(self) -> &'static str {
        match self {
            Self::MainMode => "main mode",
            Self::QuickMode => "quick mode",
            Self::IkeSaInit => "IKE_SA_INIT",
            Self::IkeAuth => "IKE_AUTH",
            Self::CreateChildSa => "CREATE_CHILD_SA",
        }
    }

    pub fn version(self) -> Version {
        match self {
            Self::MainMode | Self::QuickMode => Version::V1,
            Self::IkeSaInit | Self::IkeAuth | Self::CreateChildSa => Version::V2,
        }
    }
}

impl Notification {
    pub const ALL: [Self; 8] = [
        Self::InvalidMajorVersion,
        Self::NoProposalChosen,
        Self::PayloadMalformed,
        Self::InvalidKeInformation,
        Self::InvalidIdInformation,
        Self::InvalidHashInformation,
        Self::AuthenticationFailed,
        Self::TsUnacceptable,
    ];

    /// Its name in one version of IKE; the other has none, or calls it as the first.
    pub fn name(self, version: Version) -> &'static str {
        match (self, version) {
            (Self::InvalidMajorVersion, Version::V1) => "INVALID-MAJOR-VERSION",
            (Self::InvalidMajorVersion, Version::V2) => "INVALID_MAJOR_VERSION",
            (Self::NoProposalChosen, Version::V1) => "NO-PROPOSAL-CHOSEN",
            (Self::NoProposalChosen, Version::V2) => "NO_PROPOSAL_CHOSEN",
            (Self::PayloadMalformed, _) => "PAYLOAD-MALFORMED",
            (Self::InvalidKeInformation, Version::V1) => "INVALID-KEY-INFORMATION",
            (Self::InvalidKeInformation, Version::V2) => "INVALID_KE_PAYLOAD",
            (Self::InvalidIdInformation, _) => "INVALID-ID-INFORMATION",
            (Self::InvalidHashInformation, _) => "INVALID-HASH-INFORMATION",
            (Self::AuthenticationFailed, Version::V1) => "AUTHENTICATION-FAILED",
            (Self::AuthenticationFailed, Version::V2) => "AUTHENTICATION_FAILED",
            (Self::TsUnacceptable, _) => "TS_UNACCEPTABLE",
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { stage, message, at_rekey, notice, difference } = self;
        let when = if *at_rekey { " at the first rekey" } else { "" };
        write!(f, "fails in {stage} after message {message}{when}, ")?;
        match notice {
            Some(Notice { by, kind }) => {
                let by = by.map_or("whoever is asked", Initiator::gateway);
                write!(f, "{by} says {}", kind.name(stage.version()))?;
            }
            None => f.write_str("without a word")?,
        }
        write!(f, ": {difference}")
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { setting, problem, router, customer } = self;
        write!(f, "{problem} (`{setting}`): the router has {router}, the customer gateway {customer}")
    }
}
