//! The algorithms of CloudStack's policies, with their names on every interface that mentions them.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Daemon, IkeVersion, PolicyError};

/// Encryption of the ISAKMP SA and of ESP, in CBC mode (RFC 2409 appendix A, RFC 2451, RFC 3602).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Encryption {
    #[serde(rename = "3des")]
    TripleDes,
    #[serde(rename = "aes128")]
    Aes128,
    #[serde(rename = "aes192")]
    Aes192,
    #[serde(rename = "aes256")]
    Aes256,
}

impl Encryption {
    pub const ALL: [Self; 4] = [Self::TripleDes, Self::Aes128, Self::Aes192, Self::Aes256];

    /// The name in a CloudStack policy string.
    pub fn name(self) -> &'static str {
        match self {
            Self::TripleDes => "3des",
            Self::Aes128 => "aes128",
            Self::Aes192 => "aes192",
            Self::Aes256 => "aes256",
        }
    }

    /// Length of the key in bytes; for 3DES with its parity bits (RFC 2451 section 2.2).
    pub fn key_len(self) -> usize {
        match self {
            Self::TripleDes | Self::Aes192 => 24,
            Self::Aes128 => 16,
            Self::Aes256 => 32,
        }
    }

    /// Length of a cipher block, and so of the initialisation vector, in bytes.
    pub fn block_len(self) -> usize {
        match self {
            Self::TripleDes => 8,
            Self::Aes128 | Self::Aes192 | Self::Aes256 => 16,
        }
    }
}

/// Integrity in ESP and pseudo-random function of the IKE SA (RFC 2403, RFC 2404, RFC 4868).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Hash {
    Md5,
    Sha1,
    Sha256,
    Sha384,
    Sha512,
}

impl Hash {
    pub const ALL: [Self; 5] = [Self::Md5, Self::Sha1, Self::Sha256, Self::Sha384, Self::Sha512];

    /// The name in a CloudStack policy string.
    pub fn name(self) -> &'static str {
        match self {
            Self::Md5 => "md5",
            Self::Sha1 => "sha1",
            Self::Sha256 => "sha256",
            Self::Sha384 => "sha384",
            Self::Sha512 => "sha512",
        }
    }

    /// Length of the digest, and so of the HMAC key in ESP, in bytes.
    pub fn digest_len(self) -> usize {
        match self {
            Self::Md5 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha384 => 48,
            Self::Sha512 => 64,
        }
    }

    /// Length of the integrity check value in ESP, in bytes: 96 bits (RFC 2403, RFC 2404), or half of the digest
    /// (RFC 4868 section 2.3).
    pub fn icv_len(self) -> usize {
        match self {
            Self::Md5 | Self::Sha1 => 12,
            Self::Sha256 | Self::Sha384 | Self::Sha512 => self.digest_len() / 2,
        }
    }
}

/// Diffie-Hellman group: of the IKE SA, and, in an ESP policy, of perfect forward secrecy
/// (RFC 2409 section 6.2 for group 2, RFC 3526 for the others).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Group {
    Modp1024,
    Modp1536,
    Modp2048,
    Modp3072,
    Modp4096,
    Modp6144,
    Modp8192,
}

impl Group {
    pub const ALL: [Self; 7] = [
        Self::Modp1024,
        Self::Modp1536,
        Self::Modp2048,
        Self::Modp3072,
        Self::Modp4096,
        Self::Modp6144,
        Self::Modp8192,
    ];

    /// The name in a CloudStack policy string.
    pub fn name(self) -> &'static str {
        match self {
            Self::Modp1024 => "modp1024",
            Self::Modp1536 => "modp1536",
            Self::Modp2048 => "modp2048",
            Self::Modp3072 => "modp3072",
            Self::Modp4096 => "modp4096",
            Self::Modp6144 => "modp6144",
            Self::Modp8192 => "modp8192",
        }
    }

    /// The group's number in both versions of IKE (RFC 2409 appendix A, RFC 3526).
    pub fn id(self) -> u16 {
        match self {
            Self::Modp1024 => 2,
            Self::Modp1536 => 5,
            Self::Modp2048 => 14,
            Self::Modp3072 => 15,
            Self::Modp4096 => 16,
            Self::Modp6144 => 17,
            Self::Modp8192 => 18,
        }
    }

    /// Length of a public value in a key exchange payload, in bytes.
    pub fn public_len(self) -> usize {
        match self {
            Self::Modp1024 => 128,
            Self::Modp1536 => 192,
            Self::Modp2048 => 256,
            Self::Modp3072 => 384,
            Self::Modp4096 => 512,
            Self::Modp6144 => 768,
            Self::Modp8192 => 1024,
        }
    }
}

macro_rules! named {
    ($($kind:ident: $what:literal),*) => {$(
        impl fmt::Display for $kind {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl std::str::FromStr for $kind {
            type Err = PolicyError;

            fn from_str(text: &str) -> Result<Self, PolicyError> {
                Self::ALL.into_iter().find(|a| a.name() == text).ok_or_else(|| PolicyError::Unknown {
                    what: $what,
                    found: text.to_owned(),
                    known: Self::ALL.map(|a| a.name()).to_vec(),
                })
            }
        }
    )*};
}

named!(
    Encryption: "encryption",
    Hash: "hash",
    Group: "Diffie-Hellman group",
    Daemon: "daemon",
    IkeVersion: "version of IKE"
);
