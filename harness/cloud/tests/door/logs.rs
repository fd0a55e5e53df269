//! What is told to whoever finds out why a VPN does not work, and what is told to nobody.

use std::sync::{Arc, Mutex};

use tunnelproof_cloud::{Log, Profile, StoreLocation};

use super::{Cloud, config, id};

#[tokio::test]
async fn every_step_and_every_change_of_state_is_logged_without_secrets() {
    for profile in Profile::ALL {
        let lines: Arc<Mutex<Vec<String>>> = Arc::default();
        let sink = lines.clone();
        let mut config = config(profile, StoreLocation::Memory);
        config.log = Some(Log::new(move |line| sink.lock().unwrap().push(line.to_string())));
        let cloud = Cloud::with(config, Arc::default()).await;
        let (_, gateway, customer) = cloud.ready_to_connect().await;
        let connection = cloud.connect(&gateway, &customer).await.unwrap();
        cloud.run("deleteVpnConnection", &[("id", id(&connection))]).await;
        let lines = lines.lock().unwrap().clone();
        let of = |kind: &str| lines.iter().filter(|line| line.contains(kind)).cloned().collect::<Vec<_>>();
        assert_eq!(
            of("VPN.S2S.CUSTOMER.GATEWAY.CREATE"),
            [
                r#"INFO VPN.S2S.CUSTOMER.GATEWAY.CREATE Scheduled account="admin" subject="" "creating s2s customer gateway""#,
                r#"INFO VPN.S2S.CUSTOMER.GATEWAY.CREATE Started account="admin" subject="" "creating s2s customer gateway""#,
                r#"INFO VPN.S2S.CUSTOMER.GATEWAY.CREATE Completed account="admin" subject="" "Successfully completed creating s2s customer gateway""#,
            ]
        );
        let begun = if profile == Profile::Spec2012 { "Connected" } else { "Connecting" };
        let uuid = id(&connection);
        let states = of("VPN.S2S.CONNECTION.STATE");
        let first = format!(
            "INFO VPN.S2S.CONNECTION.STATE Changed account=\"admin\" subject=\"{uuid}\" \"VPN connection {uuid} went from \
             Pending to {begun}: its router has the tunnel\""
        );
        assert_eq!(states[0], first);
        for secret in ["not for logs", "SK"] {
            assert!(lines.iter().all(|line| !line.contains(secret)), "{secret}");
        }
        // Events are the same, kept.
        let events = cloud.call("listEvents", &[("pagesize", "-1")]).await.to_string();
        assert!(events.contains(&format!("went from Pending to {begun}")) && !events.contains("not for logs"));
    }
}

#[tokio::test]
async fn why_a_tunnel_failed_is_logged() {
    let lines: Arc<Mutex<Vec<String>>> = Arc::default();
    let sink = lines.clone();
    let mut config = config(Profile::Spec2012, StoreLocation::Memory);
    config.log = Some(Log::new(move |line| sink.lock().unwrap().push(line.to_string())));
    let cloud = Cloud::with(config, Arc::default()).await;
    let (_, gateway, customer) = cloud.ready_to_connect().await;
    cloud.network.refuse([198, 51, 100, 7]);
    assert!(cloud.connect(&gateway, &customer).await.is_err());
    let errors: Vec<_> = lines.lock().unwrap().iter().filter(|line| line.starts_with("ERROR")).cloned().collect();
    assert!(errors[0].contains("went from Pending to Error: the tunnel was not established: no proposal chosen"));
    assert!(errors[1].contains("Error while starting s2s vpn connection. Id: 1:"), "{errors:?}");
}
