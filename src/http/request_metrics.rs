//! Request counts and durations by route, method and status.
//!
//! Labels are the route's template, the method and the status, and never identify callers or users. Metric
//! handles are cached, because looking one up by its labels costs more than incrementing it.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use metrics::{Counter, Gauge, Histogram, counter, gauge, histogram};

/// The route label of requests that match no route.
const UNMATCHED: &str = "unmatched";

/// The request metrics of all routes.
#[derive(Default)]
pub(super) struct RequestMetrics {
    routes: RwLock<HashMap<Box<str>, Vec<RouteMetrics>>>,
}

/// The metrics of one route, method and status.
#[derive(Clone)]
struct RouteMetrics {
    method: &'static str,
    status: StatusCode,
    requests: Counter,
    seconds: Histogram,
}

impl RequestMetrics {
    /// Records one request, which took `elapsed`.
    pub(super) fn record(
        &self,
        route: Option<&str>,
        method: &Method,
        status: StatusCode,
        elapsed: Duration,
    ) {
        let (route, method) = (route.unwrap_or(UNMATCHED), method_label(method));
        let count = |metrics: &RouteMetrics| {
            metrics.requests.increment(1);
            metrics.seconds.record(elapsed);
        };
        let routes = self.routes.read().unwrap_or_else(PoisonError::into_inner);
        let known = routes.get(route).map_or(&[][..], Vec::as_slice);
        if let Some(metrics) = known.iter().find(|it| it.method == method && it.status == status) {
            return count(metrics);
        }
        drop(routes);
        let metrics = RouteMetrics::new(route, method, status);
        count(&metrics);
        let mut routes = self.routes.write().unwrap_or_else(PoisonError::into_inner);
        routes.entry(route.into()).or_default().push(metrics);
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

/// The gauge of open connections.
pub(super) fn connections() -> Gauge {
    gauge!("http_connections")
}

/// Returns the label of a method. Non-standard methods share one, because callers can invent any number.
fn method_label(method: &Method) -> &'static str {
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
