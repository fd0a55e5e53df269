//! Policy strings as CloudStack writes them, and the policy of a connection.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{Encryption, Group, Hash};

/// All that the two ends of a connection must agree on (createVpnCustomerGateway, CloudStack 4.0).
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Policy {
    pub ike: Proposals,
    pub esp: Proposals,
    pub ike_lifetime: Lifetime,
    pub esp_lifetime: Lifetime,
    /// Dead peer detection (RFC 3706) with a delay of 30 s, a timeout of 120 s and action restart.
    pub dpd: bool,
}

impl Policy {
    /// A policy with the specification's lifetimes: 86400 s for IKE, 3600 s for ESP; no DPD.
    pub fn new(ike: Proposals, esp: Proposals) -> Self {
        Self { ike, esp, ike_lifetime: Lifetime(86_400), esp_lifetime: Lifetime(3_600), dpd: false }
    }
}

/// A lifetime in seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Lifetime(pub u32);

/// One transform: `aes128-sha1` or `aes128-sha1;modp1536`. In an ESP policy the group is the one of
/// perfect forward secrecy, and its absence means none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Proposal {
    pub encryption: Encryption,
    pub hash: Hash,
    pub group: Option<Group>,
}

impl fmt::Display for Proposal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.encryption, self.hash)?;
        match self.group {
            Some(group) => write!(f, ";{group}"),
            None => Ok(()),
        }
    }
}

impl FromStr for Proposal {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        let (transform, group) = match text.split_once(';') {
            Some((transform, group)) => (transform, Some(group.parse()?)),
            None => (text, None),
        };
        let (encryption, hash) =
            transform.split_once('-').ok_or_else(|| PolicyError::Shape { found: text.to_owned() })?;
        Ok(Self { encryption: encryption.parse()?, hash: hash.parse()?, group })
    }
}

/// Alternative proposals in order of preference, written with commas between them; never empty.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Proposals(Vec<Proposal>);

impl Proposals {
    pub fn iter(&self) -> impl Iterator<Item = Proposal> + '_ {
        self.0.iter().copied()
    }

    /// The proposal that is preferred.
    pub fn first(&self) -> Proposal {
        self.0[0]
    }

    /// Every proposal changed in the same way.
    pub fn map(&self, change: impl FnMut(Proposal) -> Proposal) -> Self {
        Self(self.iter().map(change).collect())
    }
}

impl From<Proposal> for Proposals {
    fn from(proposal: Proposal) -> Self {
        Self(vec![proposal])
    }
}

impl fmt::Display for Proposals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, proposal) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { "," };
            write!(f, "{comma}{proposal}")?;
        }
        Ok(())
    }
}

impl FromStr for Proposals {
    type Err = PolicyError;

    fn from_str(text: &str) -> Result<Self, PolicyError> {
        text.split(',').map(Proposal::from_str).collect::<Result<_, _>>().map(Self)
    }
}

macro_rules! serialised_as_text {
    ($($kind:ident),*) => {$(
        impl TryFrom<String> for $kind {
            type Error = PolicyError;

            fn try_from(text: String) -> Result<Self, PolicyError> {
                text.parse()
            }
        }

        impl From<$kind> for String {
            fn from(value: $kind) -> String {
                value.to_string()
            }
        }
    )*};
}

serialised_as_text!(Proposal, Proposals);

/// What is wrong with a policy string, and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum PolicyError {
    #[error(
        "policy `{found}` is not of the form `encryption-hash` or `encryption-hash;group`, such as `aes128-sha1;modp1536`"
    )]
    Shape { found: String },
    #[error("unknown {what} `{found}`: write one of {}", .known.join(", "))]
    Unknown { what: &'static str, found: String, known: Vec<&'static str> },
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn every_combination_is_read_and_written() {
        for encryption in Encryption::ALL {
            for hash in Hash::ALL {
                for group in Group::ALL.map(Some).into_iter().chain([None]) {
                    let proposal = Proposal { encryption, hash, group };
                    assert_eq!(proposal.to_string().parse(), Ok(proposal));
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_read_says_what_to_write() {
        let cases = [
            ("", "policy `` is not of the form"),
            ("aes128", "policy `aes128` is not of the form"),
            ("aes-sha1", "unknown encryption `aes`: write one of 3des, aes128, aes192, aes256"),
            ("aes128-sha", "unknown hash `sha`: write one of md5, sha1, sha256, sha384, sha512"),
            (
                "aes128-sha1;",
                "unknown Diffie-Hellman group ``: write one of modp1024, modp1536, modp2048, modp3072, modp4096, \
                 modp6144, modp8192",
            ),
            ("aes128-sha1,", "policy `` is not of the form"),
        ];
        for (text, expected) in cases {
            let error = text.parse::<Proposals>().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
