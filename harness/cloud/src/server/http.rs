//! One request of a client: its path, its method and its body; then its answer.

use std::{
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use futures_util::FutureExt;
use http_body_util::{BodyExt, Full};
use hyper::{
    Method, StatusCode, Version,
    body::{Body as _, Bytes, Incoming},
    header::{ALLOW, CACHE_CONTROL, CONNECTION, CONTENT_TYPE, HOST, HeaderValue},
};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::{Body, Cloud, Failure, Format, Request, dispatch, limit};
use crate::profile::Rules;

pub(crate) const PATH: &str = "/client/api";

/// What CloudStack's servlet has.
const METHODS: &str = "GET, HEAD, POST, OPTIONS";

/// Longer ones would be too much of a header for many a client.
const LONGEST_DESCRIPTION: usize = 1_000;

type Response = hyper::Response<Full<Bytes>>;

pub(super) async fn handle(
    cloud: &Arc<Cloud>,
    request: hyper::Request<Incoming>,
    large_bodies: &Semaphore,
    unread: &AtomicBool,
) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let refuse = |failure: Failure| {
        // Nothing of a body was read, so that the connection cannot go on.
        unread.store(true, Ordering::Relaxed);
        let format = Request::parse(&query, "").map_or(Format::Xml, |request| Format::of(request.get("response")));
        let mut response = respond(cloud.rules, format, "errorresponse", Err(failure));
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        response
    };
    if let Err(failure) = is_ours(&request) {
        let mut response = refuse(failure);
        if response.status() == StatusCode::METHOD_NOT_ALLOWED {
            response.headers_mut().insert(ALLOW, HeaderValue::from_static(METHODS));
        }
        return response;
    }
    if request.method() == Method::OPTIONS {
        let mut response = Response::default();
        response.headers_mut().insert(ALLOW, HeaderValue::from_static(METHODS));
        return response;
    }
    let mut reading = pin!(form(request.into_body(), large_bodies));
    // Most bodies have come with their heads, and need no clock.
    let read = match reading.as_mut().now_or_never() {
        Some(read) => read,
        None => {
            let late = |_| Err(Failure::http(StatusCode::REQUEST_TIMEOUT, "the body did not arrive in time"));
            tokio::time::timeout(limit::BODY_TIME, reading).await.unwrap_or_else(late)
        }
    };
    let (form, _place) = match read {
        Ok(form) => form,
        Err(failure) => return refuse(failure),
    };
    let request = match Request::parse(&query, &String::from_utf8_lossy(&form)) {
        Ok(request) => request,
        Err(failure) => return refuse(failure),
    };
    drop(form);
    let format = Format::of(request.get("response"));
    let answered = AssertUnwindSafe(dispatch::answer(cloud, &request, format)).catch_unwind().await;
    let (root, answer) = answered.unwrap_or_else(|_| {
        let broken = Failure::internal("the command broke off: an error in the service");
        ("errorresponse".to_owned(), Err(broken.for_others()))
    });
    respond(cloud.rules, format, &root, answer)
}

/// As a servlet container would have it; below the path too, as CloudStack's servlet is mapped.
fn is_ours(request: &hyper::Request<Incoming>) -> Result<(), Failure> {
    // RFC 9112 section 3.2.
    let hosts = request.headers().get_all(HOST).iter().count();
    if hosts > 1 || (hosts == 0 && request.version() == Version::HTTP_11) {
        return Err(Failure::http(StatusCode::BAD_REQUEST, "a request names one Host"));
    }
    let path = request.uri().path();
    if !path.strip_prefix(PATH).is_some_and(|rest| rest.is_empty() || rest.starts_with('/')) {
        return Err(Failure::http(StatusCode::NOT_FOUND, format!("nothing is here: send requests to {PATH}")));
    }
    match *request.method() {
        Method::GET | Method::HEAD | Method::POST | Method::OPTIONS => Ok(()),
        _ => Err(Failure::http(StatusCode::METHOD_NOT_ALLOWED, format!("send requests with one of {METHODS}"))),
    }
}

/// The whole body, and its place among the large ones, if it is one.
async fn form(mut body: Incoming, large_bodies: &Semaphore) -> Result<(Vec<u8>, Option<SemaphorePermit<'_>>), Failure> {
    let too_large = || {
        let text = format!("the body is longer than {} bytes", limit::BODY);
        Failure::http(StatusCode::PAYLOAD_TOO_LARGE, text)
    };
    if body.size_hint().lower() > limit::BODY as u64 {
        return Err(too_large());
    }
    let (mut form, mut place) = (Vec::new(), None);
    while let Some(frame) = body.frame().await {
        let broken = |_| Failure::http(StatusCode::BAD_REQUEST, "the body cannot be read");
        // Trailers are left alone.
        let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
        let length = form.len() + data.len();
        if length > limit::BODY {
            return Err(too_large());
        }
        if length > limit::SMALL_BODY && place.is_none() {
            place = Some(large_bodies.acquire().await.expect("it is never closed"));
        }
        form.extend_from_slice(&data);
    }
    Ok((form, place))
}

fn respond(rules: &Rules, format: Format, root: &str, answer: Result<Body, Failure>) -> Response {
    let (status, description, body) = match answer {
        Ok(body) => (StatusCode::OK, None, body),
        Err(failure) => {
            let status = StatusCode::from_u16(failure.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
            let text: String = failure.text.chars().take(LONGEST_DESCRIPTION).collect();
            // A text with a line end in it has none.
            (status, HeaderValue::from_str(&text).ok(), Body::Tree(failure.to_json()))
        }
    };
    let mut response = Response::new(format.render(rules, root, &body).into());
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type(rules)));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Some(description) = description {
        headers.insert("x-description", description);
    }
    response
}
