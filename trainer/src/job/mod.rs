//! The training job: data in, registered model out.

mod outcome;
mod policy;
mod product;
mod run;
mod source;
mod stop;

use std::future::{Future, pending};
use std::path::PathBuf;
use std::sync::Arc;

use martello_registry_client::{Registry, Stage};

pub use self::outcome::{Outcome, PromotionOutcome};
pub use self::policy::{FinalFit, PromotionPolicy, WhenPresent};
use self::source::Source;
use crate::dataset::{CsvOptions, Dataset, MakeRegression};
use crate::error::Error;
use crate::parameters::{Algorithm, FitLimits, Logistic};
use crate::split::Split;

/// Load → split → fit → evaluate → log → register → promote.
///
/// A job is a description; [`run`](Self::run) carries it out against a registry. It can be run as often as one likes: if
/// the stage has a version already, nothing is trained.
///
/// | step | what happens |
/// |---|---|
/// | present? | a version in the stage (`Production`) ends the job, unless [`WhenPresent::Retrain`] |
/// | claim | one training of a model at a time, where the registry can tell (embedded): who waited looks again |
/// | run | a run is opened in the experiment; from here on a failure marks it `FAILED` and registers nothing |
/// | fit | on the training part; encodings are learnt there too |
/// | evaluate | on the part held back |
/// | log | `train_size`, `test_size`, `n_features`, `model_type` (and `alpha`), the metrics |
/// | register | the model folder with signature and input example, files first, the version last |
/// | promote | by [`PromotionPolicy`]: stage, archiving what stood there, and alias |
///
/// A job that is [asked to stop](Self::run_until) marks its run `KILLED` and registers nothing. A crash in between leaves at most a version without a stage, which no `models:/name/Production` leads to; the run that stays
/// `RUNNING` is marked `KILLED` by the next training of the model in an embedded registry.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use martello_registry_client::Registry;
/// use martello_trainer::{Outcome, TrainingJob};
///
/// let dir = tempfile::tempdir()?;
/// let registry = Registry::embedded(dir.path()).await?;
/// let job = TrainingJob::penguin_species();
/// assert!(matches!(job.run(&registry).await?, Outcome::Trained { .. }));
/// assert!(matches!(job.run(&registry).await?, Outcome::Skipped { .. }), "one is in Production already");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct TrainingJob {
    model: String,
    experiment: String,
    source: Source,
    split: Split,
    /// Chosen by the target when absent.
    algorithm: Option<Algorithm>,
    limits: FitLimits,
    final_fit: FinalFit,
    when_present: WhenPresent,
    promotion: PromotionPolicy,
    stage: Stage,
    alias: Option<String>,
}

impl TrainingJob {
    /// The alias that a promoted version gets unless another is asked for.
    pub const DEFAULT_ALIAS: &str = "champion";

    /// Least squares on [`MakeRegression::default`]: model `linear_regression_model`, experiment
    /// `linear_regression_prediction`, columns `feature1` to `feature3`.
    ///
    /// The metrics are those of the fit on the 80 training rows. The registered model is fitted once more on all 100
    /// ([`FinalFit::AllRows`]): that model answers 321.307… for the features 5.3, 2.1 and 0.8, which clients of the job's
    /// Python predecessor were promised; the fit on the training rows would answer 321.325….
    pub fn linear_regression() -> Self {
        Self::new("linear_regression_model", Source::Synthetic(MakeRegression::default()))
            .experiment("linear_regression_prediction")
            .algorithm(Algorithm::LinearRegression)
            .final_fit(FinalFit::AllRows)
            .promotion(PromotionPolicy::Always)
    }

    /// Multinomial logistic regression on the [Palmer penguins](Dataset::penguins): model and experiment
    /// `penguin_species`.
    ///
    /// The species is told by island, sex and the four measurements, any of which may be missing. The year of the study is
    /// left out: it says nothing about a penguin that is measured today.
    pub fn penguin_species() -> Self {
        Self::new("penguin_species", Source::Penguins)
            .algorithm(Algorithm::LogisticRegression(Logistic::default()))
    }

    /// Learns a column of a CSV file: a regression if the column is numeric, a classification if it is text.
    ///
    /// The model is called after the file, without its extension; [`model`](Self::model) gives it another name.
    pub fn from_csv(path: impl Into<PathBuf>, target: impl Into<String>) -> Self {
        Self::from_csv_with(path, CsvOptions::new(target))
    }

    /// Learns a column of a CSV file that is read with other options.
    pub fn from_csv_with(path: impl Into<PathBuf>, options: CsvOptions) -> Self {
        let path = path.into();
        let name = path.file_stem().map_or_else(String::new, |stem| stem.to_string_lossy().into_owned());
        Self::new(name, Source::Csv { path, options })
    }

    /// Learns the target of a data set in memory.
    pub fn from_dataset(model: impl Into<String>, dataset: Dataset) -> Self {
        Self::new(model, Source::Memory(Arc::new(dataset)))
    }

    fn new(model: impl Into<String>, source: Source) -> Self {
        let model = model.into();
        Self {
            experiment: model.clone(),
            model,
            source,
            split: Split::default(),
            algorithm: None,
            limits: FitLimits::default(),
            final_fit: FinalFit::TrainRows,
            when_present: WhenPresent::Skip,
            promotion: PromotionPolicy::IfAtLeastAsGood,
            stage: Stage::Production,
            alias: Some(Self::DEFAULT_ALIAS.to_owned()),
        }
    }

    /// Registers under another name; the experiment follows if it had the model's name.
    pub fn model(mut self, name: impl Into<String>) -> Self {
        let name = name.into();
        if self.experiment == self.model {
            self.experiment.clone_from(&name);
        }
        self.model = name;
        self
    }

    /// Records the run in another experiment.
    pub fn experiment(mut self, name: impl Into<String>) -> Self {
        self.experiment = name.into();
        self
    }

    /// Splits in another way.
    pub fn split(mut self, split: Split) -> Self {
        self.split = split;
        self
    }

    /// Fits something else than what suits the target by default.
    pub fn algorithm(mut self, algorithm: Algorithm) -> Self {
        self.algorithm = Some(algorithm);
        self
    }

    /// Replaces the limits of the fit.
    pub fn limits(mut self, limits: FitLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Says which rows the registered model is fitted on.
    pub fn final_fit(mut self, rows: FinalFit) -> Self {
        self.final_fit = rows;
        self
    }

    /// Says what happens if the stage has a version already.
    pub fn when_present(mut self, when: WhenPresent) -> Self {
        self.when_present = when;
        self
    }

    /// Says when a new version takes the stage.
    pub fn promotion(mut self, policy: PromotionPolicy) -> Self {
        self.promotion = policy;
        self
    }

    /// Promotes to another stage than `Production`.
    pub fn stage(mut self, stage: Stage) -> Self {
        self.stage = stage;
        self
    }

    /// Moves another alias than [`DEFAULT_ALIAS`](Self::DEFAULT_ALIAS) on promotion, or none.
    pub fn alias(mut self, alias: Option<&str>) -> Self {
        self.alias = alias.map(str::to_owned);
        self
    }

    /// Returns the name under which the model is registered.
    pub fn model_name(&self) -> &str {
        &self.model
    }

    /// Carries the job out. Reading and fitting happen on tokio's blocking threads.
    ///
    /// # Errors
    /// Those of reading, fitting and evaluating, and [`ErrorKind::Registry`](crate::ErrorKind::Registry). A failure after
    /// the run was opened marks it `FAILED`; if it was the promotion that failed, the version stays registered without a
    /// stage.
    pub async fn run(&self, registry: &Registry) -> Result<Outcome, Error> {
        self.run_until(registry, pending()).await
    }

    /// Carries the job out unless `stop` resolves: then nothing is registered, the run ends as `KILLED`, and what was computed is
    /// thrown away.
    ///
    /// A model is registered and promoted whole or not at all, so a wish that comes while that is done comes too late, and the
    /// job ends as if there had been none. A fit cannot be interrupted: it goes on to its end on its own thread, for nobody.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// use martello_registry_client::Registry;
    /// use martello_trainer::{ErrorKind, TrainingJob};
    ///
    /// let dir = tempfile::tempdir()?;
    /// let registry = Registry::embedded(dir.path()).await?;
    /// let at_once = async {}; // `tokio::signal::ctrl_c()` in a program
    /// let error = TrainingJob::penguin_species().run_until(&registry, at_once).await.unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Stopped);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`run`](Self::run), and [`ErrorKind::Stopped`](crate::ErrorKind::Stopped).
    pub async fn run_until(
        &self,
        registry: &Registry,
        stop: impl Future<Output = ()>,
    ) -> Result<Outcome, Error> {
        run::run_until(self, registry, stop).await
    }
}
