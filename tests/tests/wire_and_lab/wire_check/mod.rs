//! `quorate check` against a region on the wire: it finds what is missing, ends what hangs, and changes nothing.

mod faults;
mod missing;
mod node;
mod scene;
mod store;
