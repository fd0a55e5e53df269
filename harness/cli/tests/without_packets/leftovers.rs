//! What a run that was killed has left in a foreign cloud: it is told, and not touched.

use cloud::{Modelled, Profile};
use runner::record::Verdict;

use crate::{Elsewhere, Folder, scenario};

const CUSTOMERS: &str = "[customers]\naddresses = [\"198.51.100.7\"]\nanswer = true\n";

/// As such a run would have made them.
fn leave(cloud: &Elsewhere) {
    let first = |command: &str, object: &str| cloud.call(command, &[])[object][0]["id"].as_str().unwrap().to_owned();
    let (zone, offering) = (first("listZones", "zone"), first("listVPCOfferings", "vpcoffering"));
    let vpc = [
        ("name", "tunnelproof-1234abc-1-main"),
        ("displaytext", "left"),
        ("cidr", "10.10.0.0/16"),
        ("zoneid", &zone),
        ("vpcofferingid", &offering),
    ];
    cloud.make("createVPC", &vpc);
    let gateway = [
        ("name", "tunnelproof-1234abc-1-branch"),
        ("gateway", "198.51.100.7"),
        ("cidrlist", "172.16.10.0/24"),
        ("ipsecpsk", "not for logs"),
        ("ikepolicy", "aes128-sha1;modp1536"),
        ("esppolicy", "aes128-sha1"),
    ];
    cloud.make("createVpnCustomerGateway", &gateway);
}

#[test]
fn the_next_run_names_them_and_leaves_them_alone() {
    let (folder, cloud) = (Folder::new("left"), Elsewhere::serve(Profile::Spec2012, Modelled::agreeing()));
    leave(&cloud);
    folder.write("endpoint.toml", &cloud.endpoint(&CUSTOMERS.replace("100.7", "100.8")));
    let ran = folder.run(&scenario("lifecycle/connect.yaml"));
    assert_eq!(ran.status, Some(0), "{}", ran.said);
    let expected = ["VPC tunnelproof-1234abc-1-main", "customer gateway tunnelproof-1234abc-1-branch"];
    for left in expected {
        assert!(
            ran.said.contains(&format!("found {left}: another run made it, and it is not touched")),
            "{}",
            ran.said
        );
    }
    let found = ran.record.as_ref().unwrap().laboratory.cloud.as_ref().unwrap();
    assert_eq!(found.leftovers, expected);
    let there: Vec<_> = expected.iter().map(|left| left.split(' ').next_back().unwrap()).collect();
    assert_eq!(cloud.objects(), there);
}

#[test]
fn an_address_that_is_a_customer_gateway_already_says_nothing_of_the_cloud() {
    let (folder, cloud) = (Folder::new("taken"), Elsewhere::serve(Profile::Spec2012, Modelled::agreeing()));
    leave(&cloud);
    folder.write("endpoint.toml", &cloud.endpoint(CUSTOMERS));
    let ran = folder.run(&scenario("lifecycle/connect.yaml"));
    assert_eq!(ran.status, Some(3), "{}", ran.said);
    for cell in ran.cells() {
        assert_eq!(cell.verdict, Verdict::Broken);
        assert!(cell.reason.contains("198.51.100.7 is the customer gateway `tunnelproof-1234abc-1-branch` already"));
        assert!(cell.reason.contains("delete it, or name another address in endpoint.toml"), "{}", cell.reason);
    }
}
