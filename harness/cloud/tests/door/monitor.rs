//! The monitor, in paused time: an interval passes as soon as nobody has anything to do.

use std::time::Duration;

use super::{Cloud, id};

/// Two rounds of the monitor, so that one has surely begun after the change.
async fn rounds() {
    tokio::time::sleep(Duration::from_secs(61)).await;
}

fn subjects(alerts: &serde_json::Value) -> Vec<&str> {
    alerts["alert"].as_array().unwrap().iter().rev().map(|alert| alert["description"].as_str().unwrap()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_lost_tunnel_and_its_return_are_alerts() {
    let cloud = Cloud::start().await;
    let (_, gateway, customer) = cloud.ready_to_connect().await;
    cloud.connect(&gateway, &customer).await.unwrap();
    rounds().await;
    assert_eq!(cloud.state().await, "Connected");
    assert_eq!(cloud.call("listAlerts", &[]).await, serde_json::json!({}));

    cloud.network.cut_off.lock().unwrap().insert([198, 51, 100, 7].into());
    rounds().await;
    assert_eq!(cloud.state().await, "Disconnected");
    cloud.network.cut_off.lock().unwrap().clear();
    rounds().await;
    assert_eq!(cloud.state().await, "Connected");

    let alerts = cloud.call("listAlerts", &[("type", "9")]).await;
    assert_eq!(
        subjects(&alerts),
        [
            "Site-to-site Vpn Connection to VPN-198.51.100.7 just switch from Connected to Disconnected",
            "Site-to-site Vpn Connection to VPN-198.51.100.7 just switch from Disconnected to Connected",
        ]
    );
    assert_eq!(alerts["alert"][0]["type"], 9);
}

#[tokio::test(start_paused = true)]
async fn a_router_without_a_tier_is_not_asked() {
    let cloud = Cloud::start().await;
    let (_, gateway, customer) = cloud.ready_to_connect().await;
    cloud.connect(&gateway, &customer).await.unwrap();
    let tier = cloud.first("listNetworks", "network").await;
    cloud.run("deleteNetwork", &[("id", id(&tier))]).await;
    cloud.network.cut_off.lock().unwrap().insert([198, 51, 100, 7].into());
    rounds().await;
    assert_eq!(cloud.state().await, "Connected");
}

#[tokio::test(start_paused = true)]
async fn error_is_not_checked() {
    let cloud = Cloud::start().await;
    let (_, gateway, customer) = cloud.ready_to_connect().await;
    cloud.network.refused.lock().unwrap().insert([198, 51, 100, 7].into());
    assert!(cloud.connect(&gateway, &customer).await.is_err());
    cloud.network.refused.lock().unwrap().clear();
    rounds().await;
    assert_eq!(cloud.state().await, "Error");
}

#[tokio::test(start_paused = true)]
async fn a_lost_tunnel_is_taken_off_the_router_when_its_connection_is_deleted() {
    let cloud = Cloud::start().await;
    let (_, gateway, customer) = cloud.ready_to_connect().await;
    let connection = cloud.connect(&gateway, &customer).await.unwrap();
    cloud.network.cut_off.lock().unwrap().insert([198, 51, 100, 7].into());
    rounds().await;
    assert_eq!(cloud.state().await, "Disconnected");
    cloud.network.log();
    cloud.run("deleteVpnConnection", &[("id", id(&connection))]).await;
    assert_eq!(cloud.network.log(), ["main take down Some(198.51.100.7)"]);
}
