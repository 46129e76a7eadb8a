#!/usr/bin/env python3
"""The MCP Inspector's command line against the edge, at a terminal of its own, because it asks nobody to sign in without one.

It signs in through BROWSER (browser.py), lists the tools with --strict, calls one in both eras, refreshes when its token no
longer counts, and signs in again. Prints one JSON line and exits 0; on failure {"error": …} and exits 1.
Python's standard library only. NODE22 and MCP_INSPECTOR (its launcher) may name the programs.
"""

import argparse
import json
import os
import pathlib
import pty
import socket
import subprocess
import sys
import tempfile
import threading

from revocation import revoke

HERE = pathlib.Path(__file__).resolve().parent
TOOLS = HERE.parents[2] / "target" / "tools"
LAUNCHER = "conformance/node_modules/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
TIMEOUT_SECONDS = 60


class Inspector:
    """Its home and its settings; every call is a process."""

    def __init__(self, options, folder):
        self.options, self.folder = options, folder
        browser = folder / "browser.sh"
        browser.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{HERE / 'browser.py'}' \"$@\"\n", encoding="utf-8")
        browser.chmod(0o755)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.callback = f"http://127.0.0.1:{free.getsockname()[1]}/oauth/callback"
        self.environment = {
            "PATH": f"{pathlib.Path(options.node).parent}:{os.environ.get('PATH', '/usr/bin:/bin')}",
            "HOME": str(folder),
            "TERM": "dumb",
            "BROWSER": str(browser),
            "EDGE_BROWSER_CA": options.ca,
            "EDGE_BROWSER_USER": options.user,
            "EDGE_BROWSER_PASSWORD": options.password,
            "EDGE_BROWSER_LOG": str(folder / "browser.log"),
            "MCP_INSPECTOR_SECRET_STORE": "file",
            "NODE_EXTRA_CA_CERTS": options.ca,
        }

    def call(self, *arguments):
        """One run of it; gives the result it writes to a file."""
        output = self.folder / "result.json"
        output.unlink(missing_ok=True)
        command = [self.options.node, self.options.inspector, "--cli", "--server-url", self.options.url]
        command += ["--transport", "http", "--callback-url", self.callback, "--output", str(output), *arguments]
        status, screen = at_terminal(command, self.environment)
        if status != 0:
            raise RuntimeError(f"exit status {status} of {' '.join(arguments)}: {screen[-1500:]}")
        result = json.loads(output.read_text(encoding="utf-8"))
        return result.get("result", result)

    def me(self, *more):
        result = self.call("--method", "tools/call", "--tool-name", "get_me", *more)
        return json.loads(result["content"][0]["text"])

    def sign_ins(self):
        return len((self.folder / "browser.log").read_text(encoding="utf-8").splitlines())

    def stored(self):
        """Where it keeps the tokens: the file, the name in it, and the tokens."""
        path = self.folder / ".mcp-inspector" / "secrets.json"
        for name, value in json.loads(path.read_text(encoding="utf-8"))["secrets"].items():
            if ":tokens:" in name:
                return path, name, json.loads(value)
        raise RuntimeError("it stored no tokens")

    def client_id(self):
        state = json.loads((self.folder / ".mcp-inspector/storage/oauth.json").read_text(encoding="utf-8"))
        server = state["servers"][self.options.url]
        return server["byIssuer"][server["activeIssuer"]]["clientInformation"]["client_id"]


def at_terminal(command, environment):
    """Runs a program at a pseudo-terminal; gives its exit status and what was on the screen."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment)
    os.close(theirs)
    screen = []

    def read():
        try:
            while part := os.read(ours, 65536):
                screen.append(part)
        except OSError:
            pass  # the terminal of a program that has ended

    reader = threading.Thread(target=read, daemon=True)
    reader.start()
    try:
        status = process.wait(timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        status = process.wait()
    reader.join(timeout=5)
    os.close(ours)
    return status, b"".join(screen).decode("utf-8", "replace")


def refresh(inspector, me):
    """Spoils the stored access token, as time would, and proves that it was replaced without a sign-in."""
    path, name, before = inspector.stored()
    everything = json.loads(path.read_text(encoding="utf-8"))
    everything["secrets"][name] = json.dumps({**before, "access_token": before["access_token"][:-8] + "A" * 8})
    path.write_text(json.dumps(everything), encoding="utf-8")
    again = inspector.me()
    after = inspector.stored()[2]
    new = after["access_token"] != before["access_token"] and after["refresh_token"] != before["refresh_token"]
    return {"refreshed": new and again == me and inspector.sign_ins() == 1}


def sign_in_again(inspector, options, me):
    before = inspector.sign_ins()
    revoke(options.url, options.ca, inspector.client_id(), inspector.stored()[2]["refresh_token"])
    return {"signed_in_again": inspector.me() == me and inspector.sign_ins() == before + 1}


def run(inspector, options):
    tools = inspector.call("--method", "tools/list", "--strict")["tools"]
    me = inspector.me()
    outcome = {
        "client": "MCP Inspector",
        "user": me.get("username") or me.get("email"),
        "me": me,
        "tools": sorted(tool["name"] for tool in tools),
        "both_eras": inspector.me("--protocol-era", "modern", "--stored-auth-only") == me,
    }
    if options.refresh:
        outcome |= refresh(inspector, me)
    if options.revoke:
        outcome |= sign_in_again(inspector, options, me)
    return outcome


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True, help="the MCP endpoint, as the client is configured with it")
    parser.add_argument("--ca", required=True, help="PEM file of the authority that signed the edge's certificate")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--refresh", action="store_true", help="force a token refresh and call again")
    parser.add_argument("--revoke", action="store_true", help="end the session at the server, and call again")
    parser.add_argument("--node", default=os.environ.get("NODE22", str(TOOLS / "bin" / "node22")))
    parser.add_argument("--inspector", default=os.environ.get("MCP_INSPECTOR", str(TOOLS / LAUNCHER)))
    options = parser.parse_args()
    options.ca = str(pathlib.Path(options.ca).resolve())
    with tempfile.TemporaryDirectory(prefix="mcp-inspector-") as name:
        try:
            outcome = run(Inspector(options, pathlib.Path(name)), options)
        except Exception as error:
            log = pathlib.Path(name) / "browser.log"
            browser = log.read_text(encoding="utf-8") if log.exists() else "never started"
            print(json.dumps({"error": f"{type(error).__name__}: {error}", "browser": browser}))
            return 1
    print(json.dumps(outcome))
    return 0 if outcome.get("refreshed", True) and outcome.get("signed_in_again", True) else 1


if __name__ == "__main__":
    sys.exit(main())
