//! Covering arrays: few rows, in which every combination of values of any `strength` axes stands at least once.
//!
//! Row after row is chosen greedily, as in AETG (Cohen, Dalal, Fredman and Patton, 1997): a row begins with a
//! combination that is still missing, and takes on each other axis the value that brings the most missing ones with
//! it. Of several such rows the best is kept, and of several arrays the shortest.

use super::random::Random;

/// So many rows are tried for each that is kept.
const CANDIDATES: usize = 24;
/// So many arrays are made, if one costs little.
const ARRAYS: usize = 8;
/// What costs little, in combinations that are missing at first.
const FEW: usize = 2_000;

/// Rows of one value, as its number, for each axis. With a strength beyond the number of axes, all rows there are.
pub(super) fn cover(sizes: &[usize], strength: usize, seed: u64) -> Vec<Vec<usize>> {
    let missing = Missing::new(sizes, strength.min(sizes.len()));
    let mut random = Random::new(seed);
    let arrays = if missing.left <= FEW { ARRAYS } else { 1 };
    let arrays = (0..arrays).map(|_| array(missing.clone(), &mut random));
    arrays.min_by_key(Vec::len).unwrap_or_default()
}

fn array(mut missing: Missing<'_>, random: &mut Random) -> Vec<Vec<usize>> {
    let mut rows = Vec::new();
    while missing.left > 0 {
        let candidates = (0..CANDIDATES).map(|_| row(&missing, random));
        let Some((_, row)) = candidates.max_by_key(|(gain, _)| *gain) else { break };
        missing.strike_out(&row);
        rows.push(row);
    }
    rows
}

/// A row with at least one combination that is missing, and how many of those it has.
fn row(missing: &Missing<'_>, random: &mut Random) -> (usize, Vec<usize>) {
    let mut row = vec![None; missing.sizes.len()];
    for (axis, value) in missing.any(random) {
        row[axis] = Some(value);
    }
    let mut gain = 1;
    let mut others: Vec<_> = (0..row.len()).filter(|axis| row[*axis].is_none()).collect();
    random.shuffle(&mut others);
    for axis in others {
        // Values that are equally good take turns.
        let turn = random.below(missing.sizes[axis]);
        let values = (0..missing.sizes[axis]).map(|value| (value + turn) % missing.sizes[axis]);
        let gains = values.map(|value| (missing.gain(&row, axis, value), value));
        if let Some((more, value)) = gains.max_by_key(|(more, _)| *more) {
            row[axis] = Some(value);
            gain += more;
        }
    }
    (gain, row.into_iter().flatten().collect())
}

/// The combinations that no row has yet.
#[derive(Clone)]
struct Missing<'s> {
    sizes: &'s [usize],
    tables: Vec<Table>,
    /// For each axis the tables that it takes part in.
    of_axis: Vec<Vec<usize>>,
    left: usize,
}

/// Those of one choice of axes.
#[derive(Clone)]
struct Table {
    axes: Vec<usize>,
    /// By the values of the axes, the last one turning fastest.
    missing: Vec<bool>,
    left: usize,
}

impl<'s> Missing<'s> {
    fn new(sizes: &'s [usize], strength: usize) -> Self {
        let table = |axes: Vec<usize>| {
            let left = axes.iter().map(|axis| sizes[*axis]).product();
            Table { axes, missing: vec![true; left], left }
        };
        let tables: Vec<_> = combinations(sizes.len(), strength).into_iter().map(table).collect();
        let left = tables.iter().map(|table| table.left).sum();
        let of = |axis| (0..tables.len()).filter(|table| tables[*table].axes.contains(&axis)).collect();
        let of_axis = (0..sizes.len()).map(of).collect();
        Self { sizes, tables, of_axis, left }
    }

    /// One of the missing, as axes and values. There is one.
    fn any(&self, random: &mut Random) -> Vec<(usize, usize)> {
        let mut skip = random.below(self.left);
        for table in &self.tables {
            if skip >= table.left {
                skip -= table.left;
                continue;
            }
            let mut places = (0..table.missing.len()).filter(|place| table.missing[*place]);
            if let Some(place) = places.nth(skip) {
                return table.values(place, self.sizes);
            }
        }
        Vec::new()
    }

    /// How many of the missing a row gets with this value on an axis that it leaves open.
    fn gain(&self, row: &[Option<usize>], axis: usize, value: usize) -> usize {
        let with = |other: usize| if other == axis { Some(value) } else { row[other] };
        let tables = self.of_axis[axis].iter().map(|table| &self.tables[*table]).filter(|table| table.left > 0);
        tables.filter(|table| table.place(with, self.sizes).is_some_and(|place| table.missing[place])).count()
    }

    fn strike_out(&mut self, row: &[usize]) {
        for table in &mut self.tables {
            let Some(place) = table.place(|axis| row.get(axis).copied(), self.sizes) else { continue };
            if std::mem::take(&mut table.missing[place]) {
                table.left -= 1;
                self.left -= 1;
            }
        }
    }
}

impl Table {
    /// Where the combination is kept that these values make, if none of its axes is open.
    fn place(&self, value: impl Fn(usize) -> Option<usize>, sizes: &[usize]) -> Option<usize> {
        self.axes.iter().try_fold(0, |place, axis| Some(place * sizes[*axis] + value(*axis)?))
    }

    fn values(&self, mut place: usize, sizes: &[usize]) -> Vec<(usize, usize)> {
        let mut values = Vec::with_capacity(self.axes.len());
        for axis in self.axes.iter().rev() {
            values.push((*axis, place % sizes[*axis]));
            place /= sizes[*axis];
        }
        values
    }
}

/// Every choice of so many of the numbers below `end`, each in ascending order.
fn combinations(end: usize, number: usize) -> Vec<Vec<usize>> {
    (0..number).fold(vec![Vec::new()], |chosen, _| {
        let next = |chosen: Vec<usize>| {
            let from = chosen.last().map_or(0, |last| last + 1);
            (from..end).map(move |more| [chosen.as_slice(), &[more]].concat()).collect::<Vec<_>>()
        };
        chosen.into_iter().flat_map(next).collect()
    })
}
