//! What breaks existing clients, at the wire, where a client would hide it; in both profiles.
//!
//! Requests are written and signed here, by another hand than the service's own client: as libcloud and
//! cs do it, and with what they get wrong.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha1::Sha1;
use tunnelproof_cloud::Profile;

use super::{Cloud, customer_gateway, id, wire::exchange};

/// What a client leaves as it is in values, besides letters and digits.
const JAVA: &str = ".-*_";
const CS: &str = ".-*_~";
const LIBCLOUD: &str = ".-*_~[]";

const NOBODY: &str = "11111111-2222-4333-8444-555555555555";

fn escaped(text: &str, kept: &str) -> String {
    let escape = |byte: u8| match char::from(byte) {
        c if c.is_ascii_alphanumeric() || kept.contains(c) => c.to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(escape).collect()
}

/// Parameters and their signature, as they are sent.
fn signed(parameters: &[(&str, &str)], kept: &str) -> String {
    let mut all = parameters.to_vec();
    all.extend([("apiKey", "AK"), ("response", "json")]);
    all.sort_unstable();
    let pairs: Vec<_> = all.iter().map(|(name, value)| format!("{name}={}", escaped(value, kept))).collect();
    let pairs = pairs.join("&");
    let mut hmac = Hmac::<Sha1>::new_from_slice(b"SK").unwrap();
    hmac.update(pairs.to_ascii_lowercase().as_bytes());
    let signature = STANDARD.encode(hmac.finalize().into_bytes());
    format!("{pairs}&signature={}", escaped(&signature, JAVA))
}

/// Status and body.
fn parsed(answer: &str) -> (u16, Value) {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), serde_json::from_str(body).unwrap())
}

async fn get(cloud: &Cloud, query: &str) -> (u16, Value) {
    let request = format!("GET /client/api?{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    parsed(&exchange(cloud, request.as_bytes()).await)
}

async fn post(cloud: &Cloud, form: &str) -> (u16, Value) {
    let length = form.len();
    let request = format!(
        "POST /client/api HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {length}\r\n\r\n{form}"
    );
    parsed(&exchange(cloud, request.as_bytes()).await)
}

/// The answer's only root, taken off.
async fn ask(cloud: &Cloud, command: &str, parameters: &[(&str, &str)]) -> (u16, Value) {
    let (status, body) = get(cloud, &signed(&[&[("command", command)], parameters].concat(), JAVA)).await;
    let root = format!("{}response", command.to_lowercase());
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), [&root]);
    (status, body[root].clone())
}

fn keys(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn an_empty_list_has_neither_a_count_nor_an_array() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        for list in [
            "listVPCs",
            "listNetworks",
            "listRouters",
            "listVpnGateways",
            "listVpnCustomerGateways",
            "listVpnConnections",
            "listVirtualMachines",
            "listPublicIpAddresses",
            "listAlerts",
            "listAsyncJobs",
            "listEvents",
        ] {
            let (status, body) = get(&cloud, &signed(&[("command", list), ("listall", "true")], JAVA)).await;
            assert_eq!(status, 200, "{list}");
            assert_eq!(body, json!({ format!("{}response", list.to_lowercase()): {} }));
        }
    }
}

#[tokio::test]
async fn the_id_is_told_with_the_job_where_creation_begins_before_it() {
    for (profile, gateways) in [(Profile::Spec2012, &["jobid"][..]), (Profile::V4_22, &["id", "jobid"])] {
        let cloud = Cloud::of(profile).await;
        let (_, gateway, customer) = cloud.ready_to_connect().await;
        cloud.connect(&gateway, &customer).await.unwrap();
        let vpc = cloud.create_vpc("other", "10.20.0.0/16").await;
        cloud.create_vpn_gateway(&vpc).await;
        cloud.create_customer_gateway("198.51.100.8", "172.20.0.0/16").await;
        cloud.run("deleteVpnCustomerGateway", &[("id", "2")]).await;
        let answered = |command: &str| {
            let calls = cloud.calls.lock().unwrap();
            let call = calls.iter().find(|call| call.command == command).unwrap();
            call.answer[format!("{}response", command.to_lowercase())].clone()
        };
        for (command, fields) in [
            ("createVPC", &["id", "jobid"][..]),
            ("createVpnGateway", gateways),
            ("createVpnCustomerGateway", gateways),
            ("createVpnConnection", &["id", "jobid"]),
            ("deleteVpnCustomerGateway", &["jobid"]),
        ] {
            let answer = answered(command);
            assert_eq!(keys(&answer), fields, "{profile} {command}");
            assert!(fields.iter().all(|field| answer[*field].is_string()), "{answer}");
        }
    }
}

#[tokio::test]
async fn a_job_has_one_object_or_success_and_its_status_is_a_number() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        let (_, gateway, customer) = cloud.ready_to_connect().await;
        let connection = cloud.connect(&gateway, &customer).await.unwrap();
        cloud.run("resetVpnConnection", &[("id", id(&connection))]).await;
        assert!(cloud.client.run("deleteVpnGateway", &[("id", &gateway)]).await.is_err());
        cloud.run("deleteVpnConnection", &[("id", id(&connection))]).await;
        let jobs = cloud.call("listAsyncJobs", &[]).await;
        let jobs = jobs["asyncjobs"].as_array().unwrap();
        assert_eq!(jobs.len(), 7);
        for job in jobs {
            let (status, answer) =
                ask(&cloud, "queryAsyncJobResult", &[("jobid", job["jobid"].as_str().unwrap())]).await;
            // A job that failed is asked for successfully.
            assert_eq!(status, 200);
            let numbers = ["jobstatus", "jobresultcode", "jobprocstatus"].map(|name| answer[name].as_i64().unwrap());
            let result = &answer["jobresult"];
            match numbers {
                [1, 0, 0] => assert_eq!(keys(result).len(), 1, "{answer}"),
                [2, 431, 0] => assert_eq!(keys(result), ["errorcode", "errortext"]),
                _ => panic!("{answer}"),
            }
            assert!(result.get("success").is_none_or(|success| *success == true), "{answer}");
        }
    }
}

#[tokio::test]
async fn ids_are_texts_numbers_numbers_and_booleans_booleans() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        let (_, gateway, customer) = cloud.ready_to_connect().await;
        cloud.connect(&gateway, &customer).await.unwrap();
        for (list, object) in
            [("listVpnCustomerGateways", "vpncustomergateway"), ("listVpnConnections", "vpnconnection")]
        {
            let (_, answer) = ask(&cloud, list, &[]).await;
            assert_eq!(answer["count"].as_i64(), Some(1));
            for (field, value) in answer[object][0].as_object().unwrap() {
                let right = match field.as_str() {
                    "ikelifetime" | "esplifetime" => value.is_i64(),
                    "dpd" | "forceencap" | "passive" | "splitconnections" | "fordisplay" | "hasannotations" => {
                        value.is_boolean()
                    }
                    _ => value.is_string(),
                };
                assert!(right, "{profile} {field}: {value}");
            }
        }
        let (_, offerings) = ask(&cloud, "listNetworkOfferings", &[]).await;
        assert_eq!(offerings["networkoffering"][0]["forvpc"], true);
    }
}

#[tokio::test]
async fn booleans_versions_and_times_are_read_as_each_client_writes_them() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        for (n, (sent, meant)) in
            [("true", true), ("True", true), ("TRUE", true), ("False", false), ("None", false)].into_iter().enumerate()
        {
            let address = format!("198.51.100.{}", n + 1);
            let parameters = [&customer_gateway(&address, "172.16.0.0/16")[..], &[("dpd", sent)]].concat();
            let made = cloud.run("createVpnCustomerGateway", &parameters).await;
            assert_eq!(made["vpncustomergateway"]["dpd"], meant, "{sent}");
        }
        for (expires, good) in [
            ("2126-11-24T12:53:05+0000", true),
            ("2126-11-24T12:53:05Z", true),
            ("2126-11-24T14:53:05+0200", true),
            ("2026-11-24T12:53:05+0000", false),
            ("2026-11-24T12:53:05Z", false),
        ] {
            for name in ["signatureVersion", "signatureversion", "SIGNATUREVERSION"] {
                let request = signed(&[("command", "listZones"), (name, "3"), ("expires", expires)], CS);
                let status = if good { 200 } else { 401 };
                assert_eq!(get(&cloud, &request).await.0, status, "{profile} {name} {expires}");
                assert_eq!(post(&cloud, &request).await.0, status, "{profile} {name} {expires}");
            }
        }
        // Names of parameters in any case; the signature is over the names as they were sent.
        let request = signed(&[("Command", "listZones"), ("NAME", "zone-1")], JAVA);
        assert_eq!(get(&cloud, &request).await.1["listzonesresponse"]["count"], 1);
    }
}

#[tokio::test]
async fn an_unknown_id_is_named() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        for (command, name) in [
            ("deleteVPC", "id"),
            ("deleteNetwork", "id"),
            ("deleteVpnGateway", "id"),
            ("deleteVpnCustomerGateway", "id"),
            ("deleteVpnConnection", "id"),
            ("resetVpnConnection", "id"),
            ("createVpnGateway", "vpcid"),
            ("listVpnConnections", "vpcid"),
        ] {
            let (status, error) = ask(&cloud, command, &[(name, NOBODY)]).await;
            assert_eq!((status, &error["errorcode"]), (431, &json!(431)), "{profile} {command}");
            let text = format!(
                "Invalid parameter {name} value={NOBODY} due to incorrect long value format, or entity does not exist"
            );
            assert!(error["errortext"].as_str().unwrap().contains(&text), "{error}");
        }
    }
}

#[tokio::test]
async fn a_bad_signature_is_401_under_one_key() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        let good = signed(&[("command", "listVPCs")], JAVA);
        let unsigned = good.split("&signature=").next().unwrap();
        for query in [
            good.replace("listVPCs", "listVpnGateways"),
            good.replace("apiKey=AK", "apiKey=KA"),
            format!("{good}&name=added"),
            unsigned.to_owned(),
            format!("{unsigned}&signature="),
            format!("{unsigned}&signature=%2B%2B"),
        ] {
            for (status, body) in [get(&cloud, &query).await, post(&cloud, &query).await] {
                assert_eq!(status, 401, "{query}");
                let roots = keys(&body);
                assert!(roots == ["listvpcsresponse"] || roots == ["listvpngatewaysresponse"], "{body}");
                let text = "unable to verify user credentials and/or request signature";
                assert_eq!(body[roots[0]], json!({ "uuidList": [], "errorcode": 401, "errortext": text }));
            }
        }
        assert_eq!(get(&cloud, &good).await.0, 200);
    }
}

#[tokio::test]
async fn a_customer_gateway_tells_all_that_was_sent_or_has_its_default() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        cloud.create_customer_gateway("198.51.100.7", "172.16.10.0/24").await;
        let (_, list) = ask(&cloud, "listVpnCustomerGateways", &[]).await;
        for (field, value) in [
            ("name", json!("VPN-198.51.100.7")),
            ("gateway", json!("198.51.100.7")),
            ("cidrlist", json!("172.16.10.0/24")),
            ("ipsecpsk", json!("not for logs")),
            ("ikepolicy", json!("aes128-sha1;modp1536")),
            ("esppolicy", json!("3des-md5;modp1024")),
            ("ikelifetime", json!(86400)),
            ("esplifetime", json!(3600)),
            ("dpd", json!(false)),
            ("forceencap", json!(false)),
        ] {
            assert_eq!(list["vpncustomergateway"][0][field], value, "{profile} {field}");
        }
    }
}

/// Python and Go clients leave `~` as it is when they sign, and libcloud brackets too; Java's URLEncoder
/// does not, so CloudStack answers 401 to them.
#[tokio::test]
async fn what_is_not_encoded_as_by_java_is_not_signed_right() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        for (name, client, status) in [
            ("a~b", JAVA, 200),
            ("a~b", CS, 401),
            ("a~b", LIBCLOUD, 401),
            ("a[0]b", CS, 200),
            ("a[0]b", LIBCLOUD, 401),
            ("a*b c+d/e=f;g,h:i@j", LIBCLOUD, 200),
            ("M\u{fc}ller", LIBCLOUD, 200),
        ] {
            let request = signed(&[("command", "listZones"), ("name", name)], client);
            assert_eq!(get(&cloud, &request).await.0, status, "{profile} {name}");
            assert_eq!(post(&cloud, &request).await.0, status, "{profile} {name}");
        }
    }
}

#[tokio::test]
async fn commands_are_described() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        let (_, list) = ask(&cloud, "listApis", &[]).await;
        let apis = list["api"].as_array().unwrap();
        assert_eq!(list["count"], apis.len());
        for api in apis {
            let described = |object: &Value| {
                ["name", "description"].iter().all(|name| object[*name].as_str().is_some_and(|text| !text.is_empty()))
            };
            assert!(described(api) && api["isasync"].is_boolean(), "{api}");
            for parameter in api["params"].as_array().unwrap() {
                assert!(described(parameter) && parameter["required"].is_boolean(), "{} {parameter}", api["name"]);
                let types = ["string", "long", "boolean", "uuid", "list", "date", "integer"];
                assert!(types.contains(&parameter["type"].as_str().unwrap()), "{parameter}");
            }
            let fields = api["response"].as_array().unwrap();
            assert!(!fields.is_empty() && fields.iter().all(|field| field["name"].is_string()), "{api}");
        }
        let create = apis.iter().find(|api| api["name"] == "createVpnConnection").unwrap();
        assert_eq!(create["isasync"], true);
        let needed = create["params"].as_array().unwrap().iter().filter(|parameter| parameter["required"] == true);
        let needed: Vec<_> = needed.map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(needed, ["s2svpngatewayid", "s2scustomergatewayid"]);
    }
}

/// libcloud reads all of this of a template, and asks for guests that are not started unless told otherwise.
#[tokio::test]
async fn a_guest_is_described_and_starts_only_if_it_is_to() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        cloud.ready_to_connect().await;
        let (_, templates) = ask(&cloud, "listTemplates", &[("templatefilter", "executable")]).await;
        let template = &templates["template"][0];
        for field in ["name", "displaytext", "format", "hypervisor", "ostypename"] {
            assert!(template[field].is_string(), "{field}: {template}");
        }
        let size = cloud.first("listServiceOfferings", "serviceoffering").await;
        assert!(size["cpunumber"].is_i64() && size["memory"].is_i64(), "{size}");
        let (tier, zone) = (cloud.first("listNetworks", "network").await, cloud.first("listZones", "zone").await);
        for (start, state) in [("true", "Running"), ("False", "Stopped")] {
            let parameters = [
                ("serviceofferingid", id(&size)),
                ("templateid", id(template)),
                ("zoneid", id(&zone)),
                ("networkids", id(&tier)),
                ("startvm", start),
            ];
            let made = cloud.run("deployVirtualMachine", &parameters).await["virtualmachine"].clone();
            assert_eq!(made["state"], state, "{profile}");
            assert_eq!(cloud.first("listVirtualMachines", "virtualmachine").await, made);
        }
    }
}
