//! Heads that were read before.
//!
//! A client that keeps its connection sends one head again and again, thousands of clients of one kind send the same, and
//! the answers of a replica differ in little but a date that changes once a second. Reading a head (finding its end, its
//! grammar, what its fields say) was a quarter of what the balancer itself does for a request, 5,000 of 20,000
//! instructions; seeing that it is the last one again is one comparison of bytes.
//!
//! What is remembered is what the codec made of exactly these bytes under the same [`Rules`]: nothing is less strict, and a
//! head that broke a rule is never remembered.

use std::cell::RefCell;
use std::fmt;
use std::mem;
use std::sync::Arc;
use std::thread::LocalKey;

use bytes::Bytes;

use super::fields::Fields;
use super::framing::Framing;
use super::rules::Rules;
use super::violation::Violation;
use crate::keyed_hash::keyed_hash;

/// How many heads a thread remembers. 128: some kinds of clients, each with as many lengths of content as are common.
const SLOTS: usize = 128;

/// The longest head that is remembered. 1 KiB: with what was made of them, a thread's requests and its answers take some 300 KiB each at
/// most; a connection keeps its last one, too.
const LONGEST: usize = 1024;

/// What is remembered of requests, or of answers.
pub(crate) trait Head: Clone + 'static {
    fn shelf() -> &'static LocalKey<RefCell<Shelf<Self>>>;

    /// The fields, and how the body is framed.
    fn parts_mut(&mut self) -> (&mut Fields, Framing);
}

/// The heads of one connection: the one that came, until it is taken, and the last one that is known, which is the most
/// likely to come again.
pub(crate) struct Heads<H> {
    came: Came<H>,
    last: Option<Arc<Known<H>>>,
}

enum Came<H> {
    Nothing,
    /// The last known one.
    Known,
    Fresh(Box<H>),
}

struct Known<H> {
    bytes: Bytes,
    rules: Rules,
    head: H,
}

impl<H: Head> Heads<H> {
    /// Returns the length of the head at the front of `buffer` if the last one comes again.
    ///
    /// One that is known ends with its empty line and has none before: what starts with it ends where it does.
    pub(crate) fn again(&mut self, buffer: &[u8]) -> Option<usize> {
        let known = self.last.as_deref().filter(|known| buffer.starts_with(&known.bytes))?;
        self.came = Came::Known;
        Some(known.bytes.len())
    }

    /// Reads a whole head by `parse`, unless it is known. A connection's heads are all read by the same rules.
    pub(crate) fn read(
        &mut self,
        bytes: &Bytes,
        rules: &Rules,
        parse: impl FnOnce(&Bytes) -> Result<H, Violation>,
    ) -> Result<(), Violation> {
        if bytes.len() > LONGEST {
            self.read_once(parse(bytes)?);
            return Ok(());
        }
        match H::shelf().with_borrow_mut(|shelf| shelf.look_up(bytes, rules)) {
            Seen::Never => {
                self.read_once(parse(bytes)?);
                return Ok(());
            }
            Seen::Once(place) => {
                // A copy: what is remembered must not keep the memory of a connection.
                let bytes = Bytes::copy_from_slice(bytes);
                let mut head = parse(&bytes)?;
                let (Fields::Verbatim(fields), framing) = head.parts_mut() else {
                    // A copy of a map is not cheap.
                    self.read_once(head);
                    return Ok(());
                };
                fields.join(framing);
                let known = Arc::new(Known { bytes, rules: *rules, head });
                self.last = Some(Arc::clone(&known));
                H::shelf().with_borrow_mut(|shelf| shelf.slots[place].known = Some(known));
            }
            Seen::Known(known) => self.last = Some(known),
        }
        self.came = Came::Known;
        Ok(())
    }

    /// Takes in a head that is not remembered.
    pub(crate) fn read_once(&mut self, head: H) {
        self.came = Came::Fresh(Box::new(head));
    }

    /// Returns the head that came.
    pub(crate) fn came(&self) -> Option<&H> {
        match &self.came {
            Came::Nothing => None,
            Came::Known => self.last.as_deref().map(|known| &known.head),
            Came::Fresh(head) => Some(head),
        }
    }

    /// Takes the head that came.
    pub(crate) fn take(&mut self) -> Option<H> {
        match mem::replace(&mut self.came, Came::Nothing) {
            Came::Nothing => None,
            Came::Known => self.last.as_deref().map(|known| known.head.clone()),
            Came::Fresh(head) => Some(*head),
        }
    }
}

impl<H> Default for Heads<H> {
    fn default() -> Self {
        Self { came: Came::Nothing, last: None }
    }
}

impl<H> fmt::Debug for Heads<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A head may have somebody's token in it.
        f.debug_struct("Heads").field("bytes", &self.last.as_ref().map(|known| known.bytes.len())).finish()
    }
}

/// Where a thread keeps them: each head has one slot, and shares it with others that come now and then.
pub(crate) struct Shelf<H> {
    slots: Vec<Slot<H>>,
}

struct Slot<H> {
    hash: u64,
    known: Option<Arc<Known<H>>>,
}

/// What a shelf has of a head.
enum Seen<H> {
    Never,
    /// It has the place, and is remembered from now on: a head that comes once, such as one with a number of its own in
    /// it, costs no more than its hash.
    Once(usize),
    Known(Arc<Known<H>>),
}

impl<H> Shelf<H> {
    pub(super) const fn new() -> Self {
        Self { slots: Vec::new() }
    }

    fn look_up(&mut self, bytes: &Bytes, rules: &Rules) -> Seen<H> {
        if self.slots.is_empty() {
            self.slots.resize_with(SLOTS, || Slot { hash: 0, known: None });
        }
        let hash = keyed_hash(&bytes[..]);
        let place = (hash >> 32) as usize % SLOTS;
        let slot = &mut self.slots[place];
        if slot.hash != hash {
            *slot = Slot { hash, known: None };
            return Seen::Never;
        }
        match &slot.known {
            Some(known) if known.bytes == bytes && known.rules == *rules => Seen::Known(Arc::clone(known)),
            _ => Seen::Once(place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Keep, Limits, Underscores, request, request::RequestHead};
    use super::*;

    const RULES: Rules =
        Rules { limits: Limits::for_requests(), keep: Keep::Verbatim, underscores: Underscores::Drop };

    /// Reads a head as a connection does, and says whether it had to be parsed.
    fn read(heads: &mut Heads<RequestHead>, text: &str, rules: &Rules) -> (Result<String, Violation>, bool) {
        let mut parsed = false;
        let read = match heads.again(text.as_bytes()) {
            Some(length) => {
                assert_eq!(length, text.len());
                Ok(())
            }
            None => heads.read(&Bytes::copy_from_slice(text.as_bytes()), rules, |head| {
                parsed = true;
                request::parse(head, rules)
            }),
        };
        let came = heads.came().map(RequestHead::said);
        let taken = heads.take().map(|head| head.said());
        assert_eq!((came, heads.came().is_none()), (taken.clone(), true));
        (read.map(|()| taken.unwrap_or_default()), parsed)
    }

    const HEAD: &str = "POST /predict HTTP/1.1\r\nHost: a\r\nContent-Length: 46\r\n\r\n";

    #[test]
    fn a_head_that_came_twice_is_not_read_a_third_time_by_anybody() {
        let (mut first, mut second) = (Heads::default(), Heads::default());
        let fresh = read(&mut first, HEAD, &RULES);
        assert!(fresh.1);
        assert_eq!(read(&mut first, HEAD, &RULES), fresh, "the second time decides that it is remembered");
        for heads in [&mut first, &mut second] {
            assert_eq!(read(heads, HEAD, &RULES), (fresh.0.clone(), false));
        }
    }

    #[test]
    fn one_byte_makes_another_head() {
        let mut heads = Heads::default();
        for _ in 0..3 {
            read(&mut heads, HEAD, &RULES).0.unwrap();
        }
        for other in [HEAD.replace("46", "47"), HEAD.replace("\r\n\r\n", "\r\nX: y\r\n\r\n")] {
            let (head, parsed) = read(&mut heads, &other, &RULES);
            assert!(parsed);
            assert_eq!(head, read(&mut Heads::default(), &other, &RULES).0);
        }
        assert!(heads.again(&HEAD.as_bytes()[..HEAD.len() - 1]).is_none(), "it is not whole");
    }

    #[test]
    fn what_other_rules_made_of_it_is_not_taken() {
        let text = HEAD.replace("Host", "X_Y: z\r\nHost");
        for underscores in [Underscores::Drop, Underscores::Pass, Underscores::Drop] {
            let rules = Rules { underscores, ..RULES };
            for _ in 0..3 {
                let fresh = request::parse(&Bytes::copy_from_slice(text.as_bytes()), &rules);
                let known = read(&mut Heads::default(), &text, &rules).0;
                assert_eq!(known, fresh.map(|head| head.said()));
            }
        }
    }

    #[test]
    fn a_broken_head_is_refused_each_time() {
        let (text, mut heads) = (HEAD.replace("46", "4x"), Heads::default());
        for _ in 0..4 {
            let (refused, parsed) = read(&mut heads, &text, &RULES);
            assert!(refused.is_err() && parsed);
        }
    }

    #[test]
    fn long_heads_and_those_in_a_map_are_read_anew() {
        let long = HEAD.replace("Host", &format!("X: {}\r\nHost", "y".repeat(LONGEST)));
        let mapped = HEAD.replace("Host", "Via: 1.1 z\r\nHost");
        for text in [long, mapped] {
            let mut heads = Heads::default();
            for _ in 0..4 {
                assert!(read(&mut heads, &text, &RULES).1);
            }
        }
    }
}
