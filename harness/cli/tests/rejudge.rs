//! A run that is finished is judged again with other expectations, and nothing is run for it.
#![allow(clippy::unwrap_used)]

mod folder;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use folder::Folder;
use runner::record::{Record, Verdict};

const CELL: &str = "cut/libreswan-to-strongswan";

fn tunnelproof(arguments: &[&str], paths: &[&Path]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_tunnelproof")).args(arguments).args(paths).output().unwrap()
}

fn scenario(folder: &Folder, change: impl FnOnce(String) -> String) -> PathBuf {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/faults/link-down.yaml");
    let path = folder.0.join("cut.yaml");
    fs::write(&path, change(fs::read_to_string(source).unwrap())).unwrap();
    path
}

fn verdict(out: &Path) -> (Verdict, String) {
    let record: Record = serde_json::from_slice(&fs::read(out.join("record.json")).unwrap()).unwrap();
    let cell = record.cells.into_iter().find(|cell| cell.id == CELL).unwrap();
    (cell.verdict, cell.reason)
}

#[test]
fn a_finished_run_is_judged_by_what_is_expected_now() {
    let folder = Folder::new("rejudge");
    let out = folder.0.join("run");
    let as_it_is = scenario(&folder, |text| text);
    let run = tunnelproof(&["run", "--out", out.to_str().unwrap()], &[&as_it_is]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));

    let rejudge = |path: &Path| tunnelproof(&["report", out.to_str().unwrap(), "--rejudge"], &[path]);
    let stricter = scenario(&folder, |text| text.replace("lost: 150", "lost: 3"));
    assert_eq!(rejudge(&stricter).status.code(), Some(1));
    let (verdict_now, reason) = verdict(&out);
    assert_eq!(verdict_now, Verdict::Refuted);
    assert!(reason.starts_with("over-time:") && reason.contains("at most 3 packets lost"), "{reason}");

    let wiser = scenario(&folder, |text| {
        let connect = "  - connect: { vpc: main, customer: branch }\n";
        let then = format!("{connect}  - expect: {{ never: {{ connection: Error }}, for: 1s }}\n");
        text.replace(connect, &then).replace("  - expect: { always: { connection: Connected }, for: 60s }\n", "")
    });
    let again = rejudge(&wiser);
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    assert_eq!(verdict(&out).0, Verdict::Proven);

    let other = scenario(&folder, |text| text.replace("hold: 1m", "hold: 2m"));
    let refused = rejudge(&other);
    assert_eq!(refused.status.code(), Some(2));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("`hold 60s` was taken, and `hold 2m` is asked for"), "{said}");
}
