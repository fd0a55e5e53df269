//! Each payload alone: what is written is read again, and told in words.

use proptest::{collection::vec, prelude::*};

use super::super::*;

fn bytes(len: std::ops::Range<usize>) -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), len)
}

fn attribute() -> impl Strategy<Value = Attribute> {
    let value = prop_oneof![any::<u16>().prop_map(Value::Short), bytes(0..9).prop_map(Value::Long)];
    (0..0x8000u16, value).prop_map(|(kind, value)| Attribute { kind, value })
}

fn proposal() -> impl Strategy<Value = Proposal> {
    let transform = (any::<u8>(), any::<u8>(), vec(attribute(), 0..6)).prop_map(|(number, id, attributes)| Transform {
        number,
        id,
        attributes,
    });
    (any::<u8>(), any::<u8>(), bytes(0..9), vec(transform, 1..4))
        .prop_map(|(number, protocol, spi, transforms)| Proposal { number, protocol, spi, transforms })
}

fn identification() -> impl Strategy<Value = Identification> {
    let fixed = |kinds: &'static [u8], len| (proptest::sample::select(kinds), vec(any::<u8>(), len));
    let data = prop_oneof![
        fixed(&[identity::IPV4_ADDR], 4),
        fixed(&[identity::IPV4_ADDR_SUBNET, identity::IPV4_ADDR_RANGE], 8),
        (proptest::sample::select(&[identity::FQDN, identity::USER_FQDN, identity::KEY_ID][..]), bytes(0..40)),
    ];
    (data, any::<u8>(), any::<u16>()).prop_map(|((kind, data), protocol, port)| Identification {
        kind,
        protocol,
        port,
        data,
    })
}

fn delete() -> impl Strategy<Value = Delete> {
    let spis = (1..17usize).prop_flat_map(|len| vec(vec(any::<u8>(), len), 0..5));
    (any::<u32>(), any::<u8>(), spis).prop_map(|(doi, protocol, spis)| Delete { doi, protocol, spis })
}

fn fragment() -> impl Strategy<Value = Fragment> {
    (any::<u16>(), 1..=u8::MAX, any::<bool>(), bytes(0..50)).prop_map(|(id, number, last, data)| Fragment {
        id,
        number,
        last,
        data,
    })
}

fn body() -> impl Strategy<Value = (u8, Body)> {
    let notification = (any::<u32>(), any::<u8>(), bytes(0..17), any::<u16>(), bytes(0..30))
        .prop_map(|(doi, protocol, spi, kind, data)| Notification { doi, protocol, spi, kind, data });
    let sa = (any::<u32>(), any::<u32>(), vec(proposal(), 1..3))
        .prop_map(|(doi, situation, proposals)| SecurityAssociation { doi, situation, proposals });
    prop_oneof![
        sa.prop_map(|sa| (payload::SECURITY_ASSOCIATION, Body::SecurityAssociation(sa))),
        bytes(0..99).prop_map(|public| (payload::KEY_EXCHANGE, Body::KeyExchange(public))),
        bytes(0..99).prop_map(|nonce| (payload::NONCE, Body::Nonce(nonce))),
        identification().prop_map(|identity| (payload::IDENTIFICATION, Body::Identification(identity))),
        bytes(0..64).prop_map(|hash| (payload::HASH, Body::Hash(hash))),
        notification.prop_map(|notification| (payload::NOTIFICATION, Body::Notification(notification))),
        delete().prop_map(|delete| (payload::DELETE, Body::Delete(delete))),
        bytes(0..20).prop_map(|id| (payload::VENDOR_ID, Body::VendorId(id))),
        bytes(0..20)
            .prop_map(|digest| (payload::NAT_D_DRAFT, Body::NatDetection { kind: payload::NAT_D_DRAFT, digest })),
        fragment().prop_map(|piece| (payload::FRAGMENT, Body::Fragment(piece))),
        bytes(0..20).prop_map(|body| (9, Body::Other { kind: 9, body })),
    ]
}

proptest! {
    #[test]
    fn what_is_written_is_read_again((kind, body) in body()) {
        prop_assert_eq!(Body::parse(kind, &body.emit()).unwrap(), body.clone());
        let _ = body.shown();
    }

    #[test]
    fn arbitrary_payloads_of_either_version_never_panic(kind in any::<u8>(), bytes in bytes(0..80)) {
        if let Ok(body) = Body::parse(kind, &bytes) {
            let _ = body.shown();
            prop_assert!(body.emit().len() <= bytes.len());
        }
        let _ = Body::of_version_2(kind, &bytes).shown();
    }
}

#[test]
fn identities_are_told_as_people_write_them() {
    let text = |bytes: &[u8]| Identification::parse(bytes).unwrap().to_string();
    assert_eq!(text(&[4, 0, 0, 0, 172, 16, 10, 0, 255, 255, 255, 0]), "172.16.10.0/24");
    let odd = [4, 17, 0, 53, 172, 16, 10, 0, 255, 0, 255, 0];
    assert_eq!(text(&odd), "type 4 0xac100a00ff00ff00, IP protocol 17, port 53");
    assert_eq!(Identification::parse(&odd).unwrap().network(), None);
    assert_eq!(text(&[7, 0, 0, 0, 10, 0, 0, 1, 10, 0, 0, 9]), "10.0.0.1 to 10.0.0.9");
    assert_eq!(text(b"\x02\x00\x00\x00gateway.example"), "gateway.example");
    assert_eq!(text(&[1, 17, 1, 0xf4, 10, 0, 0, 1]), "10.0.0.1");
    // A tunnel for UDP alone was once told as one for everything.
    assert_eq!(text(&[4, 17, 0, 0, 172, 16, 10, 0, 255, 255, 255, 0]), "172.16.10.0/24, IP protocol 17");
    assert_eq!(text(&[1, 0, 0, 53, 10, 0, 0, 1]), "10.0.0.1, IP protocol 0, port 53");
}

#[test]
fn a_delete_payload_that_claims_spis_without_bytes_is_an_error() {
    assert!(Delete::parse(&[0, 0, 0, 1, 3, 0, 255, 255]).is_err());
    assert!(Delete::parse(&[0, 0, 0, 1, 3, 4, 0, 2, 1, 2, 3, 4]).is_err());
}

#[test]
fn notifications_of_both_versions_have_their_own_names() {
    let lifetime = [0, 0, 0, 1, 3, 4, 0x60, 0, 1, 2, 3, 4, 0x80, 1, 0, 1];
    let shown = Body::parse(payload::NOTIFICATION, &lifetime).unwrap().shown();
    assert_eq!(
        (&shown.name[..], &shown.details[..]),
        ("N", &["RESPONDER-LIFETIME", "data 0x80010001", "ESP SPI 0x01020304"].map(str::to_owned)[..])
    );
    let shown = Body::of_version_2(41, &[0, 0, 0x40, 4, 9, 9]).shown();
    assert_eq!(shown.details, ["NAT_DETECTION_SOURCE_IP"]);
}
