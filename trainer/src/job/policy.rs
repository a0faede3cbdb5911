//! What a job decides by itself.

/// Which rows the registered model is fitted on. The metrics are always those of the fit on the training part, judged
/// by the part held back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FinalFit {
    /// The training part: the registered model is the one that was judged.
    TrainRows,
    /// All rows: the registered model has seen more data than the one that was judged, which can only be recommended when
    /// the two are close.
    AllRows,
}

/// What happens if the stage has a version already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum WhenPresent {
    /// Nothing is trained.
    Skip,
    /// A further version is trained.
    Retrain,
}

/// When a new version takes the stage and the alias.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum PromotionPolicy {
    /// Always; what stood in the stage is archived.
    Always,
    /// If nothing stands in the stage, or the metric that the run of that version recorded is not better: `rmse` of a
    /// regression, `accuracy` of a classification. A version whose run recorded no such metric stays, because nothing
    /// shows that the new one is as good. The comparison means something while both were judged by the same rows,
    /// that is with the same data and the same split.
    IfAtLeastAsGood,
    /// Never: the version is registered, and somebody else decides.
    Never,
}
