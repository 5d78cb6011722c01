//! What handlers take out of a request; what is malformed is answered with problem details.

use std::str::FromStr;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use did_prism::did::{DidError, PrismDid};
use did_prism::digest::InvalidDigest;
use node_request::{InvalidLimit, InvalidVersion, page_limit};
use node_storage::contract::{OperationPosition, OperationRecord, PageLimit};
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

/// Most bytes of operations of a page, which are twice as many as hexadecimal digits. One operation is answered in any case.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// How much of a listing a client is answered at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Paging {
    /// The number of items.
    length: usize,
    /// The same for a store.
    limit: PageLimit,
    /// One more, to see whether another page follows.
    with_next: PageLimit,
}

impl Paging {
    /// The page that `limit` in a query asks for: 1 to 1000 items, by default 100.
    pub(super) fn new(limit: Option<u64>) -> Result<Self, InvalidLimit> {
        let (length, with_next) = page_limit(limit)?;
        let limit = u64::try_from(length).map_err(|_| InvalidLimit)?;
        let limit = PageLimit::try_from(limit).map_err(|_| InvalidLimit)?;
        Ok(Self {
            length,
            limit: limit.within_bytes(MAX_BYTES),
            with_next: with_next.within_bytes(MAX_BYTES),
        })
    }

    /// The most that a page may hold.
    pub(super) const fn limit(self) -> PageLimit {
        self.limit
    }

    /// What to ask a store for: one item more than the page may have, if its bytes allow.
    pub(super) const fn with_next(self) -> PageLimit {
        self.with_next
    }

    /// Cuts what a store has answered to [`Paging::with_next`] to the page. The last item, if more would follow.
    pub(super) fn cut<Item>(self, items: &mut Vec<Item>) -> Option<&Item> {
        if items.len() <= self.length {
            return None;
        }
        items.truncate(self.length);
        items.last()
    }

    /// Cuts operations that a store has answered to [`Paging::with_next`] to the page. Whether further ones follow: where their
    /// bytes have ended the page, `is_more_after` finds out whether any operation stands above a position.
    pub(super) async fn cut_operations<E>(
        self,
        records: &mut Vec<OperationRecord>,
        is_more_after: impl AsyncFnOnce(OperationPosition) -> Result<bool, E>,
    ) -> Result<bool, E> {
        if self.cut(records).is_some() {
            return Ok(true);
        }
        let bytes: usize = records
            .iter()
            .map(|record| record.operation.bytes.as_slice().len())
            .sum();
        match records.last() {
            Some(last)
                if !self
                    .with_next
                    .has_room(records.len(), u64::try_from(bytes).unwrap_or(u64::MAX)) =>
            {
                is_more_after(last.operation.position).await
            }
            _ => Ok(false),
        }
    }
}

/// The limit to ask with whether there is anything more.
pub(super) fn one() -> PageLimit {
    PageLimit::try_from(1).unwrap_or(PageLimit::MAX)
}
