//! The IKE daemons that can take either end of a tunnel.

use serde::{Deserialize, Serialize};

/// An IKE daemon, by the name that scenario files, images and reports use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Daemon {
    /// The maintained fork of Openswan, which the specification names; same configuration language.
    #[serde(rename = "libreswan")]
    Libreswan,
    #[serde(rename = "strongswan")]
    Strongswan,
    /// The series that distributions of long support still ship.
    #[serde(rename = "strongswan-5.9")]
    Strongswan59,
}

impl Daemon {
    pub const ALL: [Self; 3] = [Self::Libreswan, Self::Strongswan, Self::Strongswan59];

    pub fn name(self) -> &'static str {
        match self {
            Self::Libreswan => "libreswan",
            Self::Strongswan => "strongswan",
            Self::Strongswan59 => "strongswan-5.9",
        }
    }
}
