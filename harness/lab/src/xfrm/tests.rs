//! Messages are written by an encoder that is not ours, so that one misreading cannot hide another.
#![allow(clippy::unwrap_used)]

use std::{
    io,
    net::{IpAddr, Ipv4Addr},
};

use netlink_packet_core::{Emitable, NLM_F_ACK, NLM_F_CREATE, NLM_F_REQUEST};
use netlink_packet_xfrm::{
    Alg, AlgAead, AlgAuth, EncapTmpl, UserExpire, UserPolicyInfo, UserSaId, UserSaInfo, UserSpiInfo, UserTemplate,
    XfrmAttrs, policy as spd, state as sad,
};
use policy::{Encryption, Hash};
use rustix::net::netlink::XFRM;

use super::{
    Direction, Sa, SaLog,
    ledger::Ledger,
    message::{
        DELETE_SA, EXPIRE, Entry, Event, FLUSH_SA, NEW_SA, UPDATE_SA, entry, event, policy as parse_policy, trial,
    },
    policies, sas,
};
use crate::{Result, machine::Machine, netlink, nft::tests::in_a_worker};

const NEAR: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const FAR: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const SPI: u32 = 0xc123_4567;

fn bytes(message: &impl Emitable) -> Vec<u8> {
    let mut bytes = vec![0; message.buffer_len()];
    message.emit(&mut bytes);
    bytes
}

fn name(text: &str) -> [u8; 64] {
    let mut name = [0; 64];
    name[..text.len()].copy_from_slice(text.as_bytes());
    name
}

fn cipher(algorithm: &str, key: usize) -> XfrmAttrs {
    let key: Vec<u8> = (0..key as u8).collect();
    XfrmAttrs::EncryptionAlg(Alg { alg_name: name(algorithm), alg_key_len: 8 * key.len() as u32, alg_key: key })
}

/// The kernel tells an HMAC twice.
fn hmac(algorithm: &str, key: usize, check_bits: u32) -> [XfrmAttrs; 2] {
    let key = vec![0xab; key];
    let bits = 8 * key.len() as u32;
    let (plain, alg_name) =
        (Alg { alg_name: name(algorithm), alg_key_len: bits, alg_key: key.clone() }, name(algorithm));
    let truncated = AlgAuth { alg_name, alg_key_len: bits, alg_trunc_len: check_bits, alg_key: key };
    [XfrmAttrs::AuthenticationAlg(plain), XfrmAttrs::AuthenticationAlgTrunc(truncated)]
}

fn info(bytes: u64) -> UserSaInfo {
    let mut info = UserSaInfo { reqid: 16_385, mode: 1, ..UserSaInfo::default() };
    info.source(&NEAR.into());
    info.destination(&FAR.into());
    (info.id.spi, info.id.proto) = (SPI, 50);
    let current = &mut info.lifetime_cur;
    (current.bytes, current.packets, current.add_time) = (bytes, bytes / 100, 1_700_000_000);
    info
}

fn added(info: UserSaInfo, nlas: Vec<XfrmAttrs>) -> Vec<u8> {
    bytes(&sad::ModifyMessage { user_sa_info: info, nlas })
}

fn aes_sha1() -> Vec<XfrmAttrs> {
    [vec![cipher("cbc(aes)", 16)], hmac("hmac(sha1)", 20, 96).to_vec()].concat()
}

fn held(bytes: u64) -> Event {
    event(NEW_SA, &added(info(bytes), aes_sha1())).unwrap().unwrap()
}

fn gone(bytes: u64) -> Event {
    event(DELETE_SA, &deleted(bytes)).unwrap().unwrap()
}

fn deleted(count: u64) -> Vec<u8> {
    let info = info(count);
    let user_sa_id = UserSaId { daddr: info.id.daddr, spi: SPI, family: 2, proto: 50 };
    let nlas = [vec![XfrmAttrs::SaInfo(info)], aes_sha1()].concat();
    bytes(&sad::DelGetMessage { user_sa_id, nlas })
}

fn esp(event: Event) -> Sa {
    match event {
        Event::Held(Entry::Esp(sa)) | Event::Gone(Entry::Esp(sa)) => sa,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_algorithm_of_a_policy_is_known_by_the_kernels_name() {
    let ciphers = [
        ("cbc(des3_ede)", Encryption::TripleDes),
        ("cbc(aes)", Encryption::Aes128),
        ("cbc(aes)", Encryption::Aes192),
        ("cbc(aes)", Encryption::Aes256),
    ];
    let hashes = [
        ("hmac(md5)", Hash::Md5, 96),
        ("hmac(sha1)", Hash::Sha1, 96),
        ("hmac(sha256)", Hash::Sha256, 128),
        ("hmac(sha384)", Hash::Sha384, 192),
        ("hmac(sha512)", Hash::Sha512, 256),
    ];
    for (cipher_name, encryption) in ciphers {
        for (hash_name, hash, check_bits) in hashes {
            let mut nlas = vec![cipher(cipher_name, encryption.key_len())];
            nlas.extend(hmac(hash_name, hash.digest_len(), check_bits));
            nlas.push(XfrmAttrs::EncapsulationTemplate(EncapTmpl { encap_type: 2, ..EncapTmpl::default() }));
            let sa = esp(event(UPDATE_SA, &added(info(4200), nlas)).unwrap().unwrap());
            assert_eq!((sa.spi, sa.source, sa.destination, sa.reqid), (SPI, NEAR, FAR, 16_385));
            assert_eq!((sa.bytes, sa.packets, sa.added, sa.encapsulated), (4200, 42, 1_700_000_000, true));
            assert_eq!(sa.suite(), format!("{}-{}", encryption.name(), hash.name()));
            let keys = sa.keys();
            assert_eq!((keys.encryption, keys.integrity), (encryption, hash));
            assert!(keys.encryption_key.starts_with("000102030405060708090a0b0c0d0e0f"));
            assert_eq!(keys.encryption_key.len(), 2 * encryption.key_len());
            assert_eq!(keys.integrity_key, "ab".repeat(hash.digest_len()));
            let printed = format!("{sa:?}");
            assert!(printed.contains("[hidden]") && !printed.contains("171"), "{printed}");
        }
    }
}

#[test]
fn what_no_policy_asks_for_is_told_in_words() {
    let gcm =
        AlgAead { alg_name: name("rfc4106(gcm(aes))"), alg_key_len: 160, alg_icv_len: 128, alg_key: vec![0xab; 20] };
    let mut ah = info(0);
    ah.id.proto = 51;
    let mut six = info(0);
    six.source(&"2001:db8::1".parse::<IpAddr>().unwrap());
    six.destination(&"2001:db8::2".parse::<IpAddr>().unwrap());
    // As much as a draft before RFC 4868 sent, and Linux sends unless it is told.
    let draft = [vec![cipher("cbc(aes)", 16)], hmac("hmac(sha256)", 32, 96).to_vec()].concat();
    let sm3 = [vec![cipher("cbc(aes)", 16)], hmac("hmac(sm3)", 32, 256).to_vec()].concat();
    let long = [vec![cipher("cbc(aes)", 16)], hmac("hmac(sha1)", 20, 160).to_vec()].concat();
    let cases = [
        (
            info(0),
            vec![XfrmAttrs::EncryptionAlgAead(gcm)],
            "ESP SA 0xc1234567 from 192.0.2.1 to 198.51.100.1: rfc4106(gcm(aes)) with a key of 160 bits and a check value of 128 bits",
        ),
        (info(0), draft, "hmac(sha256) with a key of 256 bits and a check value of 96 bits"),
        (info(0), sm3, "hmac(sm3)"),
        (info(0), long, "check value of 160 bits"),
        (info(0), hmac("hmac(md5)", 16, 96).to_vec(), "SA 0xc1234567"),
        (info(0), vec![cipher("ecb(cipher_null)", 0), hmac("hmac(md5)", 16, 96)[1].clone()], "ecb(cipher_null)"),
        (ah, hmac("hmac(md5)", 16, 96).to_vec(), "AH SA"),
        (six, aes_sha1(), "from 2001:db8::1 to 2001:db8::2"),
    ];
    for (info, nlas, wanted) in cases {
        match entry(&added(info, nlas)).unwrap() {
            Entry::Other(text) => assert!(text.contains(wanted) && !text.contains("abab"), "{text}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(entry(&added(info(0), Vec::new())).unwrap(), Entry::Larval);
}

#[test]
fn a_message_cut_short_is_an_error_and_no_panic() {
    let (new, old) = (added(info(1), aes_sha1()), deleted(1));
    let expire = bytes(&sad_expire(1, true));
    for (kind, whole) in [(NEW_SA, new), (DELETE_SA, old), (EXPIRE, expire)] {
        assert!(event(kind, &whole).unwrap().is_some());
        for length in 0..whole.len() {
            // A cut between two attributes leaves a message that is whole but tells less.
            if let Ok(told) = event(kind, &whole[..length]) {
                assert!(
                    kind == EXPIRE || !matches!(told, Some(Event::Held(Entry::Esp(_)) | Event::Gone(Entry::Esp(_))))
                );
            }
        }
    }
}

fn sad_expire(count: u64, hard: bool) -> UserExpire {
    UserExpire { state: info(count), hard: hard.into() }
}

#[test]
fn a_life_keeps_its_final_counters() {
    let mut ledger = Ledger::new("router");
    ledger.note(held(0), 10);
    // An update announces a structure of its own, with counters of zero and a later time.
    ledger.note(event(UPDATE_SA, &added(info(300), aes_sha1())).unwrap().unwrap(), 20);
    ledger.note(held(0), 30);
    assert_eq!(ledger.seen().lives[0].sa.bytes, 300);
    ledger.note(gone(700), 40);
    // A listing that was written before the deletion.
    if let Event::Held(entry) = held(500) {
        ledger.listed(entry);
    }
    let [life] = &ledger.seen().lives[..] else { panic!("one life") };
    assert_eq!((life.sa.bytes, life.sa.packets, life.added_ns, life.deleted_ns), (700, 7, 10, Some(40)));
    assert_eq!(life.machine, "router");
    // Deleted and added again with the same keys, as when a NAT moves: a life of its own.
    ledger.note(held(0), 50);
    assert_eq!(ledger.seen().lives.len(), 2);
    assert!(ledger.seen().gaps.is_empty());
}

#[test]
fn a_hard_limit_ends_a_life_and_a_soft_one_does_not() {
    let mut ledger = Ledger::new("router");
    ledger.note(held(0), 10);
    let expired = |count, hard| event(EXPIRE, &bytes(&sad_expire(count, hard))).unwrap().unwrap();
    ledger.note(expired(500, false), 20);
    assert_eq!((ledger.seen().lives[0].sa.bytes, ledger.seen().lives[0].deleted_ns), (500, None));
    ledger.note(expired(600, true), 30);
    assert_eq!((ledger.seen().lives[0].sa.bytes, ledger.seen().lives[0].deleted_ns), (600, Some(30)));
}

#[test]
fn what_may_be_missing_is_said() {
    let mut ledger = Ledger::new("router");
    ledger.note(held(0), 10);
    ledger.listing_begins(false);
    ledger.listing_ends(20);
    assert_eq!(ledger.seen().lives[0].deleted_ns, None, "its deletion is still to be read");
    ledger.listing_begins(true);
    ledger.listing_ends(30);
    assert_eq!(ledger.seen().lives[0].deleted_ns, Some(30));
    assert!(ledger.seen().gaps[0].contains("0xc1234567"));
    // The late notification brings the counters, and no second life.
    ledger.note(gone(900), 40);
    let [life] = &ledger.seen().lives[..] else { panic!("one life") };
    assert_eq!((life.sa.bytes, life.deleted_ns), (900, Some(30)));

    let mut ledger = Ledger::new("router");
    ledger.note(held(0), 10);
    assert_eq!(event(FLUSH_SA, &[51, 0, 0, 0, 0, 0, 0, 0]).unwrap(), None);
    ledger.note(event(FLUSH_SA, &[255, 0, 0, 0, 0, 0, 0, 0]).unwrap().unwrap(), 20);
    assert_eq!(ledger.seen().lives[0].deleted_ns, Some(20));
    assert!(ledger.seen().gaps[0].contains("flushed"));

    // Begun unseen: known from its end alone.
    let mut ledger = Ledger::new("router");
    ledger.note(gone(900), 40);
    assert_eq!(
        (ledger.seen().lives[0].added_ns, ledger.seen().lives[0].deleted_ns),
        (1_700_000_000_000_000_000, Some(40))
    );
}

fn spd_entry(direction: u8, protocol: u8) -> spd::ModifyMessage {
    let mut info = UserPolicyInfo { direction, priority: 1234, ..UserPolicyInfo::default() };
    info.selector.source_prefix(&"10.10.0.0".parse().unwrap(), 16);
    info.selector.destination_prefix(&"172.16.10.0".parse().unwrap(), 24);
    let mut template = UserTemplate { reqid: 7, mode: 1, ..UserTemplate::default() };
    template.source(&NEAR.into());
    template.destination(&FAR.into());
    template.protocol(protocol);
    spd::ModifyMessage { user_policy_info: info, nlas: vec![XfrmAttrs::Template(vec![template])] }
}

fn assert_policy(found: &super::Policy, direction: Direction) {
    assert_eq!((found.direction, found.priority, found.allows, found.reqid), (direction, 1234, true, 7));
    assert_eq!((found.source, found.destination), ("10.10.0.0/16".parse().unwrap(), "172.16.10.0/24".parse().unwrap()));
    assert_eq!((found.tunnel_source, found.tunnel_destination), (NEAR, FAR));
}

#[test]
fn a_policy_is_read_if_it_asks_for_esp() {
    for (number, direction) in [(0, Direction::In), (1, Direction::Out), (2, Direction::Forward)] {
        let whole = bytes(&spd_entry(number, 50));
        assert_policy(&parse_policy(&whole).unwrap().unwrap(), direction);
        for length in 0..whole.len() {
            assert!(!matches!(parse_policy(&whole[..length]), Ok(Some(_))));
        }
    }
    assert_eq!(parse_policy(&bytes(&spd_entry(3, 50))).unwrap(), None);
    assert_eq!(parse_policy(&bytes(&spd_entry(1, 51))).unwrap(), None);
    let bare = spd::ModifyMessage { nlas: Vec::new(), ..spd_entry(1, 50) };
    assert_eq!(parse_policy(&bytes(&bare)).unwrap(), None);
}

/// Sends one request to the machine's kernel.
async fn ask(machine: &Machine, kind: u16, body: Vec<u8>) -> Result<()> {
    machine.attempt(&format!("send message {kind}"), move || order(kind, &body)).await
}

fn order(kind: u16, body: &[u8]) -> io::Result<()> {
    let mut request = Vec::new();
    netlink::message(&mut request, kind, NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE, 0, |out| out.extend(body));
    netlink::request(&netlink::open(XFRM, 0)?, &request, |_| Ok(()))
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn this_kernel_tells_policies_and_hides_reserved_spis() {
    in_a_worker(async {
        let machine = Machine::new("router", None).await.unwrap();
        let log = SaLog::start(&machine).await.unwrap();
        assert!(policies(&machine).await.unwrap().is_empty());
        // XFRM_MSG_NEWPOLICY
        ask(&machine, 0x13, bytes(&spd_entry(1, 50))).await.unwrap();
        ask(&machine, 0x13, bytes(&spd_entry(2, 50))).await.unwrap();
        let mut found = policies(&machine).await.unwrap();
        found.sort_by_key(|policy| policy.direction == Direction::Forward);
        assert_eq!(found.len(), 2);
        assert_policy(&found[0], Direction::Out);
        assert_policy(&found[1], Direction::Forward);
        // XFRM_MSG_ALLOCSPI: a daemon reserves the SPI that it is going to offer.
        let spi = UserSpiInfo { info: info(0), min: SPI, max: SPI };
        ask(&machine, 0x16, bytes(&spi)).await.unwrap();
        let held = sas(&machine).await.unwrap();
        assert!(held.sas.is_empty() && held.others.is_empty(), "{held:?}");
        log.refresh().await.unwrap();
        assert_eq!(log.seen(), super::Seen::default());
    });
}

/// A request for an SA under another SPI, which the kernel is to make.
fn order_sa(spi: u32, nlas: Vec<XfrmAttrs>) -> Vec<u8> {
    let mut info = info(0);
    info.id.spi = spi;
    info.replay_window = 32;
    added(info, nlas)
}

/// For tests of other modules.
pub(crate) async fn make_an_sa(machine: &Machine) {
    ask(machine, NEW_SA, order_sa(1, aes_sha1())).await.unwrap();
}

fn order_deletion(spi: u32) -> Vec<u8> {
    bytes(&UserSaId { daddr: info(0).id.daddr, spi, family: 2, proto: 50 })
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn this_kernel_makes_sas_and_the_log_keeps_them() {
    in_a_worker(async {
        let machine = Machine::new("router", None).await.unwrap();
        ask(&machine, NEW_SA, order_sa(1, aes_sha1())).await.unwrap();
        let log = SaLog::start(&machine).await.unwrap();
        let triple = [vec![cipher("cbc(des3_ede)", 24)], hmac("hmac(sha512)", 64, 256).to_vec()].concat();
        ask(&machine, NEW_SA, order_sa(2, triple)).await.unwrap();
        // As strongSwan does: an SPI, then its SA.
        ask(&machine, 0x16, bytes(&UserSpiInfo { info: info(0), min: 3, max: 3 })).await.unwrap();
        ask(&machine, UPDATE_SA, order_sa(3, aes_sha1())).await.unwrap();
        let null = [vec![cipher("ecb(cipher_null)", 0)], hmac("hmac(md5)", 16, 96).to_vec()].concat();
        ask(&machine, NEW_SA, order_sa(4, null)).await.unwrap();
        let held = sas(&machine).await.unwrap();
        let mut suites: Vec<_> = held.sas.iter().map(|sa| (sa.spi, sa.suite())).collect();
        suites.sort_unstable();
        assert_eq!(suites, [(1, "aes128-sha1".into()), (2, "3des-sha512".into()), (3, "aes128-sha1".into())]);
        assert!(held.others[0].contains("0x00000004") && held.others[0].contains("cipher_null"), "{:?}", held.others);
        assert_eq!(held.sas[0].keys().integrity_key.len(), 2 * held.sas[0].integrity.digest_len());
        ask(&machine, DELETE_SA, order_deletion(3)).await.unwrap();
        log.refresh().await.unwrap();
        let seen = log.seen();
        let lives: Vec<_> = seen.lives.iter().map(|life| (life.sa.spi, life.deleted_ns.is_some())).collect();
        assert_eq!(lives, [(1, false), (2, false), (3, true)]);
        assert_eq!((seen.others.len(), seen.gaps.len()), (1, 0), "{seen:?}");
        ask(&machine, FLUSH_SA, vec![50, 0, 0, 0]).await.unwrap();
        log.refresh().await.unwrap();
        let seen = log.seen();
        assert!(seen.lives.iter().all(|life| life.deleted_ns.is_some()));
        assert!(seen.gaps[0].contains("2 SAs were flushed"), "{:?}", seen.gaps);
    });
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn a_machine_that_is_cleared_has_no_sa_and_no_policy_and_its_log_no_gap() {
    in_a_worker(async {
        let machine = Machine::new("router", None).await.unwrap();
        super::clear(&machine).await.unwrap();
        let log = SaLog::start(&machine).await.unwrap();
        for spi in 1..4 {
            ask(&machine, NEW_SA, order_sa(spi, aes_sha1())).await.unwrap();
        }
        ask(&machine, 0x13, bytes(&spd_entry(1, 50))).await.unwrap();
        super::clear(&machine).await.unwrap();
        assert_eq!(sas(&machine).await.unwrap(), super::Held::default());
        assert!(policies(&machine).await.unwrap().is_empty());
        log.refresh().await.unwrap();
        let seen = log.seen();
        assert_eq!(seen.lives.iter().filter(|life| life.deleted_ns.is_some()).count(), 3);
        assert!(seen.gaps.is_empty(), "{:?}", seen.gaps);
    });
}

#[test]
#[ignore = "runs in a guest: see tests/in-guest"]
fn lost_notifications_are_said_and_repaired() {
    in_a_worker(async {
        let machine = Machine::new("router", None).await.unwrap();
        ask(&machine, NEW_SA, order_sa(1, aes_sha1())).await.unwrap();
        let log = SaLog::with_buffer(&machine, 4096).await.unwrap();
        let burst = || -> io::Result<()> {
            (2..200).try_for_each(|spi| order(NEW_SA, &order_sa(spi, aes_sha1())))?;
            (1..199).try_for_each(|spi| order(DELETE_SA, &order_deletion(spi)))
        };
        machine.attempt("make and delete many SAs", burst).await.unwrap();
        log.refresh().await.unwrap();
        let seen = log.seen();
        assert!(seen.gaps[0].contains("dropped notifications"), "{:?}", seen.gaps);
        let living: Vec<_> = seen.lives.iter().filter(|life| life.deleted_ns.is_none()).map(|l| l.sa.spi).collect();
        assert_eq!(living, [199]);
    });
}

#[test]
fn a_trial_is_written_as_another_encoder_writes_it() {
    let mut info = UserSaInfo { mode: 1, family: libc::AF_INET as u16, ..UserSaInfo::default() };
    info.source(&FAR.into());
    info.destination(&NEAR.into());
    (info.id.spi, info.id.proto) = (SPI, 50);
    let limits = &mut info.lifetime_cfg;
    for limit in [
        &mut limits.soft_byte_limit,
        &mut limits.hard_byte_limit,
        &mut limits.soft_packet_limit,
        &mut limits.hard_packet_limit,
    ] {
        *limit = u64::MAX;
    }
    let hash = AlgAuth { alg_name: name("hmac(md5)"), alg_key_len: 128, alg_trunc_len: 96, alg_key: (0..16).collect() };
    let nlas = vec![cipher("cbc(des3_ede)", 24), XfrmAttrs::AuthenticationAlgTrunc(hash)];
    let mut ours = Vec::new();
    trial(&mut ours, SPI, Encryption::TripleDes, Hash::Md5);
    assert_eq!(ours, added(info, nlas));
    for (encryption, hash) in Encryption::ALL.into_iter().flat_map(|e| Hash::ALL.map(|h| (e, h))) {
        let mut ours = Vec::new();
        trial(&mut ours, SPI, encryption, hash);
        let Entry::Esp(sa) = entry(&ours).unwrap() else { panic!("no SA of ours") };
        assert_eq!(sa.suite(), format!("{encryption}-{hash}"));
    }
}
