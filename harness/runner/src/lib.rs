//! From cells to a record: plan, build, drive, observe, judge.
//!
//! A run has two halves. The outer one, [`run`], hands cells to workers, judges what they observed and makes
//! the [`record::Record`]. The inner one, [`worker`], lives in a guest or in namespaces of its own: it builds
//! the laboratory, sends the steps to the cloud as a foreign client would, and writes down what it saw.

mod drive;
mod error;
mod judge;
mod message;
mod observation;
mod plan;
mod schedule;
mod site;
mod work;

pub mod record;

pub use error::Error;
pub use plan::plan;
pub use schedule::{Progress, Run, images, run};
pub use site::{Site, SitePlan};
pub use work::worker;

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;
