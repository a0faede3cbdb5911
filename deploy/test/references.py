"""Checks that Kubernetes manifests refer to each other rightly, which no schema knows: references.py FOLDER"""

import pathlib
import sys

import yaml

FOLDER = pathlib.Path(sys.argv[1])
kustomization = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
documents = [it for name in sorted(files) for it in yaml.safe_load_all((FOLDER / name).read_text())]
by_kind = {}
for document in documents:
    by_kind.setdefault(document["kind"], {})[document["metadata"]["name"]] = document
problems = []


def must(condition, what):
    if not condition:
        problems.append(what)


def selects(selector, labels):
    expressions = selector.get("matchExpressions", [])
    return all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items()) and all(
        labels.get(it["key"]) in it["values"] for it in expressions
    )


must(set(kustomization["resources"]) == files, "kustomization.yaml lists every file and no other")
deployments, jobs = by_kind["Deployment"], by_kind["Job"]
must(set(deployments) == {"replica", "balancer"} and set(jobs) == {"trainer"}, "two deployments and a job")
templates = {name: it["spec"]["template"] for name, it in (deployments | jobs).items()}
labels = [template["metadata"]["labels"] for template in templates.values()]
maps = {it["name"] for it in kustomization["configMapGenerator"]}

for name, template in templates.items():
    spec, (container,) = template["spec"], template["spec"]["containers"]
    security = container["securityContext"]
    must(container["image"] in {it["name"] for it in kustomization["images"]}, f"{name}: kustomize sets the image")
    must(spec["securityContext"]["runAsNonRoot"] and not spec["automountServiceAccountToken"], f"{name}: no root, no token")
    must(security["readOnlyRootFilesystem"] and not security["allowPrivilegeEscalation"], f"{name}: read-only")
    must(security["capabilities"]["drop"] == ["ALL"], f"{name}: no capabilities")
    must({"requests", "limits"} == set(container["resources"]), f"{name}: requests and limits")
    for source in container.get("envFrom", []):
        must(source.get("configMapRef", {}).get("name") in maps | {None}, f"{name}: its configuration exists")
    mounts = {it["name"] for it in container.get("volumeMounts", [])}
    must(mounts == {it["name"] for it in spec.get("volumes", [])}, f"{name}: mounts its volumes")

for name, deployment in deployments.items():
    template = deployment["spec"]["template"]
    must(selects(deployment["spec"]["selector"], template["metadata"]["labels"]), f"{name}: selects its own pods")
    (container,) = template["spec"]["containers"]
    must({"readinessProbe", "livenessProbe", "lifecycle"} <= set(container), f"{name}: probes and preStop")
    must(template["spec"]["topologySpreadConstraints"], f"{name}: is spread")
    for constraint in template["spec"]["topologySpreadConstraints"]:
        must(selects(constraint["labelSelector"], template["metadata"]["labels"]), f"{name}: spreads its own pods")
    pause = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    must(template["spec"]["terminationGracePeriodSeconds"] > pause + 20, f"{name}: time to drain after preStop")
    must(name in by_kind["Service"] and name in by_kind["PodDisruptionBudget"], f"{name}: a service and a budget")
    service = by_kind["Service"][name]["spec"]
    must(selects({"matchLabels": service["selector"]}, template["metadata"]["labels"]), f"{name}: its service finds it")
    ports = {it["name"] for it in container["ports"]}
    must(all(it["targetPort"] in ports for it in service["ports"]), f"{name}: its service names its port")
    budget = by_kind["PodDisruptionBudget"][name]["spec"]
    must(selects(budget["selector"], template["metadata"]["labels"]), f"{name}: its budget counts it")

must(by_kind["Service"]["replica"]["spec"]["clusterIP"] == "None", "the service of the replicas is headless")
upstream = templates["balancer"]["spec"]["containers"][0]["args"][2]
must(upstream.split(":")[0] in by_kind["Service"], "the balancer asks for a service that exists")
for autoscaler in by_kind["HorizontalPodAutoscaler"].values():
    target = autoscaler["spec"]["scaleTargetRef"]
    must(target["name"] in by_kind.get(target["kind"], {}), "the autoscaler's target exists")
    must("replicas" not in deployments.get(target["name"], {"spec": {}})["spec"], "an autoscaled deployment names no number")
for name, policy in by_kind["NetworkPolicy"].items():
    selectors = [policy["spec"]["podSelector"]]
    for rule in policy["spec"].get("ingress", []) + policy["spec"].get("egress", []):
        peers = rule.get("from", []) + rule.get("to", [])
        selectors += [peer["podSelector"] for peer in peers if "podSelector" in peer]
    must(all(any(selects(it, one) for one in labels) for it in selectors), f"policy {name}: selects pods that exist")

for problem in problems:
    print(f"not so in {FOLDER}: {problem}", file=sys.stderr)
print(f"kubernetes manifests: {len(documents)} objects refer to each other rightly" if not problems else "")
sys.exit(bool(problems))
