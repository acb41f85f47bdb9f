#!/usr/bin/env python3
"""HTTP/2 abuses against a server on this machine, one after another, beside an honest client.

    tests/flood/flood.py 127.0.0.1:8443                 # TLS, any certificate
    tests/flood/flood.py 127.0.0.1:8080 --h2c           # prior knowledge, no TLS
    tests/flood/flood.py 127.0.0.1:8443 --only ping,settings
    tests/flood/flood.py --list

Python 3.9 and nothing else: frames are written by hand, because libraries refuse to write most of these.

For each abuse a line: what was sent, what the server answered and after how long, and how many requests of an honest client,
who had a connection of his own all the while, were answered with 2xx. Expected answers are named beside each abuse below:
mostly GOAWAY(ENHANCE_YOUR_CALM), in some cases another connection error, a stream error, or a refusal with a status.
The exit code is 1 when an answer was not expected or an honest request failed, 2 when the server cannot be reached.

The honest client has the flood's address. Limits by address are no subject here, so switch them off; for the demo:

    tidegate demo --set limiter.ip=off

What each abuse is known as: rapid-reset CVE-2023-44487; bait-* CVE-2025-8671 (MadeYouReset); ping, settings, priority,
empty-data, empty-fields, stalled-window CVE-2019-9511 to 9518; continuation CVE-2024-27316 and its kin; hpack-bomb CVE-2016-6581.

Never here: a target outside this machine.
"""

import argparse
import ipaddress
import select
import socket
import ssl
import struct
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Callable, Iterator, Optional

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, PRIORITY, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE, CONTINUATION = 0, 1, 2, 3, 4, 6, 7, 8, 9
ACK, END_STREAM, END_HEADERS = 1, 1, 4
HEADER_TABLE_SIZE, INITIAL_WINDOW_SIZE = 1, 4
CANCEL = 8
WINDOW_MAX = 2**31 - 1
CODES = ["NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT", "STREAM_CLOSED",
         "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR", "ENHANCE_YOUR_CALM",
         "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"]
# HPACK's static entries 8 to 14 (RFC 7541 appendix A).
STATUSES = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
# Huffman codes of the digits (RFC 7541 appendix B).
DIGITS = {"00000": "0", "00001": "1", "00010": "2", "011001": "3", "011010": "4", "011011": "5", "011100": "6",
          "011101": "7", "011110": "8", "011111": "9"}
HONEST_WAIT = 5.0
# Requests of the honest client at least, so that he is heard after a short abuse as well.
HONEST_REQUESTS_MIN = 5


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def number(value: int, prefix_bits: int, flags: int) -> bytes:
    """An integer of HPACK (RFC 7541 section 5.1)."""
    most = (1 << prefix_bits) - 1
    if value < most:
        return bytes([flags | value])
    out, value = [flags | most], value - most
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    return bytes(out + [value])


def text(value: bytes) -> bytes:
    return number(len(value), 7, 0) + value


def literal(name: bytes, value: bytes) -> bytes:
    """A field that no table remembers."""
    return b"\x00" + text(name) + text(value)


@dataclass
class Site:
    addr: tuple
    tls: bool
    path: str
    post_path: str
    frames: int
    patience: float

    def request(self, method: bytes = b"GET") -> bytes:
        path = self.path if method == b"GET" else self.post_path
        verb = b"\x82" if method == b"GET" else b"\x83"
        scheme = b"\x87" if self.tls else b"\x86"
        host = f"[{self.addr[0]}]" if ":" in self.addr[0] else self.addr[0]
        authority = f"{host}:{self.addr[1]}".encode()
        return verb + scheme + b"\x01" + text(authority) + b"\x04" + text(path.encode())

    def get(self, stream: int) -> bytes:
        return frame(HEADERS, END_HEADERS | END_STREAM, stream, self.request())

    def open_post(self, stream: int) -> bytes:
        return frame(HEADERS, END_HEADERS, stream, self.request(b"POST"))


class Connection:
    """Bytes out, frames in, neither waiting for the other."""

    def __init__(self, site: Site, settings: bytes = b""):
        self.sent_bytes = 0
        self.closed: Optional[str] = None
        self.buf = bytearray()
        sock = socket.create_connection(site.addr, timeout=HONEST_WAIT)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if site.tls:
            context = ssl.create_default_context()
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
            context.set_alpn_protocols(["h2"])
            sock = context.wrap_socket(sock, server_hostname="localhost")
            if sock.selected_alpn_protocol() != "h2":
                raise OSError("the server does not choose h2 by ALPN")
        sock.setblocking(False)
        self.sock = sock
        # No table on the server's side: every answer's status stands in its own bytes.
        settings = struct.pack(">HI", HEADER_TABLE_SIZE, 0) + settings
        self.send(PREFACE + frame(SETTINGS, 0, 0, settings), time.monotonic() + HONEST_WAIT)

    def send(self, data: bytes, until: float, on_frame: Optional[Callable] = None) -> bool:
        """Sends all of it, taking frames in meanwhile; `False` when that has come to an end first."""
        view = memoryview(data)
        while view and self.closed is None and time.monotonic() < until:
            try:
                taken = self.sock.send(view)
                self.sent_bytes += taken
                view = view[taken:]
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                wanted = [self.sock] if on_frame else []
                select.select(wanted, [self.sock], [], 0.1)
            except OSError as error:
                self.drain(on_frame)
                self.closed = self.closed or type(error).__name__
            if on_frame and not self.drain(on_frame):
                return False
        return not view

    def drain(self, on_frame: Optional[Callable]) -> bool:
        """Takes in what has arrived. `False` as soon as `on_frame` says that it has seen enough."""
        while self.closed is None:
            try:
                data = self.sock.recv(65536)
            except (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError):
                break
            except OSError as error:
                self.closed = type(error).__name__
                break
            if not data:
                self.closed = "end of stream"
            self.buf += data
        while on_frame and len(self.buf) >= 9:
            size = int.from_bytes(self.buf[:3], "big")
            if len(self.buf) < 9 + size:
                break
            kind, flags, stream = self.buf[3], self.buf[4], int.from_bytes(self.buf[5:9], "big") & WINDOW_MAX
            payload = bytes(self.buf[9:9 + size])
            del self.buf[:9 + size]
            if not on_frame(kind, flags, stream, payload):
                return False
        return True

    def wait(self, until: float, on_frame: Callable) -> bool:
        """Takes in frames until `on_frame` has seen enough, the connection has ended, or it is late."""
        while time.monotonic() < until:
            if not self.drain(on_frame):
                return True
            if self.closed:
                return False
            left = max(0.0, min(0.1, until - time.monotonic()))
            select.select([self.sock], [], [], left)
        return False

    def close(self):
        self.sock.close()


def status_of(block: bytes) -> int:
    """The status of an answer made without a dynamic table; 0 when it is not found in the first field."""
    while block and block[0] & 0xE0 == 0x20:
        # A change of the table's size comes before the first field (RFC 7541 section 6.3).
        longer, block = block[0] & 0x1F == 0x1F, block[1:]
        while longer and block:
            longer, block = bool(block[0] & 0x80), block[1:]
    if len(block) > 0 and block[0] & 0x80:
        return STATUSES.get(block[0] & 0x7F, 0)
    if len(block) < 2 or block[0] & (0x3F if block[0] & 0x40 else 0x0F) not in STATUSES:
        return 0
    value = block[2:2 + (block[1] & 0x7F)]
    digits = unpacked(value) if block[1] & 0x80 else value.decode("latin-1")
    return int(digits) if digits.isdigit() else 0


def unpacked(packed: bytes) -> str:
    """Digits out of Huffman's code."""
    bits, out, piece = "".join(f"{byte:08b}" for byte in packed), "", ""
    for bit in bits:
        piece += bit
        if piece in DIGITS:
            out, piece = out + DIGITS[piece], ""
    return out


@dataclass
class Honest:
    """One request after another on a connection of its own, until told to stop."""

    site: Site
    asked: int = 0
    answered: int = 0
    complaint: str = ""
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self):
        conn, stream = None, 1
        while not self.stop.is_set() or self.asked < HONEST_REQUESTS_MIN:
            try:
                if conn is None:
                    conn, stream = Connection(self.site), 1
                self.asked += 1
                status = self.ask(conn, stream)
                if 200 <= status < 300:
                    self.answered += 1
                else:
                    self.complaint = f"status {status}" if status else conn.closed or "no answer in time"
                stream += 2
                if conn.closed:
                    conn = None
            except OSError as error:
                self.asked += conn is None
                self.complaint, conn = str(error) or type(error).__name__, None
            self.stop.wait(0.005)
        if conn:
            conn.close()

    def ask(self, conn: Connection, stream: int) -> int:
        status = 0

        def on_frame(kind, flags, of_stream, payload):
            nonlocal status
            if kind == SETTINGS and not flags & ACK:
                conn.send(frame(SETTINGS, ACK), until)
            if kind == HEADERS and of_stream == stream:
                status = status_of(payload)
            if kind == DATA and payload:
                grant = struct.pack(">I", len(payload))
                conn.send(frame(WINDOW_UPDATE, 0, 0, grant), until)
            return not (of_stream == stream and (kind == RST_STREAM or (kind in (HEADERS, DATA) and flags & END_STREAM)))

        until = time.monotonic() + HONEST_WAIT
        conn.send(self.site.get(stream), until)
        return status if conn.wait(until, on_frame) else 0


# Abuses: pieces of bytes, without end or until the server has had enough. The number of frames is bounded by the caller.

def rapid_reset(site: Site) -> Iterator[bytes]:
    for stream in range(1, WINDOW_MAX, 2):
        yield site.get(stream) + frame(RST_STREAM, 0, stream, struct.pack(">I", CANCEL))


def bait_malformed(site: Site) -> Iterator[bytes]:
    for stream in range(1, WINDOW_MAX, 2):
        # Field names are lower case (RFC 9113 section 8.2.1).
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream, site.request() + literal(b"UPPER", b"1"))


def bait_window_overflow(site: Site) -> Iterator[bytes]:
    for stream in range(1, WINDOW_MAX, 2):
        yield site.open_post(stream) + frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", WINDOW_MAX))


def bait_zero_increment(site: Site) -> Iterator[bytes]:
    for stream in range(1, WINDOW_MAX, 2):
        yield site.open_post(stream) + frame(WINDOW_UPDATE, 0, stream, bytes(4))


def bait_data_after_end(site: Site) -> Iterator[bytes]:
    for stream in range(1, WINDOW_MAX, 2):
        yield site.get(stream) + frame(DATA, END_STREAM, stream, b"x")


def bait_self_dependency(site: Site) -> Iterator[bytes]:
    for stream in range(1, WINDOW_MAX, 2):
        yield site.get(stream) + frame(PRIORITY, 0, stream, struct.pack(">IB", stream, 0))


def ping(_site: Site) -> Iterator[bytes]:
    while True:
        yield frame(PING, 0, 0, b"calmdown")


def ping_masses(site: Site) -> Iterator[bytes]:
    # Answers in megabytes, more than the kernel keeps for a client who does not read.
    for piece in ping(site):
        yield piece * 256


def settings(_site: Site) -> Iterator[bytes]:
    while True:
        yield frame(SETTINGS, 0, 0, struct.pack(">HI", INITIAL_WINDOW_SIZE, 65535))


def settings_masses(site: Site) -> Iterator[bytes]:
    for piece in settings(site):
        yield piece * 256


def empty_data(site: Site) -> Iterator[bytes]:
    yield site.open_post(1)
    while True:
        yield frame(DATA, 0, 1)


def window_update(_site: Site) -> Iterator[bytes]:
    while True:
        yield frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 1))


def window_update_stream(site: Site) -> Iterator[bytes]:
    yield site.open_post(1)
    while True:
        yield frame(WINDOW_UPDATE, 0, 1, struct.pack(">I", 1))


def continuation(site: Site) -> Iterator[bytes]:
    yield frame(HEADERS, END_STREAM, 1, site.request())
    for turn in range(WINDOW_MAX):
        yield frame(CONTINUATION, 0, 1, literal(b"x-%d" % turn, b"y"))


def continuation_empty(site: Site) -> Iterator[bytes]:
    yield frame(HEADERS, END_STREAM, 1, site.request())
    while True:
        yield frame(CONTINUATION, 0, 1)


def priority(_site: Site) -> Iterator[bytes]:
    for stream in range(1, WINDOW_MAX, 2):
        yield frame(PRIORITY, 0, stream, struct.pack(">IB", 0, 15))


def stalled_window(site: Site) -> Iterator[bytes]:
    for stream in range(1, 201, 2):
        yield site.get(stream)


def empty_fields(site: Site) -> Iterator[bytes]:
    for stream in range(1, WINDOW_MAX, 2):
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream, site.request() + literal(b"", b"") * 1000)


def hpack_bomb(site: Site) -> Iterator[bytes]:
    # Remembered once, 4,000 bytes; then 16,000 times by one byte each: 64 MB from one frame.
    large = b"\x40" + text(b"x") + text(b"y" * 4000)
    yield frame(HEADERS, END_HEADERS | END_STREAM, 1, site.request() + large)
    for stream in range(3, WINDOW_MAX, 2):
        yield frame(HEADERS, END_HEADERS | END_STREAM, stream, site.request() + b"\xbe" * 16000)


CALM = "GOAWAY ENHANCE_YOUR_CALM"
PROTOCOL = "GOAWAY PROTOCOL_ERROR"


@dataclass
class Abuse:
    name: str
    pieces: Callable[[Site], Iterator[bytes]]
    # Answers that are right. A status or RST_STREAM counts only where it is named, and "nothing" only with a reason.
    expected: tuple
    settings: bytes = b""
    pieces_max: int = WINDOW_MAX
    # Never reads, so that answers pile up on the server's side.
    deaf: bool = False


ABUSES = [
    Abuse("rapid-reset", rapid_reset, (CALM,)),
    Abuse("bait-malformed", bait_malformed, (CALM, PROTOCOL)),
    Abuse("bait-window-overflow", bait_window_overflow, (CALM, "GOAWAY FLOW_CONTROL_ERROR")),
    Abuse("bait-zero-increment", bait_zero_increment, (CALM, PROTOCOL)),
    Abuse("bait-data-after-end", bait_data_after_end, (CALM, "GOAWAY STREAM_CLOSED", PROTOCOL)),
    # RFC 9113 section 5.3.2 has done away with dependencies: not looking at them is right as well.
    Abuse("bait-self-dependency", bait_self_dependency, (CALM, PROTOCOL, "nothing")),
    Abuse("ping", ping, (CALM,)),
    # Whoever does not read need not be read: that blocks him, and his connection ends by a deadline.
    Abuse("ping-deaf", ping_masses, (CALM, "closed", "blocked"), pieces_max=5000, deaf=True),
    Abuse("settings", settings, (CALM,)),
    Abuse("settings-deaf", settings_masses, (CALM, "closed", "blocked"), pieces_max=5000, deaf=True),
    Abuse("empty-data", empty_data, (CALM, "GOAWAY STREAM_CLOSED")),
    Abuse("window-update", window_update, (CALM,)),
    Abuse("window-update-stream", window_update_stream, (CALM,)),
    Abuse("continuation", continuation, (CALM, PROTOCOL, "GOAWAY COMPRESSION_ERROR")),
    Abuse("continuation-empty", continuation_empty, (CALM, PROTOCOL)),
    # Deprecated frames that nobody must look at, each cheaper than the record around it.
    Abuse("priority", priority, (CALM, "nothing")),
    Abuse("stalled-window", stalled_window, (CALM, "RST_STREAM CANCEL", "RST_STREAM ENHANCE_YOUR_CALM", "closed",
                                             "RST_STREAM FLOW_CONTROL_ERROR", "RST_STREAM INTERNAL_ERROR"),
          settings=struct.pack(">HI", INITIAL_WINDOW_SIZE, 0)),
    # Frames of many kilobytes: fewer of them. A refusal of each is right when the honest client does not notice.
    Abuse("empty-fields", empty_fields, (CALM, PROTOCOL, "GOAWAY COMPRESSION_ERROR", "refused"), pieces_max=5000),
    Abuse("hpack-bomb", hpack_bomb, (CALM, PROTOCOL, "GOAWAY COMPRESSION_ERROR", "refused"), pieces_max=2000),
]


def code(payload: bytes, at: int) -> str:
    value = int.from_bytes(payload[at:at + 4], "big")
    return CODES[value] if value < len(CODES) else hex(value)


@dataclass
class Outcome:
    answer: str = "nothing"
    seconds: float = 0.0
    frames: int = 0
    sent_bytes: int = 0
    resets: int = 0
    statuses: dict = field(default_factory=dict)


def attack(site: Site, abuse: Abuse) -> Outcome:
    conn, outcome, started = Connection(site, abuse.settings), Outcome(), time.monotonic()
    # On these a stream's end is the answer that is waited for; elsewhere it is one of thousands.
    ends_with_reset = any(expected.startswith("RST_STREAM") for expected in abuse.expected)

    def on_frame(kind, flags, _stream, payload):
        if kind == SETTINGS and not flags & ACK:
            conn.send(frame(SETTINGS, ACK), until)
        elif kind == HEADERS:
            status = status_of(payload)
            outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
        elif kind == RST_STREAM:
            outcome.resets += 1
            if ends_with_reset:
                outcome.answer = f"RST_STREAM {code(payload, 0)}"
        elif kind == GOAWAY and code(payload, 4) != "NO_ERROR":
            outcome.answer = f"GOAWAY {code(payload, 4)}"
        return outcome.answer == "nothing"

    until = started + site.patience
    hears = None if abuse.deaf else on_frame
    frames_max = min(site.frames, abuse.pieces_max)
    for piece in abuse.pieces(site):
        if outcome.frames >= frames_max or not conn.send(piece, until, hears):
            break
        outcome.frames += 1
    blocked = abuse.deaf and conn.closed is None and outcome.frames < frames_max
    if abuse.deaf:
        until = time.monotonic() + HONEST_WAIT
    elif outcome.answer == "nothing" and not ends_with_reset:
        # The last frames have been sent; an answer to them is on its way or does not come.
        until = min(until, time.monotonic() + HONEST_WAIT)
    if outcome.answer == "nothing":
        conn.wait(until, on_frame)
    if outcome.answer == "nothing" and (conn.closed or blocked):
        outcome.answer = "closed" if conn.closed else "blocked"
    refusals = sum(count for status, count in outcome.statuses.items() if 400 <= status < 500)
    # The first piece may prepare the others.
    if outcome.answer == "nothing" and refusals >= outcome.frames - 1 > 0:
        outcome.answer = "refused"
    outcome.seconds, outcome.sent_bytes = time.monotonic() - started, conn.sent_bytes
    conn.close()
    return outcome


def run(site: Site, abuse: Abuse) -> bool:
    honest = Honest(site)
    thread = threading.Thread(target=honest.run)
    thread.start()
    try:
        outcome = attack(site, abuse)
    finally:
        honest.stop.set()
        thread.join()
    right = outcome.answer in abuse.expected
    well = honest.asked > 0 and honest.asked == honest.answered
    details = [f"{count} × {status or '?'}" for status, count in sorted(outcome.statuses.items())]
    if outcome.resets:
        details.append(f"{outcome.resets} × RST_STREAM")
    print(f"{'ok  ' if right and well else 'FAIL'} {abuse.name:21} {outcome.frames:7,} pieces {outcome.sent_bytes:11,} bytes "
          f"{outcome.seconds:7.2f} s  {outcome.answer}  [{', '.join(details)}]  honest {honest.answered}/{honest.asked}"
          + ("" if well else f" ({honest.complaint})") + ("" if right else f"; expected {' or '.join(abuse.expected)}"),
          flush=True)
    return right and well


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("target", nargs="?", metavar="HOST:PORT", help="on this machine")
    parser.add_argument("--h2c", action="store_true", help="HTTP/2 with prior knowledge, without TLS")
    parser.add_argument("--path", default="/ping", help="answered 2xx to a GET (default: %(default)s)")
    parser.add_argument("--post-path", default="/auth/login", help="takes a body (default: %(default)s)")
    parser.add_argument("--frames", type=int, default=50_000, help="most pieces of one abuse (default: %(default)s)")
    parser.add_argument("--patience", type=float, default=40.0, help="most seconds of one abuse (default: %(default)s)")
    parser.add_argument("--only", type=lambda names: names.split(","), help="names of abuses, by comma")
    parser.add_argument("--list", action="store_true", help="names and expected answers")
    args = parser.parse_args()
    if args.only and set(args.only) - {abuse.name for abuse in ABUSES}:
        parser.error("--only names an abuse that is not in --list")
    if not args.list and args.target is None:
        parser.error("HOST:PORT is missing")
    return args


def main() -> int:
    args = arguments()
    if args.list:
        for abuse in ABUSES:
            print(f"{abuse.name:21} {' or '.join(abuse.expected)}")
        return 0
    host, _, port = args.target.rpartition(":")
    if not ipaddress.ip_address(host.strip("[]")).is_loopback:
        sys.exit(f"{host} is not on this machine: only loopback targets (127.0.0.1, [::1]) are flooded")
    site = Site((host.strip("[]"), int(port)), not args.h2c, args.path, args.post_path, args.frames, args.patience)
    try:
        Connection(site).close()
    except OSError as error:
        print(f"{args.target}: {error}", file=sys.stderr)
        return 2
    chosen = [abuse for abuse in ABUSES if not args.only or abuse.name in args.only]
    results = [run(site, abuse) for abuse in chosen]
    print(f"{sum(results)} of {len(results)} as expected")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
