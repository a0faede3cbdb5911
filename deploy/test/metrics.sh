#!/usr/bin/env bash
# Says which metrics of the dashboard and the alerts a running balancer does not have: deploy/test/metrics.sh [URL]
set -euo pipefail
cd "$(dirname "$0")/../monitoring"
scrape=$(curl -fsS "${1:-http://127.0.0.1:8000}/metrics")
missing=0
for name in $(grep -hoE 'martello_[a-z_]+' alerts.yml grafana/dashboards/*.json | sort -u); do
    grep -q "^$name[ {]" <<<"$scrape" || { echo "no metric $name in the scrape" >&2; missing=1; }
done
exit $missing
