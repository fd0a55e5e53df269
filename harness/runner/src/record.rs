//! The record: the one serialisable result of a run. Every report is a view of it.

use std::{fmt, net::Ipv4Addr, time::Duration};

use lab::meter::{self, Work};
use serde::{Deserialize, Serialize};
use wire::audit::Account;

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
    /// The machine, the kernel and the images that took part.
    pub laboratory: Laboratory,
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
    /// The proposals that were negotiated, such as `3des-md5;modp1536`.
    pub negotiated: Option<Negotiated>,
    /// The two ends, such as "strongSwan 5.9.8 standing in for Cisco IOS".
    pub router: String,
    pub customer: String,
    pub checks: Vec<Check>,
    pub steps: Vec<StepRecord>,
    pub api: Vec<ApiCall>,
    pub states: Vec<StateChange>,
    pub sas: Vec<SaSummary>,
    pub account: Option<Account>,
    /// Files beneath the run's folder, relative to it.
    pub evidence: Evidence,
    pub wall_ms: u64,
    /// Virtual time that passed in the cell, in milliseconds.
    pub virtual_ms: u64,
    /// What became of the machines of former cells, in words.
    #[serde(default)]
    pub machines: Vec<String>,
    #[serde(default)]
    pub spent: Spent,
}

/// Where the time of a cell went by the clock on the wall, in microseconds; zeros where there were no machines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spent {
    /// Starting the worker, if the cell was its first.
    pub boot_us: u64,
    /// Namespaces, links, rules, and what the kernel is asked of its SAs.
    pub machines_us: u64,
    /// Starting the daemons, telling them of tunnels, and ending them.
    pub daemons_us: u64,
    /// IKE: from the first message until the SAs are there, and from the end of the tunnel until they are gone.
    pub negotiation_us: u64,
    /// Probes, and waiting for them.
    pub traffic_us: u64,
    /// Beginning and ending captures.
    pub capture_us: u64,
    /// The service, its clients, and everything else in the worker.
    pub api_us: u64,
    /// Audit and verdict, outside of the worker.
    pub judgement_us: u64,
}

impl Spent {
    /// Takes over what a worker counted in ticks, all of which are so much time.
    pub(crate) fn note(&mut self, ticks: &meter::Spent, wall: Duration) {
        let all = ticks.on(Work::Cell).max(1) as f64;
        let scaled = |ticks: u64| (ticks as f64 / all * wall.as_micros() as f64) as u64;
        let [laboratory, fabric, daemons, negotiation, traffic, capture] =
            [Work::Laboratory, Work::Fabric, Work::Daemons, Work::Negotiation, Work::Traffic, Work::Capture]
                .map(|work| ticks.on(work));
        self.daemons_us = scaled(daemons);
        self.negotiation_us = scaled(negotiation);
        self.traffic_us = scaled(traffic);
        self.capture_us = scaled(capture);
        // Daemons, negotiations and captures are parts of what the laboratory does for itself and for the cloud.
        let outer = laboratory + fabric;
        self.machines_us = scaled(outer.saturating_sub(daemons + negotiation + capture));
        self.api_us = scaled(ticks.on(Work::Cell).saturating_sub(outer + traffic));
    }

    /// In the order in which a report shows them.
    pub fn parts(&self) -> [(&'static str, u64); 8] {
        [
            ("boot", self.boot_us),
            ("machines", self.machines_us),
            ("daemons", self.daemons_us),
            ("IKE", self.negotiation_us),
            ("traffic", self.traffic_us),
            ("capture", self.capture_us),
            ("API", self.api_us),
            ("audit", self.judgement_us),
        ]
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Proven,
    Refuted,
    /// A daemon lacks the algorithm.
    Unsupported,
    /// This world cannot do it: the reason says why.
    Skipped,
    /// The laboratory failed, not the tunnel.
    Broken,
}

impl Verdict {
    pub const ALL: [Self; 5] = [Self::Proven, Self::Refuted, Self::Unsupported, Self::Skipped, Self::Broken];

    pub fn name(self) -> &'static str {
        match self {
            Self::Proven => "proven",
            Self::Refuted => "refuted",
            Self::Unsupported => "unsupported",
            Self::Skipped => "skipped",
            Self::Broken => "broken",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
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
