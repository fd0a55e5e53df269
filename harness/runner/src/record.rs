//! The record: the one serialisable result of a run. Every report is a view of it.

mod spent;
mod whole;

use std::net::Ipv4Addr;

use policy::Grade;
use serde::{Deserialize, Serialize};
use wire::audit::Account;

pub use scenario::Verdict;
pub use spent::Spent;
pub use whole::{Choice, Complaint, Diagnosis, Expected, Gate, Grievance, Setting, Shards};

/// The version of the format that this program writes.
pub const FORMAT: u32 = 2;

/// All that a run found out.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Record {
    /// Version of this format.
    pub format: u32,
    /// Version of the program.
    pub program: String,
    /// Wall-clock start of the run, RFC 3339.
    pub started: String,
    /// Wall-clock duration of the run in milliseconds.
    pub wall_ms: u64,
    pub world: String,
    /// The defect that it was given on purpose: a record that has one says nothing about anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sabotage: Option<String>,
    /// The machine, the kernel and the images that took part.
    pub laboratory: Laboratory,
    /// Which cells these are, of those that the files have.
    #[serde(default)]
    pub choice: Option<Choice>,
    /// What those that failed have in common.
    #[serde(default)]
    pub diagnoses: Vec<Diagnosis>,
    /// What is other than a file of expected results says, if there was one.
    #[serde(default)]
    pub gate: Option<Gate>,
    pub cells: Vec<CellRecord>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Laboratory {
    /// Release of the kernel that carried the packets; empty if there were none.
    pub kernel: String,
    pub images: Vec<ImageRecord>,
    /// The foreign cloud that was asked, if it was not the simulator.
    pub cloud: Option<CloudRecord>,
}

/// A foreign cloud, as it was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CloudRecord {
    pub url: String,
    /// As its listCapabilities tells it; empty if it was not reached.
    pub version: String,
    /// Whose rules it was held to.
    pub profile: String,
    /// What an earlier run, or another one, has left there; nobody touched it.
    pub leftovers: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ImageRecord {
    pub name: String,
    /// Digest of the image's recipe, in hexadecimal.
    pub digest: String,
    /// What matters most in it, such as `libreswan 5.2`.
    pub version: String,
}

/// One cell: what was to happen, what happened, and the verdict.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CellRecord {
    /// Stable and readable; the cell can be run alone by it.
    pub id: String,
    pub scenario: String,
    pub about: String,
    /// Values of the matrix axes, as `(axis, value)`.
    pub axes: Vec<(String, String)>,
    pub verdict: Verdict,
    /// Why, in one sentence; for `Proven` too.
    pub reason: String,
    /// What the policies say must happen.
    pub prediction: String,
    /// What is said today of the policy that the cloud was told; absent in records of programs that did not grade.
    #[serde(default)]
    pub grade: Option<Grade>,
    /// The proposals that were negotiated, such as `3des-md5;modp1536`.
    pub negotiated: Option<Negotiated>,
    /// The two ends, such as "strongSwan 5.9.8 standing in for Cisco IOS".
    pub router: String,
    pub customer: String,
    pub checks: Vec<Check>,
    pub steps: Vec<StepRecord>,
    pub api: Vec<ApiCall>,
    pub states: Vec<StateChange>,
    #[serde(default)]
    pub faults: Vec<Fault>,
    pub sas: Vec<SaSummary>,
    pub account: Option<Account>,
    /// Files beneath the run's folder, relative to it.
    pub evidence: Evidence,
    pub wall_ms: u64,
    /// When the cell began, in nanoseconds since 1970 of the clock that captures use; 0 if that is not known.
    #[serde(default)]
    pub began_ns: u64,
    /// Virtual time that passed in the cell, in milliseconds.
    pub virtual_ms: u64,
    /// What became of the machines of former cells, in words.
    #[serde(default)]
    pub machines: Vec<String>,
    #[serde(default)]
    pub spent: Spent,
    /// Digest of all that the verdict depends on; none if that is not known.
    #[serde(default)]
    pub key: Option<String>,
    /// When the run began that this was taken from, if it was not run in this one.
    #[serde(default)]
    pub reused: Option<String>,
    /// What a file of expected results says of it.
    #[serde(default)]
    pub expected: Option<Expected>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Negotiated {
    pub ike: String,
    pub esp: String,
}

/// One of the things that must hold for a cell to be proven, with what was seen.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Check {
    /// A stable name, such as `sa-matches-policy`.
    pub code: String,
    pub requirement: String,
    pub expected: String,
    pub observed: String,
    pub holds: bool,
    /// Frames of the capture that show it, as Wireshark counts; none where it is no matter of frames.
    #[serde(default)]
    pub frames: Vec<u64>,
}

/// A step of the scenario, as it went.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StepRecord {
    pub text: String,
    /// What came of it; if it could not be taken, why.
    pub outcome: String,
    pub status: StepStatus,
    /// Virtual milliseconds since the cell began.
    pub begin_ms: u64,
    pub end_ms: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum StepStatus {
    /// It did what it says.
    Done,
    Failed,
    /// It could not be taken here; those after it were.
    Skipped,
}

impl CellRecord {
    /// Steps that could not be taken, each with its reason as its outcome.
    pub fn skipped_steps(&self) -> impl Iterator<Item = &StepRecord> {
        self.steps.iter().filter(|step| step.status == StepStatus::Skipped)
    }
}

/// A request to the cloud and its answer; secrets are replaced.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ApiCall {
    /// Virtual milliseconds since the cell began.
    pub at_ms: u64,
    pub command: String,
    /// Parameters as sent, without credentials.
    pub parameters: Vec<(String, String)>,
    pub status: u16,
    /// The answer in JSON, shortened where it is long.
    pub answer: String,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct StateChange {
    pub at_ms: u64,
    /// The connection, in words: `main -> branch`.
    pub connection: String,
    pub state: String,
}

/// Something that was done to a link, a machine or a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    pub at_ms: u64,
    pub text: String,
}

/// A kernel SA as the lab saw it; its keys are in the `keys` folder only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SaSummary {
    pub machine: String,
    pub spi: u32,
    pub source: Ipv4Addr,
    pub destination: Ipv4Addr,
    pub suite: String,
    /// Virtual milliseconds since the cell began.
    pub added_ms: u64,
    pub deleted_ms: Option<u64>,
    /// The kernel's own counters when last read.
    pub packets: u64,
    pub bytes: u64,
}

/// Where the evidence is, relative to the run's folder.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Evidence {
    pub capture: Option<String>,
    pub keys: Option<String>,
    pub events: Option<String>,
    pub api: Option<String>,
    pub logs: Vec<String>,
}
