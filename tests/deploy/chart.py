"""The Helm chart: linted, rendered, held against Kubernetes' schemas, and its container run with what is rendered."""

import json
import re
import subprocess
import tempfile
from pathlib import Path

import kubernetes_validate
import yaml
from environment import VENV
from helm_python import Chart
from helm_python import chart as helm
from helm_python.errors import HelmError
from report import expect
from server import DEPLOY, ROOT, call, clean, free_port, get, key, keys_file, running, sandbox, signing_keys

CHART = DEPLOY / "helm/databricks-mcp-server"
# The oldest version of the chart's `kubeVersion`, and the newest that there are schemas of.
VERSIONS = ("1.30", kubernetes_validate.latest_version())
BEARER = {
    "server": {
        "publicUrl": "https://mcp.acme.test/mcp",
        "keys": {"existingSecret": "keys"},
        "signingKeys": {"existingSecret": "signing"},
    },
    "databricks": {"host": "https://acme.cloud.databricks.com"},
}
CASES = {
    "bearer": BEARER,
    "one replica": {**BEARER, "replicaCount": 1},
    "oauth and exchange, with everything": {
        "server": {
            "publicUrl": "https://mcp.acme.test/mcp",
            "auth": "oauth",
            "signingKeys": {"existingSecret": "signing"},
            "callAs": "exchange",
            "oauth": {"issuer": "https://login.acme.test", "jwks": "https://login.acme.test/jwks", "audience": "mcp"},
            "toolsets": ["default", "identity"],
            "readOnly": True,
            "policy": "default: deny\nrules: []\n",
            "allowedHosts": ["mcp.internal.test:8000"],
            "allowedOrigins": ["https://app.acme.test"],
            "extraEnv": [{"name": "HTTPS_PROXY", "value": "http://proxy.acme.test:3128"}],
            "extraArgs": ["--no-user-functions"],
        },
        "databricks": {
            "host": "https://acme.cloud.databricks.com",
            "warehouseId": "a1b2c3d4e5f60718",
            "credentials": "workloadIdentity",
            "workloadIdentity": {"clientId": "00000000-0000-0000-0000-000000000001"},
        },
        "tls": {"existingSecret": "tls"},
        "ingress": {"enabled": True, "className": "nginx", "tlsSecretName": "public", "annotations": {"a.test/b": "c"}},
        "autoscaling": {"enabled": True, "metric": "calls"},
        "image": {"digest": f"sha256:{'0' * 64}"},
        "imagePullSecrets": [{"name": "registry"}],
        "podAnnotations": {"a.test/b": "c"},
        "podLabels": {"team": "data"},
        "nodeSelector": {"kubernetes.io/arch": "amd64"},
        "tolerations": [{"key": "a", "operator": "Exists"}],
        "priorityClassName": "high",
        "service": {"type": "LoadBalancer", "annotations": {"a.test/b": "c"}},
        "serviceAccount": {"annotations": {"a.test/b": "c"}},
    },
    "processor and entries": {
        "server": {
            "publicUrl": "https://mcp.acme.test/mcp",
            "signingKeys": {"existingSecret": "signing"},
            "keys": {"entries": [{"name": "alice", "sha256": "0" * 64, "read_only": True, "toolsets": ["sql"]}]},
        },
        "databricks": {"host": "https://acme.cloud.databricks.com"},
        "autoscaling": {"enabled": True},
    },
    "nothing optional": {
        **BEARER,
        "metrics": {"enabled": False},
        "networkPolicy": {"enabled": False},
        "podDisruptionBudget": {"enabled": False},
        "serviceAccount": {"create": False},
    },
}
# Values that contradict themselves, and a word of what is said about it.
REFUSED = {
    "publicUrl": {**BEARER, "server": {**BEARER["server"], "publicUrl": ""}},
    "signingKeys.existingSecret": {**BEARER, "server": {**BEARER["server"], "signingKeys": {"existingSecret": ""}}},
    "keys.existingSecret": {"server": {"publicUrl": "https://mcp.acme.test/mcp"}},
    "oauth.issuer": {"server": {**BEARER["server"], "auth": "oauth"}},
    "server.auth=oauth": {"server": {**BEARER["server"], "callAs": "exchange"}},
    "replicaCount=1": {**BEARER, "sandbox": True},
    "clientId": {**BEARER, "databricks": {"host": "https://acme.cloud.databricks.com", "credentials": "workloadIdentity"}},
    "callAs=header": {**BEARER, "databricks": {"host": "https://acme.cloud.databricks.com", "credentials": "none"}},
    "replicas": {**BEARER, "replicas": 3},
    "auth": {"server": {**BEARER["server"], "auth": "none"}},
}
OBJECTS = {
    "bearer": {"Deployment", "NetworkPolicy", "PodDisruptionBudget", "Service", "ServiceAccount"},
    "one replica": {"Deployment", "NetworkPolicy", "Service", "ServiceAccount"},
    "nothing optional": {"Deployment", "Service"},
}


def run(report, binary):
    with report.check("the chart has no finding of `helm lint --strict`"):
        found = helm.lint(CHART, BEARER, strict=True, kube_version=f"v{VERSIONS[0]}.0")
        worse = [message for message in found["messages"] if message["severity"] > 1]
        expect(not worse and not found["errors"], str(found))
    for name, values in CASES.items():
        with report.check(f"the chart renders what Kubernetes takes: {name}"):
            objects = render(values)
            kinds = {resource["kind"] for resource in objects}
            expect(kinds == OBJECTS.get(name, kinds), str(kinds))
            for resource in objects:
                for version in VERSIONS:
                    kubernetes_validate.validate(resource, version, strict=True)
                hardened(resource)
    for word, values in REFUSED.items():
        with report.check(f"the chart refuses what contradicts itself: {word}"):
            try:
                render(values)
            except HelmError as error:
                expect(word in str(error), str(error))
            else:
                expect(False, "it was rendered")
    with report.check("YAML is as yamllint wants it"):
        lint_yaml()
    with report.check("sessions are off where replicas share the requests"):
        for values, expected in [
            ({}, True),
            ({"replicaCount": 1}, False),
            ({"replicaCount": 1, "autoscaling": {"enabled": True}}, True),
            ({"server": {**BEARER["server"], "sessions": True}}, False),
            ({"replicaCount": 1, "server": {**BEARER["server"], "sessions": False}}, True),
        ]:
            arguments = container(render({**BEARER, **values}))["args"]
            expect(("--no-sessions" in arguments) == expected, f"{values}: {arguments}")
    for metrics in (True, False):
        where = "on the port of the metrics" if metrics else "on the port for clients"
        with report.check(f"the container runs as it is rendered, and answers its probes {where}"):
            run_container(binary, metrics)


def render(values):
    """The objects that an installation would make."""
    with Chart.load(CHART) as loaded:
        loaded.validate_schema(values)
        rendered = loaded.render(values, name="team", namespace="mcp", is_install=True)
    texts = {name: text for name, text in rendered.items() if not name.endswith(".txt")}
    return [resource for text in texts.values() for resource in yaml.safe_load_all(text) if resource]


def container(objects):
    deployment = next(resource for resource in objects if resource["kind"] == "Deployment")
    return deployment["spec"]["template"]["spec"]["containers"][0]


def hardened(resource):
    """What the restricted profile of Kubernetes' Pod Security Standards wants, and a read-only root."""
    if resource["kind"] != "Deployment":
        return
    pod = resource["spec"]["template"]["spec"]
    context, inner = pod["securityContext"], container([resource])["securityContext"]
    expect(context["runAsNonRoot"] and context["runAsUser"] > 0, str(context))
    expect(context["seccompProfile"]["type"] == "RuntimeDefault", str(context))
    expect(inner["capabilities"] == {"drop": ["ALL"]} and inner["allowPrivilegeEscalation"] is False, str(inner))
    expect(inner["readOnlyRootFilesystem"] is True and pod["automountServiceAccountToken"] is False, str(inner))
    drain = next(int(env["value"]) for env in container([resource])["env"] if env["name"].endswith("DRAIN_SECONDS"))
    sleep = container([resource])["lifecycle"]["preStop"]["sleep"]["seconds"]
    # Undoing takes ten seconds at most.
    expect(pod["terminationGracePeriodSeconds"] >= sleep + drain + 10, "the pod is killed before it has drained")


def lint_yaml():
    files = [*CHART.glob("*.yaml"), *(DEPLOY / "databricks-app").glob("*.y*ml")]
    configuration = Path(__file__).with_name("yamllint.yaml")
    with tempfile.TemporaryDirectory() as directory:
        for number, values in enumerate(CASES.values()):
            with Chart.load(CHART) as loaded:
                for name, text in loaded.render(values, name="team").items():
                    if text.strip() and not name.endswith(".txt"):
                        file = Path(directory) / f"{number}-{Path(name).name}"
                        file.write_text(text.strip() + "\n")
                        files.append(file)
        command = [VENV / "bin/yamllint", "--strict", "-c", configuration, *files]
        done = subprocess.run(command, capture_output=True, text=True)
    expect(done.returncode == 0, done.stdout)


def run_container(binary, has_metrics):
    """The server with the arguments and variables of the pod; of its files, those that this machine can stand in for."""
    with sandbox(binary) as workspace, tempfile.TemporaryDirectory() as directory:
        secret, entry = key(binary, "alice")
        credentials = Path(directory) / "databrickscfg"
        host, token = workspace["DATABRICKS_HOST"], workspace["DATABRICKS_TOKEN"]
        credentials.write_text(f"[DEFAULT]\nhost = {host}\ntoken = {token}\n")
        server = {**BEARER["server"], "allowedHosts": ["localhost"], "readOnly": True, "toolsets": ["default"]}
        spec = container(render({**BEARER, "server": server, "databricks": {"host": host}, "metrics": {"enabled": has_metrics}}))
        port, metrics = free_port(), free_port()
        variables = {env["name"]: env["value"] for env in spec["env"]}
        expect(variables["DATABRICKS_MCP_LISTEN"].endswith(":8000"), variables["DATABRICKS_MCP_LISTEN"])
        variables |= {
            "DATABRICKS_MCP_LISTEN": f"0.0.0.0:{port}",
            "DATABRICKS_MCP_KEYS": keys_file(directory, entry),
            "DATABRICKS_MCP_SIGNING_KEYS": signing_keys(directory),
            "DATABRICKS_CONFIG_FILE": credentials,
        }
        if has_metrics:
            variables["DATABRICKS_MCP_METRICS_LISTEN"] = f"127.0.0.1:{metrics}"
        ports = {"http": port, "metrics": metrics}
        with running([binary, *spec["args"]], port, clean(**variables)):
            for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
                asked = spec[probe]["httpGet"]
                # As the kubelet asks: by the address of the pod, unless told otherwise.
                headers = {"Host": "10.0.0.4"} | {given["name"]: given["value"] for given in asked.get("httpHeaders", [])}
                status, body = get(ports[asked["port"]], asked["path"], headers)
                expect(status == 200, f"{probe}: {status} {body}")
            answer = call(port, {"Host": "mcp.acme.test", "Authorization": f"Bearer {secret}"})
            expect(answer["returned"] == 1, json.dumps(answer))
            if has_metrics:
                _, text = get(metrics, "/metrics", {"Host": "10.0.0.4"})
                scaled = yaml.safe_load((CHART / "values.yaml").read_text())["autoscaling"]["callsMetric"]
                expect(f"\n{scaled} " in text, f"there is no metric `{scaled}`, by which the chart scales")
                page = (ROOT / "docs/http.md").read_text()
                for family in re.findall(r"^# TYPE (\S+)", text, re.MULTILINE):
                    expect(f"| `{family}`" in page or f"| `{family}_total`" in page, f"docs/http.md lacks `{family}`")
