//! Results, on standard output.

use std::borrow::Cow;
use std::fmt;
use std::io::Write;

use anyhow::Context;

/// Writes one line of result.
///
/// A closed pipe (`martello … | head`) is an error like any other here, not a panic as with `println!`.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    // At once: whoever reads what it waits for and then no more must not end a server between two lines of its greeting.
    let text = format!("{}\n", printable(text));
    std::io::stdout().lock().write_all(text.as_bytes()).context("cannot write the result")
}

/// Says something beside the result, on standard error. Nobody may be listening any more, and that is no reason to end.
pub(crate) fn note(text: impl fmt::Display) {
    drop(writeln!(std::io::stderr().lock(), "{}", printable(&text.to_string())));
}

/// Shows control characters instead of sending them: a cell of somebody's file, a tag or an answer from a server may hold
/// what moves the cursor, renames the window or forges a line.
pub(crate) fn printable(text: &str) -> Cow<'_, str> {
    let is_unsafe = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    if !text.contains(is_unsafe) {
        return Cow::Borrowed(text);
    }
    let show = |character: char| match is_unsafe(character) {
        true => character.escape_default().to_string(),
        false => character.to_string(),
    };
    Cow::Owned(text.chars().map(show).collect())
}

/// Lays rows out in columns, the first row as the head.
pub(crate) fn table(rows: &[Vec<String>]) -> anyhow::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or(0)).collect();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        line(cells.join("  ").trim_end())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::printable;

    #[test]
    fn control_characters_are_shown_and_not_sent() {
        let cases = [
            ("two lines\n\tand a tab, größer ✓", "two lines\n\tand a tab, größer ✓"),
            ("\u{1b}]0;title\u{7}", "\\u{1b}]0;title\\u{7}"),
            ("over\rwritten", "over\\rwritten"),
            ("\u{9b}31m", "\\u{9b}31m"),
        ];
        for (text, expected) in cases {
            assert_eq!(printable(text), expected);
        }
    }
}
