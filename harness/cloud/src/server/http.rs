//! The front door: one path, GET or POST.

use std::sync::Arc;

use axum::{
    Router,
    body::Bytes,
    extract::{RawQuery, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CACHE_CONTROL, CONTENT_TYPE},
    },
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, sync::oneshot};

use super::{Body, Cloud, Format, Request, dispatch};

pub(crate) const PATH: &str = "/client/api";

/// Until `stopped`, or its sender, is dropped.
pub(crate) async fn serve(listener: TcpListener, cloud: Arc<Cloud>, stopped: oneshot::Receiver<()>) {
    let router = Router::new().route(PATH, get(handle).post(handle)).with_state(cloud);
    let stopped = async move {
        let _ = stopped.await;
    };
    // It ends with the listener, which has nobody left to tell of it.
    let _ = axum::serve(listener, router).with_graceful_shutdown(stopped).await;
}

async fn handle(State(cloud): State<Arc<Cloud>>, RawQuery(query): RawQuery, form: Bytes) -> Response {
    let request = Request::parse(&query.unwrap_or_default(), &String::from_utf8_lossy(&form));
    let format = Format::of(request.get("response"));
    let (root, answer) = dispatch::answer(&cloud, &request, format).await;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(format.content_type(cloud.rules)));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    let (status, body) = match answer {
        Ok(body) => (StatusCode::OK, body),
        Err(failure) => {
            if let Ok(text) = HeaderValue::from_str(&failure.text) {
                headers.insert("x-description", text);
            }
            (
                StatusCode::from_u16(failure.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
                Body::Tree(failure.to_json()),
            )
        }
    };
    (status, headers, format.render(cloud.rules, &root, &body)).into_response()
}
