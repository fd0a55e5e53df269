//! What the two halves of a standing laboratory tell each other: each request of the cloud's, and its answer.

use std::{net::Ipv4Addr, path::PathBuf};

use cloud::{RouterError, RouterPlan, Tier, Tunnel, TunnelStatus, Usage, router::Uuid};
use lab::topology::Standing;
use policy::Daemon;
use serde::{Deserialize, Serialize};

/// To the worker: build a laboratory and answer until nobody asks any more.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct SiteJob {
    /// Where logs go; it exists.
    pub folder: PathBuf,
    pub trees: Vec<(Daemon, PathBuf)>,
    pub standing: Standing,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Asked {
    pub id: u64,
    pub request: Request,
}

/// Routers are numbered as they are deployed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Request {
    Deploy(RouterPlan),
    AddTier(u32, Tier),
    RemoveTier(u32, String),
    Apply(u32, Box<Tunnel>),
    Remove(u32, Uuid),
    Status(u32, Uuid),
    Usage(u32, Uuid),
    Stop(u32),
    Start(u32),
    Destroy(u32),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answered {
    pub id: u64,
    pub answer: Result<Given, RouterError>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Given {
    Done,
    Router(u32),
    Status(TunnelStatus),
    Usage(Usage),
}

/// From the worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum News {
    Ready(Addresses),
    Answered(Answered),
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Addresses {
    pub public: Vec<Ipv4Addr>,
    pub customers: Vec<Ipv4Addr>,
}
