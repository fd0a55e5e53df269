//! What is refused, with CloudStack's codes and texts.

use serde_json::json;
use tunnelproof_cloud::{Client, ClientError, Credentials};

use super::{Cloud, customer_gateway, id};

async fn refused(cloud: &Cloud, command: &str, parameters: &[(&str, &str)]) -> (i64, String) {
    super::refusal(&cloud.client, command, parameters).await
}

#[tokio::test]
async fn credentials_and_commands() {
    let cloud = Cloud::start().await;
    let text = "unable to verify user credentials and/or request signature";
    for (api_key, secret_key) in [("AK", "wrong"), ("wrong", "SK"), ("", "")] {
        let credentials = Credentials { api_key: api_key.to_owned(), secret_key: secret_key.to_owned() };
        let refused = Client::new(cloud.service.endpoint(), credentials).call("listZones", &[]).await.unwrap_err();
        let expected =
            ClientError::Api { command: "listZones".to_owned(), status: 401, code: 401, text: text.to_owned() };
        assert_eq!(refused, expected);
    }
    assert_eq!(refused(&cloud, "listNothing", &[]).await, (401, text.to_owned()));
    let last = cloud.calls.lock().unwrap().last().unwrap().answer.clone();
    assert_eq!(last, json!({ "errorresponse": { "uuidList": [], "errorcode": 401, "errortext": text } }));
}

#[tokio::test]
async fn expiry_counts_with_signature_version_3_alone() {
    let cloud = Cloud::start().await;
    for (expires, version, good) in [
        ("2126-11-24T12:53:05+0000", "3", true),
        ("2126-11-24T12:53:05Z", "3", true),
        ("2126-11-24T12:53:05.123456+0000", "3", true),
        ("2026-01-01T00:00:00+0000", "3", false),
        ("tomorrow", "3", false),
        ("tomorrow", "2", true),
    ] {
        for name in ["signatureversion", "signatureVersion"] {
            let answer = cloud.client.call("listZones", &[("expires", expires), (name, version)]).await;
            assert_eq!(answer.is_ok(), good, "{expires} {version}");
        }
    }
    assert!(cloud.client.call("listZones", &[("signatureVersion", "3")]).await.is_err());
}

#[tokio::test]
async fn parameters() {
    let cloud = Cloud::start().await;
    let unable = "Unable to execute API command";
    let cases = [
        (
            "createVpnConnection",
            vec![],
            format!("{unable} createvpnconnection due to missing parameter s2svpngatewayid"),
        ),
        ("deleteVPC", vec![("id", "")], "Invalid value provided for API arg: id".to_owned()),
        (
            "deleteVpnConnection",
            vec![("id", "no-such")],
            format!(
                "{unable} deletevpnconnection due to invalid value. Invalid parameter id value=no-such due to incorrect \
                 long value format, or entity does not exist or due to incorrect parameter annotation for the field in \
                 api cmd class."
            ),
        ),
        (
            "listVpnGateways",
            vec![("page", "one"), ("pagesize", "1")],
            format!("{unable} listvpngateways due to invalid value one for parameter page"),
        ),
        (
            "listZones",
            vec![("name", "a\tb")],
            "Received value containing illegal ASCII non-printable characters for parameter name".to_owned(),
        ),
        ("listVPCs", vec![("page", "1")], "\"pagesize\" parameter is required when \"page\" is specified".to_owned()),
    ];
    for (command, parameters, text) in cases {
        assert_eq!(refused(&cloud, command, &parameters).await, (431, text));
    }
    let missing = cloud.calls.lock().unwrap()[0].answer["createvpnconnectionresponse"].clone();
    assert_eq!((&missing["cserrorcode"], &missing["uuidList"]), (&json!(9999), &json!([])));

    let long = "x".repeat(256);
    let mut parameters = customer_gateway("198.51.100.7", &long).to_vec();
    assert!(
        refused(&cloud, "createVpnCustomerGateway", &parameters)
            .await
            .1
            .ends_with("Value greater than max allowed length 255 for param: guestCidrList")
    );
    parameters[1].1 = "172.16.0.0/16";
    parameters.push(("dpd", "TRUE"));
    let created = cloud.run("createVpnCustomerGateway", &parameters).await;
    assert_eq!(created["vpncustomergateway"]["dpd"], true);
    assert_eq!(created["vpncustomergateway"]["name"], "VPN-198.51.100.7");
    // The numbers of rows are accepted for ids, as they were before UUIDs.
    assert_eq!(cloud.run("deleteVpnCustomerGateway", &[("id", "1")]).await, json!({ "success": true }));
    let gone = refused(&cloud, "deleteVpnCustomerGateway", &[("id", "1")]).await;
    assert_eq!(gone, (431, "Fail to find customer gateway with 1 !".to_owned()));
}

#[tokio::test]
async fn customer_gateways() {
    let cloud = Cloud::start().await;
    cloud.create_customer_gateway("198.51.100.7", "172.16.10.0/24").await;
    let many = (0..11).map(|n| format!("10.{n}.0.0/16")).collect::<Vec<_>>().join(",");
    let guest = "The customer gateway guest cidr list";
    // What is changed in a request that would pass, the code, and the text.
    type Case<'a> = (&'a [(&'a str, &'a str)], i64, String);
    let cases: &[Case] = &[
        (&[("gateway", "198.51.100.256")], 431, "The customer gateway ip 198.51.100.256 is invalid!".into()),
        (&[("gateway", "vpn.example.com")], 431, "The customer gateway ip vpn.example.com is invalid!".into()),
        (&[("cidrlist", "10.0.0.0/33")], 431, format!("{guest} 10.0.0.0/33 is invalid guest cidr!")),
        (&[("cidrlist", "198.51.100.0/24")], 431, format!("{guest} 198.51.100.0/24 is invalid guest cidr!")),
        (&[("ikepolicy", "aes-sha1")], 431, "The customer gateway IKE policy aes-sha1 is invalid!".into()),
        (&[("esppolicy", "aes128-sha256")], 431, "The customer gateway ESP policy aes128-sha256 is invalid!".into()),
        (&[("ikepolicy", "aes128-sha1;")], 530, "array index out of bounds in IKE policy aes128-sha1;".into()),
        (&[("ikelifetime", "86401")], 431, "The IKE lifetime 86401 of vpn connection is invalid!".into()),
        (&[("esplifetime", "86401")], 431, "The ESP lifetime 86401 of vpn connection is invalid!".into()),
        (
            &[("gateway", "198.51.100.7"), ("name", "other")],
            431,
            "The customer gateway with ip 198.51.100.7 already existed in the system!".into(),
        ),
        (
            &[("name", "vpn-198.51.100.7")],
            431,
            "The customer gateway with name vpn-198.51.100.7 already existed!".into(),
        ),
        (&[("cidrlist", &many)], 431, "Too many subnets of customer gateway! The limit is 10".into()),
        (
            &[("cidrlist", "10.1.0.0/16,10.1.2.0/24")],
            431,
            "The subnet of customer gateway 10.1.0.0/16 is overlapped with another subnet 10.1.2.0/24 of customer gateway!"
                .into(),
        ),
        (&[("account", "admin")], 431, "Account must be specified with domainId parameter".into()),
    ];
    for (changes, code, text) in cases {
        let mut parameters = customer_gateway("198.51.100.8", "172.16.20.0/24").to_vec();
        for change in *changes {
            parameters.retain(|(name, _)| *name != change.0);
            parameters.push(*change);
        }
        assert_eq!(refused(&cloud, "createVpnCustomerGateway", &parameters).await, (*code, text.clone()));
    }
    // Two proposals with groups pass every check, and do not fit the column.
    let mut parameters = customer_gateway("198.51.100.8", "172.16.20.0/24");
    parameters[3].1 = "3des-sha1;modp1024,aes128-sha1;modp1536";
    assert_eq!(refused(&cloud, "createVpnCustomerGateway", &parameters).await.0, 530);
    assert_eq!(cloud.call("listVpnCustomerGateways", &[]).await["count"], 1);
}

fn pair<'a>(gateway: &'a str, customer: &'a str) -> [(&'static str, &'a str); 2] {
    [("s2svpngatewayid", gateway), ("s2scustomergatewayid", customer)]
}

#[tokio::test]
async fn gateways_and_connections() {
    let cloud = Cloud::start().await;
    let (vpc, gateway, customer) = cloud.ready_to_connect().await;
    let again = refused(&cloud, "createVpnGateway", &[("vpcid", &vpc)]).await;
    assert_eq!(again, (431, "The VPN gateway of VPC 1 already existed!".to_owned()));

    let inside = cloud.create_customer_gateway("198.51.100.8", "10.10.200.0/24").await;
    let overlap = refused(&cloud, "createVpnConnection", &pair(&gateway, &inside)).await;
    let text = "The subnets of customer gateway 2's subnet 10.10.200.0/24 is overlapped with VPC cidr 10.10.0.0/16!";
    assert_eq!(overlap, (431, text.to_owned()));

    let connection = cloud.connect(&gateway, &customer).await.unwrap();
    let twice = refused(&cloud, "createVpnConnection", &pair(&gateway, &customer)).await;
    let text = "The vpn connection with customer gateway id 1 or vpn gateway id 1 already existed!";
    assert_eq!(twice, (431, text.to_owned()));

    let third = cloud.create_customer_gateway("198.51.100.9", "172.20.0.0/16").await;
    let second = refused(&cloud, "createVpnConnection", &pair(&gateway, &third)).await;
    let text = "There are too many VPN connections with current VPN gateway! The limit is 1";
    assert_eq!(second, (431, text.to_owned()));

    let other = cloud.create_vpc("other", "10.20.0.0/16").await;
    let other = cloud.create_vpn_gateway(&other).await;
    let shared = refused(&cloud, "createVpnConnection", &pair(&other, &customer)).await;
    let text = "The vpn connection with specified customer gateway id 1 already exists!";
    assert_eq!(shared, (431, text.to_owned()));

    let used = refused(&cloud, "deleteVpnGateway", &[("id", &gateway)]).await;
    let text = "Unable to delete VPN gateway 1 because there is still related VPN connections!";
    assert_eq!(used, (431, text.to_owned()));
    let used = refused(&cloud, "deleteVpnCustomerGateway", &[("id", &customer)]).await;
    let text = "Unable to delete VPN customer gateway with id 1 because there is still related VPN connections!";
    assert_eq!(used, (431, text.to_owned()));

    cloud.run("deleteVpnConnection", &[("id", id(&connection))]).await;
    let gone = refused(&cloud, "deleteVpnConnection", &[("id", id(&connection))]).await;
    assert_eq!(gone, (431, "Fail to find site to site VPN connection 1 to delete!".to_owned()));
    cloud.run("deleteVpnGateway", &[("id", &gateway)]).await;
    let gone = refused(&cloud, "createVpnConnection", &pair(&gateway, &customer)).await;
    assert_eq!(gone, (431, "Unable to found specified Site to Site VPN gateway 1 !".to_owned()));
}

#[tokio::test]
async fn vpcs_and_tiers() {
    let cloud = Cloud::start().await;
    let vpc = cloud.create_vpc("main", "10.10.0.0/16").await;
    let tier = cloud.create_tier(&vpc, "web", "10.10.1.1").await;
    assert_eq!((&tier["cidr"], &tier["netmask"]), (&json!("10.10.1.0/24"), &json!("255.255.255.0")));
    let zone = cloud.first("listZones", "zone").await;
    let offering = cloud.first("listNetworkOfferings", "networkoffering").await;
    for (name, gateway, netmask, text) in [
        ("a", "10.20.1.1", "255.255.255.0", "Network cidr 10.20.1.0/24 is not within vpc main cidr 10.10.0.0/16"),
        (
            "a",
            "10.10.1.129",
            "255.255.255.128",
            "Network cidr 10.10.1.128/25 crosses other network cidr 10.10.1.0/24 belonging to the same vpc main",
        ),
        (
            "a",
            "10.10.2.0",
            "255.255.255.0",
            "Invalid gateway specified. It should never be equal to the cidr subnet value",
        ),
        ("a", "10.10.2.1", "255.0.255.0", "Invalid netmask: 255.0.255.0"),
        ("a", "ten", "255.255.255.0", "Invalid format for the gateway: ten"),
        ("web", "10.10.2.1", "255.255.255.0", "Network with name web already exists in vpc main"),
    ] {
        let parameters = [
            ("name", name),
            ("displaytext", name),
            ("zoneid", id(&zone)),
            ("networkofferingid", id(&offering)),
            ("vpcid", &vpc),
            ("gateway", gateway),
            ("netmask", netmask),
        ];
        assert_eq!(refused(&cloud, "createNetwork", &parameters).await, (431, text.to_owned()));
    }
    let used = refused(&cloud, "deleteVPC", &[("id", &vpc)]).await;
    assert_eq!(used, (431, "Can't delete VPC main as its used by 1 networks".to_owned()));

    // One address is left, and then none; a VPC that could not start is gone.
    *cloud.network.full.lock().unwrap() = true;
    let offering = cloud.first("listVPCOfferings", "vpcoffering").await;
    let mut parameters = [
        ("name", "late"),
        ("displaytext", "late"),
        ("cidr", "10.20.0.0/16"),
        ("zoneid", id(&zone)),
        ("vpcofferingid", id(&offering)),
    ];
    assert_eq!(refused(&cloud, "createVPC", &parameters).await.0, 534);
    *cloud.network.full.lock().unwrap() = false;
    cloud.create_vpc("second", "10.20.0.0/16").await;
    assert_eq!(refused(&cloud, "createVPC", &parameters).await.0, 533);
    assert_eq!(cloud.call("listVPCs", &[]).await["count"], 2);
    parameters[2].1 = "198.51.100.0/24";
    assert_eq!(
        refused(&cloud, "createVPC", &parameters).await,
        (431, "Invalid CIDR specified 198.51.100.0/24".to_owned())
    );
}
