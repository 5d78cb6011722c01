//! Errors of DID resolution.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use did_prism::did::DidError;
use node_service::resolver::ResolveError;

use super::super::problem::ASK_AGAIN;
use super::response::{ErrorMember, ResolutionResult, result_response};

/// The namespace of the error codes (DID Resolution, "Errors").
const NAMESPACE: &str = "https://www.w3.org/ns/did#";

/// A code of DID Resolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ErrorCode {
    InvalidDid,
    InvalidDidUrl,
    InvalidOptions,
    NotFound,
    RepresentationNotSupported,
    MethodNotSupported,
    InternalError,
}

impl ErrorCode {
    /// The code, its title, and the status it is sent with (DID Resolution, "HTTP(S) Binding").
    const fn description(self) -> (&'static str, &'static str, StatusCode) {
        match self {
            Self::InvalidDid => ("INVALID_DID", "Invalid DID", StatusCode::BAD_REQUEST),
            Self::InvalidDidUrl => ("INVALID_DID_URL", "Invalid DID URL", StatusCode::BAD_REQUEST),
            Self::InvalidOptions => ("INVALID_OPTIONS", "Invalid options", StatusCode::BAD_REQUEST),
            Self::NotFound => ("NOT_FOUND", "Not found", StatusCode::NOT_FOUND),
            Self::RepresentationNotSupported => (
                "REPRESENTATION_NOT_SUPPORTED",
                "Representation not supported",
                StatusCode::NOT_ACCEPTABLE,
            ),
            Self::MethodNotSupported => (
                "METHOD_NOT_SUPPORTED",
                "DID method not supported",
                StatusCode::NOT_IMPLEMENTED,
            ),
            Self::InternalError => ("INTERNAL_ERROR", "Internal error", StatusCode::INTERNAL_SERVER_ERROR),
        }
    }
}

/// A DID was not resolved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ResolutionError {
    code: ErrorCode,
    status: StatusCode,
    detail: String,
}

impl ResolutionError {
    /// An error with the status of its code.
    pub(super) fn new(code: ErrorCode, detail: impl Into<String>) -> Self {
        let (_, _, status) = code.description();
        Self {
            code,
            status,
            detail: detail.into(),
        }
    }

    /// The database is not there yet.
    pub(super) fn not_ready() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            ..Self::new(ErrorCode::InternalError, "the database is not ready yet, try again")
        }
    }

    /// The node gave up.
    pub(super) fn late() -> Self {
        Self {
            status: StatusCode::SERVICE_UNAVAILABLE,
            ..Self::new(
                ErrorCode::InternalError,
                "the node has worked on this request for too long and given up",
            )
        }
    }
}

impl From<DidError> for ResolutionError {
    fn from(error: DidError) -> Self {
        let code = match error {
            DidError::InvalidDid { .. } => ErrorCode::InvalidDid,
            DidError::InvalidDidUrl { .. } => ErrorCode::InvalidDidUrl,
            DidError::MethodNotSupported { .. } => ErrorCode::MethodNotSupported,
        };
        Self::new(code, error.to_string())
    }
}

impl From<ResolveError> for ResolutionError {
    /// What the database says goes to the log and not to the client.
    fn from(error: ResolveError) -> Self {
        match error {
            ResolveError::NotFound(error) => Self::new(ErrorCode::NotFound, error.to_string()),
            ResolveError::Storage(error) => {
                tracing::error!(%error, "a DID could not be resolved");
                if error.is_retryable() {
                    return Self {
                        status: StatusCode::SERVICE_UNAVAILABLE,
                        ..Self::new(
                            ErrorCode::InternalError,
                            "the database is not available at the moment, try again",
                        )
                    };
                }
                Self::new(
                    ErrorCode::InternalError,
                    "the database could not answer; the log of the node says why",
                )
            }
        }
    }
}

impl IntoResponse for ResolutionError {
    fn into_response(self) -> Response {
        let status = self.status;
        let mut response = result_response(status, &ResolutionResult::failed(ErrorMember::from(self)));
        if status == StatusCode::SERVICE_UNAVAILABLE {
            let seconds = HeaderValue::from(ASK_AGAIN.as_secs());
            response.headers_mut().insert(header::RETRY_AFTER, seconds);
        }
        response
    }
}

impl From<ResolutionError> for ErrorMember {
    fn from(error: ResolutionError) -> Self {
        let (code, title, _) = error.code.description();
        Self {
            error_type: format!("{NAMESPACE}{code}"),
            title,
            detail: error.detail,
        }
    }
}
