//! CSV with a header line, as `DataFrame.to_csv(index=False)` writes it.

use std::sync::Arc;

use csv::{Error, ReaderBuilder, StringRecord};
use martello_model_core::{Batch, Cell, CellError, Column, DataType, Signature};

use crate::Limits;
use crate::dialect::predict::lax;
use crate::dialect::{Refusal, table};
use crate::json::Value;

/// What pandas takes for a missing value.
const MISSING: [&str; 19] = [
    "", " ", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>",
    "N/A", "NA", "NULL", "NaN", "None", "nan", "null",
];

/// Reads a table; every bad cell is told.
pub(super) fn parse(body: &[u8], signature: &Arc<Signature>, limits: &Limits) -> Result<Batch, Refusal> {
    let cells = widest(body);
    table::too_wide(cells, signature, limits)?;
    let mut reader = ReaderBuilder::new().from_reader(body);
    let header = reader.headers().map_err(|error| broken(&error))?.clone();
    if header.is_empty() {
        return Err(not_a_frame("No columns to parse from file"));
    }
    let places = places(&header, signature)?;
    let mut batch = Batch::builder(signature);
    let mut problems = Vec::new();
    let mut line = StringRecord::new();
    while reader.read_record(&mut line).map_err(|error| broken(&error))? {
        let row = batch.rows() + batch.refused_rows();
        table::too_many(row + 1, limits)?;
        let mut writer = batch.row();
        for (position, cell) in
            places.iter().zip(&line).filter_map(|(place, cell)| place.map(|place| (place, cell)))
        {
            match read(&signature.inputs()[position], cell) {
                Some(cell) => writer.set(position, cell),
                None => writer.refuse(position, format!("{:?}", cell.chars().take(64).collect::<String>())),
            }
        }
        problems.extend(writer.finish().err().unwrap_or_default());
        if problems.len() >= limits.listed_errors {
            break;
        }
    }
    if problems.is_empty() {
        return Ok(batch.build());
    }
    let listed: Vec<_> = problems.iter().take(limits.listed_errors).map(CellError::to_string).collect();
    Err(not_a_frame(&listed.join("; ")))
}

/// Returns the most cells of a record. A body is looked through before it is taken apart, since a comma takes one byte in it and
/// dozens in a record.
fn widest(body: &[u8]) -> usize {
    #[derive(Clone, Copy, PartialEq, Eq)]
    enum At {
        Begin,
        Plain,
        Quoted,
        Quote,
    }
    let (mut at, mut cells, mut most) = (At::Begin, 1, 1);
    for &byte in body {
        at = match (at, byte) {
            (At::Quoted, b'"') => At::Quote,
            (At::Begin | At::Quote, b'"') | (At::Quoted, _) => At::Quoted,
            (_, b',') => {
                cells += 1;
                most = most.max(cells);
                At::Begin
            }
            (_, b'\n' | b'\r') => {
                cells = 1;
                At::Begin
            }
            _ => At::Plain,
        };
    }
    most
}

/// Returns for each cell of a line which column it is; of columns with the same name the first counts, as in pandas.
fn places(header: &StringRecord, signature: &Signature) -> Result<Vec<Option<usize>>, Refusal> {
    let mut places: Vec<Option<usize>> = Vec::with_capacity(header.len());
    for name in header {
        let position = signature.position(name.trim_start_matches('\u{feff}'));
        places.push(position.filter(|position| !places.contains(&Some(*position))));
    }
    let required = signature.inputs().iter().enumerate().filter(|(_, column)| column.required);
    let absent = required.filter(|(position, _)| !places.contains(&Some(*position)));
    let absent: Vec<_> = absent.map(|(_, column)| column.name.as_str()).collect();
    if absent.is_empty() {
        return Ok(places);
    }
    Err(Refusal::bad_request(format!(
        "Failed to enforce schema of data. Error: Model is missing inputs {absent:?}."
    )))
}

/// Reads a cell as a text of JSON would be read; nothing if the column does not take it.
fn read<'a>(column: &Column, cell: &'a str) -> Option<Cell<'a>> {
    if MISSING.contains(&cell) {
        return Some(Cell::Missing);
    }
    if column.data_type == DataType::String {
        return Some(Cell::Text(cell));
    }
    if cell.contains(['\\', '"']) {
        return None;
    }
    match lax::read(column, Value::String(cell)).ok()? {
        lax::Lax::Number(number) => Some(Cell::Number(number)),
        lax::Lax::Missing => Some(Cell::Missing),
        lax::Lax::Text(_) => None,
    }
}

fn broken(error: &Error) -> Refusal {
    not_a_frame(&error.to_string())
}

fn not_a_frame(reason: &str) -> Refusal {
    let what = "Failed to parse input as a Pandas DataFrame. Ensure that the input is a valid CSV-formatted Pandas \
        DataFrame produced using the `pandas.DataFrame.to_csv()` method.";
    Refusal::bad_request(format!("{what} Error: '{reason}'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_widest_record_is_as_wide_as_the_reader_says() {
        let bodies = [
            "a,b\n1,2\n",
            "a\r\n1,2,3\r\n4",
            "\"a,b\",c\n\"x\n,\",\"y\"\"z,\",w\n",
            "\"a\"b,c\nd\"e,f\",g\n",
            ",,,",
        ];
        for body in bodies {
            let mut reader =
                ReaderBuilder::new().has_headers(false).flexible(true).from_reader(body.as_bytes());
            let most = reader.records().map(|record| record.unwrap().len()).max().unwrap();
            assert_eq!(widest(body.as_bytes()), most, "{body}");
        }
    }
}
