//! tshark is the referee: of each packet of a cell's capture it has to say what we say, field by field.

use std::{
    collections::{BTreeMap, HashMap},
    fs,
    path::Path,
    process::Command,
};

use libtest_mimic::Failed;
use wire::{
    audit::{Account, Facts, Side},
    esp::{self, Carried, Encapsulated, Keys},
    ethernet, hex,
    ipv4::{self, protocol},
    isakmp::{self, Message, Sessions, exchange},
    pcapng::{self, Capture, Frame},
    udp::Datagram,
};

/// Whether tshark is there.
pub fn is_here() -> bool {
    Command::new("tshark").arg("--version").output().is_ok()
}

/// `is_whole` if each message of IKE arrives that is sent: tshark opens what follows in its chain (RFC 2409 appendix B), so
/// one that it never sees, or sees at one of two points, leaves it with nothing to say of the next.
pub fn agrees(folder: &Path, account: &Account, is_whole: bool) -> Result<(), Failed> {
    let facts: Facts = serde_json::from_slice(&fs::read(folder.join("keys/facts.json"))?)?;
    let capture = pcapng::read(&fs::read(folder.join("capture.pcapng"))?)?;
    on_esp(folder, &capture, &facts)?;
    if !is_whole {
        return Ok(());
    }
    let messages = on_ike(folder, &capture, &facts)?;
    on_answers(account, &messages)
}

/// Number, SPI, sequence number, whether the integrity check value is right, and the addresses and ports inside.
const ESP_FIELDS: [&str; 7] =
    ["frame.number", "esp.spi", "esp.sequence", "esp.icv_good", "ip.src", "ip.dst", "udp.dstport"];

fn on_esp(folder: &Path, capture: &Capture, facts: &Facts) -> Result<(), Failed> {
    let keys: HashMap<_, _> = facts
        .sas
        .iter()
        .map(|sa| Ok(((sa.spi, sa.destination), Keys::try_from(sa)?)))
        .collect::<Result<_, Failed>>()?;
    let mut ours = Vec::new();
    for frame in internet(capture) {
        let Some(Carried { outer, sealed, .. }) = Carried::within(frame) else { continue };
        let keys = keys.get(&(sealed.spi, outer.destination)).ok_or("an ESP packet of no SA")?;
        let opened = esp::open(keys, sealed.bytes)?;
        let inner = ipv4::Packet::parse(&opened.inner)?;
        let port = Datagram::parse(inner.payload)?.destination_port;
        ours.push([
            frame.number.to_string(),
            format!("{:#010x}", sealed.spi),
            sealed.sequence.to_string(),
            "1".to_owned(),
            inner.source.to_string(),
            inner.destination.to_string(),
            port.to_string(),
        ]);
    }
    // An ICMP error quotes the packet that it is about.
    let mut theirs = tshark(folder, &folder.join("capture.pcapng"), "esp && !icmp", &ESP_FIELDS)?;
    for line in &mut theirs {
        // Of what is there twice, outside and inside, the inside counts.
        for field in line.iter_mut() {
            *field = field.rsplit(',').next().unwrap_or_default().replace("True", "1");
        }
    }
    same("ESP", &ours, &theirs)
}

/// What tshark says of a message, by the number of its frame in the cell's capture.
type Messages = BTreeMap<u64, HashMap<&'static str, String>>;

const IKE_FIELDS: [&str; 19] = [
    "frame.number",
    "isakmp.ispi",
    "isakmp.rspi",
    "isakmp.exchangetype",
    "isakmp.messageid",
    "isakmp.length",
    "isakmp.typepayload",
    "isakmp.ike.attr.encryption_algorithm",
    "isakmp.ike.attr.key_length",
    "isakmp.ike.attr.hash_algorithm",
    "isakmp.ike.attr.group_description",
    "isakmp.ike.attr.life_duration",
    "isakmp.trans.id",
    "isakmp.ipsec.attr.key_length",
    "isakmp.ipsec.attr.auth_algorithm",
    "isakmp.ipsec.attr.group_description",
    "isakmp.ipsec.attr.life_duration",
    "isakmp.spi",
    "isakmp.id.data.ipv4_subnet",
];

/// Compares headers and payload types of every message. tshark takes a message that it sees at a second capture point
/// for the next one of its chain, and cannot open it; so it is given those of one point.
fn on_ike(folder: &Path, capture: &Capture, facts: &Facts) -> Result<Messages, Failed> {
    let (mut sessions, unusable) = Sessions::new(&facts.ike);
    if let Some(e) = unusable.first() {
        return Err(e.to_string().into());
    }
    let mut homes = HashMap::new();
    let mut ours = Vec::new();
    let mut numbers = Vec::new();
    let mut writer = pcapng::Writer::new(Vec::new())?;
    let point = writer.add_point("one", Side::Internet)?;
    for frame in internet(capture) {
        let Some((packet, bytes)) = isakmp_message(frame) else { continue };
        let message = Message::parse(bytes)?;
        if *homes.entry(message.initiator_cookie).or_insert(frame.point) != frame.point {
            continue;
        }
        writer.write_frame(point, frame.time_ns, frame.original_len, &frame.data)?;
        numbers.push(frame.number);
        let seen = sessions.see(packet.source, &message)?;
        let payloads: Vec<_> = seen.payloads.iter().map(|body| body.shown().name).collect();
        // What stays closed, and what was sent again, tells no payloads.
        let told = seen.closed.is_none() && !seen.retransmission;
        ours.push([
            hex::encode(&message.initiator_cookie),
            hex::encode(&message.responder_cookie),
            exchange::name(message.exchange),
            format!("{:#010x}", message.message_id),
            message.length.to_string(),
            if told { payloads.join(",") } else { "closed".to_owned() },
        ]);
    }
    let file = folder.join("keys/one-point.pcapng");
    fs::write(&file, writer.into_inner())?;
    let lines = tshark(folder, &file, "isakmp", &IKE_FIELDS);
    fs::remove_file(&file)?;
    let lines = lines?;
    let mut theirs = Vec::new();
    let mut messages = Messages::new();
    for (line, ours) in lines.into_iter().zip(&ours) {
        let [number, cookies @ .., _, _, _, _, _, _, _, _, _, _, _, _, _, _, _, _] = &line[..] else {
            return Err(format!("tshark printed {line:?}").into());
        };
        let number: usize = number.parse()?;
        let kind: u8 = line[3].parse()?;
        let is_told = ours[5] != "closed";
        theirs.push([
            cookies[0].clone(),
            line[2].clone(),
            exchange::name(kind),
            line[4].clone(),
            line[5].clone(),
            if is_told { payload_names(&line[6]) } else { "closed".to_owned() },
        ]);
        let number = *numbers.get(number - 1).ok_or("tshark counts a frame that is not there")?;
        messages.insert(number, IKE_FIELDS.into_iter().zip(line).collect());
    }
    same("IKE", &ours, &theirs)?;
    Ok(messages)
}

/// The types as RFC 2408 and RFC 7296 number them; proposals and transforms are inside of SA.
fn payload_names(numbers: &str) -> String {
    let name = |number: &str| match number {
        "1" | "33" => "SA",
        "4" | "34" => "KE",
        "5" => "ID",
        "8" => "HASH",
        "10" | "40" => "NONCE",
        "11" | "41" => "N",
        "12" | "42" => "D",
        "13" | "43" => "VID",
        "20" => "NAT-D",
        "46" => "SK",
        _ => "?",
    };
    numbers.split(',').filter(|number| !["2", "3"].contains(number)).map(name).collect::<Vec<_>>().join(",")
}

/// Compares the attributes of what was chosen, in phase 1 and in each Quick Mode.
fn on_answers(account: &Account, messages: &Messages) -> Result<(), Failed> {
    let optional = |number: Option<u64>| number.map_or(String::new(), |number| number.to_string());
    for negotiation in account.negotiations.iter().filter(|negotiation| negotiation.version == policy::Version::V1) {
        if let (Some(chosen), Some(answer)) = (&negotiation.chosen, negotiation.answer_frame) {
            let theirs = messages.get(&answer).ok_or("tshark sees no answer of phase 1")?;
            let cipher = chosen.encryption.map(|cipher| if cipher.block_len() == 8 { 5 } else { 7 });
            let key_length =
                chosen.encryption.filter(|cipher| cipher.block_len() == 16).map(|c| c.key_len() as u64 * 8);
            let hash = chosen.hash.map(|hash| match hash {
                policy::Hash::Md5 => 1,
                policy::Hash::Sha1 => 2,
                policy::Hash::Sha256 => 4,
                policy::Hash::Sha384 => 5,
                policy::Hash::Sha512 => 6,
            });
            let expected = [
                ("isakmp.ike.attr.encryption_algorithm", optional(cipher)),
                ("isakmp.ike.attr.key_length", optional(key_length)),
                ("isakmp.ike.attr.hash_algorithm", optional(hash)),
                ("isakmp.ike.attr.group_description", optional(chosen.group.map(|group| group.id().into()))),
                ("isakmp.ike.attr.life_duration", optional(chosen.lifetime_seconds)),
            ];
            compare(answer, theirs, &expected)?;
        }
        for mode in &negotiation.quick_modes {
            let (Some(chosen), [_, answer, ..]) = (&mode.chosen, &mode.frames[..]) else { continue };
            let theirs = messages.get(answer).ok_or("tshark sees no answer of a Quick Mode")?;
            let key_length =
                chosen.encryption.filter(|cipher| cipher.block_len() == 16).map(|c| c.key_len() as u64 * 8);
            let hash = chosen.integrity.map(|hash| match hash {
                policy::Hash::Md5 => 1,
                policy::Hash::Sha1 => 2,
                policy::Hash::Sha256 => 5,
                policy::Hash::Sha384 => 6,
                policy::Hash::Sha512 => 7,
            });
            let expected = [
                ("isakmp.trans.id", optional(chosen.encryption.map(|c| if c.block_len() == 8 { 3 } else { 12 }))),
                ("isakmp.ipsec.attr.key_length", optional(key_length)),
                ("isakmp.ipsec.attr.auth_algorithm", optional(hash)),
                ("isakmp.ipsec.attr.group_description", optional(chosen.group.map(|group| group.id().into()))),
                ("isakmp.ipsec.attr.life_duration", optional(chosen.lifetime_seconds)),
                ("isakmp.spi", mode.spis[1].map_or(String::new(), |spi| format!("{spi:08x}"))),
            ];
            compare(*answer, theirs, &expected)?;
        }
    }
    Ok(())
}

fn compare(frame: u64, theirs: &HashMap<&str, String>, expected: &[(&str, String)]) -> Result<(), Failed> {
    for (field, ours) in expected {
        let theirs = theirs.get(field).map_or("", String::as_str);
        if theirs != ours {
            return Err(format!("frame {frame}: {field} is {theirs:?} to tshark, {ours:?} to us").into());
        }
    }
    Ok(())
}

fn same<const N: usize>(what: &str, ours: &[[String; N]], theirs: &[impl AsRef<[String]>]) -> Result<(), Failed> {
    if ours.len() != theirs.len() {
        return Err(format!("tshark sees {} packets of {what}, we {}", theirs.len(), ours.len()).into());
    }
    match ours.iter().zip(theirs).find(|(ours, theirs)| ours.as_slice() != theirs.as_ref()) {
        Some((ours, theirs)) => Err(format!("{what}: {:?} to tshark, {ours:?} to us", theirs.as_ref()).into()),
        None => Ok(()),
    }
}

fn internet(capture: &Capture) -> impl Iterator<Item = &Frame> {
    capture.frames.iter().filter(|frame| capture.points[frame.point].side == Some(Side::Internet))
}

fn packet(frame: &Frame) -> Option<ipv4::Packet<'_>> {
    let (ethernet::IPV4, payload) = frame.link.network(&frame.data).ok()? else { return None };
    ipv4::Packet::parse(payload).ok()
}

fn isakmp_message(frame: &Frame) -> Option<(ipv4::Packet<'_>, &[u8])> {
    let packet = packet(frame).filter(|packet| packet.protocol == protocol::UDP)?;
    let datagram = Datagram::parse(packet.payload).ok()?;
    if datagram.uses(isakmp::PORT) {
        return Some((packet, datagram.payload));
    }
    match encapsulated(&packet)? {
        Encapsulated::Isakmp(message) => Some((packet, message)),
        Encapsulated::Esp(_) | Encapsulated::Keepalive => None,
    }
}

fn encapsulated<'a>(packet: &ipv4::Packet<'a>) -> Option<Encapsulated<'a>> {
    let datagram = Datagram::parse(packet.payload).ok().filter(|_| packet.protocol == protocol::UDP)?;
    Encapsulated::parse(datagram.payload).ok().filter(|_| datagram.uses(esp::NAT_PORT))
}

/// The fields of the frames that a filter lets through, decrypted with the keys in the folder.
fn tshark(folder: &Path, capture: &Path, filter: &str, fields: &[&str]) -> Result<Vec<Vec<String>>, Failed> {
    let mut command = Command::new("tshark");
    command
        .env("WIRESHARK_CONFIG_DIR", folder.join("keys"))
        .args(["-o", "esp.enable_encryption_decode:TRUE", "-o", "esp.enable_authentication_check:TRUE"])
        .args(["-Y", filter, "-T", "fields"])
        .args(fields.iter().flat_map(|field| ["-e", field]))
        .arg("-r")
        .arg(capture);
    let output = command.output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect())
}
