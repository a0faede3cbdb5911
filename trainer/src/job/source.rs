//! Where the rows of a job come from.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use crate::dataset::{CsvOptions, Dataset, MakeRegression};
use crate::error::{Error, ErrorKind};

/// Where the rows come from; nothing is read before the job runs.
#[derive(Debug, Clone)]
pub(super) enum Source {
    Penguins,
    Synthetic(MakeRegression),
    Csv { path: PathBuf, options: CsvOptions },
    Memory(Arc<Dataset>),
}

impl Source {
    pub(super) fn load(&self) -> Result<Arc<Dataset>, Error> {
        match self {
            Self::Penguins => Dataset::penguins().without("year").map(Arc::new),
            Self::Synthetic(make) => make.generate().map(|synthetic| Arc::new(synthetic.dataset)),
            Self::Csv { path, options } => {
                let file = File::open(path).map_err(|cause| {
                    Error::new(ErrorKind::Io, format!("{} cannot be opened", path.display()))
                        .with_source(cause)
                })?;
                Dataset::from_csv(file, options).map(Arc::new).map_err(|error| error.at(path.display()))
            }
            Self::Memory(dataset) => Ok(Arc::clone(dataset)),
        }
    }
}
