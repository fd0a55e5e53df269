//! `--shard` and `report`: several machines do one run together, and its records become one.

use std::fs;

use runner::record::Shards;

use crate::{Folder, PLANTED, Ran};

/// The shards of a run, each with a record in a folder of its number.
fn shards(folder: &Folder, count: usize, arguments: &[&str]) -> Vec<Ran> {
    let shard = |number: usize| {
        let shard = format!("{number}/{count}");
        Ran::modelled(folder, &number.to_string(), &[&["--shard", &shard, "planted.yaml"], arguments].concat())
    };
    (1..=count).map(shard).collect()
}

fn planted(name: &str) -> Folder {
    let folder = Folder::new(name);
    folder.write("planted.yaml", PLANTED);
    folder
}

#[test]
fn shards_are_the_whole_and_have_nothing_in_common() {
    let folder = planted("shards");
    let whole = Ran::modelled(&folder, "whole", &["planted.yaml"]);
    let parts = shards(&folder, 3, &[]);
    assert_eq!(parts.iter().map(|part| part.ids().len()).collect::<Vec<_>>(), [6, 5, 5]);
    let mut all: Vec<_> = parts.iter().flat_map(Ran::ids).collect();
    all.sort_unstable();
    let mut ids = whole.ids();
    ids.sort_unstable();
    assert_eq!(all, ids);
}

#[test]
fn the_report_of_all_shards_is_that_of_one_run_with_its_evidence() {
    let folder = planted("report");
    let whole = Ran::modelled(&folder, "whole", &["planted.yaml"]);
    shards(&folder, 3, &[]);
    let report = Ran::report(&folder, "merged", &["3", "1", "2/record.json"]);
    assert_eq!(report.status, Some(1), "{}", report.said);
    assert_eq!(report.ids(), whole.ids());
    let record = report.record.as_ref().unwrap();
    assert_eq!(record.diagnoses, whole.record.as_ref().unwrap().diagnoses);
    assert_eq!(record.choice.as_ref().unwrap().shards, Some(Shards { count: 3, here: vec![1, 2, 3] }));
    for cell in report.cells() {
        assert!(folder.0.join("merged").join(cell.evidence.events.as_ref().unwrap()).exists(), "{}", cell.id);
    }
    for file in ["report.html", "report.md", "junit.xml", "badge.svg"] {
        assert!(folder.0.join("merged").join(file).exists(), "{file}");
    }
    let markdown = fs::read_to_string(folder.0.join("merged/report.md")).unwrap();
    assert!(markdown.contains("Chosen: all 3 shards"), "{markdown}");
    // The shards stay as they are, whatever becomes of the report.
    fs::remove_dir_all(folder.0.join("merged")).unwrap();
    assert!(Ran::report(&folder, "merged", &["1", "2", "3"]).said.contains("16 cells in"));
}

#[test]
fn a_shard_that_is_missing_is_named_and_the_report_is_no_success() {
    let folder = planted("missing-shard");
    shards(&folder, 4, &["--cells", "pairwise"]);
    let report = Ran::report(&folder, "merged", &["1", "4"]);
    assert_eq!(report.status, Some(1));
    assert!(report.said.contains("missing shards 2, 3 of 4: name the folders"), "{}", report.said);
    let html = fs::read_to_string(folder.0.join("merged/report.html")).unwrap();
    assert!(html.contains("shard 1, 4 of 4, without 2, 3"));
    // A machine that died leaves no folder: one that is left is not the whole.
    assert!(Ran::report(&folder, "merged", &["2"]).said.contains("missing shards 1, 3, 4 of 4"));
}

#[test]
fn one_record_is_reported_on_in_its_own_folder() {
    let folder = planted("again");
    Ran::modelled(&folder, "out", &["planted.yaml"]);
    let before = fs::read_to_string(folder.0.join("out/report.html")).unwrap();
    fs::remove_file(folder.0.join("out/report.html")).unwrap();
    let output = folder.tunnelproof(&["report", "out"]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_to_string(folder.0.join("out/report.html")).unwrap(), before);
}

#[test]
fn records_that_are_no_parts_of_one_run_are_refused() {
    let folder = planted("contradiction");
    shards(&folder, 2, &[]);
    let text = fs::read_to_string(folder.0.join("2/record.json")).unwrap();
    let mut other: serde_json::Value = serde_json::from_str(&text).unwrap();
    let write = |name: &str, value: &serde_json::Value| {
        fs::create_dir_all(folder.0.join(name)).unwrap();
        folder.write(&format!("{name}/record.json"), &value.to_string());
    };
    other["cells"][0]["verdict"] = "proven".into();
    write("contradicts", &other);
    other["cells"][0]["verdict"] = "skipped".into();
    other["choice"]["seed"] = 2.into();
    write("chosen-otherwise", &other);
    other["world"] = "guest".into();
    write("elsewhere", &other);
    other["format"] = 1.into();
    write("old", &other);
    let cases = [
        (["2", "contradicts"], "` and proven in `contradicts`: leave one of them out"),
        (["1", "chosen-otherwise"], "are parts of different runs: give all shards the same files"),
        (["1", "elsewhere"], "`1` is of the modelled world and `elsewhere` of the guest world"),
        (["1", "old"], "`old` is of format 1, and this program reads 2: make it again"),
        (["1", "nowhere"], "cannot read `nowhere"),
    ];
    for (runs, expected) in cases {
        let report = Ran::report(&folder, "merged", &runs);
        assert_eq!(report.status, Some(2), "{}", report.said);
        assert!(report.said.contains(expected), "{}", report.said);
        assert!(report.record.is_none(), "nothing is left of it");
    }
}

#[test]
fn a_shard_that_there_is_not_is_told() {
    let folder = planted("no-shard");
    let ran = Ran::modelled(&folder, "out", &["--shard", "4/3", "planted.yaml"]);
    assert_eq!(ran.status, Some(2));
    assert!(ran.said.contains("--shard") && ran.said.contains("`1/4`, up to `4/4`"), "{}", ran.said);
}
