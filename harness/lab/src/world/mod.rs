//! Worlds: where a worker runs. Inside a worker every world looks the same.
//!
//! | world | a worker is | time |
//! |---|---|---|
//! | [`World::Guest`] | this program as `init` of a User Mode Linux guest; any user may start it | virtual: a wait costs nothing |
//! | [`World::Host`] | this program in mount, network and process namespaces of its own | the clock on the wall |
//!
//! The two halves of a worker talk in JSON, a line each: [`Worker`] is the outer one, [`inside::Channel`]
//! the inner one. All that a worker makes lives in its kernel or its namespaces, and so dies with it.

mod choose;
mod guest;
mod host;
pub mod inside;
mod keeper;
mod processor;
mod trial;
mod worker;

use std::fmt;

pub use choose::{Choice, Kind, choose, guest, host};
pub use worker::{Clock, Line, Said, Worker};

use crate::image::Image;

/// Where a worker's own files are: a file system in memory that nobody outside sees.
pub(crate) const WORKPLACE: &str = "/dev/shm";

/// A world that can be used on this machine.
#[derive(Clone, Debug)]
pub enum World {
    /// The guest's kernel comes with it.
    Guest(Image),
    Host,
}

impl World {
    /// The word for it on the command line and in records.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Guest(_) => "guest",
            Self::Host => "host",
        }
    }

    pub fn has_virtual_time(&self) -> bool {
        matches!(self, Self::Guest(_))
    }

    /// Release of the kernel that carries the packets.
    pub fn kernel(&self) -> String {
        match self {
            Self::Guest(image) => format!("{} (User Mode Linux)", image.made.version),
            Self::Host => {
                let uname = rustix::system::uname();
                format!("{} {}", uname.sysname().to_string_lossy(), uname.release().to_string_lossy())
            }
        }
    }
}

impl fmt::Display for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
