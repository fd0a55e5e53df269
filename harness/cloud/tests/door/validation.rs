//! What each profile refuses, by its own words, on creation and on update.

use serde_json::json;
use tunnelproof_cloud::Profile;

use super::{Cloud, customer_gateway, id, refusal};

const SPEC: Profile = Profile::Spec2012;
const V4_22: Profile = Profile::V4_22;

type Changes<'a> = &'a [(&'a str, &'a str)];

/// A request that would pass, with changes.
fn changed<'a>(changes: Changes<'a>) -> Vec<(&'a str, &'a str)> {
    let mut parameters: Vec<(&str, &str)> = customer_gateway("198.51.100.8", "172.16.20.0/24").to_vec();
    for change in changes {
        parameters.retain(|(name, _)| *name != change.0);
        parameters.push(*change);
    }
    parameters
}

#[tokio::test]
async fn words_of_each_profile() {
    let verify = "Verify the required Diffie Hellman (DH) group is specified.";
    let cases: &[(Profile, Changes, String, String)] = &[
        (
            SPEC,
            &[("gateway", "vpn.example.com")],
            "The customer gateway ip vpn.example.com is invalid!".into(),
            "The customer gateway ip vpn.example.com is invalid!".into(),
        ),
        (
            V4_22,
            &[("gateway", "-vpn.example.com")],
            "The customer gateway ip/Domain -vpn.example.com is invalid!".into(),
            "The customer gateway ip/Domain -vpn.example.com is invalid!".into(),
        ),
        (
            SPEC,
            &[("cidrlist", "198.51.100.0/24")],
            "The customer gateway guest cidr list 198.51.100.0/24 is invalid guest cidr!".into(),
            "The customer gateway guest cidr list 198.51.100.0/24 contains invalid guest cidr!".into(),
        ),
        (
            V4_22,
            &[("cidrlist", "10.1.0.0/16, 10.2.0.0/16")],
            "The customer gateway peer cidr list 10.1.0.0/16, 10.2.0.0/16 contains an invalid cidr!".into(),
            "The customer gateway peer cidr list 10.1.0.0/16, 10.2.0.0/16 contains an invalid cidr!".into(),
        ),
        (
            SPEC,
            &[("ikepolicy", "aes-sha1")],
            "The customer gateway IKE policy aes-sha1 is invalid!".into(),
            "The customer gateway IKE policyaes-sha1 is invalid!".into(),
        ),
        (
            V4_22,
            &[("ikepolicy", "aes128-sha1")],
            format!("The customer gateway IKE policy aes128-sha1 is invalid!  {verify}"),
            format!("The customer gateway IKE policyaes128-sha1 is invalid!  {verify}"),
        ),
        (
            V4_22,
            &[("esppolicy", "aes128gcm16-sha256")],
            "The customer gateway ESP policy aes128gcm16-sha256 is invalid!".into(),
            "The customer gateway ESP policyaes128gcm16-sha256 is invalid!".into(),
        ),
        (
            V4_22,
            &[("ikelifetime", "86401")],
            "The IKE lifetime 86401 of vpn connection is invalid!".into(),
            "The IKE lifetime 86401 of vpn connection is invalid!".into(),
        ),
        (
            V4_22,
            &[("ikeversion", "")],
            "Unable to execute API command createvpncustomergateway due to invalid value. Invalid value provided for \
             API arg: ikeversion"
                .into(),
            "Unable to execute API command updatevpncustomergateway due to invalid value. Invalid value provided for \
             API arg: ikeversion"
                .into(),
        ),
        (
            V4_22,
            &[("name", "TAKEN")],
            "The customer gateway with name TAKEN already existed!".into(),
            "The customer gateway with name TAKEN already existed!".into(),
        ),
        (
            V4_22,
            &[("projectid", "42")],
            "Unable to execute API command createvpncustomergateway due to invalid value. Invalid parameter projectid \
             value=42 due to incorrect long value format, or entity does not exist or due to incorrect parameter \
             annotation for the field in api cmd class."
                .into(),
            // An update has no such parameter.
            String::new(),
        ),
        (
            V4_22,
            &[("cidrlist", "10.1.0.0/16,10.1.2.0/24")],
            "The subnet of customer gateway 10.1.0.0/16 is overlapped with another subnet 10.1.2.0/24 of customer \
             gateway!"
                .into(),
            "The subnet of customer gateway 10.1.0.0/16 is overlapped with another subnet 10.1.2.0/24 of customer \
             gateway!"
                .into(),
        ),
    ];
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        let taken = changed(&[("gateway", "198.51.100.1"), ("name", "taken")]);
        cloud.run("createVpnCustomerGateway", &taken).await;
        let other = changed(&[("gateway", "198.51.100.2")]);
        let other = cloud.run("createVpnCustomerGateway", &other).await;
        let other = id(&other["vpncustomergateway"]).to_owned();
        for (_, changes, create, update) in cases.iter().filter(|case| case.0 == profile) {
            let mut parameters = changed(changes);
            let told = refusal(&cloud.client, "createVpnCustomerGateway", &parameters).await;
            assert_eq!(told, (431, create.clone()), "{profile}");
            parameters.push(("id", &other));
            if !update.is_empty() {
                let told = refusal(&cloud.client, "updateVpnCustomerGateway", &parameters).await;
                assert_eq!(told, (431, update.clone()), "{profile}");
            }
        }
        let count = cloud.call("listVpnCustomerGateways", &[]).await["count"].clone();
        assert_eq!(count, 2, "{profile}");
    }
}

#[tokio::test]
async fn one_address_and_several_names() {
    for (profile, code) in [(SPEC, Some(431)), (V4_22, None)] {
        let cloud = Cloud::of(profile).await;
        cloud.create_customer_gateway("198.51.100.7", "172.16.10.0/24").await;
        let again = changed(&[("gateway", "198.51.100.7"), ("name", "second")]);
        match code {
            Some(code) => assert_eq!(refusal(&cloud.client, "createVpnCustomerGateway", &again).await.0, code),
            None => drop(cloud.run("createVpnCustomerGateway", &again).await),
        }
    }
}

#[tokio::test]
async fn policies_of_each_profile() {
    // Value; whether each profile takes it for IKE and for ESP.
    for (policy, spec, newer) in [
        ("aes128-sha1", [true, true], [false, true]),
        ("aes128-sha1;modp1536", [true, true], [true, true]),
        ("3des-sha1,aes128-sha1;modp1536", [true, true], [false, true]),
        ("aes256-sha256;modp2048", [false, false], [true, true]),
        ("aes256-sha512;modp8192", [false, false], [true, true]),
        ("aes256-sha512;ecp256", [false, false], [false, false]),
        (",", [true, true], [true, true]),
        ("aes128-sha1;modp1536;x", [true, true], [true, true]),
    ] {
        for (profile, expected) in [(SPEC, spec), (V4_22, newer)] {
            let cloud = Cloud::of(profile).await;
            for (phase, good) in ["ikepolicy", "esppolicy"].into_iter().zip(expected) {
                let gateway = if phase == "ikepolicy" { "198.51.100.21" } else { "198.51.100.22" };
                let changes = [(phase, policy), ("gateway", gateway)];
                let parameters = changed(&changes);
                let answer = cloud.client.run("createVpnCustomerGateway", &parameters).await;
                assert_eq!(answer.is_ok(), good, "{profile} {phase} {policy}");
            }
        }
    }
}

/// Defects of the releases that a client sees, and that hurt nobody.
#[tokio::test]
async fn internal_errors_of_each_profile() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        let cases: &[Changes] = &[
            &[("ikepolicy", "aes128-sha1;")],
            &[("esppolicy", ";")],
            &[("ikepolicy", "3des-sha1;modp1024,aes128-sha1;modp1536")],
            &[("ikelifetime", "-99999999999")],
        ];
        for changes in cases {
            let told = refusal(&cloud.client, "createVpnCustomerGateway", &changed(changes)).await;
            assert_eq!(told.0, 530, "{profile} {changes:?}");
        }
        assert_eq!(cloud.call("listVpnCustomerGateways", &[]).await, json!({}), "{profile}");
    }
    let cloud = Cloud::of(V4_22).await;
    for changes in [("ikeversion", "ikev2only"), ("gateway", "a.name.with.more.than.forty.characters.example.com")] {
        let told = refusal(&cloud.client, "createVpnCustomerGateway", &changed(&[changes])).await;
        assert_eq!(told.0, 530, "{changes:?}");
    }
}

#[tokio::test]
async fn no_router_hears_of_a_key_that_would_break_its_files() {
    for profile in Profile::ALL {
        for key in ["a\"b", "a\nb", "a\rb", "\"\nconn evil"] {
            let cloud = Cloud::of(profile).await;
            let (_, gateway, _) = cloud.ready_to_connect().await;
            let made = cloud.run("createVpnCustomerGateway", &changed(&[("ipsecpsk", key)])).await;
            assert_eq!(made["vpncustomergateway"]["ipsecpsk"], key);
            cloud.network.log();
            let customer = id(&made["vpncustomergateway"]).to_owned();
            assert!(cloud.connect(&gateway, &customer).await.is_err());
            assert_eq!(cloud.state().await, "Error");
            assert!(cloud.network.applied.lock().unwrap().is_none());
        }
        // Everything else is a key.
        let cloud = Cloud::of(profile).await;
        let (_, gateway, _) = cloud.ready_to_connect().await;
        let key = "k' \\ $(x) %{y} #;é&<>=~";
        let made = cloud.run("createVpnCustomerGateway", &changed(&[("ipsecpsk", key)])).await;
        cloud.connect(&gateway, id(&made["vpncustomergateway"])).await.unwrap();
        assert_eq!(cloud.network.applied.lock().unwrap().as_ref().unwrap().key.expose(), key);
    }
}

#[tokio::test]
async fn no_router_hears_of_what_is_no_lifetime() {
    for profile in Profile::ALL {
        for changes in [("ikelifetime", "0"), ("esplifetime", "-1")] {
            let cloud = Cloud::of(profile).await;
            let (_, gateway, _) = cloud.ready_to_connect().await;
            let made = cloud.run("createVpnCustomerGateway", &changed(&[changes])).await;
            assert!(cloud.connect(&gateway, id(&made["vpncustomergateway"])).await.is_err());
            assert_eq!(cloud.state().await, "Error");
            assert!(cloud.network.applied.lock().unwrap().is_none());
        }
    }
}

#[tokio::test]
async fn limits_of_connections() {
    for (profile, limit) in [(SPEC, 1), (V4_22, 4)] {
        let cloud = Cloud::of(profile).await;
        let vpc = cloud.create_vpc("main", "10.10.0.0/16").await;
        let gateway = cloud.create_vpn_gateway(&vpc).await;
        for n in 0..=limit {
            let customer = cloud.create_customer_gateway(&format!("198.51.100.{n}"), &format!("172.16.{n}.0/24")).await;
            let pair = [("s2svpngatewayid", gateway.as_str()), ("s2scustomergatewayid", &customer)];
            if n < limit {
                cloud.run("createVpnConnection", &pair).await;
            } else {
                let text = format!("There are too many VPN connections with current VPN gateway! The limit is {limit}");
                assert_eq!(refusal(&cloud.client, "createVpnConnection", &pair).await, (431, text));
            }
        }
    }
}

#[tokio::test]
async fn objects_are_described_in_4_22() {
    let cloud = Cloud::of(V4_22).await;
    let (vpc, gateway, customer) = cloud.ready_to_connect().await;
    cloud.connect(&gateway, &customer).await.unwrap();
    let pair = [("s2svpngatewayid", gateway.as_str()), ("s2scustomergatewayid", &customer)];
    let object = |kind: &str, id: &str, name: Option<&str>| {
        let mut object = json!({ "id": 1, "uuid": id });
        if let Some(name) = name {
            object["name"] = json!(name);
        }
        format!("{kind} {object}")
    };
    let its = object("Site2SiteCustomerGateway", &customer, Some("VPN-198.51.100.7"));
    let text = format!(
        "The vpn connection with customer gateway id {its} and vpn gateway id {} already existed!",
        object("Site2SiteVpnGateway", &gateway, None)
    );
    assert_eq!(refusal(&cloud.client, "createVpnConnection", &pair).await, (431, text));
    let text = format!("The VPN gateway of VPC {} already existed!", object("VPC", &vpc, Some("main")));
    assert_eq!(refusal(&cloud.client, "createVpnGateway", &[("vpcid", &vpc)]).await, (431, text));
    let text = format!("Unable to delete VPN customer gateway {its} because there is still related VPN connections!");
    assert_eq!(refusal(&cloud.client, "deleteVpnCustomerGateway", &[("id", &customer)]).await, (431, text));
}

#[tokio::test]
async fn updates_obey_what_creation_does() {
    let cloud = Cloud::of(V4_22).await;
    let (_, gateway, customer) = cloud.ready_to_connect().await;
    cloud.connect(&gateway, &customer).await.unwrap();
    let mut parameters = changed(&[("gateway", "198.51.100.7"), ("cidrlist", "10.10.9.0/24")]);
    parameters.push(("id", &customer));
    let (code, text) = refusal(&cloud.client, "updateVpnCustomerGateway", &parameters).await;
    assert!(code == 431 && text.ends_with("subnet 10.10.9.0/24 is overlapped with VPC cidr 10.10.0.0/16!"), "{text}");

    let cloud = Cloud::of(SPEC).await;
    let (_, gateway, customer) = cloud.ready_to_connect().await;
    let update = changed(&[("gateway", "198.51.100.9")]);
    let update = [&update[..], &[("id", customer.as_str())]].concat();
    let updated = cloud.run("updateVpnCustomerGateway", &update).await;
    assert_eq!(updated["vpncustomergateway"]["gateway"], "198.51.100.9");
    assert_eq!(updated["vpncustomergateway"]["name"], "VPN-198.51.100.9");
    cloud.connect(&gateway, &customer).await.unwrap();
    let text = "Unable to update customer gateway with connections in non-Error state!";
    assert_eq!(refusal(&cloud.client, "updateVpnCustomerGateway", &update).await, (431, text.to_owned()));
    let missing = refusal(&cloud.client, "updateVpnCustomerGateway", &[("id", &customer)]).await.1;
    assert!(missing.ends_with("due to missing parameter gateway"), "{missing}");
}
