//! What the two halves of a worker tell each other.

use std::path::PathBuf;

use lab::{meter::Spent, topology::Pair};
use policy::{Daemon, IkeVersion, Policy, PreSharedKey};
use scenario::Cell;
use serde::{Deserialize, Serialize};

use crate::{drive::Defect, site::SiteJob};

/// To the worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    Cell(Box<Job>),
    Bare(Box<BareJob>),
    Site(SiteJob),
}

/// Run a tunnel between two gateways with no cloud around them.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct BareJob {
    pub machines: Kept,
    /// It exists.
    pub folder: PathBuf,
    pub trees: Vec<(Daemon, PathBuf)>,
    pub round: Round,
}

/// What outlasts a tunnel in a loop without a cloud.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kept {
    /// Gateways, their daemons, and the stations behind them.
    Everything,
    /// As in a run of cells: stations are made anew, and gateways are looked at before they are used again.
    Daemons,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Round {
    pub pair: Pair,
    pub policy: Policy,
    pub key: PreSharedKey,
    pub ike: IkeVersion,
    pub packets: u32,
}

/// Run this cell.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub cell: Cell,
    /// The cell's folder; it exists.
    pub folder: PathBuf,
    /// Where logs of daemons are as long as a cell runs; for this worker alone.
    pub logs: PathBuf,
    /// File trees of the daemons that take part.
    pub trees: Vec<(Daemon, PathBuf)>,
    /// What is wrong on purpose.
    #[serde(default)]
    pub defect: Option<Defect>,
}

/// From the worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum News {
    /// What it does now, for progress and for the watchdog.
    Doing(String),
    /// The cell is done; the observation is in its folder.
    Done(Spent),
    /// The gateways are there, and the round begins.
    Begun,
    /// The round is over; why it ended early, if it did.
    Over(Option<String>),
}
