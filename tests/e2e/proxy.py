"""A TCP proxy that counts what passes, by connection and direction. TLS stays end to end: only bytes are seen."""

import socket
import threading


class CountingProxy:
    """Listens on a free port of loopback and passes everything on to `target` (host, port)."""

    def __init__(self, target):
        self.target = target
        self.connections = []  # {"up": bytes to the target, "down": bytes from it, "first": first bytes sent up}
        self.lock = threading.Lock()
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.sockets = []
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(self.target)
            except OSError:
                client.close()
                continue
            entry = {"up": 0, "down": 0, "first": b""}
            with self.lock:
                self.connections.append(entry)
                self.sockets += [client, server]
            threading.Thread(target=self._pump, args=(client, server, entry, "up"), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, entry, "down"), daemon=True).start()

    def _pump(self, source, sink, entry, direction):
        try:
            while data := source.recv(65536):
                with self.lock:
                    if direction == "up" and len(entry["first"]) < 16:
                        entry["first"] += data[:16]
                    entry[direction] += len(data)
                sink.sendall(data)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def totals(self):
        with self.lock:
            return {"up": sum(c["up"] for c in self.connections), "down": sum(c["down"] for c in self.connections)}

    def first_bytes(self):
        with self.lock:
            return [c["first"] for c in self.connections]

    def close(self):
        self.listener.close()
        for end in self.sockets:
            end.close()
