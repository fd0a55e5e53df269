//! Whose request it is: what a signature covers, and what becomes of a request that is not its sender's.

use base64::{Engine, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{Timestamp, ToSpan};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use sha1::Sha1;
use tunnelproof_cloud::{Profile, StoreLocation};

use super::{Cloud, config, id, restart::File, wire::exchange};

const REFUSED: &str = "unable to verify user credentials and/or request signature";

fn encode(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

/// By another hand than the service's: for names in lower case, and values that need no escapes but `%`.
fn sign(pairs: &[(&str, &str)], secret: &str) -> String {
    let mut pairs = pairs.to_vec();
    pairs.sort_unstable();
    // What Java leaves as it is.
    let value =
        |text| ["%2E", "%2D", "%5F"].iter().zip([".", "-", "_"]).fold(encode(text), |t, (a, b)| t.replace(a, b));
    let text = pairs.iter().map(|(name, text)| format!("{name}={}", value(text))).collect::<Vec<_>>().join("&");
    let mac = Hmac::<Sha1>::new_from_slice(secret.as_bytes()).unwrap().chain_update(text.to_lowercase());
    STANDARD.encode(mac.finalize().into_bytes())
}

fn written(pairs: &[(&str, &str)]) -> String {
    pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect::<Vec<_>>().join("&")
}

/// Status, and what the answer wraps.
async fn send(cloud: &Cloud, query: &str, form: &str) -> (u16, Value) {
    let request = format!(
        "POST /client/api?{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    let answer = exchange(cloud, request.as_bytes()).await;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap_or_else(|_| panic!("{answer}"));
    (head[9..12].parse().unwrap(), body.as_object().unwrap().values().next().unwrap().clone())
}

/// A request for the administrator's key, which would leave something behind.
const REQUEST: [(&str, &str); 9] = [
    ("apikey", "AK"),
    ("cidrlist", "172.16.0.0/24"),
    ("command", "createVpnCustomerGateway"),
    ("esppolicy", "aes128-sha1"),
    ("gateway", "198.51.100.7"),
    ("ikepolicy", "aes128-sha1;modp1536"),
    ("ipsecpsk", "Key"),
    ("name", "Branch"),
    ("response", "json"),
];

#[tokio::test]
async fn who_did_not_sign_is_told_nothing_and_changes_nothing() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        let good = sign(&REQUEST, "SK");
        let short = STANDARD.encode(&STANDARD.decode(&good).unwrap()[..10]);
        let lower = good.to_lowercase();
        let other = sign(&REQUEST, "sk");
        let flipped = STANDARD.encode(STANDARD.decode(&good).unwrap().iter().map(|byte| byte ^ 1).collect::<Vec<_>>());
        let text = sign(&REQUEST[..8], "SK");
        for signature in ["", "=", "AK", &short, &lower, &other, &flipped, &text, good.trim_end_matches('=')] {
            let mut pairs = REQUEST.to_vec();
            pairs.push(("signature", signature));
            let (status, answer) = send(&cloud, &written(&pairs), "").await;
            assert_eq!((status, answer["errortext"].as_str()), (401, Some(REFUSED)), "{signature}");
        }
        let unsigned = written(&REQUEST);
        let no_key = REQUEST[1..].to_vec();
        let signature = sign(&no_key, "SK");
        let keyless = format!("{}&signature={}", written(&no_key), encode(&signature));
        let mut strange = REQUEST.to_vec();
        strange[0].1 = "BK";
        let strange = format!("{}&signature={}", written(&strange), encode(&sign(&strange, "SK")));
        let empty = written(&REQUEST).replace("=AK", "=");
        for request in [unsigned, keyless, strange, empty] {
            let (status, answer) = send(&cloud, &request, "").await;
            assert_eq!((status, answer["errortext"].as_str()), (401, Some(REFUSED)), "{request}");
        }
        assert_eq!(cloud.call("listVpnCustomerGateways", &[]).await, serde_json::json!({}));
        assert_eq!(cloud.call("listAsyncJobs", &[]).await, serde_json::json!({}));
    }
}

type Pairs = Vec<(&'static str, &'static str)>;

#[tokio::test]
async fn a_signature_is_good_for_these_parameters_alone() {
    let cloud = Cloud::start().await;
    let signature = sign(&REQUEST, "SK");
    let signed = format!("signature={}", encode(&signature));
    let with = |change: fn(&mut Pairs)| {
        let mut pairs = REQUEST.to_vec();
        change(&mut pairs);
        written(&pairs)
    };
    for (what, request) in [
        ("one is added", with(|pairs| pairs.push(("dpd", "true")))),
        ("one is added in another case", with(|pairs| pairs.push(("GATEWAY", "198.51.100.8")))),
        ("one is changed", with(|pairs| pairs[4].1 = "198.51.100.8")),
        ("one is left out", with(|pairs| pairs.retain(|pair| pair.0 != "name"))),
        ("one has another name", with(|pairs| pairs[7].0 = "account")),
        ("another comes before it", with(|pairs| pairs.insert(0, ("gateway", "198.51.100.8")))),
        ("two are swapped", with(|pairs| (pairs[3].1, pairs[5].1) = (REQUEST[5].1, REQUEST[3].1))),
        // The text that is signed would be the same.
        (
            "one hides in the name of another",
            with(|pairs| {
                pairs.remove(3);
                pairs[2].1 = "createVpnCustomerGateway";
                pairs.push(("esppolicy=aes128-sha1&gateway", "198.51.100.7"));
                pairs.retain(|pair| pair.0 != "gateway");
            }),
        ),
        ("a blank is an empty name", with(|pairs| pairs.push(("", "")))),
    ] {
        for (query, form) in [(format!("{request}&{signed}"), String::new()), (signed.clone(), request.clone())] {
            let (status, answer) = send(&cloud, &query, &form).await;
            assert_eq!((status, answer["errortext"].as_str()), (401, Some(REFUSED)), "{what}");
        }
    }
    assert_eq!(cloud.call("listVpnCustomerGateways", &[]).await, serde_json::json!({}));
}

/// None of these changes what is asked for, and CloudStack takes them all.
#[tokio::test]
async fn how_a_request_is_written_is_not_signed() {
    let cloud = Cloud::start().await;
    let pairs = [("apikey", "AK"), ("command", "listZones"), ("name", "No.Such-Zone"), ("response", "json")];
    let signed = format!("signature={}", encode(&sign(&pairs, "SK")));
    let all = format!("{}&{signed}", written(&pairs));
    let backwards = all.split('&').rev().collect::<Vec<_>>().join("&");
    let (first, second) = all.split_at(all.find("&name").unwrap());
    for (query, form) in [
        (all.as_str(), ""),
        ("", all.as_str()),
        (&backwards, ""),
        (first, second),
        (second, first),
        (&all.replace("&", "&&"), "&"),
        // What is repeated counts for nothing, whether it is in the query or in the form.
        (&format!("{all}&name=other"), "name=another&signature=none"),
        // Names are not case-sensitive, as long as they are sorted as they were.
        (
            &all.replace("name", "NAME")
                .replace("command", "COMMAND")
                .replace("apikey", "APIKEY")
                .replace("response", "RESPONSE"),
            "",
        ),
    ] {
        assert_eq!(send(&cloud, query, form).await, (200, serde_json::json!({})), "{query} {form}");
    }
}

/// CloudStack's own weakness: the text is lower-cased before it is signed.
#[tokio::test]
async fn the_case_of_values_is_not_signed() {
    let cloud = Cloud::start().await;
    let request = format!("{}&signature={}", written(&REQUEST), encode(&sign(&REQUEST, "SK")));
    let (status, answer) = send(&cloud, "", &request.replace("Branch", "bRANCH")).await;
    assert_eq!(status, 200, "{answer}");
    let (status, _) = send(&cloud, "", &request.replace("createVpnC", "createvpnC")).await;
    assert_eq!(status, 401, "there is no such command");
}

#[tokio::test]
async fn a_request_that_has_expired_cannot_be_sent_again() {
    let cloud = Cloud::start().await;
    let expires = (Timestamp::now() + 1500.milliseconds()).strftime("%Y-%m-%dT%H:%M:%S%.6f+0000").to_string();
    let pairs = [
        ("apikey", "AK"),
        ("command", "listZones"),
        ("expires", expires.as_str()),
        ("name", "none"),
        ("response", "json"),
        ("signatureversion", "3"),
    ];
    let signature = format!("&signature={}", encode(&sign(&pairs, "SK")));
    let request = written(&pairs) + &signature;
    assert_eq!(send(&cloud, &request, "").await.0, 200);
    // Nobody prolongs it, and nobody takes the limit away.
    let longer = request.replace(&encode(&expires), &encode("2126-01-01T00:00:00+0000"));
    let unlimited = written(&[&pairs[..2], &pairs[3..5]].concat()) + &signature;
    let older = request.replace("signatureversion=3", "signatureversion=2");
    for changed in [longer, unlimited, older] {
        assert_eq!(send(&cloud, &changed, "").await.0, 401, "{changed}");
    }
    let deadline = Timestamp::now() + 30.seconds();
    while send(&cloud, &request, "").await.0 == 200 {
        assert!(Timestamp::now() < deadline, "it does not expire");
    }
    assert_eq!(send(&cloud, &request, "").await.1["errortext"], REFUSED);
    // Without a limit a request is good for as long as its key is, as in CloudStack.
    let pairs = [&pairs[..2], &pairs[3..5]].concat();
    let request = format!("{}&signature={}", written(&pairs), encode(&sign(&pairs, "SK")));
    for _ in 0..3 {
        assert_eq!(send(&cloud, &request, "").await.0, 200);
    }
}

/// No command disables a user or an account; an operator does, in the database.
#[tokio::test]
async fn keys_of_who_may_not_act_are_no_keys() {
    for profile in Profile::ALL {
        let file = File::new();
        let cloud = Cloud::with(config(profile, file.location()), std::sync::Arc::default()).await;
        let root = id(&cloud.first("listDomains", "domain").await).to_owned();
        let StoreLocation::File(path) = file.location() else { unreachable!() };
        let db = rusqlite::Connection::open(path).unwrap();
        for (name, lock, unlock) in [
            ("alice", "UPDATE user SET state = 'disabled'", "UPDATE user SET state = 'enabled'"),
            ("bob", "UPDATE account SET state = 'disabled'", "UPDATE account SET state = 'enabled'"),
            ("carol", "UPDATE account SET state = 'locked'", "UPDATE account SET state = 'enabled'"),
        ] {
            let user = super::accounts::user(&cloud, name, "0", &root).await;
            assert!(user.client.call("listZones", &[]).await.is_ok());
            let column = if lock.contains("user") { "username" } else { "account_name" };
            let only = format!(" WHERE {column} = '{name}'");
            db.execute(&format!("{lock}{only}"), []).unwrap();
            assert_eq!(super::refusal(&user.client, "listZones", &[]).await, (401, REFUSED.to_owned()));
            db.execute(&format!("{unlock}{only}"), []).unwrap();
            assert!(user.client.call("listZones", &[]).await.is_ok());
            cloud.run("deleteAccount", &[("id", &user.id)]).await;
            assert_eq!(super::refusal(&user.client, "listZones", &[]).await, (401, REFUSED.to_owned()));
        }
    }
}
