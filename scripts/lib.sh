# shellcheck shell=bash
# What the scripts beside this file share. Messages go to stderr: stdout belongs to the command that is run.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck disable=SC2034 # used by the scripts that source this file
tools=$root/target/tools

say() { printf '%s\n' "$*" >&2; }

die() {
    printf 'error: %s\n' "$1" >&2
    shift
    [ $# -eq 0 ] || printf '       %s\n' "$@" >&2
    exit 1
}

have() { command -v "$1" >/dev/null 2>&1; }

# at_least HAVE WANT: whether version HAVE is WANT or later.
at_least() { [ "$(printf '%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

# etcd_version BINARY: "3.5.16", or a failure when it cannot be run.
etcd_version() { "$1" --version 2>/dev/null | sed -n 's/^etcd Version: *//p' | grep .; }

# One set-up at a time: two makes in one tree would otherwise unpack over each other.
lock_tools() {
    mkdir -p "$tools"
    if [ -n "${QUORATE_TOOLS_LOCKED:-}" ] || ! have flock; then return; fi
    export QUORATE_TOOLS_LOCKED=1
    exec 9>"$tools/.lock"
    flock 9
}
