//! The bytes of answers, and what other clients send.

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

use super::Cloud;

/// Sends `request` as it is; the whole answer.
pub async fn exchange(cloud: &Cloud, request: &[u8]) -> String {
    let endpoint = cloud.service.endpoint();
    let address = endpoint.trim_start_matches("http://").trim_end_matches("/client/api");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn get(cloud: &Cloud, query: &str) -> String {
    let request = format!("GET /client/api?{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
    exchange(cloud, request.as_bytes()).await
}

#[tokio::test]
async fn signatures_by_another_hand() {
    let cloud = Cloud::start().await;
    // The known answer for these four parameters.
    let query =
        "command=listVpnConnections&listall=true&response=json&apiKey=AK&signature=qKpMnfnk3P8o6XGGujzxcCDpBwI%3D";
    let answer = get(&cloud, query).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    assert!(answer.contains("content-type: text/javascript; charset=UTF-8"), "{answer}");
    assert!(answer.ends_with("\r\n\r\n{\"listvpnconnectionsresponse\":{}}"), "{answer}");

    // The same in another order, partly in the body.
    let form = "signature=qKpMnfnk3P8o6XGGujzxcCDpBwI%3D&apiKey=AK&listall=true";
    let request = format!(
        "POST /client/api?response=json&command=listVpnConnections HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\
         content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n\r\n{form}",
        form.len()
    );
    assert!(exchange(&cloud, request.as_bytes()).await.ends_with("{\"listvpnconnectionsresponse\":{}}"));

    let answer = get(&cloud, &query.replace("qKp", "qKq")).await;
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert!(answer.contains("x-description: unable to verify user credentials"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    assert_eq!(body["listvpnconnectionsresponse"]["errorcode"], 401);
}

/// A client that signs `~` unescaped is answered 401, as by CloudStack; ours escapes it as Java does.
#[tokio::test]
async fn a_tilde_gets_through() {
    let cloud = Cloud::start().await;
    assert!(cloud.client.call("listZones", &[("name", "a~b*c d")]).await.is_ok());
}

#[tokio::test]
async fn xml_is_the_default() {
    let cloud = Cloud::start().await;
    let answer = get(&cloud, "command=listZones").await;
    assert!(answer.contains("content-type: text/xml"), "{answer}");
    assert!(answer.contains("<listzonesresponse cloud-stack-version=\"4.0.2\"><errorcode>401</errorcode>"), "{answer}");
}

#[tokio::test]
async fn answers_of_a_later_release() {
    let cloud = Cloud::of(tunnelproof_cloud::Profile::V4_22).await;
    let answer = get(&cloud, "command=listZones").await;
    assert!(answer.contains("<listzonesresponse cloud-stack-version=\"4.22.0.0\"><errorcode>401"), "{answer}");
    let query =
        "command=listVpnConnections&listall=true&response=json&apiKey=AK&signature=qKpMnfnk3P8o6XGGujzxcCDpBwI%3D";
    let answer = get(&cloud, query).await;
    assert!(answer.contains("content-type: application/json; charset=UTF-8"), "{answer}");
    assert!(get(&cloud, "command=updateVpnConnection").await.contains("<updatevpnconnectionresponse"));
    let older = Cloud::start().await;
    assert!(get(&older, "command=updateVpnConnection").await.contains("<errorresponse"));
}

#[tokio::test]
async fn lists_come_in_pages() {
    let cloud = Cloud::start().await;
    for n in 1..=3 {
        cloud.create_customer_gateway(&format!("198.51.100.{n}"), "172.16.0.0/16").await;
    }
    let page = async |page| cloud.call("listVpnCustomerGateways", &[("page", page), ("pagesize", "2")]).await;
    let first = page("1").await;
    assert_eq!(first["count"], 3);
    let gateways = |list: &Value| {
        let rows = list["vpncustomergateway"].as_array().unwrap().iter();
        rows.map(|row| row["gateway"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    // Newest first.
    assert_eq!(gateways(&first), ["198.51.100.3", "198.51.100.2"]);
    assert_eq!(gateways(&page("2").await), ["198.51.100.1"]);
    assert_eq!(page("3").await, serde_json::json!({}));
}

#[tokio::test]
async fn nothing_that_is_shown_holds_a_secret() {
    let cloud = Cloud::start().await;
    let (_, gateway, customer) = cloud.ready_to_connect().await;
    cloud.connect(&gateway, &customer).await.unwrap();
    let calls = format!("{:?}", cloud.calls.lock().unwrap());
    assert!(calls.contains("***"));
    for secret in ["not for logs", "\"SK\"", "\"AK\""] {
        assert!(!calls.contains(secret), "{secret}");
    }
    assert!(
        !format!("{:?}", super::config(tunnelproof_cloud::Profile::Spec2012, tunnelproof_cloud::StoreLocation::Memory))
            .contains("SK")
    );
}
