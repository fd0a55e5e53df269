//! ESP against packets that others made, and against itself: those with MD5 and SHA-1 are from `openssl enc` and
//! Python's hmac, those with SHA-2 from scapy 2.8 (`scapy.layers.ipsec.SecurityAssociation`).
#![allow(clippy::unwrap_used)]

use policy::{Encryption, Hash};
use proptest::{collection::vec, prelude::*, sample::Index};

use super::*;
use crate::{Error, audit::SaKeys, hex};

/// Of which each algorithm takes as many bytes as it needs.
const ENCRYPTION_KEY: &str = "3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea";
const INTEGRITY_KEY: &str = "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\
                             3e23e8160039594a33894f6564e1b1348bbd7a0088d42c4acb73eeaed59c009d";
/// An echo request from 10.10.1.2 to 172.16.10.2.
const INNER: &str = "45000020123440004001678b0a0a0102ac100a020800f7ff0000000070696e67";

fn sa(encryption: Encryption, integrity: Hash) -> SaKeys {
    SaKeys {
        spi: 0xc0ff_ee00,
        source: [192, 0, 2, 1].into(),
        destination: [192, 0, 2, 2].into(),
        encryption,
        encryption_key: ENCRYPTION_KEY[..2 * encryption.key_len()].to_owned(),
        integrity,
        integrity_key: INTEGRITY_KEY[..2 * integrity.digest_len()].to_owned(),
        added_ns: None,
        deleted_ns: None,
    }
}

fn keys(encryption: Encryption, integrity: Hash) -> Keys {
    Keys::try_from(&sa(encryption, integrity)).unwrap()
}

#[test]
fn packets_that_others_sealed_are_opened_and_sealed_alike() {
    let vectors = [
        (
            Encryption::TripleDes,
            Hash::Md5,
            "c0ffee0100000007a0a1a2a3a4a5a6a7a3c6925c1563783b55f5d694f0162ad3133697730816a1310e075cb5896eae5bd2fcf5fba4331791846dc7adc3b9412e69941b62",
        ),
        (
            Encryption::Aes128,
            Hash::Sha1,
            "c0ffee0200000008a0a1a2a3a4a5a6a7a8a9aaabacadaeaf35b353febac8cfd9ea4f55f0eecfe1005d08d14626451e454fedbcebdf9488ab1855efc420e1320b4b395dc23dafe39db26904ea98a6a6e0e450aaa1",
        ),
        (
            Encryption::Aes192,
            Hash::Md5,
            "c0ffee0300000009a0a1a2a3a4a5a6a7a8a9aaabacadaeaf115e18639733585514b3dd4b5bcf05080e3643171bbfd2e19551a08edb48149248654a8ab082c84918f476a2d3afa502393a930e004239b3c83aa3f2",
        ),
        (
            Encryption::Aes256,
            Hash::Sha1,
            "c0ffee040000000aa0a1a2a3a4a5a6a7a8a9aaabacadaeaf6e7cd15fa9c103e496dabe9997d381f85cc4edfbacf72b89c2fc3f26fd75e4c2989b74957dcda2fb2c8d5899967f6c02ec37d0347a36e38c5925b0cf",
        ),
        (
            Encryption::Aes256,
            Hash::Sha256,
            "c0ffee050000000ba0a1a2a3a4a5a6a7a8a9aaabacadaeaf6e7cd15fa9c103e496dabe9997d381f85cc4edfbacf72b89c2fc3f26fd75e4c2989b74957dcda2fb2c8d5899967f6c02e90eea5c481a191800aab3a453a4b8c7",
        ),
        (
            Encryption::Aes128,
            Hash::Sha384,
            "c0ffee060000000ca0a1a2a3a4a5a6a7a8a9aaabacadaeaf35b353febac8cfd9ea4f55f0eecfe1005d08d14626451e454fedbcebdf9488ab1855efc420e1320b4b395dc23dafe39d11a4cf03589ddd7df30bd3ff9fef93045123ae946104dd80",
        ),
        (
            Encryption::TripleDes,
            Hash::Sha512,
            "c0ffee070000000da0a1a2a3a4a5a6a7a3c6925c1563783b55f5d694f0162ad3133697730816a1310e075cb5896eae5bd2fcf5fba4331791cb7200d9ac986046f6e6ac3f917af668e5ce7c34ec69e27388fbd7e406d7de5b",
        ),
    ];
    let inner = hex::decode(INNER).unwrap();
    for (i, (encryption, integrity, packet)) in vectors.into_iter().enumerate() {
        let (keys, packet) = (keys(encryption, integrity), hex::decode(packet).unwrap());
        let (spi, sequence) = (0xc0ff_ee01 + i as u32, 7 + i as u32);
        assert_eq!(open(&keys, &packet), Ok(Opened { sequence, next_header: 4, inner: inner.clone() }));
        let header = Packet::parse(&packet).unwrap();
        assert_eq!((header.spi, header.sequence), (spi, sequence));
        let iv = &packet[8..8 + encryption.block_len()];
        assert_eq!(seal(&keys, spi, sequence, iv, 4, &inner).unwrap(), packet);
    }
}

fn suites() -> impl Strategy<Value = (Encryption, Hash)> {
    (prop::sample::select(&Encryption::ALL[..]), prop::sample::select(&Hash::ALL[..]))
}

proptest! {
    #[test]
    fn what_was_sealed_is_opened_and_any_flipped_bit_is_found(
        (encryption, integrity) in suites(),
        sequence in any::<u32>(),
        inner in vec(any::<u8>(), 0..120),
        iv in any::<[u8; 16]>(),
        bit in any::<Index>(),
    ) {
        let keys = keys(encryption, integrity);
        let mut packet = seal(&keys, 77, sequence, &iv[..encryption.block_len()], 4, &inner).unwrap();
        prop_assert_eq!(open(&keys, &packet), Ok(Opened { sequence, next_header: 4, inner }));
        let bit = bit.index(8 * packet.len());
        packet[bit / 8] ^= 1 << (bit % 8);
        prop_assert_eq!(open(&keys, &packet), Err(OpenError::WrongIntegrity));
    }

    #[test]
    fn arbitrary_bytes_are_refused((encryption, integrity) in suites(), bytes in vec(any::<u8>(), 0..150)) {
        prop_assert!(open(&keys(encryption, integrity), &bytes).is_err());
        let _ = Encapsulated::parse(&bytes);
    }

    /// As a peer with the right keys, and a wrong idea of RFC 4303, might seal them.
    #[test]
    fn authentic_nonsense_is_refused_without_a_panic(
        (encryption, integrity) in suites(), text in vec(any::<u8>(), 0..100),
    ) {
        let keys = keys(encryption, integrity);
        let mut packet = [&[0; 8][..], &text].concat();
        packet.extend(keys.icv(&packet));
        if let Err(e) = open(&keys, &packet) {
            prop_assert_ne!(e, OpenError::WrongIntegrity);
        }
    }
}

#[test]
fn padding_that_does_not_count_up_is_refused() {
    let keys = keys(Encryption::Aes128, Hash::Sha1);
    let mut packet = [&[0; 8][..], &[9; 16]].concat();
    packet.extend(keys.encrypt(&[9; 16], &[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 3, 3, 4, 4]).unwrap());
    packet.extend(keys.icv(&packet));
    assert_eq!(open(&keys, &packet), Err(OpenError::Padding { length: 4 }));
    assert_eq!(open(&keys, &packet[..20]), Err(OpenError::ShortPacket { has: 20, needs: 52 }));
    let keys = self::keys(Encryption::Aes128, Hash::Sha512);
    assert_eq!(open(&keys, &packet), Err(OpenError::ShortPacket { has: 52, needs: 72 }));
}

#[test]
fn keys_of_a_wrong_form_are_named() {
    let good = sa(Encryption::Aes256, Hash::Sha1);
    let short = SaKeys { encryption_key: "00ff".to_owned(), ..good.clone() };
    let expected = Error::KeyLength { spi: good.spi, what: "encryption", algorithm: "aes256", found: 2, needs: 32 };
    assert_eq!(Keys::try_from(&short).err(), Some(expected));
    let odd = SaKeys { integrity_key: "0x0".to_owned(), ..good };
    assert_eq!(Keys::try_from(&odd).err(), Some(Error::KeyDigits { spi: odd.spi, what: "integrity" }));
}

#[test]
fn port_4500_carries_three_things() {
    assert_eq!(Encapsulated::parse(&[0xff]), Ok(Encapsulated::Keepalive));
    assert_eq!(Encapsulated::parse(&[0, 0, 0, 0, 9]), Ok(Encapsulated::Isakmp(&[9])));
    let bytes = [0, 0, 0, 1, 0, 0, 0, 2, 3];
    assert_eq!(Encapsulated::parse(&bytes), Ok(Encapsulated::Esp(Packet { spi: 1, sequence: 2, bytes: &bytes })));
}
