//! What a worker saw of a cell, before anything is judged.

use std::{
    fs::{self, DirBuilder},
    net::Ipv4Addr,
    os::unix::fs::DirBuilderExt,
    path::Path,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use wire::audit::{Account, Facts};

use crate::{
    Error, Result,
    record::{ApiCall, Fault, SaSummary, StateChange, StepRecord},
};

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Observation {
    pub steps: Vec<StepRecord>,
    pub api: Vec<ApiCall>,
    pub states: Vec<StateChange>,
    pub sas: Vec<SaSummary>,
    /// What answers said of what was asked for.
    pub answers: Vec<Answer>,
    /// Bytes of each connection, as the cloud tells them.
    pub usage: Vec<Usage>,
    /// Public addresses of the routers.
    #[serde(default)]
    pub routers: Vec<Ipv4Addr>,
    /// SAs that no policy of ours describes, in words.
    pub strange_sas: Vec<String>,
    /// What became of machines of former cells, in words.
    #[serde(default)]
    pub machines: Vec<String>,
    /// Why the list of SAs may not be complete.
    pub gaps: Vec<String>,
    /// What was done to links, machines and messages.
    #[serde(default)]
    pub faults: Vec<Fault>,
    /// Alerts about connections, as the cloud tells them.
    #[serde(default)]
    pub alerts: Vec<AlertSeen>,
    /// When the cell began, in nanoseconds since 1970.
    #[serde(default)]
    pub began_ns: u64,
    /// Virtual milliseconds of the whole cell.
    pub virtual_ms: u64,
    /// Why the laboratory failed, if it did.
    pub broken: Option<String>,
}

/// A field of an answer that repeats what was asked for.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Answer {
    pub command: String,
    pub field: String,
    pub asked: String,
    pub told: String,
}

/// An alert, and when the cloud says that it was sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct AlertSeen {
    pub at_ms: u64,
    pub text: String,
}

/// What listUsageRecords says of one connection, by the addresses of its ends.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Usage {
    pub router: Ipv4Addr,
    pub customer: Ipv4Addr,
    pub sent_bytes: u64,
    pub received_bytes: u64,
}

/// Files of a cell's folder. Keys are in their own folder, and nowhere else.
pub(crate) const OBSERVATION: &str = "observation.json";
pub(crate) const CAPTURE: &str = "capture.pcapng";
pub(crate) const KEYS: &str = "keys";
pub(crate) const FACTS: &str = "keys/facts.json";
pub(crate) const ESP_SA: &str = "keys/esp_sa";
pub(crate) const IKE_KEYS: &str = "keys/ikev1_decryption_table";
pub(crate) const EVENTS: &str = "events.jsonl";
pub(crate) const API: &str = "api.jsonl";
pub(crate) const LOGS: &str = "logs";

impl Observation {
    pub fn write(&self, folder: &Path) -> Result<()> {
        lines(&folder.join(API), &self.api)?;
        put(&folder.join(OBSERVATION), self)
    }

    pub fn read(folder: &Path) -> Result<(Self, Facts)> {
        Ok((get(&folder.join(OBSERVATION))?, get(&folder.join(FACTS))?))
    }
}

/// What the audit is told.
pub(crate) fn write_facts(facts: &Facts, folder: &Path) -> Result<()> {
    let keys = folder.join(KEYS);
    DirBuilder::new().recursive(true).mode(0o700).create(&keys).map_err(Error::file(&keys))?;
    put(&folder.join(FACTS), facts)?;
    let esp_sa = folder.join(ESP_SA);
    fs::write(&esp_sa, wire::wireshark::esp_sa_table(&facts.sas)).map_err(Error::file(&esp_sa))
}

/// The keys of IKE SAs, which only the audit finds.
pub(crate) fn write_ike_keys(account: &Account, folder: &Path) -> Result<()> {
    let path = folder.join(IKE_KEYS);
    let table = wire::wireshark::ikev1_decryption_table(&account.encryption_keys);
    if table.is_empty() {
        return Ok(());
    }
    fs::write(&path, table).map_err(Error::file(&path))
}

/// One JSON value a line.
pub(crate) fn lines<T: Serialize>(path: &Path, values: &[T]) -> Result<()> {
    let mut text = Vec::new();
    for value in values {
        serde_json::to_writer(&mut text, value).map_err(|e| Error::file(path)(e.into()))?;
        text.push(b'\n');
    }
    fs::write(path, text).map_err(Error::file(path))
}

/// Everything that happened, in the order of time.
pub(crate) fn events(observation: &Observation) -> Vec<Event> {
    let event = |at_ms, kind: &'static str, text: String| Event { at_ms, kind, text };
    let mut events = Vec::new();
    for step in &observation.steps {
        events.push(event(step.begin_ms, "step", step.text.clone()));
        events.push(event(step.end_ms, "step-done", format!("{}: {}", step.text, step.outcome)));
    }
    for call in &observation.api {
        events.push(event(call.at_ms, "api", format!("{} answered {}", call.command, call.status)));
    }
    for change in &observation.states {
        events.push(event(change.at_ms, "state", format!("{} is {}", change.connection, change.state)));
    }
    for fault in &observation.faults {
        events.push(event(fault.at_ms, "fault", fault.text.clone()));
    }
    for alert in &observation.alerts {
        events.push(event(alert.at_ms, "alert", alert.text.clone()));
    }
    for sa in &observation.sas {
        let name = format!("SPI {:#010x} {} to {} on {}", sa.spi, sa.source, sa.destination, sa.machine);
        events.push(event(sa.added_ms, "sa-added", format!("{name}, {}", sa.suite)));
        if let Some(deleted_ms) = sa.deleted_ms {
            events.push(event(deleted_ms, "sa-deleted", format!("{name}, {} packets", sa.packets)));
        }
    }
    events.sort_by_key(|event| event.at_ms);
    events
}

/// A line of `events.jsonl`.
#[derive(Debug, Serialize)]
pub(crate) struct Event {
    /// Virtual milliseconds since the cell began.
    at_ms: u64,
    kind: &'static str,
    text: String,
}

fn put(path: &Path, value: &impl Serialize) -> Result<()> {
    let text = serde_json::to_vec(value).map_err(|e| Error::file(path)(e.into()))?;
    fs::write(path, text).map_err(Error::file(path))
}

fn get<T: DeserializeOwned>(path: &Path) -> Result<T> {
    let text = fs::read(path).map_err(Error::file(path))?;
    serde_json::from_slice(&text).map_err(|e| Error::file(path)(e.into()))
}
