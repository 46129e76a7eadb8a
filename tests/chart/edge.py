"""The rendered proxy as a running program."""

import contextlib
import re
import subprocess
import time
import urllib.request

import pytest
from chart import PROGRAMS, find, free_port

LISTENERS = ("8080", "8081", "8443", "9443")


@contextlib.contextmanager
def running_proxy(objects, etc):
    """Where it listens on loopback, by the port that it has in its pod."""
    ports = {port: free_port() for port in LISTENERS}
    text = find(objects, "ConfigMap", "proxy")["data"]["proxy.toml"].replace("/etc/mcp-edge/", f"{etc}/")
    text = re.sub(r'"0\.0\.0\.0:(\d+)"', lambda found: f'"127.0.0.1:{ports[found[1]]}"', text)
    (etc / "running.toml").write_text(text)
    container = find(objects, "Deployment", "proxy")["spec"]["template"]["spec"]["containers"][0]
    arguments = [each.replace("/etc/mcp-edge/config/proxy.toml", str(etc / "running.toml")) for each in container["args"]]
    # Without Valkey's address sessions are in memory, which is enough for what is asked without one.
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
        yield ports
    finally:
        proxy.terminate()
        assert proxy.wait(timeout=20) == 0
