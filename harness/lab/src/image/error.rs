//! What can go wrong while images are made, each with what to do about it.

use std::{io, path::PathBuf};

use thiserror::Error;

#[derive(Debug, Error)]
pub enum ImageError {
    #[error("there is no image `{name}`: the images are {known}")]
    Unknown { name: String, known: String },
    #[error("the recipe {file} is wrong: {reason}")]
    Recipe { file: String, reason: String },
    #[error("`{tool}` is not on this machine: install the Debian package `{package}` (apt-get install {package})")]
    Tool { tool: &'static str, package: &'static str },
    #[error("no Debian archive in {looked_at}: name a mirror in TUNNELPROOF_MIRROR (the address that ends in /debian)")]
    NoMirror { looked_at: String },
    #[error("{} is missing: install the Debian package `debian-archive-keyring`", path.display())]
    NoKeyring { path: PathBuf },
    #[error(
        "the Debian archive cannot be reached while {doing} for `{image}`: check the network and apt's proxy \
         settings, then run again (what has arrived is kept)\n{last}\nthe whole log is {}", log.display()
    )]
    Network { image: String, doing: String, last: String, log: PathBuf },
    #[error("{file} is not what the signed index says (SHA-256 {found}, expected {expected}): remove it and run again")]
    Digest { file: String, found: String, expected: String },
    #[error("the archive offers no `{package}` of version {wanted} (found {found}): update tunnelproof")]
    Version { package: String, wanted: String, found: String },
    #[error(
        "not enough room in {}: {missing_mb} MB more are needed ({needed_mb} MB in all); \
         free some, or set TUNNELPROOF_CACHE to a folder on a larger disk", cache.display()
    )]
    Room { cache: PathBuf, needed_mb: u64, missing_mb: u64 },
    #[error("the cache {} cannot be written: {source}; set TUNNELPROOF_CACHE to a folder of your own", path.display())]
    Cache { path: PathBuf, source: io::Error },
    #[error("no folder for the cache: set TUNNELPROOF_CACHE (HOME and XDG_CACHE_HOME are not set)")]
    NoHome,
    #[error("no chroot of one's own is possible here ({detail}): {remedy}")]
    Namespaces { detail: String, remedy: String },
    #[error("image `{image}`: {doing} failed\n{last}\nthe whole log is {}", log.display())]
    Build { image: String, doing: String, last: String, log: PathBuf },
    #[error(
        "image `{image}`: the kernel's configuration lacks {options}: another option they depend on is missing \
         from images/kernel/config.fragment"
    )]
    Options { image: String, options: String },
    #[error("{}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("`{program}` does not start: {source}")]
    Start { program: String, source: io::Error },
    #[error("stopped, because another image failed")]
    Stopped,
}

impl ImageError {
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
