//! Any sequence of commands and misfortunes, against a model that knows the manual and not the code.

use std::{sync::Arc, time::Duration};

use proptest::prelude::*;
use tunnelproof_cloud::{ClientError, Profile};

use super::{Cloud, config, customer_gateway, id, restart::File};

const PEER: [u8; 4] = [198, 51, 100, 7];

#[derive(Clone, Copy, Debug)]
enum Op {
    Connect,
    Delete,
    Reset,
    /// With a key that no router can be told of, or a good one.
    Update {
        good: bool,
    },
    StopRouter,
    StartRouter,
    Reboot,
    RestartVpc {
        cleanup: bool,
    },
    /// The peer cannot be reached, or again.
    CutOff(bool),
    /// The peer refuses to establish a tunnel, or not any more.
    Refuse(bool),
    /// A minute passes.
    Wait,
    /// Bytes to and from the peer, if there is a tunnel.
    Carry,
    /// The service is killed, and another starts over its database.
    Kill,
}

fn op() -> impl Strategy<Value = Op> {
    prop_oneof![
        4 => Just(Op::Connect),
        2 => Just(Op::Delete),
        4 => Just(Op::Reset),
        3 => any::<bool>().prop_map(|good| Op::Update { good }),
        2 => Just(Op::StopRouter),
        3 => Just(Op::StartRouter),
        2 => Just(Op::Reboot),
        2 => any::<bool>().prop_map(|cleanup| Op::RestartVpc { cleanup }),
        2 => any::<bool>().prop_map(Op::CutOff),
        2 => any::<bool>().prop_map(Op::Refuse),
        4 => Just(Op::Wait),
        3 => Just(Op::Carry),
        1 => Just(Op::Kill),
    ]
}

/// One VPC with a tier, and perhaps a connection.
struct Model {
    old: bool,
    /// Of the connection, if there is one.
    state: Option<&'static str>,
    runs: bool,
    /// The router has the tunnel.
    tunnel: bool,
    good_key: bool,
    cut_off: bool,
    refuses: bool,
    /// Bytes sent over all connections that there ever were.
    carried: u64,
}

const LOAD: u64 = 1000;

/// What a command is answered, as far as it fails.
type Outcome = Result<(), i64>;

impl Model {
    fn new(profile: Profile) -> Self {
        Self {
            old: profile == Profile::Spec2012,
            state: None,
            runs: true,
            tunnel: false,
            good_key: true,
            cut_off: false,
            refuses: false,
            carried: 0,
        }
    }

    fn step(&mut self, op: Op) -> Outcome {
        match op {
            Op::Connect => match self.state {
                Some(_) => Err(431),
                None => self.begin(),
            },
            Op::Delete => self.delete(),
            Op::Reset => self.reset(),
            Op::Update { good } => self.update(good),
            Op::StopRouter => {
                self.stop_router();
                Ok(())
            }
            Op::StartRouter => {
                self.start_router();
                Ok(())
            }
            Op::Reboot if !self.runs => Err(534),
            Op::Reboot | Op::RestartVpc { cleanup: true } => {
                self.stop_router();
                self.start_router();
                Ok(())
            }
            Op::RestartVpc { cleanup: false } => {
                self.start_router();
                Ok(())
            }
            Op::CutOff(yes) => {
                self.cut_off = yes;
                Ok(())
            }
            Op::Refuse(yes) => {
                self.refuses = yes;
                Ok(())
            }
            Op::Wait => {
                self.look();
                Ok(())
            }
            Op::Kill => {
                self.kill();
                Ok(())
            }
            Op::Carry => {
                self.carried += if self.tunnel { LOAD } else { 0 };
                Ok(())
            }
        }
    }

    /// From Pending or Disconnected.
    fn begin(&mut self) -> Outcome {
        self.state = Some("Pending");
        if !self.runs {
            return Err(534);
        }
        self.tunnel = self.good_key && !(self.old && self.refuses);
        self.state = Some(match (self.tunnel, self.old) {
            (false, _) => "Error",
            (true, true) => "Connected",
            (true, false) => "Connecting",
        });
        if self.tunnel { Ok(()) } else { Err(534) }
    }

    /// Disconnected, whether or not the router can be told.
    fn end(&mut self) -> Outcome {
        self.state = Some("Disconnected");
        if !self.runs {
            return Err(534);
        }
        self.tunnel = false;
        Ok(())
    }

    fn delete(&mut self) -> Outcome {
        match self.state {
            None => return Ok(()),
            Some("Pending") => {}
            Some("Connected") => self.end()?,
            Some(_) if !self.old => self.end()?,
            Some(_) => {}
        }
        (self.state, self.tunnel) = (None, false);
        Ok(())
    }

    fn reset(&mut self) -> Outcome {
        match (self.state, self.old) {
            (None, _) => return Ok(()),
            (Some("Pending"), true) => return Err(431),
            (Some("Disconnected"), true) => {}
            (Some(_), _) => self.end()?,
        }
        self.begin()
    }

    /// 4.22 begins every connection again but those in Pending, and says nothing of what goes wrong.
    fn update(&mut self, good: bool) -> Outcome {
        if self.old && self.state.is_some_and(|state| state != "Error") {
            return Err(431);
        }
        self.good_key = good;
        let stopped = match self.state {
            _ if self.old => return Ok(()),
            None | Some("Pending") => return Ok(()),
            Some("Disconnected") => Ok(()),
            Some(_) => self.end(),
        };
        if stopped.is_ok() {
            let _ = self.begin();
        }
        Ok(())
    }

    fn stop_router(&mut self) {
        if let Some("Connected" | "Connecting") = self.state {
            self.state = Some("Disconnected");
        }
        (self.runs, self.tunnel) = (false, false);
    }

    fn start_router(&mut self) {
        if std::mem::replace(&mut self.runs, true) {
            return;
        }
        match self.state {
            None => {}
            Some("Pending") => drop(self.begin()),
            Some("Disconnected") if self.old => drop(self.begin()),
            Some(_) if self.old => {}
            Some(_) => self.tunnel = self.good_key,
        }
    }

    /// Routers are made anew, and those that ran boot.
    fn kill(&mut self) {
        self.state = self.state.map(|state| if state == "Error" { state } else { "Disconnected" });
        self.tunnel = false;
        if std::mem::replace(&mut self.runs, false) {
            self.start_router();
        }
    }

    fn look(&mut self) {
        let up = self.tunnel && !self.cut_off && !self.refuses;
        self.state = match self.state {
            None => None,
            Some("Error") => Some("Error"),
            Some(_) if !self.runs => Some("Disconnected"),
            Some("Pending") => Some("Pending"),
            Some(_) => Some(if up { "Connected" } else { "Disconnected" }),
        };
    }
}

/// The same on the service.
struct Driver {
    cloud: Cloud,
    profile: Profile,
    file: File,
    vpc: String,
    router: String,
    gateway: String,
    customer: String,
}

impl Driver {
    async fn new(profile: Profile) -> Self {
        let file = File::new();
        let cloud = Cloud::with(config(profile, file.location()), Arc::default()).await;
        let (vpc, gateway, customer) = cloud.ready_to_connect().await;
        let router = id(&cloud.first("listRouters", "router").await).to_owned();
        Self { cloud, profile, file, vpc, router, gateway, customer }
    }

    async fn step(&mut self, op: Op) -> Outcome {
        let connection = self.cloud.first("listVpnConnections", "vpnconnection").await;
        let connection = connection["id"].as_str().map(str::to_owned);
        match op {
            Op::Connect => {
                let pair = [("s2svpngatewayid", self.gateway.as_str()), ("s2scustomergatewayid", &self.customer)];
                self.run("createVpnConnection", &pair).await
            }
            Op::Delete | Op::Reset => {
                let command = if matches!(op, Op::Delete) { "deleteVpnConnection" } else { "resetVpnConnection" };
                match connection {
                    Some(connection) => self.run(command, &[("id", &connection)]).await,
                    None => Ok(()),
                }
            }
            Op::Update { good } => {
                let mut parameters = customer_gateway("198.51.100.7", "172.16.10.0/24").to_vec();
                parameters[2].1 = if good { "a key" } else { "a \"key\"" };
                parameters.push(("id", &self.customer));
                self.run("updateVpnCustomerGateway", &parameters).await
            }
            Op::StopRouter => self.run("stopRouter", &[("id", &self.router)]).await,
            Op::StartRouter => self.run("startRouter", &[("id", &self.router)]).await,
            Op::Reboot => self.run("rebootRouter", &[("id", &self.router)]).await,
            Op::RestartVpc { cleanup } => {
                self.run("restartVPC", &[("id", &self.vpc), ("cleanup", &cleanup.to_string())]).await
            }
            Op::CutOff(true) => {
                self.cloud.network.cut_off(PEER);
                Ok(())
            }
            Op::CutOff(false) => {
                self.cloud.network.cut_off.lock().unwrap().clear();
                Ok(())
            }
            Op::Refuse(true) => {
                self.cloud.network.refuse(PEER);
                Ok(())
            }
            Op::Refuse(false) => {
                self.cloud.network.refused.lock().unwrap().clear();
                Ok(())
            }
            Op::Wait => {
                tokio::time::sleep(Duration::from_secs(61)).await;
                Ok(())
            }
            Op::Kill => {
                // What was not read is lost, so it is read.
                self.recorded("4").await;
                let network = self.cloud.network.clone();
                // The next service cannot begin before this one has ended.
                drop(std::mem::replace(&mut self.cloud, Cloud::of(self.profile).await));
                self.cloud = Cloud::with(config(self.profile, self.file.location()), network).await;
                // It waits until the VPC is there again.
                self.run("updateVPC", &[("id", &self.vpc), ("name", "main")]).await
            }
            Op::Carry => {
                self.cloud.network.carry(PEER, LOAD, 2 * LOAD);
                Ok(())
            }
        }
    }

    async fn run(&self, command: &str, parameters: &[(&str, &str)]) -> Outcome {
        match self.cloud.client.run(command, parameters).await {
            Ok(_) => Ok(()),
            Err(ClientError::Api { code, .. } | ClientError::Job { code, .. }) => Err(code),
            Err(other) => panic!("{command}: {other}"),
        }
    }

    /// Bytes of a type, over all records.
    async fn recorded(&self, kind: &str) -> u64 {
        let all = [("startdate", "2000-01-01"), ("enddate", "2199-12-31"), ("type", kind), ("pagesize", "-1")];
        let records = self.cloud.call("listUsageRecords", &all).await;
        let none = Vec::new();
        let records = records["usagerecord"].as_array().unwrap_or(&none).iter();
        records.map(|record| record["rawusage"].as_str().unwrap().parse::<u64>().unwrap()).sum()
    }

    /// Every change of state that was recorded, as `Pending to Connected`.
    async fn changes(&self) -> Vec<String> {
        let of = [("type", "VPN.S2S.CONNECTION.STATE"), ("listall", "true"), ("pagesize", "-1")];
        let events = self.cloud.call("listEvents", &of).await;
        let none = Vec::new();
        let events = events["event"].as_array().unwrap_or(&none).iter();
        let change = |text: &str| {
            let (_, change) = text.split_once(" went from ").unwrap();
            change.split(':').next().unwrap().to_owned()
        };
        events.map(|event| change(event["description"].as_str().unwrap())).collect()
    }
}

/// The manual's table.
fn documented(profile: Profile) -> &'static [&'static str] {
    match profile {
        Profile::Spec2012 => &[
            "Pending to Connected",
            "Pending to Error",
            "Pending to Disconnected",
            "Connected to Disconnected",
            "Disconnected to Pending",
            "Disconnected to Connected",
            "Error to Disconnected",
        ],
        Profile::V4_22 => &[
            "Pending to Connecting",
            "Pending to Error",
            "Pending to Disconnected",
            "Connecting to Connected",
            "Connecting to Disconnected",
            "Connected to Disconnected",
            "Disconnected to Pending",
            "Disconnected to Connected",
            "Error to Disconnected",
            "Pending to Removed",
            "Connecting to Removed",
            "Connected to Removed",
            "Disconnected to Removed",
            "Error to Removed",
        ],
    }
}

async fn compare(profile: Profile, ops: &[Op]) -> Result<(), TestCaseError> {
    let (mut model, mut driver) = (Model::new(profile), Driver::new(profile).await);
    for (n, op) in ops.iter().enumerate() {
        let expected = model.step(*op);
        let found = driver.step(*op).await;
        prop_assert_eq!(found, expected, "{} step {} {:?}: outcome", profile, n, op);
        let state = driver.cloud.state().await;
        prop_assert_eq!(state.as_str(), model.state.unwrap_or("none"), "{} step {} {:?}: state", profile, n, op);
        let tunnels = driver.cloud.network.tunnels();
        prop_assert_eq!(tunnels, usize::from(model.tunnel), "{} step {} {:?}: tunnels", profile, n, op);
    }
    // Not a byte is lost or counted twice, whatever ended a counter.
    prop_assert_eq!(driver.recorded("4").await, model.carried, "{}: bytes sent", profile);
    prop_assert_eq!(driver.recorded("5").await, 2 * model.carried, "{}: bytes received", profile);
    for change in driver.changes().await {
        prop_assert!(documented(profile).contains(&change.as_str()), "{profile}: {change} is not documented");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { max_shrink_iters: 400, ..ProptestConfig::with_cases(48) })]

    #[test]
    fn the_service_does_what_the_manual_says(
        newer in any::<bool>(),
        ops in proptest::collection::vec(op(), 1..24),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(compare(Profile::ALL[usize::from(newer)], &ops))?;
    }
}
