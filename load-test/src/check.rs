//! What an answer must look like to count as a success.

use http::StatusCode;

use crate::failure::FailureKind;

/// The rules by which an answer passes or fails.
///
/// ```
/// use martello_load_test::Check;
///
/// let check = Check::status(200).and_body_contains("\"prediction\"");
/// # let _ = check;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    status: Option<u16>,
    body_contains: Option<Box<[u8]>>,
}

impl Default for Check {
    /// The same as [`Check::success`].
    fn default() -> Self {
        Self::success()
    }
}

impl Check {
    /// Accepts every status from 200 to 299.
    #[must_use]
    pub const fn success() -> Self {
        Self { status: None, body_contains: None }
    }

    /// Accepts this status code alone, for a request whose right answer is, say, 422.
    #[must_use]
    pub const fn status(code: u16) -> Self {
        Self { status: Some(code), body_contains: None }
    }

    /// Asks, beside the status, for `text` somewhere in the body.
    #[must_use]
    pub fn and_body_contains(mut self, text: &str) -> Self {
        self.body_contains = Some(text.as_bytes().into());
        self
    }

    /// Whether the body has to be kept for the check, and not only counted.
    pub(crate) fn reads_the_body(&self) -> bool {
        self.body_contains.is_some()
    }

    pub(crate) fn expected_status(&self) -> Option<u16> {
        self.status
    }

    pub(crate) fn judge(&self, status: StatusCode, body: &[u8]) -> Result<(), FailureKind> {
        let accepted = self.status.map_or(status.is_success(), |code| status.as_u16() == code);
        if !accepted {
            return Err(FailureKind::Status(status.as_u16()));
        }
        match &self.body_contains {
            Some(wanted) if !contains(body, wanted) => Err(FailureKind::BodyCheck),
            _ => Ok(()),
        }
    }
}

fn contains(body: &[u8], wanted: &[u8]) -> bool {
    wanted.is_empty() || body.windows(wanted.len()).any(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_judged_by_status_and_body() {
        let judge = |check: &Check, code: u16, body: &str| {
            check.judge(StatusCode::from_u16(code).unwrap(), body.as_bytes())
        };
        assert_eq!(judge(&Check::success(), 204, ""), Ok(()));
        assert_eq!(judge(&Check::success(), 302, ""), Err(FailureKind::Status(302)));
        assert_eq!(judge(&Check::status(422), 422, ""), Ok(()));
        assert_eq!(judge(&Check::status(422), 200, ""), Err(FailureKind::Status(200)));
        let check = Check::success().and_body_contains("prediction");
        assert_eq!(judge(&check, 200, r#"{"prediction":1}"#), Ok(()));
        assert_eq!(judge(&check, 200, r#"{"predictio"#), Err(FailureKind::BodyCheck));
        assert_eq!(judge(&check, 500, r#"{"prediction":1}"#), Err(FailureKind::Status(500)));
    }
}
