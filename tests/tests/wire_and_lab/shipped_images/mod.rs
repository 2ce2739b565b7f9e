//! Every Ignition and cloud-init file that is shipped is fed to an instance of the lab, and its agent has to reach its goal by it: a member that serves, or a
//! worker whose node is ready.
//!
//! `tree` finds the files, `ignition` and `cloud_config` read them, `values` puts the lab's values in place of the example ones as the files tell a user
//! to, `boot` does on an empty disk what the machine would do, and `commands` runs the files' commands.

mod boot;
mod cloud_config;
mod commands;
mod ignition;
mod moved;
mod settings;
mod starts;
mod tree;
mod user_data;
mod values;
