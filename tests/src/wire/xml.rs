//! Just enough XML to answer in.

use std::fmt::{self, Display, Write as _};

/// XML under construction.
#[derive(Debug, Default)]
pub(crate) struct Xml(String);

impl Xml {
    /// A whole document with one root element in a namespace.
    pub(crate) fn document(root: &str, namespace: &str, fill: impl FnOnce(&mut Self)) -> String {
        let mut xml = Self::declared();
        let _ = write!(xml.0, "<{root} xmlns=\"{namespace}\">");
        fill(&mut xml);
        let _ = write!(xml.0, "</{root}>");
        xml.0
    }

    /// A whole document with one root element in no namespace, as EC2 refuses.
    pub(crate) fn plain(root: &str, fill: impl FnOnce(&mut Self)) -> String {
        let mut xml = Self::declared();
        xml.node(root, fill);
        xml.0
    }

    fn declared() -> Self {
        Self("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned())
    }

    /// An element with a text.
    pub(crate) fn leaf(&mut self, name: &str, value: impl Display) -> &mut Self {
        let _ = write!(self.0, "<{name}>");
        let _ = write!(Escaped(&mut self.0), "{value}");
        let _ = write!(self.0, "</{name}>");
        self
    }

    /// An element with a text, where there is one.
    pub(crate) fn maybe(&mut self, name: &str, value: Option<impl Display>) -> &mut Self {
        if let Some(value) = value {
            self.leaf(name, value);
        }
        self
    }

    /// An element with others in it.
    pub(crate) fn node(&mut self, name: &str, fill: impl FnOnce(&mut Self)) -> &mut Self {
        let _ = write!(self.0, "<{name}>");
        fill(self);
        let _ = write!(self.0, "</{name}>");
        self
    }

    /// A list of elements of one name.
    pub(crate) fn list<T>(
        &mut self,
        name: &str,
        item: &str,
        values: impl IntoIterator<Item = T>,
        mut fill: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.node(name, |xml| {
            for value in values {
                xml.node(item, |xml| fill(xml, value));
            }
        })
    }

    /// The text of the element being filled.
    pub(crate) fn text(&mut self, value: impl Display) {
        let _ = write!(Escaped(&mut self.0), "{value}");
    }
}

/// Writes text so no character of it is mistaken for markup.
struct Escaped<'a>(&'a mut String);

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for character in text.chars() {
            match character {
                '&' => self.0.push_str("&amp;"),
                '<' => self.0.push_str("&lt;"),
                '>' => self.0.push_str("&gt;"),
                '"' => self.0.push_str("&quot;"),
                other => self.0.push(other),
            }
        }
        Ok(())
    }
}
