//! Whole conversations with a pre-shared key, each with two Quick Modes (the initiator's with perfect forward secrecy,
//! then the responder's without), dead peer detection and a deletion. The fixtures were made by a program in Python
//! that shares nothing with this one: `hmac` and `hashlib` for SKEYID and all that follows from it, `pow()` for group 2,
//! the package `cryptography` for the ciphers. It wrote down each key that it used, and Wireshark reads the same payloads
//! with them.

use std::net::Ipv4Addr;

use proptest::{collection::vec, prelude::*};

use super::super::*;
use crate::{
    Error,
    audit::{EncryptionKey, IkeKeys, Sealed},
    hex,
};

const INITIATOR: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const RESPONDER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

const CONVERSATIONS: [&str; 3] = [
    include_str!("../../../fixtures/ike/aes128-sha1.txt"),
    include_str!("../../../fixtures/ike/3des-md5.txt"),
    include_str!("../../../fixtures/ike/aes256-sha256.txt"),
];

/// By the same other program: Aggressive Mode, whose third message is encrypted in one and in clear in the other, a Quick
/// Mode of the initiator, and a question of the responder whether the other end is there.
const AGGRESSIVE: [(&str, Sealed); 2] = [
    (include_str!("../../../fixtures/ike/aggressive-sealed.txt"), Sealed::Authenticated),
    (include_str!("../../../fixtures/ike/aggressive-clear.txt"), Sealed::Clear),
];

/// A fixture: a word and hexadecimal digits in each line.
struct Conversation(Vec<(&'static str, &'static str)>);

impl Conversation {
    fn new(text: &'static str) -> Self {
        Self(text.lines().filter_map(|line| line.split_once(' ')).collect())
    }

    fn all(&self, word: &str) -> Vec<String> {
        self.0.iter().filter(|(found, _)| *found == word).map(|(_, digits)| digits.to_string()).collect()
    }

    fn one(&self, word: &str) -> Vec<u8> {
        hex::decode(&self.all(word)[0]).unwrap()
    }

    fn messages(&self) -> Vec<(Ipv4Addr, Vec<u8>)> {
        let source = |word| match word {
            "i" => Some(INITIATOR),
            "r" => Some(RESPONDER),
            _ => None,
        };
        self.0.iter().filter_map(|(word, digits)| Some((source(*word)?, hex::decode(digits)?))).collect()
    }

    fn keys(&self) -> IkeKeys {
        IkeKeys { pre_shared_keys: self.all("psk"), shared_secrets: self.all("secrets"), encryption_keys: Vec::new() }
    }
}

fn see(sessions: &mut Sessions, (source, bytes): &(Ipv4Addr, Vec<u8>)) -> Seen {
    sessions.see(*source, &Message::parse(bytes).unwrap()).unwrap()
}

fn key_of(sessions: &Sessions, sa: usize) -> Option<Vec<u8>> {
    hex::decode(&sessions.encryption_key(sa)?.key)
}

fn names(seen: &Seen) -> Vec<String> {
    seen.payloads.iter().map(|payload| payload.shown().name).collect()
}

#[test]
fn a_conversation_is_read_and_every_hash_in_it_is_the_right_one() {
    for text in CONVERSATIONS {
        let conversation = Conversation::new(text);
        let (mut sessions, errors) = Sessions::new(&conversation.keys());
        assert_eq!(errors, []);
        let seen: Vec<_> = conversation.messages().iter().map(|message| see(&mut sessions, message)).collect();
        assert!(seen.iter().all(|seen| seen.sa == Some(0) && !seen.retransmission && !seen.wrong_hash));
        assert!(seen[..4].iter().all(|seen| seen.sealed == Sealed::Clear));
        assert!(seen[4..].iter().all(|seen| seen.sealed == Sealed::Authenticated), "{seen:#?}");
        let ordinals: Vec<_> = seen.iter().map(|seen| seen.ordinal).collect();
        assert_eq!(ordinals, [1, 2, 3, 4, 5, 6, 1, 2, 3, 1, 2, 3, 1, 1, 1]);
        assert_eq!(names(&seen[4]), ["ID", "HASH", "N"]);
        assert_eq!(names(&seen[6]), ["HASH", "SA", "NONCE", "KE", "ID", "ID"]);
        assert_eq!(names(&seen[9]), ["HASH", "SA", "NONCE", "ID", "ID"]);
        assert_eq!(seen[4].payloads[0].shown().details, ["203.0.113.1"]);
        assert_eq!(seen[4].payloads[2].shown().details[0], "INITIAL-CONTACT");
        assert_eq!(seen[7].payloads[4].shown().details, ["10.1.0.0/16"]);
        assert_eq!(seen[12].payloads[1].shown().details[..2], ["R-U-THERE", "sequence number 4711"]);
        assert_eq!(seen[14].payloads[1].shown().details, ["ESP SPI 0xc0000001"]);
        assert_eq!(key_of(&sessions, 0), Some(conversation.one("ka")));
    }
}

#[test]
fn the_keys_of_quick_modes_are_those_that_the_other_program_derived() {
    for text in CONVERSATIONS {
        let conversation = Conversation::new(text);
        let (mut sessions, _) = Sessions::new(&conversation.keys());
        conversation.messages().iter().for_each(|message| drop(see(&mut sessions, message)));
        for (message_id, spi) in [
            (0x1122_3344, 0xc000_0001),
            (0x1122_3344, 0xc000_0002),
            (0x5566_7788, 0xc000_0003),
            (0x5566_7788, 0xc000_0004),
        ] {
            let expected = conversation.one(&format!("keymat_{spi:08x}"));
            let fits = |keymat: &[u8]| keymat == expected;
            assert_eq!(sessions.key_material_fits(0, message_id, spi, expected.len(), fits), Some(true));
            assert_eq!(sessions.key_material_fits(0, message_id, spi + 8, expected.len(), fits), Some(false));
        }
        assert_eq!(sessions.key_material_fits(0, 7, 0xc000_0001, 36, |_| true), None);
    }
}

#[test]
fn a_message_sent_again_moves_no_vector() {
    let conversation = Conversation::new(CONVERSATIONS[0]);
    let (mut sessions, _) = Sessions::new(&conversation.keys());
    let mut before: Vec<(Ipv4Addr, Vec<u8>)> = Vec::new();
    for message in conversation.messages() {
        let ordinal = see(&mut sessions, &message).ordinal;
        before.push(message);
        for again in before.iter().rev().take(3) {
            assert!(see(&mut sessions, again).retransmission);
        }
        assert_eq!(see(&mut sessions, &before[before.len() - 1]).ordinal, ordinal);
    }
    let last = conversation.messages().pop().unwrap();
    assert!(see(&mut sessions, &last).retransmission);
}

#[test]
fn among_many_keys_the_right_one_is_found_and_without_it_a_message_stays_closed() {
    let conversation = Conversation::new(CONVERSATIONS[2]);
    let mut keys = conversation.keys();
    let wrong = |index: u32| format!("{:0256x}", 0x0123_4567_89ab + u128::from(index));
    keys.shared_secrets = (0..200).map(wrong).chain(keys.shared_secrets).chain((200..300).map(wrong)).collect();
    keys.pre_shared_keys.insert(0, "00".to_owned());
    let messages = conversation.messages();
    let (mut sessions, _) = Sessions::new(&keys);
    let seen: Vec<_> = messages.iter().map(|message| see(&mut sessions, message)).collect();
    assert!(seen[4..].iter().all(|seen| seen.sealed == Sealed::Authenticated));

    keys.pre_shared_keys.pop();
    let (mut sessions, _) = Sessions::new(&keys);
    let seen: Vec<_> = messages.iter().map(|message| see(&mut sessions, message)).collect();
    for seen in &seen[4..] {
        assert_eq!((seen.sealed, seen.payloads.len()), (Sealed::Closed, 0));
        assert!(seen.closed.is_some());
    }
    assert_eq!(key_of(&sessions, 0), None);

    let (mut sessions, _) = Sessions::new(&IkeKeys::default());
    let seen: Vec<_> = messages.iter().map(|message| see(&mut sessions, message)).collect();
    assert!(seen[14].closed.is_some());
}

#[test]
fn a_key_of_the_cipher_alone_opens_and_authenticates_nothing() {
    for text in CONVERSATIONS {
        let conversation = Conversation::new(text);
        let messages = conversation.messages();
        let line =
            EncryptionKey { initiator_cookie: hex::encode(&messages[0].1[..8]), key: conversation.all("ka").remove(0) };
        let (mut sessions, _) = Sessions::new(&IkeKeys { encryption_keys: vec![line], ..IkeKeys::default() });
        let seen: Vec<_> = messages.iter().map(|message| see(&mut sessions, message)).collect();
        assert!(seen[4..].iter().all(|seen| seen.sealed == Sealed::Opened && !seen.wrong_hash));
        assert_eq!(sessions.key_material_fits(0, 0x1122_3344, 0xc000_0001, 36, |_| true), None);
    }
}

#[test]
fn a_message_that_was_changed_under_way_is_not_authenticated_and_the_next_one_is() {
    let conversation = Conversation::new(CONVERSATIONS[0]);
    let messages = conversation.messages();
    let (mut sessions, _) = Sessions::new(&conversation.keys());
    messages[..7].iter().for_each(|message| drop(see(&mut sessions, message)));
    for (message, ordinal) in messages[7..].iter().zip([2, 3, 1, 2, 3, 1, 1]) {
        let mut changed = message.clone();
        let end = changed.1.len();
        changed.1[end - 1] ^= 1;
        let seen = see(&mut sessions, &changed);
        assert!(seen.wrong_hash || seen.sealed == Sealed::Closed);
        let seen = see(&mut sessions, message);
        assert_eq!((seen.sealed, seen.wrong_hash, seen.ordinal), (Sealed::Authenticated, false, ordinal));
    }
    // The header's message ID gives the vector of the first block, in which the chain begins.
    let mut changed = messages[14].clone();
    changed.1[20] ^= 1;
    assert_eq!(see(&mut sessions, &changed).sealed, Sealed::Closed);
}

#[test]
fn what_follows_aggressive_mode_is_read_whether_its_third_message_is_encrypted_or_not() {
    for (text, third) in AGGRESSIVE {
        let conversation = Conversation::new(text);
        let mut keys = conversation.keys();
        // Others are tried before the right ones.
        keys.pre_shared_keys.insert(0, "00".to_owned());
        keys.shared_secrets.insert(0, "5a".repeat(128));
        let (mut sessions, _) = Sessions::new(&keys);
        let seen: Vec<_> = conversation.messages().iter().map(|message| see(&mut sessions, message)).collect();
        assert!(seen.iter().all(|seen| seen.sa == Some(0) && !seen.wrong_hash && !seen.retransmission));
        let sealed: Vec<_> = seen.iter().map(|seen| seen.sealed).collect();
        let (clear, authenticated) = (Sealed::Clear, Sealed::Authenticated);
        assert_eq!(sealed, [clear, clear, third, authenticated, authenticated, authenticated, authenticated]);
        let ordinals: Vec<_> = seen.iter().map(|seen| seen.ordinal).collect();
        assert_eq!(ordinals, [1, 2, 3, 1, 2, 3, 1]);
        assert_eq!(names(&seen[1]), ["SA", "KE", "NONCE", "ID", "HASH"]);
        assert_eq!(names(&seen[2]), ["HASH"]);
        assert_eq!(names(&seen[3]), ["HASH", "SA", "NONCE", "ID", "ID"]);
        assert_eq!(seen[6].payloads[1].shown().details[..2], ["R-U-THERE", "sequence number 4711"]);
        assert_eq!(key_of(&sessions, 0), Some(conversation.one("ka")));
        for spi in [0xc000_0001, 0xc000_0002] {
            let expected = conversation.one(&format!("keymat_{spi:08x}"));
            let fits = |keymat: &[u8]| keymat == expected;
            assert_eq!(sessions.key_material_fits(0, 0x1122_3344, spi, expected.len(), fits), Some(true));
        }

        // Wireshark's key opens as much.
        let cookie = hex::encode(&conversation.messages()[0].1[..8]);
        let line = EncryptionKey { initiator_cookie: cookie, key: conversation.all("ka").remove(0) };
        let (mut sessions, _) = Sessions::new(&IkeKeys { encryption_keys: vec![line], ..IkeKeys::default() });
        let seen: Vec<_> = conversation.messages().iter().map(|message| see(&mut sessions, message)).collect();
        assert!(seen[3..].iter().all(|seen| seen.sealed == Sealed::Opened), "{seen:#?}");
    }
}

#[test]
fn without_its_pre_shared_key_what_follows_aggressive_mode_stays_closed() {
    for (text, _) in AGGRESSIVE {
        let conversation = Conversation::new(text);
        let mut keys = conversation.keys();
        keys.pre_shared_keys = vec!["00".to_owned()];
        let (mut sessions, _) = Sessions::new(&keys);
        let seen: Vec<_> = conversation.messages().iter().map(|message| see(&mut sessions, message)).collect();
        for seen in &seen[3..] {
            assert_eq!((seen.sealed, seen.payloads.len()), (Sealed::Closed, 0));
            assert_eq!(seen.closed.as_deref(), Some("none of the keys that were given opens it"));
        }
    }
}

#[test]
fn a_third_message_of_aggressive_mode_with_a_wrong_hash_opens_nothing() {
    let conversation = Conversation::new(AGGRESSIVE[0].0);
    let mut messages = conversation.messages();
    // In its first block, which the hash begins in.
    messages[2].1[28 + 6] ^= 1;
    let (mut sessions, _) = Sessions::new(&conversation.keys());
    let seen: Vec<_> = messages.iter().map(|message| see(&mut sessions, message)).collect();
    assert!(seen[2..].iter().all(|seen| seen.sealed == Sealed::Closed), "{seen:#?}");
}

/// A conversation in which another responder answers first: that answer has the first SA, and all from the other answer
/// on the second.
fn with_another_answer_before(text: &'static str) -> Vec<Seen> {
    let conversation = Conversation::new(text);
    let messages = conversation.messages();
    let (mut sessions, _) = Sessions::new(&conversation.keys());
    see(&mut sessions, &messages[0]);
    let mut other = messages[1].clone();
    other.1[8] ^= 1;
    assert_eq!(see(&mut sessions, &other).sa, Some(0));
    let seen: Vec<_> = messages[1..].iter().map(|message| see(&mut sessions, message)).collect();
    assert!(seen.iter().all(|seen| seen.sa == Some(1)));
    seen
}

#[test]
fn a_second_responder_of_aggressive_mode_is_answered_with_the_same_public_value() {
    let seen = with_another_answer_before(AGGRESSIVE[0].0);
    assert!(seen[1..].iter().all(|seen| seen.sealed == Sealed::Authenticated), "{seen:#?}");
}

#[test]
fn a_second_answer_to_one_offer_makes_a_second_sa() {
    let seen = with_another_answer_before(CONVERSATIONS[0]);
    assert_eq!(seen[0].ordinal, 2);
    assert_eq!(seen[5].sealed, Sealed::Authenticated);
}

#[test]
fn version_2_is_never_taken_for_version_1() {
    let conversation = Conversation::new(CONVERSATIONS[0]);
    let (mut sessions, _) = Sessions::new(&conversation.keys());
    let offer = (INITIATOR, hex::decode(super::OFFER_2).unwrap());
    let answer = (RESPONDER, hex::decode(super::ANSWER_2).unwrap());
    let [offer_seen, answer_seen] = [&offer, &answer].map(|message| see(&mut sessions, message));
    assert_eq!(names(&offer_seen), ["SA", "KE", "NONCE", "VID"]);
    assert_eq!((offer_seen.ordinal, answer_seen.ordinal, answer_seen.sa), (1, 2, None));
}

#[test]
fn an_informational_message_of_no_known_sa_belongs_to_none() {
    let conversation = Conversation::new(CONVERSATIONS[0]);
    let (mut sessions, _) = Sessions::new(&conversation.keys());
    let seen = see(&mut sessions, &conversation.messages()[12]);
    assert_eq!((seen.sa, seen.sealed), (None, Sealed::Closed));
}

#[test]
fn an_authentic_message_that_is_malformed_is_an_error() {
    for text in CONVERSATIONS {
        let conversation = Conversation::new(text);
        let (mut sessions, _) = Sessions::new(&conversation.keys());
        conversation.messages().iter().for_each(|message| drop(see(&mut sessions, message)));
        // A delete payload with one SPI that claims nine.
        let bytes = conversation.one("malformed");
        let message = Message::parse(&bytes).unwrap();
        let error = sessions.see(RESPONDER, &message).unwrap_err();
        assert!(matches!(error, Error::Field { field: "SPI count", found: 9, .. }), "{error}");
        assert!(sessions.see(RESPONDER, &message).unwrap().retransmission);
    }
}

#[test]
fn a_new_phase_1_that_the_other_end_begins_is_an_sa_of_its_own() {
    let [first, second] = [0, 1].map(|index| Conversation::new(CONVERSATIONS[index]));
    let mut keys = second.keys();
    keys.shared_secrets.extend(first.keys().shared_secrets);
    let (mut sessions, _) = Sessions::new(&keys);
    let swap = |(source, bytes): (Ipv4Addr, Vec<u8>)| (if source == INITIATOR { RESPONDER } else { INITIATOR }, bytes);
    // The old one still lives while the new one begins.
    for (old, new) in first.messages().into_iter().zip(second.messages().into_iter().map(swap)) {
        for (sa, message) in [(0, old), (1, new)] {
            let seen = see(&mut sessions, &message);
            assert_eq!(seen.sa, Some(sa));
            assert!(matches!(seen.sealed, Sealed::Clear | Sealed::Authenticated));
        }
    }
    assert_eq!(key_of(&sessions, 0), Some(first.one("ka")));
    assert_eq!(key_of(&sessions, 1), Some(second.one("ka")));
}

proptest! {
    #[test]
    fn changed_conversations_never_panic(
        which in 0..5usize,
        changes in vec((0..15usize, any::<usize>(), any::<u8>()), 1..6),
    ) {
        let all = CONVERSATIONS.into_iter().chain(AGGRESSIVE.map(|(text, _)| text));
        let conversation = Conversation::new(all.clone().nth(which).unwrap_or_default());
        let mut messages = conversation.messages();
        for (message, at, value) in changes {
            let count = messages.len();
            let bytes = &mut messages[message % count].1;
            let len = bytes.len();
            bytes[at % len] = value;
        }
        let (mut sessions, _) = Sessions::new(&conversation.keys());
        for (source, bytes) in &messages {
            if let Ok(message) = Message::parse(bytes)
                && let Ok(seen) = sessions.see(*source, &message)
            {
                seen.payloads.iter().for_each(|payload| drop(payload.shown()));
            }
        }
        let _ = sessions.key_material_fits(0, 0x1122_3344, 0xc000_0001, 36, |_| false);
    }
}
