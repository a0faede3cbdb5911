//! Retries go where they can help, and are bounded: in a full outage there are next to none, and while some
//! endpoint works at most as many as the budget has.

mod script;

use martello_balancer::{
    Balance, Load, Outcome, Protocol, Repeat, Repeatable, RetryBudget, Verdict, policy::RoundRobin,
};
use script::{Act, Reached, ask, endpoint};

async fn reached_in_an_outage(budget: RetryBudget, requests: u64) -> u64 {
    let parts: Vec<_> = (0..3).map(|index| endpoint(index, |_| Act::Fail)).collect();
    let named = parts.iter().enumerate().map(|(index, (endpoint, _))| (index.to_string(), endpoint.clone()));
    let balance = Balance::builder().protocol(Repeatable).retry_budget(budget).build(RoundRobin, named);
    for number in 0..requests {
        assert!(ask(&balance, number).await.is_err());
    }
    parts.iter().map(|(_, reached): &(_, Reached)| reached.count()).sum()
}

#[tokio::test(start_paused = true)]
async fn an_outage_gets_one_retry_for_every_endpoint_that_was_believed_to_work() {
    for requests in [20, 100, 500, 2_500, 10_000] {
        let reached = reached_in_an_outage(RetryBudget::default(), requests).await;
        println!("{requests} requests: {reached} attempts, {:.2} times", reached as f64 / requests as f64);
        assert_eq!(reached, requests + 2, "the first request finds out that all three fail");
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_budget_nothing_is_repeated() {
    assert_eq!(reached_in_an_outage(RetryBudget::NONE, 100).await, 100);
}

#[tokio::test(start_paused = true)]
async fn a_steady_failure_is_repeated_for_a_fifth_of_the_successes() {
    // Every other attempt fails, never five in a row at one endpoint.
    let parts: Vec<_> =
        (0..3).map(|index| endpoint(index, |n| if n % 2 == 0 { Act::Fail } else { Act::Answer })).collect();
    let named = parts.iter().enumerate().map(|(index, (endpoint, _))| (index.to_string(), endpoint.clone()));
    let budget = RetryBudget { reserve: 10, ..RetryBudget::default() };
    let balance = Balance::builder().protocol(Repeatable).retry_budget(budget).build(RoundRobin, named);
    let requests = 5_000;
    for number in 0..requests {
        // Some fail: that is what the budget is for.
        let _answer = ask(&balance, number).await;
    }
    let reached: u64 = parts.iter().map(|(_, reached)| reached.count()).sum();
    assert!(reached as f64 <= 1.2 * requests as f64, "{reached} attempts for {requests} requests");
    assert!(balance.snapshot().retries_refused > 0);
}

/// What failed was a connection, not the endpoint.
struct LostConnections;

impl<Res, Err> Protocol<u64, Res, Err> for LostConnections {
    type Mark = ();

    fn mark(&self, _: &u64) {}

    fn copy(&self, request: &u64) -> Option<u64> {
        Some(*request)
    }

    fn judge(&self, (): &(), _: &Load, result: &Result<Res, Err>) -> Verdict {
        match result {
            Ok(_) => Verdict { outcome: Outcome::Success, repeat: Repeat::Never },
            Err(_) => Verdict { outcome: Outcome::Neutral, repeat: Repeat::Anywhere },
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_has_the_place_that_it_had() {
    let (only, _) = endpoint(0, |n| if n == 0 { Act::Fail } else { Act::Answer });
    let builder = Balance::builder().protocol(LostConnections).most_in_flight(1);
    let balance = builder.build(RoundRobin, [("only", only)]);
    assert_eq!(ask(&balance, 7).await.unwrap(), (0, 7));
}
