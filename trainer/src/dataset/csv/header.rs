//! The first line of a CSV file: are these column names, and the ones asked for?

use csv::{Position, StringRecord};

use super::{CsvOptions, too_large};
use crate::error::Error;

/// How many names an error lists, so that its message can be read.
const NAMES_SHOWN: usize = 20;

pub(super) fn check(header: &StringRecord, options: &CsvOptions) -> Result<(), Error> {
    let line = header.position().map_or(1, Position::line);
    let (columns, limit) = (header.len(), options.limits.columns);
    if columns > limit {
        return Err(too_large(format!(
            "line {line}: {columns} columns, the limit is {limit} (CsvLimits::columns)"
        )));
    }
    for (i, name) in header.iter().enumerate() {
        check_name(name, options).map_err(|error| error.at(format_args!("line {line}, column {}", i + 1)))?;
        if let Some(first) = header.iter().take(i).position(|earlier| earlier == name) {
            let (first, second) = (first + 1, i + 1);
            return Err(Error::data(format!(
                "line {line}: columns {first} and {second} are both called `{name}`"
            )));
        }
    }
    check_wishes(header, options).map_err(|error| error.at(format_args!("line {line}")))
}

fn check_name(name: &str, options: &CsvOptions) -> Result<(), Error> {
    let (bytes, limit) = (name.len(), options.limits.cell_bytes);
    match bytes {
        0 => Err(Error::data("a column without a name")),
        _ if bytes > limit => {
            Err(too_large(format!("a name of {bytes} bytes, the limit is {limit} (CsvLimits::cell_bytes)")))
        }
        _ => Ok(()),
    }
}

/// Every column that the options name must be there.
fn check_wishes(header: &StringRecord, options: &CsvOptions) -> Result<(), Error> {
    let mut wishes = options.texts.iter().chain(&options.ignored).chain([&options.target]);
    if let Some(name) = wishes.find(|name| !header.iter().any(|column| column == *name)) {
        let names = header.iter().take(NAMES_SHOWN).collect::<Vec<_>>().join("`, `");
        let more = if header.len() > NAMES_SHOWN { " and more" } else { "" };
        return Err(Error::data(format!("there is no column `{name}`; there are `{names}`{more}")));
    }
    if options.ignored.contains(&options.target) {
        return Err(Error::parameter(format!("the target `{}` cannot be ignored", options.target)));
    }
    Ok(())
}
