//! What the service accepts in a value: policy strings, networks and hosts. Pure.

pub(crate) mod host;
pub(crate) mod network;
pub(crate) mod policy;
