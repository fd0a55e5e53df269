//! How much a client may send, and what else a front door is asked that is no request of CloudStack's.

use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};
use tunnelproof_cloud::Profile;

use super::{Cloud, customer_gateway, refusal, wire::exchange};

const MEBIBYTE: usize = 1024 * 1024;

/// The known answer for these parameters, of which an empty list comes.
const SIGNED: &str =
    "command=listVpnConnections&listall=true&response=json&apiKey=AK&signature=qKpMnfnk3P8o6XGGujzxcCDpBwI%3D";
const EMPTY: &str = "{\"listvpnconnectionsresponse\":{}}";

fn post(query: &str, length: usize) -> String {
    format!("POST /client/api?{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n")
}

#[track_caller]
fn begins(answer: &str, with: &str) {
    assert!(answer.starts_with(with), "{}", answer.chars().take(400).collect::<String>());
}

#[tokio::test]
async fn bodies_have_an_end() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        let mut form = format!("{SIGNED}&");
        form.push_str(&"&".repeat(MEBIBYTE - form.len()));
        let full = exchange(&cloud, (post("", form.len()) + &form).as_bytes()).await;
        assert!(full.ends_with(EMPTY), "{full}");
        form.push('&');
        for query in ["response=json", ""] {
            let request = post(query, form.len()) + &form;
            let chunked = format!(
                "{}{:x}\r\n{form}\r\n0\r\n\r\n",
                post(query, 0).replace("content-length: 0", "transfer-encoding: chunked"),
                form.len()
            );
            // The first is refused before it is read, the second while it is.
            for request in [request, chunked] {
                let answer = exchange(&cloud, request.as_bytes()).await;
                begins(&answer, "HTTP/1.1 413 Payload Too Large\r\n");
                assert!(answer.contains("connection: close\r\n"), "{answer}");
                assert!(answer.contains("x-description: the body is longer than 1048576 bytes"), "{answer}");
                let body = if query.is_empty() { "<errorcode>413</errorcode>" } else { "\"errorcode\":413" };
                assert!(answer.contains("errorresponse") && answer.contains(body), "{answer}");
            }
        }
        let claims = |length: &str| post("", 0).replace(": 0", &format!(": {length}"));
        begins(&exchange(&cloud, claims("1048577").as_bytes()).await, "HTTP/1.1 413");
        begins(&exchange(&cloud, claims("9223372036854775807").as_bytes()).await, "HTTP/1.1 413");
        begins(&exchange(&cloud, claims("18446744073709551615").as_bytes()).await, "HTTP/1.1 431");
        begins(&exchange(&cloud, claims("18446744073709551616").as_bytes()).await, "HTTP/1.1 400");
    }
}

#[tokio::test]
async fn heads_have_an_end() {
    let cloud = Cloud::start().await;
    let get = |query: &str, headers: &str| {
        format!("GET /client/api?{SIGNED}{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n")
    };
    let headers = |count: usize| (0..count).map(|n| format!("x{n}: y\r\n")).collect::<String>();
    let good =
        [get(&"&".repeat(15_000), ""), get("", &format!("x: {}\r\n", "y".repeat(15_000))), get("", &headers(98))];
    for request in good {
        assert!(exchange(&cloud, request.as_bytes()).await.ends_with(EMPTY));
    }
    for request in [
        get(&"&".repeat(17_000), ""),
        get(&"&".repeat(100_000), ""),
        get("", &format!("x: {}\r\n", "y".repeat(17_000))),
        get("", &format!("{}: y\r\n", "x".repeat(17_000))),
        get("", &headers(99)),
        get("", &headers(10_000)),
    ] {
        let answer = exchange(&cloud, request.as_bytes()).await;
        begins(&answer, "HTTP/1.1 431 Request Header Fields Too Large\r\n");
    }
}

#[tokio::test]
async fn other_paths_and_methods() {
    let cloud = Cloud::start().await;
    let target = format!("/client/api?{SIGNED}");
    for (method, target, status) in [
        ("GET", target.as_str(), "200 OK"),
        ("HEAD", &target, "200 OK"),
        ("POST", &target, "200 OK"),
        ("OPTIONS", "/client/api", "200 OK"),
        // CloudStack's servlet has all below it, and a client that goes through a proxy names the host.
        ("GET", &target.replace("api?", "api/?"), "200 OK"),
        ("GET", &target.replace("api?", "api/json?"), "200 OK"),
        ("GET", &format!("http://cloud.example:8080{target}"), "200 OK"),
        ("PUT", &target, "405 Method Not Allowed"),
        ("DELETE", &target, "405 Method Not Allowed"),
        ("PATCH", &target, "405 Method Not Allowed"),
        ("TRACE", &target, "405 Method Not Allowed"),
        ("BREW", &target, "405 Method Not Allowed"),
        ("GET", "/", "404 Not Found"),
        ("GET", "/client", "404 Not Found"),
        ("GET", "/client/apis", "404 Not Found"),
        ("GET", "/client/API?command=listZones", "404 Not Found"),
        ("GET", "/client/%61pi", "404 Not Found"),
        ("GET", "/client/api%00", "404 Not Found"),
        ("GET", "/x/../client/api", "404 Not Found"),
        ("GET", "//client/api", "404 Not Found"),
        ("GET", "/client/../../etc/passwd", "404 Not Found"),
        ("OPTIONS", "*", "404 Not Found"),
        ("CONNECT", "cloud.example:8080", "404 Not Found"),
        ("get", &target, "405 Method Not Allowed"),
    ] {
        let request = format!("{method} {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let answer = exchange(&cloud, request.as_bytes()).await;
        begins(&answer, &format!("HTTP/1.1 {status}\r\n"));
        let refused = status.starts_with('4');
        assert_eq!(answer.contains("errorresponse"), refused, "{answer}");
        assert_eq!(
            answer.contains("allow: GET, HEAD, POST, OPTIONS\r\n"),
            status.starts_with("405") || (method == "OPTIONS" && !refused)
        );
        if method == "HEAD" {
            assert!(answer.ends_with("\r\n\r\n") && answer.contains("content-length: 33\r\n"), "{answer}");
        }
    }
}

#[tokio::test]
async fn every_way_to_speak_http() {
    let cloud = Cloud::start().await;
    let get = |version: &str, headers: &str| format!("GET /client/api?{SIGNED} HTTP/{version}\r\n{headers}\r\n");
    // HTTP/1.0 has no Host, and its connection ends.
    let answer = exchange(&cloud, get("1.0", "").as_bytes()).await;
    begins(&answer, "HTTP/1.0 200 OK\r\n");
    assert!(answer.ends_with(EMPTY));
    let lines = get("1.1", "host: x\r\nconnection: close\r\n").replace("\r\n", "\n");
    assert!(exchange(&cloud, lines.as_bytes()).await.ends_with(EMPTY));
    // In a chunk for each byte, with an extension and a trailer.
    let chunks: String = SIGNED.bytes().map(|byte| format!("1;x=y\r\n{}\r\n", char::from(byte))).collect();
    let chunked = post("", 0).replace("content-length: 0", "transfer-encoding: chunked");
    let answer = exchange(&cloud, format!("{chunked}{chunks}0\r\nx: y\r\n\r\n").as_bytes()).await;
    assert!(answer.ends_with(EMPTY), "{answer}");
    // Several at once are answered one after another, in their order.
    let unsigned = "GET /client/api?response=json HTTP/1.1\r\nhost: x\r\n\r\n";
    let last = get("1.1", "host: x\r\nconnection: close\r\n");
    let answer = exchange(&cloud, format!("{unsigned}{unsigned}{last}").as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1 401").count(), 2, "{answer}");
    assert!(answer.ends_with(EMPTY), "{answer}");

    let wrong = [
        get("1.1", "connection: close\r\n"),
        get("1.1", "host: x\r\nhost: y\r\nconnection: close\r\n"),
        get("1.1", "host: x\r\nx y: z\r\n"),
        get("1.1", "host: x\r\nx\0: z\r\n"),
        get("1.1", "host: x\r\nx: y\0z\r\n"),
        get("3.0", "host: x\r\n"),
        post("", 1).replace("\r\n\r\n", "\r\ncontent-length: 2\r\n\r\n"),
        post("", 0).replace(": 0", ": -1"),
        post("", 0).replace(": 0", ": 0x10"),
        post("", 0).replace("content-length: 0", "transfer-encoding: gzip"),
        post("", 0).replace("content-length: 0", "transfer-encoding: chunked, gzip"),
        "GET /client/api?a b HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "GET /client/api?a\0b HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(),
        "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}\u{3}\u{3}".to_owned(),
        format!("{chunked}zz\r\n"),
    ];
    for request in wrong {
        let answer = exchange(&cloud, request.as_bytes()).await;
        assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{request:?}: {answer}");
    }
    // HTTP/2 is not spoken; there is nothing to say in it.
    assert_eq!(exchange(&cloud, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await, "");
    assert!(exchange(&cloud, last.as_bytes()).await.ends_with(EMPTY));
}

/// With two lengths for one body, a proxy and the service could each see another request.
#[tokio::test]
async fn no_request_hides_in_the_body_of_another() {
    let cloud = Cloud::start().await;
    let hidden = format!("GET /client/api?{SIGNED} HTTP/1.1\r\nhost: x\r\n\r\n");
    let both = format!(
        "POST /client/api?response=json HTTP/1.1\r\nhost: x\r\ncontent-length: {}\r\ntransfer-encoding: chunked\r\n\r\n\
         0\r\n\r\n{hidden}",
        hidden.len() + 5
    );
    let answer = exchange(&cloud, both.as_bytes()).await;
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
    assert!(!answer.contains(EMPTY), "{answer}");
    // What follows a body that was refused is not read as a request.
    let long =
        format!("{}{}{hidden}", post("", MEBIBYTE + 1), "x".repeat(MEBIBYTE + 1)).replace("connection: close\r\n", "");
    let answer = exchange(&cloud, long.as_bytes()).await;
    begins(&answer, "HTTP/1.1 413");
    assert_eq!(answer.matches("HTTP/1.1").count(), 1, "{answer}");
}

#[tokio::test]
async fn who_asks_first_is_told_to_go_on() {
    let cloud = Cloud::start().await;
    let endpoint = cloud.service.endpoint();
    let address = endpoint.trim_start_matches("http://").trim_end_matches("/client/api");
    let expecting = |length| post("", length).replace("\r\n\r\n", "\r\nexpect: 100-continue\r\n\r\n");
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(expecting(SIGNED.len()).as_bytes()).await.unwrap();
    let mut go_on = [0; 25];
    stream.read_exact(&mut go_on).await.unwrap();
    assert_eq!(&go_on, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(SIGNED.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.ends_with(EMPTY), "{answer}");
    // Who would send too much is told so instead.
    begins(&exchange(&cloud, expecting(MEBIBYTE + 1).as_bytes()).await, "HTTP/1.1 413");
}

#[tokio::test]
async fn parameters_have_an_end_too() {
    let cloud = Cloud::start().await;
    let many = |count: usize| (0..count).map(|n| format!("p{n}=v")).collect::<Vec<_>>().join("&");
    let send = async |form: String| exchange(&cloud, (post("response=json", form.len()) + &form).as_bytes()).await;
    begins(&send(many(4_999)).await, "HTTP/1.1 401");
    let answer = send(many(5_000)).await;
    begins(&answer, "HTTP/1.1 400");
    assert!(answer.contains("a request has 5000 parameters at most"), "{answer}");
    // All of one name, and all different, and signed.
    begins(&send(vec!["a=b"; 4_999].join("&")).await, "HTTP/1.1 401");
    let names: Vec<_> = (0..4_000).map(|n| format!("p{n}")).collect();
    let signed: Vec<_> = names.iter().map(|name| (name.as_str(), "v")).collect();
    assert_eq!(cloud.client.call("listVPCs", &signed).await.unwrap(), json!({}));
}

#[tokio::test]
async fn values_that_nobody_should_send() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        let long = "x".repeat(500_000);
        let illegal = "Received value containing illegal ASCII non-printable characters for parameter";
        for value in ["\0", "a\0b", "\u{1b}[2J", "\u{7f}", "\t"] {
            assert_eq!(refusal(&cloud.client, "listVPCs", &[("name", value)]).await, (431, format!("{illegal} name")));
            // It is looked for in parameters that nobody knows, too.
            assert_eq!(
                refusal(&cloud.client, "listVPCs", &[("a<b\0", value)]).await,
                (431, format!("{illegal} a<b\0"))
            );
        }
        // Undecodable bytes are one replacement character each, for whoever signs them so.
        let lossy = exchange(&cloud, format!("{}%FF=%C3%28&response=json", post("", 24)).as_bytes()).await;
        begins(&lossy, "HTTP/1.1 401");
        assert!(cloud.client.call("listVPCs", &[("name", "\u{fffd}\u{10ffff}\u{202e}")]).await.is_ok());

        let text =
            |field| format!("due to invalid value. Value greater than max allowed length 255 for param: {field}");
        let name = "ü".repeat(255);
        assert!(cloud.client.call("listVPCs", &[("name", &name)]).await.is_ok(), "characters, not bytes");
        for value in ["ü".repeat(256), long.clone()] {
            let (code, said) = refusal(&cloud.client, "listVPCs", &[("name", &value)]).await;
            assert!(code == 431 && said.ends_with(&text("name")), "{said}");
        }
        // What is no text has no such rule; what repeats it in an answer has an end.
        for (command, parameter) in [
            ("listVPCs", "id"),
            ("listVPCs", "page"),
            ("queryAsyncJobResult", "jobid"),
            ("deployVirtualMachine", "networkids"),
            ("listVPCs", "domainid"),
        ] {
            assert_eq!(refusal(&cloud.client, command, &[(parameter, &long)]).await.0, 431, "{command} {parameter}");
        }
        let ids = vec!["1"; 100_000].join(",");
        let ids = [("serviceofferingid", "1"), ("templateid", "1"), ("zoneid", "1"), ("networkids", &ids)];
        assert_eq!(refusal(&cloud.client, "deployVirtualMachine", &ids).await.0, 431);
        let mut key = customer_gateway("198.51.100.7", "172.16.0.0/24");
        key[2].1 = &long;
        assert!(refusal(&cloud.client, "createVpnCustomerGateway", &key).await.1.ends_with(&text("ipsecPsk")));
        assert_eq!(cloud.call("listVpnCustomerGateways", &[]).await, json!({}));
    }
}

/// A text with line ends comes back as it is, and never as a header of its own.
#[tokio::test]
async fn no_value_becomes_a_header() {
    let cloud = Cloud::start().await;
    let value = "no\r\nset-cookie: a=b\r\n\r\n<script>";
    let (code, text) = refusal(&cloud.client, "listVPCs", &[("id", value)]).await;
    assert!(code == 431 && text.contains(value), "{text}");
    let calls = cloud.calls.lock().unwrap();
    assert_eq!(calls.last().unwrap().status, 431);
}

#[tokio::test]
async fn paging_at_its_limits() {
    for profile in Profile::ALL {
        let cloud = Cloud::of(profile).await;
        for n in 1..=3 {
            cloud.create_customer_gateway(&format!("198.51.100.{n}"), "172.16.0.0/16").await;
        }
        let (least, most) = (i64::MIN.to_string(), i64::MAX.to_string());
        for (page, size, rows) in [
            ("1", "500", Some(3)),
            (&least, "2", Some(2)),
            ("0", "2", Some(2)),
            ("2", "2", Some(1)),
            (&most, "500", Some(0)),
            (&most, "1", Some(0)),
            ("1", "0", Some(0)),
            ("1", &least, Some(0)),
            ("1", "501", None),
            ("1", &most, None),
            ("1", "9223372036854775808", None),
            ("1e3", "5", None),
            ("", "5", None),
            ("1", "-1", None),
        ] {
            let answer = cloud.client.call("listVpnCustomerGateways", &[("page", page), ("pagesize", size)]).await;
            match rows {
                Some(rows) => {
                    let shown = answer.unwrap()["vpncustomergateway"].as_array().map_or(0, Vec::len);
                    assert_eq!(shown, rows, "{page} {size}");
                }
                None => drop(answer.unwrap_err()),
            }
        }
    }
}
