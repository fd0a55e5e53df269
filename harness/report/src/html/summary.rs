//! What a release manager reads: counts, what needs attention, who works with whom, and where a
//! matrix holds.

use std::collections::BTreeMap;

use runner::record::{CellRecord, Verdict};
use serde::Serialize;

use super::Badge;
use crate::format;

/// A table wider or longer than this is no longer a summary.
const WIDEST: usize = 16;

/// How many cells have one verdict.
#[derive(Serialize)]
pub struct Tally {
    badge: Badge,
    meaning: &'static str,
    count: String,
    /// Part of all cells in thousandths, for the bar.
    share: u64,
}

/// With so few cells the table of cells is its own summary.
const FEW: usize = 8;

pub fn tally(cells: &[CellRecord]) -> Vec<Tally> {
    let total = cells.len().max(1) as u64;
    let tally = |verdict| {
        let count = number(cells.iter(), verdict) as u64;
        Tally {
            badge: Badge::from(verdict),
            meaning: meaning(verdict),
            count: format::count(count),
            share: (count * 1000).div_ceil(total),
        }
    };
    Verdict::ALL.map(tally).into()
}

fn meaning(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Proven => "prediction, API, kernel and packets agree",
        Verdict::Refuted => "something is other than it must be",
        Verdict::Unsupported => "a daemon lacks the algorithm",
        Verdict::Skipped => "this world cannot do it",
        Verdict::Broken => "the laboratory failed, not the tunnel",
    }
}

fn number<'a>(cells: impl Iterator<Item = &'a CellRecord>, verdict: Verdict) -> usize {
    cells.filter(|cell| cell.verdict == verdict).count()
}

/// The class that colours the headline: that of the gravest verdict.
pub fn tone(cells: &[CellRecord]) -> &'static str {
    let gravest = [Verdict::Refuted, Verdict::Broken, Verdict::Proven, Verdict::Unsupported];
    let found = gravest.into_iter().find(|&verdict| number(cells.iter(), verdict) > 0);
    Badge::from(found.unwrap_or(Verdict::Skipped)).class
}

/// A cell that somebody has to look at.
#[derive(Serialize)]
pub struct Attention<'a> {
    badge: Badge,
    id: &'a str,
    anchor: String,
    reason: &'a str,
}

impl<'a> Attention<'a> {
    pub fn new(cell: &'a CellRecord, anchor: &str) -> Self {
        Self { badge: Badge::from(cell.verdict), id: &cell.id, anchor: anchor.to_owned(), reason: &cell.reason }
    }
}

/// The verdicts of a group of cells, without those that nobody got.
type Counts = Vec<(Badge, String)>;

fn counts(cells: &[&CellRecord]) -> Counts {
    let count = |verdict| (verdict, number(cells.iter().copied(), verdict));
    let present = Verdict::ALL.into_iter().map(count).filter(|(_, count)| *count > 0);
    present.map(|(verdict, count)| (Badge::from(verdict), format::count(count as u64))).collect()
}

/// Routers against customer gateways.
#[derive(Serialize)]
pub struct Pairs<'a> {
    customers: Vec<&'a str>,
    rows: Vec<(&'a str, Vec<Counts>)>,
}

/// The table of pairs; none where there is nothing to compare.
pub fn pairs(cells: &[CellRecord]) -> Option<Pairs<'_>> {
    if cells.len() <= FEW {
        return None;
    }
    let mut groups: BTreeMap<(&str, &str), Vec<&CellRecord>> = BTreeMap::new();
    for cell in cells.iter().filter(|cell| !cell.router.is_empty() && !cell.customer.is_empty()) {
        groups.entry((&cell.router, &cell.customer)).or_default().push(cell);
    }
    let routers = distinct(groups.keys().map(|(router, _)| *router));
    let customers = distinct(groups.keys().map(|(_, customer)| *customer));
    if groups.len() < 2 || routers.len() > WIDEST || customers.len() > WIDEST {
        return None;
    }
    let row = |router| {
        let cell = |customer: &&str| counts(groups.get(&(router, *customer)).map_or(&[][..], |cells| cells));
        (router, customers.iter().map(cell).collect())
    };
    Some(Pairs { rows: routers.into_iter().map(row).collect(), customers })
}

/// The axes of a scenario's matrix: how each of their values fared.
#[derive(Serialize)]
pub struct Axes<'a> {
    scenario: &'a str,
    axes: Vec<(&'a str, Vec<(&'a str, Counts)>)>,
}

/// The table of axes; none where no axis has a choice.
pub fn axes<'a>(scenario: &'a str, cells: &[&'a CellRecord]) -> Option<Axes<'a>> {
    if cells.len() <= FEW {
        return None;
    }
    let names = distinct(cells.iter().flat_map(|cell| cell.axes.iter().map(|(axis, _)| axis.as_str())));
    let axis = |name: &'a str| {
        let value = |cell: &'a CellRecord| cell.axes.iter().find(|(axis, _)| axis == name).map(|(_, v)| v.as_str());
        let mut groups: BTreeMap<&str, Vec<&CellRecord>> = BTreeMap::new();
        for &cell in cells {
            if let Some(value) = value(cell) {
                groups.entry(value).or_default().push(cell);
            }
        }
        // In the order in which the scenario lists them.
        let order = distinct(cells.iter().filter_map(|&cell| value(cell)));
        let values: Vec<_> = order.into_iter().map(|value| (value, counts(&groups[value]))).collect();
        (name, values)
    };
    let axes: Vec<_> = names.into_iter().map(axis).filter(|(_, values)| (2..=WIDEST).contains(&values.len())).collect();
    (!axes.is_empty()).then_some(Axes { scenario, axes })
}

fn distinct<'a>(items: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = std::collections::HashSet::new();
    items.filter(|item| seen.insert(*item)).collect()
}
