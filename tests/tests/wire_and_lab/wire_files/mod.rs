//! The files that follow the living peers: rendered ones and the alias in the hosts file, on a real disk and against real listeners.

mod alias;
mod context;
mod cycle;
mod rendered;
