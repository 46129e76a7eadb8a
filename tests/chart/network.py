"""The network of a cluster as far as Traefik needs it: what pods' addresses and Services' names lead to. It is a SOCKS proxy,
which Traefik is told of by HTTP_PROXY, so that everything listens on loopback all the same."""

import contextlib
import select
import socket
import socketserver
import struct
import threading

# RFC 1928: version 5, no authentication, succeeded, host unreachable; addresses as four bytes or as a name.
VERSION, NO_AUTHENTICATION, SUCCEEDED, UNREACHABLE, IPV4, NAME = 5, 0, 0, 4, 1, 3


class Hop(socketserver.StreamRequestHandler):
    """One connection, carried to where its address is on this machine."""

    places, asked = {}, []

    def handle(self):
        _, methods = self.rfile.read(2)
        self.rfile.read(methods)
        self.wfile.write(bytes([VERSION, NO_AUTHENTICATION]))
        *_, kind = self.rfile.read(4)
        host = socket.inet_ntoa(self.rfile.read(4)) if kind == IPV4 else self.rfile.read(self.rfile.read(1)[0]).decode()
        [port] = struct.unpack("!H", self.rfile.read(2))
        self.asked.append(f"{host}:{port}")
        place = self.places.get(f"{host}:{port}")
        self.wfile.write(bytes([VERSION, UNREACHABLE if place is None else SUCCEEDED, 0, IPV4, 0, 0, 0, 0, 0, 0]))
        if place is not None:
            with socket.create_connection(("127.0.0.1", place)) as there:
                self._carry(there)

    def _carry(self, there):
        ends = {self.connection: there, there: self.connection}
        while True:
            for end in select.select(list(ends), [], [])[0]:
                data = end.recv(65536)
                if not data:
                    return
                ends[end].sendall(data)


class Server(socketserver.ThreadingTCPServer):
    """Connections of their own threads, which end with the test."""

    daemon_threads, block_on_close = True, False


@contextlib.contextmanager
def network(places):
    """(its URL for HTTP_PROXY, what was connected to) of a network where `places` maps `host:port` to a port here."""
    hop = type("ThisHop", (Hop,), {"places": places, "asked": []})
    with Server(("127.0.0.1", 0), hop) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"socks5://127.0.0.1:{server.server_address[1]}", hop.asked
        server.shutdown()
