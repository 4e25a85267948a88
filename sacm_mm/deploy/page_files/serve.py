"""Serve this folder to browsers: python serve.py [PORT]; then open http://localhost:8000.

The two headers let the page use several threads.
"""

import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Handler(SimpleHTTPRequestHandler):
    """Files with what browsers ask for before they share memory between threads."""

    extensions_map = {
        **SimpleHTTPRequestHandler.extensions_map,
        '.mjs': 'text/javascript',
        '.wasm': 'application/wasm',
    }

    def end_headers(self) -> None:
        """Add the headers to every answer."""
        self.send_header('Cross-Origin-Opener-Policy', 'same-origin')
        self.send_header('Cross-Origin-Embedder-Policy', 'require-corp')
        super().end_headers()


if __name__ == '__main__':
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    here = str(Path(__file__).resolve().parent)
    ThreadingHTTPServer(('127.0.0.1', port), partial(Handler, directory=here)).serve_forever()
