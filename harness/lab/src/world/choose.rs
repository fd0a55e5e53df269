//! Which world this machine can have.

use std::{fmt, path::Path, str::FromStr};

use super::World;
use crate::{
    Error, Result,
    image::{Name, Store},
};

/// What was asked for on the command line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Choice {
    /// The guest if its kernel is there or can be made, else the host.
    #[default]
    Auto,
    Guest,
    Host,
}

/// A world before its kernel is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Guest,
    Host,
}

impl Kind {
    /// The image that the world itself needs.
    pub fn image(self) -> Option<Name> {
        match self {
            Self::Guest => Some(Name::Kernel),
            Self::Host => None,
        }
    }

    /// The world, once [`Kind::image`] is ready.
    pub fn world(self, store: &Store) -> Result<World> {
        match self {
            Self::Host => Ok(World::Host),
            Self::Guest => match store.lookup(Name::Kernel) {
                Some(kernel) => Ok(World::Guest(kernel)),
                None => Err(Error::World("the guest's kernel is gone: run again".into())),
            },
        }
    }
}

impl FromStr for Choice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "auto" => Ok(Self::Auto),
            "guest" => Ok(Self::Guest),
            "host" => Ok(Self::Host),
            _ => Err("the worlds are auto, guest and host".into()),
        }
    }
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "auto",
            Self::Guest => "guest",
            Self::Host => "host",
        })
    }
}

/// Decides, without making anything. `program` is what workers are: the host is asked by starting one.
pub fn choose(choice: Choice, store: &Store, program: &Path) -> Result<Kind> {
    match choice {
        Choice::Guest => guest(store).map_err(|why| Error::World(format!("guest: {why}"))),
        Choice::Host => host(program).map_err(|why| Error::World(format!("host: {why}"))),
        Choice::Auto => guest(store).or_else(|no_guest| {
            host(program).map_err(|no_host| Error::World(format!("guest: {no_guest}; host: {no_host}")))
        }),
    }
}

/// Why there can be no guest, or that there can be one.
pub fn guest(store: &Store) -> Result<Kind, String> {
    if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        return Err("User Mode Linux needs an x86-64 Linux machine".into());
    }
    if store.lookup(Name::Kernel).is_none() {
        store.can_make(&[Name::Kernel]).map_err(|e| e.to_string())?;
    }
    Ok(Kind::Guest)
}

/// Why namespaces of this kernel do not do, or that they do.
pub fn host(program: &Path) -> Result<Kind, String> {
    super::host::probe(program).map(|()| Kind::Host)
}
