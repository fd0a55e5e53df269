//! Who is connected to whom, as far as the record tells: from the requests to the cloud, from the
//! objects in its answers, and where those are silent, from the packets and the kernels' SAs.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::Ipv4Addr,
};

use ipnet::Ipv4Net;
use runner::record::{ApiCall, CellRecord};
use serde_json::Value;
use wire::audit::Side;

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    pub vpcs: Vec<Vpc>,
    pub customers: Vec<Customer>,
    /// Connections, as positions in `vpcs` and `customers`.
    pub tunnels: BTreeSet<(usize, usize)>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Vpc {
    pub name: String,
    pub cidr: String,
    /// The router's public address.
    pub address: String,
    pub tiers: Vec<Net>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Customer {
    pub name: String,
    pub address: String,
    pub subnets: Vec<Net>,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Net {
    pub name: String,
    pub cidr: String,
    /// Addresses that sent or received probes.
    pub hosts: Vec<String>,
}

impl Plan {
    /// What the record knows; none where it knows nothing worth drawing.
    pub fn new(cell: &CellRecord) -> Option<Self> {
        let objects = Objects::new(&cell.api);
        let mut plan = Self::default();
        plan.read_requests(&cell.api, &objects);
        plan.fill_from_observations(cell);
        plan.place_hosts(cell);
        plan.find_router_address(cell);
        let drawable = !plan.vpcs.is_empty() && !plan.customers.is_empty();
        drawable.then_some(plan)
    }

    fn read_requests(&mut self, api: &[ApiCall], objects: &Objects) {
        let succeeded = |command: &'static str| api.iter().filter(move |c| c.command == command && c.status < 300);
        for call in succeeded("createVPC") {
            let (name, cidr) = (parameter(call, "name"), parameter(call, "cidr"));
            self.vpcs.push(Vpc { name, cidr, ..Vpc::default() });
        }
        for call in succeeded("createNetwork") {
            let (gateway, mask) = (parameter(call, "gateway"), parameter(call, "netmask"));
            let cidr = network(&gateway, &mask).map(|net| net.to_string()).unwrap_or_default();
            let owner = self.vpc(&objects.property(&parameter(call, "vpcid"), "name"), &gateway);
            if let Some(vpc) = owner.and_then(|owner| self.vpcs.get_mut(owner)) {
                vpc.tiers.push(Net { name: parameter(call, "name"), cidr, hosts: Vec::new() });
            }
        }
        for gateway in objects.0.values() {
            let (Some(address), Some(id)) = (gateway.get("publicip"), gateway.get("vpcid")) else { continue };
            if let Some(vpc) = self.vpc(&objects.property(id, "name"), "").and_then(|vpc| self.vpcs.get_mut(vpc)) {
                vpc.address.clone_from(address);
            }
        }
        for call in succeeded("createVpnCustomerGateway") {
            let subnet = |cidr: &str| Net { cidr: cidr.trim().to_owned(), ..Net::default() };
            self.customers.push(Customer {
                name: parameter(call, "name"),
                address: parameter(call, "gateway"),
                subnets: parameter(call, "cidrlist").split(',').filter(|c| !c.is_empty()).map(subnet).collect(),
            });
        }
        for call in succeeded("createVpnConnection") {
            let vpc = objects.property(&parameter(call, "s2svpngatewayid"), "vpcid");
            let customer = objects.property(&parameter(call, "s2scustomergatewayid"), "gateway");
            let vpc = self.vpc(&objects.property(&vpc, "name"), "");
            let customer = match self.customers.len() {
                1 => Some(0),
                _ => self.customers.iter().position(|c| !customer.is_empty() && c.address == customer),
            };
            self.tunnels.extend(vpc.zip(customer));
        }
    }

    /// The VPC of that name, or with that address, or the only one.
    fn vpc(&self, name: &str, address: &str) -> Option<usize> {
        let by_name = self.vpcs.iter().position(|vpc| !name.is_empty() && vpc.name == name);
        let by_address = || self.vpcs.iter().position(|vpc| contains(&vpc.cidr, address));
        by_name.or_else(by_address).or_else(|| (self.vpcs.len() == 1).then_some(0))
    }

    /// Names of connections and capture points, for a record whose requests do not tell.
    fn fill_from_observations(&mut self, cell: &CellRecord) {
        let (no_vpc, no_customer) = (self.vpcs.is_empty(), self.customers.is_empty());
        for (vpc, customer) in cell.states.iter().filter_map(|change| change.connection.split_once(" -> ")) {
            if no_vpc && !self.vpcs.iter().any(|known| known.name == vpc) {
                self.vpcs.push(Vpc { name: vpc.to_owned(), ..Vpc::default() });
            }
            if no_customer && !self.customers.iter().any(|known| known.name == customer) {
                self.customers.push(Customer { name: customer.to_owned(), ..Customer::default() });
            }
            let vpc = self.vpcs.iter().position(|known| known.name == vpc);
            let customer = self.customers.iter().position(|known| known.name == customer);
            self.tunnels.extend(vpc.zip(customer));
        }
        let points = |side| {
            let points = cell.account.iter().flat_map(|account| &account.points);
            points.filter(move |point| point.side == side).map(|p| Net { name: p.name.clone(), ..Net::default() })
        };
        if let [vpc] = self.vpcs.as_mut_slice()
            && vpc.tiers.is_empty()
        {
            vpc.tiers = points(Side::Local).collect();
        }
        if let [customer] = self.customers.as_mut_slice()
            && customer.subnets.is_empty()
        {
            customer.subnets = points(Side::Remote).collect();
        }
    }

    fn place_hosts(&mut self, cell: &CellRecord) {
        let flows = cell.account.iter().flat_map(|account| &account.flows);
        let hosts: BTreeSet<Ipv4Addr> = flows.flat_map(|flow| [flow.source, flow.destination]).collect();
        let tiers = self.vpcs.iter_mut().flat_map(|vpc| &mut vpc.tiers);
        for net in tiers.chain(self.customers.iter_mut().flat_map(|customer| &mut customer.subnets)) {
            let inside = hosts.iter().map(Ipv4Addr::to_string).filter(|host| contains(&net.cidr, host));
            net.hosts = inside.collect();
        }
    }

    /// With one VPC, the end of the SAs that is no customer's is its router's.
    fn find_router_address(&mut self, cell: &CellRecord) {
        let known: Vec<&str> = self.customers.iter().map(|customer| customer.address.as_str()).collect();
        let ends = cell.sas.iter().flat_map(|sa| [sa.source, sa.destination]).map(|end| end.to_string());
        let others: BTreeSet<String> = ends.filter(|end| !known.contains(&end.as_str())).collect();
        let (Some(other), 1) = (others.first(), others.len()) else { return };
        if let [vpc] = self.vpcs.as_mut_slice()
            && vpc.address.is_empty()
        {
            vpc.address.clone_from(other);
        }
    }
}

/// Every object with an id that an answer shows, with its plain properties.
struct Objects(BTreeMap<String, BTreeMap<String, String>>);

impl Objects {
    fn new(api: &[ApiCall]) -> Self {
        let mut objects = Self(BTreeMap::new());
        for answer in api.iter().filter_map(|call| serde_json::from_str(&call.answer).ok()) {
            objects.collect(&answer);
        }
        objects
    }

    fn collect(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Object(members) => {
                if let Some(Value::String(id)) = members.get("id") {
                    let text =
                        members.iter().filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned())));
                    self.0.entry(id.clone()).or_default().extend(text);
                }
                members.values().for_each(|member| self.collect(member));
            }
            _ => {}
        }
    }

    /// A property of an object, or nothing.
    fn property(&self, id: &str, name: &str) -> String {
        self.0.get(id).and_then(|object| object.get(name)).cloned().unwrap_or_default()
    }
}

fn parameter(call: &ApiCall, name: &str) -> String {
    call.parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()).unwrap_or_default()
}

fn network(gateway: &str, mask: &str) -> Option<Ipv4Net> {
    Ipv4Net::with_netmask(gateway.parse().ok()?, mask.parse().ok()?).ok().map(|net| net.trunc())
}

fn contains(cidr: &str, address: &str) -> bool {
    match (cidr.parse::<Ipv4Net>(), address.parse::<Ipv4Addr>()) {
        (Ok(net), Ok(address)) => net.contains(&address),
        _ => false,
    }
}
