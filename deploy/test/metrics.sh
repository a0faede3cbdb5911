#!/usr/bin/env bash
# Says which metrics of the dashboard and the alerts do not exist: deploy/test/metrics.sh COMMAND...
# The command is given the name of a metric and prints how many series there are of it, for example of a Prometheus that
# scrapes a running stack.
set -euo pipefail
cd "$(dirname "$0")/../.."
missing=0
for name in $(grep -hoE '\b(martello|process)_[a-z_]+' deploy/monitoring/alerts.yml deploy/monitoring/grafana/dashboards/*.json | sort -u); do
    [ "$("$@" "$name")" -gt 0 ] || { echo "no metric $name" >&2; missing=1; }
done
exit $missing
