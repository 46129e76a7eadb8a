#!/usr/bin/env python3
"""FastMCP's client against the edge: it signs in through the program that BROWSER names, calls, refreshes, and signs in again.

Prints one JSON line with what it saw and exits 0; on any failure prints {"error": …} and exits 1.
Run it with the virtual environment's interpreter (target/tools/fastmcp/bin/python).
"""

import argparse
import asyncio
import importlib.metadata
import json
import logging
import os
import pathlib
import sys
import tempfile
import time
import warnings

from revocation import revoke

HERE = pathlib.Path(__file__).resolve().parent


def surroundings(options, folder):
    """What a user's environment would hold, set before FastMCP is imported: the authority, and a browser."""
    browser = folder / "browser.sh"
    browser.write_text(f"#!/bin/sh\nexec '{sys.executable}' '{HERE / 'browser.py'}' \"$@\"\n", encoding="utf-8")
    browser.chmod(0o755)
    os.environ |= {
        # "&": the program does not wait for its browser.
        "BROWSER": f"{browser} %s &",
        "EDGE_BROWSER_CA": options.ca,
        "EDGE_BROWSER_USER": options.user,
        "EDGE_BROWSER_PASSWORD": options.password,
        "EDGE_BROWSER_LOG": str(folder / "browser.log"),
        "SSL_CERT_FILE": options.ca,
        "HOME": str(folder),
    }


def sign_ins_of(folder):
    return len((folder / "browser.log").read_text(encoding="utf-8").splitlines())


async def me_of(client):
    return json.loads((await client.call_tool("get_me", {})).content[0].text)


async def run(options, folder):
    from fastmcp import Client
    from fastmcp.client.auth import OAuth

    oauth = OAuth(options.url)
    async with Client(options.url, auth=oauth) as client:
        tools = sorted(tool.name for tool in await client.list_tools())
        me = await me_of(client)
        outcome = {
            "client": f"fastmcp {importlib.metadata.version('fastmcp')}",
            "user": me.get("username") or me.get("email"),
            "me": me,
            "tools": tools,
        }
        if options.refresh:
            before = oauth.context.current_tokens
            oauth.context.token_expiry_time = time.time() - 1
            same_user = await me_of(client) == me
            changed = oauth.context.current_tokens.access_token != before.access_token
            outcome |= {"refreshed": changed and same_user and sign_ins_of(folder) == 1}
        if options.revoke:
            known, before = oauth.context.client_info.client_id, sign_ins_of(folder)
            tokens = oauth.context.current_tokens
            await asyncio.to_thread(revoke, options.url, options.ca, known, tokens.refresh_token)
            same_user = await me_of(client) == me
            outcome |= {"signed_in_again": same_user and sign_ins_of(folder) == before + 1}
    return outcome


def innermost(error):
    """The exception a task group wraps, which is the one that says something."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--url", required=True, help="the MCP endpoint, as the client is configured with it")
    parser.add_argument("--ca", required=True, help="PEM file of the authority that signed the edge's certificate")
    parser.add_argument("--user", required=True)
    parser.add_argument("--password", required=True)
    parser.add_argument("--refresh", action="store_true", help="force a token refresh and call again")
    parser.add_argument("--revoke", action="store_true", help="end the session at the server, and call again")
    options = parser.parse_args()
    options.ca = str(pathlib.Path(options.ca).resolve())
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    with tempfile.TemporaryDirectory(prefix="fastmcp-") as name:
        folder = pathlib.Path(name)
        surroundings(options, folder)
        try:
            outcome = asyncio.run(asyncio.wait_for(run(options, folder), timeout=90))
        except Exception as error:
            log = folder / "browser.log"
            browser = log.read_text(encoding="utf-8") if log.exists() else "never started"
            cause = innermost(error)
            print(json.dumps({"error": f"{type(cause).__name__}: {cause}", "browser": browser}))
            return 1
    print(json.dumps(outcome))
    return 0 if outcome.get("refreshed", True) and outcome.get("signed_in_again", True) else 1


if __name__ == "__main__":
    sys.exit(main())
