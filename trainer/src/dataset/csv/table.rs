//! The columns of a CSV file while its rows come in.

use std::collections::HashMap;
use std::sync::Arc;

use csv::{Position, StringRecord};

use super::{CsvOptions, header, too_large};
use crate::dataset::{Dataset, Feature, Target};
use crate::error::Error;

/// The columns while the rows come in.
pub(super) struct Table<'a> {
    options: &'a CsvOptions,
    header: StringRecord,
    cells: Vec<Cells>,
    /// One shared text per distinct cell: a category is stored once.
    texts: HashMap<Box<str>, Arc<str>>,
    rows: usize,
}

enum Cells {
    Ignored,
    /// Only missing cells so far.
    Undecided,
    Numbers(Vec<f64>),
    Texts(Vec<Option<Arc<str>>>),
}

impl<'a> Table<'a> {
    pub(super) fn new(header: StringRecord, options: &'a CsvOptions) -> Result<Self, Error> {
        header::check(&header, options)?;
        let cells = header.iter().map(|name| Cells::new(name, options)).collect();
        Ok(Self { options, header, cells, texts: HashMap::new(), rows: 0 })
    }

    pub(super) fn push(&mut self, record: &StringRecord) -> Result<(), Error> {
        let line = record.position().map_or(0, Position::line);
        if self.rows == self.options.limits.rows {
            return Err(too_large(format!("line {line}: more than {} rows (CsvLimits::rows)", self.rows)));
        }
        if record.len() != self.header.len() {
            let (got, expected) = (record.len(), self.header.len());
            // A quote in the wrong place swallows what is between it and the next one.
            let advice = match record.iter().any(|cell| cell.contains('\n')) {
                true => "; a cell goes on over the end of the line, is its quote closed?",
                false => "",
            };
            return Err(Error::data(format!("line {line}: {got} cells, the header has {expected}{advice}")));
        }
        if record == &self.header {
            return Err(Error::data(format!("line {line}: the header comes a second time")));
        }
        for (i, cell) in record.iter().enumerate() {
            self.push_cell(i, cell).map_err(|error| {
                error.at(format_args!("line {line}, column {} (`{}`)", i + 1, &self.header[i]))
            })?;
        }
        self.rows += 1;
        Ok(())
    }

    fn push_cell(&mut self, column: usize, cell: &str) -> Result<(), Error> {
        let limit = self.options.limits.cell_bytes;
        if cell.len() > limit {
            return Err(too_large(format!(
                "a cell of {} bytes, the limit is {limit} (CsvLimits::cell_bytes)",
                cell.len()
            )));
        }
        if self.options.is_missing(cell) {
            if self.header[column] == self.options.target {
                return Err(Error::data("the target is missing; remove the row, it cannot be learnt from"));
            }
            self.cells[column].push_missing();
            return Ok(());
        }
        let cells = &mut self.cells[column];
        if let Cells::Undecided = cells {
            cells.decide(parse_number(cell), self.rows);
        }
        match cells {
            Cells::Numbers(numbers) => numbers.push(parse_number(cell).ok_or_else(|| {
                Error::data(format!("`{}` is not a finite number, as the cells above are; declare the column as text if it is one", excerpt(cell)))
            })?),
            Cells::Texts(texts) => texts.push(Some(shared(&mut self.texts, cell))),
            Cells::Ignored | Cells::Undecided => {}
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Result<Dataset, Error> {
        if self.rows == 0 {
            return Err(Error::data("there is a header, but no row"));
        }
        let (mut columns, mut target) = (Vec::new(), None);
        for (name, cells) in self.header.iter().zip(self.cells) {
            let is_target = name == self.options.target;
            match cells {
                Cells::Numbers(numbers) if is_target => target = Some(Target::numbers(name, numbers)),
                Cells::Texts(texts) if is_target => {
                    target = Some(Target::labels(name, texts.into_iter().flatten().collect()));
                }
                Cells::Numbers(numbers) => columns.push(Feature::numbers(name, numbers)),
                Cells::Texts(texts) => columns.push(Feature::texts(name, texts)),
                Cells::Ignored => {}
                Cells::Undecided => {
                    return Err(Error::data(format!("column `{name}` has no value in any row; ignore it")));
                }
            }
        }
        let target = target.expect("the header contains the target and a missing target is refused");
        Dataset::new(columns, target)
    }
}

/// Reads a finite decimal number; `inf`, `nan` and what overflows are none.
fn parse_number(cell: &str) -> Option<f64> {
    cell.parse().ok().filter(|number: &f64| number.is_finite())
}

fn shared(texts: &mut HashMap<Box<str>, Arc<str>>, cell: &str) -> Arc<str> {
    if let Some(text) = texts.get(cell) {
        return text.clone();
    }
    texts.entry(cell.into()).or_insert_with(|| cell.into()).clone()
}

/// Keeps an error message short however long the cell is.
fn excerpt(cell: &str) -> String {
    const CHARACTERS: usize = 40;
    match cell.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", &cell[..end]),
        None => cell.to_owned(),
    }
}

impl Cells {
    fn new(name: &str, options: &CsvOptions) -> Self {
        if options.ignored.iter().any(|ignored| ignored == name) {
            Self::Ignored
        } else if options.texts.iter().any(|text| text == name) {
            Self::Texts(Vec::new())
        } else {
            Self::Undecided
        }
    }

    fn decide(&mut self, number: Option<f64>, missing_so_far: usize) {
        *self = match number {
            Some(_) => Self::Numbers(vec![f64::NAN; missing_so_far]),
            None => Self::Texts(vec![None; missing_so_far]),
        };
    }

    fn push_missing(&mut self) {
        match self {
            Self::Numbers(numbers) => numbers.push(f64::NAN),
            Self::Texts(texts) => texts.push(None),
            Self::Ignored | Self::Undecided => {}
        }
    }
}
