//! More clients than the service has room for, each of which sends what it can: the memory of the process stays
//! within a bound, and whoever has a key is served afterwards.

use std::{sync::Arc, time::Duration};

use cloud::Profile;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use crate::{folder::Folder, process::Process};

/// The service's own limit of connections, as the manual has it.
const CONNECTIONS: usize = 512;

/// The most that the process may ever hold: as the manual has it.
const MEBIBYTES: u64 = 128;

/// What a client that is not read from waits before it takes that for granted.
const BLOCKED: Duration = Duration::from_millis(300);

/// The most memory that a process has held so far (proc(5), VmHWM).
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Each connection sends `part` until nobody takes it any more, or `times`; they are returned open.
async fn flood(address: &str, connections: usize, part: Vec<u8>, times: usize) -> Vec<TcpStream> {
    let part: Arc<[u8]> = part.into();
    let tasks: Vec<_> = (0..connections)
        .map(|_| {
            let (address, part) = (address.to_owned(), part.clone());
            tokio::spawn(async move {
                // The listener's queue may be full too.
                let mut stream = timeout(BLOCKED, TcpStream::connect(address)).await.ok()?.ok()?;
                for _ in 0..times {
                    // Refused or not taken: either is well.
                    if !matches!(timeout(BLOCKED, stream.write_all(&part)).await, Ok(Ok(()))) {
                        break;
                    }
                }
                Some(stream)
            })
        })
        .collect();
    let mut streams = Vec::new();
    for task in tasks {
        streams.extend(task.await.unwrap());
    }
    streams
}

#[test]
fn memory_stays_within_a_bound() {
    let folder = Folder::new("flood");
    let mut process = Process::start(Profile::V4_22, &folder, None);
    let announced = process.announced();
    let (address, client) = (announced.address.clone(), announced.client());
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let begin = peak(process.id());
        let most = |what: &str| {
            let now = peak(process.id());
            println!("{what}: {now} MiB, from {begin} MiB");
            assert!(now < MEBIBYTES, "{what}: {now} MiB");
        };
        let post = |length: usize| {
            format!("POST /client/api HTTP/1.1\r\nhost: x\r\ncontent-length: {length}\r\n\r\n").into_bytes()
        };
        let head = format!("GET /client/api?command=listZones HTTP/1.1\r\nhost: x\r\nx: {}", "y".repeat(15_000));
        drop(flood(&address, CONNECTIONS + 200, head.into_bytes(), 1).await);
        most("unfinished heads");

        let mut body = post(1 << 20);
        body.extend("a=b&".repeat(64 * 1024).as_bytes());
        drop(flood(&address, CONNECTIONS + 200, body, 1).await);
        most("unfinished bodies");

        let mut chunks = b"POST /client/api HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
        chunks.extend("8000\r\n".bytes().chain(std::iter::repeat_n(b'%', 0x8000)).chain("\r\n".bytes()));
        drop(flood(&address, 200, chunks, 64).await);
        most("chunks without an end");

        let pairs = (0..4999).map(|n| format!("{n}={}&", "%41".repeat(60))).collect::<String>();
        let mut form = post(pairs.len());
        form.extend(pairs.as_bytes());
        assert!(pairs.len() > 900_000 && pairs.len() < 1 << 20);
        drop(flood(&address, 100, form, 2).await);
        most("large forms, answered");

        let request = b"GET /client/api?command=listZones&response=json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(400);
        drop(flood(&address, 100, request, 400).await);
        most("answers that nobody reads");

        assert!(client.call("listZones", &[]).await.is_ok());
    });
}

#[test]
fn who_comes_when_all_places_are_taken_waits_for_one() {
    let folder = Folder::new("places");
    let mut process = Process::start(Profile::Spec2012, &folder, None);
    let address = process.announced().address;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let request = b"GET /client/api?response=json HTTP/1.1\r\nhost: x\r\n\r\n";
        let mut answer = [0; 12];
        let mut taken = Vec::new();
        for _ in 0..CONNECTIONS {
            let mut stream = TcpStream::connect(&address).await.unwrap();
            stream.write_all(request).await.unwrap();
            stream.read_exact(&mut answer).await.unwrap();
            assert_eq!(&answer, b"HTTP/1.1 401");
            taken.push(stream);
        }
        let mut late = TcpStream::connect(&address).await.unwrap();
        late.write_all(request).await.unwrap();
        assert!(timeout(BLOCKED, late.read_exact(&mut answer)).await.is_err(), "there were more places");
        taken.pop();
        timeout(Duration::from_secs(20), late.read_exact(&mut answer)).await.unwrap().unwrap();
        assert_eq!(&answer, b"HTTP/1.1 401");
    });
}
