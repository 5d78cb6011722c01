//! What handlers take out of a request; what is malformed is answered with problem details.

use std::str::FromStr;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use did_prism::did::{DidError, PrismDid};
use did_prism::digest::InvalidDigest;
use node_request::{InvalidLimit, InvalidVersion};
use serde::de::DeserializeOwned;

use super::problem::Problem;

/// A DID in the path, canonical or long form, plain or percent-encoded.
pub(super) struct PathDid(pub(super) PrismDid);

impl<S: Send + Sync> FromRequestParts<S> for PathDid {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await?;
        text.parse().map(Self).map_err(|error: DidError| {
            let status = match error {
                DidError::InvalidDid { .. } | DidError::InvalidDidUrl { .. } => StatusCode::BAD_REQUEST,
                DidError::MethodNotSupported { .. } => StatusCode::NOT_IMPLEMENTED,
            };
            Problem::new(status, error.to_string())
        })
    }
}

/// A hash in the path: 64 lowercase hexadecimal digits.
pub(super) struct PathDigest<Digest>(pub(super) Digest);

impl<S, Digest> FromRequestParts<S> for PathDigest<Digest>
where
    S: Send + Sync,
    Digest: FromStr<Err = InvalidDigest>,
{
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await?;
        text.parse()
            .map(Self)
            .map_err(|error: InvalidDigest| Problem::bad_request(error.to_string()))
    }
}

/// The query; what it must not have is an error too.
pub(super) struct QueryOf<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for QueryOf<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Query(query) = Query::<T>::from_request_parts(parts, state).await?;
        Ok(Self(query))
    }
}

impl From<InvalidVersion> for Problem {
    fn from(error: InvalidVersion) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl From<InvalidLimit> for Problem {
    fn from(error: InvalidLimit) -> Self {
        Self::bad_request(error.to_string())
    }
}

/// A JSON body.
pub(super) struct JsonBody<T>(pub(super) T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let Json(body) = Json::<T>::from_request(request, state).await?;
        Ok(Self(body))
    }
}

/// Cuts a page to its length. The last item, if more would follow.
pub(super) fn cut<Item>(items: &mut Vec<Item>, length: usize) -> Option<&Item> {
    if items.len() <= length {
        return None;
    }
    items.truncate(length);
    items.last()
}
