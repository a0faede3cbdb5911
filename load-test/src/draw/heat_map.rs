//! How often which latency was seen when.

use std::fmt::Write;

use crate::draw::{Frame, Scale, in_both_widths};
use crate::record::Bins;

/// Shades that an eye can tell apart.
const SHADES: usize = 8;

/// Latencies over time, darker where there were more of them.
pub(crate) struct HeatMap<'a> {
    pub(crate) title: &'a str,
    pub(crate) height: f64,
    /// The end of each column, in seconds, ascending.
    pub(crate) at: &'a [f64],
    pub(crate) columns: &'a [&'a Bins],
    pub(crate) written_x: fn(f64) -> String,
    pub(crate) written: fn(f64) -> String,
}

impl HeatMap<'_> {
    pub(crate) fn html(&self) -> String {
        let title = self.title;
        let Some(rows) = self.rows() else { return String::new() };
        let pictures = in_both_widths(self.height, |frame| self.svg(frame, rows));
        format!(
            "<figure><figcaption><b>{title}</b><span class=\"hint\">stronger: more requests (logarithmic)</span></figcaption>{pictures}</figure>\n"
        )
    }

    /// The first and the last bin that hold anything.
    fn rows(&self) -> Option<(usize, usize)> {
        let used = |place: &usize| self.columns.iter().any(|bins| bins.counts()[*place] > 0);
        let places = 0..Bins::empty().counts().len();
        Some((places.clone().find(used)?, places.rev().find(used)?))
    }

    fn svg(&self, frame: Frame, (first, last): (usize, usize)) -> String {
        let seconds = |place| Bins::start(place).as_secs_f64();
        let x = Scale::of_time(self.at.last().copied().unwrap_or(1.0), frame.across());
        let y = Scale::logarithmic(seconds(first), seconds(last + 1), frame.upwards());
        let mut shades = vec![String::new(); SHADES];
        let most = self.columns.iter().flat_map(|bins| bins.counts()).max().copied().unwrap_or(1);
        let mut left = frame.across().0;
        for (at, bins) in self.at.iter().zip(self.columns) {
            let right = x.place(*at);
            for place in (first..=last).filter(|place| bins.counts()[*place] > 0) {
                let (bottom, top) = (y.place(seconds(place)), y.place(seconds(place + 1)));
                // Half a pixel of overlap hides the seams between neighbours.
                let _ = write!(
                    shades[shade(bins.counts()[place], most)],
                    "M{left:.1} {top:.1}h{:.1}v{:.1}h-{0:.1}z",
                    right - left + 0.4,
                    bottom - top + 0.4,
                );
            }
            left = right;
        }
        let mut svg = String::new();
        for (shade, path) in shades.iter().enumerate().filter(|(_, path)| !path.is_empty()) {
            let _ = write!(svg, "<path class=\"heat h{shade}\" d=\"{path}\"/>");
        }
        svg.push_str(&frame.axes(&x, &y, self.written_x, self.written));
        frame.svg(self.title, &svg)
    }
}

/// By the logarithm of the count: one slow request among thousands must be seen.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a shade is one of eight"
)]
fn shade(count: u64, most: u64) -> usize {
    let share = (count as f64 + 1.0).ln() / (most as f64 + 1.0).ln();
    ((share * SHADES as f64).ceil() as usize).clamp(1, SHADES) - 1
}
