//! What two gateways may agree on: algorithms, proposals, policies, and what must follow from them.
//!
//! Everything here is pure: no I/O, no clock. A policy string such as `3des-md5;modp1536` is parsed
//! once, at the edge; the types inside cannot hold an unknown algorithm.

mod algorithm;
mod daemon;
mod end;
mod grade;
mod predict;
mod proposal;
mod secret;
mod version;

pub use algorithm::{Encryption, Group, Hash};
pub use daemon::Daemon;
pub use end::{End, Initiator};
pub use grade::{Grade, Level, Remark, grade};
pub use predict::{Agreement, Difference, Failure, Notice, Notification, Prediction, Stage, predict};
pub use proposal::{Lifetime, Policy, PolicyError, Proposal, Proposals};
pub use secret::PreSharedKey;
pub use version::{IkeVersion, Version};
