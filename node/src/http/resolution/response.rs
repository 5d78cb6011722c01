//! What is sent for a resolved DID.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use did_prism::document::DidDocument;
use did_prism::resolution::{DocumentMetadata, Resolution};
use node_request::{DID_DOCUMENT, Form, RESOLUTION_RESULT, Representation};
use serde::Serialize;
use utoipa::ToSchema;

/// The result of a DID resolution (DID Resolution, "DID Resolution Result").
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(clippy::struct_field_names, reason = "the names are those of the standard")]
pub(super) struct ResolutionResult {
    /// About the resolution.
    did_resolution_metadata: ResolutionMetadata,
    /// The DID document (DID Core); null on an error, and if the DID is deactivated.
    #[schema(value_type = Option<Object>, required)]
    did_document: Option<DidDocument>,
    /// About the document: `created`, `updated` (RFC 3339, UTC, whole seconds), `versionId` (hash of the DID's last
    /// operation), `deactivated`, and `canonicalId` if the long form of a published DID was asked for. Empty on an
    /// error.
    #[schema(value_type = Object)]
    did_document_metadata: MetadataMember,
}

/// About a resolution.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
struct ResolutionMetadata {
    /// The media type of the document; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "application/did")]
    content_type: Option<&'static str>,
    /// Why there is no document; absent if there is one, and if the DID is deactivated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    error: Option<ErrorMember>,
}

/// Why a DID was not resolved (RFC 9457).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub(super) struct ErrorMember {
    /// The code, as a URI.
    #[serde(rename = "type")]
    #[schema(example = "https://www.w3.org/ns/did#NOT_FOUND")]
    pub(super) error_type: String,
    /// The code, in words.
    #[schema(example = "Not found")]
    pub(super) title: &'static str,
    /// What is wrong with this request, for people.
    pub(super) detail: String,
}

/// Metadata of the document, or an empty object.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum MetadataMember {
    Resolved(DocumentMetadata),
    Empty {},
}

impl ResolutionResult {
    /// The result of a resolution that failed.
    pub(super) fn failed(error: ErrorMember) -> Self {
        Self {
            did_resolution_metadata: ResolutionMetadata {
                content_type: None,
                error: Some(error),
            },
            did_document: None,
            did_document_metadata: MetadataMember::Empty {},
        }
    }
}

impl From<Resolution> for ResolutionResult {
    fn from(resolution: Resolution) -> Self {
        Self {
            did_resolution_metadata: ResolutionMetadata {
                content_type: resolution.document.as_ref().map(|_| DID_DOCUMENT),
                error: None,
            },
            did_document: resolution.document,
            did_document_metadata: MetadataMember::Resolved(resolution.metadata),
        }
    }
}

/// The response for a DID that exists: in the form that was asked for, or, if the DID is deactivated, 410 with the
/// result.
pub(super) fn success(resolution: Resolution, representation: &'static Representation) -> Response {
    match (&resolution.document, representation.form) {
        (None, _) => result_response(StatusCode::GONE, &ResolutionResult::from(resolution)),
        (Some(document), Form::Document) => response(StatusCode::OK, representation.content_type, document),
        (Some(_), Form::ResolutionResult) => response(
            StatusCode::OK,
            representation.content_type,
            &ResolutionResult::from(resolution),
        ),
    }
}

/// A response with a full result, whatever was asked for.
pub(super) fn result_response(status: StatusCode, result: &ResolutionResult) -> Response {
    response(status, RESOLUTION_RESULT, result)
}

fn response(status: StatusCode, content_type: &'static str, body: &impl Serialize) -> Response {
    let mut response = (status, Json(body)).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(header::VARY, HeaderValue::from_static("Accept"));
    response
}
