//! Request bodies: the same bytes every time, or JSON with parts that are drawn anew for each request.

use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use rand::Rng;

/// What a request carries.
#[derive(Clone, Debug)]
pub(crate) enum Body {
    Fixed(Bytes),
    Random(Arc<[Piece]>),
}

/// A stretch of text, or a value to draw.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Piece {
    Text(String),
    Drawn(Draw),
}

/// How a value is drawn.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Draw {
    /// Every number from the first to the second equally often.
    Uniform(f64, f64),
    /// Every whole number from the first to the second, both included, equally often.
    Integer(i64, i64),
    /// A normal distribution by mean and standard deviation.
    Normal(f64, f64),
    /// One of these equally often; never empty.
    Choice(Vec<Vec<Piece>>),
}

impl Body {
    pub(crate) fn fixed(content: Vec<u8>) -> Self {
        Self::Fixed(content.into())
    }
}

impl From<Vec<Piece>> for Body {
    fn from(pieces: Vec<Piece>) -> Self {
        match &pieces[..] {
            [Piece::Text(text)] => Self::fixed(text.clone().into_bytes()),
            _ => Self::Random(pieces.into()),
        }
    }
}

/// The text of one request's body.
pub(crate) fn draw(pieces: &[Piece], random: &mut impl Rng) -> String {
    let mut text = String::new();
    draw_into(&mut text, pieces, random);
    text
}

fn draw_into<R: Rng>(text: &mut String, pieces: &[Piece], random: &mut R) {
    for piece in pieces {
        match piece {
            Piece::Text(fixed) => text.push_str(fixed),
            Piece::Drawn(Draw::Uniform(low, high)) => {
                number(text, low + (high - low) * random.r#gen::<f64>());
            }
            Piece::Drawn(Draw::Integer(low, high)) => {
                // Writing to a String cannot fail.
                let _ = write!(text, "{}", random.gen_range(*low..=*high));
            }
            Piece::Drawn(Draw::Normal(mean, deviation)) => {
                number(text, mean + deviation * standard_normal(random));
            }
            Piece::Drawn(Draw::Choice(options)) => {
                draw_into(text, &options[random.gen_range(0..options.len())], random);
            }
        }
    }
}

/// Always with a fraction or an exponent, so that a reader with types sees a floating-point number.
fn number(text: &mut String, value: f64) {
    let _ = write!(text, "{value:?}");
}

/// Box and Muller, *A Note on the Generation of Random Normal Deviates* (1958).
fn standard_normal(random: &mut impl Rng) -> f64 {
    // 1 - u lies in (0, 1], so the logarithm is finite.
    let radius = (-2.0 * (1.0 - random.r#gen::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.r#gen::<f64>()).cos()
}

#[cfg(test)]
mod tests {
    use rand::{SeedableRng, rngs::SmallRng};

    use super::*;

    fn drawn(value: Draw, count: usize) -> Vec<f64> {
        let pieces = [Piece::Drawn(value)];
        let mut random = SmallRng::seed_from_u64(7);
        let one = |_| draw(&pieces, &mut random).parse().unwrap();
        (0..count).map(one).collect()
    }

    fn mean(values: &[f64]) -> f64 {
        values.iter().sum::<f64>() / values.len() as f64
    }

    #[test]
    fn drawn_values_have_the_distribution_that_is_promised() {
        let uniform = drawn(Draw::Uniform(2.0, 4.0), 20_000);
        assert!(uniform.iter().all(|value| (2.0..=4.0).contains(value)));
        assert!((mean(&uniform) - 3.0).abs() < 0.02);
        let integers = drawn(Draw::Integer(-1, 1), 30_000);
        for wanted in [-1.0, 0.0, 1.0] {
            let share = integers.iter().filter(|value| **value == wanted).count();
            assert!(share.abs_diff(10_000) < 400, "{wanted}: {share}");
        }
        let normal = drawn(Draw::Normal(10.0, 2.0), 50_000);
        let centre = mean(&normal);
        let variance = mean(&normal.iter().map(|value| (value - centre).powi(2)).collect::<Vec<_>>());
        assert!((centre - 10.0).abs() < 0.05 && (variance - 4.0).abs() < 0.1, "{centre} {variance}");
    }
}
