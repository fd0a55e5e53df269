//! The commands, and how they end.

pub mod audit;
pub mod bench;
pub mod check;
pub mod compare;
mod conclusion;
pub mod doctor;
mod expect;
pub mod plan;
pub mod report;
mod reuse;
pub mod run;
pub mod serve;
pub mod setup;

use std::{fmt, process::ExitCode};

use lab::image::{Image, ImageError, Name, Store, default_root};
use runner::Machines;

use crate::{paint, progress::Making};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    AsExpected,
    Unexpected,
    WrongInput,
    NoLaboratory,
}

impl From<Outcome> for ExitCode {
    fn from(outcome: Outcome) -> Self {
        Self::from(match outcome {
            Outcome::AsExpected => 0,
            Outcome::Unexpected => 1,
            Outcome::WrongInput => 2,
            Outcome::NoLaboratory => 3,
        })
    }
}

/// Why a command did not do what it should.
#[derive(Debug)]
pub enum Failure {
    /// What is wrong with the input, each with its place.
    Input(String),
    Laboratory(String),
}

impl Failure {
    pub fn outcome(&self) -> Outcome {
        match self {
            Self::Input(_) => Outcome::WrongInput,
            Self::Laboratory(_) => Outcome::NoLaboratory,
        }
    }

    /// Diagnostics begin with their place.
    pub fn prefix(&self) -> String {
        match self {
            Self::Input(_) => String::new(),
            Self::Laboratory(_) => paint::red("error: "),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Input(text) | Self::Laboratory(text) => f.write_str(text.trim_end()),
        }
    }
}

impl From<scenario::Diagnostics> for Failure {
    fn from(diagnostics: scenario::Diagnostics) -> Self {
        Self::Input(diagnostics.to_string())
    }
}

/// A database that is not this service's, or not this profile's, is the caller's to change.
impl From<cloud::CloudError> for Failure {
    fn from(error: cloud::CloudError) -> Self {
        Self::Input(error.to_string())
    }
}

macro_rules! laboratory {
    ($($error:ty),*) => {$(
        impl From<$error> for Failure {
            fn from(error: $error) -> Self {
                Self::Laboratory(error.to_string())
            }
        }
    )*};
}

laboratory!(lab::Error, ImageError, runner::Error, ::report::ReportError, std::io::Error);

fn store() -> Result<Store, Failure> {
    Ok(Store::open(default_root()?))
}

/// Makes what is missing, with progress; says beforehand what it will take.
fn ensure(store: &Store, names: &[Name]) -> Result<Vec<Image>, Failure> {
    let with_tools = names.iter().flat_map(|name| [Some(*name), name.builds_with()]).flatten();
    let mut missing: Vec<Name> = with_tools.filter(|name| store.lookup(*name).is_none()).collect();
    missing.sort();
    missing.dedup();
    if names.iter().all(|name| store.lookup(*name).is_some()) {
        return Ok(store.ensure(names, &|_: &str, _: &str, _: Option<(u64, u64)>| ())?);
    }
    let making = Making::begin(&missing, store.root());
    let made = store.ensure(names, &making);
    making.end(made.is_ok());
    Ok(made?)
}

/// The program that workers are.
fn program() -> Result<std::path::PathBuf, Failure> {
    let program = std::env::current_exe()?;
    if program.exists() {
        return Ok(program);
    }
    Err(Failure::Laboratory(format!("{} was replaced while it ran: start it again", program.display())))
}

fn describe(machines: &Machines) -> String {
    let (world, virtual_time) = (&machines.world, machines.has_virtual_time());
    let time = if virtual_time { "virtual time" } else { "real time" };
    format!("{world} world, {}, {time}", world.kernel())
}
