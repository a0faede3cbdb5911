//! Reads a data set from CSV, within limits and with errors that name line and column.

mod header;
mod options;
mod source;
mod table;

use std::io::{self, Read};

use csv::{Position, ReaderBuilder, StringRecord, Trim};

pub use self::options::{CsvLimits, CsvOptions};
use self::source::{Bounded, Ended, ended};
use self::table::Table;
use super::Dataset;
use crate::error::{Error, ErrorKind};

impl Dataset {
    /// Reads a data set from CSV. The first cell of a column that is not missing decides its type, as [`CsvOptions`] explains.
    ///
    /// # Errors
    /// [`InvalidData`](ErrorKind::InvalidData) with line and column for an empty file, a row of the wrong length, a
    /// column name or header line that comes twice, a quote that is not closed, a cell that is not a number in a numeric
    /// column, a missing target, a column without any value; [`TooLarge`](ErrorKind::TooLarge) with the limit; [`Io`](ErrorKind::Io).
    pub fn from_csv(reader: impl Read, options: &CsvOptions) -> Result<Self, Error> {
        let reader = Bounded::new(reader, options.limits.bytes);
        let mut csv =
            ReaderBuilder::new().has_headers(false).flexible(true).trim(Trim::All).from_reader(reader);
        let mut record = StringRecord::new();
        let read = |csv: &mut csv::Reader<_>, record: &mut StringRecord| {
            csv.read_record(record).map_err(|error| read_error(error, &options.limits))?;
            match ended(record) {
                Ended::NotYet => Ok(true),
                Ended::Here => Ok(false),
                Ended::InQuotes => {
                    let line = record.position().map_or(0, Position::line);
                    Err(Error::data(format!(
                        "line {line}: a quote is opened and not closed before the end of the file"
                    )))
                }
            }
        };
        if !read(&mut csv, &mut record)? {
            return Err(Error::data("the file is empty; its first line must be the column names"));
        }
        let mut table = Table::new(record.clone(), options)?;
        while read(&mut csv, &mut record)? {
            table.push(&record)?;
        }
        table.finish()
    }
}

fn read_error(error: csv::Error, limits: &CsvLimits) -> Error {
    match error.kind() {
        csv::ErrorKind::Io(cause) if cause.kind() == io::ErrorKind::FileTooLarge => {
            too_large(format!("the file has more than {} bytes (CsvLimits::bytes)", limits.bytes))
        }
        csv::ErrorKind::Utf8 { pos, err } => {
            let (line, column) = (pos.as_ref().map_or(0, Position::line), err.field() + 1);
            Error::data(format!("line {line}, column {column}: not UTF-8"))
        }
        _ => Error::new(ErrorKind::Io, "reading the CSV failed").with_source(error),
    }
}

fn too_large(message: String) -> Error {
    Error::new(ErrorKind::TooLarge, message)
}
