#!/usr/bin/env bash
# Checks every file of deploy/ that a program reads, without starting anything: deploy/test/manifests.sh
# Compose files by both Compose programs, Kubernetes manifests by their schemas and by what they refer to, rules and
# queries by Prometheus' own tool.
set -euo pipefail
cd "$(dirname "$0")/../.."
. deploy/test/tools.sh
kubernetes_versions=${KUBERNETES_VERSIONS:-1.30 1.34}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

deploy/make-env.sh >"$scratch/env"
for compose in docker-compose compose2; do
    command -v "$compose" >/dev/null || continue
    $compose -f compose.embedded.yaml config -q
    $compose --env-file "$scratch/env" -f compose.yaml config -q
    for override in deploy/compose.minio.yaml deploy/test/compose.stand-ins.yaml; do
        $compose --env-file "$scratch/env" -f compose.yaml -f "$override" config -q
    done
    if $compose --env-file .env.example -f compose.yaml config -q 2>"$scratch/refusal"; then
        echo "error: compose.yaml takes an .env without passwords" >&2
        exit 1
    fi
    grep -q 'deploy/make-env.sh' "$scratch/refusal"
    echo "compose files: well formed for $($compose version | head -n 1)"
done
if grep -nE '^ *(container_name|version):' compose.yaml compose.embedded.yaml deploy/compose.minio.yaml; then
    echo "error: neither belongs into a compose file here" >&2
    exit 1
fi

for version in $kubernetes_versions; do
    for file in deploy/kubernetes/*.yaml; do
        grep -q '^kind: Kustomization' "$file" || kubernetes-validate --strict --quiet -k "$version" "$file"
    done
    echo "kubernetes manifests: fit the schemas of $version"
done
"$tools/venv/bin/python" deploy/test/references.py deploy/kubernetes
if command -v kubectl >/dev/null; then
    kubectl kustomize deploy/kubernetes >"$scratch/rendered.yaml"
    kubernetes-validate --strict --quiet -k "${kubernetes_versions##* }" "$scratch/rendered.yaml"
    echo "kustomize renders them"
fi

cd deploy/monitoring
promtool check rules alerts.yml >/dev/null
mkdir "$scratch/prometheus"
sed "s,/etc/prometheus/,$PWD/," prometheus.yml >"$scratch/prometheus/prometheus.yml"
promtool check config "$scratch/prometheus/prometheus.yml" >/dev/null
promtool test rules alerts.test.yml >/dev/null
# Each query of the dashboard as a rule of its own, since only rules can be checked.
python3 - "$scratch/rules.yml" <<'PYTHON'
import glob, json, sys
queries = [t["expr"] for f in glob.glob("grafana/dashboards/*.json") for p in json.load(open(f))["panels"] for t in p["targets"]]
rules = [{"record": f"query_{n}", "expr": query} for n, query in enumerate(queries)]
json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, open(sys.argv[1], "w"))
PYTHON
promtool check rules "$scratch/rules.yml" >/dev/null
echo "alerts, queries of the dashboard and scrape configuration: well formed; each alert fires when it should"
