//! How fast captures are audited, beside the bare decryption of the same bytes and beside tshark, and in how much
//! memory.
//!
//! `cargo bench -p tunnelproof-wire --bench audit` makes captures of ESP in a temporary folder, half of each in
//! 3DES-CBC with HMAC-MD5 and half in AES-128-CBC with HMAC-SHA1, of two kinds. The one called main has packets of
//! 1,400 bytes: of the two it is the one in which tshark is faster for each byte, and so the harder to beat. The other
//! is the usual mix of the internet, 7 packets of 64, 4 of 576 and 1 of 1,400 bytes, in which what a packet costs
//! weighs more than what its bytes do.
//!
//! `bare` is the decryption and the HMAC of the same bytes with the same primitives, by as many threads, without
//! packets: each half is one text under one key. One text has one HMAC, though, and HMAC-MD5 is several times as fast
//! for many packets as for one text: there the audit saves some of what packets cost it. `RustCrypto` is the same with
//! the crates `des`, `aes`, `cbc`, `md-5` and `sha1`. tshark decrypts and checks every packet, and prints one field of
//! it.
#![allow(clippy::unwrap_used)]

use std::{
    fs::{self, File},
    io::BufWriter,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::Instant,
};

use cbc::cipher::{BlockModeDecrypt, KeyIvInit, block_padding::NoPadding};
use hmac::{Hmac, KeyInit, Mac};
use policy::{Encryption, Hash};
use tunnelproof_wire::{
    audit::{self, Account, Facts, SaKeys, Side},
    esp::{self, Keys},
    ethernet, ipv4,
    pcapng::{Reader, Writer},
    udp::Datagram,
    wireshark,
};

const ROUTER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);
const CUSTOMER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 1);
const WEB: Ipv4Addr = Ipv4Addr::new(10, 10, 1, 2);
const BRANCH: Ipv4Addr = Ipv4Addr::new(172, 16, 10, 2);
/// Inner packets, in bytes.
const MIXES: [(&str, &[usize]); 2] = [
    ("main: 1,400 bytes", &[1400]),
    ("mix: 7 x 64, 4 x 576, 1,400", &[64, 576, 64, 64, 576, 64, 1400, 64, 576, 64, 576, 64]),
];
const MEGABYTE: usize = 1_000_000;
const RUNS: usize = 5;

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    if let [_, flag, capture] = &arguments[..]
        && flag == "--audit"
    {
        let (account, _) = timed(|| audit_file(Path::new(capture)));
        println!("{} {}", account.frames, peak_rss());
        return;
    }
    // `cargo test --benches` only wants to know whether it builds.
    if !arguments.iter().any(|argument| argument == "--bench") {
        return;
    }
    let folder = Folder(std::env::temp_dir().join(format!("tunnelproof-audit-{}", std::process::id())));
    fs::create_dir_all(&folder.0).unwrap();
    for (name, sizes) in MIXES {
        compare(&folder.0, name, sizes);
    }
    memory(&folder.0);
}

/// Removed at the end, also after a panic.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn facts() -> Facts {
    let sa = |spi, source, destination, encryption: Encryption, integrity: Hash| SaKeys {
        spi,
        source,
        destination,
        encryption,
        encryption_key: digits(encryption.key_len(), spi),
        integrity,
        integrity_key: digits(integrity.digest_len(), !spi),
        added_ns: None,
        deleted_ns: None,
    };
    Facts {
        local: vec!["10.10.0.0/16".parse().unwrap()],
        remote: vec!["172.16.10.0/24".parse().unwrap()],
        gateways: vec![ROUTER, CUSTOMER],
        sas: vec![
            sa(0xc001_0001, ROUTER, CUSTOMER, Encryption::TripleDes, Hash::Md5),
            sa(0xc002_0002, CUSTOMER, ROUTER, Encryption::Aes128, Hash::Sha1),
        ],
        ..Facts::default()
    }
}

fn digits(len: usize, seed: u32) -> String {
    noise(len, seed).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that follow from the seed.
fn noise(len: usize, seed: u32) -> Vec<u8> {
    let mut state = u64::from(seed) << 8 | 0x9e37;
    let word = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(word).flatten().take(len).collect()
}

/// Writes a capture of at least `len` bytes, and says how many bytes of it are encrypted, in how many packets.
fn make(path: &Path, facts: &Facts, sizes: &[usize], len: usize) -> (usize, u64) {
    let keys = [0, 1].map(|i| Keys::try_from(&facts.sas[i]).unwrap());
    let mut writer = Writer::new(BufWriter::new(File::create(path).unwrap())).unwrap();
    let point = writer.add_point("internet", Side::Internet).unwrap();
    let (mut written, mut encrypted, mut number) = (0, 0, 0);
    while written < len {
        // Each size comes in each SA.
        let size = sizes[(number / 2) as usize % sizes.len()];
        let (which, sequence) = (number as usize % 2, (number / 2 + 1) as u32);
        let SaKeys { spi, source, destination, encryption, .. } = facts.sas[which];
        let (from, to) = if which == 0 { (WEB, BRANCH) } else { (BRANCH, WEB) };
        let mut payload = noise(size - 28, number as u32);
        // Of noise tshark might make packets of other protocols, and then leave out what it found of ESP.
        payload[..16].fill(0);
        let datagram = Datagram { source_port: 40_000, destination_port: 40_000, payload: &payload }.emit();
        let inner = ipv4::emit(ipv4::protocol::UDP, from, to, &datagram);
        let iv = noise(encryption.block_len(), !(number as u32));
        let sealed = esp::seal(&keys[which], spi, sequence, &iv, ipv4::protocol::IPV4, &inner).unwrap();
        let packet = ipv4::emit(ipv4::protocol::ESP, source, destination, &sealed);
        let (destination, source) = ([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
        let frame = ethernet::Frame { destination, source, ethertype: ethernet::IPV4, payload: &packet }.emit();
        writer.write_frame(point, 1_700_000_000_000_000_000 + number * 1000, frame.len() as u32, &frame).unwrap();
        written += frame.len().next_multiple_of(4) + 32;
        encrypted += sealed.len();
        number += 1;
    }
    writer.flush().unwrap();
    // Else the kernel would write it to the disk while it is read.
    File::open(path).unwrap().sync_all().unwrap();
    (encrypted, number)
}

fn audit_file(path: &Path) -> Account {
    audit::audit_reader(Reader::new(File::open(path).unwrap()).unwrap(), &facts()).unwrap()
}

fn timed<T>(run: impl FnOnce() -> T) -> (T, f64) {
    let begin = Instant::now();
    let result = run();
    (result, begin.elapsed().as_secs_f64())
}

fn best(mut run: impl FnMut()) -> f64 {
    (0..RUNS).map(|_| timed(&mut run).1).fold(f64::INFINITY, f64::min)
}

fn compare(folder: &Path, name: &str, sizes: &[usize]) {
    let facts = facts();
    let path = folder.join("capture.pcapng");
    let (encrypted, packets) = make(&path, &facts, sizes, 100 * MEGABYTE);
    let bytes = fs::metadata(&path).unwrap().len() as f64;
    println!("{name}: {:.0} MB, {packets} packets, {:.0} MB of ESP", bytes / 1e6, encrypted as f64 / 1e6);

    let account = audit_file(&path);
    assert_eq!((account.sas.iter().map(|sa| sa.verified).sum::<u64>(), &account.findings[..]), (packets, &[][..]));
    let audit = best(|| drop(audit_file(&path)));
    let bare = best(|| by_halves(encrypted, |which, text| bare(&facts.sas[which], text)));
    let crates =
        best(|| by_halves(encrypted, |which, text| if which == 0 { crates_3des(text) } else { crates_aes(text) }));
    let row = |name: &str, seconds: f64, note: String| {
        println!("  {name:<11} {seconds:>7.3} s {:>8.1} MB/s  {note}", bytes / seconds / 1e6);
    };
    row("audit", audit, String::new());
    row("bare", bare, format!("audit takes {:.2} times as long, of at most 2", audit / bare));
    row("RustCrypto", crates, format!("audit takes {:.2} times as long", audit / crates));
    match tshark(folder, &path, &facts) {
        Some((seconds, good)) => {
            assert_eq!(good, packets, "packets that tshark found right");
            row("tshark", seconds, format!("audit is {:.1} times as fast, of at least 20", seconds / audit));
        }
        None => println!("  tshark is not installed: nothing to compare with"),
    }
}

/// Both halves of the bytes, each split among half of the threads.
fn by_halves(encrypted: usize, run: impl Fn(usize, &[u8]) + Sync) {
    let threads = thread::available_parallelism().map_or(1, |n| n.get());
    let text = vec![0x5a; (encrypted / 2 / threads).next_multiple_of(16)];
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| [0, 1].into_iter().for_each(|which| run(which, &text)));
        }
    });
}

fn bare(sa: &SaKeys, text: &[u8]) {
    let keys = Keys::try_from(sa).unwrap();
    std::hint::black_box(keys.icv(text));
    std::hint::black_box(keys.decrypt(&text[..sa.encryption.block_len()], text).unwrap());
}

fn crates_3des(text: &[u8]) {
    let mac = <Hmac<md5::Md5> as KeyInit>::new_from_slice(&[1; 16]).unwrap();
    std::hint::black_box(mac.chain_update(text).finalize());
    let cipher = cbc::Decryptor::<des::TdesEde3>::new_from_slices(&[3; 24], &[2; 8]).unwrap();
    std::hint::black_box(cipher.decrypt_padded_vec::<NoPadding>(text).unwrap());
}

fn crates_aes(text: &[u8]) {
    let mac = <Hmac<sha1::Sha1> as KeyInit>::new_from_slice(&[1; 20]).unwrap();
    std::hint::black_box(mac.chain_update(text).finalize());
    let cipher = cbc::Decryptor::<aes::Aes128>::new_from_slices(&[3; 16], &[2; 16]).unwrap();
    std::hint::black_box(cipher.decrypt_padded_vec::<NoPadding>(text).unwrap());
}

/// The best time of tshark, and how many integrity values it found right.
fn tshark(folder: &Path, capture: &Path, facts: &Facts) -> Option<(f64, u64)> {
    fs::write(folder.join("esp_sa"), wireshark::esp_sa_table(&facts.sas)).unwrap();
    let run = |output: Stdio| {
        let mut command = Command::new("tshark");
        command.env("WIRESHARK_CONFIG_DIR", folder).arg("-r").arg(capture).args([
            "-o",
            "esp.enable_encryption_decode:TRUE",
            "-o",
            "esp.enable_authentication_check:TRUE",
            "-Y",
            "esp",
            "-T",
            "fields",
            "-e",
            "esp.icv_good",
        ]);
        command.stdout(output).stderr(Stdio::null()).stdin(Stdio::null()).spawn()?.wait_with_output()
    };
    let output = run(Stdio::piped()).ok()?;
    let good = output.stdout.split(|&byte| byte == b'\n').filter(|line| *line == b"1" || *line == b"True").count();
    let seconds = best(|| drop(run(Stdio::null()).unwrap()));
    Some((seconds, good as u64))
}

/// What another process of this program needs for a capture of 1 GB.
fn memory(folder: &Path) {
    let path = folder.join("large.pcapng");
    make(&path, &facts(), MIXES[0].1, 1000 * MEGABYTE);
    let program = std::env::current_exe().unwrap();
    let (output, seconds) = timed(|| Command::new(program).arg("--audit").arg(&path).output().unwrap());
    let text = String::from_utf8(output.stdout).unwrap();
    let (frames, kilobytes) = text.trim().split_once(' ').unwrap();
    let megabytes = kilobytes.parse::<f64>().unwrap() / 1e3;
    println!("1 GB, {frames} frames: {seconds:.2} s, {megabytes:.1} MB resident at most, of at most 100");
}

/// In kB, as the kernel tells it.
fn peak_rss() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}
