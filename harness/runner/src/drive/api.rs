//! The cell's part that goes through the cloud's API, exactly as any client would send it.

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    time::{Duration, Instant},
};

use cloud::{Client, Credentials};
use lab::{gateway::Tunnel, topology::Lab};
use scenario::{Cell, ConnectionState};
use serde_json::Value;

use super::{Failure, Notebook};
use crate::{
    observation::Usage,
    record::{ApiCall, StateChange},
};

/// How often a state that is waited for is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// So much of an answer is kept in the record.
const KEPT: usize = 2_000;

pub(super) struct Api<'a> {
    cell: &'a Cell,
    /// Its calls are written down.
    client: Client,
    /// Its calls are not: it looks at states again and again.
    watcher: Client,
    notebook: Notebook,
    vpcs: BTreeMap<&'a str, Vpc>,
    customer_gateways: BTreeMap<&'a str, String>,
    connections: Vec<Connection>,
}

/// Ids and addresses that the cloud gave.
struct Vpc {
    id: String,
    tiers: Vec<String>,
    gateway: Option<String>,
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
    pub fn new(cell: &'a Cell, endpoint: String, credentials: Credentials, notebook: Notebook) -> Self {
        let watcher = Client::new(endpoint, credentials);
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
            client,
            watcher,
            notebook,
            vpcs: BTreeMap::new(),
            customer_gateways: BTreeMap::new(),
            connections: Vec::new(),
        }
    }

    /// Creates the VPCs, their tiers and their VPN gateways.
    pub async fn prepare(&mut self) -> Result<String, Failure> {
        let zone = first_id(&self.client.call("listZones", &[]).await?, "zone")?;
        let vpc_offering = first_id(&self.client.call("listVPCOfferings", &[]).await?, "vpcoffering")?;
        let offerings = self.client.call("listNetworkOfferings", &[("forvpc", "true")]).await?;
        let network_offering = first_id(&offerings, "networkoffering")?;
        let mut made = Vec::new();
        for (name, vpc) in &self.cell.cloud.vpcs {
            let parameters = [
                ("name", name.as_str()),
                ("displaytext", name),
                ("cidr", &vpc.cidr.to_string()),
                ("zoneid", &zone),
                ("vpcofferingid", &vpc_offering),
            ];
            let created = self.client.run("createVPC", &parameters).await?;
            let id = text(&created["vpc"], "id")?;
            let mut tiers = Vec::new();
            for (tier, net) in &vpc.tiers {
                let gateway = Ipv4Addr::from_bits(net.network().to_bits() + 1);
                let parameters = [
                    ("name", tier.as_str()),
                    ("displaytext", tier),
                    ("zoneid", &zone),
                    ("networkofferingid", &network_offering),
                    ("gateway", &gateway.to_string()),
                    ("netmask", &net.netmask().to_string()),
                    ("vpcid", &id),
                ];
                let created = self.client.call("createNetwork", &parameters).await?;
                tiers.push(text(&created["network"], "id")?);
                made.push(format!("{name}.{tier}"));
            }
            let gateway = self.client.run("createVpnGateway", &[("vpcid", &id)]).await?;
            let gateway = &gateway["vpngateway"];
            let address = text(gateway, "publicip")?;
            let address = address.parse().map_err(|_| Failure::Refuted(format!("publicip is `{address}`")))?;
            self.vpcs.insert(name, Vpc { id, tiers, gateway: Some(text(gateway, "id")?), address });
        }
        Ok(format!("tiers {}", made.join(", ")))
    }

    /// Has the customer's gateway configured by its owner, then connects through the API.
    pub async fn connect(&mut self, lab: &Lab, vpc: &str, customer: &str) -> Result<String, Failure> {
        let (cell, planned) = self.planned(customer)?;
        let router = self.vpc(vpc)?;
        let (vpn_gateway, peer) = (router.gateway.clone().unwrap_or_default(), router.address);
        let vpc_cidr = cell.cloud.vpcs.get(vpc).map(|vpc| vpc.cidr);
        let site = lab.customer(customer)?;
        site.configure(Tunnel {
            name: format!("to-{vpc}"),
            local: site.address(),
            peer,
            local_nets: planned.subnets.clone(),
            peer_nets: vpc_cidr.into_iter().collect(),
            policy: cell.policy.clone(),
            key: planned.psk.clone(),
            ike: cell.ike(),
            encapsulate: false,
        })
        .await?;
        let customer_gateway = self.customer_gateway(customer, site.address()).await?;
        let parameters = [("s2svpngatewayid", vpn_gateway.as_str()), ("s2scustomergatewayid", &customer_gateway)];
        let job = self.client.run("createVpnConnection", &parameters).await;
        // A job that failed leaves a connection in state Error, which the scenario may well expect.
        let (outcome, failed) = match job {
            Ok(result) => (format!("state {}", text(&result["vpnconnection"], "state")?), false),
            Err(cloud::ClientError::Job { text, .. }) => (format!("the job failed: {text}"), true),
            Err(e) => return Err(e.into()),
        };
        let listed = self.client.call("listVpnConnections", &[]).await?;
        let mine = items(&listed, "vpnconnection").iter().find(|connection| {
            connection["s2svpngatewayid"] == vpn_gateway.as_str()
                && connection["s2scustomergatewayid"] == customer_gateway.as_str()
        });
        let Some(mine) = mine else {
            return Err(Failure::Refuted(format!("{outcome}, and the connection is not listed")));
        };
        let (id, state) = (text(mine, "id")?, text(mine, "state")?);
        let (vpc, customer) = (vpc.to_owned(), customer.to_owned());
        let connection = Connection { vpc, customer, id, state: state.clone(), open: true };
        self.note(connection.words(), &connection.state);
        self.connections.push(connection);
        Ok(if failed { format!("{outcome}; state {state}") } else { outcome })
    }

    pub async fn disconnect(&mut self, vpc: &str, customer: &str) -> Result<String, Failure> {
        let open = |c: &&mut Connection| c.open && c.vpc == vpc && c.customer == customer;
        let Some(connection) = self.connections.iter_mut().find(open) else {
            return Err(Failure::Broken(format!("there is no connection {vpc} -> {customer}")));
        };
        self.client.run("deleteVpnConnection", &[("id", &connection.id)]).await?;
        connection.open = false;
        connection.state = "deleted".into();
        let words = connection.words();
        self.note(words, "deleted");
        Ok("deleted".into())
    }

    /// Reboots the VPC's router, as an administrator does.
    pub async fn reboot_router(&mut self, vpc: &str) -> Result<String, Failure> {
        let vpc = self.vpc(vpc)?.id.clone();
        let listed = self.client.call("listRouters", &[("vpcid", &vpc)]).await?;
        let router = first_id(&listed, "router")?;
        self.client.run("rebootRouter", &[("id", &router)]).await?;
        self.look().await?;
        Ok("rebooted".into())
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
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Looks at the state of every open connection and writes down what changed.
    pub async fn look(&mut self) -> Result<(), Failure> {
        let listed = self.watcher.call("listVpnConnections", &[]).await?;
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
    pub async fn usage(&mut self, lab: &Lab) -> Result<(), Failure> {
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
                customer: lab.customer(&connection.customer)?.address(),
                sent_bytes: sum(4),
                received_bytes: sum(5),
            };
            self.notebook.write(|pages| pages.usage.push(usage));
        }
        Ok(())
    }

    /// Deletes what is there, in the order the API demands.
    pub async fn undo(&mut self) -> Result<String, Failure> {
        let mut deleted = 0;
        for connection in self.connections.iter_mut().filter(|connection| connection.open) {
            self.client.run("deleteVpnConnection", &[("id", &connection.id)]).await?;
            connection.open = false;
            deleted += 1;
        }
        for id in std::mem::take(&mut self.customer_gateways).into_values() {
            self.client.run("deleteVpnCustomerGateway", &[("id", &id)]).await?;
            deleted += 1;
        }
        for vpc in std::mem::take(&mut self.vpcs).into_values() {
            if let Some(id) = vpc.gateway {
                self.client.run("deleteVpnGateway", &[("id", &id)]).await?;
                deleted += 1;
            }
            for id in vpc.tiers {
                self.client.run("deleteNetwork", &[("id", &id)]).await?;
                deleted += 1;
            }
            self.client.run("deleteVPC", &[("id", &vpc.id)]).await?;
            deleted += 1;
        }
        for (command, kind) in [("listVPCs", "vpc"), ("listVpnConnections", "vpnconnection")] {
            let left = items(&self.client.call(command, &[]).await?, kind).len();
            if left > 0 {
                return Err(Failure::Refuted(format!("{command} still lists {left}")));
            }
        }
        Ok(format!("{deleted} objects deleted"))
    }

    /// Public addresses of all gateways, by address.
    pub fn gateways(&self, lab: &Lab) -> BTreeMap<Ipv4Addr, String> {
        let routers = self.vpcs.iter().map(|(name, vpc)| (vpc.address, (*name).to_owned()));
        let customers = self.cell.customers.keys().filter_map(|name| {
            let customer = lab.customer(name).ok()?;
            Some((customer.address(), name.clone()))
        });
        routers.chain(customers).collect()
    }

    async fn customer_gateway(&mut self, customer: &str, address: Ipv4Addr) -> Result<String, Failure> {
        let (cell, planned) = self.planned(customer)?;
        if let Some(id) = self.customer_gateways.get(customer) {
            return Ok(id.clone());
        }
        let cidrs: Vec<_> = planned.subnets.iter().map(ToString::to_string).collect();
        let policy = &cell.policy;
        let (address, cidrs) = (address.to_string(), cidrs.join(","));
        let [ike, esp] = [&policy.ike, &policy.esp].map(ToString::to_string);
        let [ike_lifetime, esp_lifetime] = [policy.ike_lifetime, policy.esp_lifetime].map(|time| time.0.to_string());
        let mut parameters = vec![
            ("name", customer),
            ("gateway", address.as_str()),
            ("cidrlist", &cidrs),
            ("ipsecpsk", planned.psk.expose()),
            ("ikepolicy", &ike),
            ("esppolicy", &esp),
            ("ikelifetime", &ike_lifetime),
            ("esplifetime", &esp_lifetime),
            ("dpd", if policy.dpd { "true" } else { "false" }),
        ];
        // Nothing is sent that the file does not say, so that the release's own default is what is proven.
        parameters.extend(cell.ike_version.map(|version| ("ikeversion", version.name())));
        let created = self.client.run("createVpnCustomerGateway", &parameters).await?;
        let id = text(&created["vpncustomergateway"], "id")?;
        if let Some((name, _)) = cell.customers.get_key_value(customer) {
            self.customer_gateways.insert(name, id.clone());
        }
        Ok(id)
    }

    fn planned(&self, customer: &str) -> Result<(&'a Cell, &'a scenario::Customer), Failure> {
        let planned = self.cell.customers.get(customer);
        let planned = planned.ok_or_else(|| Failure::Broken(format!("there is no customer `{customer}`")))?;
        Ok((self.cell, planned))
    }

    fn vpc(&self, name: &str) -> Result<&Vpc, Failure> {
        self.vpcs.get(name).ok_or_else(|| Failure::Broken(format!("there is no VPC `{name}`")))
    }

    fn note(&self, connection: String, state: &str) {
        let (at_ms, state) = (self.notebook.now(), state.to_owned());
        self.notebook.write(|pages| pages.states.push(StateChange { at_ms, connection, state }));
    }
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
