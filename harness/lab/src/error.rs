//! What can go wrong in the laboratory. None of these says anything about a tunnel.

use std::{io, path::PathBuf};

use thiserror::Error;

pub type Result<T, E = Error> = std::result::Result<T, E>;

#[derive(Debug, Error)]
pub enum Error {
    #[error("machine `{machine}`: {action}: {source}")]
    Machine { machine: String, action: String, source: io::Error },
    #[error("machine `{machine}` is gone: its thread ended while it was asked to work")]
    MachineGone { machine: String },
    #[error("machine `{machine}`: netlink: {action}: {reason}")]
    Netlink { machine: String, action: String, reason: String },
    #[error("{daemon} on `{machine}`: {reason}; its log is {log}")]
    Daemon { daemon: &'static str, machine: String, reason: String, log: String },
    #[error("waited {waited_ms} ms for {what}; last seen: {last}")]
    Deadline { what: String, waited_ms: u128, last: String },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("address plan: {0}")]
    Address(String),
    #[error("the worker failed: {reason} ({status}); it said last:{said}")]
    Worker { reason: String, status: String, said: String },
    #[error("no world can be made here: {0}")]
    World(String),
    #[error(transparent)]
    Image(#[from] crate::image::ImageError),
}

impl Error {
    pub(crate) fn machine(machine: &str, action: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let (machine, action) = (machine.to_owned(), action.into());
        move |source| Self::Machine { machine, action, source }
    }

    pub(crate) fn netlink(machine: &str, action: impl Into<String>, reason: impl ToString) -> Self {
        Self::Netlink { machine: machine.to_owned(), action: action.into(), reason: reason.to_string() }
    }

    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
