//! The number of worlds, and which they are.

use proptest::test_runner::{Config, RngSeed};

/// The seed of the worlds, the same in every run.
const SEED: u64 = 4;

/// The configuration for this number of worlds: the same in every run, unless `PROPTEST_RNG_SEED` (or `PROPTEST_CASES`) asks for others.
pub(crate) fn cases(default: u32) -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok().and_then(|v| v.parse().ok()).unwrap_or(default);
    let plain = Config::default();
    let rng_seed = if plain.rng_seed == RngSeed::Random { RngSeed::Fixed(SEED) } else { plain.rng_seed };
    Config { cases, max_shrink_iters: 20_000, failure_persistence: None, rng_seed, ..plain }
}
