//! XML that is written element by element.

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};

use crate::error::{Error, Result};

/// A document in the making.
pub(super) struct Xml(Writer<Vec<u8>>);

impl Xml {
    pub(super) fn new() -> Result<Self> {
        let mut xml = Self(Writer::new_with_indent(Vec::new(), b' ', 2));
        xml.write(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)))?;
        Ok(xml)
    }

    fn write(&mut self, event: Event<'_>) -> Result<()> {
        self.0.write_event(event).map_err(|e| Error::internal("cannot write XML").because(e))
    }

    /// Begins an element.
    pub(super) fn open(&mut self, name: &str, attributes: &[(&str, &str)]) -> Result<()> {
        self.write(Event::Start(BytesStart::new(name).with_attributes(clean_all(attributes).iter().map(as_pair))))
    }

    /// Ends it.
    pub(super) fn close(&mut self, name: &str) -> Result<()> {
        self.write(Event::End(BytesEnd::new(name)))
    }

    /// An element of text alone.
    pub(super) fn leaf(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) -> Result<()> {
        self.open(name, attributes)?;
        self.write(Event::Text(BytesText::new(&clean(text))))?;
        self.close(name)
    }

    /// An element of elements of text.
    pub(super) fn group(&mut self, name: &str, leaves: &[(&str, &str)]) -> Result<()> {
        self.open(name, &[])?;
        leaves.iter().try_for_each(|(name, text)| self.leaf(name, &[], text))?;
        self.close(name)
    }

    pub(super) fn finish(self) -> String {
        let mut bytes = self.0.into_inner();
        bytes.push(b'\n');
        String::from_utf8_lossy(&bytes).into_owned()
    }
}

fn clean_all<'a>(all: &[(&'a str, &str)]) -> Vec<(&'a str, String)> {
    all.iter().map(|(name, value)| (*name, clean(value))).collect()
}

fn as_pair<'a>(pair: &'a (&'a str, String)) -> (&'a str, &'a str) {
    (pair.0, &pair.1)
}

/// XML 1.0 has no place for most control characters, escaped or not.
fn clean(text: &str) -> String {
    let is_allowed = |c: char| matches!(c, '\t' | '\n') || !c.is_control() && !matches!(c, '\u{fffe}' | '\u{ffff}');
    text.chars().map(|c| if is_allowed(c) { c } else { '\u{fffd}' }).collect()
}
