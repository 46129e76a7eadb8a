#!/usr/bin/env python3
"""The official Python MCP SDK against the edge: discovery, registration, consent, sign-in, tools, refresh,
and, after its session was ended at the server, sign-in again.

Prints one JSON line with what it saw and exits 0; on any failure prints {"error": …} and exits 1.
Run it with the virtual environment's interpreter (target/tools/python/bin/python).
"""

import argparse
import asyncio
import importlib.metadata
import json
import logging
import ssl
import sys
import time
from urllib.parse import parse_qs, urlsplit

import httpx2
from mcp import Client
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.auth import AuthorizationCodeResult, OAuthClientMetadata
from pydantic import AnyUrl

from browser import Browser
from revocation import revoke

ERAS = {"auto": "auto", "modern": "2026-07-28", "legacy": "legacy"}


class MemoryStorage:
    """What the SDK would keep on disk: the tokens and the registered client."""

    def __init__(self):
        self.tokens = None
        self.client = None

    async def get_tokens(self):
        return self.tokens

    async def set_tokens(self, tokens):
        self.tokens = tokens

    async def get_client_info(self):
        return self.client

    async def set_client_info(self, client):
        self.client = client


class Exchange:
    """Every request the SDK made, without its secrets; the last bearer is kept for the refresh proof."""

    def __init__(self):
        self.lines = []
        self.bearer = None

    async def on_response(self, response):
        request = response.request
        self.lines.append(f"{request.method} {request.url.path} {response.status_code}")
        kind, _, value = request.headers.get("authorization", "").partition(" ")
        if kind == "Bearer":
            self.bearer = value


def decoded(result):
    """A tool's answer as JSON: structured content, or the text block."""
    if result.is_error:
        raise RuntimeError(f"tool error: {result.content[0].text[:500]}")
    if result.structured_content is not None:
        return result.structured_content
    return json.loads(result.content[0].text)


def listed(answer):
    """The rows of a list answer, whatever its list is called."""
    if isinstance(answer, list):
        return answer
    return next((value for value in answer.values() if isinstance(value, list)), [])


def provider(options, storage, browser, sign_ins):
    pending = {}

    async def redirect(url):
        sign_ins.append(url)
        # The browser blocks; the SDK's event loop must not.
        pending["callback"] = await asyncio.to_thread(browser.sign_in, url, options.user, options.password)

    async def callback():
        query = parse_qs(urlsplit(pending["callback"]).query)
        if "error" in query:
            raise RuntimeError(f"authorization refused: {query['error'][0]}")
        return AuthorizationCodeResult(code=query["code"][0], state=query["state"][0], iss=query.get("iss", [None])[0])

    metadata = OAuthClientMetadata(
        client_name="MCP Edge test client (Python)", redirect_uris=[AnyUrl(options.redirect_uri)]
    )
    return OAuthClientProvider(
        options.url, metadata, storage, redirect, callback, client_metadata_url=options.client_metadata_url
    )


async def refresh(client, oauth, storage, exchange, me):
    """Makes the access token look expired, calls again, and proves the new one was used."""
    before = storage.tokens
    oauth.context.token_expiry_time = time.time() - 1
    again = decoded(await client.call_tool("get_me", {}))
    after = storage.tokens
    return {
        "refreshed": after.access_token != before.access_token and exchange.bearer == after.access_token,
        "rotated": after.refresh_token != before.refresh_token,
        "same_user": again == me,
    }


async def sign_in_again(client, options, storage, sign_ins, me):
    """Has the session ended behind the SDK's back, calls again, and proves that it went through the browser for that."""
    before, known = len(sign_ins), storage.client.client_id
    await asyncio.to_thread(revoke, options.url, options.ca, known, storage.tokens.refresh_token)
    again = decoded(await client.call_tool("get_me", {}))
    return {
        "signed_in_again": len(sign_ins) == before + 1 and again == me,
        "registered_again": storage.client.client_id != known,
    }


async def run(options):
    storage, exchange, browser, sign_ins = MemoryStorage(), Exchange(), Browser(options.ca), []
    oauth = provider(options, storage, browser, sign_ins)
    http = httpx2.AsyncClient(
        auth=oauth,
        verify=ssl.create_default_context(cafile=options.ca),
        trust_env=False,
        timeout=30,
        event_hooks={"response": [exchange.on_response]},
    )
    async with http, Client(streamable_http_client(options.url, http_client=http), mode=ERAS[options.era]) as client:
        tools = sorted(tool.name for tool in (await client.list_tools()).tools)
        me = decoded(await client.call_tool("get_me", {}))
        arguments = {"workspace_slug": options.workspace} if options.workspace else {}
        projects = listed(decoded(await client.call_tool("list_projects", arguments)))
        outcome = {
            "client": f"python mcp {importlib.metadata.version('mcp')}",
            "protocol": client.protocol_version,
            "user": me.get("username") or me.get("email"),
            "me": me,
            "tools": tools,
            "projects": [project.get("identifier") or project.get("name") for project in projects],
            "scope": storage.tokens.scope,
            "expires_in": storage.tokens.expires_in,
        }
        if options.refresh:
            outcome |= await refresh(client, oauth, storage, exchange, me)
        if options.revoke:
            outcome |= await sign_in_again(client, options, storage, sign_ins, me)
    return outcome | {"requests": exchange.lines, "browser": browser.visited}


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
    parser.add_argument("--workspace", help="workspace slug for list_projects, where none is configured")
    parser.add_argument("--era", choices=sorted(ERAS), default="auto", help="which protocol to speak")
    parser.add_argument("--refresh", action="store_true", help="force a token refresh and call again")
    parser.add_argument("--revoke", action="store_true", help="end the session at the server, and call again")
    parser.add_argument("--redirect-uri", default="http://127.0.0.1:8765/callback", help="never visited")
    parser.add_argument("--client-metadata-url", help="where a document describes the client, instead of registering")
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)  # the SDK logs token errors with their bodies
    try:
        outcome = asyncio.run(asyncio.wait_for(run(options), timeout=90))
    except Exception as error:
        cause = innermost(error)
        print(json.dumps({"error": f"{type(cause).__name__}: {cause}"}))
        return 1
    print(json.dumps(outcome))
    return 0 if outcome.get("refreshed", True) and outcome.get("signed_in_again", True) else 1


if __name__ == "__main__":
    sys.exit(main())
