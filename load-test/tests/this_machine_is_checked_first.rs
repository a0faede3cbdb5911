//! Before a run: are there descriptors enough, and if not, how many are missing?
//!
//! One test alone, because the limit belongs to the whole process.

use martello_load_test::{ErrorKind, Plan};
use nix::sys::resource::{Resource, getrlimit, setrlimit};

#[test]
fn the_descriptor_limit_is_raised_as_far_as_allowed_and_then_named() {
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("the limit can be read");
    let enough = hard.min(5_000);
    setrlimit(Resource::RLIMIT_NOFILE, 256, enough).expect("a limit can be lowered");
    let plan = |users| Plan::builder("http://127.0.0.1:1").users(users).build().expect("the plan is sound");

    let small = plan(10).preflight().expect("ten users fit");
    assert_eq!(small.descriptors_allowed, 256, "what is enough is left alone");

    let raised = plan(1_000).preflight().expect("a thousand users fit after the limit was raised");
    assert_eq!(
        (raised.descriptors_allowed, getrlimit(Resource::RLIMIT_NOFILE)),
        (enough, Ok((enough, enough)))
    );
    assert!(raised.descriptors_needed > 1_000);

    let error = plan(20_000).preflight().expect_err("five thousand descriptors are too few");
    assert_eq!(error.kind(), ErrorKind::TooFewResources);
    let message = error.to_string();
    assert!(message.contains("20000 users") && message.contains(&enough.to_string()), "{message}");
}
