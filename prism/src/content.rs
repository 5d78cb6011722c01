//! What a DID consists of: its keys, its services and its context, and the rules they keep together.

mod items;

use std::collections::HashSet;

pub use items::{DuplicateId, HasId, Items, NotActive};

use crate::digest::DidSuffix;
use crate::key::{InvalidKey, KeyUsage, PublicKey};
use crate::proto;
use crate::proto::ProtoCreateDid;
use crate::service::{InvalidService, Service};

/// The most active keys that a DID may have, of all usages together.
pub const MAX_KEYS: usize = 50;
/// The most active services that a DID may have.
pub const MAX_SERVICES: usize = 50;

/// The keys, services and context of a DID.
///
/// Cloning is cheap: keys and services are shared.
#[derive(Debug, Clone, PartialEq)]
pub struct DidContent {
    pub(crate) keys: Items<PublicKey>,
    pub(crate) services: Items<Service>,
    pub(crate) context: Vec<String>,
}

/// The rule that a content breaks (protocol.md#create, rules 1 to 6).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidContent {
    /// `did_data` is missing.
    #[error("did_data is missing")]
    MissingDidData,
    /// No active MASTER key.
    #[error("no MASTER key is active")]
    NoMasterKey,
    /// More than 50 active keys.
    #[error("more than {MAX_KEYS} keys are active")]
    TooManyKeys,
    /// More than 50 active services.
    #[error("more than {MAX_SERVICES} services are active")]
    TooManyServices,
    /// A key breaks a rule.
    #[error("key {index}: {reason}")]
    Key {
        /// Which key of the operation, counted from 0.
        index: usize,
        /// The rule.
        reason: InvalidKey,
    },
    /// A service breaks a rule.
    #[error("service {index}: {reason}")]
    Service {
        /// Which service of the operation, counted from 0.
        index: usize,
        /// The rule.
        reason: InvalidService,
    },
    /// Two keys, or two services, share an id.
    #[error(transparent)]
    DuplicateId(#[from] DuplicateId),
    /// The context names a string twice.
    #[error("context {0:?} is listed twice")]
    DuplicateContext(String),
}

impl DidContent {
    /// All keys, revoked ones included, in the order in which they were added.
    pub fn keys(&self) -> &Items<PublicKey> {
        &self.keys
    }

    /// All services, revoked ones included, in the order in which they were added.
    pub fn services(&self) -> &Items<Service> {
        &self.services
    }

    /// The context, as written.
    pub fn context(&self) -> &[String] {
        &self.context
    }

    /// The content that a create gives a DID. Its signature is not judged here.
    pub fn created_by(create: &ProtoCreateDid) -> Result<Self, InvalidContent> {
        let data = create.did_data.as_ref().ok_or(InvalidContent::MissingDidData)?;
        // The counts come first, so that the work on one operation is bounded.
        if data.public_keys.len() > MAX_KEYS {
            return Err(InvalidContent::TooManyKeys);
        }
        if data.services.len() > MAX_SERVICES {
            return Err(InvalidContent::TooManyServices);
        }
        let mut content = Self {
            keys: Items::default(),
            services: Items::default(),
            context: data.context.clone(),
        };
        for (index, key) in data.public_keys.iter().enumerate() {
            let key = PublicKey::try_from(key).map_err(|reason| InvalidContent::Key { index, reason })?;
            content.keys.add(key)?;
        }
        for (index, service) in data.services.iter().enumerate() {
            let service = Service::try_from(service).map_err(|reason| InvalidContent::Service { index, reason })?;
            content.services.add(service)?;
        }
        require_distinct(&content.context)?;
        content.require_limits()?;
        Ok(content)
    }

    /// The rules about what is active, which hold after every operation: at least one MASTER key, 50 keys and 50
    /// services at most.
    pub(crate) fn require_limits(&self) -> Result<(), InvalidContent> {
        if !self.keys.active().any(|key| key.usage() == KeyUsage::Master) {
            Err(InvalidContent::NoMasterKey)
        } else if self.keys.active().count() > MAX_KEYS {
            Err(InvalidContent::TooManyKeys)
        } else if self.services.active().count() > MAX_SERVICES {
            Err(InvalidContent::TooManyServices)
        } else {
            Ok(())
        }
    }

    /// The message that the read side serves for this content: active items only, no storage entries.
    pub(crate) fn to_did_data(&self, did: DidSuffix) -> proto::DidData {
        proto::DidData {
            id: did.to_string(),
            public_keys: self.keys.active().map(|key| key.published().clone()).collect(),
            services: self.services.active().map(proto::Service::from).collect(),
            context: self.context.clone(),
            storage_data: Vec::new(),
        }
    }
}

/// Refuses a context that names a string twice.
pub(crate) fn require_distinct(context: &[String]) -> Result<(), InvalidContent> {
    let mut seen = HashSet::with_capacity(context.len());
    match context.iter().find(|entry| !seen.insert(entry.as_str())) {
        Some(repeated) => Err(InvalidContent::DuplicateContext(repeated.clone())),
        None => Ok(()),
    }
}
