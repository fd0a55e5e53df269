//! Which CloudStack the service behaves like: its rules as data, one file per profile.

mod spec_2012;
mod texts;
mod v4_22;

use std::fmt;

pub(crate) use texts::{Texts, fill};

use crate::{CloudError, command::Kind, rule::policy::Grammar, state::Machine};

/// A CloudStack to behave like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profile {
    /// The functional specification of August 2012; where it is silent, CloudStack 4.0.2.
    #[default]
    Spec2012,
    /// CloudStack 4.22.
    V4_22,
}

impl Profile {
    pub const ALL: [Self; 2] = [Self::Spec2012, Self::V4_22];

    pub fn name(self) -> &'static str {
        match self {
            Self::Spec2012 => "spec-2012",
            Self::V4_22 => "4.22",
        }
    }

    pub(crate) fn rules(self) -> &'static Rules {
        match self {
            Self::Spec2012 => &spec_2012::RULES,
            Self::V4_22 => &v4_22::RULES,
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

/// The releases that profiles take their commands, parameters and fields from, in order of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Release {
    V4_0,
    V4_22,
}

/// What differs between profiles.
pub(crate) struct Rules {
    /// Commands, parameters and fields that are newer are not there.
    pub release: Release,
    /// XML answers carry it, and listCapabilities tells it.
    pub version: &'static str,
    pub json_type: &'static str,
    /// Java package of a command's class, which queryAsyncJobResult names, by the command's area.
    pub package: fn(area: &str) -> String,
    /// A page past the end of a list still tells the count.
    pub count_past_end: bool,
    /// Kinds of the commands that create something: whether the answer already has the new id.
    pub create_vpn_gateway: Kind,
    pub create_customer_gateway: Kind,
    /// What a job about a customer gateway calls the object that it is about.
    pub customer_gateway_instance: Option<&'static str>,
    pub policy: Grammar,
    /// A customer gateway may be given by name.
    pub gateway_names: bool,
    /// One customer gateway per address, whoever owns it.
    pub unique_customer_gateway_ip: bool,
    /// Remote subnets, and VPCs, must be of RFC 1918.
    pub private_subnets_only: bool,
    /// Remote subnets are stored without host bits.
    pub clean_subnets: bool,
    pub subnets_per_customer_gateway: usize,
    pub connections_per_vpn_gateway: usize,
    /// A customer gateway may have one connection in all.
    pub one_connection_per_customer_gateway: bool,
    /// A customer gateway is changed only while all its connections are in Error; otherwise at any
    /// time, and its connections are restarted.
    pub update_only_in_error: bool,
    /// A connection that is on its router is deleted only if the router can be told.
    pub delete_needs_router: bool,
    /// A router that boots is told of all connections, and their states stay as they are; otherwise
    /// Disconnected ones are begun again.
    pub boot_tells_all: bool,
    pub machine: Machine,
    /// IKE versions a router is told when the customer gateway does not say.
    pub ike: crate::IkeVersion,
    pub tiers_per_vpc: usize,
    pub texts: Texts,
}
