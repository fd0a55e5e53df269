//! Links between machines: veth pairs, addresses, routes.

use std::{io, net::Ipv4Addr, os::fd::AsRawFd};

use ipnet::Ipv4Net;
use netlink_packet_core::{
    NLM_F_ACK, NLM_F_CREATE, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REQUEST, NetlinkDeserializable, NetlinkHeader,
    NetlinkMessage,
};
use rtnetlink::{
    AddressMessageBuilder, LinkUnspec, LinkVeth, RouteMessageBuilder,
    packet_route::{
        AddressFamily, RouteNetlinkMessage,
        link::{InfoData, InfoVeth, LinkAttribute, LinkMessage},
        route::{RouteHeader, RouteMessage},
        rule::{RuleAction, RuleAttribute, RuleMessage},
    },
};

use crate::{
    Error, Result,
    machine::Machine,
    netlink::{self, ROUTE},
};

/// The flags of a request that changes something, and of one that makes something that must not be there.
const CHANGE: u16 = NLM_F_REQUEST | NLM_F_ACK;
const MAKE: u16 = CHANGE | NLM_F_CREATE | NLM_F_EXCL;
const LIST: u16 = NLM_F_REQUEST | NLM_F_DUMP;

/// One end of a link: an interface of a machine.
#[derive(Clone, Copy)]
pub struct End<'a> {
    pub machine: &'a Machine,
    /// At most 15 characters (IFNAMSIZ of the kernel).
    pub interface: &'a str,
    /// The last two bytes of the interface's locally administered hardware address.
    pub station: u16,
}

/// Joins two machines by a veth pair whose ends are up.
pub async fn connect(near: End<'_>, far: End<'_>) -> Result<()> {
    let action = format!("link {} to {}:{}", near.interface, far.machine.name(), far.interface);
    let namespace = far.machine.namespace().map_err(Error::machine(far.machine.name(), "open its namespace"))?;
    // The peer is born in its own namespace. It cannot be brought up in the same message: the kernel
    // opens it before the two ends are joined.
    let peer = LinkUnspec::new_with_name(far.interface)
        .address(hardware_address(far.station))
        .setns_by_fd(namespace.as_raw_fd())
        .build();
    let pair = LinkVeth::new(near.interface, far.interface)
        .address(hardware_address(near.station))
        .set_info_data(InfoData::Veth(InfoVeth::Peer(peer)))
        .build();
    near.machine.ask(&action, RouteNetlinkMessage::NewLink(pair), MAKE).await?;
    near.machine.bring_up(near.interface).await?;
    far.machine.bring_up(far.interface).await
}

impl Machine {
    /// Sends a request about links, addresses or routes; returns what it is answered.
    pub(crate) async fn ask(
        &self,
        action: &str,
        request: RouteNetlinkMessage,
        flags: u16,
    ) -> Result<Vec<RouteNetlinkMessage>> {
        let mut answers = Vec::new();
        let request = bytes(request, flags);
        self.tell(ROUTE, action, |socket| {
            netlink::request(socket, &request, |answer| {
                answers.push(parsed(answer)?);
                Ok(())
            })
        })
        .await?;
        Ok(answers)
    }

    /// Adds a route as it is.
    pub(crate) async fn make_route(&self, action: &str, route: RouteMessage) -> Result<()> {
        self.ask(action, RouteNetlinkMessage::NewRoute(route), MAKE).await.map(drop)
    }

    /// Has packets to which all of these apply look for their routes in a table.
    pub(crate) async fn make_rule(
        &self,
        action: &str,
        table: u32,
        priority: u32,
        packets: impl IntoIterator<Item = RuleAttribute>,
    ) -> Result<()> {
        let mut rule = RuleMessage::default();
        rule.header.family = AddressFamily::Inet;
        rule.header.action = RuleAction::ToTable;
        rule.attributes = vec![RuleAttribute::Table(table), RuleAttribute::Priority(priority)];
        rule.attributes.extend(packets);
        self.ask(action, RouteNetlinkMessage::NewRule(rule), MAKE).await.map(drop)
    }

    async fn links(&self, action: &str, which: LinkMessage, flags: u16) -> Result<Vec<LinkMessage>> {
        let answers = self.ask(action, RouteNetlinkMessage::GetLink(which), flags).await?;
        let link = |answer| match answer {
            RouteNetlinkMessage::NewLink(link) => Some(link),
            _ => None,
        };
        Ok(answers.into_iter().filter_map(link).collect())
    }

    pub(crate) async fn interface_index(&self, interface: &str) -> Result<u32> {
        let action = format!("look up interface {interface}");
        let which = LinkUnspec::new_with_name(interface).build();
        let found = self.links(&action, which, CHANGE).await?;
        found.first().map(|link| link.header.index).ok_or_else(|| Error::netlink(self.name(), action, "there is none"))
    }

    /// The names of its interfaces.
    pub(crate) async fn interfaces(&self) -> Result<Vec<String>> {
        let links = self.links("list its interfaces", LinkMessage::default(), LIST).await?;
        let name = |attribute| match attribute {
            LinkAttribute::IfName(name) => Some(name),
            _ => None,
        };
        Ok(links.into_iter().filter_map(|link| link.attributes.into_iter().find_map(name)).collect())
    }

    /// How many routes it has beside those that the kernel makes for its own addresses.
    pub(crate) async fn routes(&self) -> Result<usize> {
        let all = RouteMessageBuilder::<Ipv4Addr>::new().build();
        let routes = self.ask("list its routes", RouteNetlinkMessage::GetRoute(all), LIST).await?;
        let is_main = |answer: &&RouteNetlinkMessage| {
            matches!(answer, RouteNetlinkMessage::NewRoute(RouteMessage { header, .. })
                if header.table == RouteHeader::RT_TABLE_MAIN)
        };
        Ok(routes.iter().filter(is_main).count())
    }

    pub(crate) async fn bring_up(&self, interface: &str) -> Result<()> {
        let message = LinkUnspec::new_with_name(interface).up().build();
        self.ask(&format!("bring up {interface}"), RouteNetlinkMessage::SetLink(message), CHANGE).await.map(drop)
    }

    pub(crate) async fn take_down(&self, interface: &str) -> Result<()> {
        let message = LinkUnspec::new_with_name(interface).down().build();
        self.ask(&format!("take down {interface}"), RouteNetlinkMessage::SetLink(message), CHANGE).await.map(drop)
    }

    /// Removes an interface, and with it the other end of its link.
    pub(crate) async fn remove_interface(&self, interface: &str) -> Result<()> {
        let message = LinkUnspec::new_with_name(interface).build();
        self.ask(&format!("remove {interface}"), RouteNetlinkMessage::DelLink(message), CHANGE).await.map(drop)
    }

    /// Gives an interface an address and the prefix length of its network.
    pub async fn add_address(&self, interface: &str, address: Ipv4Addr, prefix: u8) -> Result<()> {
        let index = self.interface_index(interface).await?;
        let message = AddressMessageBuilder::<Ipv4Addr>::new().index(index).address(address, prefix).build();
        let action = format!("add {address}/{prefix} to {interface}");
        self.ask(&action, RouteNetlinkMessage::NewAddress(message), MAKE).await.map(drop)
    }

    pub async fn add_route(&self, destination: Ipv4Net, gateway: Ipv4Addr) -> Result<()> {
        let route = RouteMessageBuilder::<Ipv4Addr>::new()
            .destination_prefix(destination.network(), destination.prefix_len())
            .gateway(gateway)
            .build();
        let action = format!("add the route to {destination} by {gateway}");
        self.ask(&action, RouteNetlinkMessage::NewRoute(route), MAKE).await.map(drop)
    }
}

fn bytes(request: RouteNetlinkMessage, flags: u16) -> Vec<u8> {
    let mut request = NetlinkMessage::from(request);
    request.header.flags = flags;
    request.finalize();
    let mut bytes = vec![0; request.buffer_len()];
    request.serialize(&mut bytes);
    bytes
}

fn parsed(answer: &netlink::Message<'_>) -> io::Result<RouteNetlinkMessage> {
    let mut header = NetlinkHeader::default();
    header.message_type = answer.kind;
    RouteNetlinkMessage::deserialize(&header, answer.payload).map_err(io::Error::other)
}

/// Brings up the loopback interface of the namespace that the caller is in.
pub fn raise_loopback() -> Result<()> {
    let up = bytes(RouteNetlinkMessage::SetLink(LinkUnspec::new_with_name("lo").up().build()), CHANGE);
    let raised = netlink::open(ROUTE, 0).and_then(|socket| netlink::request(&socket, &up, |_| Ok(())));
    raised.map_err(Error::machine("the worker", "bring up lo"))
}

fn hardware_address(station: u16) -> Vec<u8> {
    let [high, low] = station.to_be_bytes();
    vec![0x02, b'T', b'P', 0, high, low]
}
