//! Several records as one: the parts of a run that several machines divided among them.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use jiff::Timestamp;
use runner::record::{self, CellRecord, Choice, Gate, Record, Shards};

use crate::ReportError;

/// The record of them all, each with its path, for messages. The cells of shards are in the order in which they were
/// chosen.
pub fn merge(parts: &[(PathBuf, Record)]) -> Result<Record, ReportError> {
    let Some(((first_path, first), others)) = parts.split_first() else {
        return Err(refused("there is no record to report on".to_owned()));
    };
    for (path, record) in parts {
        if record.format != record::FORMAT {
            let (found, known) = (record.format, record::FORMAT);
            let what = format!("`{}` is of format {found}, and this program reads {known}", path.display());
            return Err(refused(format!("{what}: make it again with `tunnelproof run`")));
        }
    }
    for (path, record) in others {
        if record.world != first.world {
            let [one, other] = [first_path, path].map(|path| path.display());
            let worlds = (&first.world, &record.world);
            let what = format!("`{one}` is of the {} world and `{other}` of the {} world", worlds.0, worlds.1);
            return Err(refused(format!("{what}: make a report of each")));
        }
    }
    if let Some((path, _)) = parts.iter().find(|(_, record)| record.sabotage != first.sabotage) {
        let what =
            format!("of `{}` and `{}` one is sabotaged, or each otherwise", first_path.display(), path.display());
        return Err(refused(format!("{what}: make a report of each")));
    }
    let mut merged = first.clone();
    merged.choice = choice(parts)?;
    merged.cells = cells(parts)?;
    merged.gate = gate(parts);
    if merged.gate.is_none() {
        merged.cells.iter_mut().for_each(|cell| cell.expected = None);
    }
    merged.diagnoses = runner::diagnose(&merged.cells);
    for (_, record) in others {
        add(&mut merged.program, &record.program);
        add(&mut merged.laboratory.kernel, &record.laboratory.kernel);
        for image in &record.laboratory.images {
            if !merged.laboratory.images.iter().any(|known| known.digest == image.digest) {
                merged.laboratory.images.push(image.clone());
            }
        }
    }
    (merged.started, merged.wall_ms) = time(parts);
    Ok(merged)
}

fn refused(what: String) -> ReportError {
    ReportError::NotParts { what }
}

/// Where machines differ, each of them is named.
fn add(list: &mut String, more: &str) {
    if !list.split(", ").any(|known| known == more) {
        list.push_str(&format!(", {more}"));
    }
}

/// Each cell once; of one that is in several records the first counts, if they agree.
fn cells(parts: &[(PathBuf, Record)]) -> Result<Vec<CellRecord>, ReportError> {
    let shards: Vec<_> = parts.iter().map(|(_, record)| shard(record)).collect();
    let divided = shards.iter().all(Option::is_some);
    let mut placed: Vec<((usize, usize), &CellRecord)> = Vec::new();
    let mut known: HashMap<&str, (&Path, &CellRecord)> = HashMap::new();
    for (part, (path, record)) in parts.iter().enumerate() {
        for (number, cell) in record.cells.iter().enumerate() {
            match known.get(cell.id.as_str()) {
                None => {
                    known.insert(&cell.id, (path, cell));
                    // Shards take cells in turn.
                    let place = if divided { (number, shards[part].unwrap_or(part)) } else { (part, number) };
                    placed.push((place, cell));
                }
                Some((_, first)) if first.verdict == cell.verdict => {}
                Some((other, first)) => {
                    let [other, path] = [other, path.as_path()].map(Path::display);
                    let what =
                        format!("{} is {} in `{other}` and {} in `{path}`", cell.id, first.verdict, cell.verdict);
                    return Err(refused(format!("{what}: leave one of them out, or run the cell again")));
                }
            }
        }
    }
    placed.sort_by_key(|(place, _)| *place);
    Ok(placed.into_iter().map(|(_, cell)| cell.clone()).collect())
}

/// Its number, if the record is one shard.
fn shard(record: &Record) -> Option<usize> {
    match record.choice.as_ref()?.shards.as_ref()?.here.as_slice() {
        [only] => Some(*only),
        _ => None,
    }
}

/// What was chosen by all of them, which have to be parts of one choice.
fn choice(parts: &[(PathBuf, Record)]) -> Result<Option<Choice>, ReportError> {
    let mut merged: Option<(&Path, Choice)> = None;
    for (path, record) in parts {
        let Some(choice @ Choice { shards: Some(shards), .. }) = &record.choice else {
            // Of runs that were not divided nobody said that they belong together.
            return Ok(if parts.len() == 1 { record.choice.clone() } else { None });
        };
        match &mut merged {
            None => merged = Some((path, choice.clone())),
            Some((first, whole)) => {
                let parts_of = |choice: &Choice| (choice.cells.clone(), choice.seed, choice.of, choice.chosen);
                let count = whole.shards.as_ref().map(|shards| shards.count);
                if parts_of(whole) != parts_of(choice) || count != Some(shards.count) {
                    let [one, other] = [first, path.as_path()].map(|path| path.display());
                    let what = format!("`{one}` and `{other}` are parts of different runs");
                    return Err(refused(format!("{what}: give all shards the same files, --cells, --seed and count")));
                }
                let mut here = whole.shards.take().map_or_else(Vec::new, |shards| shards.here);
                here.extend(&shards.here);
                here.sort_unstable();
                here.dedup();
                whole.shards = Some(Shards { count: shards.count, here });
            }
        }
    }
    Ok(merged.map(|(_, choice)| choice))
}

/// What was not as expected, if all were held against one file: what is wrong with the file itself is told once.
fn gate(parts: &[(PathBuf, Record)]) -> Option<Gate> {
    let gates: Vec<&Gate> = parts.iter().map(|(_, record)| record.gate.as_ref()).collect::<Option<_>>()?;
    let (first, others) = gates.split_first()?;
    let mut merged = (*first).clone();
    for gate in others {
        if gate.file != merged.file {
            return None;
        }
        for complaint in &gate.complaints {
            if !merged.complaints.contains(complaint) {
                merged.complaints.push(complaint.clone());
            }
        }
    }
    Some(merged)
}

/// From the first beginning to the last end.
fn time(parts: &[(PathBuf, Record)]) -> (String, u64) {
    let began = |record: &Record| record.started.parse::<Timestamp>().ok().map(Timestamp::as_millisecond);
    let begin = parts.iter().filter_map(|(_, record)| Some((began(record)?, &record.started))).min();
    let end = parts.iter().filter_map(|(_, record)| Some(began(record)?.saturating_add_unsigned(record.wall_ms))).max();
    match (begin, end) {
        (Some((begin, started)), Some(end)) => (started.clone(), end.abs_diff(begin)),
        _ => (String::new(), parts.iter().map(|(_, record)| record.wall_ms).sum()),
    }
}
