"""The rendered proxy, started: what the chart's probes and `helm test` ask is answered."""

import os
import re
import subprocess

import pytest
from chart import find, render
from edge import running_proxy


@pytest.mark.parametrize("name", ["smallest", "traefik-inline", "traefik-forward-auth"])
def test_the_proxy_answers_its_probe_and_helm_test(name, etc):
    objects = render(name)
    with running_proxy(objects, etc) as ports:
        [curl] = find(objects, "Pod", "test")["spec"]["containers"]
        public = ports["8443" if name == "smallest" else "8080"]
        asked = [re.sub(r":edge-mcp-edge-proxy:\d+$", f":127.0.0.1:{public}", each) for each in curl["args"]]
        assert asked != curl["args"]
        done = subprocess.run([*curl["command"], *asked], capture_output=True, text=True, check=False,
                              env={"PATH": os.environ["PATH"]})
        assert done.returncode == 0, done.stderr + done.stdout
        assert '"resource":"https://mcp.example.com/mcp"' in done.stdout
