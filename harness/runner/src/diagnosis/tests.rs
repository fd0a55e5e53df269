//! Faults that are planted into a matrix, and what is said of them.
#![allow(clippy::unwrap_used)]

use policy::Daemon;
use scenario::{Cell, Selection};

use super::diagnose;
use crate::{
    record::{CellRecord, Check, Diagnosis, Verdict},
    schedule::blank,
};

const MATRIX: &str = include_str!("../../../../scenarios/policy/matrix.yaml");

/// Cells of the matrix of all policies; those refuted in which a check of this code fails.
fn cells(selection: Selection, fails: impl Fn(&Cell) -> Option<&'static str>) -> Vec<CellRecord> {
    let scenario = scenario::parse("scenarios/policy/matrix.yaml", MATRIX).unwrap();
    let record = |cell: Cell| {
        let mut record = blank(&cell, |daemon: Daemon| daemon.to_string());
        record.verdict = Verdict::Proven;
        if let Some(code) = fails(&cell) {
            record.verdict = Verdict::Refuted;
            record.checks.push(check(code, false));
        }
        record
    };
    scenario.select(selection, 1).into_iter().map(record).collect()
}

fn check(code: &str, holds: bool) -> Check {
    let [requirement, expected, observed] = [(); 3].map(|()| String::new());
    Check { code: code.to_owned(), requirement, expected, observed, holds, frames: Vec::new() }
}

fn has(cell: &Cell, settings: &[(&str, &str)]) -> bool {
    settings.iter().all(|(axis, value)| cell.axes.iter().any(|(a, v)| a == axis && v == value))
}

fn owned(settings: &[(&str, &str)]) -> Vec<(String, String)> {
    settings.iter().map(|(axis, value)| (axis.to_string(), value.to_string())).collect()
}

const ROUTER: (&str, &str) = ("cloud.vpcs.main.router", "libreswan");

#[test]
fn one_setting_is_found_in_a_pairwise_run() {
    let fault = [("esp.encryption", "aes192")];
    let found = diagnose(&cells(Selection::Pairwise, |cell| has(cell, &fault).then_some("probes")));
    let [Diagnosis { combinations, codes, failed: 4, passed: 13, scenario }] = found.as_slice() else {
        panic!("{found:?}")
    };
    assert_eq!(
        (combinations.as_slice(), codes.as_slice()),
        ([owned(&fault)].as_slice(), ["probes".to_owned()].as_slice())
    );
    assert_eq!(scenario, "policy/matrix");
    let said = "policy/matrix: probes in 4 of 17 cells; they all have esp.encryption=aes192, and none that passed does";
    assert_eq!(found[0].to_string(), said);
}

#[test]
fn two_settings_that_meet_are_found_in_a_full_run_and_are_among_those_of_a_pairwise_one() {
    let fault = [("ike.hash", "md5"), ROUTER];
    let fails = |cell: &Cell| has(cell, &fault).then_some("phase-1");
    let full = diagnose(&cells(Selection::Full, fails));
    assert_eq!(full[0].combinations, [owned(&fault)]);
    assert!(
        full[0].to_string().ends_with("ike.hash=md5 with cloud.vpcs.main.router=libreswan, and none that passed does")
    );
    let pairwise = diagnose(&cells(Selection::Pairwise, fails));
    assert!(pairwise[0].combinations.contains(&owned(&fault)), "{pairwise:?}");
}

#[test]
fn faults_that_fail_otherwise_are_told_apart() {
    let [first, second] = [[("ike.hash", "md5"), ROUTER], [("esp.group", "none"), ("dpd", "true")]];
    // The first hides the second.
    let fails = |cell: &Cell| match (has(cell, &first), has(cell, &second)) {
        (true, _) => Some("phase-1"),
        (_, true) => Some("dpd-announced"),
        _ => None,
    };
    let found = diagnose(&cells(Selection::Full, fails));
    let told: Vec<_> = found.iter().map(|one| (one.codes[0].as_str(), one.combinations.clone())).collect();
    assert_eq!(told, [("phase-1", vec![owned(&first)]), ("dpd-announced", vec![owned(&second)])]);
}

#[test]
fn checks_that_fail_in_the_same_cells_are_told_together() {
    let mut cells = cells(Selection::Pairwise, |cell| has(cell, &[("dpd", "true")]).then_some("probes"));
    for cell in cells.iter_mut().filter(|cell| cell.verdict == Verdict::Refuted) {
        cell.checks.push(check("steps", false));
        cell.checks.push(check("usage", true));
    }
    let found = diagnose(&cells);
    assert_eq!((found.len(), found[0].codes.as_slice()), (1, ["probes".to_owned(), "steps".to_owned()].as_slice()));
}

#[test]
fn two_causes_of_one_finding_have_nothing_in_common() {
    let fails = |cell: &Cell| {
        let either = has(cell, &[("dpd", "true"), ROUTER]) || has(cell, &[("dpd", "false"), ("esp.hash", "md5")]);
        either.then_some("probes")
    };
    let found = diagnose(&cells(Selection::Full, fails));
    assert!(found[0].combinations.is_empty());
    assert!(found[0].to_string().contains("several causes"), "{}", found[0]);
}

#[test]
fn where_everything_fails_no_setting_makes_the_difference() {
    let found = diagnose(&cells(Selection::Pairwise, |_| Some("steps")));
    assert_eq!((found.len(), found[0].combinations.len()), (1, 0));
    assert!(found[0].to_string().contains("in 17 of 17 cells, which is all"), "{}", found[0]);
    assert!(diagnose(&cells(Selection::Full, |_| None)).is_empty());
}

#[test]
fn a_cell_that_has_nothing_to_be_compared_with_gets_no_diagnosis() {
    let mut one = cells(Selection::Pairwise, |_| Some("steps"));
    one.truncate(1);
    assert!(diagnose(&one).is_empty());
    one[0].axes.clear();
    assert!(diagnose(&[one[0].clone(), one[0].clone()]).is_empty());
}

#[test]
fn what_is_not_known_to_have_passed_is_not_held_against_a_combination() {
    let fault = [("ike.encryption", "3des")];
    let mut cells = cells(Selection::Pairwise, |cell| has(cell, &fault).then_some("probes"));
    // Of a combination that some cells could not try, those say nothing.
    let untried = cells.iter_mut().filter(|cell| cell.verdict == Verdict::Refuted).skip(1);
    untried.for_each(|cell| (cell.verdict, cell.checks) = (Verdict::Unsupported, Vec::new()));
    let found = diagnose(&cells);
    assert!(found[0].failed == 1 && found[0].combinations.contains(&owned(&fault)), "{found:?}");
}

#[test]
fn broken_cells_are_diagnosed_too_and_api_checks_pass_where_there_are_no_packets() {
    let mut cells = cells(Selection::Pairwise, |cell| has(cell, &[("dpd", "true")]).then_some("probes"));
    for cell in &mut cells {
        (cell.verdict, cell.checks) = match cell.verdict {
            Verdict::Refuted => (Verdict::Broken, Vec::new()),
            _ => (Verdict::Skipped, vec![check("steps", true)]),
        };
    }
    let found = diagnose(&cells);
    let half = cells.iter().filter(|cell| cell.verdict == Verdict::Skipped).count();
    assert_eq!((found[0].codes.as_slice(), found[0].passed), (["broken".to_owned()].as_slice(), half));
    assert_eq!(found[0].combinations, [owned(&[("dpd", "true")])]);
}
