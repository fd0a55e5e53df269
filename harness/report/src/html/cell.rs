//! One cell as the report shows it: every number and time already in words.

use minijinja::Value;
use runner::record::{CellRecord, Check, Evidence, Negotiated};
use serde::Serialize;
use wire::audit::Finding;

use super::{Badge, account, api, svg, timeline, topology};
use crate::format;

#[derive(Serialize)]
pub struct Cell<'a> {
    badge: Badge,
    anchor: String,
    id: &'a str,
    /// In full, or in brief with links to the evidence.
    full: bool,
    open: bool,
    reason: &'a str,
    prediction: &'a str,
    router: &'a str,
    customer: &'a str,
    negotiated: Option<&'a Negotiated>,
    axes: &'a [(String, String)],
    packets: Option<account::Packets>,
    rerun: String,
    wall: String,
    virtual_time: String,
    checks: &'a [Check],
    failed: usize,
    findings: &'a [Finding],
    topology: Option<Value>,
    timeline: Option<Value>,
    steps: Vec<Step<'a>>,
    account: Option<account::Shown<'a>>,
    api: Vec<api::Call<'a>>,
    requests: String,
    evidence: Vec<Link<'a>>,
}

impl<'a> Cell<'a> {
    pub fn new(cell: &'a CellRecord, anchor: String, full: bool, open: bool) -> Self {
        let packets = cell.account.as_ref().and_then(account::Packets::new);
        Self {
            badge: Badge::from(cell.verdict),
            anchor,
            id: &cell.id,
            full,
            open,
            reason: &cell.reason,
            prediction: &cell.prediction,
            router: &cell.router,
            customer: &cell.customer,
            negotiated: cell.negotiated.as_ref(),
            axes: &cell.axes,
            packets,
            rerun: format!("tunnelproof run {}", quoted(&cell.id)),
            wall: format::length(cell.wall_ms),
            virtual_time: format::length(cell.virtual_ms),
            checks: &cell.checks,
            failed: cell.checks.iter().filter(|check| !check.holds).count(),
            findings: cell.account.as_ref().map_or(&[], |account| &account.findings),
            topology: drawing(full, || topology::draw(cell)),
            timeline: drawing(full, || timeline::draw(cell)),
            steps: if full { cell.steps.iter().map(Step::new).collect() } else { Vec::new() },
            account: cell.account.as_ref().filter(|_| full).map(|account| account::Shown::new(account, &cell.sas)),
            api: if full { api::calls(&cell.api) } else { Vec::new() },
            requests: format::plural(cell.api.len(), "request"),
            evidence: links(&cell.evidence),
        }
    }
}

fn drawing(full: bool, draw: impl FnOnce() -> Option<String>) -> Option<Value> {
    if full { draw().map(Value::from_safe_string) } else { None }
}

/// A cell id as a shell takes it.
fn quoted(id: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=,:+@%".contains(c);
    if !id.is_empty() && id.chars().all(plain) { id.to_owned() } else { format!("'{}'", id.replace('\'', r"'\''")) }
}

#[derive(Serialize)]
struct Step<'a> {
    begin: String,
    took: String,
    text: &'a str,
    outcome: &'a str,
    ok: bool,
}

impl<'a> Step<'a> {
    fn new(step: &'a runner::record::StepRecord) -> Self {
        Self {
            begin: format::clock(step.begin_ms),
            took: format::length(step.end_ms.saturating_sub(step.begin_ms)),
            text: &step.text,
            outcome: &step.outcome,
            ok: step.ok,
        }
    }
}

/// A piece of evidence beside the report.
#[derive(Serialize)]
struct Link<'a> {
    label: &'a str,
    href: Value,
}

fn links(evidence: &Evidence) -> Vec<Link<'_>> {
    let named = [
        ("capture", &evidence.capture),
        ("keys", &evidence.keys),
        ("events", &evidence.events),
        ("API log", &evidence.api),
    ];
    let named = named.into_iter().filter_map(|(label, path)| Some((label, path.as_deref()?)));
    let logs = evidence.logs.iter().map(|path| (path.rsplit('/').next().unwrap_or(path), path.as_str()));
    named.chain(logs).map(|(label, path)| Link { label, href: Value::from_safe_string(svg::href(path)) }).collect()
}
