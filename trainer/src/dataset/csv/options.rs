//! How a CSV file is read, and how large it may be.

/// How a CSV file is read: which column is the target, which are text, what is left out, what is too large.
///
/// The file is RFC 4180, UTF-8, and its first line has the column names. Cells are trimmed; a cell equal to a missing marker
/// (the empty cell and `NA`) is missing.
///
/// # How a column gets its type
/// The first cell of a column that is not missing decides: if it is a finite decimal number, the column is numeric, else it
/// is text. A later cell of a numeric column that is no number is an error with its line and column, never a silent change
/// of the column's type: one stray `n/a` would turn ten thousand numbers into ten thousand categories. Codes that look like
/// numbers (postcodes, the classes `0` and `1`) are declared as text with [`text`](Self::text).
///
/// ```
/// use martello_trainer::{CsvOptions, Dataset, TargetValues};
///
/// let csv = "id,postcode,sold\n1,1012,0\n2,8001,1\n";
/// let options = CsvOptions::new("sold").text("sold").text("postcode").ignore("id");
/// let data = Dataset::from_csv(csv.as_bytes(), &options)?;
/// assert_eq!(data.features().len(), 1);
/// assert!(matches!(data.target().values(), TargetValues::Labels(_)));
/// # Ok::<(), martello_trainer::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct CsvOptions {
    pub(super) target: String,
    pub(super) texts: Vec<String>,
    pub(super) ignored: Vec<String>,
    missing_markers: Vec<String>,
    pub(super) limits: CsvLimits,
}

/// How large a CSV file may be. Training data are held in memory, so the limits bound memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CsvLimits {
    /// Bytes of the whole file. Default 256 MiB: about ten times that in memory in the worst case (short texts).
    pub bytes: u64,
    /// Rows beside the header. Default 5,000,000: what ordinary least squares fits in seconds.
    pub rows: usize,
    /// Columns, the target included. Default 1,000: a dense fit costs rows × columns².
    pub columns: usize,
    /// Bytes of one cell. Default 4,096: a longer text is not a category, but a missing quote.
    pub cell_bytes: usize,
}

impl Default for CsvLimits {
    fn default() -> Self {
        Self { bytes: 256 * 1024 * 1024, rows: 5_000_000, columns: 1_000, cell_bytes: 4_096 }
    }
}

// ===== impl CsvOptions =====

impl CsvOptions {
    /// Reads with `target` as the column to predict.
    pub fn new(target: impl Into<String>) -> Self {
        Self {
            target: target.into(),
            texts: Vec::new(),
            ignored: Vec::new(),
            missing_markers: vec![String::new(), "NA".to_owned()],
            limits: CsvLimits::default(),
        }
    }

    /// Declares a column as text whatever its cells look like; on the target this asks for a classification.
    pub fn text(mut self, column: impl Into<String>) -> Self {
        self.texts.push(column.into());
        self
    }

    /// Leaves a column out.
    pub fn ignore(mut self, column: impl Into<String>) -> Self {
        self.ignored.push(column.into());
        self
    }

    /// Replaces the missing markers, which are the empty cell and `NA` (R's, and pandas' among others).
    pub fn missing_markers<I: IntoIterator<Item: Into<String>>>(mut self, markers: I) -> Self {
        self.missing_markers = markers.into_iter().map(Into::into).collect();
        self
    }

    /// Replaces the limits.
    pub fn limits(mut self, limits: CsvLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Returns the name of the target.
    pub fn target(&self) -> &str {
        &self.target
    }

    pub(super) fn is_missing(&self, cell: &str) -> bool {
        self.missing_markers.iter().any(|marker| marker == cell)
    }
}
