//! From cells to a record: plan, build, drive, observe, judge.
//!
//! A run has two halves. The outer one, [`run`], hands cells to workers, judges what they observed and makes
//! the [`record::Record`]. The inner one, [`worker`], lives in a guest or in namespaces of its own: it builds
//! the laboratory, sends the steps to the cloud as a foreign client would, and writes down what it saw. Where there
//! are no packets, in the modelled world and against a foreign cloud, there is no inner half.

mod bare;
mod control;
mod diagnosis;
mod drive;
mod endpoint;
mod error;
mod gate;
mod held;
mod judge;
mod key;
mod limits;
mod message;
mod observation;
mod plan;
mod queue;
mod rejudge;
mod schedule;
mod site;
mod work;
mod workers;

pub mod record;

pub use bare::{Tunnels, tunnels};
pub use diagnosis::diagnose;
pub use drive::Defect;
pub use endpoint::{Endpoint, Foreign};
pub use error::Error;
pub use gate::{Known, hold};
pub use held::held;
pub use key::program_identity;
pub use message::Kept;
pub use plan::{plan, plan_modelled};
pub use queue::Times;
pub use rejudge::rejudge;
pub use schedule::{Ground, Machines, Progress, Run, Session, run};
pub use site::{Site, SitePlan};
pub use work::worker;
pub use workers::images;

pub(crate) type Result<T, E = Error> = std::result::Result<T, E>;
