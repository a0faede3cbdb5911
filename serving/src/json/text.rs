//! The text of a JSON string, with its escapes resolved.

use std::borrow::Cow;

/// What a JSON string says.
///
/// Python's strings may hold half a surrogate pair (`"\ud800"`), ours cannot: such a text keeps U+FFFD in its place and
/// remembers that it is not what was sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Text<'a> {
    pub(crate) text: Cow<'a, str>,
    pub(crate) lone_surrogate: bool,
}

impl<'a> Text<'a> {
    /// Resolves what stands between the quotes of a well-formed JSON string.
    pub(crate) fn unescape(raw: &'a str) -> Self {
        let Some(first) = raw.find('\\') else {
            return Self { text: Cow::Borrowed(raw), lone_surrogate: false };
        };
        let mut text = String::with_capacity(raw.len());
        text.push_str(&raw[..first]);
        let mut lone_surrogate = false;
        let mut rest = &raw[first..];
        while let Some(escape) = rest.strip_prefix('\\') {
            let (character, used) = resolve(escape);
            lone_surrogate |= character.is_none();
            text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
            let plain = &escape[used..];
            let end = plain.find('\\').unwrap_or(plain.len());
            text.push_str(&plain[..end]);
            rest = &plain[end..];
        }
        Self { text: Cow::Owned(text), lone_surrogate }
    }
}

/// Returns the character behind a backslash, `None` for half a surrogate pair, and the bytes that it took.
fn resolve(escape: &str) -> (Option<char>, usize) {
    let character = match escape.as_bytes()[0] {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'u' => return unicode(escape),
        other => char::from(other),
    };
    (Some(character), 1)
}

fn unicode(escape: &str) -> (Option<char>, usize) {
    let first = unit(&escape[1..]);
    let second = escape.get(5..7).filter(|next| *next == "\\u").map(|_| unit(&escape[7..]));
    match (first, second) {
        (0xd800..=0xdbff, Some(low @ 0xdc00..=0xdfff)) => {
            (char::from_u32(0x1_0000 + ((first - 0xd800) << 10) + (low - 0xdc00)), 11)
        }
        _ => (char::from_u32(first), 5),
    }
}

/// Returns the value of the four hexadecimal digits that a checked escape starts with.
fn unit(digits: &str) -> u32 {
    digits.bytes().take(4).fold(0, |unit, digit| unit * 16 + char::from(digit).to_digit(16).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_are_resolved() {
        let cases = [
            ("plain é", "plain é", false),
            (r#"a\"b\\c\/d\n"#, "a\"b\\c/d\n", false),
            (r"\u0041x\u00e9", "Axé", false),
            (r"\ud83d\ude00!", "😀!", false),
            (r"\ud83d\u0061", "\u{fffd}a", true),
            (r"\udc00\ud800", "\u{fffd}\u{fffd}", true),
            (r"\ud83d日", "\u{fffd}日", true),
        ];
        for (raw, text, lone_surrogate) in cases {
            assert_eq!(Text::unescape(raw), Text { text: text.into(), lone_surrogate }, "{raw}");
        }
    }
}
