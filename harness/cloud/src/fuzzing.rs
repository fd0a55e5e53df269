//! The decoder's door for fuzzing: from the bytes of a query and a form to the bytes of an answer, without a
//! connection and without a signature, which no fuzzer could guess.
//!
//! An input is two digits and a request: the profile, who asks, and then the query, a line end, and the form:
//! `10command=listVPCs&id=1`. What must hold of every answer is asserted here.

use std::sync::Arc;

use serde_json::Value;
use tokio::{net::TcpListener, runtime::Runtime};

use crate::{
    Config, Modelled, Profile, Service, StoreLocation,
    command::{Caller, Command},
    server::{
        Body, Cloud, Failure, Format, Request,
        dispatch::{self, answer_to},
        identity,
    },
    signature,
    store::account,
};

/// Only in objects of the root administrator, so it must be in no answer for anybody else.
const SECRET: &str = "for root alone";

/// After so many inputs the clouds are new ones, so that what inputs create does not add up.
const INPUTS: u32 = 64;

/// No job here waits for anything but its turn.
const PATIENCE: u32 = 10_000;

/// In the order of their roles: the root administrator, the administrator of a domain, and a user there. Each has a
/// VPC with all that belongs to a connection, whose numbers are the first of their kinds.
const CALLERS: [i64; 3] = [account::ADMIN.user, 3, 4];

pub struct Door {
    runtime: Runtime,
    clouds: Option<[Service; 2]>,
    sent: u32,
}

impl Default for Door {
    fn default() -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        Self { runtime: runtime.expect("a runtime"), clouds: None, sent: 0 }
    }
}

impl Door {
    /// Panics if the answer is not one that the service may give.
    pub fn send(&mut self, input: &[u8]) {
        let [profile, caller, request @ ..] = input else { return };
        if self.sent.is_multiple_of(INPUTS) {
            self.clouds = None;
        }
        self.sent = self.sent.wrapping_add(1);
        let runtime = &self.runtime;
        let clouds = self.clouds.get_or_insert_with(|| {
            runtime.block_on(async { [furnished(Profile::Spec2012).await, furnished(Profile::V4_22).await] })
        });
        let cloud = clouds[usize::from(profile % 2)].cloud();
        let user = CALLERS[usize::from(caller % 3)];
        let mut parts = request.splitn(2, |byte| *byte == b'\n');
        let mut part = || String::from_utf8_lossy(parts.next().unwrap_or_default());
        let (query, form) = (part(), part());
        runtime.block_on(exchange(cloud, user, &query, &form));
    }
}

async fn exchange(cloud: &Arc<Cloud>, user: i64, query: &str, form: &str) {
    let request = match Request::parse(query, form) {
        Ok(request) => request,
        Err(failure) => return assert_eq!(failure.code, 400),
    };
    let format = Format::of(request.get("response"));
    // What anybody can have the service do.
    assert!(identity::caller(cloud, &request).is_none(), "nobody signed it");
    let (root, refused) = dispatch::answer(cloud, &request, format).await;
    assert_eq!(refused.as_ref().map(drop).map_err(|failure| failure.code), Err(401));
    check(cloud, format, &root, refused);
    // What those can who have a key.
    let _ = signature::string_to_sign(request.iter());
    let Some(command) = request.get("command").and_then(|name| Command::find(cloud.rules.release, name)) else {
        return;
    };
    let caller = caller(cloud, user);
    let (is_root, root) = (caller.is_root(), format!("{}response", command.wire_name()));
    let answer = answer_to(cloud, command, caller.clone(), &request, format).await;
    let job = answer.as_ref().ok().and_then(job).map(str::to_owned);
    let text = check(cloud, format, &root, answer);
    // Answers repeat what was sent, and a fuzzer that sees comparisons finds out what to send.
    let may_tell = is_root || request.iter().any(|(name, value)| name.contains(SECRET) || value.contains(SECRET));
    assert!(may_tell || !text.contains(SECRET), "{text}");
    if let Some(job) = job {
        let ended = finished(cloud, caller, &job).await.to_string();
        assert!(may_tell || !ended.contains(SECRET), "{ended}");
        assert!(!ended.contains("broke off"), "{ended}");
    }
}

fn caller(cloud: &Cloud, user: i64) -> Caller {
    let account = cloud.store.transaction(|db| account::of_user(db, user));
    Caller::of(&account.expect("the caller is kept"), user)
}

fn job(answer: &Body) -> Option<&str> {
    match answer {
        Body::Tree(answer) => answer["jobid"].as_str(),
        Body::Text(_) => None,
    }
}

/// Returns the answer as it would leave.
fn check(cloud: &Cloud, format: Format, root: &str, answer: Result<Body, Failure>) -> String {
    let body = answer.unwrap_or_else(|failure| {
        assert!(matches!(failure.code, 401 | 431 | 530 | 531 | 533 | 534), "{failure:?}");
        assert!(!failure.text.contains("broke off"), "{failure:?}");
        Body::Tree(failure.to_json())
    });
    let text = format.render(cloud.rules, root, &body);
    match format {
        Format::Json => {
            let read: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
            assert!(read[root].is_object(), "{text}");
        }
        Format::Xml => assert_eq!(unclosed(&text), Vec::<&str>::new(), "{text}"),
    }
    text
}

/// The elements that a text leaves open; one that is closed and was not open is left too.
fn unclosed(xml: &str) -> Vec<&str> {
    let is_writable = |c: char| !matches!(c, '\0'..='\u{8}' | '\u{b}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}');
    assert!(xml.chars().all(is_writable), "{xml:?}");
    let mut open = Vec::new();
    for tag in xml.split('<').skip(1).filter(|tag| !tag.starts_with('?')) {
        let (tag, _) = tag.split_once('>').expect("a tag ends");
        let name = tag.split(' ').next().unwrap_or_default();
        match name.strip_prefix('/') {
            Some(name) if open.last() == Some(&name) => drop(open.pop()),
            _ => open.push(name),
        }
    }
    open
}

/// What has become of a job.
async fn finished(cloud: &Arc<Cloud>, caller: Caller, job: &str) -> Value {
    let query = Command::find(cloud.rules.release, "queryAsyncJobResult").expect("the command is there");
    for _ in 0..PATIENCE {
        let request = Request::parse(&format!("jobid={job}"), "").expect("a request");
        match answer_to(cloud, query, caller.clone(), &request, Format::Json).await {
            Ok(Body::Tree(answer)) if answer["jobstatus"] == 0 => tokio::task::yield_now().await,
            Ok(Body::Tree(answer)) => return answer,
            Ok(Body::Text(text)) => panic!("a list: {text}"),
            // Whoever deletes its own account, or another's, may not ask any more.
            Err(failure) => return failure.to_json(),
        }
    }
    panic!("job {job} does not end")
}

/// A cloud in which every caller has everything.
async fn furnished(profile: Profile) -> Service {
    let config = Config {
        profile,
        public_addresses: (1..=254).map(|host| [203, 0, 113, host].into()).collect(),
        credentials: None,
        store: StoreLocation::Memory,
        router_check_interval: std::time::Duration::ZERO,
        log: None,
    };
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port of loopback");
    let service = Service::start(config, Arc::new(Modelled::agreeing()), listener).await.expect("a service");
    let cloud = service.cloud();
    let person = "password=p&email=e&firstname=f&lastname=l&domainid=2";
    for text in [
        "command=createDomain&name=sales".to_owned(),
        format!("command=createAccount&username=admin-of-sales&accounttype=2&{person}"),
        format!("command=createAccount&username=user&accounttype=0&{person}"),
    ] {
        made(cloud, CALLERS[0], &text).await;
    }
    for (n, user) in (1..).zip(CALLERS) {
        let key = if user == CALLERS[0] { SECRET } else { "for anybody" };
        for text in [
            "command=createVPC&name=main&displaytext=main&cidr=10.10.0.0/16&zoneid=1&vpcofferingid=1".to_owned(),
            format!(
                "command=createNetwork&name=web&displaytext=web&zoneid=1&networkofferingid=1&vpcid={n}\
                 &gateway=10.10.1.1&netmask=255.255.255.0"
            ),
            format!("command=createVpnGateway&vpcid={n}"),
            format!(
                "command=createVpnCustomerGateway&gateway=198.51.100.{n}&cidrlist=172.16.0.0/24&ipsecpsk={key}\
                 &ikepolicy=aes128-sha1;modp1536&esppolicy=aes128-sha1"
            ),
            format!("command=createVpnConnection&s2svpngatewayid={n}&s2scustomergatewayid={n}"),
            format!("command=deployVirtualMachine&serviceofferingid=1&templateid=1&zoneid=1&networkids={n}"),
        ] {
            made(cloud, user, &text).await;
        }
    }
    service
}

async fn made(cloud: &Arc<Cloud>, user: i64, text: &str) {
    let request = Request::parse(text, "").expect("a request");
    let command = request.get("command").and_then(|name| Command::find(cloud.rules.release, name));
    let caller = caller(cloud, user);
    let answer = answer_to(cloud, command.expect("a command"), caller.clone(), &request, Format::Json).await;
    let answer = answer.unwrap_or_else(|failure| panic!("{text}: {failure:?}"));
    if let Some(job) = job(&answer) {
        let ended = finished(cloud, caller, job).await;
        assert_eq!(ended["jobstatus"], 1, "{text}: {ended}");
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    /// What the fuzzer found worth keeping, and what once was answered wrongly.
    #[test]
    fn the_corpus_is_answered() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../fuzz/corpus/request");
        let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
        let mut files: Vec<_> = files.collect();
        files.sort();
        assert!(!files.is_empty());
        let mut door = Door::default();
        for file in files {
            println!("{}", file.display());
            door.send(&std::fs::read(file).unwrap());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        /// As a client writes them, they are read: in the query, in the form, or some in each.
        #[test]
        fn what_is_encoded_is_decoded(
            parameters in proptest::collection::btree_map(".{1,8}", ".{0,24}", 0..12),
            in_query in 0_usize..12,
        ) {
            let pairs: Vec<_> = parameters.iter()
                .map(|(name, value)| format!("{}={}", signature::encode(name), signature::encode(value)))
                .collect();
            let (query, form) = pairs.split_at(in_query.min(pairs.len()));
            let request = Request::parse(&query.join("&"), &form.join("&").replace("%20", "+")).unwrap();
            let read: Vec<_> = request.iter().collect();
            let sent: Vec<_> = parameters.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
            prop_assert_eq!(read, sent);
        }

        #[test]
        fn whatever_arrives_is_decoded(query in any::<Vec<u8>>(), form in "[&=%+a-c0-9]{0,64}") {
            let query = String::from_utf8_lossy(&query);
            let request = Request::parse(&query, &form).unwrap();
            let names: Vec<_> = request.iter().map(|(name, _)| name).collect();
            let mut unique = names.clone();
            unique.sort_unstable();
            unique.dedup();
            prop_assert_eq!(names.len(), unique.len());
            for name in names {
                prop_assert!(request.get(&name.to_ascii_uppercase()).is_some());
            }
            let text = signature::string_to_sign(request.iter());
            prop_assert!(!signature::verify(&text, "", ""));
        }
    }
}
