//! What the service accepts in a value: policy strings and networks. Pure.

pub(crate) mod network;
pub(crate) mod policy;
