//! Lines over an axis.

use std::fmt::Write;

use crate::draw::{Frame, Scale, escaped, in_both_widths};

/// The factor between the largest and the smallest value above which a linear axis hides the small ones.
const WIDE_RANGE: f64 = 20.0;

/// One line of a chart.
#[derive(Clone, Debug)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// The class that the style sheet colours.
    pub(crate) class: &'static str,
    /// One value for each place of the horizontal axis; `None` interrupts the line.
    pub(crate) values: Vec<Option<f64>>,
    pub(crate) style: Style,
}

/// How the values of a series are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// Joined by a line.
    Line,
    /// Each by itself: measurements, between which nothing is known.
    Dots,
}

/// Lines over a common horizontal axis.
pub(crate) struct Chart<'a> {
    pub(crate) title: &'a str,
    pub(crate) height: f64,
    /// Places on the horizontal axis, ascending.
    pub(crate) at: &'a [f64],
    /// The scale of the horizontal axis for its end and its pixels.
    pub(crate) across: fn(f64, (f64, f64)) -> Scale,
    pub(crate) written_x: fn(f64) -> String,
    pub(crate) written: fn(f64) -> String,
    pub(crate) series: &'a [Series],
    /// Whether a wide range of values may be shown on a logarithmic axis.
    pub(crate) may_be_logarithmic: bool,
    /// Whether the area below the first line is tinted.
    pub(crate) tinted: bool,
    /// A value that a horizontal line marks.
    pub(crate) limit: Option<f64>,
    /// A place on the horizontal axis that a vertical line marks, and its name.
    pub(crate) mark: Option<(f64, String)>,
}

impl Chart<'_> {
    /// Title, legend and picture.
    pub(crate) fn html(&self) -> String {
        let mut legend = String::new();
        for series in self.series {
            let _ = write!(legend, "<span class=\"key {}\">{}</span>", series.class, escaped(&series.name));
        }
        let scale = if self.is_logarithmic() { "<span class=\"hint\">logarithmic</span>" } else { "" };
        let pictures = in_both_widths(self.height, |frame| self.svg(frame));
        format!(
            "<figure><figcaption><b>{}</b>{legend}{scale}</figcaption>{pictures}</figure>\n",
            escaped(self.title)
        )
    }

    fn svg(&self, frame: Frame) -> String {
        let x = (self.across)(self.at.last().copied().unwrap_or(1.0), frame.across());
        let y = self.vertical(frame.upwards());
        let mut svg = frame.axes(&x, &y, self.written_x, self.written);
        for (place, series) in self.series.iter().enumerate().rev() {
            if place == 0 && self.tinted {
                svg.push_str(&self.area(series, &x, &y, frame.upwards().0));
            }
            svg.push_str(&self.line(series, &x, &y));
        }
        if let Some(limit) = self.limit {
            let ((left, right), at) = (frame.across(), y.place(limit));
            let _ = write!(svg, "<path class=\"limit\" d=\"M{left:.0} {at:.1}H{right:.0}\"/>");
        }
        if let Some((place, name)) = &self.mark {
            let ((bottom, top), at) = (frame.upwards(), x.place(*place));
            let (left, right) = frame.across();
            // On the side with more room.
            let (anchor, shift) = if at - left > right - at { ("end", -6.0) } else { ("start", 6.0) };
            let _ = write!(
                svg,
                "<path class=\"limit\" d=\"M{at:.1} {top:.0}V{bottom:.0}\"/><text text-anchor=\"{anchor}\" x=\"{:.1}\" y=\"{:.0}\">{}</text>",
                at + shift,
                top + 10.0,
                escaped(name)
            );
        }
        svg.push_str(&self.hints(&x, frame));
        frame.svg(self.title, &svg)
    }

    fn is_logarithmic(&self) -> bool {
        let (least, most) = self.range();
        self.may_be_logarithmic && least > 0.0 && most / least > WIDE_RANGE
    }

    fn range(&self) -> (f64, f64) {
        let values = self.series.iter().flat_map(|series| &series.values).flatten().chain(&self.limit);
        values.filter(|value| **value > 0.0).fold((f64::INFINITY, 0.0), |(least, most), value| {
            (f64::min(least, *value), f64::max(most, *value))
        })
    }

    fn vertical(&self, pixels: (f64, f64)) -> Scale {
        let (least, most) = self.range();
        if self.is_logarithmic() {
            Scale::logarithmic(least * 0.8, most * 1.2, pixels)
        } else {
            Scale::from_zero(most, pixels)
        }
    }

    /// Pixels of the values, in pieces between the gaps.
    fn pieces(&self, series: &Series, x: &Scale, y: &Scale) -> Vec<Vec<(f64, f64)>> {
        let points: Vec<Option<(f64, f64)>> = self
            .at
            .iter()
            .zip(&series.values)
            .map(|(at, value)| value.map(|value| (x.place(*at), y.place(value))))
            .collect();
        let pieces = points.split(Option::is_none).filter(|piece| !piece.is_empty());
        pieces.map(|piece| piece.iter().flatten().copied().collect()).collect()
    }

    fn line(&self, series: &Series, x: &Scale, y: &Scale) -> String {
        let mut svg = String::new();
        for piece in self.pieces(series, x, y) {
            let alone = if let [place] = piece[..] { vec![place] } else { Vec::new() };
            let dots = if series.style == Style::Dots { &piece } else { &alone };
            for (x, y) in dots {
                let (class, radius) = (series.class, if alone.is_empty() { 3.5 } else { 2.5 });
                let _ =
                    write!(svg, "<circle class=\"dot {class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{radius}\"/>");
            }
            if dots.is_empty() {
                let _ = write!(svg, "<path class=\"line {}\" d=\"{}\"/>", series.class, path(&piece));
            }
        }
        svg
    }

    fn area(&self, series: &Series, x: &Scale, y: &Scale, bottom: f64) -> String {
        let mut svg = String::new();
        for piece in self.pieces(series, x, y) {
            let (Some(first), Some(last)) = (piece.first(), piece.last()) else { continue };
            let (line, class) = (path(&piece), series.class);
            let _ = write!(
                svg,
                "<path class=\"area {class}\" d=\"{line}L{:.1} {bottom:.1}L{:.1} {bottom:.1}Z\"/>",
                last.0, first.0
            );
        }
        svg
    }

    /// Invisible columns that say their values when a pointer rests on them.
    fn hints(&self, x: &Scale, frame: Frame) -> String {
        let (bottom, top) = frame.upwards();
        let mut svg = String::from("<g class=\"hints\">");
        let mut left = frame.across().0;
        for (place, at) in self.at.iter().enumerate() {
            let right = x.place(*at);
            let mut text = (self.written_x)(*at);
            for series in self.series {
                if let Some(Some(value)) = series.values.get(place) {
                    let _ = write!(text, "\n{}: {}", series.name, (self.written)(*value));
                }
            }
            let _ = write!(
                svg,
                "<rect x=\"{left:.1}\" y=\"{top:.0}\" width=\"{:.1}\" height=\"{:.0}\"><title>{}</title></rect>",
                (right - left).max(0.0),
                bottom - top,
                // `escaped` would take the line feed for a control character.
                text.split('\n').map(escaped).collect::<Vec<_>>().join("\n"),
            );
            left = right;
        }
        svg + "</g>"
    }
}

fn path(points: &[(f64, f64)]) -> String {
    let mut text = String::with_capacity(points.len() * 12);
    for (place, (x, y)) in points.iter().enumerate() {
        let _ = write!(text, "{}{x:.1} {y:.1}", if place == 0 { 'M' } else { 'L' });
    }
    text
}
