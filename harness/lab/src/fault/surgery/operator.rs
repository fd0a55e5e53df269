//! What becomes of each message of IKE. Pure: packets in, packets and times out.

use std::time::Duration;

use scenario::fault::{Action, Surgery};

use super::message::{Counter, Numbered, truncated};

#[derive(Default)]
pub(super) struct Operator {
    counter: Counter,
    orders: Vec<Surgery>,
}

/// What becomes of a packet.
pub(super) struct Treated {
    /// What passes, and after how long.
    pub passes: Vec<(Duration, Vec<u8>)>,
    /// What was done, in words; nothing if it passes as it came.
    pub done: Option<String>,
}

impl Operator {
    pub fn order(&mut self, surgery: Surgery) {
        self.orders.push(surgery);
    }

    pub fn treat(&mut self, packet: Vec<u8>) -> Treated {
        let Some(message) = self.counter.count(&packet) else { return whole(packet) };
        let Some(order) = self.orders.iter_mut().find(|order| is_for(order, &message)) else { return whole(packet) };
        order.times -= 1;
        let now = Duration::ZERO;
        let (verb, passes) = match order.action {
            Action::Drop => ("dropped".to_owned(), Vec::new()),
            Action::Delay(by) => (format!("delayed by {} ms", by.as_millis()), vec![(by, packet)]),
            Action::Duplicate => ("duplicated".to_owned(), vec![(now, packet.clone()), (now, packet)]),
            Action::Replay(after) => {
                (format!("replayed after {} ms", after.as_millis()), vec![(now, packet.clone()), (after, packet)])
            }
            Action::Truncate(bytes) => (
                format!("truncated to {bytes} bytes"),
                truncated(&packet, bytes).map(|packet| (now, packet)).into_iter().collect(),
            ),
        };
        let Numbered { exchange, number, from, length } = message;
        let done = format!("{verb}: message {number} of {exchange} from the {from}, {length} bytes");
        Treated { passes, done: Some(done) }
    }
}

fn is_for(order: &Surgery, message: &Numbered) -> bool {
    order.times > 0
        && order.exchange == message.exchange
        && order.number == message.number
        && order.from.is_none_or(|from| from == message.from)
}

fn whole(packet: Vec<u8>) -> Treated {
    Treated { passes: vec![(Duration::ZERO, packet)], done: None }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::Ipv4Addr;

    use scenario::fault::{Exchange, Side};
    use wire::{
        ipv4::{self, protocol},
        udp::Datagram,
    };

    use super::*;

    const ROUTER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 2);
    const CUSTOMER: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 2);

    /// A header whose last byte tells messages of one kind apart.
    fn message(version: u8, exchange: u8, flags: u8, id: u32, content: u8) -> Vec<u8> {
        let mut message = vec![0x11; 28];
        message[16..20].copy_from_slice(&[1, version << 4, exchange, flags]);
        message[20..24].copy_from_slice(&id.to_be_bytes());
        message.extend([content; 100]);
        message
    }

    fn packet(from_cloud: bool, port: u16, payload: &[u8]) -> Vec<u8> {
        let [source, destination] = if from_cloud { [ROUTER, CUSTOMER] } else { [CUSTOMER, ROUTER] };
        let datagram = Datagram { source_port: port, destination_port: port, payload };
        ipv4::emit(protocol::UDP, source, destination, &datagram.emit())
    }

    fn surgery(action: Action, exchange: Exchange, number: u8) -> Surgery {
        Surgery { action, exchange, number, from: None, times: 1 }
    }

    fn ordered(surgery: Surgery) -> Operator {
        let mut operator = Operator::default();
        operator.order(surgery);
        operator
    }

    #[test]
    fn the_second_message_of_a_quick_mode_is_dropped_as_often_as_it_was_said_even_if_it_is_sent_again() {
        let mut operator = ordered(Surgery { times: 2, ..surgery(Action::Drop, Exchange::QuickMode, 2) });
        let mut passes = |from_cloud, id, content| {
            !operator.treat(packet(from_cloud, 500, &message(1, 32, 1, id, content))).passes.is_empty()
        };
        assert!(passes(true, 7, 1));
        assert!(passes(true, 7, 1), "the first, sent again");
        assert!(!passes(false, 7, 2));
        assert!(!passes(false, 7, 2), "the second, sent again");
        assert!(passes(false, 7, 2), "no more than twice");
        assert!(passes(true, 7, 3));
    }

    #[test]
    fn exchanges_are_counted_apart_and_a_side_can_be_asked_for() {
        let wanted =
            Surgery { from: Some(Side::Customer), times: 9, ..surgery(Action::Drop, Exchange::Informational, 1) };
        let mut operator = ordered(wanted);
        let mut drops =
            |from_cloud, message: Vec<u8>| operator.treat(packet(from_cloud, 500, &message)).passes.is_empty();
        assert!(!drops(true, message(1, 5, 1, 1, 1)), "of the cloud");
        assert!(drops(false, message(1, 5, 1, 2, 1)), "another message ID");
        assert!(drops(false, message(2, 37, 0x00, 0, 1)), "a request of version 2");
        assert!(!drops(false, message(2, 37, 0x20, 0, 1)), "an answer");
        assert!(!drops(false, message(1, 2, 0, 0, 1)), "a Main Mode");
    }

    #[test]
    fn a_message_that_is_truncated_is_in_a_packet_whose_lengths_agree() {
        for (port, marker) in [(500, 0), (4500, 4)] {
            let mut operator = ordered(surgery(Action::Truncate(40), Exchange::IkeSaInit, 1));
            let payload = [vec![0; marker], message(2, 34, 8, 0, 9)].concat();
            let treated = operator.treat(packet(true, port, &payload));
            let told = "truncated to 40 bytes: message 1 of ike-sa-init from the cloud, 128 bytes";
            assert_eq!(treated.done.unwrap(), told);
            let [(Duration::ZERO, cut)] = &treated.passes[..] else { panic!("one packet, at once") };
            let ip = ipv4::Packet::parse(cut).unwrap();
            assert_eq!(usize::from(ip.total_len), cut.len());
            assert_eq!(Datagram::parse(ip.payload).unwrap().payload, &payload[..marker + 40]);
        }
    }

    #[test]
    fn times_are_told_and_what_is_no_message_passes_as_it_came() {
        let after = Duration::from_secs(3);
        let mut operator = ordered(surgery(Action::Replay(after), Exchange::MainMode, 1));
        operator.order(surgery(Action::Delay(after), Exchange::MainMode, 2));
        operator.order(surgery(Action::Duplicate, Exchange::MainMode, 3));
        let mut times = |content| {
            let treated = operator.treat(packet(true, 500, &message(1, 2, 0, 0, content)));
            treated.passes.into_iter().map(|(time, _)| time.as_secs()).collect::<Vec<_>>()
        };
        assert_eq!([times(1), times(2), times(3), times(4)], [vec![0, 3], vec![3], vec![0, 0], vec![0]]);
        // ESP in UDP whose SPI and sequence look like the cookie, a keep-alive, and bytes of no kind.
        for other in [packet(true, 4500, &message(1, 2, 0, 0, 7)), packet(true, 4500, &[0xff]), vec![0x45; 30], vec![]]
        {
            let treated = operator.treat(other.clone());
            assert_eq!((treated.passes, treated.done), (vec![(Duration::ZERO, other)], None));
        }
    }
}
