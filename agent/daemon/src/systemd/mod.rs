//! The parts of systemd and logind that the agent talks to: the system bus and the notification socket.

mod bus;
mod interfaces;
pub mod notify;
pub mod shutdown;
mod unit;
pub mod units;

pub use bus::{Bus, BusError};
pub use interfaces::{Job, LogindProxy, ManagerProxy, TimeDateProxy};
pub use unit::Properties;
