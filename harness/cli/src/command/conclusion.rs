//! How a run or a report ends: its files, what is said of it, and the exit status.

use std::{
    io::{self, Write},
    path::Path,
};

use runner::record::{CellRecord, Grievance, Record, Verdict};

use super::{Failure, Outcome};
use crate::{paint, progress::duration};

/// Writes the record and its reports, says what came of it, and how the command ends. A run that is one shard misses
/// no other, a report does.
pub fn conclude(record: &Record, out: &Path, json: bool, is_report: bool) -> Result<Outcome, Failure> {
    let missing = if is_report { missing(record) } else { None };
    ::report::write(record, out)?;
    for diagnosis in &record.diagnoses {
        eprintln!("{} {diagnosis}", paint::yellow("in common"));
    }
    for complaint in record.gate.iter().flat_map(|gate| &gate.complaints) {
        eprintln!("{} {complaint}", paint::red(kind(complaint.kind)));
    }
    if let Some(missing) = &missing {
        eprintln!("{} {missing}", paint::red("missing"));
    }
    eprintln!("{}", summary(record, out));
    if json {
        print(record)?;
    }
    Ok(if missing.is_some() { Outcome::Unexpected } else { outcome(record) })
}

fn kind(kind: Grievance) -> &'static str {
    match kind {
        Grievance::Unexpected => "unexpected",
        Grievance::Passes => "passes",
        Grievance::Stale => "stale",
        Grievance::Expired => "expired",
        Grievance::Broken => "broken",
    }
}

/// Shards that are not in the record.
fn missing(record: &Record) -> Option<String> {
    let shards = record.choice.as_ref()?.shards.as_ref()?;
    let missing = shards.missing();
    if missing.is_empty() {
        return None;
    }
    let list: Vec<_> = missing.iter().map(usize::to_string).collect();
    let (shards, count) = (if missing.len() == 1 { "shard" } else { "shards" }, shards.count);
    Some(format!("{shards} {} of {count}: name the folders of their runs too, or run them", list.join(", ")))
}

/// What is refuted, or not as expected, weighs more than a laboratory that failed.
fn outcome(record: &Record) -> Outcome {
    let any = |verdict| record.cells.iter().any(|cell| cell.verdict == verdict);
    let complains = |broken| {
        let complaints = record.gate.as_ref().map(|gate| gate.complaints.iter());
        complaints.map(|mut all| all.any(|complaint| (complaint.kind == Grievance::Broken) == broken))
    };
    if complains(false).unwrap_or_else(|| any(Verdict::Refuted)) {
        Outcome::Unexpected
    } else if complains(true).unwrap_or_else(|| any(Verdict::Broken)) {
        Outcome::NoLaboratory
    } else {
        Outcome::AsExpected
    }
}

/// The last line: skips are counted like everything else.
fn summary(record: &Record, out: &Path) -> String {
    let counts: Vec<String> = Verdict::ALL
        .iter()
        .map(|verdict| {
            let count = record.cells.iter().filter(|cell| cell.verdict == *verdict).count();
            let text = format!("{count} {verdict}");
            if count == 0 { text } else { paint::verdict(*verdict, &text) }
        })
        .collect();
    let reused = match record.cells.iter().filter(|cell| cell.reused.is_some()).count() {
        0 => String::new(),
        cells => format!("; {cells} reused"),
    };
    let not_run = match record.cells.iter().flat_map(CellRecord::skipped_steps).count() {
        0 => String::new(),
        steps => format!("; {} not run", count(steps, "step")),
    };
    let sabotaged = record.sabotage.as_ref().map_or(String::new(), |defect| format!("sabotaged by {defect}: "));
    format!(
        "{sabotaged}{} in {}: {}{reused}{not_run}\n{}",
        count(record.cells.len(), "cell"),
        duration(record.wall_ms),
        counts.join(", "),
        out.join(::report::HTML).display()
    )
}

fn print(record: &Record) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    serde_json::to_writer_pretty(&mut out, record).map_err(io::Error::from)?;
    writeln!(out)?;
    Ok(())
}

pub fn count(number: usize, thing: &str) -> String {
    if number == 1 { format!("1 {thing}") } else { format!("{number} {thing}s") }
}
