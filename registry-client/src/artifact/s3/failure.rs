//! Errors of S3 servers, and of the way to them, by what can be done about them.

use minio::s3::error::{Error as S3Error, NetworkError, S3ServerError, ValidationErr};
use minio::s3::minio_error_response::MinioErrorCode;

use crate::{Error, ErrorKind};

/// What is to be done about a failed call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) kind: ErrorKind,
    /// Whether the same call may well succeed soon.
    pub(super) transient: bool,
}

pub(super) fn judge(error: &S3Error) -> Verdict {
    match error {
        S3Error::S3Server(S3ServerError::S3Error(answer)) => judge_code(&answer.code()),
        S3Error::S3Server(S3ServerError::InvalidServerResponse { http_status_code, .. }) => {
            judge_status(*http_status_code)
        }
        S3Error::S3Server(S3ServerError::HttpError(status, _)) => judge_status(*status),
        S3Error::Network(NetworkError::ServerError(status)) => judge_status(*status),
        S3Error::Network(NetworkError::ReqwestError(_))
        | S3Error::Validation(ValidationErr::HttpError(_)) => passing(ErrorKind::Unavailable),
        S3Error::Validation(ValidationErr::XmlError { .. }) => passing(ErrorKind::Protocol),
        _ => lasting(ErrorKind::InvalidArgument),
    }
}

/// Returns the error of a call that was given up.
pub(super) fn error(doing: &str, kind: ErrorKind, source: S3Error) -> Error {
    let advice = match kind {
        ErrorKind::Unauthenticated => ": check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and the clock",
        ErrorKind::PermissionDenied => ": the credentials, or the lack of them, do not allow it",
        ErrorKind::InvalidArgument => ": the server, its region or the name cannot be meant",
        ErrorKind::Unavailable => ": the S3 server cannot be reached or is in trouble",
        _ => "",
    };
    Error::new(kind, format!("cannot {doing}{advice}")).with_source(source)
}

fn judge_code(code: &MinioErrorCode) -> Verdict {
    match code {
        MinioErrorCode::NoSuchKey | MinioErrorCode::NoSuchBucket | MinioErrorCode::ResourceNotFound => {
            lasting(ErrorKind::NotFound)
        }
        MinioErrorCode::AccessDenied => lasting(ErrorKind::PermissionDenied),
        MinioErrorCode::ResourceConflict => passing(ErrorKind::Conflict),
        MinioErrorCode::RetryHead => passing(ErrorKind::Unavailable),
        MinioErrorCode::MethodNotAllowed | MinioErrorCode::NotSupported => lasting(ErrorKind::Unsupported),
        MinioErrorCode::OtherError(code) => judge_other(&code.to_ascii_lowercase()),
        _ => lasting(ErrorKind::InvalidArgument),
    }
}

/// The codes of the S3 API reference that the crate has no name for.
fn judge_other(code: &str) -> Verdict {
    match code {
        "invalidaccesskeyid"
        | "notsignedup"
        | "signaturedoesnotmatch"
        | "requesttimetooskewed"
        | "expiredtoken"
        | "invalidtoken" => lasting(ErrorKind::Unauthenticated),
        "preconditionfailed" | "nosuchupload" | "invalidpart" => lasting(ErrorKind::Conflict),
        "operationaborted" | "conditionalrequestconflict" => passing(ErrorKind::Conflict),
        "baddigest" | "xamzcontentsha256mismatch" | "incompletebody" => passing(ErrorKind::Integrity),
        "requesttimeout" => passing(ErrorKind::Timeout),
        // An error without a code is one of a proxy in between.
        "slowdown" | "slowdownread" | "slowdownwrite" | "serviceunavailable" | "internalerror" | "busy"
        | "" => passing(ErrorKind::Unavailable),
        "notimplemented" => lasting(ErrorKind::Unsupported),
        "xminiostoragefull" | "quotaexceeded" => lasting(ErrorKind::StorageFull),
        _ => lasting(ErrorKind::InvalidArgument),
    }
}

fn judge_status(status: u16) -> Verdict {
    match status {
        401 => lasting(ErrorKind::Unauthenticated),
        403 => lasting(ErrorKind::PermissionDenied),
        404 => lasting(ErrorKind::NotFound),
        408 => passing(ErrorKind::Timeout),
        409 => passing(ErrorKind::Conflict),
        412 => lasting(ErrorKind::Conflict),
        429 | 500 | 502..=504 => passing(ErrorKind::Unavailable),
        501 => lasting(ErrorKind::Unsupported),
        507 => lasting(ErrorKind::StorageFull),
        _ => lasting(ErrorKind::InvalidArgument),
    }
}

fn lasting(kind: ErrorKind) -> Verdict {
    Verdict { kind, transient: false }
}

fn passing(kind: ErrorKind) -> Verdict {
    Verdict { kind, transient: true }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_has_its_kind() {
        let check = |code: &str, kind: ErrorKind, transient: bool| {
            assert_eq!(judge_code(&code.parse().unwrap()), Verdict { kind, transient }, "{code}");
        };
        check("NoSuchKey", ErrorKind::NotFound, false);
        check("NoSuchBucket", ErrorKind::NotFound, false);
        check("AccessDenied", ErrorKind::PermissionDenied, false);
        check("SignatureDoesNotMatch", ErrorKind::Unauthenticated, false);
        check("NotSignedUp", ErrorKind::Unauthenticated, false);
        check("PreconditionFailed", ErrorKind::Conflict, false);
        check("SlowDown", ErrorKind::Unavailable, true);
        check("InternalError", ErrorKind::Unavailable, true);
        check("BadDigest", ErrorKind::Integrity, true);
        check("EntityTooLarge", ErrorKind::InvalidArgument, false);
        assert_eq!(judge(&NetworkError::ServerError(503).into()), passing(ErrorKind::Unavailable));
    }
}
