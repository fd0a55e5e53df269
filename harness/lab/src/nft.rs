//! Source NAT of a gateway, the exemption of what its tunnels carry, and a filter that lets nothing out in clear
//! that is addressed to a private network, told to nf_tables by netlink.
//!
//! What is written reads so in the language of `nft`:
//!
//! ```text
//! table ip tunnelproof {
//!     chain forward {
//!         type filter hook forward priority filter; policy accept;
//!         oifname "internet" ip daddr 172.16.0.0/12 rt ipsec missing drop
//!     }
//!     chain postrouting {
//!         type nat hook postrouting priority srcnat; policy accept;
//!         ip saddr 10.10.0.0/16 ip daddr 172.16.10.0/24 accept
//!         oifname "internet" ip saddr 10.10.0.0/16 masquerade
//!     }
//! }
//! ```

mod batch;
mod conntrack;
#[cfg(test)]
pub(crate) mod tests;

use std::{io, net::Ipv4Addr, os::fd::OwnedFd};

use ipnet::Ipv4Net;
use netlink_packet_core::{NLM_F_DUMP, NLM_F_REQUEST, NLMSG_ERROR};
use rustix::net::{RecvFlags, netlink::NETFILTER};

use self::batch::Batch;
pub(crate) use self::batch::Outer;
use crate::{Error, Result, machine::Machine, netlink};

/// Replaces the machine's source NAT in one transaction: packets that leave by `interface` from `inside` are
/// masqueraded, unless they go from the first to the second network of a pair of `exempt`. What is addressed to a
/// private network (RFC 1918) and is not taken by an IPsec policy does not leave by `interface` at all.
///
/// NAT is decided once per connection, by its first packet; later packets follow the entry that connection
/// tracking made of it. A flow that began before its exemption would keep its translation, and so would
/// never enter the tunnel: therefore entries that the new rules would have made otherwise are forgotten
/// after the rules are in force, and the next packet of such a flow is decided anew.
pub async fn source_nat(
    machine: &Machine,
    interface: &str,
    inside: &[Ipv4Net],
    exempt: &[(Ipv4Net, Ipv4Net)],
) -> Result<()> {
    let action = format!("translate sources on {interface}");
    // IFNAMSIZ of the kernel, less the final zero.
    if interface.is_empty() || interface.len() > 15 {
        return Err(Error::netlink(machine.name(), action, "an interface's name has 1 to 15 bytes"));
    }
    let batch = Batch::source_nat(interface, inside, exempt);
    let work = |socket: &OwnedFd| {
        commit(socket, &batch)?;
        conntrack::forget_stale(socket, inside, exempt)
    };
    machine.tell(NETFILTER, &action, work).await
}

/// Replaces the rules of a machine that only forwards: it forwards nothing between each two that are apart, and tells
/// nobody that a packet from or to one of `untold` was too long.
pub(crate) async fn sever(machine: &Machine, apart: &[[Ipv4Addr; 2]], untold: &[Ipv4Addr]) -> Result<()> {
    let batch = if apart.is_empty() && untold.is_empty() { Batch::clear() } else { Batch::severed(apart, untold) };
    machine.attempt("sever paths", move || commit(&netlink::open(NETFILTER, 0)?, &batch)).await
}

/// Replaces the rules of a machine that stands between others and the internet: it masquerades all that leaves by the
/// interface, and forwards what comes there for the ports of IKE. What connection tracking has kept is forgotten.
pub(crate) async fn translate_all(
    machine: &Machine,
    interface: &str,
    forwarded: Option<Ipv4Addr>,
    outer: Outer,
) -> Result<()> {
    let batch = Batch::translate_all(interface, forwarded, outer);
    let work = move || {
        let socket = netlink::open(NETFILTER, 0)?;
        commit(&socket, &batch)?;
        conntrack::forget_all(&socket)
    };
    machine.attempt("translate all sources", work).await
}

/// Takes all rules away, in the calling thread's namespace.
pub(crate) fn remove_all() -> io::Result<()> {
    commit(&netlink::open(NETFILTER, 0)?, &Batch::clear())
}

/// How many tables of rules there are in the calling thread's namespace.
pub(crate) fn tables() -> io::Result<usize> {
    let mut count = 0;
    let mut request = Vec::new();
    netlink::message(&mut request, batch::GET_TABLE, NLM_F_REQUEST | NLM_F_DUMP, 0, |out| out.extend([0; 4]));
    netlink::request(&netlink::open(NETFILTER, 0)?, &request, |_| {
        count += 1;
        Ok(())
    })?;
    Ok(count)
}

/// Takes the machine's rules away, and what connection tracking has kept.
pub async fn clear(machine: &Machine) -> Result<()> {
    let batch = Batch::clear();
    let work = |socket: &OwnedFd| {
        commit(socket, &batch)?;
        conntrack::forget_all(socket)
    };
    machine.tell(NETFILTER, "take its rules away", work).await
}

/// How many connections the machine tracks.
pub async fn tracked(machine: &Machine) -> Result<usize> {
    machine.tell(NETFILTER, "count tracked connections", conntrack::count).await
}

/// Sends a transaction. The kernel commits all of it or nothing.
fn commit(socket: &OwnedFd, batch: &Batch) -> io::Result<()> {
    netlink::send(socket, batch.bytes())?;
    // Refusals come in the order of the messages, and before the acknowledgement of the last one. That a
    // whole transaction was refused is said of the message that begins it.
    let mut refusals = Vec::new();
    let mut acknowledged = false;
    while !acknowledged {
        for answer in netlink::messages(&netlink::receive(socket, RecvFlags::empty())?)? {
            if answer.kind != NLMSG_ERROR {
                continue;
            }
            if let Some(error) = answer.refusal() {
                refusals.push(format!("{}: {error}", batch.label(answer.sequence)));
                acknowledged |= answer.sequence == 0;
            }
            acknowledged |= answer.sequence == batch.last();
        }
    }
    if refusals.is_empty() { Ok(()) } else { Err(io::Error::other(refusals.join("; "))) }
}
