//! The cloud: a CloudStack site-to-site VPN service in one process, and a client for any CloudStack.
//!
//! | module | holds |
//! |---|---|
//! | `server` | [`Service`]: HTTP, jobs, the monitor, and what they share |
//! | `command` | the commands of the API, one file per group: parameters, checks, answers |
//! | `profile` | [`Profile`]: which CloudStack it behaves like, as data, one file each |
//! | `rule` | policy strings, networks and hosts: what is accepted. Pure |
//! | `state` | [`State`]: the states of a connection, as one table for each release. Pure |
//! | `modelled` | [`Modelled`]: a network without packets, where tunnels are as the prediction says |
//! | `store` | the database, with CloudStack's tables |
//! | [`router`] | [`Fabric`] and [`Router`]: what the service asks of the network, for others to build |
//! | `log` | [`Log`]: what is reported while it works |
//! | `lapse` | what it can be made to do wrong, to see whether that is noticed |
//! | `client` | [`Client`]: signs, sends, waits for jobs; works against a real CloudStack too |
//!
//! A tunnel is configured by what the service decides, through [`Router::apply`], and nothing else.

mod client;
mod command;
mod config;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
#[doc(hidden)]
pub mod fuzzing;
mod lapse;
mod log;
mod modelled;
mod profile;
pub mod router;
mod rule;
mod server;
mod signature;
mod state;
mod store;

use std::sync::{Mutex, MutexGuard, PoisonError};

pub use client::{Begun, Call, Client, ClientError};
pub use config::{Config, Credentials, StoreLocation};
pub use error::CloudError;
#[cfg(feature = "sabotage")]
pub use lapse::Lapse;
pub use log::{Level, Log, LogLine};
pub use modelled::{Modelled, ModelledCustomer};
pub use profile::Profile;
pub use router::{Fabric, IkeVersion, Router, RouterError, RouterPlan, Tier, Tunnel, TunnelStatus, Usage};
pub use server::Service;
pub use state::{State, UnknownState};

/// What a panicking task left under a lock is whole: every change under one is a single step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
