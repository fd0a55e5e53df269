//! What the two halves of a worker tell each other.

use std::path::PathBuf;

use policy::Daemon;
use scenario::Cell;
use serde::{Deserialize, Serialize};

use crate::site::SiteJob;

/// To the worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Order {
    Cell(Box<Job>),
    Site(SiteJob),
}

/// Run this cell.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Job {
    pub cell: Cell,
    /// The cell's folder; it exists.
    pub folder: PathBuf,
    /// File trees of the daemons that take part.
    pub trees: Vec<(Daemon, PathBuf)>,
}

/// From the worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum News {
    /// What it does now, for progress and for the watchdog.
    Doing(String),
    /// The cell is done; the observation is in its folder.
    Done,
}
