"""Let a web service say who may connect. Here it is a small one in the same program.

pip install 'hookmq[http-auth]'
python examples/27_http_login.py

mosquitto_pub -u pump -P water -t plant/flow -m 100      # is let in; with another password it is refused
"""

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs

from hookmq import Broker
from hookmq.authentication import HTTPService


class Login(BaseHTTPRequestHandler):
    """Knows one user."""

    def do_POST(self) -> None:
        """Answer 200 for it."""
        told = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        known = told["username"] == ["pump"] and told["password"] == ["water"]
        self.send_response(200 if known else 403)
        self.end_headers()


service = ThreadingHTTPServer(("127.0.0.1", 0), Login)
broker = Broker()
broker.authenticate_with(HTTPService(f"http://127.0.0.1:{service.server_port}/login", timeout=0.5, retries=3))

if __name__ == "__main__":
    threading.Thread(target=service.serve_forever, daemon=True).start()
    broker.run()
