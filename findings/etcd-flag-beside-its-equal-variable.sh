#!/usr/bin/env bash
# etcd 3.7.3 does not start where a flag and its environment variable are both set, even to the same value; and `--version`, which does parse the flags, says
# nothing of it.
#
# A unit with EnvironmentFile= and a wrapper that adds `--name` from the same source look harmless: both say the same. etcd exits at once with status 1. A
# preflight with `etcd FLAGS --version`, which finds an unknown flag without starting anything, passes: the environment is read only after the version is
# printed. What was expected: equal values are no conflict, or the preflight finds it too.
#
# Seen on etcd 3.7.3 (and the same on 3.4.23 of Debian 12). Needs Go, and a proxy of Go modules. It takes some minutes, and nothing stays.
set -euo pipefail

dir=$(mktemp -d)
# Go's module cache is read-only.
trap 'chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
export GOPATH=$dir/go GOCACHE=$dir/cache GOFLAGS=-mod=mod GOTOOLCHAIN=${GOTOOLCHAIN:-auto} CGO_ENABLED=0

mkdir "$dir/build"
cd "$dir/build"
go mod init build 2>/dev/null
go get go.etcd.io/etcd/server/v3@v3.7.3 2>"$dir/get.log" || { cat "$dir/get.log" >&2; exit 2; }
go build -o "$dir/etcd" go.etcd.io/etcd/server/v3 2>"$dir/build.log" || { cat "$dir/build.log" >&2; exit 2; }

unset "${!ETCD_@}"
failed=0
expect() {
    if [ "$2" = "$3" ]; then printf 'as before  %s: %s\n' "$1" "$2"; else
        printf 'CHANGED    %s: %s, and it was %s\n' "$1" "$2" "$3"
        failed=1
    fi
}

# Port 0: it could listen nowhere for long, and it never comes to that.
flags=(--name a --data-dir "$dir/data" --listen-client-urls http://127.0.0.1:0 --advertise-client-urls http://127.0.0.1:0
    --listen-peer-urls http://127.0.0.1:0 --initial-advertise-peer-urls http://127.0.0.1:0 --initial-cluster a=http://127.0.0.1:0)

expect 'version' "$("$dir/etcd" --version | head -n 1)" 'etcd Version: 3.7.3'

rc=0
ETCD_NAME=a "$dir/etcd" "${flags[@]}" --version >/dev/null 2>&1 || rc=$?
expect 'the preflight, with the variable beside the flag, exits with' "$rc" 0

rc=0
ETCD_NAME=a timeout 20 "$dir/etcd" "${flags[@]}" >"$dir/out" 2>&1 || rc=$?
expect 'the start, with the variable beside the flag, exits with' "$rc" 1
expect 'it says' "$(grep -o 'conflicting environment variable is shadowed by corresponding command-line flag' "$dir/out" | head -n 1)" \
    'conflicting environment variable is shadowed by corresponding command-line flag'
expect 'of' "$(grep -o '"environment-variable":"[A-Z_]*"' "$dir/out" | head -n 1)" '"environment-variable":"ETCD_NAME"'
expect 'its data directory was made' "$([ -e "$dir/data" ] && echo yes || echo no)" no
exit $failed
