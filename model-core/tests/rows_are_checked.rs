//! A batch holds the values that were sent, or every cell that does not fit is named.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::sync::Arc;

use martello_model_core::{Batch, Cell, CellProblem, Column, DataType, ErrorKind, Expected, Got, Signature};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

fn signature(columns: Vec<Column>) -> Arc<Signature> {
    Arc::new(Signature::new(columns, vec![]).unwrap())
}

/// Says in the most obvious way whether a column takes a cell.
fn takes(column: &Column, cell: Cell<'_>) -> bool {
    let value = match cell {
        Cell::Missing => return !column.required,
        Cell::Text(_) => return column.data_type == DataType::String,
        Cell::Number(_) if column.data_type == DataType::String => return false,
        Cell::Number(value) if value.is_nan() => return !column.required,
        Cell::Number(value) => value,
    };
    match column.data_type {
        DataType::Boolean => value == 0.0 || value == 1.0,
        DataType::Integer => {
            value.trunc() == value && value.abs() <= 2_147_483_648.0 && value != 2_147_483_648.0
        }
        DataType::Long => value.trunc() == value && value.abs() <= 9_007_199_254_740_991.0,
        DataType::Float => value.is_finite() && (value as f32).is_finite(),
        _ => value.is_finite(),
    }
}

fn same(column: &Column, sent: Cell<'_>, kept: Cell<'_>) -> bool {
    match (sent, kept) {
        (Cell::Number(sent), Cell::Missing) => sent.is_nan(),
        (Cell::Number(sent), Cell::Number(kept)) if column.data_type == DataType::Float => {
            f64::from(sent as f32) == kept
        }
        _ => sent == kept,
    }
}

fn number() -> impl Strategy<Value = f64> {
    let edges =
        vec![0.0, -0.0, 1.0, 2.0, 0.5, 2_147_483_647.0, 2_147_483_648.0, 9_007_199_254_740_991.0, 1e16, 1e39];
    prop_oneof![select(edges), any::<f64>(), (-5_i32..5).prop_map(f64::from)]
}

fn cell() -> impl Strategy<Value = Cell<'static>> {
    prop_oneof![
        Just(Cell::Missing),
        number().prop_map(Cell::Number),
        select(vec!["", "abc", "1"]).prop_map(Cell::Text),
    ]
}

fn columns() -> impl Strategy<Value = Vec<Column>> {
    vec((select(&DataType::ALL), any::<bool>()), 1..6).prop_map(|columns| {
        let column = |(at, (data_type, required))| Column { name: format!("c{at}"), data_type, required };
        columns.into_iter().enumerate().map(column).collect()
    })
}

proptest! {
    #[test]
    fn a_batch_holds_what_was_sent_or_names_every_bad_cell(
        (columns, rows) in columns().prop_flat_map(|columns| {
            let width = columns.len();
            (Just(columns), vec(vec(cell(), width), 0..5))
        }),
    ) {
        let signature = signature(columns.clone());
        let mut builder = Batch::builder(&signature);
        let mut taken = Vec::new();
        for (number, row) in rows.iter().enumerate() {
            let expected: Vec<usize> = (0..row.len()).filter(|&at| !takes(&columns[at], row[at])).collect();
            let errors = builder.push_row(row).err().unwrap_or_default();
            prop_assert_eq!(errors.iter().map(|error| error.position).collect::<Vec<_>>(), expected);
            for error in &errors {
                prop_assert_eq!(error.row, number);
                prop_assert_eq!(&*error.column, columns[error.position].name.as_str());
                prop_assert_eq!(error.expected, Expected::Value(columns[error.position].data_type));
            }
            if errors.is_empty() {
                taken.push(row);
            }
        }
        prop_assert_eq!(builder.refused_rows(), rows.len() - taken.len());
        let batch = builder.build();
        prop_assert_eq!(batch.rows(), taken.len());
        for (number, row) in taken.iter().enumerate() {
            for (at, sent) in row.iter().enumerate() {
                prop_assert!(same(&columns[at], *sent, batch.cell(number, at)), "{:?}", sent);
            }
        }
    }

    #[test]
    fn cells_may_come_in_any_order_and_the_last_of_duplicates_counts(
        columns in columns(),
        writes in vec((0..6_usize, cell()), 0..12),
    ) {
        let signature = signature(columns.clone());
        let mut in_order = vec![Cell::Missing; columns.len()];
        let mut builder = Batch::builder(&signature);
        let mut row = builder.row();
        for (at, cell) in writes {
            let at = at % columns.len();
            in_order[at] = cell;
            row.set(at, cell);
        }
        let written = row.finish();
        let mut reference = Batch::builder(&signature);
        prop_assert_eq!(format!("{:?}", &written), format!("{:?}", reference.push_row(&in_order)));
        prop_assert_eq!(format!("{:?}", builder.build()), format!("{:?}", reference.build()));
    }

    #[test]
    fn numbers_are_checked_as_rows_are(
        (columns, numbers) in columns().prop_flat_map(|mut columns| {
            columns.retain(|column| column.data_type.is_numeric());
            columns.push(Column::double("last"));
            let width = columns.len();
            (Just(columns), (0..4_usize).prop_flat_map(move |rows| vec(number(), rows * width)))
        }),
    ) {
        let signature = signature(columns.clone());
        let mut builder = Batch::builder(&signature);
        let mut errors = Vec::new();
        for row in numbers.chunks(columns.len()) {
            let row: Vec<Cell<'_>> = row.iter().map(|value| Cell::Number(*value)).collect();
            errors.extend(builder.push_row(&row).err().unwrap_or_default());
        }
        match Batch::from_numbers(&signature, numbers) {
            Ok(batch) => {
                prop_assert!(errors.is_empty());
                prop_assert_eq!(format!("{batch:?}"), format!("{:?}", builder.build()));
            }
            Err(error) => prop_assert_eq!(format!("{:?}", error.cell_errors()), format!("{errors:?}")),
        }
    }
}

#[test]
fn a_row_of_the_wrong_length_is_refused_and_never_shifted() {
    let signature = signature(vec![Column::double("x"), Column::double("y").optional()]);
    let mut builder = Batch::builder(&signature);
    for (cells, column) in [(vec![], "x"), (vec![Cell::Number(1.0)], "y"), (vec![Cell::Number(1.0); 3], "y")]
    {
        let errors = builder.push_row(&cells).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert_eq!(errors[0].problem(), CellProblem::WrongLength);
        assert_eq!(&*errors[0].column, column);
        assert_eq!(errors[0].got, Got::Cells(cells.len()));
    }
    assert_eq!(builder.refused_rows(), 3);
    assert_eq!(builder.build().rows(), 0);

    let error = Batch::from_numbers(&signature, vec![1.0, 2.0, 3.0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidBatch);
    assert_eq!(error.to_string(), "3 numbers do not fill rows of 2 columns");
}

#[test]
fn a_row_that_was_not_finished_leaves_no_trace() {
    let signature = signature(vec![Column::double("x"), Column::string("s")]);
    let mut builder = Batch::builder(&signature);
    let mut row = builder.row();
    row.set(0, Cell::Number(1.0));
    row.set(1, Cell::Text("left behind"));
    drop(row);
    builder.push_row(&[Cell::Number(2.0), Cell::Text("kept")]).unwrap();
    assert_eq!((builder.rows(), builder.refused_rows()), (1, 1));
    let batch = builder.build();
    assert_eq!(batch.cell(0, 0), Cell::Number(2.0));
    assert_eq!(batch.cell(0, 1), Cell::Text("kept"));
}

#[test]
fn each_mistake_has_its_kind() {
    let check = |data_type, cell: Cell<'_>, expected: CellProblem| {
        let signature = signature(vec![Column::new("x", data_type)]);
        let errors = Batch::builder(&signature).push_row(&[cell]).unwrap_err();
        assert_eq!(errors[0].problem(), expected, "{}", errors[0]);
    };
    check(DataType::Double, Cell::Missing, CellProblem::Missing);
    check(DataType::Double, Cell::Number(f64::NAN), CellProblem::Missing);
    check(DataType::Double, Cell::Number(f64::INFINITY), CellProblem::NotFinite);
    check(DataType::Double, Cell::Text("1"), CellProblem::WrongType);
    check(DataType::String, Cell::Number(1.0), CellProblem::WrongType);
    check(DataType::Float, Cell::Number(1e39), CellProblem::OutOfRange);
    check(DataType::Integer, Cell::Number(1.5), CellProblem::NotWhole);
    check(DataType::Long, Cell::Number(9_007_199_254_740_992.0), CellProblem::OutOfRange);
    check(DataType::Boolean, Cell::Number(2.0), CellProblem::OutOfRange);
    check(DataType::Boolean, Cell::Number(0.5), CellProblem::NotWhole);
}

#[test]
fn an_error_stays_small_whatever_was_sent() {
    let signature = signature(vec![Column::double("x")]);
    for text in ["x".repeat(1 << 20), "é".repeat(1 << 20), "😀".repeat(17), "a😀".repeat(1 << 10)] {
        let errors = Batch::builder(&signature).push_row(&[Cell::Text(&text)]).unwrap_err();
        let Got::Text(got) = &errors[0].got else { panic!("a text was sent") };
        assert!(got.len() > Got::MAX_TEXT - 4 && got.len() <= Got::MAX_TEXT && text.starts_with(&**got));
    }
}

#[test]
fn text_columns_need_rows_of_cells() {
    let signature = signature(vec![Column::string("s")]);
    let error = Batch::from_numbers(&signature, vec![1.0]).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidBatch);
    assert!(error.is_bad_input());
}
