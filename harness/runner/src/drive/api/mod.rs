//! The cell's part that goes through the cloud's API, exactly as any client would send it.

mod change;
mod objects;
mod session;

use std::{collections::BTreeMap, net::Ipv4Addr, time::Duration};

use cloud::{Client, ClientError};
use policy::Initiator;
use scenario::{Alert, Cell, ConnectionState, Step};
use serde_json::Value;
use tokio::time::Instant;

use super::{Failure, FarSide, Notebook};
use crate::{
    observation::{AlertSeen, Answer, Usage},
    record::{ApiCall, StateChange},
};
use objects::{Kind, Objects};
pub(crate) use session::{Choices, Session};

/// How often a state that is waited for is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// The type of the alerts about connections, ALERT.SERVICE.DOMAINROUTER.
const DOMAIN_ROUTER: &str = "9";
/// So much of an answer is kept in the record.
const KEPT: usize = 2_000;

pub(crate) struct Api<'a> {
    cell: &'a Cell,
    session: Session,
    /// Its calls are written down.
    client: Client,
    /// Its calls are not: it looks at states again and again.
    watcher: Client,
    notebook: Notebook,
    vpcs: BTreeMap<&'a str, Vpc>,
    customer_gateways: BTreeMap<&'a str, String>,
    /// What each of them was made with, and has been changed to.
    told: BTreeMap<String, Vec<(&'static str, String)>>,
    /// While the next job of this command runs, the service is killed.
    deadly: Option<String>,
    connections: Vec<Connection>,
    objects: Objects,
}

/// Ids and addresses that the cloud gave.
struct Vpc {
    id: String,
    gateway: String,
    address: Ipv4Addr,
}

struct Connection {
    vpc: String,
    customer: String,
    id: String,
    state: String,
    open: bool,
}

impl Connection {
    fn words(&self) -> String {
        format!("{} -> {}", self.vpc, self.customer)
    }
}

impl<'a> Api<'a> {
    pub fn new(cell: &'a Cell, session: Session, notebook: Notebook) -> Self {
        let watcher = session.client.clone();
        let pages = notebook.clone();
        let client = watcher.clone().on_call(move |call| {
            let mut answer = call.answer.to_string();
            if let Some((at, _)) = answer.char_indices().nth(KEPT) {
                answer.truncate(at);
                answer.push_str(" ...");
            }
            let call = ApiCall {
                at_ms: pages.now(),
                command: call.command.clone(),
                parameters: call.parameters.clone(),
                status: call.status,
                answer,
            };
            pages.write(|pages| pages.api.push(call));
        });
        Self {
            cell,
            session,
            client,
            watcher,
            notebook,
            vpcs: BTreeMap::new(),
            customer_gateways: BTreeMap::new(),
            told: BTreeMap::new(),
            deadly: None,
            connections: Vec::new(),
            objects: Objects::default(),
        }
    }

    /// Creates the VPCs, their tiers and their VPN gateways.
    pub async fn prepare(&mut self) -> Result<String, Failure> {
        let Choices { zone, vpc_offering, network_offering } = self.session.choices.clone();
        let enabled = ("state", "Enabled");
        let zone = self.first(zone, "listZones", &[], "zone").await?;
        let vpc_offering = self.first(vpc_offering, "listVPCOfferings", &[enabled], "vpcoffering").await?;
        let of_vpcs = [("forvpc", "true"), enabled];
        let network_offering =
            self.first(network_offering, "listNetworkOfferings", &of_vpcs, "networkoffering").await?;
        let cell = self.cell;
        let session = self.session.clone();
        let mut made = Vec::new();
        for (name, vpc) in &cell.cloud.vpcs {
            let (called, cidr) = (session.name(name), vpc.cidr.to_string());
            let parameters = session.owned(&[
                ("name", &called),
                ("displaytext", &called),
                ("cidr", &cidr),
                ("zoneid", &zone),
                ("vpcofferingid", &vpc_offering),
            ]);
            let created = self.make(Kind::Vpc, "createVPC", &parameters).await?;
            self.compare("createVPC", &created, &[("name", &called), ("cidr", &cidr)]);
            let id = text(&created, "id")?;
            for (tier, net) in &vpc.tiers {
                let (called, netmask) = (session.name(tier), net.netmask().to_string());
                let gateway = Ipv4Addr::from_bits(net.network().to_bits() + 1).to_string();
                let parameters = session.owned(&[
                    ("name", &called),
                    ("displaytext", &called),
                    ("zoneid", &zone),
                    ("networkofferingid", &network_offering),
                    ("gateway", &gateway),
                    ("netmask", &netmask),
                    ("vpcid", &id),
                ]);
                let created = self.make_at_once(Kind::Tier, "createNetwork", &parameters).await?;
                let asked = [("name", called.as_str()), ("gateway", &gateway), ("netmask", &netmask), ("vpcid", &id)];
                self.compare("createNetwork", &created, &asked);
                made.push(format!("{name}.{tier}"));
            }
            let created = self.make(Kind::VpnGateway, "createVpnGateway", &[("vpcid", &id)]).await?;
            self.compare("createVpnGateway", &created, &[("vpcid", &id)]);
            let address = text(&created, "publicip")?;
            let address = address.parse().map_err(|_| Failure::Refuted(format!("publicip is `{address}`")))?;
            self.vpcs.insert(name, Vpc { id, gateway: text(&created, "id")?, address });
        }
        Ok(format!("tiers {}", made.join(", ")))
    }

    /// Has the customer's gateway configured by its owner, then connects through the API.
    pub async fn connect(&mut self, far: &impl FarSide, vpc: &str, customer: &str) -> Result<String, Failure> {
        let router = self.vpc(vpc)?;
        let (vpn_gateway, peer) = (router.gateway.clone(), router.address);
        far.configure(self.cell, customer, vpc, peer).await?;
        let address = far.address(customer)?.to_string();
        let customer_gateway = self.customer_gateway(customer, &address).await?;
        let mut parameters =
            vec![("s2svpngatewayid", vpn_gateway.as_str()), ("s2scustomergatewayid", &customer_gateway)];
        // In 2012 nothing tells a router to wait.
        if self.cell.initiator == Initiator::Customer && self.cell.cloud.profile.has_passive() {
            parameters.push(("passive", "true"));
        }
        let job = self.try_to_make(Kind::Connection, "createVpnConnection", &parameters).await?;
        // A job that failed leaves a connection in state Error, which the scenario may well expect.
        let (outcome, failed) = match job {
            Ok(connection) => (format!("state {}", text(&connection, "state")?), false),
            Err(ClientError::Job { text, .. }) => (format!("the job failed: {text}"), true),
            Err(e) => return Err(e.into()),
        };
        let listed = self.call("listVpnConnections", &self.session.owned(&[])).await?;
        let mine = items(&listed, "vpnconnection").iter().find(|connection| {
            connection["s2svpngatewayid"] == vpn_gateway.as_str()
                && connection["s2scustomergatewayid"] == customer_gateway.as_str()
        });
        let Some(mine) = mine else {
            return Err(Failure::Refuted(format!("{outcome}, and the connection is not listed")));
        };
        let (id, state) = (text(mine, "id")?, text(mine, "state")?);
        let policy = &self.cell.policy;
        let (ike, esp) = (policy.ike.to_string(), policy.esp.to_string());
        let asked = [("gateway", address.as_str()), ("ikepolicy", &ike), ("esppolicy", &esp)];
        self.compare("listVpnConnections", mine, &asked);
        let (vpc, customer) = (vpc.to_owned(), customer.to_owned());
        let connection = Connection { vpc, customer, id, state: state.clone(), open: true };
        self.objects.add(Kind::Connection, &connection.id);
        self.note(connection.words(), &connection.state);
        self.connections.push(connection);
        Ok(match (failed, far.answers()) {
            (false, _) => outcome,
            (true, true) => format!("{outcome}; state {state}"),
            (true, false) => {
                format!("{outcome}; state {state}; no gateway answers there, so its success was not asked for")
            }
        })
    }

    pub async fn disconnect(&mut self, vpc: &str, customer: &str) -> Result<String, Failure> {
        let deadly = self.deadly.is_some();
        let id = self.open(vpc, customer)?.id.clone();
        match self.delete(Kind::Connection, &id).await {
            // What was cut off is asked for again, as an operator would.
            Err(Failure::Refuted(_)) if deadly => self.delete(Kind::Connection, &id).await?,
            done => done?,
        }
        let connection = self.open(vpc, customer)?;
        connection.open = false;
        connection.state = "deleted".into();
        let words = connection.words();
        self.note(words, "deleted");
        Ok("deleted".into())
    }

    fn open(&mut self, vpc: &str, customer: &str) -> Result<&mut Connection, Failure> {
        let open = |c: &&mut Connection| c.open && c.vpc == vpc && c.customer == customer;
        let missing = || Failure::Broken(format!("there is no connection {vpc} -> {customer}"));
        self.connections.iter_mut().find(open).ok_or_else(missing)
    }

    /// Whether every open connection, or every one of a customer, is in the state now.
    pub async fn are(&mut self, wanted: ConnectionState, of: Option<&str>) -> Result<bool, Failure> {
        self.look().await?;
        let mut mine = self.connections.iter().filter(|c| c.open && of.is_none_or(|of| c.customer == of));
        Ok(mine.all(|connection| connection.state == wanted.name()))
    }

    /// Waits until every open connection is in the state.
    pub async fn expect(&mut self, wanted: ConnectionState, within: Duration) -> Result<String, Failure> {
        let begin = Instant::now();
        loop {
            self.look().await?;
            let others: Vec<_> = self.connections.iter().filter(|c| c.open && c.state != wanted.name()).collect();
            let Some(other) = others.first() else {
                return Ok(format!("{wanted} after {} s", begin.elapsed().as_secs()));
            };
            if begin.elapsed() >= within {
                let (words, state, waited) = (other.words(), &other.state, within.as_secs());
                return Err(Failure::Refuted(format!("{words} is {state} after {waited} s, not {wanted}")));
            }
            self.rest(LOOK).await?;
        }
    }

    /// Looks whether the alerts about every open connection are those.
    pub async fn alerted(&mut self, wanted: Alert) -> Result<String, Failure> {
        let listed = match self.client.call("listAlerts", &[("type", DOMAIN_ROUTER)]).await {
            Err(e) if is_not_for_us(&e) => {
                let reason = format!("alerts are for administrators, and these keys are not one's: {e}");
                return Err(Failure::Skipped(reason));
            }
            listed => listed?,
        };
        let alerts: Vec<_> = items(&listed, "alert").iter().filter_map(|alert| alert["description"].as_str()).collect();
        for connection in self.connections.iter().filter(|connection| connection.open) {
            // Releases differ in the words between the name and the states.
            let begin = format!("Site-to-site Vpn Connection to {} ", self.session.name(&connection.customer));
            let mut mine = alerts.iter().filter(|alert| alert.starts_with(&begin));
            let wrong = match wanted {
                Alert::None => mine.next().map(|alert| format!("there is one: {alert}")),
                Alert::Switched { from, to } => {
                    let end = format!(" from {from} to {to}");
                    let missing = !mine.any(|alert| alert.ends_with(&end));
                    missing.then(|| format!("none of {} alerts says so", alerts.len()))
                }
            };
            if let Some(wrong) = wrong {
                return Err(Failure::Refuted(format!("{}: {wrong}", connection.words())));
            }
        }
        Ok(wanted.to_string())
    }

    /// Writes down every alert about connections, with the time that the cloud gives it.
    pub async fn note_alerts(&mut self) -> Result<(), Failure> {
        if !self.cell.steps.iter().any(Step::is_over_time) {
            return Ok(());
        }
        let listed =
            self.watcher.call("listAlerts", &[("type", DOMAIN_ROUTER), ("page", "1"), ("pagesize", "500")]).await?;
        for alert in items(&listed, "alert") {
            let sent = alert["sent"].as_str().unwrap_or_default().parse::<jiff::Timestamp>();
            let at_ms = sent.map_or(0, |sent| self.notebook.at(sent.as_nanosecond().max(0) as u64));
            let text = alert["description"].as_str().unwrap_or_default().to_owned();
            self.notebook.write(|pages| pages.alerts.push(AlertSeen { at_ms, text }));
        }
        Ok(())
    }

    /// Looks at the state of every open connection and writes down what changed.
    pub async fn look(&mut self) -> Result<(), Failure> {
        let listed = self.watcher.call("listVpnConnections", &self.session.owned(&[])).await?;
        let listed = items(&listed, "vpnconnection");
        let mut changed = Vec::new();
        for connection in self.connections.iter_mut().filter(|connection| connection.open) {
            let found = listed.iter().find(|found| found["id"] == connection.id.as_str());
            let state = found.and_then(|found| found["state"].as_str()).unwrap_or("not listed");
            if connection.state != state {
                connection.state = state.to_owned();
                changed.push((connection.words(), state.to_owned()));
            }
        }
        for (connection, state) in changed {
            self.note(connection, &state);
        }
        Ok(())
    }

    /// Writes down the bytes of every connection, also of those that are deleted.
    pub async fn usage(&mut self, far: &impl FarSide) -> Result<(), Failure> {
        if self.connections.is_empty() {
            return Ok(());
        }
        let all_days = [("startdate", "1970-01-01"), ("enddate", "9999-12-31")];
        let listed = self.client.call("listUsageRecords", &all_days).await?;
        let records = items(&listed, "usagerecord");
        for connection in &self.connections {
            let sum = |kind: i64| -> u64 {
                let mine = |record: &&Value| {
                    record["usageid"] == connection.id.as_str() && record["usagetype"].as_i64() == Some(kind)
                };
                let bytes = |record: &Value| match &record["rawusage"] {
                    Value::String(text) => text.parse().unwrap_or(0),
                    number => number.as_f64().map_or(0, |number| number as u64),
                };
                records.iter().filter(mine).map(bytes).sum()
            };
            // NETWORK_BYTES_SENT and NETWORK_BYTES_RECEIVED of CloudStack's usage types.
            let usage = Usage {
                router: self.vpc(&connection.vpc)?.address,
                customer: far.address(&connection.customer)?,
                sent_bytes: sum(4),
                received_bytes: sum(5),
            };
            self.notebook.write(|pages| pages.usage.push(usage));
        }
        Ok(())
    }

    /// Public addresses of the routers.
    pub fn router_addresses(&self) -> impl Iterator<Item = Ipv4Addr> {
        self.vpcs.values().map(|vpc| vpc.address)
    }

    async fn customer_gateway(&mut self, customer: &str, address: &str) -> Result<String, Failure> {
        let cell = self.cell;
        let Some((name, planned)) = cell.customers.get_key_value(customer) else {
            return Err(Failure::Broken(format!("there is no customer `{customer}`")));
        };
        if let Some(id) = self.customer_gateways.get(customer) {
            return Ok(id.clone());
        }
        let (session, policy) = (self.session.clone(), &cell.policy);
        let called = session.name(customer);
        let cidrs: Vec<_> = planned.subnets.iter().map(ToString::to_string).collect();
        let cidrs = cidrs.join(",");
        let [ike, esp] = [&policy.ike, &policy.esp].map(ToString::to_string);
        let [ike_lifetime, esp_lifetime] = [policy.ike_lifetime, policy.esp_lifetime].map(|time| time.0.to_string());
        let mut asked = vec![
            ("name", called.as_str()),
            ("gateway", address),
            ("cidrlist", &cidrs),
            ("ikepolicy", &ike),
            ("esppolicy", &esp),
            ("ikelifetime", &ike_lifetime),
            ("esplifetime", &esp_lifetime),
            ("dpd", if policy.dpd { "true" } else { "false" }),
        ];
        // Nothing is sent that the file does not say, so that the release's own default is what is proven.
        asked.extend(cell.ike_version.map(|version| ("ikeversion", version.name())));
        if planned.force_encapsulation {
            asked.push(("forceencap", "true"));
        }
        let mut told: Vec<_> = asked.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
        told.push(("ipsecpsk", planned.psk.expose().to_owned()));
        let mut parameters = session.owned(&asked);
        parameters.push(("ipsecpsk", planned.psk.expose()));
        let created = self.make(Kind::CustomerGateway, "createVpnCustomerGateway", &parameters).await?;
        self.compare("createVpnCustomerGateway", &created, &asked);
        let id = text(&created, "id")?;
        self.customer_gateways.insert(name, id.clone());
        self.told.insert(name.clone(), told);
        Ok(id)
    }

    /// What was named, or else the first that the cloud lists.
    async fn first(
        &self,
        chosen: Option<String>,
        command: &str,
        parameters: &[(&str, &str)],
        object: &str,
    ) -> Result<String, Failure> {
        if let Some(id) = chosen {
            return Ok(id);
        }
        let listed = self.call(command, parameters).await?;
        match items(&listed, object) {
            [first, ..] => text(first, "id"),
            [] => Err(Failure::Refuted(format!("{command} lists none that could be used"))),
        }
    }

    /// Writes down what an answer says of what was asked for.
    fn compare(&self, command: &str, object: &Value, asked: &[(&str, &str)]) {
        let answers = asked.iter().map(|(field, asked)| Answer {
            command: command.to_owned(),
            field: (*field).to_owned(),
            asked: (*asked).to_owned(),
            told: match &object[*field] {
                Value::String(told) => told.clone(),
                Value::Null => "nothing".to_owned(),
                told => told.to_string(),
            },
        });
        self.notebook.write(|pages| pages.answers.extend(answers));
    }

    fn vpc(&self, name: &str) -> Result<&Vpc, Failure> {
        self.vpcs.get(name).ok_or_else(|| Failure::Broken(format!("there is no VPC `{name}`")))
    }

    fn note(&self, connection: String, state: &str) {
        let (at_ms, state) = (self.notebook.now(), state.to_owned());
        self.notebook.write(|pages| pages.states.push(StateChange { at_ms, connection, state }));
    }
}

/// Whether a command is refused to whom the keys belong: 401 as CloudStack 4.0 has it, 432 as later releases do.
fn is_not_for_us(error: &ClientError) -> bool {
    matches!(error, ClientError::Api { code: 401 | 432, .. })
}

/// What a list command lists; an empty list has no array.
fn items<'v>(answer: &'v Value, kind: &str) -> &'v [Value] {
    answer[kind].as_array().map_or(&[], Vec::as_slice)
}

fn first_id(answer: &Value, kind: &str) -> Result<String, Failure> {
    text(&answer[kind][0], "id")
}

fn text(object: &Value, field: &str) -> Result<String, Failure> {
    object[field]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| Failure::Refuted(format!("the answer has no `{field}`: {object}")))
}
