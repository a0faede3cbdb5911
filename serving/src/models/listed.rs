//! One entry of the list.

use martello_registry_client::ModelUri;

use crate::{ServedModel, Slot};

/// A slot, and what it is called while no model is in it.
#[derive(Debug, Clone)]
pub struct ListedModel {
    /// The name in paths; without one it is that of the model in the slot.
    pub name: Option<String>,
    /// What `/v1/models/{name}/labels/{label}` calls it: the stage or the alias that it follows.
    pub label: Option<String>,
    /// Where the model is.
    pub slot: Slot,
}

impl ListedModel {
    /// Lists the model of a slot under its own name.
    #[must_use]
    pub fn new(slot: Slot) -> Self {
        Self { name: None, label: None, slot }
    }

    /// Lists what a URI of the registry points to.
    #[must_use]
    pub fn at(uri: &ModelUri, slot: Slot) -> Self {
        let (name, label) = match uri {
            ModelUri::Version { name, .. } => (name.to_string(), None),
            ModelUri::Alias { name, alias } => (name.to_string(), Some(alias.to_string())),
            ModelUri::Stage { name, stage } => (name.to_string(), Some(stage.to_string())),
            ModelUri::Latest { name } => (name.to_string(), Some("latest".to_owned())),
            other => (other.to_string(), None),
        };
        Self { name: Some(name), label, slot }
    }

    /// Sets the name.
    #[must_use]
    pub fn named(mut self, name: impl Into<String>) -> Self {
        self.name = Some(name.into());
        self
    }

    /// Sets the label.
    #[must_use]
    pub fn labelled(mut self, label: impl Into<String>) -> Self {
        self.label = Some(label.into());
        self
    }

    pub(crate) fn is_called(&self, name: &str) -> bool {
        match &self.name {
            Some(own) => own == name,
            None => self.slot.load().is_some_and(|served| served.name() == name),
        }
    }

    /// Returns the name, unless it has none and no model either.
    pub(crate) fn name(&self) -> Option<String> {
        self.name_with(self.slot.load().as_deref())
    }

    /// Returns the name while this is in the slot.
    pub(crate) fn name_with(&self, served: Option<&ServedModel>) -> Option<String> {
        self.name.clone().or_else(|| served.map(|served| served.name().to_owned()))
    }
}
