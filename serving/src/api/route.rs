//! What a path asks for.

use std::borrow::Cow;

use super::docs::File;
use crate::dialect::Dialect;
use crate::models::{Pick, Wanted};

/// What is to be done for a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route<'a> {
    /// Ask a model: `POST`.
    Ask(Dialect, Wanted<'a>),
    /// Show something: `GET`, `HEAD`.
    Show(Page<'a>),
    /// Change or list what is served: `POST`.
    Manage(Act<'a>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Page<'a> {
    Index,
    Health,
    Live,
    OpenApi,
    Docs(File),
    Metrics,
    Ping,
    Version,
    V2Server,
    V2Live,
    V2Ready,
    V2Models,
    V2Model(Wanted<'a>),
    V2ModelReady(Wanted<'a>),
    V1Models,
    V1Model(Wanted<'a>),
    V1Metadata(Wanted<'a>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Act<'a> {
    Index,
    Load(Cow<'a, str>),
    Unload(Cow<'a, str>),
}

impl<'a> Route<'a> {
    /// Reads a path; `None` if there is nothing.
    pub(super) fn of(path: &'a str) -> Option<Self> {
        // First what most requests are for.
        if path == "/predict" {
            return Some(Self::Ask(Dialect::Predict, Wanted::FIRST));
        }
        Some(Self::Show(match path {
            "/" => Page::Index,
            "/health" | "/health/ready" => Page::Health,
            "/health/live" => Page::Live,
            "/openapi.json" => Page::OpenApi,
            "/metrics" => Page::Metrics,
            "/ping" => Page::Ping,
            "/version" => Page::Version,
            "/invocations" => return Some(Self::Ask(Dialect::Invocations, Wanted::FIRST)),
            _ => {
                if let Some(file) = File::at(path) {
                    return Some(Self::Show(Page::Docs(file)));
                }
                return match path.strip_prefix("/v2") {
                    Some(rest) => v2(rest),
                    None => v1(path.strip_prefix("/v1/models")?),
                };
            }
        }))
    }

    /// Returns the dialect in which errors about this path are told.
    pub(super) fn dialect(path: &str) -> Dialect {
        match path {
            "/invocations" => Dialect::Invocations,
            _ if path == "/v2" || path.starts_with("/v2/") => Dialect::V2,
            _ if path.starts_with("/v1/") => Dialect::V1,
            _ => Dialect::Predict,
        }
    }

    /// Returns the methods that a path takes.
    pub(super) fn allow(&self) -> &'static str {
        match self {
            Self::Ask(..) | Self::Manage(_) => "POST",
            Self::Show(_) => "GET, HEAD",
        }
    }
}

fn v2(rest: &str) -> Option<Route<'_>> {
    if !rest.is_empty() && !rest.starts_with('/') {
        return None;
    }
    let mut parts = [""; 6];
    let mut count = 0;
    for part in rest.trim_end_matches('/').split('/').skip(1) {
        *parts.get_mut(count)? = part;
        count += 1;
    }
    Some(match &parts[..count] {
        [] => Route::Show(Page::V2Server),
        ["health", "live"] => Route::Show(Page::V2Live),
        ["health", "ready"] => Route::Show(Page::V2Ready),
        ["models"] => Route::Show(Page::V2Models),
        ["models", name] => Route::Show(Page::V2Model(named(name)?)),
        ["models", name, "ready"] => Route::Show(Page::V2ModelReady(named(name)?)),
        ["models", name, "infer"] => Route::Ask(Dialect::V2, named(name)?),
        ["models", name, "versions", version] => Route::Show(Page::V2Model(version_of(name, version)?)),
        ["models", name, "versions", version, "ready"] => {
            Route::Show(Page::V2ModelReady(version_of(name, version)?))
        }
        ["models", name, "versions", version, "infer"] => Route::Ask(Dialect::V2, version_of(name, version)?),
        ["repository", "index"] => Route::Manage(Act::Index),
        ["repository", "models", name, "load"] => Route::Manage(Act::Load(decode(name)?)),
        ["repository", "models", name, "unload"] => Route::Manage(Act::Unload(decode(name)?)),
        _ => return None,
    })
}

fn v1(rest: &str) -> Option<Route<'_>> {
    let Some(rest) = rest.strip_prefix('/') else {
        return rest.is_empty().then_some(Route::Show(Page::V1Models));
    };
    if let Some(rest) = rest.strip_suffix(":predict") {
        return v1_model(rest).map(|wanted| Route::Ask(Dialect::V1, wanted));
    }
    if let Some(rest) = rest.strip_suffix("/metadata") {
        return v1_model(rest).map(|wanted| Route::Show(Page::V1Metadata(wanted)));
    }
    v1_model(rest).map(|wanted| Route::Show(Page::V1Model(wanted)))
}

fn v1_model(rest: &str) -> Option<Wanted<'_>> {
    let mut parts = rest.split('/');
    let name = parts.next()?;
    match (parts.next(), parts.next(), parts.next()) {
        (None, ..) => named(name),
        (Some("versions"), Some(version), None) => version_of(name, version),
        (Some("labels"), Some(label), None) => {
            Some(Wanted { name: Some(decode(name)?), pick: Pick::Label(decode(label)?) })
        }
        _ => None,
    }
}

fn named(name: &str) -> Option<Wanted<'_>> {
    Some(Wanted { name: Some(decode(name)?), pick: Pick::First })
}

fn version_of<'a>(name: &'a str, version: &'a str) -> Option<Wanted<'a>> {
    Some(Wanted { name: Some(decode(name)?), pick: Pick::Version(decode(version)?) })
}

/// Resolves the percent-encoding (RFC 3986 section 2.1) of a part of a path; `None` for a part that is empty or broken.
fn decode(part: &str) -> Option<Cow<'_, str>> {
    if part.is_empty() {
        return None;
    }
    if !part.contains('%') {
        return Some(Cow::Borrowed(part));
    }
    let mut bytes = part.bytes();
    let mut decoded = Vec::with_capacity(part.len());
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            decoded.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|digit| char::from(digit).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        decoded.push(u8::try_from(high * 16 + low).ok()?);
    }
    String::from_utf8(decoded).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_a_dialect_and_a_model() {
        let check = |path: &str, dialect, name: &str, pick| {
            let wanted = Wanted { name: Some(name.to_owned().into()), pick };
            assert_eq!(Route::of(path), Some(Route::Ask(dialect, wanted)), "{path}");
        };
        check("/v2/models/m/infer", Dialect::V2, "m", Pick::First);
        check("/v2/models/a%20b%2Fc/infer", Dialect::V2, "a b/c", Pick::First);
        check("/v2/models/m/versions/3/infer", Dialect::V2, "m", Pick::Version("3".into()));
        check("/v1/models/m:predict", Dialect::V1, "m", Pick::First);
        check("/v1/models/m/versions/3:predict", Dialect::V1, "m", Pick::Version("3".into()));
        check("/v1/models/m/labels/champion:predict", Dialect::V1, "m", Pick::Label("champion".into()));
        assert_eq!(Route::of("/predict"), Some(Route::Ask(Dialect::Predict, Wanted::FIRST)));
    }

    #[test]
    fn a_path_that_is_nothing_is_nothing() {
        for path in [
            "",
            "/nope",
            "/predict/",
            "/v2x",
            "/v2/models/m/nope",
            "/v2/models//infer",
            "/v2/models/%/infer",
            "/v2/models/%ff/infer",
            "/v2/a/b/c/d/e/f/g",
            "/v1",
            "/v1/models/",
            "/v1/modelsx",
            "/v1/models/m/versions:predict",
            "/v1/models/m/x/3:predict",
            "/v1/models/m/versions/3/4:predict",
            "/v1/models/:predict",
        ] {
            assert_eq!(Route::of(path), None, "{path}");
        }
    }
}
