//! A JSON body in which objects like `{"$uniform": [0, 1]}` stand for values that are drawn.

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use crate::body::{Draw, Piece};

/// The keys that stand for a drawn value.
const DRAWS: &[&str] = &["$uniform", "$integer", "$normal", "$choice"];

/// The text of a body in pieces; neighbouring texts are one piece.
#[derive(Debug, PartialEq)]
pub(super) struct JsonBody(pub(super) Vec<Piece>);

impl<'de> Deserialize<'de> for JsonBody {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

impl JsonBody {
    fn empty() -> Self {
        Self(Vec::new())
    }

    fn of(value: impl Into<serde_json::Value>) -> Self {
        Self(vec![Piece::Text(value.into().to_string())])
    }

    fn push_text(&mut self, more: &str) {
        if let Some(Piece::Text(text)) = self.0.last_mut() {
            text.push_str(more);
        } else {
            self.0.push(Piece::Text(more.to_owned()));
        }
    }

    fn push(&mut self, value: Self) {
        for piece in value.0 {
            match piece {
                Piece::Text(text) => self.push_text(&text),
                drawn @ Piece::Drawn(_) => self.0.push(drawn),
            }
        }
    }

    fn push_member(&mut self, name: &str, value: Self) {
        let name = if name.starts_with("$$") { &name[1..] } else { name };
        self.push_text(&serde_json::Value::from(name).to_string());
        self.push_text(":");
        self.push(value);
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = JsonBody;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<JsonBody, E> {
        Ok(JsonBody::of(()))
    }

    fn visit_bool<E>(self, value: bool) -> Result<JsonBody, E> {
        Ok(JsonBody::of(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<JsonBody, E> {
        Ok(JsonBody::of(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<JsonBody, E> {
        Ok(JsonBody::of(value))
    }

    fn visit_f64<E>(self, value: f64) -> Result<JsonBody, E> {
        Ok(JsonBody::of(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<JsonBody, E> {
        Ok(JsonBody::of(value))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<JsonBody, A::Error> {
        let mut body = JsonBody::empty();
        body.push_text("[");
        let mut first = true;
        while let Some(value) = seq.next_element::<JsonBody>()? {
            if !std::mem::take(&mut first) {
                body.push_text(",");
            }
            body.push(value);
        }
        body.push_text("]");
        Ok(body)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<JsonBody, A::Error> {
        let mut body = JsonBody::empty();
        body.push_text("{");
        let mut first = true;
        while let Some(name) = map.next_key::<String>()? {
            if is_draw(&name) {
                if !first {
                    return Err(de::Error::custom(format!("expected no other key beside `{name}`")));
                }
                return drawn(&name, map);
            }
            if !std::mem::take(&mut first) {
                body.push_text(",");
            }
            body.push_member(&name, map.next_value()?);
        }
        body.push_text("}");
        Ok(body)
    }
}

fn is_draw(name: &str) -> bool {
    name.starts_with('$') && !name.starts_with("$$")
}

fn drawn<'de, A: MapAccess<'de>>(name: &str, mut map: A) -> Result<JsonBody, A::Error> {
    let draw = match name {
        "$uniform" => map.next_value::<Uniform>()?.0,
        "$integer" => map.next_value::<Integer>()?.0,
        "$normal" => map.next_value::<Normal>()?.0,
        "$choice" => map.next_value::<Choice>()?.0,
        _ => return Err(de::Error::unknown_field(name, DRAWS)),
    };
    if map.next_key::<String>()?.is_some() {
        return Err(de::Error::custom(format!("expected no other key beside `{name}`")));
    }
    Ok(JsonBody(vec![Piece::Drawn(draw)]))
}

/// The arguments of one kind of draw, checked as soon as they are read.
macro_rules! arguments {
    ($name:ident, $raw:ty, $expected:literal, $check:expr) => {
        struct $name(Draw);

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let raw = <$raw>::deserialize(deserializer)?;
                let check: fn($raw) -> Option<Draw> = $check;
                check(raw).map(Self).ok_or_else(|| de::Error::custom(concat!("expected ", $expected)))
            }
        }
    };
}

arguments!(Uniform, [f64; 2], "two finite numbers, the smaller first", |[low, high]| {
    (low <= high && (high - low).is_finite()).then_some(Draw::Uniform(low, high))
});
arguments!(Integer, [i64; 2], "two whole numbers, the smaller first", |[low, high]| {
    (low <= high).then_some(Draw::Integer(low, high))
});
arguments!(Normal, [f64; 2], "a mean and a deviation that is not negative", |[mean, deviation]| {
    (mean.is_finite() && (0.0..f64::MAX).contains(&deviation)).then_some(Draw::Normal(mean, deviation))
});
arguments!(Choice, Vec<JsonBody>, "at least one value to choose from", |options| {
    (!options.is_empty()).then(|| Draw::Choice(options.into_iter().map(|option| option.0).collect()))
});

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::{SeedableRng, rngs::SmallRng};
    use serde_json::Value;

    use super::*;

    fn draw(text: &str, seed: u64) -> Value {
        let pieces = serde_json::from_str::<JsonBody>(text).unwrap().0;
        let text = crate::body::draw(&pieces, &mut SmallRng::seed_from_u64(seed));
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn every_draw_is_json_with_the_fixed_parts_unchanged() {
        let template = r#"{"a": {"$uniform": [0, 1e300]}, "b": [{"$integer": [3, 3]}, null, "x\"y"], "$$c": {"$choice": [null, {"d": {"$normal": [5, 0]}}]}, "e": {}}"#;
        let mut chosen = std::collections::BTreeSet::new();
        for seed in 0..50 {
            let value = draw(template, seed);
            assert!(value["a"].is_f64());
            assert_eq!(value["b"], serde_json::json!([3, null, "x\"y"]));
            assert_eq!(value["e"], serde_json::json!({}));
            chosen.insert(value["$c"].to_string());
        }
        assert_eq!(Vec::from_iter(chosen), ["null", r#"{"d":5.0}"#]);
    }

    proptest! {
        #[test]
        fn a_body_without_draws_is_sent_as_it_was_meant(
            numbers in prop::collection::vec(any::<f64>().prop_filter("JSON", |number| number.is_finite()), 0..5),
            name in "[^$].{0,8}", text in any::<String>()
        ) {
            let value = serde_json::json!({ name: [text, numbers, true, null] });
            prop_assert_eq!(draw(&value.to_string(), 1), value);
        }
    }
}
