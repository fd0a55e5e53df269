//! `tunnelproof serve` as a process: killed at any instant, and flooded.
#![allow(clippy::unwrap_used)]

mod flood;
mod kill;
mod ledger;
mod process;
mod tenant;
