//! The bytes of a replica: a client gets whole answers in the one form that every reader understands alike, or none.
#![no_main]

use libfuzzer_sys::fuzz_target;
use martello_balancer::Limits;
use martello_balancer::fuzzing::{Way, answers};
use martello_fuzz::wire::{essence, same_however_split, take_apart, way, ways};

fuzz_target!(|input: &[u8]| {
    let Some((flags, cuts, bytes)) = ways(input) else { return };
    let to_head = flags & 8 != 0;
    let way = Way { underscores: true, ..way(flags) };
    let whole = answers(bytes, to_head, way);
    same_however_split(&whole, &answers(bytes, to_head, Way { cuts: &cuts, ..way }), true);
    let by_map = answers(bytes, to_head, Way { verbatim: !way.verbatim, ..way });
    let remembered = answers(bytes, to_head, Way { known: !way.known, ..way });
    for other in [&by_map, &remembered] {
        assert_eq!((&whole.refused, whole.messages.len()), (&other.refused, other.messages.len()));
        for (message, other) in whole.messages.iter().zip(&other.messages) {
            assert_eq!(essence(message), essence(other));
        }
    }
    for message in &whole.messages {
        let written = take_apart(&message.passed_on);
        assert!(written.line.starts_with(&format!("HTTP/1.1 {} ", message.what)), "{}", written.line);
        let bodiless = to_head || message.what == "204" || message.what == "304";
        written.check(message, true, bodiless);
        let again = answers(&message.passed_on, to_head, Way { limits: &Limits::for_responses(), ..way });
        assert_eq!((again.messages.len(), again.left, again.refused), (1, 0, None));
        assert_eq!(essence(&again.messages[0]), essence(message));
    }
});
