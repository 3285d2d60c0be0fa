"""A TCP proxy that counts what passes, by connection and direction. TLS stays end to end: only record headers are read."""

import socket
import threading

# RFC 8446 §5.1: change_cipher_spec, alert, handshake, application_data.
TLS_CONTENT_TYPES = (20, 21, 22, 23)
TLS_RECORD_BYTES_MAX = 16384 + 256


class TlsFraming:
    """Follows one direction of a connection record by record; `plain` says that something was no TLS record."""

    def __init__(self):
        self.header = b""
        self.left = 0
        self.records = 0
        self.plain = False

    def feed(self, data):
        at = 0
        while at < len(data) and not self.plain:
            if self.left:
                step = min(self.left, len(data) - at)
                self.left -= step
                at += step
                continue
            take = data[at:at + 5 - len(self.header)]
            self.header += take
            at += len(take)
            if len(self.header) == 5:
                kind, major, self.left = self.header[0], self.header[1], int.from_bytes(self.header[3:5], "big")
                first_is_handshake = self.records > 0 or kind in (21, 22)
                self.plain = (kind not in TLS_CONTENT_TYPES or major != 3 or not first_is_handshake or
                              not 0 < self.left <= TLS_RECORD_BYTES_MAX)
                self.records += 1
                self.header = b""


class CountingProxy:
    """Listens on a free port of loopback and passes everything on to `target` (host, port)."""

    def __init__(self, target):
        self.target = target
        # {"up": bytes to the target, "down": bytes from it, "first": first bytes sent up, "framing": [up, down]}
        self.connections = []
        self.lock = threading.Lock()
        self.rates = {"up": None, "down": None}  # bytes a second; None: as they come
        self.unpaced = threading.Event()
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
            entry = {"up": 0, "down": 0, "first": b"", "framing": {"up": TlsFraming(), "down": TlsFraming()}}
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
                    entry["framing"][direction].feed(data)
                sink.sendall(data)
                rate = self.rates[direction]
                if rate is not None:
                    self.unpaced.wait(len(data) / rate)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def pace(self, direction, rate):
        """From now on at most `rate` bytes a second pass that way; None: as they come, at once."""
        self.rates[direction] = rate
        self.unpaced.set() if rate is None else self.unpaced.clear()

    def totals(self):
        with self.lock:
            return {"up": sum(c["up"] for c in self.connections), "down": sum(c["down"] for c in self.connections)}

    def total(self):
        return sum(self.totals().values())

    def first_bytes(self):
        with self.lock:
            return [c["first"] for c in self.connections]

    def plain_connections(self):
        """How many connections carried anything but TLS records."""
        with self.lock:
            return sum(any(f.plain for f in c["framing"].values()) for c in self.connections)

    def tls_records(self):
        with self.lock:
            return sum(f.records for c in self.connections for f in c["framing"].values())

    def close(self):
        self.listener.close()
        for end in self.sockets:
            end.close()
