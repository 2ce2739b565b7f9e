//! Hands out what may be given to instances that may not read the cluster's authority, and asks for it on such an instance.
//!
//! A member answers `POST /v1/credentials` on the agents' port, over TLS alone. The question has a proof of AWS, which the core takes apart and decides on; here
//! it is sent to STS, EC2 is asked for the instance's addresses, and what was granted is issued. A proof is a secret as long as it is fresh: nothing logs it.

mod answer;
mod ask;
mod issue;
mod kept;

pub use answer::{Given, PATH, Question, Refused};
pub use ask::{Ending, run};
pub use issue::Handout;
