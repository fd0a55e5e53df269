//! One cell as the report shows it: every number and time already in words.

use std::collections::BTreeMap;

use minijinja::Value;
use runner::record::{CellRecord, Check, Negotiated, Record, StateChange, StepStatus};
use serde::Serialize;
use wire::audit::Finding;

use super::{Badge, account, api, evidence, sequence, timeline, topology};
use crate::{claim, format};

#[derive(Serialize)]
pub struct Cell<'a> {
    badge: Badge,
    anchor: String,
    id: &'a str,
    /// In full, or in brief with links to the evidence.
    full: bool,
    open: bool,
    reason: &'a str,
    /// What is expected of it, and whether it was run before.
    notes: Vec<String>,
    prediction: &'a str,
    grade: Option<String>,
    router: &'a str,
    customer: &'a str,
    negotiated: Option<&'a Negotiated>,
    axes: &'a [(String, String)],
    packets: Option<account::Packets>,
    rerun: String,
    wall: String,
    virtual_time: String,
    checks: Vec<Checked<'a>>,
    failed: usize,
    findings: Vec<Found<'a>>,
    topology: Option<Value>,
    timeline: Option<Value>,
    sequence: Option<Value>,
    steps: Vec<Step<'a>>,
    account: Option<account::Shown<'a>>,
    api: Vec<api::Call<'a>>,
    requests: String,
    states: Vec<States<'a>>,
    evidence: evidence::Shown<'a>,
}

impl<'a> Cell<'a> {
    pub fn new(cell: &'a CellRecord, record: &Record, anchor: String, full: bool, open: bool) -> Self {
        let packets = cell.account.as_ref().and_then(account::Packets::new);
        Self {
            badge: Badge::from(cell.verdict),
            anchor,
            id: &cell.id,
            full,
            open,
            reason: &cell.reason,
            notes: [claim::expected(cell), claim::reused(cell)].into_iter().flatten().collect(),
            prediction: &cell.prediction,
            grade: cell.grade.as_ref().map(ToString::to_string),
            router: &cell.router,
            customer: &cell.customer,
            negotiated: cell.negotiated.as_ref(),
            axes: &cell.axes,
            packets,
            rerun: format!("tunnelproof run {}{}", ground(record), evidence::quoted(&cell.id)),
            wall: format::length(cell.wall_ms),
            virtual_time: format::length(cell.virtual_ms),
            checks: cell.checks.iter().map(Checked::new).collect(),
            failed: cell.checks.iter().filter(|check| !check.holds).count(),
            findings: cell.account.iter().flat_map(|account| &account.findings).map(Found::new).collect(),
            topology: drawing(full, || topology::draw(cell)),
            timeline: drawing(full, || timeline::draw(cell)),
            sequence: drawing(full, || sequence::draw(cell, sequence::IN_THE_REPORT)),
            steps: if full { cell.steps.iter().map(Step::new).collect() } else { Vec::new() },
            account: cell.account.as_ref().filter(|_| full).map(|account| account::Shown::new(account, &cell.sas)),
            api: if full { api::calls(&cell.api) } else { Vec::new() },
            requests: format::plural(cell.api.len(), "request"),
            states: if full { states(&cell.states) } else { Vec::new() },
            evidence: evidence::Shown::new(cell, full),
        }
    }
}

/// The arguments that say what to run on, where that is not found out by looking.
fn ground(record: &Record) -> String {
    match (record.world.as_str(), &record.sabotage) {
        ("modelled", _) => "--world modelled ".to_owned(),
        ("foreign", _) => "--cloud ENDPOINT-FILE ".to_owned(),
        (_, Some(defect)) => format!("--sabotage {defect} "),
        (_, None) => String::new(),
    }
}

fn drawing(full: bool, draw: impl FnOnce() -> Option<String>) -> Option<Value> {
    if full { draw().map(Value::from_safe_string) } else { None }
}

/// A finding, its frames in words.
#[derive(Serialize)]
struct Found<'a> {
    #[serde(flatten)]
    finding: &'a Finding,
    shown_by: Option<String>,
}

impl<'a> Found<'a> {
    fn new(finding: &'a Finding) -> Self {
        Self { finding, shown_by: format::frames_and(&finding.frames, finding.more) }
    }
}

/// A check, its frames in words.
#[derive(Serialize)]
struct Checked<'a> {
    #[serde(flatten)]
    check: &'a Check,
    shown_by: Option<String>,
}

impl<'a> Checked<'a> {
    fn new(check: &'a Check) -> Self {
        Self { check, shown_by: format::frames(&check.frames) }
    }
}

#[derive(Serialize)]
struct Step<'a> {
    begin: String,
    took: String,
    text: &'a str,
    outcome: &'a str,
    /// `done`, `failed` or `skipped`.
    status: StepStatus,
}

impl<'a> Step<'a> {
    fn new(step: &'a runner::record::StepRecord) -> Self {
        Self {
            begin: format::clock(step.begin_ms),
            took: format::length(step.end_ms.saturating_sub(step.begin_ms)),
            text: &step.text,
            outcome: &step.outcome,
            status: step.status,
        }
    }
}

/// What the cloud said of one connection.
#[derive(Serialize)]
struct States<'a> {
    connection: &'a str,
    changes: Vec<(&'a str, String)>,
}

fn states(changes: &[StateChange]) -> Vec<States<'_>> {
    let mut all: BTreeMap<&str, Vec<&StateChange>> = BTreeMap::new();
    for change in changes {
        all.entry(&change.connection).or_default().push(change);
    }
    let mut shown = Vec::new();
    for (connection, mut changes) in all {
        changes.sort_by_key(|change| change.at_ms);
        let changes = changes.into_iter().map(|c| (c.state.as_str(), format::clock(c.at_ms))).collect();
        shown.push(States { connection, changes });
    }
    shown
}
