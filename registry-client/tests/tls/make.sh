#!/usr/bin/env bash
# Makes the certificates that the tests use: an authority, and a server for 127.0.0.1 and localhost that it signed. The authority's
# key is thrown away; both are good for a hundred years.
set -euo pipefail
cd "$(dirname "$0")"
key=$(mktemp -d)
trap 'rm -rf "$key"' EXIT
new() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "$@"; }
new -x509 -days 36500 -subj '/CN=Martello test authority' -keyout "$key/ca.key" -out authority.pem
new -subj '/CN=localhost' -keyout server.key -out "$key/server.csr"
openssl x509 -req -in "$key/server.csr" -CA authority.pem -CAkey "$key/ca.key" -CAcreateserial -CAserial "$key/serial" -days 36500 \
    -extfile <(echo 'subjectAltName=DNS:localhost,IP:127.0.0.1') -out server.pem
