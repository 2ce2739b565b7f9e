//! The simulated region.

pub mod bench;
pub mod cli;
pub mod demo;
pub mod disasters;
pub mod faults;
pub mod k3s;
pub mod kubernetes;
pub mod lab;
pub mod machine;
pub mod output;
pub mod region;
pub mod s3;
pub mod simulator;
pub mod up;
pub mod wire;
