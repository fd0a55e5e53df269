//! Bad input and bad machines, through the front door: what is said, with which exit status, and what is left.

#![allow(clippy::unwrap_used)]

mod folder;

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

use folder::Folder;

const QUICKSTART: &str = include_str!("../../../scenarios/quickstart.yaml");

fn tunnelproof(folder: &Folder) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tunnelproof"));
    command.current_dir(&folder.0);
    command
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn wrong_scenarios_are_told_with_their_place_and_the_nearest_word() {
    let cases = [
        ("subnets:", "subnetz:", "subnets"),
        ("router: libreswan ", "router: libreswann ", "libreswan"),
        ("ike: 3des-md5", "ike: 3dess-md5", "3des"),
        ("esp: 3des-md5", "esp: 3des-md6", "md5"),
        ("app: 10.10.2.0/24", "app: 10.10.1.0/25", "10.10.1.0/24"),
        ("app: 10.10.2.0/24", "app: 10.11.2.0/24", "10.10.0.0/16"),
        ("[172.16.10.0/24, 192.168.10.0/24]", "[172.16.10.0/24, 10.10.1.0/24]", "10.10.0.0/16"),
        ("- hold: 2h", "- hodl: 2h", "hold"),
    ];
    let folder = Folder::new("wrong-scenarios");
    for (right, wrong, expected) in cases {
        assert!(QUICKSTART.contains(right), "{right}");
        let text = QUICKSTART.replacen(right, wrong, 1);
        let place = QUICKSTART.find(right).unwrap();
        let line = text[..place].matches('\n').count() + 1;
        fs::write(folder.0.join("wrong.yaml"), &text).unwrap();
        for command in ["check", "run", "plan"] {
            let output = tunnelproof(&folder).args([command, "wrong.yaml"]).output().unwrap();
            let said = said(&output);
            assert_eq!(output.status.code(), Some(2), "{said}");
            assert!(said.contains(&format!("wrong.yaml:{line}:")), "line {line}: {said}");
            assert!(said.contains(expected), "{expected}: {said}");
            assert!(output.stdout.is_empty());
        }
    }
    assert_eq!(fs::read_dir(&folder.0).unwrap().count(), 1, "a run with wrong input leaves nothing");
}

#[test]
fn a_missing_file_is_wrong_input() {
    let folder = Folder::new("missing");
    fs::write(folder.0.join("quickstart.yaml"), QUICKSTART).unwrap();
    let output = tunnelproof(&folder).args(["run", "quickstrat.yaml"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        said(&output).contains("quickstrat.yaml") && said(&output).contains("quickstart.yaml"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_machine_without_a_network_is_told_what_is_missing_and_keeps_nothing_half_made() {
    let folder = Folder::new("no-network");
    let cache = folder.0.join("cache");
    let output = tunnelproof(&folder)
        .args(["setup", "kernel"])
        .env("TUNNELPROOF_CACHE", &cache)
        // Port 9 of loopback discards: nothing listens there.
        .env("TUNNELPROOF_MIRROR", "http://127.0.0.1:9/debian")
        .output()
        .unwrap();
    let said = said(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("cannot be reached") && said.contains("check the network"), "{said}");
    let finished = |name: &str| !name.starts_with('.') && !["downloads", "logs"].contains(&name);
    let left: Vec<_> = names(&cache).into_iter().filter(|name| finished(name)).collect();
    assert!(left.is_empty(), "{left:?}");
}

/// In a mount namespace of its own a command sees a machine that lacks something.
fn on_a_machine_where(folder: &Folder, lacking: &str, arguments: &[&str]) -> Output {
    let script = format!("{lacking}; exec \"$0\" \"$@\"");
    Command::new("unshare")
        .args(["--user", "--map-root-user", "--mount", "--", "/bin/sh", "-euc", &script])
        .arg(env!("CARGO_BIN_EXE_tunnelproof"))
        .args(arguments)
        .current_dir(&folder.0)
        .env("TUNNELPROOF_CACHE", folder.0.join("cache"))
        .output()
        .unwrap()
}

#[test]
fn a_machine_without_apt_is_told_how_to_add_it() {
    let folder = Folder::new("no-apt");
    let output = on_a_machine_where(&folder, "mount --bind /dev/null /usr/bin/apt-get", &["setup", "kernel"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("apt-get") && said.contains("install the Debian package `apt`"), "{said}");
    assert!(!folder.0.join("cache").exists());
}

#[test]
fn a_full_disk_is_told_before_anything_is_made() {
    let folder = Folder::new("full-disk");
    fs::create_dir(folder.0.join("cache")).unwrap();
    let small = "mount -t tmpfs -o size=8m tmpfs \"$TUNNELPROOF_CACHE\"";
    let output = on_a_machine_where(&folder, small, &["setup", "kernel"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("not enough room") && said.contains("TUNNELPROOF_CACHE"), "{said}");
    assert!(names(&folder.0.join("cache")).is_empty());
}

#[test]
fn a_cache_that_cannot_be_written_is_told_before_anything_is_made() {
    let folder = Folder::new("no-cache");
    let output = on_a_machine_where(&folder, "mount --bind -o ro . . && cd .", &["setup", "kernel"]);
    let said = said(&output);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(said.contains("TUNNELPROOF_CACHE"), "{said}");
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}
