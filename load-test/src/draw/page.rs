//! The page around pictures: its style, its tiles and its tables.

use std::fmt::Write;

use crate::draw::escaped;

const STYLE: &str = include_str!("style.css");

/// A whole document that needs nothing from a network; `body` is HTML.
pub(crate) fn page(title: &str, body: &str) -> String {
    let title = escaped(title);
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{title}</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>\n{STYLE}</style>\n<main>\n{body}</main>\n</html>\n"
    )
}

/// A figure with its name; `note` may be empty.
pub(crate) fn tile(name: &str, figure: &str, note: &str) -> String {
    let (name, figure, note) = (escaped(name), escaped(figure), escaped(note));
    format!("<div class=\"tile\"><span>{name}</span><b>{figure}</b><small>{note}</small></div>\n")
}

/// Rows under a head; the first column is text, the others are figures.
#[derive(Debug)]
pub(crate) struct Table {
    html: String,
    rows: usize,
}

impl Table {
    pub(crate) fn new(head: &[&str]) -> Self {
        let mut html = String::from("<div class=\"scroll\"><table><thead><tr>");
        for name in head {
            let _ = write!(html, "<th>{}</th>", escaped(name));
        }
        html.push_str("</tr></thead><tbody>\n");
        Self { html, rows: 0 }
    }

    pub(crate) fn row(&mut self, cells: &[String]) {
        self.html.push_str("<tr>");
        for cell in cells {
            let _ = write!(self.html, "<td>{}</td>", escaped(cell));
        }
        self.html.push_str("</tr>\n");
        self.rows += 1;
    }

    /// The table under a heading; nothing if it has no rows.
    pub(crate) fn html(self, heading: &str) -> String {
        if self.rows == 0 {
            return String::new();
        }
        format!("<section><h2>{}</h2>{}</tbody></table></div></section>\n", escaped(heading), self.html)
    }
}
