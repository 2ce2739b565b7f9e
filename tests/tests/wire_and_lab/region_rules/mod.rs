//! The rules of the region model on which the simulator rests: each lifecycle rule and each refusal, in both directions. Warm pools, replaced root
//! volumes and target groups, which no schedule has, are met by `lab_etcd`.

mod capacity;
mod describe;
mod health;
mod hooks;
mod launch;
mod refresh;
mod standby;
mod terminate;
mod world;
