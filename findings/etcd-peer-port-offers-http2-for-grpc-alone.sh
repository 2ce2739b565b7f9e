#!/usr/bin/env bash
# The peers' port of etcd offers HTTP/2 in its TLS handshake, and then answers its own HTTP questions only by HTTP/1.1.
#
# etcd serves /version, /members and others on that port, next to gRPC, which takes whatever is HTTP/2. A client that agrees on HTTP/2 because the server offers
# it, as curl does without further options, gets a stream that is closed without an answer. The same question by HTTP/1.1 is answered. What was expected: a port
# that offers h2 by ALPN answers by it, or does not offer it.
#
# Seen on etcd 3.7.3 (and the same on 3.4.23 of Debian 12) with curl 7.88. Needs Go and a proxy of Go modules, openssl, and a curl with HTTP/2. It takes some
# minutes, and nothing stays.
set -euo pipefail

dir=$(mktemp -d)
etcd=
# Go's module cache is read-only.
trap '[ -z "$etcd" ] || kill "$etcd" 2>/dev/null || true; wait; chmod -R u+w "$dir"; rm -rf "$dir"' EXIT
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

cd "$dir"
key=(-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes)
openssl req -x509 "${key[@]}" -keyout ca.key -out ca.pem -days 2 -subj /CN=authority 2>openssl.log
openssl req "${key[@]}" -keyout peer.key -out peer.csr -subj /CN=peer 2>>openssl.log
printf 'subjectAltName=IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' >extensions
openssl x509 -req -in peer.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile extensions -out peer.pem 2>>openssl.log

peers=https://127.0.0.1:32380
./etcd --name a --data-dir data --listen-client-urls http://127.0.0.1:32379 --advertise-client-urls http://127.0.0.1:32379 \
    --listen-peer-urls "$peers" --initial-advertise-peer-urls "$peers" --initial-cluster "a=$peers" \
    --peer-client-cert-auth --peer-trusted-ca-file ca.pem --peer-cert-file peer.pem --peer-key-file peer.key >etcd.log 2>&1 &
etcd=$!

# The protocol and the status of the answer; zeros without one. curl fails then with 18 or 52, by how far the stream had come.
ask() {
    curl -sS "$@" --max-time 5 --cacert ca.pem --cert peer.pem --key peer.key -o answer -w '%{http_version} %{http_code}' "$peers/version" 2>curl.log || true
}
for _ in $(seq 100); do
    [ "$(ask --http1.1)" != '1.1 200' ] || break
    sleep 0.1
done

expect 'version' "$(./etcd --version | head -n 1)" 'etcd Version: 3.7.3'
# Fully read: a pipe that closes early would end openssl.
offered=$(openssl s_client -connect 127.0.0.1:32380 -alpn h2,http/1.1 -CAfile ca.pem -cert peer.pem -key peer.key </dev/null 2>/dev/null | grep 'ALPN protocol' || true)
expect 'the port agrees to' "$offered" 'ALPN protocol: h2'
expect 'by HTTP/1.1 it answers' "$(ask --http1.1)" '1.1 200'
expect 'by what it offers it answers' "$(ask)" '0 000'
exit $failed
