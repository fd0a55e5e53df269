//! Connections of the client: kept from request to request, and made anew when the server has ended them.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    thread,
};

use tunnelproof_cloud::{Client, ClientError};

use super::credentials;

/// Reads a request; false at the end of the connection.
fn is_asked(stream: &mut TcpStream) -> bool {
    let (mut request, mut part) = (Vec::new(), [0; 4096]);
    loop {
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.to_lowercase().lines().find_map(|line| {
                line.strip_prefix("content-length:").map(|length| length.trim().parse::<usize>().unwrap())
            });
            if body.len() == length.unwrap() {
                return true;
            }
        }
        match stream.read(&mut part).unwrap() {
            0 => return false,
            length => request.extend_from_slice(&part[..length]),
        }
    }
}

fn answer(stream: &mut TcpStream, body: &str) {
    let length = body.len();
    write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{body}").unwrap();
}

fn server(serve: impl FnOnce(TcpListener) + Send + 'static) -> (String, thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}/client/api", listener.local_addr().unwrap());
    (endpoint, thread::spawn(move || serve(listener)))
}

#[tokio::test]
async fn requests_one_after_the_other_share_a_connection() {
    let (endpoint, served) = server(|listener| {
        let (mut stream, _) = listener.accept().unwrap();
        for _ in 0..3 {
            assert!(is_asked(&mut stream));
            answer(&mut stream, r#"{"r":{}}"#);
        }
        assert!(!is_asked(&mut stream), "it ends with the client");
    });
    let client = Client::new(endpoint, credentials());
    for _ in 0..3 {
        client.call("listZones", &[]).await.unwrap();
    }
    drop(client);
    tokio::task::spawn_blocking(|| served.join().unwrap()).await.unwrap();
}

#[tokio::test]
async fn a_connection_that_the_server_has_ended_is_not_used_again() {
    let (ended, is_ended) = mpsc::channel();
    let (endpoint, served) = server(move |listener| {
        for _ in 0..2 {
            let (mut stream, _) = listener.accept().unwrap();
            assert!(is_asked(&mut stream));
            answer(&mut stream, r#"{"r":{}}"#);
            drop(stream);
            ended.send(()).unwrap();
        }
    });
    let client = Client::new(endpoint, credentials());
    for _ in 0..2 {
        client.call("listZones", &[]).await.unwrap();
        // Nobody else runs meanwhile, so the client has not heard of the end when it sends the next.
        is_ended.recv().unwrap();
    }
    served.join().unwrap();
}

#[tokio::test]
async fn an_answer_that_breaks_off_is_told_with_its_reason() {
    let (endpoint, served) = server(|listener| {
        let (mut stream, _) = listener.accept().unwrap();
        assert!(is_asked(&mut stream));
        write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{{").unwrap();
    });
    let refused = Client::new(endpoint, credentials()).call("listZones", &[]).await.unwrap_err();
    assert!(matches!(&refused, ClientError::Transport { command, .. } if command == "listZones"), "{refused}");
    served.join().unwrap();
}
