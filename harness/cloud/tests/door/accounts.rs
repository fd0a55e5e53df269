//! Who may do what: an account sees and touches what is its own, an administrator what is below it.

use serde_json::{Value, json};
use tunnelproof_cloud::{Client, ClientError, Credentials, Profile};

use super::{Cloud, id, refusal};

/// A user of an account of its own, in a domain.
pub struct User {
    pub client: Client,
    pub account: String,
    pub id: String,
    pub domain: String,
}

pub async fn domain(cloud: &Cloud, name: &str) -> String {
    id(&cloud.call("createDomain", &[("name", name)]).await["domain"]).to_owned()
}

fn described<'a>(name: &'a str, role: &'a str, domain: &'a str) -> [(&'static str, &'a str); 7] {
    [
        ("username", name),
        ("password", "unused"),
        ("email", "a@example.com"),
        ("firstname", "A"),
        ("lastname", "B"),
        ("accounttype", role),
        ("domainid", domain),
    ]
}

pub async fn user(cloud: &Cloud, name: &str, role: &str, domain: &str) -> User {
    let account = cloud.call("createAccount", &described(name, role, domain)).await["account"].clone();
    let key = |name: &str| account["user"][0][name].as_str().unwrap().to_owned();
    let credentials = Credentials { api_key: key("apikey"), secret_key: key("secretkey") };
    User {
        client: cloud.client_of(credentials),
        account: name.to_owned(),
        id: id(&account).to_owned(),
        domain: domain.to_owned(),
    }
}

async fn vpc(client: &Client, cidr: &str) -> String {
    let zone = client.call("listZones", &[]).await.unwrap();
    let offering = client.call("listVPCOfferings", &[]).await.unwrap();
    let parameters = [
        ("name", "main"),
        ("displaytext", "main"),
        ("cidr", cidr),
        ("zoneid", id(&zone["zone"][0])),
        ("vpcofferingid", id(&offering["vpcoffering"][0])),
    ];
    id(&client.run("createVPC", &parameters).await.unwrap()["vpc"]).to_owned()
}

async fn count(client: &Client, command: &str, parameters: &[(&str, &str)]) -> i64 {
    client.call(command, parameters).await.unwrap()["count"].as_i64().unwrap_or(0)
}

async fn connection(client: &Client, address: &str) -> [String; 4] {
    let vpc = vpc(client, "10.10.0.0/16").await;
    let gateway = client.run("createVpnGateway", &[("vpcid", &vpc)]).await.unwrap();
    let gateway = id(&gateway["vpngateway"]).to_owned();
    let mut parameters = super::customer_gateway(address, "172.16.10.0/24");
    parameters[3].1 = "aes128-sha1;modp1536";
    let customer = client.run("createVpnCustomerGateway", &parameters).await.unwrap();
    let customer = id(&customer["vpncustomergateway"]).to_owned();
    let pair = [("s2svpngatewayid", gateway.as_str()), ("s2scustomergatewayid", &customer)];
    let connection = client.run("createVpnConnection", &pair).await.unwrap();
    [vpc, gateway, customer, id(&connection["vpnconnection"]).to_owned()]
}

#[tokio::test]
async fn one_account_neither_sees_nor_touches_what_another_has() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        let root = id(&cloud.first("listDomains", "domain").await).to_owned();
        let alice = user(&cloud, "alice", "0", &root).await;
        let bob = user(&cloud, "bob", "0", &root).await;
        let [vpc, gateway, customer, connection] = connection(&alice.client, "198.51.100.7").await;

        let lists = ["listVPCs", "listVpnGateways", "listVpnCustomerGateways", "listVpnConnections"];
        for (list, its) in lists.into_iter().zip([&vpc, &gateway, &customer, &connection]) {
            assert_eq!(count(&alice.client, list, &[]).await, 1, "{list}");
            for parameters in [vec![], vec![("listall", "true")], vec![("id", its.as_str())], vec![("vpcid", &vpc)]] {
                assert_eq!(count(&bob.client, list, &parameters).await, 0, "{list} {parameters:?}");
            }
            // The administrator owns nothing here, and sees it when it asks for all.
            assert_eq!(count(&cloud.client, list, &[]).await, 0, "{list}");
            assert_eq!(count(&cloud.client, list, &[("listall", "true")]).await, 1, "{list}");
            assert_eq!(count(&cloud.client, list, &[("id", its)]).await, 1, "{list}");
            let named = [("account", "alice"), ("domainid", root.as_str())];
            assert_eq!(count(&cloud.client, list, &named).await, 1, "{list}");
            assert_eq!(refusal(&bob.client, list, &named).await.0, 531, "{list}");
        }
        for (command, parameters) in [
            ("deleteVPC", vec![("id", vpc.as_str())]),
            ("restartVPC", vec![("id", &vpc)]),
            ("updateVPC", vec![("id", &vpc), ("name", "mine")]),
            ("createVpnGateway", vec![("vpcid", &vpc)]),
            ("deleteVpnGateway", vec![("id", &gateway)]),
            ("deleteVpnCustomerGateway", vec![("id", &customer)]),
            ("deleteVpnConnection", vec![("id", &connection)]),
            ("resetVpnConnection", vec![("id", &connection)]),
            ("createVpnConnection", vec![("s2svpngatewayid", gateway.as_str()), ("s2scustomergatewayid", &customer)]),
            // By its number, too.
            ("deleteVpnConnection", vec![("id", "1")]),
        ] {
            assert_eq!(refusal(&bob.client, command, &parameters).await.0, 531, "{command}");
        }
        let events = bob.client.call("listEvents", &[("listall", "true")]).await.unwrap();
        assert!(!events.to_string().contains("VPN"), "{events}");
        let jobs = alice.client.call("listAsyncJobs", &[]).await.unwrap();
        assert_eq!(count(&bob.client, "listAsyncJobs", &[("listall", "true")]).await, 0);
        let job = jobs["asyncjobs"][0]["jobid"].as_str().unwrap().to_owned();
        assert_eq!(refusal(&bob.client, "queryAsyncJobResult", &[("jobid", &job)]).await.0, 531);
        assert_eq!(alice.client.call("listVpnConnections", &[]).await.unwrap()["vpnconnection"][0]["account"], "alice");
    }
}

#[tokio::test]
async fn commands_of_administrators_are_not_there_for_users() {
    for (profile, text) in [
        (Profile::Spec2012, "unable to verify user credentials and/or request signature"),
        (Profile::V4_22, "The given command 'listRouters' either does not exist, is not available for user."),
    ] {
        let cloud = Cloud::of(profile).await;
        let root = id(&cloud.first("listDomains", "domain").await).to_owned();
        let alice = user(&cloud, "alice", "0", &root).await;
        assert_eq!(refusal(&alice.client, "listRouters", &[]).await, (401, text.to_owned()));
        for command in ["listAlerts", "listUsers", "createAccount", "listUsageTypes", "listDomains", "stopRouter"] {
            assert_eq!(refusal(&alice.client, command, &[]).await.0, 401, "{command}");
        }
        let known = alice.client.call("listApis", &[]).await.unwrap();
        assert!(!known.to_string().contains("listRouters"));
    }
}

#[tokio::test]
async fn a_domains_administrator_rules_its_domain_and_those_below() {
    let cloud = Cloud::of(Profile::V4_22).await;
    let (sales, labs) = (domain(&cloud, "sales").await, domain(&cloud, "labs").await);
    let below = cloud.call("createDomain", &[("name", "north"), ("parentdomainid", &sales)]).await["domain"].clone();
    assert_eq!(below["path"], "ROOT/sales/north");
    let admin = user(&cloud, "admin-of-sales", "2", &sales).await;
    let inside = user(&cloud, "inside", "0", id(&below)).await;
    let outside = user(&cloud, "outside", "0", &labs).await;
    let [_, _, _, its] = connection(&inside.client, "198.51.100.7").await;
    let [_, _, _, other] = connection(&outside.client, "198.51.100.8").await;

    let seen = admin.client.call("listVpnConnections", &[("listall", "true")]).await.unwrap();
    assert_eq!((&seen["count"], id(&seen["vpnconnection"][0])), (&json!(1), its.as_str()));
    assert_eq!(seen["vpnconnection"][0]["domainpath"], "ROOT/sales/north");
    assert!(seen["vpnconnection"][0].get("fordisplay").is_none());
    admin.client.run("resetVpnConnection", &[("id", &its)]).await.unwrap();
    assert_eq!(refusal(&admin.client, "resetVpnConnection", &[("id", &other)]).await.0, 531);
    assert_eq!(refusal(&admin.client, "listVpnConnections", &[("domainid", &labs)]).await.0, 531);

    // Nobody makes itself or another more than it is.
    let root = id(&cloud.first("listDomains", "domain").await).to_owned();
    for (role, domain) in [("1", &sales), ("2", &root), ("0", &labs)] {
        assert_eq!(refusal(&admin.client, "createAccount", &described("x", role, domain)).await.0, 531, "{role}");
    }
    let roots = cloud.first("listUsers", "user").await;
    assert_eq!(refusal(&admin.client, "registerUserKeys", &[("id", id(&roots))]).await.0, 531);
    let at_root = user(&cloud, "admin-at-root", "2", &root).await;
    assert_eq!(refusal(&at_root.client, "registerUserKeys", &[("id", id(&roots))]).await.0, 531);
    assert_eq!(count(&admin.client, "listUsers", &[("listall", "true")]).await, 2);
}

#[tokio::test]
async fn an_account_is_deleted_with_all_that_it_owns() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        let root = id(&cloud.first("listDomains", "domain").await).to_owned();
        let alice = user(&cloud, "alice", "0", &root).await;
        let [vpc, ..] = connection(&alice.client, "198.51.100.7").await;
        assert_eq!(cloud.network.tunnels(), 1);
        let deleted = cloud.run("deleteAccount", &[("id", &alice.id)]).await;
        assert_eq!(deleted, json!({ "success": true }));
        assert_eq!(cloud.network.tunnels(), 0);
        for list in
            ["listVPCs", "listVpnGateways", "listVpnCustomerGateways", "listVpnConnections", "listPublicIpAddresses"]
        {
            assert_eq!(cloud.call(list, &[("listall", "true")]).await, json!({}), "{list}");
        }
        assert_eq!(refusal(&cloud.client, "deleteVPC", &[("id", &vpc)]).await.0, 431);
        let gone = alice.client.call("listZones", &[]).await.unwrap_err();
        assert!(matches!(gone, ClientError::Api { code: 401, .. }), "{gone}");
        // The name is free again.
        user(&cloud, &alice.account, "0", &root).await;
        let me = cloud.call("listAccounts", &[("name", "admin")]).await["account"][0].clone();
        assert_eq!(refusal(&cloud.client, "deleteAccount", &[("id", id(&me))]).await.0, 431);
        assert_eq!(refusal(&cloud.client, "deleteAccount", &[("id", "1")]).await.0, 431);
    }
}

#[tokio::test]
async fn new_keys_take_the_place_of_old_ones() {
    let cloud = Cloud::of(Profile::V4_22).await;
    let root = id(&cloud.first("listDomains", "domain").await).to_owned();
    let alice = user(&cloud, "alice", "0", &root).await;
    let users = cloud.call("listUsers", &[("username", "alice"), ("listall", "true")]).await;
    let its = id(&users["user"][0]).to_owned();
    // Keys are told once, to whom asked for them.
    assert!(users["user"][0].get("secretkey").is_none());
    let keys = alice.client.call("registerUserKeys", &[("id", &its)]).await.unwrap()["userkeys"].clone();
    assert!(alice.client.call("listZones", &[]).await.is_err());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let credentials = Credentials { api_key: text(&keys["apikey"]), secret_key: text(&keys["secretkey"]) };
    assert!(cloud.client_of(credentials).call("listZones", &[]).await.is_ok());
    let twice = refusal(&cloud.client, "createAccount", &described("alice", "0", &root)).await;
    assert_eq!(twice, (431, "The specified account: alice already exists".to_owned()));
    let owner = [("account", "nobody"), ("domainid", root.as_str())];
    assert_eq!(refusal(&cloud.client, "listVPCs", &owner).await.0, 431);
}

/// What went wrong inside is for the administrator alone, unless a job tells.
#[tokio::test]
async fn users_are_not_told_of_internal_errors() {
    let cloud = Cloud::of(Profile::V4_22).await;
    let root = id(&cloud.first("listDomains", "domain").await).to_owned();
    let alice = user(&cloud, "alice", "0", &root).await;
    let mut parameters = super::customer_gateway("198.51.100.7", "172.16.0.0/16");
    parameters[3].1 = "aes128-sha1;";
    let text = "Internal error executing command, please contact your system administrator";
    assert_eq!(refusal(&alice.client, "createVpnCustomerGateway", &parameters).await, (530, text.to_owned()));
    let told = refusal(&cloud.client, "createVpnCustomerGateway", &parameters).await.1;
    assert_eq!(told, "array index out of bounds in IKE policy aes128-sha1;");
}
