//! JUnit XML for build servers: a suite for each scenario, a test case for each cell.
//!
//! A cell that was skipped or is unsupported is `skipped` there too, with its reason: a build server
//! must never count as passed what was not proven. So is a cell that is refuted as a file of expected results says; one
//! that is otherwise than that file says is a failure, and so is an entry of the file that is stale or over.

use std::time::Duration;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};
use runner::record::{CellRecord, Gate, Grievance, Record, StepStatus, Verdict};

use crate::{ReportError, claim, format, html::by_scenario};

/// The whole record as JUnit XML.
pub fn render(record: &Record) -> Result<String, ReportError> {
    let mut report = Report::new("tunnelproof");
    report.timestamp = record.started.parse().ok();
    report.set_time(Duration::from_millis(record.wall_ms));
    report.add_test_suites(by_scenario(&record.cells).into_iter().map(|(name, cells)| suite(record, name, &cells)));
    report.add_test_suites(record.gate.as_ref().and_then(entries));
    Ok(report.to_string()?)
}

/// What is wrong with the file of expected results itself.
fn entries(gate: &Gate) -> Option<TestSuite> {
    let own = gate.complaints.iter().filter(|one| matches!(one.kind, Grievance::Stale | Grievance::Expired));
    let cases: Vec<_> = own
        .map(|complaint| {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
            status.set_message(complaint.help.as_str());
            TestCase::new(complaint.text.as_str(), status)
        })
        .collect();
    let mut suite = TestSuite::new(gate.file.as_str());
    (!cases.is_empty()).then(|| {
        suite.add_test_cases(cases);
        suite
    })
}

fn suite(record: &Record, name: &str, cells: &[&CellRecord]) -> TestSuite {
    let mut suite = match &record.sabotage {
        Some(defect) => TestSuite::new(format!("sabotaged by {defect}: {name}")),
        None => TestSuite::new(name),
    };
    suite.set_time(cells.iter().map(|cell| time(cell)).sum());
    suite.add_property(("world", record.world.as_str()));
    if !record.laboratory.kernel.is_empty() {
        suite.add_property(("kernel", record.laboratory.kernel.as_str()));
    }
    if let Some(cloud) = &record.laboratory.cloud {
        suite.add_property(("cloud", format::cloud(cloud).as_str()));
        for left in &cloud.leftovers {
            suite.add_property(("left by another run", left.as_str()));
        }
    }
    for image in &record.laboratory.images {
        suite.add_property((format!("image {}", image.name), format!("{} ({})", image.version, image.digest)));
    }
    suite.add_test_cases(cells.iter().map(|cell| case(cell)));
    suite
}

fn case(cell: &CellRecord) -> TestCase {
    let mut case = TestCase::new(cell.id.as_str(), status(cell));
    case.set_classname(cell.scenario.as_str());
    case.set_time(time(cell));
    let steps = steps(cell);
    if !steps.is_empty() {
        case.set_system_out(steps);
    }
    for (axis, value) in &cell.axes {
        case.add_property((axis.as_str(), value.as_str()));
    }
    for (name, text) in [("reused", claim::reused(cell)), ("expected", claim::expected(cell))] {
        if let Some(text) = text {
            case.add_property((name, text.as_str()));
        }
    }
    case
}

/// What was taken from an earlier run took no time in this one.
fn time(cell: &CellRecord) -> Duration {
    Duration::from_millis(if cell.reused.is_some() { 0 } else { cell.wall_ms })
}

fn status(cell: &CellRecord) -> TestCaseStatus {
    let unlike = claim::is_unlike(cell);
    let mut status = match cell.verdict {
        Verdict::Broken if unlike => TestCaseStatus::non_success(NonSuccessKind::Error),
        _ if unlike => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Proven => return TestCaseStatus::success(),
        Verdict::Refuted | Verdict::Broken | Verdict::Skipped | Verdict::Unsupported => TestCaseStatus::skipped(),
    };
    status.set_type(cell.verdict.name());
    let reason = match cell.verdict {
        Verdict::Unsupported => format!("unsupported: {}", cell.reason),
        _ => cell.reason.clone(),
    };
    status.set_message(match claim::expected(cell) {
        Some(expected) => format!("{expected}; it is {}: {reason}", cell.verdict),
        None => reason,
    });
    let evidence = contradictions(cell);
    if !evidence.is_empty() {
        status.set_description(evidence);
    }
    status
}

/// The checks that do not hold and the findings of the audit, with all that they say.
fn contradictions(cell: &CellRecord) -> String {
    let checks = cell.checks.iter().filter(|check| !check.holds).map(|check| {
        let frames = format::frames(&check.frames);
        contradiction(&check.code, &check.requirement, &check.expected, &check.observed, frames)
    });
    let findings = cell.account.iter().flat_map(|account| &account.findings).map(|finding| {
        let frames = format::frames_and(&finding.frames, finding.more);
        contradiction(&finding.code, &finding.requirement, &finding.expected, &finding.observed, frames)
    });
    checks.chain(findings).collect::<Vec<_>>().join("\n")
}

fn contradiction(code: &str, requirement: &str, expected: &str, observed: &str, frames: Option<String>) -> String {
    let frames = frames.map_or(String::new(), |frames| format!(" ({frames})"));
    format!("{code}: {requirement}\n  expected {expected}\n  observed {observed}{frames}")
}

fn steps(cell: &CellRecord) -> String {
    let lines = cell.steps.iter().map(|step| {
        let mark = match step.status {
            StepStatus::Done => "ok  ",
            StepStatus::Failed => "FAIL",
            StepStatus::Skipped => "SKIP",
        };
        let (begin, end) = (format::clock(step.begin_ms), format::clock(step.end_ms));
        format!("{begin} - {end}  {mark}  {}: {}", step.text, step.outcome)
    });
    lines.collect::<Vec<_>>().join("\n")
}
