//! The laboratory: machines, links, NAT, captures, kernel SAs, daemons, and the worlds they live in.
//!
//! A [`world`] decides where a worker runs: inside a User Mode Linux guest with virtual time, or in
//! namespaces of this kernel. Inside a worker everything is the same: a [`machine::Machine`] is a
//! network namespace with a file tree and processes of its own, and a [`topology::Lab`] is made of
//! machines. Whatever is external is owned by a value whose `Drop` undoes it.

mod error;
mod fault;
mod netlink;
mod nft;
mod sys;

pub mod capture;
pub mod gateway;
pub mod image;
pub mod link;
pub mod machine;
pub mod meter;
pub mod station;
pub mod topology;
pub mod wait;
pub mod world;
pub mod xfrm;

pub use error::{Error, Result};
pub use fault::Operation;
pub use sys::die_with_parent;
