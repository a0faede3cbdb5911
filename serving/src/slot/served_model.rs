//! A model together with what clients are told about it.

use std::sync::Arc;

use martello_model_core::{Batch, Model, Signature};

use crate::metrics::ModelFigures;
use crate::predict::Cost;

/// A model in service: what answers, and under which name and version.
#[derive(Debug)]
pub struct ServedModel {
    name: String,
    version: Option<u32>,
    model: Arc<dyn Model>,
    input_example: Option<Batch>,
    figures: Arc<ModelFigures>,
    cost: Cost,
}

impl ServedModel {
    /// Names a model; it has no version until one is given.
    #[must_use]
    pub fn new(name: impl Into<String>, model: Arc<dyn Model>) -> Self {
        Self {
            name: name.into(),
            version: None,
            model,
            input_example: None,
            figures: Arc::new(ModelFigures::new("", None)),
            cost: Cost::default(),
        }
    }

    /// Sets the version in the registry.
    #[must_use]
    pub fn with_version(mut self, version: u32) -> Self {
        self.version = Some(version);
        self
    }

    /// Sets rows that the model is known to take, for the API description and for warming up.
    #[must_use]
    pub fn with_input_example(mut self, example: Batch) -> Self {
        self.input_example = Some(example);
        self
    }

    /// Returns the name under which the model is served.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the version in the registry, if the model came from one.
    #[must_use]
    pub fn version(&self) -> Option<u32> {
        self.version
    }

    /// Returns the model itself.
    #[must_use]
    pub fn model(&self) -> &Arc<dyn Model> {
        &self.model
    }

    /// Returns the columns that the model takes.
    #[must_use]
    pub fn signature(&self) -> &Arc<Signature> {
        self.model.signature()
    }

    /// Returns rows that the model is known to take.
    #[must_use]
    pub fn input_example(&self) -> Option<&Batch> {
        self.input_example.as_ref()
    }

    pub(crate) fn figures(&self) -> &Arc<ModelFigures> {
        &self.figures
    }

    /// Counts on where the same version has counted before, if it has.
    pub(super) fn count_on(&mut self, known: &mut Vec<Arc<ModelFigures>>) {
        let own = Arc::new(ModelFigures::new(&self.name, self.version));
        let before = known.iter().position(|figures| figures.are_of(&own));
        self.figures = before.map_or(own, |place| known.remove(place));
        self.figures.begin_service();
        known.push(Arc::clone(&self.figures));
    }

    pub(crate) fn cost(&self) -> &Cost {
        &self.cost
    }
}
