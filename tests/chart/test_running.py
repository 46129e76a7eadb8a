"""The rendered proxy, started: what the chart's probes and `helm test` ask is answered."""

import os
import re
import socket
import subprocess
import time
import urllib.request

import pytest
from chart import PROGRAMS, find, render


def free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@pytest.mark.parametrize("name", ["smallest", "traefik-inline", "traefik-forward-auth"])
def test_the_proxy_answers_its_probe_and_helm_test(name, etc):
    objects = render(name)
    ports = {port: free_port() for port in ("8080", "8081", "8443", "9443")}
    text = find(objects, "ConfigMap", "proxy")["data"]["proxy.toml"].replace("/etc/mcp-edge/", f"{etc}/")
    text = re.sub(r'"0\.0\.0\.0:(\d+)"', lambda found: f'"127.0.0.1:{ports[found[1]]}"', text)
    (etc / "running.toml").write_text(text)
    container = find(objects, "Deployment", "proxy")["spec"]["template"]["spec"]["containers"][0]
    arguments = [each.replace("/etc/mcp-edge/config/proxy.toml", str(etc / "running.toml")) for each in container["args"]]
    # Without Valkey's address sessions are in memory, which is enough for these questions.
    proxy = subprocess.Popen([PROGRAMS / "mcp-edge-proxy", *arguments], stdout=subprocess.DEVNULL, env={})
    try:
        probe = container["livenessProbe"]["httpGet"]
        url = f"http://127.0.0.1:{ports[str(probe['port'])]}{probe['path']}"
        for _ in range(200):
            try:
                assert urllib.request.urlopen(url, timeout=5).status == 200
                break
            except OSError:
                time.sleep(0.05)
        else:
            pytest.fail(f"{url} did not answer")
        [curl] = find(objects, "Pod", "test")["spec"]["containers"]
        public = ports["8443" if name == "smallest" else "8080"]
        asked = [re.sub(r":edge-mcp-edge-proxy:\d+$", f":127.0.0.1:{public}", each) for each in curl["args"]]
        assert asked != curl["args"]
        done = subprocess.run([*curl["command"], *asked], capture_output=True, text=True, check=False,
                              env={"PATH": os.environ["PATH"]})
        assert done.returncode == 0, done.stderr + done.stdout
        assert '"resource":"https://mcp.example.com/mcp"' in done.stdout
    finally:
        proxy.terminate()
        assert proxy.wait(timeout=20) == 0
