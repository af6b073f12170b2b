"""A plain file server for a browser."""
import functools
import http.server
import threading


class Quiet(http.server.SimpleHTTPRequestHandler):
    """As `python3 -m http.server`, but that it knows nothing of WebAssembly, like many a server, and prints nothing."""
    extensions_map = {**http.server.SimpleHTTPRequestHandler.extensions_map, '.wasm': 'application/octet-stream'}

    def log_message(self, *words):
        pass


class Server:
    """Of a folder, until it is closed; `address` ends in a slash."""

    def __init__(self, folder):
        self.server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(Quiet, directory=folder))
        self.address = 'http://127.0.0.1:%d/' % self.server.server_port
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()
