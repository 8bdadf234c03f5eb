//! How many requests each route answered, with what, and how long that took.
//!
//! Labels are the route's template, the method and the status: nothing of who asked or of whom. Handles
//! are kept, because to look one up by its labels costs more than to count.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// The route of a request that no route took.
const UNMATCHED: &str = "unmatched";

/// The numbers of this service.
#[derive(Default)]
pub(super) struct RequestMetrics {
    routes: RwLock<HashMap<Box<str>, Vec<RouteMetrics>>>,
}

/// The numbers of one route, method and status.
#[derive(Clone)]
struct RouteMetrics {
    method: &'static str,
    status: StatusCode,
    requests: Counter,
    seconds: Histogram,
}

impl RequestMetrics {
    /// Counts one request.
    pub(super) fn record(
        &self,
        route: Option<&str>,
        method: &Method,
        status: StatusCode,
        spent: Duration,
    ) {
        let (route, method) = (route.unwrap_or(UNMATCHED), known(method));
        let count = |meter: &RouteMetrics| {
            meter.requests.increment(1);
            meter.seconds.record(spent);
        };
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let metrics = routes.get(route).map_or(&[][..], Vec::as_slice);
        if let Some(meter) = metrics.iter().find(|it| it.method == method && it.status == status) {
            return count(meter);
        }
        drop(routes);
        let meter = RouteMetrics::new(route, method, status);
        count(&meter);
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.entry(route.into()).or_default().push(meter);
    }
}

impl RouteMetrics {
    fn new(route: &str, method: &'static str, status: StatusCode) -> Self {
        let (route, code) = (route.to_owned(), status.as_u16().to_string());
        Self {
            method,
            status,
            requests: counter!(
                "http_requests_total", "route" => route.clone(), "method" => method, "status" => code
            ),
            seconds: histogram!("http_request_seconds", "route" => route, "method" => method),
        }
    }
}

/// Connections open now.
pub(super) fn connections() -> Gauge {
    gauge!("http_connections")
}

/// A method as a label: callers may invent methods, and each would be a number of its own.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "other",
    }
}
