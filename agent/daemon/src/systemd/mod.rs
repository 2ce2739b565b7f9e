//! systemd and logind, as far as the agent talks to them: the system bus and the notification socket.

mod bus;
mod interfaces;
pub mod notify;
pub mod shutdown;
mod unit;
pub mod units;

pub use bus::{Bus, BusError};
pub use interfaces::{Job, LogindProxy, ManagerProxy, TimeDateProxy};
pub use unit::Properties;
