#!/usr/bin/env python3
"""A browser for the sign-in, played by Python's standard library.

It keeps cookies, follows redirects by hand, fills the two forms a person fills (our consent page and
Cognito's login page), and stops at the redirect to the client, which it returns without visiting it.

Run as a program it is what BROWSER names: it signs in at the URL given and then visits the client's
loopback callback, as a real browser does. Its settings come from EDGE_BROWSER_CA, _USER, _PASSWORD
and _LOG, for the program that opens a browser passes only the URL.
"""

import http.cookiejar
import os
import ssl
import sys
import time
import traceback
import urllib.error
import urllib.parse
import urllib.request
from html.parser import HTMLParser

HOPS = 20  # redirects and forms in one sign-in; a loop ends here
TIMEOUT_SECONDS = 20


class SignInFailed(Exception):
    """The sign-in did not end at the client; the message says where it stopped."""


class Form:
    def __init__(self, attributes):
        self.action = attributes.get("action") or ""
        self.method = (attributes.get("method") or "get").lower()
        self.fields = {}
        self.buttons = {}


class Forms(HTMLParser):
    """The forms of a page with the values a browser would submit, and the page's text."""

    def __init__(self, html):
        super().__init__()
        self.forms = []
        self.text = []
        self._hidden = 0
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        name = attributes.get("name")
        if tag in ("style", "script"):
            self._hidden += 1
        elif tag == "form":
            self.forms.append(Form(attributes))
        elif self.forms and name and tag == "button":
            self.forms[-1].buttons.setdefault(name, []).append(attributes.get("value") or "")
        elif self.forms and name and tag == "input":
            kind = (attributes.get("type") or "text").lower()
            if kind == "submit":
                self.forms[-1].buttons.setdefault(name, []).append(attributes.get("value") or "")
            elif kind not in ("checkbox", "radio") or "checked" in attributes:
                self.forms[-1].fields[name] = attributes.get("value") or ""

    def handle_endtag(self, tag):
        if tag in ("style", "script"):
            self._hidden -= 1

    def handle_data(self, data):
        if not self._hidden and data.strip():
            self.text.append(data.strip())


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args):
        return None


class Browser:
    """One browser profile: its cookies, and the addresses it went to."""

    def __init__(self, ca_file):
        self.visited = []
        context = ssl.create_default_context(cafile=ca_file)
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}),
            urllib.request.HTTPSHandler(context=context),
            urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()),
            _NoRedirect(),
        )

    def open(self, url, form=None, origin=None):
        """Sends one request; returns (status, headers, body)."""
        headers = {"User-Agent": "Mozilla/5.0 (scripted)", "Accept": "text/html,*/*;q=0.8"}
        if origin is not None:
            headers["Origin"] = origin
        data = None if form is None else urllib.parse.urlencode(form).encode()
        request = urllib.request.Request(url, data=data, headers=headers)
        self.visited.append(f"{request.get_method()} {url.split('?')[0]}")
        try:
            response = self._opener.open(request, timeout=TIMEOUT_SECONDS)
        except urllib.error.HTTPError as answer:
            response = answer  # any status but 2xx; redirects come here too
        with response:
            return response.status, response.headers, response.read().decode("utf-8", "replace")

    def sign_in(self, authorize_url, username, password, decision="approve"):
        """Plays the person until the client is called back; returns the callback's full URL."""
        query = urllib.parse.parse_qs(urllib.parse.urlsplit(authorize_url).query)
        callback = query["redirect_uri"][0]
        url, form, origin = authorize_url, None, None
        passwords = 0
        for _ in range(HOPS):
            status, headers, body = self.open(url, form, origin)
            if 300 <= status < 400:
                url, form, origin = urllib.parse.urljoin(url, headers["Location"]), None, None
                if url.split("?")[0] == callback.split("?")[0]:
                    return url
                continue
            page = Forms(body)
            if status != 200 or not page.forms:
                raise SignInFailed(f"{status} at {url.split('?')[0]}: {' | '.join(page.text)[:300]}")
            # Browsers send "Origin: null" from a page that forbids referrers.
            hidden = "no-referrer" in (headers.get("Referrer-Policy") or "").split(",")[-1].strip().split()
            parts = urllib.parse.urlsplit(url)
            origin = "null" if hidden else f"{parts.scheme}://{parts.netloc}"
            url, form = self._submit(url, page, username, password, decision)
            passwords += "password" in form
            if passwords > 1:
                raise SignInFailed(f"the password was asked for again: {' | '.join(page.text)[:300]}")
        raise SignInFailed(f"no end after {HOPS} steps: {' > '.join(self.visited[-4:])}")

    @staticmethod
    def _submit(url, page, username, password, decision):
        for form in page.forms:
            fields = dict(form.fields)
            if "password" in fields:
                fields.update(username=username, password=password)
            elif decision in form.buttons.get("decision", []):
                fields["decision"] = decision
            else:
                continue
            if form.method != "post":
                raise SignInFailed(f"the form at {url.split('?')[0]} is sent by {form.method}")
            return urllib.parse.urljoin(url, form.action), fields
        raise SignInFailed(f"no form to fill at {url.split('?')[0]}: {' | '.join(page.text)[:300]}")


def call_back(browser, url):
    """Visits the client, some of which listen a moment after they opened the browser."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            return browser.open(url)
        except urllib.error.URLError as error:
            if not isinstance(error.reason, ConnectionRefusedError) or time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def main():
    log = os.environ.get("EDGE_BROWSER_LOG", os.devnull)
    try:
        browser = Browser(os.environ["EDGE_BROWSER_CA"])
        callback = browser.sign_in(sys.argv[1], os.environ["EDGE_BROWSER_USER"], os.environ["EDGE_BROWSER_PASSWORD"])
        status, _, _ = call_back(browser, callback)
        outcome = f"callback answered {status}\n"
    except Exception:
        outcome = traceback.format_exc()
        status = 0
    with open(log, "a", encoding="utf-8") as file:
        file.write(outcome)
    return 0 if 200 <= status < 400 else 1


if __name__ == "__main__":
    sys.exit(main())
