//! Routers that stop, start and boot again, and what becomes of their connections.

use std::time::Duration;

use serde_json::{Value, json};
use tunnelproof_cloud::{ClientError, Profile};

use super::{Cloud, id, refusal};

const PEER: [u8; 4] = [198, 51, 100, 7];

async fn connected(profile: Profile) -> (Cloud, String, Value) {
    let cloud = Cloud::of(profile).await;
    let (vpc, gateway, customer) = cloud.ready_to_connect().await;
    let connection = cloud.connect(&gateway, &customer).await.unwrap();
    rounds().await;
    assert_eq!(cloud.state().await, "Connected");
    cloud.network.log();
    (cloud, vpc, connection)
}

async fn rounds() {
    tokio::time::sleep(Duration::from_secs(61)).await;
}

async fn alerts(cloud: &Cloud) -> Value {
    cloud.call("listAlerts", &[]).await["count"].clone()
}

#[tokio::test(start_paused = true)]
async fn a_router_that_stops_and_starts() {
    for profile in Profile::ALL {
        let (cloud, vpc, connection) = connected(profile).await;
        let before = alerts(&cloud).await;
        let router = cloud.first("listRouters", "router").await;
        for (field, value) in [
            ("state", json!("Running")),
            ("role", json!("VIRTUAL_ROUTER")),
            ("vpcid", json!(vpc)),
            ("publicip", json!("203.0.113.1")),
            ("isredundantrouter", json!(false)),
        ] {
            assert_eq!(router[field], value, "{field}");
        }
        let stopped = cloud.run("stopRouter", &[("id", id(&router))]).await;
        assert_eq!(stopped["router"]["state"], "Stopped");
        assert_eq!(cloud.state().await, "Disconnected");
        assert_eq!(alerts(&cloud).await, before);

        // Nothing is done on a router that does not run, and what waits for one does not wait for ever.
        let reset = cloud.client.run("resetVpnConnection", &[("id", id(&connection))]).await;
        let Err(ClientError::Job { code, text, .. }) = reset else { panic!("{reset:?}") };
        let expected = "Resource [DataCenter:1] is unreachable: Unable to apply site 2 site VPN configuration, virtual \
                        router is not in the right state";
        assert_eq!((code, text.as_str()), (534, expected));
        rounds().await;
        assert_eq!(cloud.state().await, "Disconnected");
        assert_eq!(alerts(&cloud).await, before);
        let rebooted = refusal(&cloud.client, "rebootRouter", &[("id", id(&router))]).await;
        assert_eq!(rebooted.0, 534);
        assert!(rebooted.1.ends_with("Unable to reboot domR, it is not in right state Stopped"), "{}", rebooted.1);

        let started = cloud.run("startRouter", &[("id", id(&router))]).await;
        assert_eq!(started["router"]["state"], "Running");
        let log = cloud.network.log();
        assert_eq!(log[..2], ["main stop", "main start"]);
        assert!(log[2].starts_with("main apply"), "{log:?}");
        let at_once = if profile == Profile::Spec2012 { "Connected" } else { "Disconnected" };
        assert_eq!(cloud.state().await, at_once);
        rounds().await;
        assert_eq!(cloud.state().await, "Connected");
    }
}

#[tokio::test(start_paused = true)]
async fn a_reboot_brings_connections_back_but_for_those_in_error() {
    for profile in Profile::ALL {
        let (cloud, _, _) = connected(profile).await;
        let router = cloud.first("listRouters", "router").await;
        cloud.run("rebootRouter", &[("id", id(&router))]).await;
        rounds().await;
        assert_eq!(cloud.state().await, "Connected");
        if profile == Profile::Spec2012 {
            cloud.network.refuse(PEER);
            cloud.run("rebootRouter", &[("id", id(&router))]).await;
            assert_eq!(cloud.state().await, "Error");
            cloud.network.refused.lock().unwrap().clear();
            cloud.network.log();
            cloud.run("rebootRouter", &[("id", id(&router))]).await;
            rounds().await;
            assert_eq!((cloud.state().await.as_str(), cloud.network.log().len()), ("Error", 2));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_vpc_that_is_restarted() {
    let (cloud, vpc, _) = connected(Profile::V4_22).await;
    assert_eq!(cloud.run("restartVPC", &[("id", &vpc)]).await, json!({ "success": true }));
    assert_eq!((cloud.state().await.as_str(), cloud.network.log().len()), ("Connected", 0));
    cloud.run("restartVPC", &[("id", &vpc), ("cleanup", "true")]).await;
    let log = cloud.network.log();
    assert_eq!(
        log[..3],
        ["main destroy", "deploy main 10.10.0.0/16 203.0.113.1", "main add web 10.10.1.1 10.10.1.0/24"]
    );
    assert_eq!(cloud.state().await, "Disconnected");
    rounds().await;
    assert_eq!(cloud.state().await, "Connected");
    // A router that was stopped is started.
    let router = cloud.first("listRouters", "router").await;
    cloud.run("stopRouter", &[("id", id(&router))]).await;
    cloud.run("restartVPC", &[("id", &vpc)]).await;
    assert_eq!(cloud.first("listRouters", "router").await["state"], "Running");
}

#[tokio::test(start_paused = true)]
async fn a_stopped_router_is_not_told_to_delete() {
    for profile in Profile::ALL {
        let (cloud, _, connection) = connected(profile).await;
        let router = cloud.first("listRouters", "router").await;
        cloud.run("stopRouter", &[("id", id(&router))]).await;
        let deleted = cloud.client.run("deleteVpnConnection", &[("id", id(&connection))]).await;
        match profile {
            // The connection is not Connected, so 4.0 has no use for the router.
            Profile::Spec2012 => assert!(deleted.is_ok()),
            _ => assert!(matches!(deleted, Err(ClientError::Job { code: 534, .. })), "{deleted:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tiers_of_a_stopped_router_stay_as_they_are() {
    let (cloud, vpc, _) = connected(Profile::V4_22).await;
    let router = cloud.first("listRouters", "router").await;
    cloud.run("stopRouter", &[("id", id(&router))]).await;
    let tier = cloud.first("listNetworks", "network").await;
    assert_eq!(refusal(&cloud.client, "deleteNetwork", &[("id", id(&tier))]).await.0, 534);
    let zone = cloud.first("listZones", "zone").await;
    let offering = cloud.first("listNetworkOfferings", "networkoffering").await;
    let another = [
        ("name", "app"),
        ("zoneid", id(&zone)),
        ("networkofferingid", id(&offering)),
        ("vpcid", &vpc),
        ("gateway", "10.10.2.1"),
        ("netmask", "255.255.255.0"),
    ];
    assert_eq!(refusal(&cloud.client, "createNetwork", &another).await.0, 534);
    assert_eq!(cloud.call("listNetworks", &[]).await["count"], 1);
}

#[tokio::test(start_paused = true)]
async fn a_router_that_does_not_boot_is_tried_again() {
    let (cloud, vpc, _) = connected(Profile::V4_22).await;
    let router = cloud.first("listRouters", "router").await;
    cloud.run("stopRouter", &[("id", id(&router))]).await;
    *cloud.network.full.lock().unwrap() = true;
    assert_eq!(refusal(&cloud.client, "startRouter", &[("id", id(&router))]).await.0, 534);
    assert_eq!(cloud.first("listRouters", "router").await["state"], "Error");
    assert_eq!(cloud.run("stopRouter", &[("id", id(&router))]).await["router"]["state"], "Stopped");
    *cloud.network.full.lock().unwrap() = false;
    cloud.run("restartVPC", &[("id", &vpc)]).await;
    rounds().await;
    assert_eq!(cloud.state().await, "Connected");
}

/// `start=false`: the router comes with the first tier, and is told then.
#[tokio::test(start_paused = true)]
async fn a_vpc_without_a_router() {
    let cloud = Cloud::of(Profile::V4_22).await;
    let zone = cloud.first("listZones", "zone").await;
    let offering = cloud.first("listVPCOfferings", "vpcoffering").await;
    let parameters = [
        ("name", "main"),
        ("cidr", "10.10.0.0/16"),
        ("zoneid", id(&zone)),
        ("vpcofferingid", id(&offering)),
        ("start", "false"),
    ];
    let vpc = id(&cloud.run("createVPC", &parameters).await["vpc"]).to_owned();
    assert_eq!(cloud.call("listRouters", &[]).await, json!({}));
    let gateway = cloud.create_vpn_gateway(&vpc).await;
    let customer = cloud.create_customer_gateway("198.51.100.7", "172.16.10.0/24").await;
    assert_eq!(cloud.connect(&gateway, &customer).await.unwrap()["state"], "Connecting");
    assert!(cloud.network.log().is_empty());
    rounds().await;
    assert_eq!(cloud.state().await, "Connecting");
    cloud.create_tier(&vpc, "web", "10.10.1.1").await;
    let log = cloud.network.log();
    assert!(log[0].starts_with("deploy main") && log[1].starts_with("main apply"), "{log:?}");
    assert_eq!(log[2], "main add web 10.10.1.1 10.10.1.0/24");
    rounds().await;
    assert_eq!(cloud.state().await, "Connected");
}
