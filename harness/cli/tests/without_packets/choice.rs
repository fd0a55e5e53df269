//! `--cells` and `--seed`: which cells of a file are planned and run.

use crate::{Folder, Ran, scenario};

/// The ids that `plan` lists.
fn planned(folder: &Folder, arguments: &[&str]) -> Vec<String> {
    let output = folder.tunnelproof(&["plan"]).args(arguments).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let plan = String::from_utf8(output.stdout).unwrap();
    plan.lines().filter(|line| !line.starts_with(' ')).map(str::to_owned).collect()
}

#[test]
fn a_pairwise_choice_of_all_policies_is_small_and_the_same_each_time() {
    let (folder, matrix) = (Folder::new("pairwise"), scenario("policy/matrix.yaml"));
    let pairwise = planned(&folder, &["--cells", "pairwise", &matrix]);
    assert!((16..=24).contains(&pairwise.len()), "{pairwise:?}");
    assert_eq!(pairwise, planned(&folder, &["--cells", "pairwise", "--seed", "1", &matrix]));
    assert_ne!(pairwise, planned(&folder, &["--cells", "pairwise", "--seed", "2", &matrix]));
    assert!(planned(&folder, &["--cells", "three-way", &matrix]).len() > pairwise.len());
    let full = planned(&folder, &[&matrix]);
    assert!(pairwise.iter().all(|id| full.contains(id)) && full.len() > 1_000);
}

#[test]
fn a_run_runs_what_was_chosen_of_each_file() {
    let folder = Folder::new("sample");
    let (matrix, quickstart) = (scenario("policy/matrix.yaml"), scenario("quickstart.yaml"));
    let arguments = ["--world", "modelled", "--cells", "sample:3", "--out", "out", &matrix, &quickstart];
    let ran = Ran::new(&folder, folder.tunnelproof(&["run"]).args(arguments).output().unwrap());
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    let ids: Vec<_> = ran.cells().iter().map(|cell| cell.id.clone()).collect();
    assert_eq!(ids, planned(&folder, &["--cells", "sample:3", &matrix, &quickstart]));
    // Of the quickstart there are no more than two.
    assert_eq!(ids.len(), 5);
}

#[test]
fn a_cell_that_is_named_by_its_id_is_always_chosen() {
    let folder = Folder::new("named");
    std::os::unix::fs::symlink(scenario(""), folder.0.join("scenarios")).unwrap();
    for id in planned(&folder, &["--cells", "sample:2", "--seed", "7", "policy/matrix"]) {
        assert_eq!(planned(&folder, &["--cells", "pairwise", &id]), [id]);
    }
}

#[test]
fn a_record_says_what_was_chosen_of_how_many() {
    let folder = Folder::new("chosen");
    std::os::unix::fs::symlink(scenario(""), folder.0.join("scenarios")).unwrap();
    let forth = "quickstart/libreswan-to-strongswan";
    let cases: [(&[&str], [usize; 2]); 4] = [
        (&[forth], [1, 1]),
        (&[forth, "scenarios/quickstart.yaml", "quickstart"], [2, 2]),
        (&["--cells", "sample:1", "quickstart", "lifecycle/connect"], [2, 4]),
        (&["--shard", "2/2", "quickstart", "lifecycle/connect"], [4, 4]),
    ];
    for (arguments, [chosen, of]) in cases {
        let ran = Ran::modelled(&folder, "out", arguments);
        let choice = ran.record.unwrap().choice.unwrap();
        assert_eq!([choice.chosen, choice.of], [chosen, of], "{arguments:?}");
    }
    // A part may be empty.
    let ran = Ran::modelled(&folder, "out", &["--shard", "3/3", "quickstart"]);
    assert_eq!((ran.status, ran.cells().len()), (Some(0), 0), "{}", ran.said);
}

#[test]
fn without_scenarios_the_folder_is_named() {
    let folder = Folder::new("no-scenarios");
    let ran = Ran::modelled(&folder, "out", &[]);
    assert_eq!(ran.status, Some(2));
    assert!(ran.said.starts_with("scenarios: cannot be read: "), "{}", ran.said);
}

#[test]
fn a_choice_that_there_is_not_is_told_with_the_nearest_word() {
    let folder = Folder::new("no-choice");
    let cases =
        [("pairwize", "did you mean `pairwise`?"), ("sample:none", "write `sample:20`"), ("1", "write one of full")];
    for (word, help) in cases {
        let output = folder.tunnelproof(&["run", "--cells", word]).output().unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("--cells") && said.contains(help), "{said}");
    }
}
