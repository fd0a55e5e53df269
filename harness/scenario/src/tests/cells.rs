//! What comes out of a scenario: its cells.

use std::time::{Duration, Instant};

use policy::{Daemon, End, Group, IkeVersion, Initiator, Lifetime, PreSharedKey};
use proptest::prelude::*;

use super::{FILE, QUICKSTART, edited, read, with_matrix};
use crate::{Cell, Expectation, Party, Profile, StandsInFor, Step, parse};

fn ids(text: &str) -> Vec<String> {
    read(text).cells().into_iter().map(|cell| cell.id).collect()
}

#[test]
fn the_quickstart() {
    let scenario = read(QUICKSTART);
    assert_eq!((scenario.stem.as_str(), scenario.title.as_str()), ("quickstart", "one tunnel, both subnets"));
    let cells = scenario.cells();
    let [forth, back] = cells.as_slice() else { panic!("two cells were expected: {cells:?}") };

    assert_eq!(forth.id, "quickstart/libreswan-to-strongswan");
    assert_eq!(forth.axes, [("ends".to_owned(), "libreswan-to-strongswan".to_owned())]);
    assert_eq!(back.id, "quickstart/strongswan-to-libreswan");
    assert_eq!(
        (forth.cloud.vpcs["main"].router, forth.customers["branch"].daemon),
        (Daemon::Libreswan, Daemon::Strongswan)
    );
    assert_eq!(
        (back.cloud.vpcs["main"].router, back.customers["branch"].daemon),
        (Daemon::Strongswan, Daemon::Libreswan)
    );

    assert_eq!(forth.cloud.profile, Profile::Spec2012);
    let tiers: Vec<_> = forth.cloud.vpcs["main"].tiers.iter().map(|(name, net)| format!("{name} {net}")).collect();
    assert_eq!(tiers, ["web 10.10.1.0/24", "app 10.10.2.0/24"]);
    let branch = &forth.customers["branch"];
    assert_eq!((branch.stands_in_for, branch.subnets.len()), (Some(StandsInFor::CiscoIos), 2));
    assert_eq!(branch.psk, PreSharedKey::new("123123"));
    assert_eq!(forth.policy.ike.to_string(), "3des-md5;modp1536");
    assert_eq!(forth.policy.esp.to_string(), "3des-md5");
    assert_eq!((forth.policy.ike_lifetime, forth.policy.esp_lifetime), (Lifetime(86_400), Lifetime(3_600)));
    assert!(forth.policy.dpd && forth.needs_virtual_time());

    let steps: Vec<_> = forth.steps.iter().map(Step::to_string).collect();
    let expected = [
        "connect main -> branch",
        "expect Connected within 60s",
        "exchange 20 packets each way between main and branch",
        "hold 2h",
        "exchange 20 packets each way between main and branch",
        "disconnect main -> branch",
        "expect traffic none-in-clear",
    ];
    assert_eq!(steps, expected);
}

/// The cells of the quickstart with a gateway of the customer's own, and a matrix.
fn own(gateway: &str, matrix: &str) -> Vec<Cell> {
    let text =
        with_matrix(matrix).replace("    psk: \"123123\"", &format!("    gateway: {gateway}\n    psk: \"123123\""));
    read(&text).cells()
}

#[test]
fn a_customers_gateway_has_what_it_has_of_its_own_and_else_what_the_cloud_is_told() {
    let gateway = "{ ike: aes256-sha1;modp1536, esp-lifetime: 8h, dpd: false, psk: \"x\", subnets: [172.16.20.0/24], \
                   peer-nets: [10.20.0.0/16], peer: 198.51.100.250, ike-version: ikev2 }";
    let cell = own(gateway, "  initiator: [customer]\n").remove(0);
    assert_eq!((cell.id.as_str(), cell.initiator), ("quickstart/initiator=customer", Initiator::Customer));
    let [router, customer] = cell.ends("main", "branch").unwrap();
    assert_eq!(router.policy, cell.policy);
    assert_eq!((router.key.expose(), customer.key.expose()), ("123123", "x"));
    assert_eq!(customer.policy.ike.to_string(), "aes256-sha1;modp1536");
    assert_eq!((customer.policy.esp.to_string(), customer.policy.dpd), ("3des-md5".to_owned(), false));
    assert_eq!((router.policy.esp_lifetime, customer.policy.esp_lifetime), (Lifetime(3_600), Lifetime(28_800)));
    assert_eq!((router.ike, customer.ike), (IkeVersion::V1, IkeVersion::V2));
    assert_eq!((router.knows_peer, customer.knows_peer), (true, false));
    let pairs = |end: &End| end.pairs().map(|(local, peer)| format!("{local} {peer}")).collect::<Vec<_>>();
    assert_eq!(pairs(&customer), ["172.16.20.0/24 10.20.0.0/16"]);
    assert_eq!(pairs(&router), ["10.10.0.0/16 172.16.10.0/24", "10.10.0.0/16 192.168.10.0/24"]);
    assert_eq!(cell.wrong_peer("branch"), Some([198, 51, 100, 250].into()));
    assert_eq!(cell.keys().count(), 2);
    assert!(!format!("{cell:?}").contains("psk: PreSharedKey"), "keys print as stars");
}

#[test]
fn without_a_gateway_of_their_own_both_ends_agree() {
    let cell = read(QUICKSTART).cells().remove(0);
    let [[router, customer]]: [_; 1] = cell.connections().try_into().unwrap();
    assert_eq!(cell.initiator, Initiator::Cloud);
    assert_eq!(End { daemon: router.daemon, ..customer.seen_from_the_peer() }, router);
}

#[test]
fn a_part_of_what_a_gateway_has_is_a_change_of_what_it_would_have_whatever_the_order_of_the_axes() {
    let axes = "  customers.branch.gateway.ike.encryption: [aes256]\n  ike.hash: [sha1]\n";
    let cells = read(&with_matrix(axes)).cells();
    assert_eq!(cells[0].customers["branch"].gateway.ike.as_ref().unwrap().to_string(), "aes256-sha1;modp1536");
    assert_eq!(cells[0].policy.ike.to_string(), "3des-sha1;modp1536");
    assert_eq!(cells[0].id, "quickstart/encryption=aes256,hash=sha1");
    // What the file gives it stays its own.
    let cells =
        own("{ esp: aes256-sha1 }", "  customers.branch.gateway.esp.group: [none, modp1024]\n  esp.hash: [sha1]\n");
    let esp = |cell: &Cell| cell.customers["branch"].gateway.esp.as_ref().unwrap().to_string();
    assert_eq!(cells.iter().map(esp).collect::<Vec<_>>(), ["aes256-sha1", "aes256-sha1;modp1024"]);
}

#[test]
fn networks_and_keys_of_a_gateway_can_vary() {
    let text = with_matrix(
        "  customers.branch.gateway.subnets: [[172.16.20.0/24], [172.16.10.0/24, 172.16.20.0/24]]\n  \
         keys: { same: { customers.branch.gateway.psk: \"123123\" }, other: { customers.branch.gateway.psk: \"1\" } }\n",
    );
    let ids = ids(&text);
    assert_eq!(ids[1], "quickstart/subnets=172.16.20.0-24,other");
    assert_eq!(ids[2], "quickstart/subnets=172.16.10.0-24_172.16.20.0-24,same");
}

#[test]
fn alerts_are_expected_between_connections_and_traffic() {
    let text = edited(
        "expect: { connection: Connected, within: 60s }",
        "expect: { traffic: none-in-clear, alert: { from: Connected, to: Disconnected }, connection: Connected, \
         within: 60s }\n  - expect: { alert: none }",
    );
    let steps: Vec<_> = read(&text).cells()[0].steps.iter().map(Step::to_string).collect();
    let expected = [
        "expect Connected within 60s",
        "expect alert from Connected to Disconnected",
        "expect traffic none-in-clear",
        "expect no alert",
    ];
    assert_eq!(steps[1..5], expected);
}

#[test]
fn short_holds_need_no_virtual_time() {
    assert!(read(&edited("hold: 2h", "hold: 61s")).cells()[0].needs_virtual_time());
    assert!(!read(&edited("hold: 2h", "hold: 1m")).cells()[0].needs_virtual_time());
}

#[test]
fn axes_multiply_and_the_last_turns_fastest() {
    let text = with_matrix("  ike.encryption: [3des, aes128]\n  policy.dpd: [true, false]\n");
    let expected = ["3des,dpd=true", "3des,dpd=false", "aes128,dpd=true", "aes128,dpd=false"];
    assert_eq!(ids(&text), expected.map(|axes| format!("quickstart/encryption={axes}")));
    let cells = read(&text).cells();
    assert_eq!((cells[3].policy.ike.to_string(), cells[3].policy.dpd), ("aes128-md5;modp1536".to_owned(), false));
    let axes =
        [("ike.encryption", "aes128"), ("dpd", "false")].map(|(axis, value)| (axis.to_owned(), value.to_owned()));
    assert_eq!(cells[3].axes, axes);
}

#[test]
fn ids_tell_axes_of_the_same_name_apart() {
    let text =
        with_matrix("  ike.hash: [md5]\n  esp.hash: [sha1]\n  esp.group: [none, modp1024]\n  ike-lifetime: [3600]\n");
    let expected =
        ["none", "modp1024"].map(|g| format!("quickstart/ike.hash=md5,esp.hash=sha1,group={g},ike-lifetime=1h"));
    assert_eq!(ids(&text), expected);
    let groups: Vec<_> = read(&text).cells().iter().map(|cell| cell.policy.esp.first().group).collect();
    assert_eq!(groups, [None, Some(Group::Modp1024)]);
}

#[test]
fn without_a_matrix_there_is_one_cell() {
    let (before, rest) = QUICKSTART.split_once("matrix:\n").unwrap();
    let text = format!("{before}steps:{}", rest.split_once("\nsteps:").unwrap().1);
    assert_eq!(ids(&text), ["quickstart"]);
}

#[test]
fn a_list_of_proposals_is_an_order_of_preference() {
    let text = edited("ike: 3des-md5;modp1536", "ike: [aes256-sha1;modp1536, 3des-md5]");
    assert_eq!(read(&text).cells()[0].policy.ike.to_string(), "aes256-sha1;modp1536,3des-md5");
    let text = with_matrix("  esp: [\"3des-md5, aes128-md5\", 3des-sha1;modp1024]\n");
    let expected = ["quickstart/esp=3des-md5_aes128-md5", "quickstart/esp=3des-sha1;modp1024"];
    assert_eq!(ids(&text), expected);
}

#[test]
fn what_is_left_out_has_a_default() {
    let text =
        edited("profile: spec-2012 ", "#").replace("router: libreswan  ", "#").replace("    daemon: strongswan", "#");
    let text = text.replace("  ike-lifetime: 24h", "").replace("  esp-lifetime: 1h", "").replace("  dpd: true", "");
    let text = text.replace("    stands-in-for: cisco-ios", "").replace("psk: \"123123\"", "psk: 0123");
    let cell = read(&text).cells().remove(0);
    assert_eq!((cell.policy.ike_lifetime, cell.policy.esp_lifetime), (Lifetime(86_400), Lifetime(3_600)));
    assert!(!cell.policy.dpd && cell.customers["branch"].stands_in_for.is_none());
    // An unquoted key keeps its characters, although YAML would call it a number.
    assert_eq!(cell.customers["branch"].psk.expose(), "0123");
}

#[test]
fn the_version_of_ike_is_the_profiles_unless_the_file_says_it() {
    use policy::IkeVersion::{Either, V1, V2};
    let versions = |text: &str| read(text).cells().iter().map(Cell::ike).collect::<Vec<_>>();
    assert_eq!(versions(QUICKSTART), [V1, V1]);
    assert_eq!(versions(&with_matrix("  cloud.profile: [spec-2012, 4.22]\n")), [V1, Either]);
    let newer = edited("profile: spec-2012", "profile: 4.22").replace("  dpd: true", "  ike-version: ikev2");
    assert_eq!(versions(&newer), [V2, V2]);
    let varied = with_matrix("  policy.ike-version: [ike, ikev1, ikev2]\n").replace("spec-2012", "4.22");
    assert_eq!(versions(&varied), [Either, V1, V2]);
    assert_eq!(ids(&varied)[1], "quickstart/ike-version=ikev1");
}

#[test]
fn parties_and_expectations() {
    let step = "exchange: { between: [branch 172.16.10.0/24, main.web], packets: 1 }";
    let both = "expect: { connection: Disconnected, within: 3m, traffic: none-in-clear }";
    let cell = read(&edited("- hold: 2h", &format!("- {step}\n  - {both}"))).cells().remove(0);
    let subnet = Party::Subnet { customer: "branch".to_owned(), net: "172.16.10.0/24".parse().unwrap() };
    let tier = Party::Tier { vpc: "main".to_owned(), tier: "web".to_owned() };
    assert_eq!(cell.steps[3], Step::Exchange { between: [subnet, tier], packets: 1 });
    assert_eq!(cell.steps[3].to_string(), "exchange 1 packet each way between branch 172.16.10.0/24 and main.web");
    assert!(matches!(cell.steps[4], Step::Expect(Expectation::Connection { within, .. }) if within.as_secs() == 180));
    assert!(matches!(cell.steps[5], Step::Expect(Expectation::Traffic(_))));
}

#[test]
fn a_cell_survives_json() {
    let step = "exchange: { between: [branch 172.16.10.0/24, main.web], packets: 1 }";
    for cell in read(&edited("- hold: 2h", &format!("- {step}\n  - hold: 2h"))).cells() {
        let json = serde_json::to_string(&cell).unwrap();
        assert!(json.contains(r#"{"hold":"2h"}"#), "{json}");
        assert_eq!(serde_json::from_str::<Cell>(&json).unwrap(), cell);
        assert!(!format!("{cell:?}").contains("123123"));
    }
}

#[test]
fn reading_takes_no_time() {
    let begin = Instant::now();
    for _ in 0..50 {
        parse(FILE, QUICKSTART).unwrap();
    }
    let each = begin.elapsed() / 50;
    assert!(each < Duration::from_millis(20), "{each:?}");
}

fn some(of: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::subsequence(of, 1..=of.len()).prop_shuffle().prop_map(|values| values.join(", "))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn ids_are_unique_stable_and_fit_for_folders(
        encryption in some(&["3des", "aes128", "aes192", "aes256"]),
        group in some(&["none", "modp1024", "modp1536", "modp8192"]),
        esp in some(&["md5", "sha1"]),
        ike in some(&["md5", "sha1", "sha512"]),
        router in some(&["libreswan", "strongswan", "strongswan-5.9"]),
        lifetime in some(&["90", "2m", "24h"]),
    ) {
        let text = with_matrix(&format!(
            "  ike.encryption: [{encryption}]\n  esp.group: [{group}]\n  esp.hash: [{esp}]\n  ike.hash: [{ike}]\n  \
             cloud.vpcs.main.router: [{router}]\n  esp-lifetime: [{lifetime}]\n  \
             far: {{ a: {{ customers.branch.daemon: libreswan }}, b: {{ customers.branch.stands-in-for: junos }} }}\n",
        )).replace("profile: spec-2012", "profile: 4.22");
        let ids = ids(&text);
        let axes = [encryption, group, esp, ike, router, lifetime];
        prop_assert_eq!(ids.len(), axes.iter().map(|axis| axis.split(", ").count()).product::<usize>() * 2);
        prop_assert_eq!(&ids, &super::cells::ids(&text));
        let unique: std::collections::BTreeSet<_> = ids.iter().collect();
        prop_assert_eq!(unique.len(), ids.len());
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "./=,;_-".contains(c);
        prop_assert!(ids.iter().all(|id| id.chars().all(allowed)), "{:?}", ids);
    }
}
