//! `GET /docs` and `/redoc`: the description for people, with forms to try it, out of the binary: no network is needed.
//!
//! With the feature `docs`, `/docs` is [Swagger UI](https://github.com/swagger-api/swagger-ui) and `/redoc` a short page; without
//! it both are the short page. Both read `/openapi.json` themselves, so they show the models of the moment, even none.

#[cfg(feature = "docs")]
mod packed;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Response, header};
use http_body_util::Full;

#[cfg(feature = "docs")]
use self::packed::Packed;

/// Nothing but this replica's own files may run or be asked: whatever a model's name contains stays text.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

#[cfg(feature = "docs")]
static SWAGGER_SCRIPT: Packed =
    Packed::new(include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui-bundle.js.gz")));

#[cfg(feature = "docs")]
static SWAGGER_STYLE: Packed = Packed::new(include_bytes!(concat!(env!("OUT_DIR"), "/swagger-ui.css.gz")));

/// The files that the pages consist of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum File {
    Docs,
    Redoc,
    PlainScript,
    PlainStyle,
    #[cfg(feature = "docs")]
    Start,
    #[cfg(feature = "docs")]
    SwaggerScript,
    #[cfg(feature = "docs")]
    SwaggerStyle,
}

impl File {
    /// Returns the file at a path.
    pub(super) fn at(path: &str) -> Option<Self> {
        Some(match path {
            "/docs" => Self::Docs,
            "/redoc" => Self::Redoc,
            "/redoc/page.js" => Self::PlainScript,
            "/redoc/page.css" => Self::PlainStyle,
            #[cfg(feature = "docs")]
            "/docs/start.js" => Self::Start,
            #[cfg(feature = "docs")]
            "/docs/swagger-ui-bundle.js" => Self::SwaggerScript,
            #[cfg(feature = "docs")]
            "/docs/swagger-ui.css" => Self::SwaggerStyle,
            _ => return None,
        })
    }

    fn media_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Docs | Self::Redoc => "text/html; charset=utf-8",
            Self::PlainScript => "text/javascript; charset=utf-8",
            Self::PlainStyle => "text/css; charset=utf-8",
            #[cfg(feature = "docs")]
            Self::Start | Self::SwaggerScript => "text/javascript; charset=utf-8",
            #[cfg(feature = "docs")]
            Self::SwaggerStyle => "text/css; charset=utf-8",
        })
    }
}

pub(super) fn answer(file: File, headers: &HeaderMap) -> Response<Full<Bytes>> {
    let (text, coding) = content(file, headers);
    let mut answer = Response::new(Full::new(text));
    let fields = answer.headers_mut();
    fields.insert(header::CONTENT_TYPE, file.media_type());
    fields.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    fields.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // The files change with the binary, which a browser cannot know: it asks again after an hour.
    fields.insert(header::CACHE_CONTROL, HeaderValue::from_static("max-age=3600"));
    if let Some(coding) = coding {
        fields.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding));
        fields.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    }
    answer
}

#[cfg_attr(not(feature = "docs"), expect(unused_variables, reason = "the short page is never compressed"))]
fn content(file: File, headers: &HeaderMap) -> (Bytes, Option<&'static str>) {
    let plain = |text: &'static str| (Bytes::from_static(text.as_bytes()), None);
    match file {
        #[cfg(feature = "docs")]
        File::Docs => plain(include_str!("swagger.html")),
        #[cfg(not(feature = "docs"))]
        File::Docs => plain(include_str!("plain.html")),
        File::Redoc => plain(include_str!("plain.html")),
        File::PlainScript => plain(include_str!("plain.js")),
        File::PlainStyle => plain(include_str!("plain.css")),
        #[cfg(feature = "docs")]
        File::Start => plain(include_str!("start.js")),
        #[cfg(feature = "docs")]
        File::SwaggerScript => SWAGGER_SCRIPT.content(headers),
        #[cfg(feature = "docs")]
        File::SwaggerStyle => SWAGGER_STYLE.content(headers),
    }
}
