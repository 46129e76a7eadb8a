"""What a person does who signs an agent out elsewhere: the session behind a refresh token is ended at the server (RFC 7009)."""

import json
import ssl
import urllib.parse
import urllib.request

TIMEOUT_SECONDS = 20


def revoke(mcp_url, ca_file, client_id, refresh_token):
    """Ends the session; the client that has the token is not told."""
    context = ssl.create_default_context(cafile=ca_file)
    handlers = urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
    opener = urllib.request.build_opener(*handlers)
    origin = urllib.parse.urljoin(mcp_url, "/")
    with opener.open(f"{origin}.well-known/oauth-authorization-server", timeout=TIMEOUT_SECONDS) as response:
        endpoint = json.load(response)["revocation_endpoint"]
    form = urllib.parse.urlencode({"token": refresh_token, "client_id": client_id}).encode()
    opener.open(endpoint, data=form, timeout=TIMEOUT_SECONDS).close()
