//! `tunnelproof report`: the reports of one or more runs, from their records.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use runner::record::Record;

use super::{Failure, Outcome, conclusion, expect::Expect, run::fresh};
use crate::arguments::ReportArguments;

pub fn run(arguments: &ReportArguments) -> Result<Outcome, Failure> {
    let expected = arguments.expect.as_deref().map(Expect::load).transpose()?;
    let input = |e: ::report::ReportError| Failure::Input(e.to_string());
    let read = |path: &PathBuf| Ok::<(PathBuf, Record), Failure>((path.clone(), ::report::read(path).map_err(input)?));
    let parts: Vec<(PathBuf, Record)> = arguments.runs.iter().map(read).collect::<Result<_, _>>()?;
    let mut record = ::report::merge(&parts).map_err(input)?;
    let out = match (&arguments.out, parts.as_slice()) {
        (Some(out), _) => out.clone(),
        (None, [(only, _)]) => folder(only).to_owned(),
        (None, _) => fresh(Path::new("target/proof"))?,
    };
    // Of a cell that is in several records the first counts, as in the record.
    let places =
        parts.iter().rev().flat_map(|(path, part)| part.cells.iter().map(move |cell| (&cell.id, folder(path))));
    let places: HashMap<&String, &Path> = places.collect();
    for cell in &record.cells {
        if let Some(from) = places.get(&cell.id) {
            ::report::adopt(cell, from, &out)?;
        }
    }
    if let Some(expected) = &expected {
        expected.of_record(&mut record)?;
    }
    conclusion::conclude(&record, &out, arguments.json, true)
}

/// A run's folder, of which a record may be named as well.
pub(super) fn folder(run: &Path) -> &Path {
    match run.parent() {
        Some(parent) if !run.is_dir() => parent,
        _ => run,
    }
}
