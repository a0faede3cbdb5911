//! The head of an answer: its status, and what its fields say.

use std::mem::MaybeUninit;

use http::{HeaderName, HeaderValue, StatusCode};
use httparse::{Error, ParserConfig, Response, Status};

use crate::failure::FailureKind;
use crate::wire::answer::Expected;
use crate::wire::body::Body;
use crate::wire::framing::{Declared, Version};

/// The most fields in a head: 100, as in hyper, twice what the wordiest servers send.
const MOST_FIELDS: usize = 100;

#[derive(Debug)]
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) endpoint: Option<HeaderValue>,
    pub(super) body: Body,
    pub(super) keeps_alive: bool,
}

impl Head {
    /// The head at the front of `bytes` and its length; `None` if it does not end there.
    pub(super) fn parse(bytes: &[u8], expected: &Expected<'_>) -> Result<Option<(Self, usize)>, FailureKind> {
        let mut fields = [const { MaybeUninit::uninit() }; MOST_FIELDS];
        let mut response = Response::new(&mut []);
        let parsed =
            ParserConfig::default().parse_response_with_uninit_headers(&mut response, bytes, &mut fields);
        match parsed {
            Ok(Status::Complete(length)) => Ok(Some((Self::of(&response, expected)?, length))),
            Ok(Status::Partial) => Ok(None),
            Err(Error::TooManyHeaders) => Err(FailureKind::HeadTooLarge),
            Err(_) => Err(FailureKind::InvalidResponse),
        }
    }

    /// Whether another answer to the same request follows; one that switches protocols is the last of this one.
    pub(super) fn is_interim(&self) -> bool {
        self.status.is_informational() && self.status != StatusCode::SWITCHING_PROTOCOLS
    }

    fn of(response: &Response<'_, '_>, expected: &Expected<'_>) -> Result<Self, FailureKind> {
        let code = response.code.unwrap_or_default();
        let status = StatusCode::from_u16(code).map_err(|_| FailureKind::InvalidResponse)?;
        let version = if response.version == Some(1) { Version::Http11 } else { Version::Http10 };
        let mut declared = Declared::default();
        response.headers.iter().for_each(|field| declared.note(field.name, field.value));
        Ok(Self {
            status,
            endpoint: find(response, expected.endpoint_header),
            body: declared.body(expected.method, status, version)?,
            keeps_alive: declared.keeps_alive(status, version),
        })
    }
}

fn find(response: &Response<'_, '_>, name: &HeaderName) -> Option<HeaderValue> {
    let field = response.headers.iter().find(|field| field.name.eq_ignore_ascii_case(name.as_str()))?;
    HeaderValue::from_bytes(field.value).ok()
}
