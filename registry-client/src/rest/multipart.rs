//! How files pass MLflow's artifact proxy by: in parts, straight to and from the storage behind it.

use crate::Result;
use crate::environment::Environment;
use crate::http::Trust;

/// How files pass MLflow's artifact proxy by. The variables and defaults are those of MLflow's Python client 3.17.
///
/// A server with object storage behind it hands out presigned URIs: parts go to the storage and come from it over several
/// connections, and the server only says where. The URIs name the storage as the *server* reaches it: where it cannot be reached from
/// here, files go through the server after all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MultipartOptions {
    /// When files are sent so.
    pub upload: PassBy,
    /// When files are brought so.
    pub download: PassBy,
    /// How large a file is at least that is sent in parts, in bytes; 500 MiB.
    pub upload_minimum: u64,
    /// The size of each part that is sent, in bytes; 10 MiB. Four are in memory at a time.
    pub upload_part_bytes: u64,
    /// The size of each part that is brought, in bytes; 100 MiB. Parts are in memory until they are written, so 16 MiB are never exceeded.
    pub download_part_bytes: u64,
    /// Which storage is believed.
    pub trust: Trust,
}

/// When files pass the proxy by.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum PassBy {
    /// When the server says that it can be done.
    #[default]
    Offered,
    /// Without asking first: for servers that can do it and do not say so.
    Assumed,
    /// Never.
    Never,
}

impl Default for MultipartOptions {
    fn default() -> Self {
        Self {
            upload: PassBy::Offered,
            download: PassBy::Offered,
            upload_minimum: 500 << 20,
            upload_part_bytes: 10 << 20,
            download_part_bytes: 100 << 20,
            trust: Trust::System,
        }
    }
}

impl MultipartOptions {
    /// Reads `MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD`, `_DOWNLOAD`, `MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE`, `_UPLOAD_CHUNK_SIZE`,
    /// `_DOWNLOAD_CHUNK_SIZE`, `MLFLOW_S3_IGNORE_TLS` and `AWS_CA_BUNDLE`.
    pub(super) fn read(environment: &Environment<'_>) -> Result<Self> {
        let default = Self::default();
        let pass_by = |name: &str| {
            Ok(match (environment.text(name), environment.flag(name)?) {
                (None, _) => PassBy::Offered,
                (Some(_), true) => PassBy::Assumed,
                (Some(_), false) => PassBy::Never,
            })
        };
        let bytes = |name: &str, least: u64, default: u64| match environment.number::<u64>(name)? {
            Some(bytes) if bytes < least => {
                Err(crate::Error::invalid(format!("{name} must be at least {least}, in bytes")))
            }
            bytes => Ok(bytes.unwrap_or(default)),
        };
        Ok(Self {
            upload: pass_by("MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD")?,
            download: pass_by("MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD")?,
            upload_minimum: bytes("MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE", 0, default.upload_minimum)?,
            upload_part_bytes: bytes("MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE", 1, default.upload_part_bytes)?,
            download_part_bytes: bytes(
                "MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE",
                1,
                default.download_part_bytes,
            )?,
            trust: match environment.flag("MLFLOW_S3_IGNORE_TLS")? {
                true => Trust::Anybody,
                false => environment.path("AWS_CA_BUNDLE").map_or(Trust::System, Trust::Pem),
            },
        })
    }
}
