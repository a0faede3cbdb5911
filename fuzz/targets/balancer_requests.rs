//! The bytes of a client: what is passed on to a replica is what was understood, in the one form that every reader
//! understands alike, and does not depend on how the bytes arrived.
#![no_main]

use libfuzzer_sys::fuzz_target;
use martello_balancer::Limits;
use martello_balancer::fuzzing::{REPLICA, Way, requests};
use martello_fuzz::wire::{essence, same_however_split, take_apart, way, ways};

fuzz_target!(|input: &[u8]| {
    let Some((flags, cuts, bytes)) = ways(input) else { return };
    let way = way(flags);
    let whole = requests(bytes, way);
    same_however_split(&whole, &requests(bytes, Way { cuts: &cuts, ..way }), way.streams);
    let by_map = requests(bytes, Way { verbatim: !way.verbatim, ..way });
    let remembered = requests(bytes, Way { known: !way.known, ..way });
    for other in [&by_map, &remembered] {
        assert_eq!((&whole.refused, whole.messages.len()), (&other.refused, other.messages.len()));
        for (message, other) in whole.messages.iter().zip(&other.messages) {
            assert_eq!(essence(message), essence(other));
        }
    }
    for message in &whole.messages {
        // The proxy has answered by itself.
        if message.passed_on.is_empty() {
            continue;
        }
        take_apart(&message.passed_on).check_request(message, way.underscores);
        let again = requests(&message.passed_on, Way { limits: &Limits::for_requests(), ..way });
        assert_eq!((again.messages.len(), again.left, again.refused), (1, 0, None));
        let mut first = essence(message);
        if !first.fields.iter().any(|field| field.0 == "host") {
            first.fields.push(("host".to_owned(), REPLICA.into()));
            first.fields.sort_by(|one, other| one.0.cmp(&other.0));
        }
        // Counted down once more (RFC 9110 section 7.6.2), or answered.
        if !first.fields.iter().any(|field| field.0 == "max-forwards") {
            assert_eq!(essence(&again.messages[0]), first);
        }
    }
});
