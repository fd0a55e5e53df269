//! Images: what a laboratory's machines are made of, made on this machine out of Debian packages.
//!
//! A [`Store`] is one cache folder. [`Store::ensure`] makes what is missing and returns [`Image`]s;
//! everything it fetches is verified by apt against the Debian archive's signatures, and nothing
//! outside the cache folder is written. Works as root and as an ordinary user.

mod apt;
mod build;
mod child;
mod chroot;
pub mod digest;
mod doctor;
mod error;
mod lock;
mod manifest;
mod sources;
mod store;
mod tree;

use std::{
    collections::BTreeMap,
    fmt,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub(crate) use chroot::switch;
pub use doctor::Fact;
pub use error::ImageError;
pub use store::{Store, default_root};

type Result<T> = std::result::Result<T, ImageError>;

/// The images that can be made; the recipe of each is a folder under `images/`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Name {
    /// The chroot in which sources are built; a laboratory does not need it once the others are ready.
    #[serde(rename = "toolchain")]
    Toolchain,
    #[serde(rename = "kernel")]
    Kernel,
    #[serde(rename = "libreswan")]
    Libreswan,
    #[serde(rename = "strongswan")]
    Strongswan,
    #[serde(rename = "strongswan-5.9")]
    Strongswan59,
}

impl Name {
    pub const ALL: [Self; 5] = [Self::Toolchain, Self::Kernel, Self::Libreswan, Self::Strongswan, Self::Strongswan59];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Toolchain => "toolchain",
            Self::Kernel => "kernel",
            Self::Libreswan => "libreswan",
            Self::Strongswan => "strongswan",
            Self::Strongswan59 => "strongswan-5.9",
        }
    }

    /// The image that this one is built in.
    pub fn builds_with(self) -> Option<Self> {
        manifest::Recipe::of(self).manifest().ok()?.builds_with
    }

    /// What has to be downloaded for it, in MB, package lists included; for people who wait.
    pub fn download_megabytes(self) -> u32 {
        match self {
            Self::Toolchain => 100,
            Self::Kernel => 166,
            Self::Libreswan => 14,
            Self::Strongswan => 20,
            Self::Strongswan59 => 40,
        }
    }
}

impl From<policy::Daemon> for Name {
    fn from(daemon: policy::Daemon) -> Self {
        match daemon {
            policy::Daemon::Libreswan => Self::Libreswan,
            policy::Daemon::Strongswan => Self::Strongswan,
            policy::Daemon::Strongswan59 => Self::Strongswan59,
        }
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Name {
    type Err = ImageError;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|name| name.as_str() == text)
            .ok_or_else(|| ImageError::Unknown { name: text.to_owned(), known: Self::ALL.map(Self::as_str).join(", ") })
    }
}

/// An image that is ready: a folder that is never written again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Image {
    pub name: Name,
    /// First 16 hexadecimal digits of the SHA-256 of everything the image is made by.
    pub digest: String,
    pub path: PathBuf,
    pub made: Made,
}

impl Image {
    /// The file tree a machine runs from; the kernel has none.
    pub fn root(&self) -> PathBuf {
        self.path.join("root")
    }

    /// The program that is the guest's kernel; only the kernel image has it.
    pub fn kernel(&self) -> PathBuf {
        self.path.join("linux")
    }
}

/// What an image really consists of: `made.json` in its folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Made {
    pub image: Name,
    pub digest: String,
    /// What reports call it: `strongSwan 6.0.1`.
    pub version: String,
    pub packages: Vec<Package>,
    pub sources: Vec<SourceFile>,
    /// What the finished image said when it was run: `modp1024` is `yes` or `no`, `pluto` its version.
    pub facts: BTreeMap<String, String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub sha256: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceFile {
    pub package: String,
    pub version: String,
    pub file: String,
    pub sha256: String,
}

/// Told what is being done; several threads call it at once.
pub trait Progress: Sync {
    /// `done` is (so far, in all): bytes while downloading, files or lines of output otherwise.
    fn step(&self, image: &str, text: &str, done: Option<(u64, u64)>);
}

impl<F: Fn(&str, &str, Option<(u64, u64)>) + Sync> Progress for F {
    fn step(&self, image: &str, text: &str, done: Option<(u64, u64)>) {
        self(image, text, done);
    }
}

fn read(path: &Path) -> Result<Vec<u8>> {
    std::fs::read(path).map_err(ImageError::file(path))
}
