//! A model as far as its description needs it.

use std::sync::Arc;

use crate::{Models, ServedModel};

/// A listed model, whether it has been brought or not.
#[derive(Debug)]
pub(super) struct Described {
    /// Where it stands in the list: the first answers where a path names none.
    pub(super) place: usize,
    pub(super) name: Option<String>,
    pub(super) label: Option<String>,
    pub(super) version: Option<u32>,
    pub(super) served: Option<Arc<ServedModel>>,
    /// False if a model before it has the same name, and answers where no version is asked for.
    pub(super) answers_to_its_name: bool,
}

impl Described {
    pub(super) fn list(models: &Models) -> Vec<Self> {
        let mut list: Vec<Self> = Vec::new();
        for (place, listed) in models.iter().enumerate() {
            // Looked at once: name and columns are those of one model, whatever is swapped meanwhile.
            let served = listed.slot.load();
            let name = listed.name_with(served.as_deref());
            let answers_to_its_name = !list.iter().any(|before| before.name == name);
            let version = served.as_ref().and_then(|served| served.version());
            let label = listed.label.clone();
            list.push(Self { place, name, label, version, served, answers_to_its_name });
        }
        list
    }

    /// Returns the name of one of its schemas.
    pub(super) fn schema(&self, kind: &str) -> String {
        if self.place == 0 { kind.to_owned() } else { format!("{kind}{}", self.place + 1) }
    }
}
