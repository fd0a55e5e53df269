//! Which CloudStack the service behaves like: its rules as data, one file per profile.

mod spec_2012;

use std::fmt;

use crate::{CloudError, command::Kind, rule::policy::Grammar};

/// A CloudStack to behave like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// The functional specification of August 2012; where it is silent, CloudStack 4.0.2.
    #[default]
    Spec2012,
}

impl Profile {
    pub const ALL: [Self; 1] = [Self::Spec2012];

    pub fn name(self) -> &'static str {
        match self {
            Self::Spec2012 => "spec-2012",
        }
    }

    pub(crate) fn rules(self) -> &'static Rules {
        match self {
            Self::Spec2012 => &spec_2012::RULES,
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl std::str::FromStr for Profile {
    type Err = CloudError;

    fn from_str(text: &str) -> Result<Self, CloudError> {
        Self::ALL.into_iter().find(|p| p.name() == text).ok_or_else(|| CloudError::UnknownProfile {
            found: text.to_owned(),
            known: Self::ALL.map(Self::name).join(", "),
        })
    }
}

/// What differs between profiles.
pub(crate) struct Rules {
    /// Of the CloudStack that fills the gaps; XML answers carry it.
    pub version: &'static str,
    pub json_type: &'static str,
    /// Java package of the command classes that queryAsyncJobResult names.
    pub command_package: &'static str,
    /// A page past the end of a list still tells the count.
    pub count_past_end: bool,
    /// Kinds of the commands that create something: whether the answer already has the new id.
    pub create_vpn_gateway: Kind,
    pub create_customer_gateway: Kind,
    pub policy: Grammar,
    /// One customer gateway per address, whoever owns it.
    pub unique_customer_gateway_ip: bool,
    /// Remote subnets, and VPCs, must be of RFC 1918.
    pub private_subnets_only: bool,
    pub subnets_per_customer_gateway: usize,
    pub connections_per_vpn_gateway: usize,
    /// A customer gateway may have one connection in all.
    pub one_connection_per_customer_gateway: bool,
    /// createVpnConnection knows `passive`; a release that does not ignores it, like any foreign parameter.
    pub passive: bool,
    pub tiers_per_vpc: usize,
    /// How an alert words a change of state.
    pub switched: &'static str,
}
