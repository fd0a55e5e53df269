//! Why a service cannot start or go on. What a request did wrong is told to its sender instead.

use std::path::PathBuf;

use thiserror::Error;

#[derive(Debug, Error)]
pub enum CloudError {
    #[error("{}: {source}; name a database that this service made, or a new file", path.display())]
    Store { path: PathBuf, source: rusqlite::Error },
    #[error("{} is in use by another service: end that one, or name another file", path.display())]
    InUse { path: PathBuf },
    #[error("the store in memory: {source}")]
    Memory { source: rusqlite::Error },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: std::io::Error },
    #[error(
        "{} holds a store of profile {found}, not {wanted}: start it with that profile, or name another file",
        path.display()
    )]
    OtherProfile { path: PathBuf, found: String, wanted: &'static str },
    #[error("the store cannot be recovered: {0}; name a new file")]
    Recovery(String),
    #[error("the listener: {0}")]
    Listener(std::io::Error),
    #[error("no public addresses: give at least one, for the VPCs' source NAT")]
    NoPublicAddress,
    #[error("unknown profile `{found}`: write one of {known}")]
    UnknownProfile { found: String, known: String },
}
