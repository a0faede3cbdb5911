# Part of compose.sh --full: the profile monitoring, without Grafana: Prometheus finds the balancer and every replica, loads
# the rules, and has each metric that the dashboard and the alerts name.
quietly dc --profile monitoring up -d --no-recreate --scale replica=3 prometheus
prometheus=$(services prometheus)
query() { docker exec "$prometheus" promtool query instant http://localhost:9090 "$1"; }
scraped() { [ "$(query 'up == 1' | grep -c "job=\"$1\"")" = "$2" ]; }
series() { query "count($1)" | awk '{ print $3 } END { if (!NR) print 0 }'; }
await 60 "Prometheus scrapes the balancer" scraped balancer 1
await 60 "Prometheus scrapes three replicas" scraped replica 3
await 30 "Prometheus is healthy" health_is "$prometheus" healthy
export -f query series
prometheus=$prometheus deploy/test/metrics.sh series || fail "a dashboard or an alert names a metric that is not there"
[ "$(query 'count(ALERTS{alertstate="firing"}) or vector(0)' | awk '{ print $3 }')" = 0 ] || fail "an alert fires on a healthy stack: $(query ALERTS)"
say "monitoring: one balancer and three replicas scraped, every metric of dashboard and alerts is there, no alert fires"
quietly dc --profile monitoring rm -sf prometheus
