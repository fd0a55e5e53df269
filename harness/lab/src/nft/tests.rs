#![allow(clippy::unwrap_used)]

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    thread,
    time::Duration,
};

use ipnet::Ipv4Net;
use netlink_packet_core::{NLM_F_ACK, NLM_F_REQUEST};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};

use super::{batch::Batch, source_nat};
use crate::{
    link::{End, connect},
    machine::Machine,
    netlink::{self, attributes, field, messages},
    sys,
    world::WORKPLACE,
};

fn net(text: &str) -> Ipv4Net {
    text.parse().unwrap()
}

#[test]
fn the_transaction_is_numbered_and_only_its_last_message_is_acknowledged() {
    let batch = Batch::source_nat("eth0", &[net("10.1.0.0/16")], &[(net("10.1.0.0/16"), net("172.16.0.0/24"))]);
    let found = messages(batch.bytes()).unwrap();
    let kinds: Vec<u16> = found.iter().map(|m| m.kind).collect();
    assert_eq!(kinds, [0x10, 0xa00, 0xa02, 0xa00, 0xa03, 0xa06, 0xa06, 0xa06, 0xa03, 0xa06, 0xa06, 0x11]);
    assert!(found.iter().enumerate().all(|(place, m)| m.sequence == place as u32 && m.flags & NLM_F_REQUEST != 0));
    let acknowledged: Vec<u32> = found.iter().filter(|m| m.flags & NLM_F_ACK != 0).map(|m| m.sequence).collect();
    assert_eq!(acknowledged, [batch.last()]);
    assert_eq!(batch.label(9), "rule: ip saddr 10.1.0.0/16 ip daddr 172.16.0.0/24 accept");
    assert_eq!(batch.label(10), "rule: oifname eth0 ip saddr 10.1.0.0/16 masquerade");
    // The resource of the marks is nf_tables, in network byte order.
    assert_eq!(found[0].payload, [0, 0, 0, 10]);
}

#[test]
fn a_rule_is_made_of_the_expressions_that_nft_makes() {
    let batch = Batch::source_nat("eth0", &[net("10.1.2.3/32")], &[(net("10.1.0.0/17"), net("172.16.0.9/32"))]);
    let names = |sequence: usize| -> Vec<String> {
        let found = messages(batch.bytes()).unwrap();
        let rule = attributes(&found[sequence].payload[4..]).unwrap();
        assert_eq!(rule[0], (1, &b"tunnelproof\0"[..]));
        let elements = attributes(rule[2].1).unwrap();
        let name = |element: &(u16, &[u8])| attributes(element.1).unwrap()[0].1.to_vec();
        elements.iter().map(|e| String::from_utf8(name(e)).unwrap().trim_end_matches('\0').into()).collect()
    };
    assert_eq!(names(5), ["meta", "cmp", "payload", "bitwise", "cmp", "rt", "cmp", "immediate"]);
    assert_eq!(names(9), ["payload", "bitwise", "cmp", "payload", "cmp", "immediate"]);
    assert_eq!(names(10), ["meta", "cmp", "payload", "cmp", "masq"]);
    let bytes = batch.bytes();
    let count = |wanted: &[u8]| bytes.windows(wanted.len()).filter(|window| *window == wanted).count();
    // Attribute 1 of 4 bytes: the mask of a /17, and the network under it.
    assert_eq!(count(&[8, 0, 1, 0, 255, 255, 128, 0]), 1);
    assert_eq!(count(&[8, 0, 1, 0, 10, 1, 0, 0]), 1);
    // In the three rules of the filter, and in the one that masquerades.
    assert_eq!(count(b"\x14\0\x01\0eth0\0\0\0\0\0\0\0\0\0\0\0\0"), 4);
}

#[test]
fn framing_that_does_not_fit_is_refused() {
    assert!(messages(&[20, 0, 0, 0, 1, 0]).is_err());
    assert!(messages(&[15; 16]).is_err());
    assert!(attributes(&[3, 0, 1, 0]).is_err());
    assert!(attributes(&[9, 0, 1, 0, 1, 2, 3, 4]).is_err());
    assert_eq!(attributes(&[5, 0, 1, 0x80, 7]).unwrap(), [(1, &[7][..])]);
    assert!(field::<4>(&[1, 2, 3], 0).is_err());
}

/// Runs the test where it owns the workplace, which takes root: a guest's will do.
pub(crate) fn in_a_worker(test: impl Future<Output = ()> + Send + 'static) {
    let worker = thread::spawn(move || {
        let owned = || -> io::Result<()> {
            sys::own_mounts()?;
            mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC)?;
            for place in [WORKPLACE, "/run"] {
                mount("tmpfs", place, "tmpfs", MountFlags::NOSUID, c"mode=0755")?;
            }
            Ok(())
        };
        owned().unwrap();
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(test);
    });
    worker.join().unwrap();
}

/// The source that `outside` sees of what `guest` sends to this port, from this port of its own.
async fn seen_source(outside: &Machine, guest: &Machine, to: SocketAddr) -> Option<Ipv4Addr> {
    let listener = outside.attempt("listen", move || UdpSocket::bind(to)).await.unwrap();
    let send = move || UdpSocket::bind(("0.0.0.0", 4000))?.send_to(b"probe", to);
    guest.attempt("send", send).await.unwrap();
    listener.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    match listener.recv_from(&mut [0; 16]) {
        Ok((_, SocketAddr::V4(source))) => Some(*source.ip()),
        _ => None,
    }
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn sources_are_translated_unless_exempt_even_within_a_flow() {
    in_a_worker(async {
        let guest = Machine::new("guest", None).await.unwrap();
        let router = Machine::new("router", None).await.unwrap();
        let outside = Machine::new("outside", None).await.unwrap();
        let end = |machine, interface, station| End { machine, interface, station };
        connect(end(&guest, "eth0", 1), end(&router, "tier", 2)).await.unwrap();
        connect(end(&router, "internet", 3), end(&outside, "eth0", 4)).await.unwrap();
        let inner = Ipv4Addr::new(10, 1, 1, 2);
        let public = Ipv4Addr::new(192, 0, 2, 1);
        guest.add_address("eth0", inner, 24).await.unwrap();
        router.add_address("tier", Ipv4Addr::new(10, 1, 1, 1), 24).await.unwrap();
        router.add_address("internet", public, 24).await.unwrap();
        outside.add_address("eth0", Ipv4Addr::new(192, 0, 2, 2), 24).await.unwrap();
        guest.add_route(net("0.0.0.0/0"), Ipv4Addr::new(10, 1, 1, 1)).await.unwrap();
        outside.add_route(net("10.1.0.0/16"), public).await.unwrap();
        router.sysctl("net/ipv4/ip_forward", "1").await.unwrap();

        let far: SocketAddr = "192.0.2.2:5000".parse().unwrap();
        let tier = [net("10.1.0.0/16")];
        let exempt = [(tier[0], net("192.0.2.0/28"))];
        assert_eq!(seen_source(&outside, &guest, far).await, Some(inner), "before any rule");
        for _ in 0..2 {
            source_nat(&router, "internet", &tier, &[]).await.unwrap();
            assert_eq!(seen_source(&outside, &guest, far).await, Some(public));
        }
        source_nat(&router, "internet", &tier, &exempt).await.unwrap();
        assert_eq!(seen_source(&outside, &guest, far).await, Some(inner), "the flow was translated before");
        source_nat(&router, "internet", &tier, &[(tier[0], net("198.51.100.0/24"))]).await.unwrap();
        assert_eq!(seen_source(&outside, &guest, far).await, Some(public), "the flow was exempt before");
        source_nat(&router, "internet", &[], &[]).await.unwrap();
        source_nat(&router, "other", &tier, &[]).await.unwrap();
        let elsewhere = "192.0.2.2:5001".parse().unwrap();
        assert_eq!(seen_source(&outside, &guest, elsewhere).await, Some(inner), "it leaves by another interface");
    });
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn a_refusal_names_the_message() {
    in_a_worker(async {
        let machine = Machine::new("router", None).await.unwrap();
        let refused = machine
            .attempt("try", || {
                let socket = netlink::open(super::NETFILTER, 0)?;
                // Address family 99 has no tables.
                let mut batch = Batch::source_nat("eth0", &[net("10.1.0.0/16")], &[]);
                batch.spoil(8);
                super::commit(&socket, &batch)
            })
            .await
            .unwrap_err()
            .to_string();
        assert!(refused.contains("create chain postrouting: "), "{refused}");
        assert!(source_nat(&machine, "an-interface-too-long", &[], &[]).await.is_err());
    });
}
