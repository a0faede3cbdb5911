//! What came of a job.

use std::fmt;

use martello_registry_client::ModelVersion;

use crate::evaluation::Evaluation;

/// What came of a [`TrainingJob`](crate::TrainingJob).
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Outcome {
    /// A version was trained and registered.
    #[non_exhaustive]
    Trained {
        /// The version, as it stands after the promotion.
        version: ModelVersion,
        /// How well the fit on the training part predicts the part held back.
        metrics: Evaluation,
        /// Whether it took the stage.
        promotion: PromotionOutcome,
    },
    /// The stage had a version already, so nothing was trained.
    #[non_exhaustive]
    Skipped {
        /// The version that stands in the stage.
        version: ModelVersion,
    },
}

/// Whether a new version took the stage, and if not, why.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum PromotionOutcome {
    /// It stands in the stage now.
    Promoted,
    /// Nobody asked for it.
    NotAskedFor,
    /// The version in the stage is better, or nothing shows that it is not.
    #[non_exhaustive]
    KeptPresent {
        /// The version that stays.
        present: u32,
        /// The metric that was compared.
        metric: &'static str,
        /// Its value for the version that stays, if its run recorded it.
        present_value: Option<f64>,
        /// Its value for the new version.
        new_value: f64,
    },
}

impl Outcome {
    /// Returns the version that the job leaves for use: the new one, or the one that made training needless.
    pub fn version(&self) -> &ModelVersion {
        match self {
            Self::Trained { version, .. } | Self::Skipped { version } => version,
        }
    }
}

/// One line for people: what was trained and where it stands, or why nothing was trained.
impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let version = self.version();
        write!(f, "{} version {}: ", version.name, version.version)?;
        match self {
            Self::Trained { metrics, promotion, .. } => {
                write!(f, "trained, {metrics}; {}", Standing(version, promotion))
            }
            Self::Skipped { .. } => write!(f, "already in {}, not trained", version.stage),
        }
    }
}

/// Where a new version stands, and why.
struct Standing<'a>(&'a ModelVersion, &'a PromotionOutcome);

impl fmt::Display for Standing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.1 {
            PromotionOutcome::Promoted => write!(f, "stage {}", self.0.stage),
            PromotionOutcome::NotAskedFor => f.write_str("not promoted, since nobody asked for it"),
            PromotionOutcome::KeptPresent { present, metric, .. } => {
                write!(f, "not promoted, version {present} stays for its {metric}")
            }
        }
    }
}
