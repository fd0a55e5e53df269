//! A transaction of nf_tables, as bytes. Pure: nothing is sent here.
//!
//! Numbers and layout: the kernel's `linux/netfilter/nfnetlink.h` and `linux/netfilter/nf_tables.h`. Headers
//! are in the machine's byte order, the values of attributes in the network's.

use std::net::Ipv4Addr;

use ipnet::Ipv4Net;
use netlink_packet_core::{NLA_F_NESTED, NLM_F_ACK, NLM_F_APPEND, NLM_F_CREATE, NLM_F_REQUEST};

use crate::netlink::{attribute, message};

const TABLE: &str = "tunnelproof";
/// The chains are named for their hooks.
const POSTROUTING: &str = "postrouting";
const FORWARD: &str = "forward";
const OUTPUT: &str = "output";
const PREROUTING: &str = "prerouting";

const NFPROTO_IPV4: u8 = 2;
const SUBSYSTEM: u16 = 10;
const BATCH_BEGIN: u16 = 0x10;
const BATCH_END: u16 = 0x11;
const NEW_TABLE: u16 = SUBSYSTEM << 8;
pub(super) const GET_TABLE: u16 = SUBSYSTEM << 8 | 1;
const DELETE_TABLE: u16 = SUBSYSTEM << 8 | 2;
const NEW_CHAIN: u16 = SUBSYSTEM << 8 | 3;
const NEW_RULE: u16 = SUBSYSTEM << 8 | 6;

const HOOK_PREROUTING: u32 = 0;
const HOOK_FORWARD: u32 = 2;
const HOOK_OUTPUT: u32 = 3;
const HOOK_POSTROUTING: u32 = 4;
/// `NF_IP_PRI_FILTER`.
const PRIORITY_FILTER: u32 = 0;
/// `NF_IP_PRI_NAT_DST`.
const PRIORITY_DESTINATION_NAT: u32 = (-100_i32).cast_unsigned();
/// `NF_IP_PRI_NAT_SRC`.
const PRIORITY_SOURCE_NAT: u32 = 100;
const DROP: u32 = 0;
const ACCEPT: u32 = 1;
/// `NFT_REG_1` and `NFT_REG_2` hold 16 bytes each; `NFT_REG_VERDICT` is 0.
const REGISTER: u32 = 1;
const SECOND: u32 = 2;
/// `NFT_PAYLOAD_NETWORK_HEADER` and `NFT_PAYLOAD_TRANSPORT_HEADER`.
const IP: u32 = 1;
const TRANSPORT: u32 = 2;
const PROTOCOL_OFFSET: u32 = 9;
const DESTINATION_PORT_OFFSET: u32 = 2;
const SOURCE_OFFSET: u32 = 12;
const DESTINATION_OFFSET: u32 = 16;
/// Of the header of ICMP; then comes that of the packet that it is about.
const ICMP_HEADER: u32 = 8;
/// Destination unreachable, fragmentation needed (RFC 1191 section 4).
const FRAGMENTATION_NEEDED: [u8; 2] = [3, 4];
const NAME_SIZE: usize = 16;
/// Addresses that no router may let out to another's network (RFC 1918 section 3).
const PRIVATE: [(Ipv4Addr, u8); 3] =
    [(Ipv4Addr::new(10, 0, 0, 0), 8), (Ipv4Addr::new(172, 16, 0, 0), 12), (Ipv4Addr::new(192, 168, 0, 0), 16)];

/// The outer ports of flows that are translated.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Outer {
    /// As inside, if another flow does not use it.
    Same,
    Within(u16, u16),
}

pub(super) struct Batch {
    bytes: Vec<u8>,
    /// What each message does; its sequence number is its place here.
    labels: Vec<String>,
    /// Where the last message begins.
    last: usize,
}

impl Batch {
    pub fn source_nat(interface: &str, inside: &[Ipv4Net], exempt: &[(Ipv4Net, Ipv4Net)]) -> Self {
        let mut batch = Self::without_table();
        batch.add(NEW_TABLE, NLM_F_CREATE, format!("create table {TABLE}"), |body| text(body, 1, TABLE));
        batch.chain(FORWARD, "filter", HOOK_FORWARD, PRIORITY_FILTER);
        for (network, length) in PRIVATE {
            let network = Ipv4Net::new_assert(network, length);
            batch.rule(
                FORWARD,
                format!("rule: oifname {interface} ip daddr {network} rt ipsec missing drop"),
                |list| {
                    leaves_by(list, interface);
                    within(list, DESTINATION_OFFSET, &network);
                    stays_clear(list);
                    verdict(list, DROP);
                },
            );
        }
        batch.chain(POSTROUTING, "nat", HOOK_POSTROUTING, PRIORITY_SOURCE_NAT);
        for (from, to) in exempt {
            batch.rule(POSTROUTING, format!("rule: ip saddr {from} ip daddr {to} accept"), |list| {
                within(list, SOURCE_OFFSET, from);
                within(list, DESTINATION_OFFSET, to);
                verdict(list, ACCEPT);
            });
        }
        for from in inside {
            batch.rule(POSTROUTING, format!("rule: oifname {interface} ip saddr {from} masquerade"), |list| {
                leaves_by(list, interface);
                within(list, SOURCE_OFFSET, from);
                expression(list, "masq", |_| ());
            });
        }
        batch.ended()
    }

    /// Forwards nothing between each two that are apart, and sends no "fragmentation needed" about what comes from or
    /// goes to those that are not told.
    pub fn severed(apart: &[[Ipv4Addr; 2]], untold: &[Ipv4Addr]) -> Self {
        let mut batch = Self::without_table();
        batch.add(NEW_TABLE, NLM_F_CREATE, format!("create table {TABLE}"), |body| text(body, 1, TABLE));
        batch.chain(FORWARD, "filter", HOOK_FORWARD, PRIORITY_FILTER);
        for &[one, other] in apart {
            for (from, to) in [(one, other), (other, one)] {
                batch.rule(FORWARD, format!("rule: ip saddr {from} ip daddr {to} drop"), |list| {
                    within(list, SOURCE_OFFSET, &Ipv4Net::from(from));
                    within(list, DESTINATION_OFFSET, &Ipv4Net::from(to));
                    verdict(list, DROP);
                });
            }
        }
        batch.chain(OUTPUT, "filter", HOOK_OUTPUT, PRIORITY_FILTER);
        for gateway in untold {
            for (end, offset) in [("saddr", SOURCE_OFFSET), ("daddr", DESTINATION_OFFSET)] {
                let label = format!("rule: icmp type 3 icmp code 4 quoted ip {end} {gateway} drop");
                batch.rule(OUTPUT, label, |list| {
                    holds(list, IP, PROTOCOL_OFFSET, &[libc::IPPROTO_ICMP as u8]);
                    holds(list, TRANSPORT, 0, &FRAGMENTATION_NEEDED);
                    holds(list, TRANSPORT, ICMP_HEADER + offset, &gateway.octets());
                    verdict(list, DROP);
                });
            }
        }
        batch.ended()
    }

    /// Masquerades all that leaves by an interface, and passes what comes there for the ports of IKE to an address.
    pub fn translate_all(interface: &str, forwarded: Option<Ipv4Addr>, outer: Outer) -> Self {
        let mut batch = Self::without_table();
        batch.add(NEW_TABLE, NLM_F_CREATE, format!("create table {TABLE}"), |body| text(body, 1, TABLE));
        batch.chain(PREROUTING, "nat", HOOK_PREROUTING, PRIORITY_DESTINATION_NAT);
        for (to, port) in forwarded.into_iter().flat_map(|to| [(to, 500_u16), (to, 4500)]) {
            batch.rule(PREROUTING, format!("rule: iifname {interface} udp dport {port} dnat to {to}"), |list| {
                // NFT_META_IIFNAME
                named(list, 6, interface);
                holds(list, IP, PROTOCOL_OFFSET, &[libc::IPPROTO_UDP as u8]);
                holds(list, TRANSPORT, DESTINATION_PORT_OFFSET, &port.to_be_bytes());
                constant(list, REGISTER, &to.octets());
                expression(list, "nat", |data| {
                    // NFT_NAT_DNAT
                    number(data, 1, 1);
                    number(data, 2, NFPROTO_IPV4.into());
                    number(data, 3, REGISTER);
                });
            });
        }
        batch.chain(POSTROUTING, "nat", HOOK_POSTROUTING, PRIORITY_SOURCE_NAT);
        if let Outer::Within(first, last) = outer {
            batch.rule(POSTROUTING, format!("rule: oifname {interface} udp masquerade to :{first}-{last}"), |list| {
                leaves_by(list, interface);
                holds(list, IP, PROTOCOL_OFFSET, &[libc::IPPROTO_UDP as u8]);
                constant(list, REGISTER, &first.to_be_bytes());
                constant(list, SECOND, &last.to_be_bytes());
                expression(list, "masq", |data| {
                    // NF_NAT_RANGE_PROTO_SPECIFIED
                    number(data, 1, 2);
                    number(data, 2, REGISTER);
                    number(data, 3, SECOND);
                });
            });
        }
        batch.rule(POSTROUTING, format!("rule: oifname {interface} masquerade"), |list| {
            leaves_by(list, interface);
            expression(list, "masq", |_| ());
        });
        batch.ended()
    }

    /// Takes everything away.
    pub fn clear() -> Self {
        Self::without_table().ended()
    }

    /// The beginning of every transaction. A table can be deleted only if it is there; creating one that is there
    /// changes nothing.
    fn without_table() -> Self {
        let mut batch = Self { bytes: Vec::new(), labels: Vec::new(), last: 0 };
        let name = |body: &mut Vec<u8>| text(body, 1, TABLE);
        batch.mark(BATCH_BEGIN, "the transaction");
        batch.add(NEW_TABLE, NLM_F_CREATE, format!("make sure of table {TABLE}"), name);
        batch.add(DELETE_TABLE, 0, format!("delete table {TABLE}"), name);
        batch
    }

    fn ended(mut self) -> Self {
        self.acknowledge_last();
        self.mark(BATCH_END, "the transaction's end");
        self
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// What the message with this sequence number does.
    pub fn label(&self, number: u32) -> &str {
        self.labels.get(number as usize).map_or("a message that was not sent", String::as_str)
    }

    /// The sequence number of the message that the kernel acknowledges: the last but the end mark, which
    /// older kernels do not acknowledge.
    pub fn last(&self) -> u32 {
        self.labels.len() as u32 - 2
    }

    fn mark(&mut self, kind: u16, label: &str) {
        self.message(kind, 0, label.into(), [0, 0, 0, SUBSYSTEM as u8], |_| ());
    }

    fn add(&mut self, kind: u16, flags: u16, label: String, body: impl FnOnce(&mut Vec<u8>)) {
        self.message(kind, flags, label, [NFPROTO_IPV4, 0, 0, 0], body);
    }

    fn chain(&mut self, name: &str, kind: &str, hook: u32, priority: u32) {
        self.add(NEW_CHAIN, NLM_F_CREATE, format!("create chain {name}"), |body| {
            text(body, 1, TABLE);
            text(body, 3, name);
            nest(body, 4, |place| {
                number(place, 1, hook);
                number(place, 2, priority);
            });
            number(body, 5, ACCEPT);
            text(body, 7, kind);
        });
    }

    fn rule(&mut self, chain: &str, label: String, expressions: impl FnOnce(&mut Vec<u8>)) {
        self.add(NEW_RULE, NLM_F_CREATE | NLM_F_APPEND, label, |body| {
            text(body, 1, TABLE);
            text(body, 2, chain);
            nest(body, 4, expressions);
        });
    }

    fn message(&mut self, kind: u16, flags: u16, label: String, family: [u8; 4], body: impl FnOnce(&mut Vec<u8>)) {
        self.last = self.bytes.len();
        message(&mut self.bytes, kind, NLM_F_REQUEST | flags, self.labels.len() as u32, |out| {
            // `nfgenmsg`: family, version, resource.
            out.extend(family);
            body(out);
        });
        self.labels.push(label);
    }

    /// Asks for an acknowledgement of the message that was added last.
    fn acknowledge_last(&mut self) {
        let flags =
            (NLM_F_ACK | u16::from_ne_bytes([self.bytes[self.last + 6], self.bytes[self.last + 7]])).to_ne_bytes();
        self.bytes[self.last + 6..self.last + 8].copy_from_slice(&flags);
    }
}

fn nest(out: &mut Vec<u8>, kind: u16, value: impl FnOnce(&mut Vec<u8>)) {
    attribute(out, NLA_F_NESTED | kind, value);
}

fn number(out: &mut Vec<u8>, kind: u16, value: u32) {
    attribute(out, kind, |out| out.extend(value.to_be_bytes()));
}

fn text(out: &mut Vec<u8>, kind: u16, value: &str) {
    attribute(out, kind, |out| {
        out.extend(value.as_bytes());
        out.push(0);
    });
}

/// One element of a rule: its name, and its own attributes.
fn expression(list: &mut Vec<u8>, name: &str, data: impl FnOnce(&mut Vec<u8>)) {
    nest(list, 1, |element| {
        text(element, 1, name);
        nest(element, 2, data);
    });
}

/// Goes on only if the address at this offset of the IPv4 header is in the network.
fn within(list: &mut Vec<u8>, offset: u32, network: &Ipv4Net) {
    load(list, IP, offset, 4);
    if network.prefix_len() < 32 {
        expression(list, "bitwise", |data| {
            number(data, 1, REGISTER);
            number(data, 2, REGISTER);
            number(data, 3, 4);
            nest(data, 4, |mask| attribute(mask, 1, |out| out.extend(network.netmask().octets())));
            nest(data, 5, |xor| attribute(xor, 1, |out| out.extend(Ipv4Addr::UNSPECIFIED.octets())));
        });
    }
    equals(list, &network.network().octets());
}

/// Goes on only if these bytes are at this offset of a header.
fn holds(list: &mut Vec<u8>, header: u32, offset: u32, value: &[u8]) {
    load(list, header, offset, value.len() as u32);
    equals(list, value);
}

fn load(list: &mut Vec<u8>, header: u32, offset: u32, length: u32) {
    expression(list, "payload", |data| {
        number(data, 1, REGISTER);
        number(data, 2, header);
        number(data, 3, offset);
        number(data, 4, length);
    });
}

fn leaves_by(list: &mut Vec<u8>, interface: &str) {
    // NFT_META_OIFNAME
    named(list, 7, interface);
}

/// Goes on only if the interface that this key of `meta` asks for has this name.
fn named(list: &mut Vec<u8>, key: u32, interface: &str) {
    expression(list, "meta", |data| {
        number(data, 1, REGISTER);
        number(data, 2, key);
    });
    let mut name = [0; NAME_SIZE];
    for (place, byte) in name.iter_mut().zip(interface.bytes()) {
        *place = byte;
    }
    equals(list, &name);
}

/// Goes on only if no IPsec policy takes the packet.
fn stays_clear(list: &mut Vec<u8>) {
    expression(list, "rt", |data| {
        number(data, 1, REGISTER);
        // NFT_RT_XFRM
        number(data, 2, 4);
    });
    equals(list, &[0]);
}

/// Puts bytes into a register.
fn constant(list: &mut Vec<u8>, register: u32, value: &[u8]) {
    expression(list, "immediate", |data| {
        number(data, 1, register);
        nest(data, 2, |data| attribute(data, 1, |out| out.extend(value)));
    });
}

fn verdict(list: &mut Vec<u8>, code: u32) {
    expression(list, "immediate", |data| {
        number(data, 1, 0);
        nest(data, 2, |value| nest(value, 2, |verdict| number(verdict, 1, code)));
    });
}

/// Goes on only if the register holds these bytes.
fn equals(list: &mut Vec<u8>, value: &[u8]) {
    expression(list, "cmp", |data| {
        number(data, 1, REGISTER);
        // NFT_CMP_EQ
        number(data, 2, 0);
        nest(data, 3, |out| attribute(out, 1, |out| out.extend(value)));
    });
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
impl Batch {
    /// Makes one message wrong: an address family that has no tables.
    pub fn spoil(&mut self, number: usize) {
        let mut at = 0;
        for _ in 0..number {
            at += u32::from_ne_bytes(self.bytes[at..at + 4].try_into().unwrap()) as usize;
        }
        self.bytes[at + 16] = 99;
    }
}
