//! Two runs beside each other: verdicts that differ, cells that only one of them has, and what they were made with.

use std::{collections::HashMap, fmt, path::Path};

use runner::record::{self, CellRecord, Choice, Record, Verdict};

use crate::ReportError;

/// What changed from the first run to the second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Comparison {
    /// Worst first, and then in the order of the second run's cells; those that are gone come last.
    pub changes: Vec<Change>,
    /// How many cells both have.
    pub common: usize,
    /// What else differs and may be the cause, in words.
    pub circumstances: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    pub kind: Kind,
    pub cell: String,
    /// What it was and what it is; absent where a run does not have the cell.
    pub verdicts: [Option<Verdict>; 2],
    /// Why it is what it is; of a cell that is gone, why it was.
    pub reason: String,
}

/// The worst first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A proof is lost, or a tunnel refuted, or the laboratory broken, that was not before.
    Regression,
    Fix,
    /// Neither of them is a result of packets: skipped instead of unsupported, say.
    Changed,
    New,
    Removed,
}

impl Kind {
    pub const ALL: [Self; 5] = [Self::Regression, Self::Fix, Self::Changed, Self::New, Self::Removed];

    fn of(before: Verdict, after: Verdict) -> Option<Self> {
        use Verdict::{Broken, Proven, Refuted};
        match (before, after) {
            (before, after) if before == after => None,
            (Proven, _) | (_, Refuted) => Some(Self::Regression),
            (_, Proven) => Some(Self::Fix),
            (Refuted, _) => Some(Self::Changed),
            (_, Broken) => Some(Self::Regression),
            _ => Some(Self::Changed),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Regression => "regression",
            Self::Fix => "fix",
            Self::Changed => "changed",
            Self::New => "new",
            Self::Removed => "removed",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What differs between two runs, each with its path, for messages.
pub fn compare([(a_path, a), (b_path, b)]: [(&Path, &Record); 2]) -> Result<Comparison, ReportError> {
    for (path, record) in [(a_path, a), (b_path, b)] {
        if record.format != record::FORMAT {
            let (found, known) = (record.format, record::FORMAT);
            let what = format!("`{}` is of format {found}, and this program reads {known}", path.display());
            return Err(ReportError::NotComparable { what: format!("{what}: make it again with `tunnelproof run`") });
        }
    }
    let before: HashMap<&str, &CellRecord> = a.cells.iter().map(|cell| (cell.id.as_str(), cell)).collect();
    let after: HashMap<&str, &CellRecord> = b.cells.iter().map(|cell| (cell.id.as_str(), cell)).collect();
    let common = after.keys().filter(|id| before.contains_key(*id)).count();
    if common == 0 && !(a.cells.is_empty() && b.cells.is_empty()) {
        let [a_path, b_path] = [a_path, b_path].map(Path::display);
        let what = format!("`{a_path}` and `{b_path}` have no cell in common");
        let cells =
            |record: &Record| record.cells.first().map_or("no cell".to_owned(), |cell| format!("`{}`", cell.id));
        let what = format!("{what}, the first of each are {} and {}", cells(a), cells(b));
        return Err(ReportError::NotComparable { what: format!("{what}: compare runs of the same scenarios") });
    }
    let change = |kind, cell: &CellRecord, verdicts| {
        let (cell, reason) = (cell.id.clone(), cell.reason.clone());
        Change { kind, cell, verdicts, reason }
    };
    let mut changes: Vec<Change> = Vec::new();
    for cell in &b.cells {
        changes.extend(match before.get(cell.id.as_str()) {
            None => Some(change(Kind::New, cell, [None, Some(cell.verdict)])),
            Some(was) => Kind::of(was.verdict, cell.verdict)
                .map(|kind| change(kind, cell, [Some(was.verdict), Some(cell.verdict)])),
        });
    }
    let gone = a.cells.iter().filter(|cell| !after.contains_key(cell.id.as_str()));
    changes.extend(gone.map(|cell| change(Kind::Removed, cell, [Some(cell.verdict), None])));
    changes.sort_by_key(|change| change.kind);
    Ok(Comparison { changes, common, circumstances: circumstances(a, b) })
}

impl Comparison {
    pub fn count(&self, kind: Kind) -> usize {
        self.changes.iter().filter(|change| change.kind == kind).count()
    }
}

/// Program, world, kernel, daemons, and how the cells were chosen.
fn circumstances(a: &Record, b: &Record) -> Vec<String> {
    let mut all = Vec::new();
    let mut differ = |what: &str, a: &str, b: &str| {
        if a != b {
            let [a, b] = [a, b].map(|text| if text.is_empty() { "none" } else { text });
            all.push(format!("{what}: {a}, then {b}"));
        }
    };
    differ("program", &a.program, &b.program);
    differ("world", &a.world, &b.world);
    differ("kernel", &a.laboratory.kernel, &b.laboratory.kernel);
    for image in &b.laboratory.images {
        let Some(was) = a.laboratory.images.iter().find(|was| was.name == image.name) else { continue };
        if was.version != image.version {
            differ(&format!("image {}", image.name), &was.version, &image.version);
        } else if was.digest != image.digest {
            differ(&format!("recipe of image {}", image.name), &was.digest, &image.digest);
        }
    }
    let chosen = |choice: &Option<Choice>| match choice {
        Some(Choice { cells, seed, .. }) => format!("--cells {cells} --seed {seed}"),
        None => String::new(),
    };
    differ("choice", &chosen(&a.choice), &chosen(&b.choice));
    all
}
