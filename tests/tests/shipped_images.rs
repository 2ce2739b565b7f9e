//! Every Ignition and cloud-init file that is shipped is fed to an instance of the lab, and its agent has to reach its goal by it: a member that serves, or a
//! worker whose node is ready.
//!
//! `tree` finds the files, `ignition` and `cloud_config` read them, `values` puts the lab's values in place of the example ones as the files tell a user
//! to, `boot` does on an empty disk what the machine would do, and `commands` runs the files' commands.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

#[path = "shipped_images/boot.rs"]
mod boot;
#[path = "shipped_images/cloud_config.rs"]
mod cloud_config;
#[path = "shipped_images/commands.rs"]
mod commands;
#[path = "shipped_images/ignition.rs"]
mod ignition;
#[path = "shipped_images/moved.rs"]
mod moved;
#[path = "shipped_images/settings.rs"]
mod settings;
#[path = "shipped_images/starts.rs"]
mod starts;
#[path = "shipped_images/tree.rs"]
mod tree;
#[path = "shipped_images/user_data.rs"]
mod user_data;
#[path = "shipped_images/values.rs"]
mod values;
