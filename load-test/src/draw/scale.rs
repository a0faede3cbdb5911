//! From values to pixels, and where an axis is labelled.

/// Steps that people count in.
const DECIMAL_STEPS: [f64; 3] = [1.0, 2.0, 5.0];

/// Seconds that clocks count in.
const CLOCK_STEPS: [f64; 18] = [
    1.0, 2.0, 5.0, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 900.0, 1_800.0, 3_600.0, 7_200.0, 14_400.0,
    21_600.0, 43_200.0, 86_400.0,
];

/// The widest logarithmic range whose intermediate values are labelled too.
const FEW_DECADES: f64 = 1.6;

/// Maps values from `low` to `high` onto pixels.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Scale {
    low: f64,
    high: f64,
    pixels: (f64, f64),
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Linear,
    Clock,
    Logarithmic,
}

impl Scale {
    /// From zero to a round number not below `most`.
    pub(crate) fn from_zero(most: f64, pixels: (f64, f64)) -> Self {
        let most = if most > 0.0 { most } else { 1.0 };
        let step = decimal_step(most, 4);
        let high = (most / step - 1e-9).ceil() * step;
        Self { low: 0.0, high, pixels, kind: Kind::Linear }
    }

    /// From zero to `seconds`, labelled as a clock.
    pub(crate) fn of_time(seconds: f64, pixels: (f64, f64)) -> Self {
        Self { low: 0.0, high: seconds.max(1e-3), pixels, kind: Kind::Clock }
    }

    /// From zero to exactly `most`, labelled with round numbers.
    pub(crate) fn up_to(most: f64, pixels: (f64, f64)) -> Self {
        Self { low: 0.0, high: if most > 0.0 { most } else { 1.0 }, pixels, kind: Kind::Linear }
    }

    /// From `least` to `most`, equal factors at equal distances; both above zero.
    pub(crate) fn logarithmic(least: f64, most: f64, pixels: (f64, f64)) -> Self {
        Self { low: least, high: most.max(least * 1.01), pixels, kind: Kind::Logarithmic }
    }

    /// The pixel of `value`; values outside the scale stand at its ends.
    pub(crate) fn place(&self, value: f64) -> f64 {
        let share = match self.kind {
            Kind::Linear | Kind::Clock => (value - self.low) / (self.high - self.low),
            Kind::Logarithmic => (value.max(self.low) / self.low).ln() / (self.high / self.low).ln(),
        };
        let (first, last) = self.pixels;
        first + (last - first) * share.clamp(0.0, 1.0)
    }

    /// Round values, about `wanted` of them.
    pub(crate) fn ticks(&self, wanted: usize) -> Vec<f64> {
        match self.kind {
            Kind::Linear => self.multiples_of(decimal_step(self.high, wanted)),
            Kind::Clock => {
                #[expect(clippy::cast_precision_loss, reason = "a dozen labels")]
                let least = self.high / wanted as f64;
                let step = CLOCK_STEPS.into_iter().find(|step| *step >= least);
                self.multiples_of(step.unwrap_or_else(|| decimal_step(self.high, wanted)))
            }
            Kind::Logarithmic => self.powers(),
        }
    }

    fn multiples_of(&self, step: f64) -> Vec<f64> {
        let places = std::iter::successors(Some(0.0_f64), |place| Some(place + 1.0));
        places.map(|place| place * step).take_while(|value| *value <= self.high * (1.0 + 1e-9)).collect()
    }

    fn powers(&self) -> Vec<f64> {
        let decades = (self.high / self.low).log10();
        let mantissas = if decades <= FEW_DECADES { &DECIMAL_STEPS[..] } else { &DECIMAL_STEPS[..1] };
        #[expect(clippy::cast_possible_truncation, reason = "exponents of measured values are small")]
        let exponents = self.low.log10().floor() as i32..=self.high.log10().ceil() as i32;
        let all = exponents.flat_map(|power| mantissas.iter().map(move |one| one * 10_f64.powi(power)));
        let within = self.low * (1.0 - 1e-9)..=self.high * (1.0 + 1e-9);
        all.filter(|value| within.contains(value)).collect()
    }
}

/// The smallest of 1, 2 and 5 times a power of ten of which at most about `wanted` fit below `most`.
fn decimal_step(most: f64, wanted: usize) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "a dozen labels")]
    let least = most / wanted as f64;
    let power = 10_f64.powf(least.log10().floor());
    let step = DECIMAL_STEPS.into_iter().find(|step| step * power >= least * (1.0 - 1e-9));
    step.unwrap_or(10.0) * power
}

#[cfg(test)]
mod tests {
    use super::*;

    const PIXELS: (f64, f64) = (200.0, 0.0);

    #[test]
    fn labels_are_round_and_enclose_every_value() {
        let check = |most, expected: &[f64]| assert_eq!(Scale::from_zero(most, PIXELS).ticks(4), expected);
        check(5_714.0, &[0.0, 2_000.0, 4_000.0, 6_000.0]);
        check(100.0, &[0.0, 50.0, 100.0]);
        check(0.0, &[0.0, 0.5, 1.0]);
        assert_eq!(Scale::of_time(61.0, PIXELS).ticks(5), [0.0, 15.0, 30.0, 45.0, 60.0]);
        assert_eq!(
            Scale::logarithmic(0.1, 10_000.0, PIXELS).ticks(4),
            [0.1, 1.0, 10.0, 100.0, 1_000.0, 10_000.0]
        );
        assert_eq!(Scale::logarithmic(1.0, 30.0, PIXELS).ticks(4), [1.0, 2.0, 5.0, 10.0, 20.0]);
    }

    #[test]
    fn values_are_placed_in_proportion_and_never_outside() {
        let linear = Scale::from_zero(100.0, PIXELS);
        assert_eq!(
            [0.0, 25.0, 100.0, 900.0, -5.0].map(|value| linear.place(value)),
            [200.0, 150.0, 0.0, 0.0, 200.0]
        );
        let log = Scale::logarithmic(1.0, 100.0, PIXELS);
        assert_eq!([1.0, 10.0, 100.0, 0.0].map(|value| log.place(value)), [200.0, 100.0, 0.0, 200.0]);
    }
}
