#!/usr/bin/env bash
# serde-saphyr 2.1.1 does not read the plain scalar 0644 as an integer, but reads it as the number 644 where a float is asked for.
#
# YAML 1.2.2's core schema (section 10.3.2) has `[-+]? [0-9]+` for an integer in base 10, so 0644 and 08 are 644 and 8; in YAML 1.1 0644 is 420. The
# crate reads YAML 1.2 and refuses both as i64 and u32, with "invalid i64", while the same text is Ok(644.0) as f64. 0o644 is the other way round: Ok(420) as
# i64, and no float. What was expected: 644, as of a reader of 1.2, or 420, as of one of 1.1 (PyYAML); and the same value for every number type. It was met
# with the `permissions: 0644` of a cloud-init file, which cloud-init itself, in Python, reads as 420.
#
# Needs cargo and its registry. It takes a minute, and nothing stays.
set -euo pipefail

dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
export CARGO_TARGET_DIR=$dir/target
mkdir -p "$dir/src"
cat >"$dir/Cargo.toml" <<'EOF'
[package]
name = "leading-zero"
version = "0.0.0"
edition = "2021"

[dependencies]
serde-saphyr = "=2.1.1"

[workspace]
EOF
cat >"$dir/src/main.rs" <<'EOF'
use std::fmt::Debug;

fn told<T: Debug, E: ToString>(read: Result<T, E>) -> String {
    match read {
        Ok(value) => format!("{value:?}"),
        Err(error) => format!("refused ({})", error.to_string().lines().next().unwrap_or_default()),
    }
}

fn main() {
    for text in ["644", "0644", "08", "0o644"] {
        let (int, float) = (serde_saphyr::from_str::<i64>(text), serde_saphyr::from_str::<f64>(text));
        println!("{text}: as i64 {}, as f64 {}", told(int), told(float));
    }
}
EOF
cd "$dir"
cargo run --quiet >seen

cat >before <<'EOF'
644: as i64 644, as f64 644.0
0644: as i64 refused (error: line 1 column 1: invalid i64), as f64 644.0
08: as i64 refused (error: line 1 column 1: invalid i64), as f64 8.0
0o644: as i64 420, as f64 refused (error: line 1 column 1: invalid floating point)
EOF
cat seen
diff before seen || { echo 'CHANGED' >&2; exit 1; }
echo 'as before'
