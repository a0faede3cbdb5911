//! The grammar of `Host` (RFC 9110 section 7.2, RFC 3986 section 3.2.2).

use memchr::memchr;

/// Returns whether a value is `uri-host [ ":" port ]`.
///
/// An empty host is refused: RFC 9110 section 4.2.1 makes an `http` URI without a host invalid. So is user
/// information, which the field never carries.
pub(crate) fn is_valid(value: &[u8]) -> bool {
    let (host, port) = match value.first() {
        Some(b'[') => match value.iter().position(|byte| *byte == b']') {
            Some(end) => value.split_at(end + 1),
            None => return false,
        },
        _ => value.split_at(memchr(b':', value).unwrap_or(value.len())),
    };
    is_host(host) && is_port(port)
}

fn is_host(host: &[u8]) -> bool {
    match host {
        [] => false,
        [b'[', address @ .., b']'] => is_address(address),
        name => is_registered_name(name),
    }
}

fn is_address(address: &[u8]) -> bool {
    let text = std::str::from_utf8(address).unwrap_or_default();
    text.parse::<std::net::Ipv6Addr>().is_ok()
}

/// `reg-name = *( unreserved / pct-encoded / sub-delims )`; an IPv4 address is one, too.
fn is_registered_name(name: &[u8]) -> bool {
    name.iter().all(|byte| is_name_byte(*byte)) || is_encoded_name(name)
}

fn is_encoded_name(name: &[u8]) -> bool {
    let mut rest = name;
    loop {
        rest = match rest {
            [] => return true,
            [b'%', high, low, tail @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => tail,
            [byte, tail @ ..] if is_name_byte(*byte) => tail,
            _ => return false,
        }
    }
}

fn is_name_byte(byte: u8) -> bool {
    NAME_BYTES[usize::from(byte)]
}

/// The bytes of `unreserved` and `sub-delims`, looked up rather than compared: a host comes with every request.
const NAME_BYTES: [bool; 256] = {
    let mut name = [false; 256];
    let (mut byte, others) = (0, b"-._~!$&'()*+,;=");
    while byte < name.len() {
        name[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < others.len() {
        name[others[at] as usize] = true;
        at += 1;
    }
    name
};

/// Nothing, or `":" *DIGIT` with a number that a port can have.
fn is_port(port: &[u8]) -> bool {
    match port {
        [] => true,
        [b':', digits @ ..] => {
            let number = digits.iter().fold(0_u32, |number, digit| {
                // Beyond the largest port it only has to stay there.
                (number * 10 + u32::from(digit.wrapping_sub(b'0'))).min(1 << 20)
            });
            digits.iter().all(u8::is_ascii_digit) && number <= u32::from(u16::MAX)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts() {
        let valid = [
            "a",
            "localhost:8000",
            "127.0.0.1",
            "127.0.0.1:80",
            "[::1]",
            "[::1]:8000",
            "a.b-c_d~e",
            "a%20b",
            "host:",
            "xn--bcher-kva.example",
        ];
        let invalid = [
            "",
            ":80",
            "a b",
            "a/b",
            "user@host",
            "a:b",
            "a:80:80",
            "a:65536",
            "a:99999999999999",
            "[::1",
            "[]",
            "[x]",
            "[::1]x",
            "a,b:x",
            "a%2",
            "a%zz",
            "h\u{e9}",
            "a?b",
            "a#b",
            "a\\b",
            "[::1%25eth0]",
        ];
        for host in valid {
            assert!(is_valid(host.as_bytes()), "{host}");
        }
        for host in invalid {
            assert!(!is_valid(host.as_bytes()), "{host}");
        }
    }
}
