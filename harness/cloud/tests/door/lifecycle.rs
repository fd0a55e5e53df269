//! From createVPC to deleteVPC, and what the router is told on the way.

use serde_json::json;
use tunnelproof_cloud::ClientError;

use super::{Cloud, id};

#[tokio::test]
async fn create_to_delete() {
    let cloud = Cloud::start().await;
    let (vpc, gateway, customer) = cloud.ready_to_connect().await;
    assert_eq!(cloud.network.log(), ["deploy main 10.10.0.0/16 203.0.113.1", "main add web 10.10.1.1 10.10.1.0/24"]);

    let connection = cloud.connect(&gateway, &customer).await.unwrap();
    let listed = cloud.first("listVpnConnections", "vpnconnection").await;
    assert_eq!(connection, listed);
    for (field, value) in [
        ("state", json!("Connected")),
        ("s2svpngatewayid", json!(gateway)),
        ("s2scustomergatewayid", json!(customer)),
        ("publicip", json!("203.0.113.1")),
        ("gateway", json!("198.51.100.7")),
        ("cidrlist", json!("172.16.10.0/24,192.168.10.0/24")),
        ("ipsecpsk", json!("not for logs")),
        ("ikepolicy", json!("aes128-sha1;modp1536")),
        ("esppolicy", json!("3des-md5;modp1024")),
        ("ikelifetime", json!(86400)),
        ("esplifetime", json!(3600)),
        ("dpd", json!(false)),
        ("forceencap", json!(false)),
        ("passive", json!(false)),
        ("account", json!("admin")),
        ("domain", json!("ROOT")),
    ] {
        assert_eq!(connection[field], value, "{field}");
    }
    assert_eq!(
        cloud.network.log(),
        ["main apply 203.0.113.1 10.10.0.0/16 = 198.51.100.7 172.16.10.0/24 192.168.10.0/24 \
          ike aes128-sha1;modp1536 esp 3des-md5;modp1024 passive false psk not for logs"]
    );

    let reset = cloud.run("resetVpnConnection", &[("id", id(&connection))]).await;
    assert_eq!(reset["vpnconnection"]["state"], "Connected");
    let log = cloud.network.log();
    assert_eq!(log[0], "main take down Some(198.51.100.7)");
    assert!(log[1].starts_with("main apply") && log.len() == 2, "{log:?}");

    let success = json!({ "success": true });
    assert_eq!(cloud.run("deleteVpnConnection", &[("id", id(&connection))]).await, success);
    assert_eq!(cloud.call("listVpnConnections", &[]).await, json!({}));
    assert_eq!(cloud.run("deleteVpnGateway", &[("id", &gateway)]).await, success);
    assert_eq!(cloud.run("deleteVpnCustomerGateway", &[("id", &customer)]).await, success);
    let tier = cloud.first("listNetworks", "network").await;
    assert_eq!(tier["state"], "Implemented");
    assert_eq!(cloud.run("deleteNetwork", &[("id", id(&tier)), ("forced", "None")]).await, success);
    assert_eq!(cloud.run("deleteVPC", &[("id", &vpc)]).await, success);
    assert_eq!(cloud.network.log(), ["main take down Some(198.51.100.7)", "main remove web", "main destroy"]);
    for (list, _) in LISTS {
        assert_eq!(cloud.call(list, &[]).await, json!({}), "{list}");
    }
    cloud.service.stop().await;
}

const LISTS: [(&str, &str); 5] = [
    ("listVPCs", "vpc"),
    ("listNetworks", "network"),
    ("listVpnGateways", "vpngateway"),
    ("listVpnCustomerGateways", "vpncustomergateway"),
    ("listVpnConnections", "vpnconnection"),
];

#[tokio::test]
async fn deleting_a_vpc_takes_its_vpn_along_but_no_customer_gateway() {
    let cloud = Cloud::start().await;
    let (vpc, gateway, customer) = cloud.ready_to_connect().await;
    cloud.connect(&gateway, &customer).await.unwrap();
    let tier = cloud.first("listNetworks", "network").await;
    cloud.run("deleteNetwork", &[("id", id(&tier))]).await;
    cloud.run("deleteVPC", &[("id", &vpc)]).await;
    assert_eq!(cloud.call("listVpnGateways", &[]).await, json!({}));
    assert_eq!(cloud.call("listVpnConnections", &[]).await, json!({}));
    assert_eq!(id(&cloud.first("listVpnCustomerGateways", "vpncustomergateway").await), customer);
    // The address is free again.
    cloud.network.log();
    cloud.create_vpc("next", "10.20.0.0/16").await;
    assert_eq!(cloud.network.log(), ["deploy next 10.20.0.0/16 203.0.113.1"]);
}

#[tokio::test]
async fn a_peer_that_does_not_answer_leaves_error_behind() {
    let cloud = Cloud::start().await;
    let (_, gateway, customer) = cloud.ready_to_connect().await;
    cloud.network.refused.lock().unwrap().insert([198, 51, 100, 7].into());
    let failed = cloud.connect(&gateway, &customer).await.unwrap_err();
    let ClientError::Job { code, text, .. } = failed else { panic!("{failed}") };
    assert_eq!(code, 534);
    assert_eq!(text, "Resource [Site2SiteVpnConnection:1] is unreachable: Failed to apply site-to-site VPN");
    assert_eq!(cloud.state().await, "Error");
    assert_eq!(cloud.network.log().last().unwrap(), "main take down None");

    // The reason is in the event log.
    let events = cloud.call("listEvents", &[("type", "VPN.S2S.CONNECTION.CREATE")]).await;
    let mut events: Vec<_> = events["event"].as_array().unwrap().iter().map(|event| &event["description"]).collect();
    events.reverse();
    assert_eq!(
        events,
        [
            "starting s2s vpn connection",
            "starting s2s vpn connection",
            "Error while starting s2s vpn connection. Id: 1: the tunnel was not established: no proposal chosen",
            "Error while starting s2s vpn connection",
        ]
    );

    // A reset gets it out of there.
    cloud.network.refused.lock().unwrap().clear();
    let connection = cloud.first("listVpnConnections", "vpnconnection").await;
    let reset = cloud.run("resetVpnConnection", &[("id", id(&connection))]).await;
    assert_eq!(reset["vpnconnection"]["state"], "Connected");
}

#[tokio::test]
async fn policies_that_no_daemon_takes_are_accepted_and_fail_on_the_router() {
    let cloud = Cloud::start().await;
    let (_, gateway, _) = cloud.ready_to_connect().await;
    let mut parameters = super::customer_gateway("198.51.100.8", "172.16.20.0/24");
    parameters[3].1 = ",";
    let created = cloud.run("createVpnCustomerGateway", &parameters).await;
    let customer = id(&created["vpncustomergateway"]);
    assert!(cloud.connect(&gateway, customer).await.is_err());
    assert_eq!(cloud.state().await, "Error");
    assert!(cloud.network.log().iter().all(|line| !line.contains("apply")));
}

#[tokio::test]
async fn jobs_of_one_vpc_wait_for_each_other() {
    let cloud = Cloud::start().await;
    let (vpc, gateway, customer) = cloud.ready_to_connect().await;
    cloud.network.silent.lock().unwrap().insert([198, 51, 100, 7].into());
    let parameters = [("s2svpngatewayid", gateway.as_str()), ("s2scustomergatewayid", &customer)];
    let answer = cloud.call("createVpnConnection", &parameters).await;
    assert!(answer["id"].is_string() && answer["jobid"].is_string());
    let delete = cloud.call("deleteVpnConnection", &[("id", id(&answer))]).await;
    for job in [&answer["jobid"], &delete["jobid"]] {
        let query = cloud.call("queryAsyncJobResult", &[("jobid", job.as_str().unwrap())]).await;
        assert_eq!(query["jobstatus"], 0);
        assert_eq!(query["jobresultcode"], 0);
        assert!(query.get("jobresult").is_none());
    }
    assert_eq!(cloud.state().await, "Pending");
    // Another VPC is not concerned.
    let other = cloud.create_vpc("other", "10.20.0.0/16").await;
    assert_ne!(other, vpc);
    // The service stops although the job never ends.
    cloud.service.stop().await;
}

#[tokio::test]
async fn a_job_tells_what_it_was_about() {
    let cloud = Cloud::start().await;
    cloud.ready_to_connect().await;
    let jobs: Vec<_> = {
        let calls = cloud.calls.lock().unwrap();
        calls.iter().filter(|call| call.command == "queryAsyncJobResult").map(|call| call.answer.clone()).collect()
    };
    let of = |class: &str| {
        let class = format!("com.cloud.api.commands.{class}");
        let mut answers = jobs.iter().map(|job| &job["queryasyncjobresultresponse"]).rev();
        answers.find(|job| job["cmd"] == class).unwrap()
    };
    let vpc = of("CreateVPCCmd");
    assert_eq!(vpc["jobstatus"], 1);
    assert_eq!(vpc["jobprocstatus"], 0);
    assert_eq!(vpc["jobresulttype"], "object");
    assert_eq!(vpc["jobinstancetype"], "None");
    assert_eq!(vpc["jobinstanceid"], vpc["jobresult"]["vpc"]["id"]);
    assert!(of("CreateVpnGatewayCmd").get("jobinstanceid").is_none());
}
