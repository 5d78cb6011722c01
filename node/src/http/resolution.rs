//! DID resolution over HTTP (W3C DID Resolution, "HTTP(S) Binding"; protocol.md#resolution).

mod error;
mod response;

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{OriginalUri, Path, Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use did_prism::did::PrismDid;
use did_prism::resolution::Resolution;
use node_request::{Representation, VersionQuery};
use node_service::resolver::DidResolver;
use percent_encoding::percent_decode_str;
use utoipa::openapi::path::Paths;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Api;
use error::{ErrorCode, ResolutionError};
use response::{ResolutionResult, success};

/// Where DIDs are resolved, each with the name of the operation in the OpenAPI document: the path of Universal Resolver
/// drivers, that of this API, and the one that a Universal Resolver asks for whose driver URL ends in `/api`.
const PATHS: [(&str, &str); 3] = [
    ("/1.0/identifiers/", "resolve"),
    ("/api/dids/", "resolve_below_api"),
    ("/api/1.0/identifiers/", "resolve_below_api_1_0"),
];

/// One handler, on every path.
pub(super) fn router() -> OpenApiRouter<Api> {
    let (schemas, paths, method_router) = routes!(resolve);
    let mut router = OpenApiRouter::new();
    for (prefix, operation_id) in PATHS {
        let mut described = Paths::new();
        for mut item in paths.paths.values().cloned() {
            if let Some(operation) = &mut item.get {
                operation.operation_id = Some(operation_id.to_owned());
            }
            described.paths.insert(format!("{prefix}{{did}}"), item);
        }
        router = router.routes((schemas.clone(), described, method_router.clone()));
    }
    router
}

/// Resolve a DID
///
/// The DID is written plain or percent-encoded, in canonical or long form. `Accept` chooses between the DID document
/// (`application/did`, the default; also `application/did+json`, `application/did+ld+json`, `application/json`,
/// `application/ld+json`) and the full resolution result (`application/did-resolution`; also `application/ld+json` with
/// the profile `https://w3id.org/did-resolution`). Errors, and the result for a deactivated DID, are always full
/// results of type `application/did-resolution`. HEAD is answered too.
#[utoipa::path(
    get,
    path = "/1.0/identifiers/{did}",
    tag = "DID resolution",
    params(
        ("did" = String, Path, description = "The DID.",
            example = "did:prism:9b5118411248d9663b6ab15128fba8106511230ff654e7514cdcc4ce919bde9b"),
        VersionQuery,
    ),
    responses(
        (status = 200, description = "The DID document, or the resolution result.", content(
            (Object = "application/did"), (ResolutionResult = "application/did-resolution"),
        )),
        (status = 400, description = "INVALID_DID, INVALID_DID_URL or INVALID_OPTIONS",
            body = ResolutionResult, content_type = "application/did-resolution"),
        (status = 404, description = "NOT_FOUND", body = ResolutionResult, content_type = "application/did-resolution"),
        (status = 406, description = "REPRESENTATION_NOT_SUPPORTED: none of the types in `Accept` can be sent.",
            body = ResolutionResult, content_type = "application/did-resolution"),
        (status = 410, description = "The DID is deactivated. No error, and no document.",
            body = ResolutionResult, content_type = "application/did-resolution"),
        (status = 500, description = "INTERNAL_ERROR", body = ResolutionResult,
            content_type = "application/did-resolution"),
        (status = 501, description = "METHOD_NOT_SUPPORTED: a DID of another method than `prism`.",
            body = ResolutionResult, content_type = "application/did-resolution"),
        (status = 503, description = "INTERNAL_ERROR: the database is not ready yet, or away; `Retry-After` says when to ask again.",
            body = ResolutionResult, content_type = "application/did-resolution"),
    ),
)]
async fn resolve(
    State(api): State<Api>,
    did: Result<Path<String>, PathRejection>,
    options: Result<Query<VersionQuery>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    answer(&api, did, options, &headers)
        .await
        .map_or_else(IntoResponse::into_response, |(resolution, representation)| {
            success(resolution, representation)
        })
}

async fn answer(
    api: &Api,
    did: Result<Path<String>, PathRejection>,
    options: Result<Query<VersionQuery>, QueryRejection>,
    headers: &HeaderMap,
) -> Result<(Resolution, &'static Representation), ResolutionError> {
    let Path(did) = did.map_err(|error| ResolutionError::new(ErrorCode::InvalidDid, error.body_text()))?;
    let did: PrismDid = did.parse()?;
    let Query(options) = options.map_err(|error| ResolutionError::new(ErrorCode::InvalidOptions, error.body_text()))?;
    let version = options
        .version()
        .map_err(|error| ResolutionError::new(ErrorCode::InvalidOptions, error.to_string()))?;
    let representation = node_request::choose(headers).ok_or_else(|| {
        ResolutionError::new(
            ErrorCode::RepresentationNotSupported,
            "Accept allows neither application/did nor application/did-resolution, nor one of their older names",
        )
    })?;
    let storage = api.storage_if_ready().ok_or_else(ResolutionError::not_ready)?;
    let resolution = DidResolver::new(storage)
        .resolve(&did, version, api.config.style)
        .await?;
    Ok((resolution, representation))
}

/// The answer to a request on one of the resolution paths on which the node has given up. `None` for every other path.
pub(super) fn answer_to_late(OriginalUri(uri): &OriginalUri) -> Option<Response> {
    let is_below = |prefix: &str| uri.path().strip_prefix(prefix).is_some_and(|rest| !rest.contains('/'));
    let is_of_resolution = PATHS.iter().any(|(prefix, _)| is_below(prefix));
    is_of_resolution.then(|| ResolutionError::late().into_response())
}

/// The answer to a path that starts like one of the resolution paths and is none of the routes: what follows is not a
/// DID, but perhaps a DID URL. `None` for every other path.
pub(super) fn answer_to_unrouted(OriginalUri(uri): &OriginalUri) -> Option<Response> {
    let rest = PATHS.iter().find_map(|(prefix, _)| uri.path().strip_prefix(prefix))?;
    let error = match percent_decode_str(rest).decode_utf8() {
        Err(_) => ResolutionError::new(ErrorCode::InvalidDid, "it is not UTF-8 text"),
        Ok(text) => match text.parse::<PrismDid>() {
            Err(error) => error.into(),
            // Not reached: what has no slash in it has a route.
            Ok(_) => return None,
        },
    };
    Some(error.into_response())
}
