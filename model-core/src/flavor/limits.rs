//! How large a model folder may be.

/// How large the parts of a model folder may be before it is refused.
///
/// ```
/// use martello_model_core::flavor::Limits;
///
/// let limits = Limits { max_columns: 100, ..Limits::default() };
/// assert!(limits.max_file_bytes >= 1 << 20);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of one file that is parsed.
    pub max_file_bytes: usize,
    /// The most bytes of the input example.
    pub max_example_bytes: usize,
    /// The most input columns of a signature.
    pub max_columns: usize,
    /// The most classes of a classifier.
    pub max_classes: usize,
    /// The most nodes, names, texts and whole numbers of an ONNX graph together; weights do not count.
    pub max_graph_parts: usize,
}

impl Limits {
    /// 64 MiB: a multinomial model of 1,000 classes and 3,000 features, written out in decimal.
    pub const DEFAULT_MAX_FILE_BYTES: usize = 64 << 20;
    /// 1 MiB: an example is a few rows to try the model with, and parsed JSON takes many times its bytes.
    pub const DEFAULT_MAX_EXAMPLE_BYTES: usize = 1 << 20;
    /// 10,000: the widest tables that people put before a tabular model; a request of that width is already 100 kB.
    pub const DEFAULT_MAX_COLUMNS: usize = 10_000;
    /// 10,000: answers with the probability of each class stay below 250 kB a row.
    pub const DEFAULT_MAX_CLASSES: usize = 10_000;
    /// 250,000: a classifier of 10,000 classes with one output for each has 200,000; what is built of so many parts stays
    /// below 100 MB, however small the file.
    pub const DEFAULT_MAX_GRAPH_PARTS: usize = 250_000;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_file_bytes: Self::DEFAULT_MAX_FILE_BYTES,
            max_example_bytes: Self::DEFAULT_MAX_EXAMPLE_BYTES,
            max_columns: Self::DEFAULT_MAX_COLUMNS,
            max_classes: Self::DEFAULT_MAX_CLASSES,
            max_graph_parts: Self::DEFAULT_MAX_GRAPH_PARTS,
        }
    }
}
