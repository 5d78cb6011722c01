//! What handlers take out of a request; what is malformed is answered with problem details.

use std::str::FromStr;

use axum::Json;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use did_prism::did::{DidError, PrismDid};
use did_prism::digest::{InvalidDigest, OperationHash};
use did_prism::ledger::{BlockTime, InvalidBlockTime};
use did_prism::resolution::Version;
use node_storage::contract::{OperationPosition, OperationRecord, PageLimit};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

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

/// Which version is asked for, by at most one of these.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct VersionQuery {
    /// The version right after the operation with this hash, 64 lowercase hexadecimal digits.
    pub(super) version_id: Option<String>,
    /// The version at this time: after every operation whose block time, floored to the second, is not later. RFC 3339.
    #[param(example = "2023-01-01T00:00:00Z")]
    pub(super) version_time: Option<String>,
}

/// A query that asks for no version there could be.
#[derive(Debug, thiserror::Error)]
pub(super) enum InvalidVersion {
    /// Not a hash.
    #[error("versionId: {0}")]
    Id(#[source] InvalidDigest),
    /// Not a time.
    #[error("versionTime: {0}")]
    Time(#[source] InvalidBlockTime),
    /// Two versions.
    #[error("versionId and versionTime exclude each other")]
    Both,
}

impl From<InvalidVersion> for Problem {
    fn from(error: InvalidVersion) -> Self {
        Self::bad_request(error.to_string())
    }
}

impl VersionQuery {
    /// The version; the latest one if none is named.
    pub(super) fn version(&self) -> Result<Version, InvalidVersion> {
        match (&self.version_id, &self.version_time) {
            (None, None) => Ok(Version::Latest),
            (Some(id), None) => OperationHash::from_str(id).map(Version::Id).map_err(InvalidVersion::Id),
            (None, Some(time)) => BlockTime::from_str(time)
                .map(Version::Time)
                .map_err(InvalidVersion::Time),
            (Some(_), Some(_)) => Err(InvalidVersion::Both),
        }
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

/// Most items of a page that a client may ask for.
const MAX_LIMIT: u64 = 1000;
/// Items of a page for a client that does not say.
const DEFAULT_LIMIT: u64 = 100;
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
    pub(super) fn new(limit: Option<u64>) -> Result<Self, Problem> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT);
        let rows = |rows: u64| PageLimit::try_from(rows).map(|limit| limit.within_bytes(MAX_BYTES));
        match (usize::try_from(limit), rows(limit), rows(limit.saturating_add(1))) {
            (Ok(length), Ok(limit_of_store), Ok(with_next)) if (1..=MAX_LIMIT).contains(&limit) => Ok(Self {
                length,
                limit: limit_of_store,
                with_next,
            }),
            _ => Err(Problem::bad_request(format!("limit must be 1 to {MAX_LIMIT}"))),
        }
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
