"""Rules of ours that no scanner knows, and the schema of what no validator knows.

    rules.py FILE             complains about manifests
    rules.py --prove FILE     breaks them in every known way and expects a complaint for each
    rules.py --settings FILE  prints the settings in the ConfigMap
"""

import copy
import re
import sys
from pathlib import Path

import yaml


def of(documents, kind):
    return [document for document in documents if document["kind"] == kind]


def complaints(documents):
    """Everything that must not be, as sentences."""
    if of(documents, "Deployment") or of(documents, "DaemonSet"):
        yield "the embedded store needs a StatefulSet: a Deployment runs two writers while it rolls"
    if of(documents, "HorizontalPodAutoscaler") or of(documents, "ScaledObject"):
        yield "the embedded store cannot be scaled out"
    for workload in of(documents, "StatefulSet"):
        spec = workload["spec"]
        if spec.get("replicas") != 1:
            yield f"SQLite with {spec.get('replicas')} replicas: one process at a time, always"
        for claim in spec.get("volumeClaimTemplates", []):
            if claim["spec"]["accessModes"] != ["ReadWriteOncePod"]:
                yield f"SQLite on {claim['spec']['accessModes']}: only ReadWriteOncePod keeps a second pod out"
        yield from pod(spec["template"]["spec"])
    yield from network(documents)
    yield from routes(documents)
    for secret in of(documents, "Secret"):
        if secret["metadata"]["name"] != "memgate-operator":
            yield "a Secret that nobody asked for"
    if not of(documents, "PodDisruptionBudget"):
        yield "no PodDisruptionBudget"
    if not all(d["kind"] == "Namespace" or d["metadata"].get("namespace") for d in documents):
        yield "an object without a namespace"


def pod(spec):
    if spec.get("automountServiceAccountToken") is not False:
        yield "a service account token is mounted"
    if any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        yield "a host namespace is shared"
    if any("hostPath" in volume for volume in spec.get("volumes", [])):
        yield "a path of the host is mounted"
    for container in spec["containers"]:
        if not re.search(r"@sha256:[0-9a-f]{64}$", container["image"]):
            yield f"the image {container['image']} is not pinned by digest"
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            check = container.get(probe, {}).get("httpGet")
            if not check:
                yield f"no {probe}"
            elif "host" in check:
                yield f"{probe} names a host: a node would probe whatever is there"
        live = container.get("livenessProbe", {}).get("httpGet", {}).get("path")
        if live == "/readyz":
            yield "a broken store would restart the pod in a loop"
        security = container.get("securityContext", {})
        if not security.get("readOnlyRootFilesystem") or security.get("allowPrivilegeEscalation") is not False:
            yield "the container may change itself"
        if security.get("capabilities", {}).get("drop") != ["ALL"]:
            yield "capabilities are kept"
        for variable in container.get("env", []):
            if "secretKeyRef" in variable.get("valueFrom", {}):
                yield f"{variable['name']}: a secret in the environment shows in every crash dump"
        memory = [container["resources"][side]["memory"] for side in ("requests", "limits")]
        if memory[0] != memory[1]:
            yield "memory requested is not memory allowed: the first to be killed"
    drain = spec.get("terminationGracePeriodSeconds", 30)
    if drain < 30:
        yield f"{drain} s is shorter than a drain"


def network(documents):
    policies = of(documents, "NetworkPolicy")
    denies = [p for p in policies if p["spec"]["podSelector"] == {} and not p["spec"].get("ingress")
              and not p["spec"].get("egress") and set(p["spec"]["policyTypes"]) == {"Ingress", "Egress"}]
    if not denies:
        yield "no NetworkPolicy denies by default"
    for policy in policies:
        for rule in policy["spec"].get("ingress", []):
            if not rule.get("from") or not rule.get("ports"):
                yield "a NetworkPolicy lets anybody in"
        for rule in policy["spec"].get("egress", []):
            if not rule.get("to"):
                yield "a NetworkPolicy lets anything out"
    for service in of(documents, "Service"):
        if service["spec"].get("type", "ClusterIP") != "ClusterIP":
            yield "the Service goes round the Gateway"


def routes(documents):
    """HTTPRoute, as far as we use it: its own schema is not in the validator."""
    services = {service["metadata"]["name"]: service for service in of(documents, "Service")}
    known = {"parentRefs", "hostnames", "rules"}
    for route in of(documents, "HTTPRoute"):
        spec = route["spec"]
        if route["apiVersion"] != "gateway.networking.k8s.io/v1" or set(spec) - known:
            yield f"HTTPRoute: {route['apiVersion']} does not know {set(spec) - known}"
        if not spec.get("hostnames") or "*" in "".join(spec["hostnames"]):
            yield "HTTPRoute: no exact host name"
        for rule in spec["rules"]:
            if set(rule) - {"matches", "backendRefs", "timeouts", "filters", "name"}:
                yield f"HTTPRoute: no such field in {set(rule)}"
            for match in rule.get("matches", [{"path": {"type": "PathPrefix", "value": "/"}}]):
                if match["path"]["type"] != "Exact" or match["path"]["value"].startswith("/admin"):
                    yield f"HTTPRoute: {match['path']} opens more than it should"
            for backend in rule["backendRefs"]:
                service = services.get(backend["name"])
                if not service or backend["port"] not in [p["port"] for p in service["spec"]["ports"]]:
                    yield f"HTTPRoute: no Service {backend}"


def breakages(documents):
    """Each known mistake, made in a copy."""

    def broken(kind, change):
        made = copy.deepcopy(documents)
        change(of(made, kind)[0]["spec"])
        return made

    def container(change):
        return lambda spec: change(spec["template"]["spec"]["containers"][0])

    claims = lambda spec: spec["volumeClaimTemplates"][0]["spec"]  # noqa: E731
    yield "two replicas", broken("StatefulSet", lambda s: s.update(replicas=2))
    yield "RWX", broken("StatefulSet", lambda s: claims(s).update(accessModes=["ReadWriteMany"]))
    yield "RWO", broken("StatefulSet", lambda s: claims(s).update(accessModes=["ReadWriteOnce"]))
    yield "a tag", broken("StatefulSet", container(lambda c: c.update(image="memgate:latest")))
    yield "no probe", broken("StatefulSet", container(lambda c: c.pop("startupProbe")))
    yield "writable root", broken("StatefulSet", container(lambda c: c["securityContext"].update(readOnlyRootFilesystem=False)))
    yield "a token", broken("StatefulSet", lambda s: s["template"]["spec"].pop("automountServiceAccountToken"))
    yield "open ingress", broken("NetworkPolicy", lambda s: s.update(ingress=[{}]))
    yield "a load balancer", broken("Service", lambda s: s.update(type="LoadBalancer"))
    yield "admin routed", broken("HTTPRoute", lambda s: s["rules"][0]["matches"][0]["path"].update(value="/admin"))
    yield "any host", broken("HTTPRoute", lambda s: s.update(hostnames=["*"]))
    yield "a wrong port", broken("HTTPRoute", lambda s: s["rules"][0]["backendRefs"][0].update(port=81))
    yield "no policy", [d for d in documents if d["kind"] != "NetworkPolicy"]
    scaled = {"kind": "HorizontalPodAutoscaler", "metadata": {"name": "x", "namespace": "memgate"}, "spec": {}}
    yield "an autoscaler", [*documents, scaled]


def main(arguments):
    mode = arguments.pop(0) if arguments[0].startswith("--") else ""
    documents = [document for document in yaml.safe_load_all(Path(arguments[0]).read_text()) if document]
    if mode == "--settings":
        print(of(documents, "ConfigMap")[0]["data"]["memgate.toml"])
        return 0
    if mode == "--prove":
        silent = [name for name, made in breakages(documents) if not list(complaints(made))]
        print(f"rules: {'no complaint about ' + ', '.join(silent) if silent else 'every known mistake is found'}")
        return 1 if silent else 0
    found = list(complaints(documents))
    print("\n".join(found) or f"{arguments[0].rsplit('/', 1)[1]}: our rules hold")
    return 1 if found else 0


sys.exit(main(sys.argv[1:]))
