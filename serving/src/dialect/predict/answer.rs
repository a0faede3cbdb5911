//! Writes predictions in the form in which the rows were sent.

use martello_model_core::{Prediction, Predictions};

use super::Form;
use crate::Error;
use crate::dialect::written;

/// Returns the JSON of an answer.
///
/// # Errors
/// [`ErrorKind::NotFinite`](crate::ErrorKind::NotFinite) if a prediction is an infinity or NaN, which JSON cannot say; [`ErrorKind::WrongRows`](crate::ErrorKind::WrongRows) if there
/// are more or fewer predictions than rows.
pub(crate) fn answer(predictions: &Predictions, form: Form, rows: usize) -> Result<Vec<u8>, Error> {
    written::check_rows(predictions, rows)?;
    let mut out = Vec::with_capacity(2 + predictions.len() * 40);
    match form {
        Form::One => object(predictions.get(0), 0, &mut out)?,
        Form::List => {
            out.push(b'[');
            for (row, prediction) in predictions.iter().enumerate() {
                if row > 0 {
                    out.push(b',');
                }
                object(prediction, row, &mut out)?;
            }
            out.push(b']');
        }
    }
    Ok(out)
}

fn object(prediction: Prediction<'_>, row: usize, out: &mut Vec<u8>) -> Result<(), Error> {
    out.extend_from_slice(br#"{"prediction":"#);
    written::value(prediction, row, out)?;
    out.push(b'}');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ErrorKind;

    fn check(predictions: &Predictions, form: Form, expected: &str) {
        let answer = answer(predictions, form, predictions.len()).unwrap();
        assert_eq!(String::from_utf8(answer).unwrap(), expected);
    }

    #[test]
    fn an_answer_has_the_form_of_its_question() {
        check(&Predictions::Numbers(vec![321.5]), Form::One, r#"{"prediction":321.5}"#);
        check(&Predictions::Numbers(vec![1.0]), Form::One, r#"{"prediction":1.0}"#);
        check(&Predictions::Integers(vec![7]), Form::One, r#"{"prediction":7}"#);
        check(&Predictions::Labels(vec!["Adelie".into()]), Form::List, r#"[{"prediction":"Adelie"}]"#);
        check(&Predictions::Numbers(vec![]), Form::List, "[]");
        check(
            &Predictions::Numbers(vec![0.1, 2.0]),
            Form::List,
            r#"[{"prediction":0.1},{"prediction":2.0}]"#,
        );
    }

    #[test]
    fn what_json_cannot_say_is_an_error() {
        for number in [f64::NAN, f64::INFINITY] {
            let error = answer(&Predictions::Numbers(vec![number]), Form::One, 1).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::NotFinite);
        }
        let error = answer(&Predictions::Numbers(vec![]), Form::One, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::WrongRows);
    }
}
