//! What stands in a URL: the query string and the variables of its path.
//!
//! A query's type derives `Deserialize` with `#[serde(deny_unknown_fields)]`, so that a misspelt
//! parameter is refused and not ignored; serde refuses one that stands twice.

use axum::extract::{FromRequestParts, Query as AnyQuery};
use axum::http::request::Parts;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::error::{Problem, fit};

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
        read.map(|AnyQuery(query)| Self(query)).map_err(|refused| {
            Problem::bad_request("invalid_query", inner(&refused))
                .hint("/docs names the parameters of each path")
        })
    }
}

/// The variables of the path.
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
        read.map_err(|refused| Problem::bad_request("invalid_path", inner(&refused)))
    }
}

/// The innermost words, which say what is wrong and no names of types.
fn inner(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(source) = error.source() {
        error = source;
    }
    fit(&error.to_string())
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;
    use crate::model::AppId;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Asked {
        appid: AppId,
        limit: Option<u32>,
    }

    async fn asked(query: &str) -> Result<Asked, &'static str> {
        let request = Request::get(format!("/?{query}")).body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        let read = Query::from_request_parts(&mut parts, &()).await;
        read.map(|Query(asked)| asked).map_err(|problem| problem.code())
    }

    #[tokio::test]
    async fn unknown_doubled_missing_and_wrong_parameters_are_refused() {
        let read = asked("appid=wx1&limit=5").await.unwrap();
        assert_eq!((read.appid.as_str(), read.limit), ("wx1", Some(5)));
        for query in [
            "",
            "appid=wx1&x=1",
            "appid=wx1&appid=wx2",
            "appid=wx1&limit=-1",
            "appid=%00",
            "appid=%FF",
        ] {
            assert_eq!(asked(query).await.unwrap_err(), "invalid_query", "{query}");
        }
        let request = Request::get("/?a=1").body(()).unwrap();
        let (mut parts, ()) = request.into_parts();
        assert!(Query::<Nothing>::from_request_parts(&mut parts, &()).await.is_err());
    }
}
