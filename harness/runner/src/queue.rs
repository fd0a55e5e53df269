//! In which order cells are begun: the longest first, so that no hand is left with a long one while the others rest.

use std::{cmp::Reverse, collections::BTreeMap};

use scenario::Cell;
use serde::{Deserialize, Serialize};

use crate::record::Record;

/// How long cells took before, by their ids, in milliseconds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Times(BTreeMap<String, u64>);

impl Times {
    /// Takes over the times of a record; cells that were not run in it tell none.
    pub fn learn(&mut self, record: &Record) {
        let run = record.cells.iter().filter(|cell| cell.reused.is_none() && cell.wall_ms > 0);
        self.0.extend(run.map(|cell| (cell.id.clone(), cell.wall_ms)));
    }
}

/// The numbers of the cells, the longest first. One that never ran is taken to be as long as the others of its
/// scenario are on average, and as very long if none of them ran either.
pub(crate) fn order(cells: &[Cell], times: &Times) -> Vec<usize> {
    let mut known: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    for cell in cells {
        if let Some(ms) = times.0.get(&cell.id) {
            let (sum, count) = known.entry(&cell.scenario).or_default();
            (*sum, *count) = (*sum + ms, *count + 1);
        }
    }
    let average = |cell: &Cell| known.get(cell.scenario.as_str()).map(|(sum, count)| sum / count);
    let length = |cell: &Cell| times.0.get(&cell.id).copied().or_else(|| average(cell)).unwrap_or(u64::MAX);
    let mut order: Vec<usize> = (0..cells.len()).collect();
    // Stable: without times it is the order of the cells.
    order.sort_by_key(|number| Reverse(length(&cells[*number])));
    order
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn cells(file: &str) -> Vec<Cell> {
        let text = "
scenario: four
cloud: { vpcs: { main: { cidr: 10.10.0.0/16, tiers: { web: 10.10.1.0/24 } } } }
customers: { branch: { subnets: [172.16.10.0/24], psk: '123123' } }
policy: { ike: 3des-md5;modp1536, esp: 3des-md5 }
matrix: { ike.encryption: [3des, aes128, aes192, aes256] }
steps:
  - connect: { vpc: main, customer: branch }
  - disconnect: { vpc: main, customer: branch }
";
        scenario::parse(file, text).unwrap().cells()
    }

    #[test]
    fn the_longest_is_begun_first_and_what_never_ran_is_taken_for_an_average_one() {
        let cells = [cells("a.yaml"), cells("b.yaml")].concat();
        assert_eq!(order(&cells, &Times::default()), [0, 1, 2, 3, 4, 5, 6, 7], "nothing is known");
        let times = [(0, 100), (1, 900), (2, 200)].map(|(number, ms): (usize, u64)| (cells[number].id.clone(), ms));
        // 3 is taken for 400; of b nothing is known.
        assert_eq!(order(&cells, &Times(times.into())), [4, 5, 6, 7, 1, 3, 2, 0]);
    }
}
