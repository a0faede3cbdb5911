//! A model folder that was opened: its manifest is read, its other files are read through limits.

use serde::de::DeserializeOwned;

use super::mlmodel::{self, MlModel, SignatureText};
use super::{Limits, ModelFiles};
use crate::{Column, Error, ErrorKind, Signature};

/// What the reader of a flavor works with.
pub(super) struct Folder<'a> {
    files: &'a ModelFiles,
    limits: &'a Limits,
    manifest: MlModel,
}

impl<'a> Folder<'a> {
    pub(super) fn open(files: &'a ModelFiles, limits: &'a Limits) -> Result<Self, Error> {
        let manifest = mlmodel::parse(read(files, limits, mlmodel::FILE)?)?;
        Ok(Self { files, limits, manifest })
    }

    pub(super) fn manifest(&self) -> &MlModel {
        &self.manifest
    }

    pub(super) fn into_manifest(self) -> MlModel {
        self.manifest
    }

    pub(super) fn limits(&self) -> &Limits {
        self.limits
    }

    /// Returns the bytes of a file that the manifest names.
    pub(super) fn read(&self, path: &str) -> Result<&'a [u8], Error> {
        read(self.files, self.limits, path)
    }

    /// Returns a flavor's own section of the manifest.
    pub(super) fn section<T: DeserializeOwned>(&self, flavor: &str) -> Result<T, Error> {
        let section = self.manifest.flavors.get(flavor).cloned().unwrap_or_default();
        serde_json::from_value(section).map_err(|cause| {
            let message = format!("the section flavors.{flavor} of {} cannot be read", mlmodel::FILE);
            Error::new(ErrorKind::Corrupted, message).with_source(cause)
        })
    }

    /// Returns the signature, which a flavor without column names of its own cannot do without.
    pub(super) fn signature(&self) -> Result<Signature, Error> {
        self.read_signature(SignatureText::parse)
    }

    /// Returns the columns that go in. What Python's flavors answer may be more than a signature can say here.
    pub(super) fn input_columns(&self) -> Result<Vec<Column>, Error> {
        Ok(self.read_signature(SignatureText::parse_inputs)?.inputs().to_vec())
    }

    fn read_signature(
        &self,
        parse: impl Fn(&SignatureText) -> Result<Signature, Error>,
    ) -> Result<Signature, Error> {
        let Some(signature) = &self.manifest.signature else {
            let message = format!("{} has no signature; log the model with one", mlmodel::FILE);
            return Err(Error::new(ErrorKind::InvalidSignature, message));
        };
        let broken = |cause: Error| {
            let message = format!("the signature in {} cannot be used", mlmodel::FILE);
            Error::new(cause.kind(), message).with_source(cause)
        };
        let signature = parse(signature).map_err(broken)?;
        within("input columns", mlmodel::FILE, signature.inputs().len(), self.limits.max_columns)?;
        Ok(signature)
    }
}

/// Refuses what is larger than its limit.
pub(super) fn within(what: &str, path: &str, size: usize, limit: usize) -> Result<(), Error> {
    let message = || format!("{path} has {size} {what}, the limit is {limit}");
    if size <= limit { Ok(()) } else { Err(Error::new(ErrorKind::TooLarge, message())) }
}

fn read<'a>(files: &'a ModelFiles, limits: &Limits, path: &str) -> Result<&'a [u8], Error> {
    let missing = || Error::new(ErrorKind::MissingFile, format!("the model folder has no file {path:?}"));
    let bytes = files.get(path).ok_or_else(missing)?;
    within("bytes", path, bytes.len(), limits.max_file_bytes)?;
    Ok(bytes)
}
