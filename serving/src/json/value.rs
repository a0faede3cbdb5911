//! Walks a text that [`check`](super::check()) has found well-formed: no error can happen here, and nothing is built.

use super::{Form, NON_FINITE, Text, is_space, number_end};

/// One value of a well-formed text. Containers are their source text, to be walked when somebody asks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    /// A number as written: `text` is the digits, since an integer may be longer than any machine number.
    Number {
        text: &'a str,
        form: Form,
    },
    /// One of Python's words for a number that JSON does not have.
    NonFinite(f64),
    /// What stands between the quotes, escapes and all.
    String(&'a str),
    Array(&'a str),
    Object(&'a str),
}

/// Returns the value that a whole text holds.
pub(crate) fn root(text: &str) -> Value<'_> {
    Walk { text, at: 0 }.value()
}

impl<'a> Value<'a> {
    /// Walks the elements of an array; nothing for any other value.
    pub(crate) fn elements(self) -> impl Iterator<Item = Self> {
        let text = if let Value::Array(text) = self { text } else { "[]" };
        let mut walk = Walk { text, at: 1 };
        std::iter::from_fn(move || walk.next_in(b']').then(|| walk.value()))
    }

    /// Walks the members of an object, duplicates and all; nothing for any other value.
    pub(crate) fn members(self) -> impl Iterator<Item = (Text<'a>, Self)> {
        let text = if let Value::Object(text) = self { text } else { "{}" };
        let mut walk = Walk { text, at: 1 };
        std::iter::from_fn(move || walk.next_in(b'}').then(|| walk.member()))
    }
}

/// A place in a well-formed text.
pub(super) struct Walk<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    /// Steps into the container that begins here, if one does, and returns what it begins with.
    pub(super) fn enter(&mut self) -> Option<u8> {
        self.spaces();
        let opened = self.text.as_bytes().get(self.at).copied().filter(|byte| matches!(byte, b'[' | b'{'));
        self.at += usize::from(opened.is_some());
        opened
    }

    /// Steps out of a container at whose end [`next_in`](Self::next_in) has arrived.
    pub(super) fn leave(&mut self) {
        self.at += 1;
    }

    /// Steps over spaces and a comma to the next value of a container; false at its end.
    pub(super) fn next_in(&mut self, close: u8) -> bool {
        let bytes = self.text.as_bytes();
        while bytes.get(self.at).is_some_and(|&byte| is_space(byte) || byte == b',') {
            self.at += 1;
        }
        bytes.get(self.at).is_some_and(|&byte| byte != close)
    }

    fn member(&mut self) -> (Text<'a>, Value<'a>) {
        (self.name(), self.value())
    }

    /// Reads the name of a member, and steps over the colon behind it.
    pub(super) fn name(&mut self) -> Text<'a> {
        let name = Text::unescape(self.string());
        self.spaces();
        self.at += 1;
        name
    }

    pub(super) fn value(&mut self) -> Value<'a> {
        self.spaces();
        let rest = &self.text[self.at..];
        match rest.as_bytes().first() {
            Some(b'"') => Value::String(self.string()),
            Some(b'{') => Value::Object(self.container()),
            Some(b'[') => Value::Array(self.container()),
            _ => self.scalar(rest),
        }
    }

    fn scalar(&mut self, rest: &'a str) -> Value<'a> {
        let words = [("null", Value::Null), ("true", Value::Bool(true)), ("false", Value::Bool(false))];
        if let Some((word, value)) = words.into_iter().find(|(word, _)| rest.starts_with(word)) {
            self.at += word.len();
            return value;
        }
        if let Some((word, value)) =
            NON_FINITE.into_iter().find(|(word, _)| rest.as_bytes().starts_with(word))
        {
            self.at += word.len();
            return Value::NonFinite(value);
        }
        let (end, form) =
            number_end(rest.as_bytes(), 0).expect("a checked text has a number where it has nothing else");
        self.at += end;
        Value::Number { text: &rest[..end], form }
    }

    fn string(&mut self) -> &'a str {
        let start = self.at + 1;
        self.at = string_end(self.text.as_bytes(), self.at);
        &self.text[start..self.at - 1]
    }

    /// Steps over a container, which needs no more than counting brackets outside strings.
    fn container(&mut self) -> &'a str {
        let (start, bytes) = (self.at, self.text.as_bytes());
        let mut depth = 0_usize;
        loop {
            match bytes[self.at] {
                b'"' => {
                    self.at = string_end(bytes, self.at);
                    continue;
                }
                b'{' | b'[' => depth += 1,
                b'}' | b']' => depth -= 1,
                _ => {}
            }
            self.at += 1;
            if depth == 0 {
                return &self.text[start..self.at];
            }
        }
    }

    fn spaces(&mut self) {
        while self.text.as_bytes().get(self.at).is_some_and(|&byte| is_space(byte)) {
            self.at += 1;
        }
    }
}

/// Returns the position behind the closing quote of the string that opens at `start`.
fn string_end(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while bytes[at] != b'"' {
        at += 1 + usize::from(bytes[at] == b'\\');
    }
    at + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members_come_in_order_with_their_values() {
        let text = r#" {"a" : [1, "]"] , "a\"b":{"x":"}"},"n":-0.50e1 , "w":NaN,"t":true} "#;
        let members: Vec<_> =
            root(text).members().map(|(name, value)| (name.text.into_owned(), value)).collect();
        assert_eq!(members[0], ("a".to_owned(), Value::Array(r#"[1, "]"]"#)));
        assert_eq!(members[1], ("a\"b".to_owned(), Value::Object(r#"{"x":"}"}"#)));
        assert_eq!(members[2], ("n".to_owned(), Value::Number { text: "-0.50e1", form: Form::Decimal }));
        assert!(matches!(members[3].1, Value::NonFinite(value) if value.is_nan()));
        assert_eq!(members[4].1, Value::Bool(true));
        assert_eq!(members.len(), 5);
    }

    #[test]
    fn elements_come_in_order() {
        let elements: Vec<_> = root("[ 1 ,[ ], null,\"x\"]").elements().collect();
        let one = Value::Number { text: "1", form: Form::Integer };
        assert_eq!(elements, [one, Value::Array("[ ]"), Value::Null, Value::String("x")]);
        assert_eq!(root("[ ]").elements().count(), 0);
        assert_eq!(root("{ }").members().count(), 0);
    }
}
