//! The actions of an update.

use crate::content::{DidContent, DuplicateId, InvalidContent, NotActive, require_distinct};
use crate::key::{InvalidKey, PublicKey};
use crate::proto::UpdateDidAction;
use crate::proto::update_did_action::Action;
use crate::service::{InvalidService, Service};

/// The rule that an action of an update breaks (protocol.md#update).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAction {
    /// None of the six actions that the protocol knows.
    #[error("action is missing or unknown")]
    Missing,
    /// `add_key` without a key.
    #[error("add_key has no key")]
    MissingKey,
    /// `add_service` without a service.
    #[error("add_service has no service")]
    MissingService,
    /// The key to add breaks a rule.
    #[error(transparent)]
    Key(#[from] InvalidKey),
    /// The service to add, or the change of one, breaks a rule.
    #[error(transparent)]
    Service(#[from] InvalidService),
    /// The id to add is in use, or was.
    #[error(transparent)]
    DuplicateId(#[from] DuplicateId),
    /// The key or service to remove or change is not active.
    #[error(transparent)]
    NotActive(#[from] NotActive),
    /// `update_service` with neither a type nor an endpoint.
    #[error("update_service changes nothing")]
    ServiceUnchanged,
    /// `patch_context` that clears a context that is empty already.
    #[error("patch_context clears an empty context")]
    ContextUnchanged,
    /// `patch_context` with a string listed twice.
    #[error(transparent)]
    Context(InvalidContent),
}

impl DidContent {
    /// Applies one action. On an error the content may not be used further.
    pub(crate) fn apply(&mut self, action: &UpdateDidAction) -> Result<(), InvalidAction> {
        match action.action.as_ref().ok_or(InvalidAction::Missing)? {
            Action::AddKey(add) => {
                let key = add.key.as_ref().ok_or(InvalidAction::MissingKey)?;
                self.keys.add(PublicKey::try_from(key)?)?;
            }
            Action::RemoveKey(remove) => self.keys.revoke(&remove.key_id)?,
            Action::AddService(add) => {
                let service = add.service.as_ref().ok_or(InvalidAction::MissingService)?;
                self.services.add(Service::try_from(service)?)?;
            }
            Action::RemoveService(remove) => self.services.revoke(&remove.service_id)?,
            Action::UpdateService(update) => {
                if update.r#type.is_empty() && update.service_endpoints.is_empty() {
                    return Err(InvalidAction::ServiceUnchanged);
                }
                let service = self.services.get(&update.service_id)?;
                let changed = service.changed(&update.r#type, &update.service_endpoints)?;
                self.services.replace(changed)?;
            }
            Action::PatchContext(patch) => {
                if patch.context.is_empty() && self.context.is_empty() {
                    return Err(InvalidAction::ContextUnchanged);
                }
                require_distinct(&patch.context).map_err(InvalidAction::Context)?;
                self.context.clone_from(&patch.context);
            }
        }
        Ok(())
    }
}
