//! What a service is started with.

use std::{fmt, net::Ipv4Addr, path::PathBuf, time::Duration};

use uuid::Uuid;

use crate::{Log, Profile};

#[derive(Clone, Debug)]
pub struct Config {
    pub profile: Profile,
    /// Handed out in this order; each VPC takes one for source NAT, and its VPN gateway shares it.
    pub public_addresses: Vec<Ipv4Addr>,
    /// Those of the root administrator. None stands for the ones that the store holds, which are made
    /// with a new store; [`Service::credentials`](crate::Service::credentials) tells them.
    pub credentials: Option<Credentials>,
    pub store: StoreLocation,
    /// CloudStack's `router.check.interval`; zero turns the monitor off.
    pub router_check_interval: Duration,
    /// Where every step and every change of state is reported as well.
    pub log: Option<Log>,
}

impl Config {
    /// CloudStack's default `router.check.interval`, which the specification repeats.
    pub const ROUTER_CHECK_INTERVAL: Duration = Duration::from_secs(30);
}

/// The keys that requests are signed with.
#[derive(Clone, PartialEq, Eq)]
pub struct Credentials {
    pub api_key: String,
    pub secret_key: String,
}

impl Credentials {
    /// New ones, good for HMAC: 244 random bits each.
    pub fn generate() -> Self {
        let key = || format!("{}{}", Uuid::new_v4().simple(), Uuid::new_v4().simple());
        Self { api_key: key(), secret_key: key() }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials").field("api_key", &"***").field("secret_key", &"***").finish()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreLocation {
    /// Gone with the service.
    Memory,
    /// An SQLite database, made if it is not there; only its owner may read it.
    File(PathBuf),
}
