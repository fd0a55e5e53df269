//! The front door: who comes in, and for how long.

use std::{
    convert::Infallible,
    io,
    pin::pin,
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use hyper::{server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch},
    task::JoinSet,
};

use super::{Cloud, http, limit, wire::Wire};

/// Until `stopped`, or its sender, is dropped; then until the requests that have arrived are answered.
pub(super) async fn serve(listener: TcpListener, cloud: Arc<Cloud>, mut stopped: oneshot::Receiver<()>) {
    let places = Arc::new(Semaphore::new(limit::CONNECTIONS));
    let large_bodies = Arc::new(Semaphore::new(limit::LARGE_BODIES));
    let mut open = JoinSet::new();
    // Nothing is ever sent: it ends when its sender is dropped.
    let (ending, end) = watch::channel(());
    loop {
        let (stream, place) = tokio::select! {
            come = next(&listener, &places) => come,
            _ = &mut stopped => break,
        };
        while open.try_join_next().is_some() {}
        let (cloud, large_bodies, end) = (cloud.clone(), large_bodies.clone(), end.clone());
        open.spawn(async move {
            let _place = place;
            attend(stream, cloud, large_bodies, end).await;
        });
    }
    drop((listener, ending));
    while open.join_next().await.is_some() {}
}

/// The next client, once there is room for it.
async fn next(listener: &TcpListener, places: &Arc<Semaphore>) -> (TcpStream, OwnedSemaphorePermit) {
    let place = places.clone().acquire_owned().await.expect("it is never closed");
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return (stream, place),
            // It is gone again.
            Err(error) if matches!(error.kind(), io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset) => {
            }
            // Too many files are open, or memory is short, until somebody leaves.
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

async fn attend(stream: TcpStream, cloud: Arc<Cloud>, large_bodies: Arc<Semaphore>, mut end: watch::Receiver<()>) {
    // An answer leaves at once; that it cannot be set means that the client is gone.
    let _ = stream.set_nodelay(true);
    let unread = Arc::new(AtomicBool::new(false));
    let wire = TokioIo::new(Wire::new(stream, unread.clone()));
    let service = service_fn(move |request| {
        let (cloud, large_bodies, unread) = (cloud.clone(), large_bodies.clone(), unread.clone());
        async move { Ok::<_, Infallible>(http::handle(&cloud, request, &large_bodies, &unread).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limit::HEAD_TIME)
        .max_header_size(limit::HEAD)
        .max_buf_size(limit::HEAD)
        .serve_connection(wire, service);
    let mut connection = pin!(connection);
    tokio::select! {
        // What went wrong between them is told to the client by hyper, or there is nobody to tell.
        _ = connection.as_mut() => return,
        _ = end.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
