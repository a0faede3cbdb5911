//! Pictures as inline SVG, coloured by the style sheet of the page that they stand in.

mod chart;
mod frame;
mod heat_map;
mod page;
mod scale;

pub(crate) use chart::{Chart, Series, Style};
pub(crate) use frame::{Frame, in_both_widths};
pub(crate) use heat_map::HeatMap;
pub(crate) use page::{Table, page, tile};
pub(crate) use scale::Scale;

/// Text as it may stand in HTML and SVG, attributes included.
pub(crate) fn escaped(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            // Control characters are not allowed in HTML, and a server names its replicas itself.
            control if control.is_control() => safe.push('\u{fffd}'),
            other => safe.push(other),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::escaped;

    #[test]
    fn text_from_outside_cannot_become_markup() {
        assert_eq!(escaped("<a b='\"&\u{0}'>"), "&lt;a b=&#39;&quot;&amp;\u{fffd}&#39;&gt;");
    }
}
