//! `compare`: two runs beside each other.

use std::{fs, process::Output};

use runner::record::{Record, Verdict};

use crate::{Folder, PLANTED, Ran};

fn two_runs(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("planted.yaml", PLANTED);
    for out in ["a", "b"] {
        Ran::modelled(&folder, out, &["--jobs", "1", "planted.yaml"]);
    }
    folder
}

fn compare(folder: &Folder, arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } = folder.tunnelproof(&[&["compare"], arguments].concat()).output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

fn change(folder: &Folder, run: &str, with: impl FnOnce(&mut Record)) {
    let path = folder.0.join(run).join("record.json");
    let mut record = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    with(&mut record);
    fs::write(path, serde_json::to_vec(&record).unwrap()).unwrap();
}

#[test]
fn two_runs_of_the_same_have_the_same_verdicts_and_histories() {
    let folder = two_runs("compare-same");
    assert_eq!(
        compare(&folder, &["a", "b"]),
        (Some(0), "16 cells in both: no verdict differs\n".into(), String::new())
    );
    let (status, said, _) = compare(&folder, &["a", "b/record.json", "--history", "--without-times"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("equal histories in order: 16 cells, "), "{said}");
}

#[test]
fn a_regression_and_another_history_are_told_and_are_no_success() {
    let folder = two_runs("compare-other");
    let mut id = String::new();
    change(&folder, "b", |record| {
        let proven =
            record.cells.iter_mut().find(|cell| cell.verdict == Verdict::Skipped || cell.verdict == Verdict::Proven);
        let cell = proven.unwrap_or_else(|| panic!("no cell passed"));
        cell.verdict = Verdict::Refuted;
        cell.reason = "a packet was seen in clear".into();
        cell.states.clear();
        id = cell.id.clone();
    });
    let (status, said, _) = compare(&folder, &["a", "b"]);
    assert_eq!(status, Some(1));
    assert!(said.contains(&format!("regression  {id}: ")) && said.contains("a packet was seen in clear"), "{said}");
    let (status, said, _) = compare(&folder, &["a", "b", "--history", "--without-times"]);
    assert_eq!(status, Some(1));
    assert!(said.contains(&format!("{id}: event ")) && said.contains("\n  - ") && said.contains("\n  + "), "{said}");
    assert!(said.contains("histories differ in 1 of 16 cells"), "{said}");
    // The other way round it is a fix, or no regression at least.
    assert_eq!(compare(&folder, &["b", "a"]).0, Some(0));
}

#[test]
fn what_cannot_be_compared_says_why() {
    let folder = two_runs("compare-wrong");
    fs::create_dir(folder.0.join("empty")).unwrap();
    let (status, said, error) = compare(&folder, &["a", "empty"]);
    assert_eq!((status, said.as_str()), (Some(2), ""));
    assert_eq!(error, "cannot read `empty/record.json`: give the folder of a run, which holds its `record.json`\n");
    change(&folder, "b", |record| record.cells.iter_mut().for_each(|cell| cell.id.insert_str(0, "other-")));
    let (status, _, error) = compare(&folder, &["a", "b"]);
    assert_eq!(status, Some(2));
    assert!(
        error.contains("`a` and `b` have no cell in common") && error.contains("compare runs of the same"),
        "{error}"
    );
    assert_eq!(compare(&folder, &["a", "b", "--without-times"]).0, Some(2), "it is a part of --history");
}

#[test]
fn a_cell_that_only_one_run_has_is_told_and_its_history_is_equal_to_none() {
    let folder = two_runs("compare-fewer");
    change(&folder, "b", |record| drop(record.cells.pop()));
    let (status, said, _) = compare(&folder, &["a", "b"]);
    assert_eq!(status, Some(0), "{said}");
    assert!(said.contains("removed     planted/") && said.ends_with("15 cells in both: 1 removed\n"), "{said}");
    assert_eq!(compare(&folder, &["a", "b", "--history", "--without-times"]).0, Some(1));
}
