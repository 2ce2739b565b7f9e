//! Random worlds, every conceivable step in them, and what a naive reader would say of each.

pub(crate) mod config;
pub(crate) mod dice;
pub(crate) mod oracles;
mod seldom;
pub(crate) mod steps;
pub(crate) mod survey;
pub(crate) mod torn;
pub(crate) mod walk;
pub(crate) mod world;
