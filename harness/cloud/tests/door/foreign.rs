//! Ids of another account, in every parameter that takes an id, of every command that there is.

use std::collections::BTreeMap;

use serde_json::Value;
use tunnelproof_cloud::{Client, ClientError, Profile};

use super::{
    Cloud,
    accounts::{User, domain, user},
    customer_gateway, id, refusal,
};

/// In the name or the text of all that is Alice's.
const MARK: &str = "alices";

/// Lists by which an account is compared with what it was.
const LISTS: [(&str, &str); 9] = [
    ("listVPCs", "vpc"),
    ("listNetworks", "network"),
    ("listPublicIpAddresses", "publicipaddress"),
    ("listVpnGateways", "vpngateway"),
    ("listVpnCustomerGateways", "vpncustomergateway"),
    ("listVpnConnections", "vpnconnection"),
    ("listVirtualMachines", "virtualmachine"),
    ("listAccounts", "account"),
    ("listRouters", "router"),
];

/// By the parameter that names it, what an account has; all but the connection, so that one may be made.
async fn furnish(cloud: &Cloud, owner: &Client, name: &str, address: &str) -> BTreeMap<&'static str, String> {
    let mut its = BTreeMap::new();
    for (list, object, parameter) in [
        ("listZones", "zone", "zoneid"),
        ("listVPCOfferings", "vpcoffering", "vpcofferingid"),
        ("listNetworkOfferings", "networkoffering", "networkofferingid"),
        ("listServiceOfferings", "serviceoffering", "serviceofferingid"),
    ] {
        its.insert(parameter, id(&cloud.call(list, &[]).await[object][0]).to_owned());
    }
    let templates = cloud.call("listTemplates", &[("templatefilter", "all")]).await;
    its.insert("templateid", id(&templates["template"][0]).to_owned());
    let vpc = [
        ("name", name),
        ("displaytext", name),
        ("cidr", "10.10.0.0/16"),
        ("zoneid", &its["zoneid"]),
        ("vpcofferingid", &its["vpcofferingid"]),
    ];
    let vpc = id(&owner.run("createVPC", &vpc).await.unwrap()["vpc"]).to_owned();
    its.insert("vpcid", vpc.clone());
    let tier = [
        ("name", name),
        ("displaytext", name),
        ("zoneid", &its["zoneid"]),
        ("networkofferingid", &its["networkofferingid"]),
        ("vpcid", &vpc),
        ("gateway", "10.10.1.1"),
        ("netmask", "255.255.255.0"),
    ];
    let tier = id(&owner.call("createNetwork", &tier).await.unwrap()["network"]).to_owned();
    its.insert("networkids", tier);
    let gateway = owner.run("createVpnGateway", &[("vpcid", &vpc)]).await.unwrap();
    its.insert("s2svpngatewayid", id(&gateway["vpngateway"]).to_owned());
    let mut parameters = customer_gateway(address, "172.16.10.0/24").to_vec();
    parameters[2].1 = name;
    parameters[3].1 = "aes128-sha1;modp1536";
    parameters.push(("name", name));
    let customer = owner.run("createVpnCustomerGateway", &parameters).await.unwrap();
    its.insert("s2scustomergatewayid", id(&customer["vpncustomergateway"]).to_owned());
    its
}

/// Everything of Alice's that has an id.
async fn all_of(cloud: &Cloud, alice: &User, its: &BTreeMap<&'static str, String>) -> Vec<String> {
    let pair =
        [("s2svpngatewayid", its["s2svpngatewayid"].as_str()), ("s2scustomergatewayid", &its["s2scustomergatewayid"])];
    alice.client.run("createVpnConnection", &pair).await.unwrap();
    let guest: Vec<_> = ["serviceofferingid", "templateid", "zoneid", "networkids"]
        .map(|name| (name, its[name].as_str()))
        .into_iter()
        .chain([("name", MARK)])
        .collect();
    alice.client.run("deployVirtualMachine", &guest).await.unwrap();
    let named = [("account", "alice"), ("domainid", alice.domain.as_str())];
    let mut all = Vec::new();
    for (list, object) in LISTS.into_iter().chain([("listUsers", "user"), ("listEvents", "event")]) {
        let answer = cloud.call(list, &named).await;
        let first = &answer[object][0];
        assert!(first["id"].is_string(), "{list} {answer}");
        all.push(id(first).to_owned());
    }
    let jobs = alice.client.call("listAsyncJobs", &[]).await.unwrap();
    all.push(jobs["asyncjobs"][0]["jobid"].as_str().unwrap().to_owned());
    all
}

async fn state_of(cloud: &Cloud, alice: &User) -> Vec<Value> {
    let named = [("account", "alice"), ("domainid", alice.domain.as_str())];
    let mut state = Vec::new();
    for (list, _) in LISTS {
        state.push(cloud.call(list, &named).await);
    }
    state
}

/// A value that passes for what is no id.
fn plausible(name: &str, kind: &str) -> Option<&'static str> {
    Some(match (name, kind) {
        (_, "boolean") => "true",
        ("ikelifetime" | "esplifetime", _) => "3600",
        ("accounttype", _) => "0",
        (_, "long" | "integer") | ("account" | "keyword" | "state" | "type" | "level" | "listall", _) => return None,
        ("gateway", _) => "198.51.100.99",
        ("netmask", _) => "255.255.255.0",
        ("cidr", _) => "10.99.0.0/16",
        ("cidrlist", _) => "172.16.99.0/24",
        ("ikepolicy", _) => "aes128-sha1;modp1536",
        ("esppolicy", _) => "aes128-sha1",
        ("ikeversion", _) => "ike",
        ("templatefilter", _) => "all",
        ("startdate", _) => "2020-01-01",
        ("enddate", _) => "2120-01-01",
        ("customid" | "customjobid" | "projectid" | "ipaddressid" | "allocatedonly" | "forvpc", _) => return None,
        _ => "other",
    })
}

/// Sends it; panics unless it fails, or lists nothing of Alice's.
async fn attempt(client: &Client, command: &str, parameters: &[(&str, &str)], is_list: bool, all: &[String]) {
    let answer = match client.call(command, parameters).await {
        // Where all checks are the job's, it is the job that is refused.
        Ok(answer) if answer["jobid"].is_string() && !is_list => {
            let job = answer["jobid"].as_str().unwrap();
            let mut ended = client.call("queryAsyncJobResult", &[("jobid", job)]).await.unwrap();
            while ended["jobstatus"] == 0 {
                ended = client.call("queryAsyncJobResult", &[("jobid", job)]).await.unwrap();
            }
            assert_eq!(ended["jobstatus"], 2, "{command} {parameters:?} was done: {ended}");
            ended.to_string()
        }
        Ok(answer) => {
            assert!(is_list, "{command} {parameters:?}: {answer}");
            answer.to_string()
        }
        Err(ClientError::Api { code, text, .. }) => {
            assert!(matches!(code, 401 | 431 | 531), "{command} {parameters:?}: {code} {text}");
            // A refusal may repeat what was sent.
            parameters.iter().fold(text, |text, (_, value)| text.replace(value, ""))
        }
        Err(other) => panic!("{command} {parameters:?}: {other}"),
    };
    assert!(!answer.contains(MARK), "{command} {parameters:?}: {answer}");
    for id in all {
        assert!(!answer.contains(id.as_str()), "{command} {parameters:?}: {answer}");
    }
}

async fn every_command_refuses(profile: Profile) {
    let cloud = Cloud::with(
        tunnelproof_cloud::Config {
            public_addresses: (1..=9).map(|host| [203, 0, 113, host].into()).collect(),
            ..super::config(profile, tunnelproof_cloud::StoreLocation::Memory)
        },
        std::sync::Arc::default(),
    )
    .await;
    let (sales, labs) = (domain(&cloud, "sales").await, domain(&cloud, "labs").await);
    let alice = user(&cloud, "alice", "0", &sales).await;
    let its = furnish(&cloud, &alice.client, MARK, "198.51.100.7").await;
    let all = all_of(&cloud, &alice, &its).await;
    let before = state_of(&cloud, &alice).await;
    let apis = cloud.call("listApis", &[]).await["api"].clone();
    let apis = apis.as_array().unwrap();
    assert!(apis.len() > 45);
    let (mut tried, public) = (0, ["zoneid", "vpcofferingid", "networkofferingid", "serviceofferingid", "templateid"]);

    for (name, role, home, address) in
        [("bob", "0", &sales, "198.51.100.8"), ("admin-of-labs", "2", &labs, "198.51.100.9")]
    {
        let bob = user(&cloud, name, role, home).await;
        let own = furnish(&cloud, &bob.client, name, address).await;
        for api in apis {
            let command = api["name"].as_str().unwrap();
            let parameters: Vec<(&str, &str)> = api["params"]
                .as_array()
                .unwrap()
                .iter()
                .map(|parameter| (parameter["name"].as_str().unwrap(), parameter["type"].as_str().unwrap()))
                .collect();
            let is_list = command.starts_with("list");
            for (target, _) in
                parameters.iter().filter(|(name, kind)| matches!(*kind, "uuid" | "list") || *name == "usageid")
            {
                if public.contains(target) || matches!(*target, "projectid" | "domainid" | "parentdomainid") {
                    continue;
                }
                // All others are its own, so that nothing else is wrong with the request.
                let rest: Vec<_> = parameters
                    .iter()
                    .filter(|(name, _)| name != target)
                    .filter_map(|(name, kind)| {
                        let value = own.get(name).map(String::as_str).or_else(|| plausible(name, kind))?;
                        (*kind != "uuid" || own.contains_key(name)).then_some((*name, value))
                    })
                    // Filters would hide what must not be there.
                    .filter(|(name, _)| {
                        !is_list || matches!(*name, "listall" | "templatefilter" | "startdate" | "enddate")
                    })
                    .collect();
                // Hers are the first rows of their kinds; of accounts and users, the third.
                let number = if matches!(command, "deleteAccount" | "registerUserKeys") { "3" } else { "1" };
                for value in all.iter().map(String::as_str).chain([number]) {
                    let mut parameters = rest.clone();
                    parameters.push((target, value));
                    attempt(&bob.client, command, &parameters, is_list, &all).await;
                    tried += 1;
                }
            }
            // In the name of the other account.
            if parameters.iter().any(|(name, _)| *name == "account") {
                let mut named: Vec<_> = parameters
                    .iter()
                    .filter_map(|(name, kind)| {
                        let value = own.get(name).map(String::as_str).or_else(|| plausible(name, kind))?;
                        (*kind != "uuid" || own.contains_key(name)).then_some((*name, value))
                    })
                    .filter(|(name, _)| !is_list || matches!(*name, "templatefilter" | "startdate" | "enddate"))
                    .collect();
                named.extend([("account", "alice"), ("domainid", sales.as_str())]);
                attempt(&bob.client, command, &named, is_list, &all).await;
            }
        }
        // And without any id: everything that it may see.
        for (list, _) in
            LISTS.into_iter().chain([("listUsers", ""), ("listEvents", ""), ("listAsyncJobs", ""), ("listAlerts", "")])
        {
            attempt(&bob.client, list, &[("listall", "true"), ("isrecursive", "true"), ("pagesize", "-1")], true, &all)
                .await;
        }
        if role == "2" {
            for command in ["listVPCs", "listUsers", "listAccounts"] {
                assert_eq!(refusal(&bob.client, command, &[("domainid", &sales)]).await.0, 531, "{command}");
            }
        }
    }
    assert!(tried > 500, "{tried}");
    assert_eq!(state_of(&cloud, &alice).await, before);
    assert!(alice.client.call("listZones", &[]).await.is_ok(), "its keys are as they were");
}

#[tokio::test]
async fn every_command_of_the_specification_refuses_them() {
    every_command_refuses(Profile::Spec2012).await;
}

#[tokio::test]
async fn every_command_of_a_later_release_refuses_them() {
    every_command_refuses(Profile::V4_22).await;
}
