"""The network of a cluster as far as Traefik needs it: what pods' addresses and Services' names lead to is played by an HTTP
proxy, which Traefik is told of by HTTP_PROXY, so that everything listens on loopback all the same."""

import contextlib
import http.client
import http.server
import threading
from urllib.parse import urlsplit


class Hop(http.server.BaseHTTPRequestHandler):
    """Passes a request for `http://host:port/…` on to where that is on this machine."""

    places = {}
    asked = []

    def _pass_on(self):
        url = urlsplit(self.path)
        self.asked.append(url.netloc)
        place = self.places.get(url.netloc)
        if place is None:
            self.send_error(502, f"nothing is at {url.netloc}")
            return
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        there = http.client.HTTPConnection("127.0.0.1", place, timeout=20)
        there.putrequest(self.command, self.path.split(url.netloc, 1)[1], skip_host=True, skip_accept_encoding=True)
        for name, value in self.headers.items():
            there.putheader(name, value)
        there.endheaders(body)
        answer = there.getresponse()
        text = answer.read()
        self.send_response_only(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in ("transfer-encoding", "content-length", "connection"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)
        there.close()

    do_GET = do_POST = _pass_on

    def log_message(self, *_):
        pass


@contextlib.contextmanager
def network(places):
    """(its URL for HTTP_PROXY, what was asked for) of a network where `places` maps `host:port` to a port here."""
    hop = type("ThisHop", (Hop,), {"places": places, "asked": []})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), hop)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", hop.asked
    server.shutdown()
