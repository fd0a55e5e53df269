//! `tunnelproof serve` as a process: killed at any instant, and flooded.
#![allow(clippy::unwrap_used)]

mod flood;
#[path = "../folder/mod.rs"]
mod folder;
mod kill;
mod ledger;
mod process;
mod tenant;
