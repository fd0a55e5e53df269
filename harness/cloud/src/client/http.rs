//! Requests over HTTP. A connection is kept for the next request, and both are driven by the caller's own runtime: a
//! thread for each request would cost more in a guest than all the rest of it.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use http_body_util::{BodyExt, Full, Limited};
use hyper::{
    Method, Request, Uri,
    body::{Bytes, Incoming},
    client::conn::http1::{self, SendRequest},
    header::{CONTENT_TYPE, HOST, HeaderValue},
};
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{Instant, timeout, timeout_at},
};

use crate::lock;

/// An address where nothing is does not even refuse.
const CONNECTING: Duration = Duration::from_secs(30);
/// Long, because createNetwork answers when the network is there.
const ANSWERING: Duration = Duration::from_secs(600);
/// Before a server ends them: CloudStack and this service do after 30 s.
const IDLE: Duration = Duration::from_secs(15);
/// The longest answer that is read.
const ANSWER: usize = 16 << 20;

type Sender = SendRequest<Full<Bytes>>;
type Message = Request<Full<Bytes>>;
type Response = hyper::Response<Incoming>;

/// One endpoint, and the connections to it that wait for a request.
pub(super) struct Wire {
    endpoint: String,
    /// With when their last request was sent.
    idle: Mutex<Vec<(Instant, Sender)>>,
}

/// Where an endpoint is.
struct Place {
    /// Without the brackets that are around an address of version 6 (RFC 3986 section 3.2.2).
    host: String,
    port: u16,
    /// The field `Host`.
    named: HeaderValue,
    path: Uri,
}

impl Wire {
    pub fn new(endpoint: String) -> Arc<Self> {
        Arc::new(Self { endpoint, idle: Mutex::default() })
    }

    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Posts a form; returns the status of the answer, and the answer.
    pub async fn post(&self, form: String) -> Result<(u16, Bytes), String> {
        let place = Place::of(&self.endpoint)?;
        // The clock is looked at once: in a guest that is a system call.
        let now = Instant::now();
        let answered = timeout_at(now + ANSWERING, self.exchange(&place, form, now)).await;
        answered.unwrap_or_else(|_| Err(format!("no answer in {} s", ANSWERING.as_secs())))
    }

    async fn exchange(&self, place: &Place, form: String, now: Instant) -> Result<(u16, Bytes), String> {
        let (response, sender) = self.send(place, place.message(form)?, now).await?;
        let status = response.status().as_u16();
        let answer = Limited::new(response.into_body(), ANSWER).collect().await.map_err(|error| error.to_string())?;
        lock(&self.idle).push((now, sender));
        Ok((status, answer.to_bytes()))
    }

    async fn send(&self, place: &Place, mut message: Message, now: Instant) -> Result<(Response, Sender), String> {
        while let Some(mut sender) = self.waiting(now) {
            if sender.ready().await.is_err() {
                continue;
            }
            match sender.try_send_request(message).await {
                Ok(response) => return Ok((response, sender)),
                // The server has ended the connection, and nothing was sent.
                Err(mut unsent) => match unsent.take_message() {
                    Some(again) => message = again,
                    None => return Err(in_full(&unsent.into_error())),
                },
            }
        }
        let mut sender = place.connect().await?;
        let response = sender.send_request(message).await.map_err(|error| in_full(&error))?;
        Ok((response, sender))
    }

    /// A connection that was used not long ago.
    fn waiting(&self, now: Instant) -> Option<Sender> {
        let mut idle = lock(&self.idle);
        idle.retain(|(since, sender)| now.duration_since(*since) < IDLE && !sender.is_closed());
        idle.pop().map(|(_, sender)| sender)
    }
}

impl Place {
    fn of(endpoint: &str) -> Result<Self, String> {
        let uri: Uri = endpoint.parse().map_err(|error| format!("not an address: {error}"))?;
        if uri.scheme_str() != Some("http") {
            return Err("only http is spoken here".to_owned());
        }
        let host = uri.host().ok_or("no host is named")?;
        let named = uri.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        Ok(Self {
            named: HeaderValue::from_str(&named).map_err(|error| error.to_string())?,
            path: path.parse().map_err(|error| format!("not a path: {error}"))?,
            port: uri.port_u16().unwrap_or(80),
            host: host.trim_start_matches('[').trim_end_matches(']').to_owned(),
        })
    }

    fn message(&self, form: String) -> Result<Message, String> {
        let mut message = Request::new(Full::new(Bytes::from(form)));
        (*message.method_mut(), *message.uri_mut()) = (Method::POST, self.path.clone());
        let headers = message.headers_mut();
        headers.insert(HOST, self.named.clone());
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        Ok(message)
    }

    async fn connect(&self) -> Result<Sender, String> {
        let connecting = TcpStream::connect((self.host.as_str(), self.port));
        let late = || format!("no connection in {} s", CONNECTING.as_secs());
        let stream = timeout(CONNECTING, connecting).await.map_err(|_| late())?.map_err(|error| error.to_string())?;
        // A request leaves at once; that it cannot be set means that the server is gone.
        let _ = stream.set_nodelay(true);
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(|error| in_full(&error))?;
        // It ends with its sender; what goes wrong is told to whoever waits for an answer.
        tokio::spawn(connection);
        Ok(sender)
    }
}

/// hyper's errors leave their cause to whoever asks for it.
fn in_full(error: &hyper::Error) -> String {
    match std::error::Error::source(error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn an_endpoint_names_a_host_a_port_and_a_path() {
        let found = |text: &str| Place::of(text).map(|Place { host, port, path, .. }| format!("{host} {port} {path}"));
        assert_eq!(found("http://127.0.0.1:8080/client/api").unwrap(), "127.0.0.1 8080 /client/api");
        assert_eq!(found("http://[::1]:8080/client/api").unwrap(), "::1 8080 /client/api");
        assert_eq!(found("http://localhost/client/api?a=b").unwrap(), "localhost 80 /client/api?a=b");
        assert_eq!(found("http://localhost").unwrap(), "localhost 80 /");
        assert_eq!(found("https://127.0.0.1/client/api").unwrap_err(), "only http is spoken here");
        assert!(found("/client/api").is_err());
        assert!(found("").is_err());
    }
}
