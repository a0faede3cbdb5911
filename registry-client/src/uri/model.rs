//! URIs of models, in every form that MLflow knows.

use std::fmt;
use std::str::FromStr;

use super::{ArtifactPath, Location};
use crate::config::redact;
use crate::{AliasName, Error, ModelName, Result, Stage};

/// Where a model is, in MLflow's words.
///
/// ```
/// use martello_registry_client::{ModelUri, Stage};
///
/// let uri: ModelUri = "models:/fraud/Production".parse().unwrap();
/// assert_eq!(uri, ModelUri::Stage { name: "fraud".parse().unwrap(), stage: Stage::Production });
/// assert_eq!(uri.to_string(), "models:/fraud/Production");
/// assert_eq!("models:/fraud@champion".parse::<ModelUri>().unwrap().name().unwrap().as_str(), "fraud");
/// ```
#[non_exhaustive]
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ModelUri {
    /// `models:/name/3`: this version, which never changes.
    Version {
        /// The registered model.
        name: ModelName,
        /// The version, from 1.
        version: u32,
    },
    /// `models:/name@champion`: the version that the alias points to.
    Alias {
        /// The registered model.
        name: ModelName,
        /// The alias.
        alias: AliasName,
    },
    /// `models:/name/Production`: the newest version in the stage.
    Stage {
        /// The registered model.
        name: ModelName,
        /// The stage.
        stage: Stage,
    },
    /// `models:/name/latest`: the newest version.
    Latest {
        /// The registered model.
        name: ModelName,
    },
    /// `models:/m-1a2b`: a logged model of MLflow 3, registered or not.
    LoggedModel {
        /// The identifier, with its `m-`.
        model_id: String,
    },
    /// `runs:/id/path`: a folder among a run's artifacts.
    Run {
        /// The run.
        run_id: String,
        /// The folder.
        path: ArtifactPath,
    },
    /// `file:`, `s3:`, `mlflow-artifacts:` or an absolute path: the model folder itself.
    Artifacts(Location),
}

impl ModelUri {
    /// Returns the registered model's name, if the URI has one.
    pub fn name(&self) -> Option<&ModelName> {
        match self {
            Self::Version { name, .. }
            | Self::Alias { name, .. }
            | Self::Stage { name, .. }
            | Self::Latest { name } => Some(name),
            Self::LoggedModel { .. } | Self::Run { .. } | Self::Artifacts(_) => None,
        }
    }

    /// Returns whether what it points to may change.
    pub fn is_moving(&self) -> bool {
        matches!(self, Self::Alias { .. } | Self::Stage { .. } | Self::Latest { .. })
    }
}

impl FromStr for ModelUri {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(rest) = text.strip_prefix("models:/") {
            return parse_registered(text, rest.trim_start_matches('/'));
        }
        if let Some(rest) = text.strip_prefix("runs:/") {
            return parse_run(text, rest.trim_start_matches('/'));
        }
        text.parse().map(Self::Artifacts)
    }
}

impl fmt::Display for ModelUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { name, version } => write!(f, "models:/{name}/{version}"),
            Self::Alias { name, alias } => write!(f, "models:/{name}@{alias}"),
            Self::Stage { name, stage } => write!(f, "models:/{name}/{stage}"),
            Self::Latest { name } => write!(f, "models:/{name}/latest"),
            Self::LoggedModel { model_id } => write!(f, "models:/{model_id}"),
            Self::Run { run_id, path } => write!(f, "runs:/{run_id}/{path}"),
            Self::Artifacts(location) => location.fmt(f),
        }
    }
}

fn parse_registered(whole: &str, rest: &str) -> Result<ModelUri> {
    match rest.split_once('/') {
        Some((name, suffix)) => parse_suffix(whole, name.parse()?, suffix),
        None => match rest.rsplit_once('@') {
            Some((name, alias)) => Ok(ModelUri::Alias { name: name.parse()?, alias: alias.parse()? }),
            None if is_identifier(rest) && rest.starts_with("m-") && rest.len() > 2 => {
                Ok(ModelUri::LoggedModel { model_id: rest.to_owned() })
            }
            None => {
                Err(bad(whole, "expected models:/name/version, models:/name/stage or models:/name@alias"))
            }
        },
    }
}

/// MLflow's rule: digits are a version, `latest` is the newest, anything else a stage.
fn parse_suffix(whole: &str, name: ModelName, suffix: &str) -> Result<ModelUri> {
    if !suffix.is_empty() && suffix.bytes().all(|b| b.is_ascii_digit()) {
        return match suffix.parse() {
            Ok(version) if version > 0 => Ok(ModelUri::Version { name, version }),
            _ => Err(bad(whole, "versions go from 1 to 4294967295")),
        };
    }
    if suffix.eq_ignore_ascii_case("latest") {
        return Ok(ModelUri::Latest { name });
    }
    match suffix.parse() {
        Ok(stage) => Ok(ModelUri::Stage { name, stage }),
        Err(error) => {
            Err(bad(whole, "what follows the name must be a version, a stage or `latest`").with_source(error))
        }
    }
}

fn parse_run(whole: &str, rest: &str) -> Result<ModelUri> {
    match rest.split_once('/') {
        Some((run_id, path)) if is_identifier(run_id) => {
            Ok(ModelUri::Run { run_id: run_id.to_owned(), path: path.parse()? })
        }
        _ => Err(bad(whole, "expected runs:/run-id/path")),
    }
}

/// MLflow's rule for run ids: a letter or digit, then letters, digits, `_` and `-`, at most 256 in all.
fn is_identifier(text: &str) -> bool {
    text.len() <= 256
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
}

fn bad(whole: &str, why: &str) -> Error {
    Error::invalid(format!("invalid model uri {:?}: {why}", redact(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_is_read_and_written_alike() {
        for text in [
            "models:/fraud/12",
            "models:/fraud@champion",
            "models:/fraud/Production",
            "models:/fraud/latest",
            "models:/m-0a1b2c",
            "runs:/0123abcd/model/sub",
            "mlflow-artifacts:/0/abc/artifacts/model",
            "s3://bucket/0/abc",
            "file:///srv/models/a%20b",
        ] {
            assert_eq!(text.parse::<ModelUri>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn other_spellings_mean_the_same() {
        let check = |text: &str, canonical: &str| {
            assert_eq!(text.parse::<ModelUri>().unwrap().to_string(), canonical)
        };
        check("models:/fraud/LATEST", "models:/fraud/latest");
        check("models:/fraud/production", "models:/fraud/Production");
        check("models:/fraud/007", "models:/fraud/7");
        check("models:///fraud/1", "models:/fraud/1");
        check("/srv/models/x", "file:///srv/models/x");
    }

    #[test]
    fn what_means_nothing_is_refused_with_a_reason() {
        for text in [
            "",
            "fraud",
            "models:/",
            "models:/fraud",
            "models:/fraud/",
            "models:/fraud/0",
            "models:/fraud/99999999999",
            "models:/fraud/Prod",
            "models:/fraud/1/2",
            "models:/fraud@",
            "models:/@champion",
            "models:/fraud@latest",
            "models:/fraud@v3",
            "models:/a@b@c",
            "runs:/",
            "runs:/abc",
            "runs:/abc/",
            "runs:/a b/model",
            "runs:/abc/../x",
            "http://host/x",
            "file:relative",
        ] {
            let error = text.parse::<ModelUri>().expect_err(text);
            assert!(!error.to_string().is_empty());
        }
    }
}
