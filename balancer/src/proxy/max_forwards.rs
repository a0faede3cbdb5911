//! `Max-Forwards`: how many more proxies a TRACE or OPTIONS may pass (RFC 9110 section 7.6.2).

use http::header::{ALLOW, HeaderValue, MAX_FORWARDS};
use http::{Method, Request, Response, StatusCode};

use crate::h1::Body;

/// Counts a request's `Max-Forwards` down; returns the answer to a request that may go no further.
pub(super) fn count_down(request: &mut Request<Body>) -> Option<Response<Body>> {
    if *request.method() != Method::OPTIONS && *request.method() != Method::TRACE {
        return None;
    }
    let left = request.headers().get(MAX_FORWARDS)?.to_str().ok()?.parse::<u64>().ok()?;
    match left.checked_sub(1) {
        Some(left) => {
            request.headers_mut().insert(MAX_FORWARDS, HeaderValue::from(left));
            None
        }
        None => Some(last_recipient(request.method())),
    }
}

/// As the last recipient, the proxy says what it passes on; it does not reflect requests, whose fields may be
/// secrets (RFC 9110 section 9.3.8).
fn last_recipient(method: &Method) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() =
        if *method == Method::OPTIONS { StatusCode::NO_CONTENT } else { StatusCode::METHOD_NOT_ALLOWED };
    let allow = HeaderValue::from_static("GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
    response.headers_mut().insert(ALLOW, allow);
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(method: Method, value: &str) -> Result<String, u16> {
        let request = Request::builder().method(method).header(MAX_FORWARDS, value);
        let mut request = request.body(Body::empty()).unwrap();
        match count_down(&mut request) {
            Some(response) => Err(response.status().as_u16()),
            None => Ok(request.headers()[MAX_FORWARDS].to_str().unwrap().to_owned()),
        }
    }

    #[test]
    fn it_is_counted_down_to_the_last_recipient() {
        assert_eq!(check(Method::OPTIONS, "2"), Ok("1".to_owned()));
        assert_eq!(check(Method::OPTIONS, "0"), Err(204));
        assert_eq!(check(Method::TRACE, "0"), Err(405));
        assert_eq!(check(Method::GET, "0"), Ok("0".to_owned()), "it means nothing to other methods");
        assert_eq!(check(Method::OPTIONS, "many"), Ok("many".to_owned()));
    }
}
