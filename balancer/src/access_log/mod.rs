//! One line for each answer: in the combined format that log tools know, or as JSON. Off by default.
//!
//! Lines are written by a thread of their own, so that a slow disk slows no request; when it falls behind by
//! [`AccessLog::BACKLOG`] lines, further ones are counted and not kept.

mod layer;
mod line;
mod writer;

use std::{fmt, path::PathBuf, str::FromStr};

pub(crate) use self::writer::LogWriter;
pub(crate) use self::{layer::Logged, line::AnsweredBy};

/// Where the access log goes, and how it looks.
///
/// ```
/// use martello_balancer::{AccessLog, AccessLogFormat, Balancer};
///
/// let log = AccessLog::to_file("access.log", AccessLogFormat::Json);
/// let builder = Balancer::builder().access_log(log);
/// # drop(builder);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    /// The standard output, if there is no file.
    pub(crate) file: Option<PathBuf>,
    pub(crate) format: AccessLogFormat,
}

impl AccessLog {
    /// How many lines may wait to be written: 8,192, a second of a busy balancer, at most a few megabytes.
    pub const BACKLOG: usize = 8_192;

    /// Appends to a file, which is made if it is not there. Whoever rotates it copies and truncates.
    pub fn to_file(path: impl Into<PathBuf>, format: AccessLogFormat) -> Self {
        Self { file: Some(path.into()), format }
    }

    /// Writes to the standard output, as containers do.
    pub fn to_stdout(format: AccessLogFormat) -> Self {
        Self { file: None, format }
    }
}

/// How a line of the access log looks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum AccessLogFormat {
    /// The combined format of Apache and nginx.
    #[default]
    Combined,
    /// A JSON object, with what the combined format has no place for: how long it took, which replica answered, and
    /// after how many tries.
    Json,
}

impl fmt::Display for AccessLogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Combined => "combined",
            Self::Json => "json",
        })
    }
}

impl FromStr for AccessLogFormat {
    type Err = &'static str;

    fn from_str(name: &str) -> Result<Self, &'static str> {
        match name {
            "combined" => Ok(Self::Combined),
            "json" => Ok(Self::Json),
            _ => Err("use combined or json"),
        }
    }
}
