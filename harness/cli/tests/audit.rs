//! `audit` through the front door: captures that other programs could have made, with and without their keys.

#![allow(clippy::unwrap_used)]

mod folder;

use std::{
    fs,
    net::Ipv4Addr,
    process::{Command, Output},
};

use folder::Folder;
use policy::{Encryption, Hash};
use serde_json::Value;
use wire::{
    audit::{Facts, SaKeys, Side},
    esp::{self, Keys},
    ethernet::{self, Frame},
    ipv4::{self, protocol},
    isakmp::{self, exchange, payload},
    pcapng::Writer,
    udp::Datagram,
    wireshark,
};

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CUSTOMER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);

fn sa() -> SaKeys {
    SaKeys {
        spi: 0xc0de,
        source: ROUTER,
        destination: CUSTOMER,
        encryption: Encryption::Aes128,
        encryption_key: "1f".repeat(16),
        integrity: Hash::Sha1,
        integrity_key: "2e".repeat(20),
        added_ns: None,
        deleted_ns: None,
    }
}

fn packet(protocol: u8, payload: &[u8]) -> Vec<u8> {
    let payload = &ipv4::emit(protocol, ROUTER, CUSTOMER, payload);
    Frame { destination: [2, 0, 0, 0, 0, 1], source: [2, 0, 0, 0, 0, 2], ethertype: ethernet::IPV4, payload }.emit()
}

/// The first message of Main Mode: 3DES, MD5, group 2 and a pre-shared key.
fn offer() -> Vec<u8> {
    let attributes = [0x8001u16, 5, 0x8002, 1, 0x8003, 1, 0x8004, 2];
    let mut transform = vec![0, 0, 0, 24, 1, 1, 0, 0];
    transform.extend(attributes.iter().flat_map(|word| word.to_be_bytes()));
    let mut sa = vec![0, 0, 0, 44, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 32, 1, 1, 0, 1];
    sa.extend(transform);
    let mut message = [[7; 8], [0; 8]].concat();
    message.extend([payload::SECURITY_ASSOCIATION, 0x10, exchange::MAIN_MODE, 0, 0, 0, 0, 0, 0, 0, 0, 28 + 44]);
    message.extend(sa);
    Datagram { source_port: isakmp::PORT, destination_port: isakmp::PORT, payload: &message }.emit()
}

fn sealed(sequence: u32) -> Vec<u8> {
    let inner = ipv4::emit(protocol::ICMP, [10, 10, 1, 2].into(), [172, 16, 10, 2].into(), &[8, 0, 0, 0, 0, 1, 0, 1]);
    esp::seal(&Keys::try_from(&sa()).unwrap(), 0xc0de, sequence, &[0x5a; 16], protocol::IPV4, &inner).unwrap()
}

/// A message of IKE and three ESP packets, as one interface saw them.
fn capture(folder: &Folder) {
    let mut frames = vec![packet(protocol::UDP, &offer())];
    frames.extend((1..=3).map(|sequence| packet(protocol::ESP, &sealed(sequence))));
    write(folder, &frames);
}

fn write(folder: &Folder, frames: &[Vec<u8>]) {
    let mut writer = Writer::new(Vec::new()).unwrap();
    let point = writer.add_point("eth0", Side::Internet).unwrap();
    for (i, frame) in (0..).zip(frames) {
        writer.write_frame(point, 1_700_000_000_000_000_000 + i * 1_000_000, frame.len() as u32, frame).unwrap();
    }
    fs::write(folder.0.join("tunnel.pcapng"), writer.into_inner()).unwrap();
}

fn keys(folder: &Folder, name: &str, file: &str, text: &str) {
    fs::create_dir_all(folder.0.join(name)).unwrap();
    fs::write(folder.0.join(name).join(file), text).unwrap();
}

fn audit(folder: &Folder, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tunnelproof"));
    command.current_dir(&folder.0).args(["audit", "tunnel.pcapng"]).args(arguments);
    command.env_remove("COLUMNS").output().unwrap()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn json(output: &Output) -> Value {
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", stderr(output)))
}

#[test]
fn a_capture_without_keys_is_told_to_be_closed_once_and_has_no_findings() {
    let folder = Folder::new("audit-closed");
    capture(&folder);
    let output = audit(&folder, &[]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(0), "{text}{}", stderr(&output));
    assert_eq!(text.matches("3 ESP frames of 1 SPIs stay closed: no keys were given").count(), 1, "{text}");
    assert!(text.contains("No findings") && text.contains("main mode from 192.0.2.1 to 198.51.100.1"), "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");

    let output = audit(&folder, &["--json"]);
    assert_eq!((output.status.code(), &json(&output)["findings"]), (Some(0), &Value::Array(Vec::new())));
    assert!(stderr(&output).contains("3 ESP frames of 1 SPIs stay closed"), "{}", stderr(&output));
}

#[test]
fn keys_beside_the_capture_open_it() {
    let folder = Folder::new("audit-beside");
    capture(&folder);
    keys(&folder, "keys", "esp_sa", &wireshark::esp_sa_table(&[sa()]));
    let output = audit(&folder, &["--json"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stderr(&output).contains("keys are taken from keys"), "{}", stderr(&output));
    let account = json(&output);
    assert_eq!([&account["frames"], &account["sas"][0]["verified"]], [&Value::from(4), &Value::from(3)]);
    assert_eq!(account["points"][0]["classes"]["esp"], 3);
}

#[test]
fn a_line_with_wildcards_opens_what_it_fits() {
    let folder = Folder::new("audit-wildcards");
    capture(&folder);
    let table = wireshark::esp_sa_table(&[sa()]).replace("192.0.2.1", "*").replace("198.51.100.1", "*");
    keys(&folder, "mine", "esp_sa", &table.replace("0x0000c0de", "*"));
    let account = json(&audit(&folder, &["--json", "--keys", "mine"]));
    let sa = &account["sas"][0];
    assert_eq!([&sa["verified"], &sa["spi"], &sa["source"]], [&3.into(), &0xc0de.into(), &Value::from("192.0.2.1")]);
}

#[test]
fn a_wrong_key_is_a_finding_with_its_frames() {
    let folder = Folder::new("audit-wrong-key");
    capture(&folder);
    let wrong = SaKeys { integrity_key: "2f".repeat(20), ..sa() };
    keys(&folder, "mine", "esp_sa", &wireshark::esp_sa_table(&[wrong]));
    let output = audit(&folder, &["--keys", "mine"]);
    let text = stdout(&output);
    assert_eq!(output.status.code(), Some(1), "{text}");
    for part in ["3 findings", "wrong-integrity", "RFC 4303 section 3.4.4.1", "frame 2:", "frame 4:"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn the_facts_of_a_run_bring_its_full_account() {
    let folder = Folder::new("audit-facts");
    capture(&folder);
    let facts = Facts { local: vec!["10.10.0.0/16".parse().unwrap()], sas: vec![sa()], ..Facts::default() };
    keys(&folder, "keys", "facts.json", &serde_json::to_string(&facts).unwrap());
    let account = json(&audit(&folder, &["--json"]));
    let codes: Vec<_> = account["findings"].as_array().unwrap().iter().map(|finding| &finding["code"]).collect();
    assert_eq!(codes, [&Value::from("inner-outside-selectors"); 3], "the customer's side is not told");

    keys(&folder, "none", "facts.json", &serde_json::to_string(&Facts::default()).unwrap());
    let output = audit(&folder, &["--keys", "none"]);
    assert_eq!(output.status.code(), Some(1), "a run without SAs must not have any");
    assert!(stdout(&output).contains("unknown-spi"), "{}", stdout(&output));
}

#[test]
fn an_account_can_go_into_a_file() {
    let folder = Folder::new("audit-out");
    capture(&folder);
    let output = audit(&folder, &["--out", "account.txt"]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(0), ""));
    assert!(fs::read_to_string(folder.0.join("account.txt")).unwrap().contains("4 frames"));
    let output = audit(&folder, &["--out", "not/there.txt"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("not/there.txt"), "{}", stderr(&output));
}

#[test]
fn traffic_of_others_does_not_drown_a_foreign_capture() {
    let folder = Folder::new("audit-others");
    let query = Datagram { source_port: 40_000, destination_port: 53, payload: &[0; 20] }.emit();
    write(&folder, &vec![packet(protocol::UDP, &query); 40]);
    let output = audit(&folder, &[]);
    assert_eq!(output.status.code(), Some(0), "{}", stdout(&output));
    assert!(stdout(&output).contains("40 frames are neither"), "{}", stdout(&output));
}

#[test]
fn wrong_input_is_told_with_its_file_and_place() {
    let folder = Folder::new("audit-wrong");
    let said = |arguments: &[&str]| {
        let output = audit(&folder, arguments);
        assert_eq!((output.status.code(), output.stdout.is_empty()), (Some(2), true), "{}", stderr(&output));
        stderr(&output)
    };
    assert!(said(&[]).starts_with("tunnel.pcapng: No such file"), "{}", said(&[]));
    fs::write(folder.0.join("tunnel.pcapng"), "a text").unwrap();
    assert!(said(&[]).starts_with("tunnel.pcapng: not a"), "{}", said(&[]));

    capture(&folder);
    let missing = said(&["--keys", "nowhere"]);
    assert!(missing.contains("nowhere") && missing.contains("--keys"), "{missing}");
    fs::create_dir(folder.0.join("empty")).unwrap();
    let none = said(&["--keys", "empty"]);
    assert!(none.starts_with("empty: ") && none.contains("esp_sa"), "{none}");
    keys(&folder, "short", "esp_sa", &wireshark::esp_sa_table(&[SaKeys { encryption_key: "1f".into(), ..sa() }]));
    let short = said(&["--keys", "short"]);
    assert!(short.starts_with("short/esp_sa:1:") && short.contains("needs 16"), "{short}");
    keys(&folder, "broken", "facts.json", "{\n  \"local\": 7\n}");
    let broken = said(&["--keys", "broken"]);
    assert!(broken.starts_with("broken/facts.json:2:"), "{broken}");
}

#[test]
fn a_line_that_asks_for_too_much_is_left_out_with_a_note() {
    let folder = Folder::new("audit-left-out");
    capture(&folder);
    let table =
        "\"IPv4\",\"*\",\"*\",\"*\",\"NULL\",\"\",\"NULL\",\"\"\n".to_owned() + &wireshark::esp_sa_table(&[sa()]);
    keys(&folder, "mine", "esp_sa", &table);
    let output = audit(&folder, &["--json", "--keys", "mine"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(stderr(&output).contains("mine/esp_sa:1:20: `NULL` is not opened"), "{}", stderr(&output));
    assert_eq!(json(&output)["sas"][0]["verified"], 3);
}
