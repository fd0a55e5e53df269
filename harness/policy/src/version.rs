//! Versions of IKE: the protocol's own, and what an end may be told to speak.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A version of the protocol: RFC 2409, or RFC 7296.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Version {
    #[serde(rename = "IKEv1")]
    V1,
    #[serde(rename = "IKEv2")]
    V2,
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::V1 => "IKEv1",
            Self::V2 => "IKEv2",
        })
    }
}

/// CloudStack's parameter `ikeversion`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum IkeVersion {
    /// Only version 1: all there was in 2012.
    #[default]
    #[serde(rename = "ikev1")]
    V1,
    #[serde(rename = "ikev2")]
    V2,
    /// Initiate with version 2, answer either: strongSwan's `keyexchange=ike`.
    #[serde(rename = "ike")]
    Either,
}

impl IkeVersion {
    pub const ALL: [Self; 3] = [Self::Either, Self::V1, Self::V2];

    /// The parameter's value.
    pub fn name(self) -> &'static str {
        match self {
            Self::V1 => "ikev1",
            Self::V2 => "ikev2",
            Self::Either => "ike",
        }
    }

    /// The version that it initiates with.
    pub fn initiates(self) -> Version {
        match self {
            Self::V1 => Version::V1,
            Self::V2 | Self::Either => Version::V2,
        }
    }
}
