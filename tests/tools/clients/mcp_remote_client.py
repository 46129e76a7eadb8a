#!/usr/bin/env python3
"""mcp-remote against the edge, driven over stdio as a desktop host drives it.

It signs in through BROWSER (browser.py), calls tools, is made to refresh by back-dating the expiry it
stored, and calls again. Prints one JSON line and exits 0; on failure {"error": …} and exits 1.
Python's standard library only. NODE and MCP_REMOTE (its dist/proxy.js) may name the programs.
"""

import argparse
import json
import os
import pathlib
import queue
import subprocess
import sys
import tempfile
import threading
import time

from revocation import revoke

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = HERE.parents[2] / "target" / "tools"
LEGACY_VERSION = "2025-11-25"


class Remote:
    """A running mcp-remote: JSON-RPC lines in and out, its stderr kept for the failure report."""

    def __init__(self, options, folder):
        self.folder = folder
        self.replies = queue.Queue()
        self.stderr = []
        self.last_id = 0
        browser = folder / "browser.sh"
        browser.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{HERE / 'browser.py'}' \"$@\"\n", encoding="utf-8")
        browser.chmod(0o755)
        environment = {
            **os.environ,
            "BROWSER": str(browser),
            "EDGE_BROWSER_CA": options.ca,
            "EDGE_BROWSER_USER": options.user,
            "EDGE_BROWSER_PASSWORD": options.password,
            "EDGE_BROWSER_LOG": str(folder / "browser.log"),
            "MCP_REMOTE_CONFIG_DIR": str(folder / "config"),
            "NODE_EXTRA_CA_CERTS": options.ca,
        }
        self.process = subprocess.Popen(
            [options.node, options.mcp_remote, options.url, "--transport", "http-only"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
        )
        threading.Thread(target=self._read_replies, daemon=True).start()
        threading.Thread(target=self._read_log, daemon=True).start()

    def _read_replies(self):
        for line in self.process.stdout:
            self.replies.put(line)
        self.replies.put(None)

    def _read_log(self):
        for line in self.process.stderr:
            self.stderr.append(line.rstrip())

    def send(self, message):
        self.process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        self.process.stdin.flush()

    def call(self, method, params=None, seconds=60):
        """One request and its result; everything else the server says meanwhile is passed over."""
        self.last_id += 1
        self.send({"id": self.last_id, "method": method, "params": params or {}})
        deadline = time.monotonic() + seconds
        while True:
            try:
                line = self.replies.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise RuntimeError(f"no answer to {method} within {seconds} s") from None
            if line is None:
                raise RuntimeError(f"mcp-remote ended before it answered {method}")
            reply = json.loads(line)
            if reply.get("id") == self.last_id:
                if "error" in reply:
                    raise RuntimeError(f"{method}: {reply['error']}")
                return reply["result"]

    def stored(self, name):
        """The file mcp-remote keeps under `name` for this server."""
        found = list(self.folder.glob(f"config/**/*_{name}"))
        if len(found) != 1:
            raise RuntimeError(f"mcp-remote stored {len(found)} files *_{name}, expected one")
        return found[0]

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def decoded(result):
    if result.get("isError"):
        raise RuntimeError(f"tool error: {result['content'][0]['text'][:500]}")
    return result.get("structuredContent") or json.loads(result["content"][0]["text"])


def refresh(remote, me):
    """Back-dates the stored expiry, so that the next request refreshes first; proves the token changed."""
    path = remote.stored("tokens.json")
    before = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**before, "expires_at": 1}), encoding="utf-8")
    again = me_of(remote)
    after = json.loads(path.read_text(encoding="utf-8"))
    sign_ins = sign_ins_of(remote.folder)
    return {
        "refreshed": after["access_token"] != before["access_token"] and sign_ins == 1,
        "rotated": after.get("refresh_token") != before.get("refresh_token"),
        "same_user": again == me,
        "sign_ins": sign_ins,
    }


def me_of(remote):
    return decoded(remote.call("tools/call", {"name": "get_me", "arguments": {}}))


def sign_ins_of(folder):
    return len((folder / "browser.log").read_text(encoding="utf-8").splitlines())


def sign_in_again(remote, options, me):
    """Has the session ended behind mcp-remote's back, calls again, and proves that it went through the browser for that."""
    tokens = json.loads(remote.stored("tokens.json").read_text(encoding="utf-8"))
    client = json.loads(remote.stored("client_info.json").read_text(encoding="utf-8"))
    before = sign_ins_of(remote.folder)
    revoke(options.url, options.ca, client["client_id"], tokens["refresh_token"])
    return {"signed_in_again": me_of(remote) == me and sign_ins_of(remote.folder) == before + 1}


def start(remote):
    capabilities = {"protocolVersion": LEGACY_VERSION, "capabilities": {}}
    started = remote.call("initialize", {**capabilities, "clientInfo": {"name": "edge-test", "version": "0"}})
    remote.send({"method": "notifications/initialized"})
    return started


def run(remote, options):
    started = start(remote)
    tools = sorted(tool["name"] for tool in remote.call("tools/list")["tools"])
    me = me_of(remote)
    client = json.loads(remote.stored("client_info.json").read_text(encoding="utf-8"))
    outcome = {
        "client": "mcp-remote",
        "protocol": started["protocolVersion"],
        "user": me.get("username") or me.get("email"),
        "me": me,
        "tools": tools,
        "registered": bool(client.get("client_id")),
    }
    if options.refresh:
        outcome |= refresh(remote, me)
    if options.revoke:
        outcome |= sign_in_again(remote, options, me)
    return outcome


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True, help="the MCP endpoint, as the client is configured with it")
    parser.add_argument("--ca", required=True, help="PEM file of the authority that signed the edge's certificate")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--refresh", action="store_true", help="force a token refresh and call again")
    parser.add_argument("--revoke", action="store_true", help="end the session at the server, and call again")
    parser.add_argument("--node", default=os.environ.get("NODE", str(TOOLS / "bin" / "node")))
    default = TOOLS / "node" / "node_modules" / "mcp-remote" / "dist" / "proxy.js"
    parser.add_argument("--mcp-remote", default=os.environ.get("MCP_REMOTE", str(default)))
    options = parser.parse_args()
    options.ca = str(pathlib.Path(options.ca).resolve())
    with tempfile.TemporaryDirectory(prefix="mcp-remote-") as name:
        remote = Remote(options, pathlib.Path(name))
        try:
            outcome = run(remote, options)
        except Exception as error:
            log = pathlib.Path(name) / "browser.log"
            browser = log.read_text(encoding="utf-8") if log.exists() else "never started"
            print(json.dumps({"error": str(error), "browser": browser, "mcp_remote": remote.stderr[-25:]}))
            return 1
        finally:
            remote.close()
    print(json.dumps(outcome))
    return 0 if outcome.get("refreshed", True) and outcome.get("signed_in_again", True) else 1


if __name__ == "__main__":
    sys.exit(main())
