//! Text that others wrote: what AWS, etcd, a peer or an operator's key says is shown to people, and must neither control nor flood their terminal.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The longest foreign text that is taken in whole: a sentence or two.
pub const SENTENCE: usize = 400;

/// What replaces the part that was cut off.
const CUT: &str = " [...]";

/// The text in one line: control characters and marks that change the text's direction are escaped, and a text longer than `most` characters is cut off.
///
/// A text that has passed through once passes through again unchanged.
#[must_use]
pub fn printable(text: &str, most: usize) -> String {
    let mut line = String::with_capacity(text.len().min(most));
    let mut left = if text.ends_with(CUT) { most.saturating_add(CUT.len()) } else { most };
    for character in text.chars() {
        let before = line.len();
        let width = match character {
            '\n' | '\r' | '\t' => push(&mut line, ' '),
            steers if is_steering(steers) => steers.escape_unicode().map(|plain| push(&mut line, plain)).sum(),
            plain => push(&mut line, plain),
        };
        if width > left {
            line.truncate(before);
            line.push_str(CUT);
            break;
        }
        left -= width;
    }
    line
}

fn push(line: &mut String, character: char) -> usize {
    line.push(character);
    1
}

/// Control characters of both blocks, line and paragraph separators, and the marks that make a text read differently from how it is written
/// (<https://www.unicode.org/reports/tr9/#Explicit_Directional_Embeddings>).
fn is_steering(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

/// A sentence that others wrote, made [`printable`] wherever it comes in: from a key of etcd, a peer, or a file.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Foreign(String);

impl Foreign {
    /// The text, if there is any.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&str> for Foreign {
    fn from(text: &str) -> Self {
        Self(printable(text, SENTENCE))
    }
}

impl From<String> for Foreign {
    fn from(text: String) -> Self {
        Self::from(text.as_str())
    }
}

impl From<Foreign> for String {
    fn from(text: Foreign) -> Self {
        text.0
    }
}

impl fmt::Display for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_steers_a_terminal_comes_through() {
        let odd = "a\u{1b}[2Jb\u{7}\u{9b}31mc\r\nd\u{202e}e\u{2028}f\0";
        let line = printable(odd, SENTENCE);
        assert_eq!(line, r"a\u{1b}[2Jb\u{7}\u{9b}31mc  d\u{202e}e\u{2028}f\u{0}");
        assert!(!line.chars().any(is_steering));
        assert_eq!(Foreign::from(odd).to_string(), line);
        let read: Foreign = serde_json::from_str(r#""x\u001b[0m\ny""#).unwrap();
        assert_eq!(read.as_str(), r"x\u{1b}[0m y");
    }

    #[test]
    fn what_people_write_stays_as_it_is() {
        for text in ["", "alice (uid 1000), Störung, 障害", "ValidationError: No active Lifecycle Action found with instance ID i-1"] {
            assert_eq!(printable(text, SENTENCE), text);
        }
    }

    #[test]
    fn a_long_text_is_cut_once() {
        let long = "x".repeat(SENTENCE + 1);
        let cut = printable(&long, SENTENCE);
        assert_eq!(cut, format!("{}{CUT}", "x".repeat(SENTENCE)));
        assert_eq!(printable(&cut, SENTENCE), cut, "a peer that receives it reads it again");
        assert_eq!(printable("ééé", 2), format!("éé{CUT}"));
    }
}
