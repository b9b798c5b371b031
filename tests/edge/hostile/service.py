"""Answers every request and notes its first line. Usage: service.py PORT LOG"""
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

log = open(sys.argv[2], "a", buffering=1, encoding="latin-1")


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __getattr__(self, name):
        if name.startswith("do_"):
            return self.answer
        raise AttributeError(name)

    def answer(self):
        if self.headers.get("Transfer-Encoding", "").strip().lower() == "chunked":
            self.chunks()
        else:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(b"ok")

    def chunks(self):
        while True:
            size = int(self.rfile.readline().split(b";")[0] or b"0", 16)
            self.rfile.read(size)
            if size == 0:
                while self.rfile.readline().strip():
                    pass
                return
            self.rfile.readline()

    def log_request(self, code="-", size="-"):
        log.write(self.requestline.replace("\n", " ") + "\n")

    def log_message(self, *words):
        pass

    def finish(self):
        try:
            super().finish()
        except OSError:
            pass


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request, client_address):
        # Whoever breaks off is not worth a trace.
        pass


Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
