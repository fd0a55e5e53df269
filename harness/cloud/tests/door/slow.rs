//! How long a client may take, in paused time: an interval passes as soon as nobody has anything to do.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Duration, Instant, sleep},
};

use super::Cloud;

async fn connect(cloud: &Cloud) -> TcpStream {
    let endpoint = cloud.service.endpoint();
    TcpStream::connect(endpoint.trim_start_matches("http://").trim_end_matches("/client/api")).await.unwrap()
}

/// What there is to read until the connection ends, and how long that took, in seconds.
async fn until_the_end(stream: &mut TcpStream) -> (String, u64) {
    let begun = Instant::now();
    let mut answer = Vec::new();
    // A connection that was reset has ended too.
    let _ = stream.read_to_end(&mut answer).await;
    (String::from_utf8(answer).unwrap(), begun.elapsed().as_secs())
}

const REQUEST: &str = "GET /client/api?response=json HTTP/1.1\r\nhost: x\r\n\r\n";

#[tokio::test(start_paused = true)]
async fn a_head_has_its_time() {
    let cloud = Cloud::start().await;
    for part in ["", "G", "GET /client/api", &REQUEST[..REQUEST.len() - 2]] {
        let mut stream = connect(&cloud).await;
        stream.write_all(part.as_bytes()).await.unwrap();
        let (answer, seconds) = until_the_end(&mut stream).await;
        assert_eq!(answer, "", "{part}");
        assert!((29..=31).contains(&seconds), "{part}: {seconds} s");
    }
}

/// A byte now and then prolongs nothing.
#[tokio::test(start_paused = true)]
async fn a_head_that_trickles_has_no_more() {
    let cloud = Cloud::start().await;
    let mut stream = connect(&cloud).await;
    let begun = Instant::now();
    for byte in REQUEST.trim_end().bytes().cycle() {
        sleep(Duration::from_secs(1)).await;
        if stream.write_all(&[byte]).await.is_err() {
            break;
        }
    }
    let seconds = begun.elapsed().as_secs();
    assert!((29..=33).contains(&seconds), "{seconds} s");
}

#[tokio::test(start_paused = true)]
async fn an_idle_connection_ends() {
    let cloud = Cloud::start().await;
    let mut stream = connect(&cloud).await;
    for _ in 0..3 {
        // Longer than clients keep connections for use.
        sleep(Duration::from_secs(25)).await;
        stream.write_all(REQUEST.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"}}") {
            assert!(stream.read_buf(&mut answer).await.unwrap() > 0);
        }
        assert!(answer.starts_with(b"HTTP/1.1 401"));
    }
    let (_, seconds) = until_the_end(&mut stream).await;
    assert!((29..=31).contains(&seconds), "{seconds} s");
}

#[tokio::test(start_paused = true)]
async fn a_body_has_its_time() {
    let cloud = Cloud::start().await;
    for framing in ["content-length: 9", "content-length: 900000", "transfer-encoding: chunked"] {
        let mut stream = connect(&cloud).await;
        let head = format!("POST /client/api?response=json HTTP/1.1\r\nhost: x\r\n{framing}\r\n\r\n2\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let (answer, seconds) = until_the_end(&mut stream).await;
        assert!(answer.starts_with("HTTP/1.1 408 Request Timeout\r\n"), "{answer}");
        assert!(answer.contains("connection: close\r\n") && answer.contains("\"errorcode\":408"), "{answer}");
        assert!((30..=33).contains(&seconds), "{framing}: {seconds} s");
    }
}

/// Those who hold the places of large bodies hold them no longer than a body may take.
#[tokio::test(start_paused = true)]
async fn large_bodies_wait_for_each_other() {
    let cloud = Cloud::start().await;
    let head = "POST /client/api?response=json HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n";
    let mut slow = Vec::new();
    for _ in 0..16 {
        let mut stream = connect(&cloud).await;
        stream.write_all(format!("{head}{}", "&".repeat(50_000)).as_bytes()).await.unwrap();
        slow.push(stream);
    }
    // So that they are read, and have their places.
    sleep(Duration::from_secs(20)).await;
    let mut quick = connect(&cloud).await;
    quick.write_all(format!("{head}{}", "&".repeat(100_000)).as_bytes()).await.unwrap();
    let begun = Instant::now();
    let mut answer = [0; 12];
    quick.read_exact(&mut answer).await.unwrap();
    assert_eq!(&answer, b"HTTP/1.1 401");
    assert!((9..=11).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    // Small ones wait for nobody.
    let mut small = connect(&cloud).await;
    small.write_all(REQUEST.as_bytes()).await.unwrap();
    small.read_exact(&mut answer).await.unwrap();
    drop(slow);
}

#[tokio::test(start_paused = true)]
async fn who_takes_no_answers_is_given_up() {
    let cloud = Cloud::start().await;
    let mut stream = connect(&cloud).await;
    let begun = Instant::now();
    let requests = REQUEST.repeat(1000);
    // Once both ends' buffers are full the service waits, and so does this; then there is nobody to write to.
    while stream.write_all(requests.as_bytes()).await.is_ok() {}
    assert!((29..=35).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
}

/// A service that is stopped waits for a request that is arriving, and for nobody who is idle.
#[tokio::test(start_paused = true)]
async fn who_is_idle_holds_up_no_end() {
    let cloud = Cloud::start().await;
    let mut idle = connect(&cloud).await;
    idle.write_all(REQUEST.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    idle.read_exact(&mut answer).await.unwrap();
    let begun = Instant::now();
    cloud.service.stop().await;
    assert!(begun.elapsed().as_secs() < 3, "{:?}", begun.elapsed());
}
