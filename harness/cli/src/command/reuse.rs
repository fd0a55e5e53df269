//! `--reuse DIR`: cells for which nothing has changed are taken from an earlier run.
//!
//! What was refuted or broken there is run again: a fault is to be seen now, with fresh evidence.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
};

use runner::{
    Ground,
    record::{CellRecord, Evidence, Record, Verdict},
};
use scenario::Cell;

use super::{Failure, conclusion::count, program, report};

/// A run of before, and its folder.
pub struct Earlier {
    folder: PathBuf,
    record: Record,
}

impl Earlier {
    pub fn load(folder: &Path) -> Result<Self, Failure> {
        let record = ::report::read(folder).map_err(|e| Failure::Input(e.to_string()))?;
        Ok(Self { folder: report::folder(folder).to_owned(), record })
    }

    /// Whether what the cell's record leads to is still there: without it nobody can see what was proven.
    fn has_evidence(&self, cell: &CellRecord) -> bool {
        let Evidence { capture, keys, events, api, logs } = &cell.evidence;
        [capture, keys, events, api].into_iter().flatten().chain(logs).all(|path| self.folder.join(path).exists())
    }
}

/// The cells of a run: those that are taken, and those that are run.
pub struct Reuse {
    pub rest: Vec<Cell>,
    /// All ids, in the order of the run.
    order: Vec<String>,
    keys: HashMap<String, String>,
    taken: HashMap<String, CellRecord>,
    earlier: Option<Earlier>,
}

impl Reuse {
    pub fn divide(cells: Vec<Cell>, ground: &Ground, earlier: Option<Earlier>) -> Result<Self, Failure> {
        let identity = runner::program_identity(&program()?)?;
        let key = |cell: &Cell| Some((cell.id.clone(), ground.key(cell, &identity)?));
        let keys: HashMap<String, String> = cells.iter().filter_map(key).collect();
        let order = cells.iter().map(|cell| cell.id.clone()).collect();
        let mut taken = HashMap::new();
        for (earlier, cell) in earlier.iter().flat_map(|run| run.record.cells.iter().map(move |cell| (run, cell))) {
            let passed = !matches!(cell.verdict, Verdict::Refuted | Verdict::Broken);
            let unchanged = cell.key.is_some() && keys.get(&cell.id) == cell.key.as_ref();
            if passed && unchanged && earlier.has_evidence(cell) {
                taken.insert(cell.id.clone(), cell.clone());
            }
        }
        let rest = cells.into_iter().filter(|cell| !taken.contains_key(&cell.id)).collect();
        Ok(Self { rest, order, keys, taken, earlier })
    }

    pub fn earlier(&self) -> Option<&Record> {
        self.earlier.as_ref().map(|earlier| &earlier.record)
    }

    /// How many cells are not run.
    pub fn introduction(&self) -> Option<String> {
        let Earlier { folder, record } = self.earlier.as_ref()?;
        let taken = count(self.taken.len(), "cell");
        Some(format!("{taken} unchanged since the run of {} in {}", record.started, folder.display()))
    }

    /// The record of all cells, from that of those that were run. What was taken has its evidence in `out` too.
    pub fn complete(mut self, mut record: Record, out: &Path) -> Result<Record, Failure> {
        let mut ran: HashMap<String, CellRecord> =
            std::mem::take(&mut record.cells).into_iter().map(|cell| (cell.id.clone(), cell)).collect();
        for id in &self.order {
            let mut cell = match (ran.remove(id), self.taken.remove(id), &self.earlier) {
                (Some(cell), ..) => cell,
                (None, Some(mut cell), Some(earlier)) => {
                    ::report::adopt(&cell, &earlier.folder, out)?;
                    // It may have been taken from another one there.
                    cell.reused.get_or_insert_with(|| earlier.record.started.clone());
                    cell.expected = None;
                    cell
                }
                _ => continue,
            };
            cell.key = self.keys.get(id).cloned();
            record.cells.push(cell);
        }
        Ok(record)
    }
}
