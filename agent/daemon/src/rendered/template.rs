//! One template, and the text rendered from it.

use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, UndefinedBehavior};

use super::Context;
use crate::adapters::host::HostError;

/// A template is written by hand.
const LARGEST_TEMPLATE: u64 = 64 << 10;

/// A list of a few hundred peers is a hundredth of it.
const LARGEST_TEXT: usize = 1 << 20;

/// Instructions of the template engine; a list of a few hundred peers takes some thousands.
const FUEL: u64 = 200_000;

/// Why a template gave no text.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RenderError {
    /// The template cannot be read, or the file cannot be written.
    #[error(transparent)]
    Host(#[from] HostError),
    /// The file lies where systemd does not let this unit write.
    #[error("{} is not written: its directory is read-only for quorate.service; give it ReadWritePaths={} in a drop-in", path.display(), dir.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
        /// Its directory.
        dir: PathBuf,
        /// What the system said.
        source: Box<HostError>,
    },
    /// The template is larger than any written by hand.
    #[error("the template {} is larger than {LARGEST_TEMPLATE} bytes", path.display())]
    LargeTemplate {
        /// The template.
        path: PathBuf,
    },
    /// What it renders is too large.
    #[error("the template {} renders {size} bytes, but at most {LARGEST_TEXT} are written", path.display())]
    LargeText {
        /// The template.
        path: PathBuf,
        /// How many bytes.
        size: usize,
    },
    /// The template is broken.
    #[error("the template {} is broken: fix it, quorate need not be restarted", path.display())]
    Broken {
        /// The template.
        path: PathBuf,
        /// What is wrong, and in which line.
        source: Box<minijinja::Error>,
    },
}

/// The result of rendering a template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Rendering {
    /// The file's text.
    Text(String),
    /// It uses something that is currently unknown: the file stays as it is.
    Waits(&'static str),
}

/// Renders the template at `path`.
///
/// # Errors
/// It cannot be read, is broken, or renders too much.
pub fn render(path: &Path, context: &Context) -> Result<Rendering, RenderError> {
    let source = read(path)?;
    let name = path.to_string_lossy();
    let broken = |source| RenderError::Broken { path: path.to_owned(), source: Box::new(source) };
    let environment = environment().map_err(broken)?;
    let template = environment.template_from_named_str(&name, &source).map_err(broken)?;
    if let Some(lacks) = context.lacks(&template.undeclared_variables(false)) {
        return Ok(Rendering::Waits(lacks));
    }
    let text = template.render(Serde(context)).map_err(broken)?;
    if text.len() > LARGEST_TEXT {
        return Err(RenderError::LargeText { path: path.to_owned(), size: text.len() });
    }
    Ok(Rendering::Text(text))
}

/// Makes sure that the template at `path` can be read and is not broken, as far as parsing shows.
///
/// # Errors
/// It cannot be read, or is broken.
pub fn parse(path: &Path) -> Result<(), RenderError> {
    let source = read(path)?;
    let broken = |source| RenderError::Broken { path: path.to_owned(), source: Box::new(source) };
    let environment = environment().map_err(broken)?;
    environment.template_from_named_str(&path.to_string_lossy(), &source).map(drop).map_err(broken)
}

/// A strict environment without access to anything outside the template: includes are not even compiled in. White space is kept, and nothing is escaped,
/// whatever the file's extension.
fn environment() -> Result<Environment<'static>, minijinja::Error> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_fuel(Some(FUEL));
    environment.set_syntax(SyntaxConfig::builder().keep_trailing_newline(true).build()?);
    Ok(environment)
}

fn read(path: &Path) -> Result<String, RenderError> {
    let mut text = String::new();
    let read = File::open(path).and_then(|file| file.take(LARGEST_TEMPLATE + 1).read_to_string(&mut text));
    read.map_err(HostError::io("read", path))?;
    match text.len() as u64 > LARGEST_TEMPLATE {
        true => Err(RenderError::LargeTemplate { path: path.to_owned() }),
        false => Ok(text),
    }
}

#[cfg(test)]
mod tests;
