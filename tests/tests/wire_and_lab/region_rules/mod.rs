//! The rules of the region model on which the simulator rests: each lifecycle rule and each refusal, in both directions. What no schedule has (warm pools,
//! replaced root volumes, target groups, reboots, suspended processes, hooks that change) is met by the tests of the agent.

mod capacity;
mod describe;
mod health;
mod hooks;
mod launch;
mod refresh;
mod standby;
mod terminate;
mod world;
