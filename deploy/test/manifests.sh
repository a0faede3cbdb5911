#!/usr/bin/env bash
# Checks every file of deploy/ that a program reads, without starting anything: deploy/test/manifests.sh
# Needs docker-compose, `pip install kubernetes-validate` (it carries the schemas), and promtool (package prometheus).
set -euo pipefail
cd "$(dirname "$0")/../.."
kubernetes_version=${KUBERNETES_VERSION:-1.34}
compose=${COMPOSE:-docker-compose}
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

echo "compose files"
deploy/make-env.sh >"$scratch/env"
$compose -f compose.embedded.yaml config -q
for override in deploy/compose.minio.yaml deploy/test/compose.stand-ins.yaml; do
    $compose --env-file "$scratch/env" -f compose.yaml -f "$override" config -q
done
if $compose --env-file .env.example -f compose.yaml config -q 2>"$scratch/refusal"; then
    echo "error: compose.yaml takes an .env without passwords" >&2
    exit 1
fi
grep -q 'deploy/make-env.sh' "$scratch/refusal"

echo "kubernetes manifests, schemas of $kubernetes_version"
cd deploy/kubernetes
for file in *.yaml; do
    grep -q '^kind: Kustomization' "$file" || kubernetes-validate --strict --quiet -k "$kubernetes_version" "$file"
    # Every file is part of the whole.
    [ "$file" = kustomization.yaml ] || grep -q -- "- $file" kustomization.yaml
done

echo "alerts and dashboards"
if command -v kubectl >/dev/null; then
    kubectl kustomize . >"$scratch/rendered.yaml"
    kubernetes-validate --strict --quiet -k "$kubernetes_version" "$scratch/rendered.yaml"
fi
cd ../monitoring
promtool check rules alerts.yml >/dev/null
python3 - "$scratch/rules.yml" <<'PYTHON'
import glob, json, sys
queries = [t["expr"] for f in glob.glob("grafana/dashboards/*.json") for p in json.load(open(f))["panels"] for t in p["targets"]]
rules = [{"record": f"query_{n}", "expr": query} for n, query in enumerate(queries)]
json.dump({"groups": [{"name": "dashboard", "rules": rules}]}, open(sys.argv[1], "w"))
PYTHON
promtool check rules "$scratch/rules.yml" >/dev/null
echo "everything is well formed"
