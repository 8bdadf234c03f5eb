//! Accepts connections on one address and serves each in its own task until the server stops.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::extract::Query;
use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{DATE, HeaderName, HeaderValue, TRANSFER_ENCODING};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::api_call::{Disconnected, handle};
use super::reply::Reply;
use crate::sandbox::answer::ApiRequest;
use crate::sandbox::call::{Call, Verb};
use crate::sandbox::control;
use crate::sandbox::locks::lock;
use crate::sandbox::world::World;

/// The maximum size of a request body. No WeChat API call needs more.
const MAX_BODY_BYTES: usize = 4 << 20;

/// A running server. It stops when this is dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stop: DropGuard,
    accept_task: Mutex<Option<JoinHandle<()>>>,
}

impl Server {
    pub(crate) async fn start(world: Arc<World>, listen: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(listen).await?;
        let address = listener.local_addr()?;
        let stop = world.stop.clone();
        let accept_task = tokio::spawn(accept(listener, world, stop.clone()));
        let accept_task = Mutex::new(Some(accept_task));
        Ok(Self { address, stop: stop.drop_guard(), accept_task })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Closes all connections. The address is free when this returns.
    pub(crate) async fn stop(&self) {
        self.stop.token().cancel();
        let accept_task = lock(&self.accept_task).take();
        if let Some(accept_task) = accept_task {
            // An error only means that the task ended already.
            _ = accept_task.await;
        }
    }
}

async fn accept(listener: TcpListener, world: Arc<World>, stop: CancellationToken) {
    let accept_loop = async {
        loop {
            match listener.accept().await {
                Ok((stream, peer)) => {
                    let connection = serve(stream, peer.ip(), world.clone());
                    tokio::spawn(stop.clone().run_until_cancelled_owned(connection));
                }
                Err(error) => {
                    tracing::warn!(error = %error, "the sandbox could not accept a connection");
                    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
                }
            }
        }
    };
    stop.run_until_cancelled(accept_loop).await;
}

async fn serve(stream: TcpStream, peer: IpAddr, world: Arc<World>) {
    // Otherwise small responses wait for the client's acknowledgement.
    _ = stream.set_nodelay(true);
    let service = service_fn(move |request| Box::pin(respond(world.clone(), request, peer)));
    let mut connection = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
    if (&mut connection).await.is_err() {
        // Resets the connection instead of closing it, as when a machine on the network path fails.
        _ = connection.into_parts().io.into_inner().set_zero_linger();
    }
}

async fn respond(
    world: Arc<World>,
    request: Request<Incoming>,
    peer: IpAddr,
) -> Result<Response<Body>, Disconnected> {
    let (head, body) = request.into_parts();
    let Ok(body) = Limited::new(body, MAX_BODY_BYTES).collect().await else {
        return Ok(Reply::html(413).into_response());
    };
    let body = body.to_bytes();
    let reply = match Call::at(head.uri.path()) {
        Some(call) => handle(&world, api_request(call, &head, body, peer)).await?,
        None if head.uri.path().starts_with(control::PREFIX) => {
            let (status, value) = control::answer(&world, &head.method, &head.uri, &body).await;
            Reply::control(status, &value)
        }
        None => Reply::html(404),
    };
    let mut response = reply.into_response();
    response.headers_mut().extend(date(&world));
    Ok(response)
}

/// Returns the `Date` header with the world's time, which may differ from the machine's time.
fn date(world: &World) -> Option<(HeaderName, HeaderValue)> {
    let date = world.clock.now().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    Some((DATE, HeaderValue::try_from(date).ok()?))
}

fn api_request(
    call: Call,
    head: &hyper::http::request::Parts,
    body: Bytes,
    peer: IpAddr,
) -> ApiRequest {
    let verb = match head.method {
        Method::GET => Some(Verb::Get),
        Method::POST => Some(Verb::Post),
        _ => None,
    };
    let query = Query::try_from_uri(&head.uri).map(|Query(query)| query).unwrap_or_default();
    let chunked = head.headers.contains_key(TRANSFER_ENCODING);
    ApiRequest { call, verb, query, body, chunked, peer }
}
