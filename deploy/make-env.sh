#!/bin/sh
# Writes .env.example with a new random value behind every name that has none: deploy/make-env.sh > .env
set -eu
umask 077
while IFS= read -r line; do
    case $line in
        '#'* | '') printf '%s\n' "$line" ;;
        *=) printf '%s%s\n' "$line" "$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')" ;;
        *) printf '%s\n' "$line" ;;
    esac
done <"$(dirname "$0")/../.env.example"
