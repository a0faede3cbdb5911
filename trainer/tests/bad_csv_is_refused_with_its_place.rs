//! A CSV file becomes a data set, or an error that says what is wrong and where.

#![allow(clippy::unwrap_used, reason = "the helpers of a test are part of it")]

use std::io::{self, Read};

use martello_trainer::{CsvLimits, CsvOptions, Dataset, ErrorKind, TargetValues, Values};

use proptest::prelude::*;

fn read(csv: &str) -> Result<Dataset, martello_trainer::Error> {
    Dataset::from_csv(csv.as_bytes(), &CsvOptions::new("y"))
}

fn refused(csv: &str, expected: &str) {
    check_error(&read(csv).unwrap_err(), ErrorKind::InvalidData, expected);
}

fn check_error(error: &martello_trainer::Error, kind: ErrorKind, expected: &str) {
    assert_eq!(error.kind(), kind, "{error}");
    assert!(error.to_string().contains(expected), "`{error}` should contain `{expected}`");
}

#[test]
fn the_first_cell_that_is_not_missing_decides_the_type() {
    let data = read("a,b,c,y\n,NA,x,1\n1.5,old town,7,2\n NA ,\"a, b\",,3\n").unwrap();
    let Values::Numbers(a) = data.features()[0].values() else { panic!("a is numeric") };
    assert!(a[0].is_nan() && a[1] == 1.5 && a[2].is_nan());
    let Values::Texts(b) = data.features()[1].values() else { panic!("b is text") };
    assert_eq!(b.iter().map(Option::as_deref).collect::<Vec<_>>(), [None, Some("old town"), Some("a, b")]);
    let Values::Texts(c) = data.features()[2].values() else { panic!("c is text") };
    assert_eq!(c.iter().map(Option::as_deref).collect::<Vec<_>>(), [Some("x"), Some("7"), None]);
    assert!(matches!(data.target().values(), TargetValues::Numbers(y) if y == &[1.0, 2.0, 3.0]));
}

#[test]
fn windows_line_ends_a_byte_order_mark_and_blank_lines_are_fine() {
    let data = read("\u{feff}x,y\r\n1,2\r\n\r\n3,4").unwrap();
    assert_eq!((data.rows(), data.features()[0].name()), (2, "x"));
}

#[test]
fn every_number_that_a_spreadsheet_writes_is_a_number() {
    let data = read("x,y\n-1.5e3,1\n+2,1\n.5,1\n 7 ,1\n1E-2,1\n").unwrap();
    assert!(
        matches!(data.features()[0].values(), Values::Numbers(x) if x == &[-1500.0, 2.0, 0.5, 7.0, 0.01])
    );
}

#[test]
fn a_file_without_rows_is_refused() {
    refused("", "the file is empty");
    refused("\n\n", "the file is empty");
    refused("x,y\n", "a header, but no row");
    refused("y\n1\n", "no column beside the target `y`");
}

#[test]
fn a_broken_header_is_refused() {
    refused("x,y,x\n1,2,3\n", "line 1: columns 1 and 3 are both called `x`");
    refused("x,,y\n1,2,3\n", "line 1, column 2: a column without a name");
    refused("a,b\n1,2\n", "line 1: there is no column `y`; there are `a`, `b`");
    refused("x,y\n1,2\nx,y\n3,4\n", "line 3: the header comes a second time");
}

#[test]
fn a_ragged_row_is_refused_with_its_line() {
    refused("x,y\n1,2\n3\n", "line 3: 1 cells, the header has 2");
    refused("x,y\n1,2\n3,4,5\n", "line 3: 3 cells, the header has 2");
    refused("x,y\n\"a\nb\",1\nc,2,3\n", "line 4: 3 cells");
}

#[test]
fn a_quote_that_is_not_closed_is_named_as_such_and_with_its_line() {
    refused("x,y\n1,2\n\"3,4\n5,6\n", "line 3: a quote is opened and not closed");
    refused("x,y\n1,2\n3,\"4", "line 3: a quote is opened and not closed");
    refused("x,y\n1,2\n3,\"4\n", "line 3: a quote is opened and not closed");
    refused("x,\"y\n1,2\n", "line 1: a quote is opened and not closed");
    // Another quoted cell behind it closes it, in the wrong place.
    refused(
        "x,y\n\"a,1\nb,\"2\"\n",
        "line 2: 1 cells, the header has 2; a cell goes on over the end of the line",
    );
    // More than a cell may have, which is not what is wrong.
    refused(&format!("x,y\n1,2\n\"3,4\n{}", "5,6\n".repeat(2_000)), "line 3: a quote is opened");
}

#[test]
fn quotes_that_are_closed_or_mean_nothing_are_fine() {
    for csv in [
        "x,y\n\"a\nb\",1\nb,2\n",
        "x,y\n\"a \"\"b\"\"\",1\nb,2",
        "x,y\na,1\n\"\",2\n\n\n",
        "x,y\n5\" pipe,1\nb,2\n",
    ] {
        assert_eq!(read(csv).unwrap().rows(), 2, "{csv:?}");
    }
}

#[test]
fn a_text_in_a_numeric_column_is_refused_with_line_and_column() {
    refused("x,y\n1,2\nabc,3\n", "line 3, column 1 (`x`): `abc` is not a finite number");
    for spelling in ["inf", "-Infinity", "nan", "1e999", "0x10", "1_000", "1,5"] {
        refused(&format!("x,y\n1,2\n\"{spelling}\",3\n"), "line 3, column 1 (`x`)");
    }
    let long = "z".repeat(3_000);
    assert!(read(&format!("x,y\n1,2\n{long},3\n")).unwrap_err().to_string().len() < 200);
}

#[test]
fn a_missing_target_is_refused_with_its_line() {
    refused("x,y\n1,2\n3,NA\n", "line 3, column 2 (`y`): the target is missing");
    refused("x,y\n1,2\n3,\n", "line 3, column 2 (`y`): the target is missing");
}

#[test]
fn a_column_without_any_value_is_refused_by_name() {
    refused("x,z,y\n1,NA,2\n3,,4\n", "column `z` has no value in any row");
}

#[test]
fn what_is_not_utf8_is_refused_with_line_and_column() {
    let error = Dataset::from_csv(&b"x,y\n1,2\n3,\xff\n"[..], &CsvOptions::new("y")).unwrap_err();
    check_error(&error, ErrorKind::InvalidData, "line 3, column 2: not UTF-8");
}

#[test]
fn every_limit_is_kept_and_named() {
    let check = |csv: &str, limits: CsvLimits, name: &str| {
        let error = Dataset::from_csv(csv.as_bytes(), &CsvOptions::new("y").limits(limits)).unwrap_err();
        check_error(&error, ErrorKind::TooLarge, name);
    };
    let usual = CsvLimits::default();
    check("x,y\n1,2\n3,4\n", CsvLimits { rows: 1, ..usual }, "line 3: more than 1 rows (CsvLimits::rows)");
    check(
        "a,b,y\n1,2,3\n",
        CsvLimits { columns: 2, ..usual },
        "3 columns, the limit is 2 (CsvLimits::columns)",
    );
    check(
        "x,y\nabcde,2\n",
        CsvLimits { cell_bytes: 4, ..usual },
        "line 2, column 1 (`x`): a cell of 5 bytes",
    );
    check("x,y\n1,2\n3,4\n", CsvLimits { bytes: 11, ..usual }, "more than 11 bytes (CsvLimits::bytes)");
    check("abcde,y\n1,2\n", CsvLimits { cell_bytes: 4, ..usual }, "line 1, column 1: a name of 5 bytes");
    let exactly = CsvOptions::new("y").limits(CsvLimits { bytes: 12, ..usual });
    assert_eq!(Dataset::from_csv(&b"x,y\n1,2\n3,4\n"[..], &exactly).unwrap().rows(), 2);
}

#[test]
fn an_endless_line_ends_at_the_limit() {
    let limits = CsvLimits { bytes: 1_000_000, ..CsvLimits::default() };
    let error = Dataset::from_csv(io::repeat(b'a'), &CsvOptions::new("y").limits(limits)).unwrap_err();
    check_error(&error, ErrorKind::TooLarge, "CsvLimits::bytes");
}

#[test]
fn a_reader_that_fails_is_an_input_error_with_its_cause() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("the disk is gone"))
        }
    }
    let error = Dataset::from_csv(Broken, &CsvOptions::new("y")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Io);
    assert!(std::error::Error::source(&error).unwrap().to_string().contains("the disk is gone"));
}

#[test]
fn columns_can_be_declared_as_text_or_left_out() {
    let csv = "id,code,y\n7,1012,0\n8,13A,1\n";
    let options = CsvOptions::new("y").ignore("id").text("code").text("y");
    let data = Dataset::from_csv(csv.as_bytes(), &options).unwrap();
    assert_eq!(data.features().len(), 1);
    assert!(matches!(data.features()[0].values(), Values::Texts(_)));
    assert!(matches!(data.target().values(), TargetValues::Labels(y) if &*y[1] == "1"));
    for options in [CsvOptions::new("y").ignore("nope"), CsvOptions::new("y").text("nope")] {
        let error = Dataset::from_csv(csv.as_bytes(), &options).unwrap_err();
        check_error(&error, ErrorKind::InvalidData, "there is no column `nope`");
    }
    let error = Dataset::from_csv(csv.as_bytes(), &CsvOptions::new("y").ignore("y")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidParameter);
}

#[test]
fn missing_markers_can_be_chosen() {
    let options = CsvOptions::new("y").missing_markers(["?", "-"]);
    let data = Dataset::from_csv(&b"x,y\n?,1\n2,1\n-,1\n"[..], &options).unwrap();
    assert!(
        matches!(data.features()[0].values(), Values::Numbers(x) if x[0].is_nan() && x[1] == 2.0 && x[2].is_nan())
    );
}

proptest! {
    #[test]
    fn no_file_whatever_is_in_it_makes_the_reader_panic(csv in "(y|x|1|2.5|NA|abc|é|,|,|\"|\r?\n|\n| ){0,60}") {
        match read(&csv) {
            Ok(data) => prop_assert!(data.rows() > 0 && !data.features().is_empty()),
            Err(error) => prop_assert!(error.is_callers_fault(), "{}", error),
        }
    }

    #[test]
    fn numbers_come_out_as_they_went_in(rows in prop::collection::vec((any::<f64>(), any::<f64>()), 1..20)) {
        let finite = |(x, y): &&(f64, f64)| x.is_finite() && y.is_finite();
        let rows: Vec<(f64, f64)> = rows.iter().filter(finite).copied().collect();
        prop_assume!(!rows.is_empty());
        let csv: String = rows.iter().map(|(x, y)| format!("{x},{y:e}\n")).collect();
        let data = read(&format!("x,y\n{csv}")).unwrap();
        let Values::Numbers(x) = data.features()[0].values() else { panic!("numbers") };
        let TargetValues::Numbers(y) = data.target().values() else { panic!("numbers") };
        for ((x, y), (x_in, y_in)) in x.iter().zip(y).zip(&rows) {
            prop_assert_eq!((x.to_bits(), y.to_bits()), (x_in.to_bits(), y_in.to_bits()));
        }
    }
}
