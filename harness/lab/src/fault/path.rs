//! A narrow path in the middle of the internet: routes that say how long a packet towards or from a gateway may be.
//!
//! An interface that took no longer packets would drop what is longer without a word, so the interfaces stay as wide as
//! they are. A route with an MTU is honoured by what forwards: it cuts, or tells the sender by ICMP (RFC 1191).

use std::{io, net::Ipv4Addr};

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST};
use rtnetlink::{
    RouteMessageBuilder,
    packet_route::{
        route::{RouteAttribute, RouteHeader, RouteMetric, RouteProtocol, RouteScope},
        rule::RuleAttribute,
    },
};

use crate::{
    Result,
    machine::Machine,
    netlink::{self, ROUTE, attributes, field, message},
};

/// Routes of faults are told from others by their protocol (rtnetlink(7): none of the kernel's own), rules by their
/// priority.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    first: u8,
    last: u8,
}

/// Before narrow paths comes surgery: what passes through its device would be lost to it behind them.
pub(super) const SURGERY: u8 = 214;
const PATHS: u8 = 215;
pub(super) const NARROW: Kind = Kind { first: PATHS, last: PATHS };
pub(super) const ALL: Kind = Kind { first: SURGERY, last: PATHS };

impl Kind {
    fn has(self, number: u32) -> bool {
        (u32::from(self.first)..=u32::from(self.last)).contains(&number)
    }
}

/// The table of what comes from a link has the number of its interface on top of this.
const TABLES: u32 = 10_000;

const DELETE_ROUTE: u16 = 25;
const GET_ROUTE: u16 = 26;
const DELETE_RULE: u16 = 33;
const GET_RULE: u16 = 34;
/// `rtmsg` and `fib_rule_hdr` have the same length; attributes follow.
const HEADER: usize = 12;
const RULE_PRIORITY: u16 = 6;

/// The internet's end of a gateway's link.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Link {
    pub interface: String,
    pub address: Ipv4Addr,
}

/// Makes the path between a link and all others so narrow, both ways.
pub(super) async fn narrow(internet: &Machine, link: &Link, bytes: u16, all: &[Link]) -> Result<()> {
    let index = internet.interface_index(&link.interface).await?;
    add(internet, link, index, RouteHeader::RT_TABLE_MAIN.into(), bytes).await?;
    for other in all.iter().filter(|other| *other != link) {
        let out = internet.interface_index(&other.interface).await?;
        add(internet, other, out, TABLES + index, bytes).await?;
    }
    let from = RuleAttribute::Iifname(link.interface.clone());
    let action = format!("route what comes from {}", link.interface);
    internet.make_rule(&action, TABLES + index, PATHS.into(), [from]).await
}

async fn add(internet: &Machine, link: &Link, index: u32, table: u32, bytes: u16) -> Result<()> {
    let mut route = RouteMessageBuilder::<Ipv4Addr>::new()
        .destination_prefix(link.address, 32)
        .output_interface(index)
        .table_id(table)
        .scope(RouteScope::Link)
        .protocol(RouteProtocol::Other(PATHS))
        .build();
    route.attributes.push(RouteAttribute::Metrics(vec![RouteMetric::Mtu(bytes.into())]));
    internet.make_route(&format!("narrow the path to {}", link.address), route).await
}

/// Takes rules and routes of faults away, in the calling thread's namespace.
pub(super) fn remove(kind: Kind) -> io::Result<()> {
    let Left { rules, routes } = left(kind)?;
    let socket = netlink::open(ROUTE, 0)?;
    let tell = |kind: u16, body: &Vec<u8>| {
        let mut request = Vec::new();
        message(&mut request, kind, NLM_F_REQUEST | NLM_F_ACK, 0, |out| out.extend(body));
        match netlink::request(&socket, &request, |_| Ok(())) {
            // It may have gone with its interface since it was listed.
            Err(e) if e.raw_os_error() != Some(libc::ESRCH) && e.raw_os_error() != Some(libc::ENOENT) => Err(e),
            _ => Ok(()),
        }
    };
    rules.iter().try_for_each(|rule| tell(DELETE_RULE, rule))?;
    routes.iter().try_for_each(|route| tell(DELETE_ROUTE, route))
}

/// Rules and routes of faults, as the kernel tells them and takes them back.
pub(super) struct Left {
    pub rules: Vec<Vec<u8>>,
    pub routes: Vec<Vec<u8>>,
}

pub(super) fn left(kind: Kind) -> io::Result<Left> {
    let (mut rules, mut routes) = (Vec::new(), Vec::new());
    let socket = netlink::open(ROUTE, 0)?;
    netlink::request(&socket, &dump(GET_RULE), |told| {
        let attributes = attributes(told.payload.get(HEADER..).unwrap_or_default())?;
        let priority = attributes.iter().find(|(found, _)| *found == RULE_PRIORITY);
        let priority = priority.map(|(_, value)| field(value, 0).map(u32::from_ne_bytes)).transpose()?;
        if priority.is_some_and(|priority| kind.has(priority)) {
            rules.push(told.payload.to_vec());
        }
        Ok(())
    })?;
    netlink::request(&socket, &dump(GET_ROUTE), |told| {
        if kind.has(field::<1>(told.payload, 5)?[0].into()) {
            routes.push(told.payload.to_vec());
        }
        Ok(())
    })?;
    Ok(Left { rules, routes })
}

fn dump(kind: u16) -> Vec<u8> {
    let mut request = Vec::new();
    message(&mut request, kind, NLM_F_REQUEST | NLM_F_DUMP, 0, |out| {
        out.push(libc::AF_INET as u8);
        out.resize(out.len() + HEADER - 1, 0);
    });
    request
}
