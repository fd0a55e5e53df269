//! What CloudStack 4.22 does that 4.0 did not.

use std::time::Duration;

use serde_json::{Value, json};
use tunnelproof_cloud::{ClientError, IkeVersion, Profile};

use super::{Cloud, customer_gateway, id, refusal};

const PEER: [u8; 4] = [198, 51, 100, 7];

async fn cloud() -> Cloud {
    Cloud::of(Profile::V4_22).await
}

async fn rounds() {
    tokio::time::sleep(Duration::from_secs(61)).await;
}

#[tokio::test(start_paused = true)]
async fn connecting_until_the_monitor_has_looked() {
    let cloud = cloud().await;
    let (_, gateway, customer) = cloud.ready_to_connect().await;
    let connection = cloud.connect(&gateway, &customer).await.unwrap();
    assert_eq!(connection["state"], "Connecting");
    assert!(!cloud.network.applied.lock().unwrap().as_ref().unwrap().wait);
    rounds().await;
    assert_eq!(cloud.state().await, "Connected");
    let alert = cloud.call("listAlerts", &[]).await["alert"][0].clone();
    let text = "Site-to-site Vpn Connection to VPN-198.51.100.7 just switched from Connecting to Connected";
    assert_eq!((&alert["description"], &alert["name"]), (&json!(text), &json!("ALERT.SERVICE.DOMAINROUTER")));

    // A peer that never answers is Disconnected, not Error, and comes up later by itself.
    cloud.network.refuse(PEER);
    let reset = cloud.run("resetVpnConnection", &[("id", id(&connection))]).await;
    assert_eq!(reset["vpnconnection"]["state"], "Connecting");
    rounds().await;
    assert_eq!(cloud.state().await, "Disconnected");
    cloud.network.refused.lock().unwrap().clear();
    rounds().await;
    assert_eq!(cloud.state().await, "Connected");
    cloud.network.cut_off(PEER);
    rounds().await;
    assert_eq!(cloud.state().await, "Disconnected");
}

#[tokio::test(start_paused = true)]
async fn passive_waits_for_the_peer() {
    let cloud = cloud().await;
    let (_, gateway, customer) = cloud.ready_to_connect().await;
    let parameters = [("s2svpngatewayid", gateway.as_str()), ("s2scustomergatewayid", &customer), ("passive", "true")];
    let connection = cloud.run("createVpnConnection", &parameters).await["vpnconnection"].clone();
    assert_eq!((&connection["state"], &connection["passive"]), (&json!("Disconnected"), &json!(true)));
    assert!(cloud.network.applied.lock().unwrap().as_ref().unwrap().passive);
    rounds().await;
    assert_eq!(cloud.state().await, "Connected");
}

#[tokio::test]
async fn what_a_customer_gateway_has_since() {
    let cloud = cloud().await;
    let mut parameters = customer_gateway("198.51.100.7", "10.99.1.2/16,203.0.113.0/24").to_vec();
    parameters.extend([("forceencap", "true"), ("splitconnections", "true"), ("ikeversion", "ikev2")]);
    let answer = cloud.call("createVpnCustomerGateway", &parameters).await;
    let customer = id(&answer).to_owned();
    let job = answer["jobid"].as_str().unwrap().to_owned();
    let made = cloud.first("listVpnCustomerGateways", "vpncustomergateway").await;
    for (field, value) in [
        ("id", json!(customer)),
        // Without host bits.
        ("cidrlist", json!("10.99.0.0/16,203.0.113.0/24")),
        ("forceencap", json!(true)),
        ("splitconnections", json!(true)),
        ("ikeversion", json!("ikev2")),
        ("hasannotations", json!(false)),
        ("domainpath", json!("ROOT")),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    let mut answer = json!({ "jobstatus": 0 });
    while answer["jobstatus"] == 0 {
        answer = cloud.call("queryAsyncJobResult", &[("jobid", &job)]).await;
    }
    for (field, value) in [
        ("cmd", json!("org.apache.cloudstack.api.command.user.vpn.CreateVpnCustomerGatewayCmd")),
        ("jobinstancetype", json!("VpnCustomerGateway")),
        ("jobinstanceid", json!(customer)),
        ("account", json!("admin")),
        ("domainpath", json!("ROOT")),
    ] {
        assert_eq!(answer[field], value, "{field}");
    }
    assert!(answer["completed"].is_string());

    let vpc = cloud.create_vpc("main", "10.10.0.0/16").await;
    let gateway = cloud.create_vpn_gateway(&vpc).await;
    cloud.connect(&gateway, &customer).await.unwrap();
    {
        let tunnel = cloud.network.applied.lock().unwrap().clone().unwrap();
        assert!(tunnel.split && tunnel.force_encapsulation);
        assert_eq!((tunnel.ike, tunnel.peer_cidrs.len()), (IkeVersion::V2, 2));
    }
    // An update resets what it does not name, but for the version.
    let mut update = customer_gateway("198.51.100.7", "10.99.0.0/16").to_vec();
    update.push(("id", &customer));
    let updated = cloud.run("updateVpnCustomerGateway", &update).await["vpncustomergateway"].clone();
    assert_eq!((&updated["ikeversion"], &updated["splitconnections"]), (&json!("ikev2"), &json!(false)));
    let tunnel = cloud.network.applied.lock().unwrap().clone().unwrap();
    assert!(!tunnel.split && !tunnel.force_encapsulation);
    assert_eq!(tunnel.ike, IkeVersion::V2);
    assert_eq!(cloud.state().await, "Connecting");
}

#[tokio::test]
async fn a_customer_gateway_by_name() {
    let cloud = cloud().await;
    let (_, gateway, _) = cloud.ready_to_connect().await;
    let customer = cloud.create_customer_gateway("vpn.example.com", "172.20.0.0/16").await;
    let failed = cloud.connect(&gateway, &customer).await.unwrap_err();
    assert!(matches!(failed, ClientError::Job { code: 534, .. }), "{failed}");
    assert_eq!(cloud.state().await, "Error");
    cloud.network.names.lock().unwrap().insert("vpn.example.com".to_owned(), PEER.into());
    let connection = cloud.first("listVpnConnections", "vpnconnection").await;
    assert_eq!(connection["gateway"], "vpn.example.com");
    cloud.run("resetVpnConnection", &[("id", id(&connection))]).await;
    assert_eq!(cloud.state().await, "Connecting");
    assert_eq!(cloud.network.applied.lock().unwrap().as_ref().unwrap().peer.octets(), PEER);
}

#[tokio::test]
async fn several_connections_with_one_customer_gateway() {
    let cloud = cloud().await;
    let (_, gateway, customer) = cloud.ready_to_connect().await;
    let other = cloud.create_vpc("other", "10.20.0.0/16").await;
    let other = cloud.create_vpn_gateway(&other).await;
    cloud.connect(&gateway, &customer).await.unwrap();
    cloud.connect(&other, &customer).await.unwrap();
    assert_eq!(cloud.network.tunnels(), 2);
    // One update restarts both.
    cloud.network.log();
    let update = [&customer_gateway("198.51.100.9", "172.16.10.0/24")[..], &[("id", &customer)]].concat();
    cloud.run("updateVpnCustomerGateway", &update).await;
    let log = cloud.network.log();
    assert_eq!(log.iter().filter(|line| line.contains("apply")).count(), 2, "{log:?}");
    assert!(log.iter().filter(|line| line.contains("apply")).all(|line| line.contains("= 198.51.100.9 ")), "{log:?}");
}

#[tokio::test]
async fn ids_and_display_are_an_administrators_to_change() {
    let cloud = cloud().await;
    let (_, gateway, customer) = cloud.ready_to_connect().await;
    let connection = cloud.connect(&gateway, &customer).await.unwrap();
    assert_eq!(connection["fordisplay"], true);
    let new = "11111111-2222-4333-8444-555555555555";
    let change = [("id", id(&connection)), ("customid", new), ("fordisplay", "false")];
    let updated = cloud.run("updateVpnConnection", &change).await["vpnconnection"].clone();
    assert_eq!((id(&updated), &updated["fordisplay"]), (new, &json!(false)));
    assert_eq!(refusal(&cloud.client, "deleteVpnConnection", &[("id", id(&connection))]).await.0, 431);
    // A gateway's update succeeds without a result.
    let answer = cloud.call("updateVpnGateway", &[("id", &gateway), ("fordisplay", "false")]).await;
    let job = answer["jobid"].as_str().unwrap().to_owned();
    let mut answer = json!({ "jobstatus": 0 });
    while answer["jobstatus"] == 0 {
        answer = cloud.call("queryAsyncJobResult", &[("jobid", &job)]).await;
    }
    assert_eq!(answer["jobstatus"], 1);
    assert!(answer.get("jobresult").is_none() && answer.get("jobresulttype").is_none());
    assert_eq!(cloud.call("listVpnGateways", &[("fordisplay", "true")]).await, json!({}));
    // The router knows the connection by what never changes.
    cloud.run("deleteVpnConnection", &[("id", new)]).await;
    assert_eq!(cloud.network.tunnels(), 0);
}

#[tokio::test]
async fn a_client_chooses_the_id_of_its_job() {
    let cloud = cloud().await;
    let vpc = cloud.create_vpc("main", "10.10.0.0/16").await;
    let mine = "11111111-2222-4333-8444-555555555555";
    let answer = cloud.call("createVpnGateway", &[("vpcid", &vpc), ("customjobid", mine)]).await;
    assert_eq!(answer["jobid"], mine);
    assert!(answer["id"].is_string());
    for wrong in [mine, "mine"] {
        assert_eq!(refusal(&cloud.client, "deleteVPC", &[("id", &vpc), ("customjobid", wrong)]).await.0, 431);
    }
}

#[tokio::test]
async fn addresses_of_gateways() {
    let cloud = cloud().await;
    let vpc = cloud.create_vpc("main", "198.18.0.0/16").await;
    let address = cloud.first("listPublicIpAddresses", "publicipaddress").await;
    assert_eq!((&address["ipaddress"], &address["issourcenat"]), (&json!("203.0.113.1"), &json!(true)));
    let other = cloud.create_vpc("other", "10.20.0.0/16").await;
    let foreign = cloud.call("listPublicIpAddresses", &[("vpcid", &other)]).await["publicipaddress"][0].clone();
    let refused = refusal(&cloud.client, "createVpnGateway", &[("vpcid", &vpc), ("ipaddressid", id(&foreign))]).await;
    let text = "Cannot use requested IP 203.0.113.2 as it is not the Source NAT IP";
    assert_eq!(refused, (530, text.to_owned()));
    let made = cloud.run("createVpnGateway", &[("vpcid", &vpc), ("ipaddressid", id(&address))]).await;
    assert_eq!(
        (&made["vpngateway"]["publicip"], &made["vpngateway"]["vpcname"]),
        (&json!("203.0.113.1"), &json!("main"))
    );
}

#[tokio::test]
async fn lists_of_each_profile() {
    for (profile, past_end, found) in [(Profile::Spec2012, json!({}), 1), (Profile::V4_22, json!({ "count": 1 }), 0)] {
        let cloud = Cloud::of(profile).await;
        cloud.create_customer_gateway("198.51.100.7", "172.16.10.0/24").await;
        let list = async |parameters: &[(&str, &str)]| cloud.call("listVpnCustomerGateways", parameters).await;
        assert_eq!(list(&[("page", "9"), ("pagesize", "5")]).await, past_end, "{profile}");
        assert_eq!(list(&[("keyword", "nothing")]).await["count"].as_i64().unwrap_or(0), found, "{profile}");
        assert_eq!(list(&[("keyword", "vpn-198")]).await["count"], 1, "{profile}");
        let known = cloud.call("listApis", &[]).await;
        let known: Vec<_> = known["api"].as_array().unwrap().iter().map(|api| api["name"].as_str().unwrap()).collect();
        assert!(known.len() > 45, "{known:?}");
        assert_eq!(known.contains(&"updateVpnConnection"), profile == Profile::V4_22);
        let version = cloud.call("listCapabilities", &[]).await["capability"]["cloudstackversion"].clone();
        assert_eq!(version, if profile == Profile::V4_22 { "4.22.0.0" } else { "4.0.2" });
    }
}

#[tokio::test]
async fn what_listapis_promises_is_there() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        let (vpc, gateway, customer) = cloud.ready_to_connect().await;
        cloud.connect(&gateway, &customer).await.unwrap();
        let guest = guest(&cloud).await;
        assert_eq!(guest["nic"][0]["ipaddress"], "10.10.1.2");
        assert_eq!(guest["state"], "Running");
        for (list, object) in [
            ("listVpnCustomerGateways", "vpncustomergateway"),
            ("listVpnGateways", "vpngateway"),
            ("listVpnConnections", "vpnconnection"),
            ("listVPCs", "vpc"),
            ("listNetworks", "network"),
            ("listRouters", "router"),
            ("listVirtualMachines", "virtualmachine"),
            ("listPublicIpAddresses", "publicipaddress"),
            ("listZones", "zone"),
            ("listVPCOfferings", "vpcoffering"),
            ("listNetworkOfferings", "networkoffering"),
            ("listServiceOfferings", "serviceoffering"),
            ("listAccounts", "account"),
            ("listUsers", "user"),
            ("listEvents", "event"),
            ("listAsyncJobs", "asyncjobs"),
        ] {
            let api = cloud.call("listApis", &[("name", list)]).await["api"][0].clone();
            let row = cloud.first(list, object).await;
            for field in api["response"].as_array().unwrap() {
                let field = field["name"].as_str().unwrap();
                assert!(row.get(field).is_some() || field == "parentid", "{profile} {list} {field}: {row}");
            }
            assert_eq!(api["isasync"], false);
        }
        // A tier with a guest stays.
        let tier = cloud.first("listNetworks", "network").await;
        assert_eq!(refusal(&cloud.client, "deleteNetwork", &[("id", id(&tier))]).await.0, 431);
        cloud.run("destroyVirtualMachine", &[("id", id(&guest))]).await;
        cloud.run("deleteNetwork", &[("id", id(&tier))]).await;
        let renamed = cloud.run("updateVPC", &[("id", &vpc), ("name", "renamed")]).await;
        assert_eq!((&renamed["vpc"]["name"], &renamed["vpc"]["displaytext"]), (&json!("renamed"), &json!("main")));
    }
}

async fn guest(cloud: &Cloud) -> Value {
    let zone = cloud.first("listZones", "zone").await;
    let tier = cloud.first("listNetworks", "network").await;
    let size = cloud.first("listServiceOfferings", "serviceoffering").await;
    let template = cloud.call("listTemplates", &[("templatefilter", "executable")]).await["template"][0].clone();
    let parameters = [
        ("serviceofferingid", id(&size)),
        ("templateid", id(&template)),
        ("zoneid", id(&zone)),
        ("networkids", id(&tier)),
        ("name", "guest"),
    ];
    cloud.run("deployVirtualMachine", &parameters).await["virtualmachine"].clone()
}
