//! `tunnelproof report`: the reports of one or more runs, from their records.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use runner::record::Record;
use scenario::{Cell, Selection};

use super::{
    Failure, Outcome,
    conclusion::{self, count},
    expect::Expect,
    run::fresh,
};
use crate::{
    arguments::{ChoiceArguments, ReportArguments},
    files,
};

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
    if !arguments.rejudge.is_empty() {
        rejudge(&mut record, &arguments.rejudge, &out)?;
    }
    if let Some(expected) = &expected {
        expected.of_record(&mut record)?;
    }
    conclusion::conclude(&record, &out, arguments.json, true)
}

/// Judges those cells of a record again that these files have, by what they expect now.
fn rejudge(record: &mut Record, files: &[String], out: &Path) -> Result<(), Failure> {
    let choice = ChoiceArguments { cells: Selection::Full, seed: 1, shard: None, brief: false };
    let known: HashMap<String, Cell> =
        files::choose(files, choice)?.cells.into_iter().map(|cell| (cell.id.clone(), cell)).collect();
    let mut judged = 0;
    for cell in &mut record.cells {
        let folder = out.join("cells").join(&cell.id);
        let Some(now) = known.get(&cell.id).filter(|_| folder.is_dir()) else { continue };
        // It was held if it was not a brief run, and its steps tell.
        let is_held = cell.steps.len() > now.steps.len() + 2 && runner::held(now.clone()).steps.len() > now.steps.len();
        let now = if is_held { runner::held(now.clone()) } else { now.clone() };
        runner::rejudge(&now, &folder, cell).map_err(|e| Failure::Input(e.to_string()))?;
        judged += 1;
    }
    if judged == 0 {
        let files = files.join(", ");
        return Err(Failure::Input(format!("no cell of {files} is in the record with its evidence: name other files")));
    }
    eprintln!("{} judged again", count(judged, "cell"));
    record.diagnoses = runner::diagnose(&record.cells);
    Ok(())
}

/// A run's folder, of which a record may be named as well.
pub(super) fn folder(run: &Path) -> &Path {
    match run.parent() {
        Some(parent) if !run.is_dir() => parent,
        _ => run,
    }
}
