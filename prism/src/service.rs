//! Services of a DID.

mod endpoint;
mod service_type;

pub use endpoint::{InvalidServiceEndpoint, ServiceEndpoint};
pub use service_type::{InvalidServiceType, ServiceType};

use crate::item_id::{InvalidItemId, ItemId};
use crate::proto;

/// A service that keeps every rule for services (protocol.md#services).
#[derive(Debug, Clone, PartialEq)]
pub struct Service {
    id: ItemId,
    kind: ServiceType,
    endpoint: ServiceEndpoint,
}

/// The rule that a service breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidService {
    /// The id.
    #[error(transparent)]
    Id(#[from] InvalidItemId),
    /// The type.
    #[error(transparent)]
    Type(#[from] InvalidServiceType),
    /// The endpoint.
    #[error(transparent)]
    Endpoint(#[from] InvalidServiceEndpoint),
}

impl Service {
    /// The id.
    pub fn id(&self) -> &ItemId {
        &self.id
    }

    /// The type or types.
    pub fn service_type(&self) -> &ServiceType {
        &self.kind
    }

    /// The endpoint or endpoints.
    pub fn endpoint(&self) -> &ServiceEndpoint {
        &self.endpoint
    }

    /// This service with another type, endpoint, or both; an empty text keeps the old one.
    pub(crate) fn changed(&self, service_type: &str, endpoint: &str) -> Result<Self, InvalidService> {
        let mut changed = self.clone();
        if !service_type.is_empty() {
            changed.kind = ServiceType::try_from(service_type)?;
        }
        if !endpoint.is_empty() {
            changed.endpoint = ServiceEndpoint::try_from(endpoint)?;
        }
        Ok(changed)
    }
}

impl TryFrom<&proto::Service> for Service {
    type Error = InvalidService;

    fn try_from(service: &proto::Service) -> Result<Self, InvalidService> {
        Ok(Self {
            id: ItemId::try_from(service.id.as_str())?,
            kind: ServiceType::try_from(service.r#type.as_str())?,
            endpoint: ServiceEndpoint::try_from(service.service_endpoint.as_str())?,
        })
    }
}

impl From<&Service> for proto::Service {
    fn from(service: &Service) -> Self {
        Self {
            id: service.id.as_str().to_owned(),
            r#type: service.kind.published().to_owned(),
            service_endpoint: service.endpoint.published().to_owned(),
        }
    }
}
