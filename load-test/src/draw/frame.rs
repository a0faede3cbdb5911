//! The size of a picture, its axes and what is written on them.

use std::fmt::Write;

use crate::draw::{Scale, escaped};

/// Room for the labels of the vertical axis, in user units.
const LEFT: f64 = 62.0;
const RIGHT: f64 = 10.0;
const TOP: f64 = 10.0;
/// Room for the labels of the horizontal axis.
const BOTTOM: f64 = 24.0;

/// The outer size of a picture in user units, which are CSS pixels where it is shown unscaled.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Frame {
    class: &'static str,
    pub(crate) width: f64,
    pub(crate) height: f64,
}

/// Draws twice, for a desk and for a phone: one drawing scaled down would have labels too small to read.
/// The style sheet shows one of them.
pub(crate) fn in_both_widths(height: f64, draw: impl Fn(Frame) -> String) -> String {
    let wide = Frame { class: "wide", width: 1080.0, height };
    let narrow = Frame { class: "narrow", width: 350.0, height: height * 0.9 };
    draw(wide) + &draw(narrow)
}

impl Frame {
    /// How many labels fit on the horizontal axis.
    pub(crate) fn labels(&self) -> usize {
        if self.width > 600.0 { 12 } else { 5 }
    }

    /// The pixels from the first to the last moment.
    pub(crate) fn across(&self) -> (f64, f64) {
        (LEFT, self.width - RIGHT)
    }

    /// The pixels from the lowest to the highest value; SVG counts downwards.
    pub(crate) fn upwards(&self) -> (f64, f64) {
        (self.height - BOTTOM, TOP)
    }

    /// The picture around `content`, which `label` says to those who cannot see it.
    pub(crate) fn svg(&self, label: &str, content: &str) -> String {
        let (class, width, height, label) = (self.class, self.width, self.height, escaped(label));
        format!(
            "<svg class=\"{class}\" viewBox=\"0 0 {width} {height:.0}\" role=\"img\" aria-label=\"{label}\">{content}</svg>\n"
        )
    }

    /// Grid lines and labels of both axes.
    pub(crate) fn axes(
        &self,
        x: &Scale,
        y: &Scale,
        written_x: impl Fn(f64) -> String,
        written_y: impl Fn(f64) -> String,
    ) -> String {
        let ((left, right), (bottom, _)) = (self.across(), self.upwards());
        let mut svg = String::new();
        for value in y.ticks(4) {
            let (at, text) = (y.place(value), written_y(value));
            let class = if (at - bottom).abs() < 0.5 { "axis" } else { "grid" };
            // Writing to a String cannot fail.
            let _ = write!(
                svg,
                "<path class=\"{class}\" d=\"M{left:.0} {at:.1}H{right:.0}\"/><text class=\"y\" x=\"{:.0}\" y=\"{:.1}\">{text}</text>",
                left - 8.0,
                at + 4.0,
            );
        }
        for value in x.ticks(self.labels()) {
            let (at, text) = (x.place(value), written_x(value));
            let anchor = if at > right - 20.0 { "end" } else { "middle" };
            let _ = write!(
                svg,
                "<text text-anchor=\"{anchor}\" x=\"{at:.1}\" y=\"{:.1}\">{text}</text>",
                bottom + 18.0,
            );
        }
        svg
    }
}
