//! Settings from environment variables, and from the credential files that stand in for them.

use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use crate::{Error, Result};

/// Where settings come from: the process, or a test's own list.
pub(crate) struct Environment<'a> {
    get: &'a dyn Fn(&str) -> Option<String>,
}

impl<'a> Environment<'a> {
    /// Returns settings that are looked up with `get`.
    pub(crate) fn new(get: &'a dyn Fn(&str) -> Option<String>) -> Self {
        Self { get }
    }

    /// Returns a variable that is set and not blank.
    pub(crate) fn text(&self, name: &str) -> Option<String> {
        (self.get)(name).map(|text| text.trim().to_owned()).filter(|text| !text.is_empty())
    }

    /// Returns a variable as a path.
    pub(crate) fn path(&self, name: &str) -> Option<PathBuf> {
        self.text(name).map(PathBuf::from)
    }

    /// Returns a variable as a number; the error does not repeat the value, which may have been meant for another one.
    pub(crate) fn number<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        self.text(name)
            .map(|text| text.parse().map_err(|_| Error::invalid(format!("{name} is not a number"))))
            .transpose()
    }

    /// Returns a variable in seconds as a duration.
    pub(crate) fn seconds(&self, name: &str) -> Result<Option<Duration>> {
        let Some(seconds) = self.number::<f64>(name)? else { return Ok(None) };
        let duration = Duration::try_from_secs_f64(seconds);
        duration.map(Some).map_err(|_| Error::invalid(format!("{name} is not a number of seconds")))
    }

    /// Returns a variable in seconds as a time limit, which is more than nothing.
    pub(crate) fn limit(&self, name: &str) -> Result<Option<Duration>> {
        match self.seconds(name)? {
            Some(limit) if limit.is_zero() => Err(Error::invalid(format!("{name} must be more than 0"))),
            limit => Ok(limit),
        }
    }

    /// Returns whether a variable says yes, in the words that MLflow reads.
    pub(crate) fn flag(&self, name: &str) -> Result<bool> {
        match self.text(name).map(|text| text.to_ascii_lowercase()).as_deref() {
            Some("true" | "1") => Ok(true),
            None | Some("false" | "0") => Ok(false),
            Some(_) => Err(Error::invalid(format!("{name} must be true or false"))),
        }
    }

    /// Returns a file below the home folder.
    pub(crate) fn home(&self, below: &str) -> Option<PathBuf> {
        self.path("HOME").or_else(|| self.path("USERPROFILE")).map(|home| home.join(below))
    }
}

/// A credential file: `key = value` below `[section]`.
pub(crate) struct Profile(Vec<(String, String)>);

impl Profile {
    /// Reads a section; a file that is not there has none.
    pub(crate) fn read(path: &Path, section: &str) -> Result<Self> {
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(error) => return Err(Error::io("read credentials from", path, error)),
        };
        Ok(Self::parse(&text, section))
    }

    fn parse(text: &str, section: &str) -> Self {
        let mut inside = false;
        let mut found = Vec::new();
        for line in text.lines().map(str::trim) {
            if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                inside = name.trim() == section;
            } else if let (true, false, Some((key, value))) =
                (inside, line.starts_with(['#', ';']), line.split_once('='))
            {
                found.push((key.trim().to_ascii_lowercase(), value.trim().to_owned()));
            }
        }
        Self(found)
    }

    pub(crate) fn get(&self, key: &str) -> Option<String> {
        self.0.iter().find(|(name, value)| name == key && !value.is_empty()).map(|(_, value)| value.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_mlflow_reads_them_or_refused_by_name() {
        let get = |name: &str| match name {
            "T" => Some(" TRUE ".to_owned()),
            "N" => Some("2.5".to_owned()),
            "BLANK" => Some("  ".to_owned()),
            "BAD" => Some("s3cret".to_owned()),
            _ => None,
        };
        let environment = Environment::new(&get);
        assert!(environment.flag("T").unwrap() && !environment.flag("BLANK").unwrap());
        assert_eq!(environment.seconds("N").unwrap(), Some(Duration::from_millis(2500)));
        for error in [environment.flag("BAD").unwrap_err(), environment.seconds("BAD").unwrap_err()] {
            assert!(error.to_string().contains("BAD") && !format!("{error:?}").contains("s3cret"));
        }
    }

    #[test]
    fn only_the_section_asked_for_counts() {
        let text = "[a]\nkey = 1\n# key = 2\n[default]\nKEY=3=x\n; no = 1\n";
        let profile = Profile::parse(text, "default");
        assert_eq!(profile.get("key").as_deref(), Some("3=x"));
        assert_eq!(profile.get("no"), None);
        assert_eq!(Profile::parse(text, "b").get("key"), None);
    }
}
