//! MLflow's JSON form of a signature, as `MLmodel` files and the tracking server carry it.

use serde::{Deserialize, Serialize};

use super::{Column, DataType, Outputs, Signature, TensorSpec, invalid};
use crate::{Error, ErrorKind};

/// One entry of the JSON list: a column, or a tensor.
///
/// `type` is text because MLflow has more types (`datetime`, `array`, …) than this crate serves, and the error should name
/// the one that was found.
#[derive(Serialize, Deserialize)]
struct Spec {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    required: Option<bool>,
    // Written by MLflow before 2.9 in place of `required`.
    #[serde(default, skip_serializing)]
    optional: Option<bool>,
    #[serde(rename = "tensor-spec", default, skip_serializing_if = "Option::is_none")]
    tensor: Option<TensorJson>,
}

#[derive(Serialize, Deserialize)]
struct TensorJson {
    dtype: String,
    shape: Vec<i64>,
}

impl Signature {
    /// Reads the two JSON lists of an MLflow signature.
    ///
    /// ```
    /// use martello_model_core::Signature;
    ///
    /// let signature = Signature::from_mlflow(
    ///     r#"[{"type": "double", "name": "x", "required": true}]"#,
    ///     Some(r#"[{"type": "tensor", "tensor-spec": {"dtype": "float64", "shape": [-1]}}]"#),
    /// )?;
    /// assert_eq!(signature.inputs()[0].name, "x");
    /// # Ok::<(), martello_model_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidSignature`] if the text is not such a list or names are empty or repeated;
    /// [`ErrorKind::Unsupported`] for inputs without names, tensor inputs, and types that no engine takes.
    pub fn from_mlflow(inputs: &str, outputs: Option<&str>) -> Result<Self, Error> {
        let inputs = parse("inputs", inputs)?.into_iter().enumerate().map(|(at, spec)| input(at, spec));
        let outputs = outputs.map_or_else(|| Ok(Vec::new()), |outputs| parse("outputs", outputs))?;
        Self::with_outputs(inputs.collect::<Result<_, _>>()?, read_outputs(outputs)?)
    }

    /// Returns the inputs as MLflow's JSON list.
    #[must_use]
    pub fn inputs_to_mlflow(&self) -> String {
        write(self.inputs().iter().map(column_spec))
    }

    /// Returns the outputs as MLflow's JSON list, or nothing if the model does not say what it answers.
    #[must_use]
    pub fn outputs_to_mlflow(&self) -> Option<String> {
        match self.outputs() {
            Outputs::Columns(columns) if columns.is_empty() => None,
            Outputs::Columns(columns) => Some(write(columns.iter().map(column_spec))),
            Outputs::Tensors(tensors) => Some(write(tensors.iter().map(tensor_spec))),
        }
    }
}

fn parse(what: &str, text: &str) -> Result<Vec<Spec>, Error> {
    serde_json::from_str(text).map_err(|cause| {
        invalid(format!("the {what} of the signature are not MLflow's JSON list")).with_source(cause)
    })
}

fn input(position: usize, spec: Spec) -> Result<Column, Error> {
    if spec.kind == "tensor" {
        let message = "the signature takes a tensor; log the model with a data frame, so that its inputs are named columns";
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    if spec.name.is_none() {
        let message =
            format!("input column {position} of the signature has no name; log the model with named columns");
        return Err(Error::new(ErrorKind::Unsupported, message));
    }
    column(spec)
}

fn read_outputs(specs: Vec<Spec>) -> Result<Outputs, Error> {
    let tensors = specs.iter().filter(|spec| spec.kind == "tensor").count();
    if tensors == 0 {
        return Ok(Outputs::Columns(specs.into_iter().map(column).collect::<Result<_, _>>()?));
    }
    if tensors != specs.len() {
        return Err(invalid("the outputs of the signature mix columns and tensors"));
    }
    Ok(Outputs::Tensors(specs.into_iter().map(tensor).collect::<Result<_, _>>()?))
}

fn column(spec: Spec) -> Result<Column, Error> {
    let name = spec.name.unwrap_or_default();
    let Some(data_type) = DataType::from_name(&spec.kind) else {
        let message =
            format!("column {name:?} of the signature has the type {:?}, which is not supported", spec.kind);
        return Err(Error::new(ErrorKind::Unsupported, message));
    };
    let required = match (spec.required, spec.optional) {
        (Some(required), Some(optional)) if required == optional => {
            return Err(invalid(format!(
                "column {name:?} of the signature is both required and optional, or neither"
            )));
        }
        (Some(required), _) => required,
        (None, optional) => !optional.unwrap_or(false),
    };
    Ok(Column { name, data_type, required })
}

fn tensor(spec: Spec) -> Result<TensorSpec, Error> {
    let Some(TensorJson { dtype, shape }) = spec.tensor else {
        return Err(invalid("a tensor of the signature has no tensor-spec"));
    };
    Ok(TensorSpec { name: spec.name, dtype, shape })
}

fn column_spec(column: &Column) -> Spec {
    Spec {
        kind: column.data_type.name().to_owned(),
        name: Some(column.name.clone()).filter(|name| !name.is_empty()),
        required: Some(column.required),
        optional: None,
        tensor: None,
    }
}

fn tensor_spec(tensor: &TensorSpec) -> Spec {
    Spec {
        kind: "tensor".to_owned(),
        name: tensor.name.clone(),
        required: None,
        optional: None,
        tensor: Some(TensorJson { dtype: tensor.dtype.clone(), shape: tensor.shape.clone() }),
    }
}

fn write(specs: impl Iterator<Item = Spec>) -> String {
    let specs: Vec<Spec> = specs.collect();
    let json = serde_json::to_string(&specs).expect("text, numbers and booleans always have a JSON form");
    to_ascii(&json)
}

/// Escapes what is not printable ASCII, as Python's JSON does: such text passes unharmed through the quotes of any YAML.
fn to_ascii(json: &str) -> String {
    let mut ascii = String::with_capacity(json.len());
    for character in json.chars() {
        match character {
            ' '..='~' => ascii.push(character),
            _ => character
                .encode_utf16(&mut [0; 2])
                .iter()
                .for_each(|unit| ascii.push_str(&format!("\\u{unit:04x}"))),
        }
    }
    ascii
}

#[cfg(test)]
mod tests {
    use super::*;

    const X: &str = r#"[{"type":"double","name":"x","required":true}]"#;

    fn check(inputs: &str, outputs: Option<&str>, kind: ErrorKind, expected: &str) {
        let error = Signature::from_mlflow(inputs, outputs).unwrap_err();
        assert_eq!(error.kind(), kind, "{error}");
        assert!(error.to_string().contains(expected), "{error}");
    }

    #[test]
    fn the_form_is_that_of_mlflow() {
        let signature = Signature::from_mlflow(X, None).unwrap();
        assert_eq!(signature.inputs_to_mlflow(), X);
        assert_eq!(signature.outputs_to_mlflow(), None);

        let tensor = r#"[{"type":"tensor","tensor-spec":{"dtype":"float64","shape":[-1,3]}}]"#;
        let signature = Signature::from_mlflow(X, Some(tensor)).unwrap();
        assert_eq!(signature.outputs_to_mlflow().as_deref(), Some(tensor));

        let unnamed = r#"[{"type":"string","required":true}]"#;
        let signature = Signature::from_mlflow(X, Some(unnamed)).unwrap();
        assert_eq!(signature.outputs(), &Outputs::Columns(vec![Column::unnamed(DataType::String)]));
        assert_eq!(signature.outputs_to_mlflow().as_deref(), Some(unnamed));
    }

    #[test]
    fn names_are_written_in_ascii() {
        let signature = Signature::new(vec![Column::double("île\u{feff}😀\u{7f}")], vec![]).unwrap();
        let json = signature.inputs_to_mlflow();
        assert_eq!(json, r#"[{"type":"double","name":"\u00eele\ufeff\ud83d\ude00\u007f","required":true}]"#);
        assert_eq!(Signature::from_mlflow(&json, None).unwrap(), signature);
    }

    #[test]
    fn columns_of_older_mlflow_versions_are_read() {
        let older = r#"[{"name": "x", "type": "double"}, {"name": "y", "type": "string", "optional": true}]"#;
        let signature = Signature::from_mlflow(older, None).unwrap();
        assert_eq!(signature.inputs(), [Column::double("x"), Column::string("y").optional()]);
    }

    #[test]
    fn what_cannot_be_served_is_named() {
        let tensor = r#"[{"type":"tensor","tensor-spec":{"dtype":"float64","shape":[-1,3]}}]"#;
        check(tensor, None, ErrorKind::Unsupported, "takes a tensor");
        check(r#"[{"type":"double"}]"#, None, ErrorKind::Unsupported, "input column 0");
        check(r#"[{"type":"datetime","name":"when"}]"#, None, ErrorKind::Unsupported, "\"datetime\"");
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let invalid = ErrorKind::InvalidSignature;
        check("[]", None, invalid, "at least one");
        check("{}", None, invalid, "inputs");
        check(X, Some("nonsense"), invalid, "outputs");
        check(r#"[{"type":"double","name":""}]"#, None, invalid, "has no name");
        check(r#"[{"type":"double","name":"x","required":true,"optional":true}]"#, None, invalid, "both");
        check(X, Some(r#"[{"type":"tensor"}]"#), invalid, "tensor-spec");
        let mixed = r#"[{"type":"tensor","tensor-spec":{"dtype":"float64","shape":[-1]}},{"type":"double"}]"#;
        check(X, Some(mixed), invalid, "mix");
    }
}
