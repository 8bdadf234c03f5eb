//! Parameters in the URL: the query string and the path.
//!
//! Query types derive `Deserialize` with `#[serde(deny_unknown_fields)]`, so that a misspelt parameter is an
//! error instead of being ignored. serde rejects parameters that are given twice.

use axum::extract::{FromRequestParts, Query as AnyQuery};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{Problem, sanitize};

/// The query string.
#[derive(Debug)]
pub(super) struct Query<T>(pub(super) T);

/// A query string without parameters.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Nothing {}

impl<T: DeserializeOwned, S: Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let read = AnyQuery::try_from_uri(&parts.uri);
        read.map(|AnyQuery(query)| Self(query)).map_err(|error| {
            Problem::bad_request("invalid_query", root_cause(&error))
                .hint("/docs lists the parameters of each path")
        })
    }
}

/// The parameters in the path.
#[derive(Debug)]
pub(super) struct Path<T>(pub(super) T);

impl<T, S> FromRequestParts<S> for Path<T>
where
    T: DeserializeOwned + Send,
    S: Send + Sync,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let read = axum::extract::Path::from_request_parts(parts, state).await;
        let read = read.map(|axum::extract::Path(path)| Self(path));
        read.map_err(|error| {
            Problem::bad_request("invalid_path", root_cause(&error))
                .hint("/docs lists the parameters of each path")
        })
    }
}

/// Returns the message of the innermost error, which names the mistake and not the Rust types around it.
fn root_cause(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    sanitize(&error.to_string())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::model::AppId;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct TestQuery {
        appid: AppId,
        limit: Option<u32>,
    }

    async fn parse(query: &str) -> Result<TestQuery, &'static str> {
        let request = Request::get(format!("/?{query}")).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        let read = Query::from_request_parts(&mut parts, &()).await;
        read.map(|Query(query)| query).map_err(|problem| problem.code())
    }

    #[tokio::test]
    async fn unknown_duplicate_missing_and_invalid_parameters_are_rejected() {
        let read = parse("appid=wx1&limit=5").await.unwrap();
        assert_eq!((read.appid.as_str(), read.limit), ("wx1", Some(5)));
        for query in [
            "",
            "appid=wx1&x=1",
            "appid=wx1&appid=wx2",
            "appid=wx1&limit=-1",
            "appid=%00",
            "appid=%FF",
        ] {
            assert_eq!(parse(query).await.unwrap_err(), "invalid_query", "{query}");
        }
        let request = Request::get("/?a=1").body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        assert!(Query::<Nothing>::from_request_parts(&mut parts, &()).await.is_err());
    }
}
