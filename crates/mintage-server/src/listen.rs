//! Connections: how many, how long their headers may take, and how they end.
//!
//! axum's own loop has no time limits; a client that sends a byte a minute would hold a connection for good.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{Router, body::Body};
use hyper::body::Incoming;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpSocket, TcpStream},
    sync::{Semaphore, watch},
    time::sleep,
};
use tower::ServiceExt;

/// Connections at once; more wait until one ends. Below the 1,024 files that a process usually may open.
pub(crate) const MAX_CONNECTIONS: usize = 800;
/// Headers come within this, those of the next request on the same connection as well.
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);
/// Bytes of headers.
const MAX_HEADER_BYTES: usize = 64 << 10;
const MAX_HEADERS: usize = 64;
/// Connections that the system holds before they are taken.
const BACKLOG: u32 = 1024;
/// Ports that are tried after the one that was asked for.
const PORTS_TRIED: u16 = 20;
/// How long requests may take to end when the server does.
const MAX_FAREWELL: Duration = Duration::from_secs(5);

/// Takes a port: the one that is asked for, or the next that is free. Port 0 is any.
///
/// # Errors
/// None of them can be taken.
pub fn bind(at: SocketAddr) -> io::Result<TcpListener> {
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for port in at.port()..=at.port().saturating_add(if at.port() == 0 { 0 } else { PORTS_TRIED }) {
        match listen(SocketAddr::new(at.ip(), port)) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => last = error,
            Err(error) => return Err(error),
        }
    }
    Err(last)
}

fn listen(at: SocketAddr) -> io::Result<TcpListener> {
    let socket = if at.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
    // A server that was just ended leaves connections behind that are still closing.
    #[cfg(unix)]
    socket.set_reuseaddr(true)?;
    socket.bind(at)?;
    socket.listen(BACKLOG)
}

/// Serves until `stop` becomes true.
pub async fn serve(listener: TcpListener, router: Router, mut stop: watch::Receiver<bool>) {
    let places = Arc::new(Semaphore::new(MAX_CONNECTIONS));
    loop {
        let place = tokio::select! {
            place = places.clone().acquire_owned() => place,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let Ok((stream, _)) = accepted else {
            // Too many open files: some will be closed.
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (router, stop) = (router.clone(), stop.clone());
        tokio::spawn(async move {
            connection(stream, router, stop).await;
            drop(place);
        });
    }
    // What is under way may come to its end.
    let all = places.acquire_many(MAX_CONNECTIONS as u32);
    let _ = tokio::time::timeout(MAX_FAREWELL, all).await;
}

async fn connection(stream: TcpStream, router: Router, mut stop: watch::Receiver<bool>) {
    let _ = stream.set_nodelay(true);
    let service = router.map_request(|request: axum::http::Request<Incoming>| request.map(Body::new));
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIMEOUT)
        .max_buf_size(MAX_HEADER_BYTES)
        .max_headers(MAX_HEADERS)
        .half_close(false)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service));
    let mut connection = std::pin::pin!(connection);
    tokio::select! {
        // A client that breaks off is nobody's fault.
        _ = connection.as_mut() => return,
        _ = stop.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}
