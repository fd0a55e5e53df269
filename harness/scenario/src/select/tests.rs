//! What a choice of cells has to be: covering, of the matrix, small, and the same every time.
#![allow(clippy::unwrap_used)]

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Instant,
};

use proptest::prelude::*;

use super::{Selection, Shard, cover::cover, sample};
use crate::{Cell, Scenario, parse};

/// The axes of all policies of the specification, between two daemons, begun from either end.
const POLICIES: [usize; 10] = [4, 2, 2, 4, 2, 3, 2, 2, 2, 2];

/// Every combination of values of so many axes, as the axes and the values.
fn met(row: &[usize], strength: usize) -> Vec<Vec<(usize, usize)>> {
    let pairs: Vec<_> = row.iter().copied().enumerate().collect();
    subsets(&pairs, strength)
}

fn subsets<T: Copy>(of: &[T], number: usize) -> Vec<Vec<T>> {
    match (number, of.split_first()) {
        (0, _) => vec![Vec::new()],
        (_, None) => Vec::new(),
        (_, Some((first, rest))) => {
            let with = subsets(rest, number - 1).into_iter().map(|subset| [&[*first], subset.as_slice()].concat());
            with.chain(subsets(rest, number)).collect()
        }
    }
}

/// How many combinations there are, from the sizes alone.
fn combinations(sizes: &[usize], strength: usize) -> usize {
    subsets(sizes, strength).iter().map(|sizes| sizes.iter().product::<usize>()).sum()
}

#[track_caller]
fn covers(rows: &[Vec<usize>], sizes: &[usize], strength: usize) {
    let found: BTreeSet<_> = rows.iter().flat_map(|row| met(row, strength)).collect();
    assert_eq!(found.len(), combinations(sizes, strength), "{sizes:?}");
    assert!(rows.iter().all(|row| row.iter().zip(sizes).all(|(value, size)| value < size)));
}

#[test]
fn all_policies_need_few_cells() {
    for seed in 0..20 {
        let begin = Instant::now();
        let pairs = cover(&POLICIES, 2, seed);
        covers(&pairs, &POLICIES, 2);
        // Of two axes with four values every pair needs a row: 16 are the fewest.
        assert!((16..=24).contains(&pairs.len()), "{} rows by seed {seed}", pairs.len());
        let triples = cover(&POLICIES, 3, seed);
        covers(&triples, &POLICIES, 3);
        assert!((48..=72).contains(&triples.len()), "{} rows by seed {seed}", triples.len());
        println!("seed {seed}: {} and {} rows in {:?}", pairs.len(), triples.len(), begin.elapsed());
    }
}

#[test]
fn where_there_is_nothing_to_leave_out_nothing_is_left_out() {
    assert_eq!(cover(&[], 2, 0), [[0; 0]]);
    assert_eq!(cover(&[3], 2, 0).into_iter().flatten().collect::<BTreeSet<_>>(), [0, 1, 2].into());
    assert_eq!(cover(&[2, 3], 3, 0).into_iter().collect::<BTreeSet<_>>().len(), 6);
    assert_eq!(cover(&[1, 1, 1], 2, 0), [[0, 0, 0]]);
}

#[test]
fn a_matrix_of_two_long_axes_is_chosen_in_no_time() {
    let begin = Instant::now();
    let rows = cover(&[100, 50, 2], 2, 0);
    covers(&rows, &[100, 50, 2], 2);
    assert!(rows.len() <= 5_100, "{} rows", rows.len());
    assert!(begin.elapsed().as_secs() < 10, "{:?}", begin.elapsed());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_combination_is_covered(
        sizes in proptest::collection::vec(1..6_usize, 0..7),
        strength in 1..4_usize,
        seed in any::<u64>(),
    ) {
        let rows = cover(&sizes, strength, seed);
        covers(&rows, &sizes, strength.min(sizes.len()));
        // The longest axes need every combination of theirs once.
        let mut longest = sizes.clone();
        longest.sort_by(|a, b| b.cmp(a));
        let fewest: usize = longest.iter().take(strength).product();
        prop_assert!(rows.len() >= fewest);
        prop_assert!(rows.len() <= sizes.iter().product());
        prop_assert!(rows.len() <= 3 * fewest.max(2), "{} rows of {sizes:?}", rows.len());
        prop_assert_eq!(&rows, &cover(&sizes, strength, seed));
    }

    #[test]
    fn a_sample_has_so_many_cells(size in 0..400_usize, number in 1..500_usize, seed in any::<u64>()) {
        let drawn = sample(size, number, seed);
        prop_assert_eq!(drawn.len(), number.min(size));
        prop_assert!(drawn.iter().all(|number| *number < size));
        prop_assert_eq!(drawn, sample(size, number, seed));
    }
}

#[test]
fn samples_prefer_no_cell() {
    let mut times = BTreeMap::new();
    for seed in 0..4_000 {
        for number in sample(10, 4, seed) {
            *times.entry(number).or_insert(0) += 1;
        }
    }
    // 1,600 each are expected, with a standard deviation of 31.
    assert!(times.values().all(|times| (1_450..1_750).contains(times)), "{times:?}");
}

fn matrix() -> Scenario {
    let text = include_str!("../../../../scenarios/policy/matrix.yaml");
    parse("scenarios/policy/matrix.yaml", text).unwrap_or_else(|diagnostics| panic!("{diagnostics}"))
}

fn ids(cells: &[Cell]) -> Vec<&str> {
    cells.iter().map(|cell| cell.id.as_str()).collect()
}

#[test]
fn chosen_cells_are_cells_of_the_matrix_in_its_order() {
    let scenario = matrix();
    let full = scenario.cells();
    assert_eq!((full.len(), scenario.size()), (6_144, 6_144));
    assert_eq!(scenario.select(Selection::Full, 1), full);
    for selection in [Selection::Pairwise, Selection::ThreeWay, "sample:20".parse().unwrap()] {
        let chosen = scenario.select(selection, 1);
        let mut rest = full.iter();
        assert!(chosen.iter().all(|cell| rest.any(|other| other == cell)), "{selection}: {:?}", ids(&chosen));
        assert_eq!(ids(&chosen), ids(&scenario.select(selection, 1)));
        assert_ne!(ids(&chosen), ids(&scenario.select(selection, 2)), "{selection}: a seed changes the choice");
    }
}

#[test]
fn every_two_settings_of_the_specification_meet_in_a_cell_of_the_pairwise_choice() {
    let scenario = matrix();
    let meetings = |cells: &[Cell]| -> BTreeSet<_> {
        cells
            .iter()
            .flat_map(|cell| subsets(&cell.axes.iter().collect::<Vec<_>>(), 2))
            .map(|m| format!("{m:?}"))
            .collect()
    };
    assert_eq!(meetings(&scenario.select(Selection::Pairwise, 7)), meetings(&scenario.cells()));
}

#[test]
fn selections_are_words() {
    for word in ["full", "pairwise", "three-way", "sample:20"] {
        assert_eq!(word.parse::<Selection>().unwrap().to_string(), word);
    }
    let said = |word: &str| word.parse::<Selection>().unwrap_err();
    assert!(said("pairwize").contains("did you mean `pairwise`?"), "{}", said("pairwize"));
    for word in ["sample:0", "sample:", "sample:-1", "sample:many"] {
        assert!(said(word).contains("write `sample:20`"), "{}", said(word));
    }
}

#[test]
fn shards_are_parts_of_the_whole() {
    for (size, count) in [(0, 3), (1, 3), (16, 3), (3_072, 7), (5, 5)] {
        let whole: Vec<usize> = (0..size).collect();
        let shards: Vec<_> =
            (1..=count).map(|number| format!("{number}/{count}").parse::<Shard>().unwrap().of(whole.clone())).collect();
        let mut all = shards.concat();
        assert_eq!(all.len(), size, "no cell is in two parts");
        all.sort_unstable();
        assert_eq!(all, whole, "every cell is in one");
        let sizes = shards.iter().map(Vec::len);
        assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
    }
    for wrong in ["0/4", "5/4", "1/0", "1", "1/", "a/b", "-1/2"] {
        assert!(wrong.parse::<Shard>().unwrap_err().contains("`1/4`"), "{wrong}");
    }
}
