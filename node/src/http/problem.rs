//! Problem details (RFC 9457): the body of every error outside DID resolution.

use std::any::Any;
use std::error::Error;
use std::time::Duration;

use axum::Json;
use axum::extract::rejection::{JsonRejection, PathRejection, QueryRejection};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use dlt_sinks::contract::SubmitError;
use node_service::resolver::ResolveEntryError;
use node_storage::contract::StorageError;
use serde::Serialize;
use tower_http::timeout::TimeoutError;
use utoipa::ToSchema;

/// When to ask again while the database is away.
pub(super) const ASK_AGAIN: Duration = Duration::from_secs(5);

/// The media type of problem details.
pub(super) const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was not answered (RFC 9457). Nothing was changed by it, except perhaps by a submission whose status is 504.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct Problem {
    /// Always `about:blank`: the problem is what the status says.
    #[serde(rename = "type")]
    #[schema(example = "about:blank")]
    kind: &'static str,
    /// The status, in words.
    #[schema(example = "Not Found")]
    title: &'static str,
    /// The status of the response.
    #[schema(minimum = 400, maximum = 599, example = 404)]
    status: u16,
    /// What this request lacked, for people.
    #[schema(example = "no operation has this id")]
    detail: String,
    /// When to ask again, if that is known: the header `Retry-After`.
    #[serde(skip)]
    retry_after: Option<Duration>,
}

impl Problem {
    /// A problem of this status.
    pub(super) fn new(status: StatusCode, detail: impl Into<String>) -> Self {
        Self {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: detail.into(),
            retry_after: None,
        }
    }

    /// The same with the time after which it may have passed, in whole seconds.
    pub(super) fn retry_after(self, time: Duration) -> Self {
        Self {
            retry_after: Some(time),
            ..self
        }
    }

    /// 400: the request is malformed.
    pub(super) fn bad_request(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, detail)
    }

    /// 404: what was asked for does not exist.
    pub(super) fn not_found(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, detail)
    }

    /// 503: not now. Where it is the database that is away, with the time after which to ask again.
    pub(super) fn database_away(detail: impl Into<String>) -> Self {
        Self::unavailable(detail).retry_after(ASK_AGAIN)
    }

    /// 503: not now.
    pub(super) fn unavailable(detail: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, detail)
    }

    /// The answer to a request whose handler panicked. What the panic said stays in the log.
    pub(super) fn of_panic(_panic: Box<dyn Any + Send + 'static>) -> Response {
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "the node failed on this request; its log says why",
        )
        .into_response()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let retry_after = self.retry_after;
        let mut response = (status, Json(self)).into_response();
        let content_type = HeaderValue::from_static(PROBLEM_JSON);
        response.headers_mut().insert(header::CONTENT_TYPE, content_type);
        if let Some(time) = retry_after {
            let seconds = HeaderValue::from(time.as_secs());
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

/// The store could not be read. Its words go to the log; the client learns whether trying again may help.
impl From<StorageError> for Problem {
    fn from(error: StorageError) -> Self {
        tracing::error!(%error, "a request failed on the database");
        if error.is_retryable() {
            Self::database_away("the database is not available at the moment, try again")
        } else {
            Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the database could not answer; the log of the node says why",
            )
        }
    }
}

impl From<ResolveEntryError> for Problem {
    fn from(error: ResolveEntryError) -> Self {
        match error {
            ResolveEntryError::NotFound(error) => Self::not_found(error.to_string()),
            ResolveEntryError::Storage(error) => error.into(),
        }
    }
}

/// What the sink says is meant for whoever submits, and has no secrets in it.
impl From<SubmitError> for Problem {
    fn from(error: SubmitError) -> Self {
        let status = match error {
            SubmitError::NoOperations | SubmitError::Malformed(_) => StatusCode::BAD_REQUEST,
            SubmitError::TooLarge(_) => StatusCode::PAYLOAD_TOO_LARGE,
            SubmitError::Unavailable(_) | SubmitError::ShuttingDown => StatusCode::SERVICE_UNAVAILABLE,
            SubmitError::Refused(_) => StatusCode::BAD_GATEWAY,
            SubmitError::Unknown(_) => StatusCode::GATEWAY_TIMEOUT,
        };
        Self::new(status, error.to_string())
    }
}

impl From<PathRejection> for Problem {
    fn from(rejection: PathRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::bad_request(rejection.body_text())
    }
}

/// Whether the body was cut off, since the client did not send it in time.
fn is_late(rejection: &JsonRejection) -> bool {
    let mut cause = rejection.source();
    while let Some(error) = cause {
        if error.is::<TimeoutError>() {
            return true;
        }
        cause = error.source();
    }
    false
}

impl From<JsonRejection> for Problem {
    /// 408, 413 and 415 stay what they are; JSON of another shape is as much a malformed request as no JSON at all.
    fn from(rejection: JsonRejection) -> Self {
        if is_late(&rejection) {
            return Self::new(
                StatusCode::REQUEST_TIMEOUT,
                "the body of the request did not come in time",
            );
        }
        let status = match rejection.status() {
            StatusCode::UNPROCESSABLE_ENTITY => StatusCode::BAD_REQUEST,
            status => status,
        };
        Self::new(status, rejection.body_text())
    }
}
