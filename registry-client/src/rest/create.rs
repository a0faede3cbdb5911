//! Making something exactly once over a connection that may break after the server did it.

use std::future::Future;

use crate::{Error, ErrorKind, Result};

/// How often a creation is tried when its outcome is unknown and nothing can be found: each try has retries of its own.
const ATTEMPTS: usize = 3;

/// Makes something with `create`. When the outcome is unknown, `find` tells whether it was made: it is returned if so, and made
/// again if not.
///
/// After an unknown outcome, a name that is taken may be taken by the earlier attempt, so that is looked up as well.
pub(super) async fn exactly_once<T, C, F>(
    mut create: impl FnMut() -> C,
    mut find: impl FnMut() -> F,
) -> Result<T>
where
    C: Future<Output = Result<T>>,
    F: Future<Output = Result<Option<T>>>,
{
    let mut unknown: Option<Error> = None;
    for _ in 0..ATTEMPTS {
        let error = match create().await {
            Ok(made) => return Ok(made),
            Err(error) => error,
        };
        match error.kind() {
            ErrorKind::Ambiguous => {}
            ErrorKind::AlreadyExists if unknown.is_some() => {}
            _ => return Err(error),
        }
        match find().await {
            Ok(Some(found)) => return Ok(found),
            Ok(None) if error.kind() == ErrorKind::AlreadyExists => return Err(error),
            Ok(None) => unknown = Some(error),
            Err(_) => return Err(error),
        }
    }
    Err(unknown.expect("the loop ends early unless an outcome was unknown"))
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn error(kind: ErrorKind) -> Error {
        Error::new(kind, "as told")
    }

    /// Runs creations and look-ups that end as told, and returns how many of each there were.
    async fn run(
        creations: Vec<Result<&'static str>>,
        finds: Vec<Result<Option<&'static str>>>,
    ) -> (Result<&'static str>, usize, usize) {
        let (all_creations, all_finds) = (creations.len(), finds.len());
        let creations = RefCell::new(creations.into_iter());
        let finds = RefCell::new(finds.into_iter());
        let result = exactly_once(
            || async { creations.borrow_mut().next().unwrap() },
            || async { finds.borrow_mut().next().unwrap() },
        )
        .await;
        (result, all_creations - creations.borrow().len(), all_finds - finds.borrow().len())
    }

    #[tokio::test]
    async fn what_was_made_before_the_answer_was_lost_is_not_made_again() {
        let (result, creations, _) =
            run(vec![Err(error(ErrorKind::Ambiguous))], vec![Ok(Some("found"))]).await;
        assert_eq!((result.unwrap(), creations), ("found", 1));
    }

    #[tokio::test]
    async fn what_was_not_made_is_made_again() {
        let creations = vec![Err(error(ErrorKind::Ambiguous)), Ok("made")];
        let (result, creations, finds) = run(creations, vec![Ok(None)]).await;
        assert_eq!((result.unwrap(), creations, finds), ("made", 2, 1));
    }

    #[tokio::test]
    async fn a_name_taken_by_the_lost_attempt_is_ours_and_one_taken_by_another_is_not() {
        let lost_then_taken = || vec![Err(error(ErrorKind::Ambiguous)), Err(error(ErrorKind::AlreadyExists))];
        let (result, ..) = run(lost_then_taken(), vec![Ok(None), Ok(Some("ours"))]).await;
        assert_eq!(result.unwrap(), "ours");
        let (result, ..) = run(lost_then_taken(), vec![Ok(None), Ok(None)]).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::AlreadyExists);
        let (result, _, finds) = run(vec![Err(error(ErrorKind::AlreadyExists))], vec![]).await;
        assert_eq!((result.unwrap_err().kind(), finds), (ErrorKind::AlreadyExists, 0));
    }

    #[tokio::test]
    async fn an_outcome_that_cannot_be_looked_up_stays_unknown() {
        let (result, ..) =
            run(vec![Err(error(ErrorKind::Ambiguous))], vec![Err(error(ErrorKind::Unavailable))]).await;
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Ambiguous);
    }
}
