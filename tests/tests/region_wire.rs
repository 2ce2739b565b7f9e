//! The wire in front of the region model: plain HTTP against IMDS and the endpoint, and the official SDKs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking, its helpers too")]

#[path = "region_wire/endpoint.rs"]
mod endpoint;
#[path = "region_wire/faults.rs"]
mod faults;
#[path = "region_wire/http.rs"]
mod http;
#[path = "region_wire/imds.rs"]
mod imds;
#[path = "region_wire/sdk.rs"]
mod sdk;
