//! Finds the first fault of a JSON text, with the words and the offset of Python's `json.loads`.

use super::{Form, NON_FINITE, is_space, number_end};

/// Levels of arrays and objects that a text may nest: what the replaced system took before Python's recursion limit
/// answered 400. The walk itself keeps one bit of state per level, not a stack frame.
pub(crate) const MAX_DEPTH: usize = 965;

/// Digits of an integer that Python converts (`sys.int_info.default_max_str_digits`); longer ones are refused because
/// the conversion is quadratic there.
const MAX_INTEGER_DIGITS: usize = 4300;

/// Why a text is not JSON, or not JSON that the replaced system would read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    /// A `JSONDecodeError`: the message, and the byte where it was found.
    Syntax { message: &'static str, at: usize },
    /// Nested deeper than [`MAX_DEPTH`].
    TooDeep,
    /// An integer of more than 4300 digits.
    IntegerTooLong,
}

/// Returns the first fault of a text, if it has one.
pub(crate) fn check(text: &str) -> Result<(), Fault> {
    let mut walk = Walk { bytes: text.as_bytes(), at: 0, open: Vec::new() };
    walk.spaces();
    walk.values()?;
    walk.spaces();
    if walk.at < walk.bytes.len() { walk.fault("Extra data", walk.at) } else { Ok(()) }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Container {
    Array,
    Object,
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    open: Vec<Container>,
}

impl Walk<'_> {
    /// Reads one value with everything in it. Iterative: the depth of a hostile text must not be the depth of our stack.
    fn values(&mut self) -> Result<(), Fault> {
        loop {
            let opened = self.value()?;
            if opened {
                continue;
            }
            loop {
                let Some(&container) = self.open.last() else { return Ok(()) };
                if !self.after_value(container)? {
                    break;
                }
            }
        }
    }

    /// Reads a scalar, an empty container, or the opening of a container up to its first value: then returns true.
    fn value(&mut self) -> Result<bool, Fault> {
        match self.peek() {
            Some(b'"') => self.string()?,
            Some(b'{') => return self.open(Container::Object, b'}'),
            Some(b'[') => return self.open(Container::Array, b']'),
            Some(_) => self.scalar()?,
            None => return self.fault("Expecting value", self.at),
        }
        Ok(false)
    }

    fn open(&mut self, container: Container, close: u8) -> Result<bool, Fault> {
        if self.open.len() == MAX_DEPTH {
            return Err(Fault::TooDeep);
        }
        self.at += 1;
        self.spaces();
        if self.peek() == Some(close) {
            self.at += 1;
            return Ok(false);
        }
        self.open.push(container);
        if container == Container::Object {
            self.key()?;
        }
        Ok(true)
    }

    /// Reads what follows a value: true if it was the end of the container, false if another value comes.
    fn after_value(&mut self, container: Container) -> Result<bool, Fault> {
        self.spaces();
        match (self.peek(), container) {
            (Some(b']'), Container::Array) | (Some(b'}'), Container::Object) => {
                self.at += 1;
                self.open.pop();
                Ok(true)
            }
            (Some(b','), _) => {
                self.at += 1;
                self.spaces();
                if container == Container::Object {
                    self.key()?;
                }
                Ok(false)
            }
            _ => self.fault("Expecting ',' delimiter", self.at),
        }
    }

    /// Reads a member's name, its colon and the spaces before its value.
    fn key(&mut self) -> Result<(), Fault> {
        if self.peek() != Some(b'"') {
            return self.fault("Expecting property name enclosed in double quotes", self.at);
        }
        self.string()?;
        self.spaces();
        if self.peek() != Some(b':') {
            return self.fault("Expecting ':' delimiter", self.at);
        }
        self.at += 1;
        self.spaces();
        Ok(())
    }

    fn scalar(&mut self) -> Result<(), Fault> {
        let rest = &self.bytes[self.at..];
        let words = [&b"null"[..], b"true", b"false"];
        if let Some(word) =
            words.into_iter().chain(NON_FINITE.map(|(word, _)| word)).find(|word| rest.starts_with(word))
        {
            self.at += word.len();
            return Ok(());
        }
        let Some((end, form)) = number_end(self.bytes, self.at) else {
            return self.fault("Expecting value", self.at);
        };
        let digits = end - self.at - usize::from(rest[0] == b'-');
        self.at = end;
        if form == Form::Integer && digits > MAX_INTEGER_DIGITS { Err(Fault::IntegerTooLong) } else { Ok(()) }
    }

    fn string(&mut self) -> Result<(), Fault> {
        let begin = self.at;
        self.at += 1;
        loop {
            match self.peek() {
                None => return self.fault("Unterminated string starting at", begin),
                Some(b'"') => {
                    self.at += 1;
                    return Ok(());
                }
                Some(b'\\') => self.escape(begin)?,
                Some(0..=0x1f) => return self.fault("Invalid control character at", self.at),
                Some(_) => self.at += 1,
            }
        }
    }

    fn escape(&mut self, begin: usize) -> Result<(), Fault> {
        match self.bytes.get(self.at + 1) {
            None => self.fault("Unterminated string starting at", begin),
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {
                self.at += 2;
                Ok(())
            }
            // Python wants one more character after the four digits, which a terminated string always has.
            Some(b'u') => match self.bytes.get(self.at + 2..self.at + 6) {
                Some(digits)
                    if digits.iter().all(u8::is_ascii_hexdigit) && self.at + 6 < self.bytes.len() =>
                {
                    self.at += 6;
                    Ok(())
                }
                _ => self.fault("Invalid \\uXXXX escape", self.at + 1),
            },
            Some(_) => self.fault("Invalid \\escape", self.at),
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn spaces(&mut self) {
        while self.peek().is_some_and(is_space) {
            self.at += 1;
        }
    }

    fn fault<T>(&self, message: &'static str, at: usize) -> Result<T, Fault> {
        Err(Fault::Syntax { message, at })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_is_named_and_placed_as_python_does() {
        let cases = [
            ("", "Expecting value", 0),
            ("{", "Expecting property name enclosed in double quotes", 1),
            (r#"{"a":1,}"#, "Expecting property name enclosed in double quotes", 7),
            (r#"{"a""#, "Expecting ':' delimiter", 4),
            ("[1,]", "Expecting value", 3),
            ("[1", "Expecting ',' delimiter", 2),
            ("[1}", "Expecting ',' delimiter", 2),
            (r#"{"a":1."#, "Expecting ',' delimiter", 6),
            ("01", "Extra data", 1),
            ("-", "Expecting value", 0),
            (r#""x"#, "Unterminated string starting at", 0),
            (r#""\"#, "Unterminated string starting at", 0),
            (r#""\x""#, "Invalid \\escape", 1),
            (r#""\u12G4""#, "Invalid \\uXXXX escape", 2),
            (r#""\u1234"#, "Invalid \\uXXXX escape", 2),
            ("\"\t\"", "Invalid control character at", 1),
        ];
        for (text, message, at) in cases {
            assert_eq!(check(text), Err(Fault::Syntax { message, at }), "{text:?}");
        }
    }

    #[test]
    fn what_python_reads_is_well_formed() {
        for text in [
            " null\t",
            "[ ]",
            "{ }",
            "[[],{}]",
            "NaN",
            "[-Infinity,Infinity]",
            r#"{"a":{"b":[1,-0.5e+3]}}"#,
            r#""\ud800""#,
        ] {
            assert_eq!(check(text), Ok(()), "{text:?}");
        }
    }

    #[test]
    fn depth_and_length_of_integers_are_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert_eq!(check(&nested(MAX_DEPTH)), Ok(()));
        assert_eq!(check(&nested(MAX_DEPTH + 1)), Err(Fault::TooDeep));
        assert_eq!(check(&"9".repeat(MAX_INTEGER_DIGITS)), Ok(()));
        assert_eq!(check(&"9".repeat(MAX_INTEGER_DIGITS + 1)), Err(Fault::IntegerTooLong));
    }
}
