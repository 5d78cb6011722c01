//! DID documents (protocol.md#document).

mod jwk;

use std::fmt;
use std::str::FromStr;

use serde::Serialize;

pub use jwk::Jwk;

use crate::content::DidContent;
use crate::did::PrismDid;
use crate::key::{KeyUsage, PublicKey};
use crate::service::{ServiceEndpoint, ServiceType};

const DID_CONTEXT: &str = "https://www.w3.org/ns/did/v1";
const JWS_2020_CONTEXT: &str = "https://w3id.org/security/suites/jws-2020/v1";
const DIDCOMM_CONTEXT: &str = "https://didcomm.org/messaging/contexts/v2";
const DID_CONFIGURATION_CONTEXT: &str = "https://identity.foundation/.well-known/did-configuration/v1";

/// Which of the members that implementations disagree on a document has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DocumentStyle {
    /// As the PRISM specification says: a `controller`, and the contexts that the document's own keys and services need.
    /// No context is repeated.
    #[default]
    Spec,
    /// For clients of nodes that have neither: no `controller`, and only the DID Core context with the user's behind it
    /// as written, a repeated DID Core context included.
    Minimal,
}

/// Text that names no document style.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("document style {0:?} is unknown, use spec or minimal")]
pub struct UnknownDocumentStyle(pub String);

impl FromStr for DocumentStyle {
    type Err = UnknownDocumentStyle;

    fn from_str(text: &str) -> Result<Self, UnknownDocumentStyle> {
        match text {
            "spec" => Ok(Self::Spec),
            "minimal" => Ok(Self::Minimal),
            _ => Err(UnknownDocumentStyle(text.to_owned())),
        }
    }
}

impl fmt::Display for DocumentStyle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Spec => "spec",
            Self::Minimal => "minimal",
        })
    }
}

/// A DID document. Serialized without null members; the lists are present even when they are empty.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DidDocument {
    /// The JSON-LD contexts, that of DID Core first.
    #[serde(rename = "@context")]
    pub context: Vec<String>,
    /// The DID as asked for.
    pub id: String,
    /// The DID as asked for; none in the minimal style.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub controller: Option<String>,
    /// The active keys other than MASTER, REVOCATION and VDR keys, in the order in which they were added.
    pub verification_method: Vec<VerificationMethod>,
    /// References to the AUTHENTICATION keys.
    pub authentication: Vec<String>,
    /// References to the ISSUING keys.
    pub assertion_method: Vec<String>,
    /// References to the `KEY_AGREEMENT` keys.
    pub key_agreement: Vec<String>,
    /// References to the `CAPABILITY_INVOCATION` keys.
    pub capability_invocation: Vec<String>,
    /// References to the `CAPABILITY_DELEGATION` keys.
    pub capability_delegation: Vec<String>,
    /// The active services, in the order in which they were added.
    pub service: Vec<DocumentService>,
}

/// A verification method of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VerificationMethod {
    /// The DID, `#`, and the key's id.
    pub id: String,
    /// `JsonWebKey2020`.
    #[serde(rename = "type")]
    pub method_type: &'static str,
    /// The DID as asked for.
    pub controller: String,
    /// The key.
    pub public_key_jwk: Jwk,
}

/// A service of a document.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct DocumentService {
    /// The DID, `#`, and the service's id.
    pub id: String,
    /// A text, or a list where a list was published.
    #[serde(rename = "type")]
    pub service_type: ServiceType,
    /// A text, an object or an array, as published.
    pub service_endpoint: ServiceEndpoint,
}

impl DidDocument {
    /// The document of a DID with this content; `did` in the form that was asked for.
    pub fn new(did: &PrismDid, content: &DidContent, style: DocumentStyle) -> Self {
        let id = did.to_string();
        let references = |usage: KeyUsage| {
            let keys = content.keys().active().filter(move |key| key.usage() == usage);
            keys.map(|key| format!("{id}#{}", key.id())).collect()
        };
        Self {
            context: contexts(content, style),
            controller: match style {
                DocumentStyle::Spec => Some(id.clone()),
                DocumentStyle::Minimal => None,
            },
            verification_method: content
                .keys()
                .active()
                .filter(|key| is_visible(key))
                .map(|key| VerificationMethod {
                    id: format!("{id}#{}", key.id()),
                    method_type: "JsonWebKey2020",
                    controller: id.clone(),
                    public_key_jwk: Jwk::from(key.point()),
                })
                .collect(),
            authentication: references(KeyUsage::Authentication),
            assertion_method: references(KeyUsage::Issuing),
            key_agreement: references(KeyUsage::KeyAgreement),
            capability_invocation: references(KeyUsage::CapabilityInvocation),
            capability_delegation: references(KeyUsage::CapabilityDelegation),
            service: content
                .services()
                .active()
                .map(|service| DocumentService {
                    id: format!("{id}#{}", service.id()),
                    service_type: service.service_type().clone(),
                    service_endpoint: service.endpoint().clone(),
                })
                .collect(),
            id,
        }
    }
}

/// MASTER, REVOCATION and VDR keys serve the protocol and are not part of a document.
fn is_visible(key: &PublicKey) -> bool {
    match key.usage() {
        KeyUsage::Master | KeyUsage::Revocation | KeyUsage::Vdr => false,
        KeyUsage::Issuing
        | KeyUsage::KeyAgreement
        | KeyUsage::Authentication
        | KeyUsage::CapabilityInvocation
        | KeyUsage::CapabilityDelegation => true,
    }
}

fn contexts(content: &DidContent, style: DocumentStyle) -> Vec<String> {
    let mut contexts = vec![DID_CONTEXT.to_owned()];
    match style {
        DocumentStyle::Minimal => contexts.extend_from_slice(content.context()),
        DocumentStyle::Spec => {
            let offers = |name: &str| {
                content
                    .services()
                    .active()
                    .any(|service| service.service_type().contains(name))
            };
            let automatic = [
                (content.keys().active().any(is_visible), JWS_2020_CONTEXT),
                (offers("DIDCommMessaging"), DIDCOMM_CONTEXT),
                (offers("LinkedDomains"), DID_CONFIGURATION_CONTEXT),
            ];
            let needed = automatic
                .iter()
                .filter(|(needed, _)| *needed)
                .map(|(_, context)| *context);
            for context in needed.chain(content.context().iter().map(String::as_str)) {
                if !contexts.iter().any(|present| present == context) {
                    contexts.push(context.to_owned());
                }
            }
        }
    }
    contexts
}
