"""What the benchmarks of the daemon share: frames, a private daemon, closed and open load on one connection."""
import base64, json, os, select, signal, socket, struct, subprocess, sys, tempfile, time

here = os.path.dirname(os.path.abspath(__file__))
programs = os.path.join(here, "../.build/release")


class Refusal(Exception):
    def __init__(self, method, error):
        super().__init__(f"{method}: {error['message']}")
        self.reason = error["data"]["reason"]


def frame(number, method, params=None):
    message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params or {}}
    body = json.dumps(message, separators=(",", ":")).encode()
    return struct.pack(">I", len(body)) + body


class Connection:
    def __init__(self, path, user=None):
        self.socket = socket.socket(socket.AF_UNIX)
        # The other side is told who connects, not who asks later.
        if user is not None:
            os.seteuid(user)
        for _ in range(4_000):
            try:
                self.socket.connect(path)
                break
            except OSError:
                time.sleep(0.002)
        else:
            sys.exit(f"nobody listens on {path}")
        if user is not None:
            os.seteuid(0)
        self.rest = bytearray()

    def close(self):
        self.socket.close()

    def bodies(self):
        """Of the whole frames that have come: length, id, and the first bytes."""
        found, place, rest = [], 0, self.rest
        while len(rest) >= place + 4:
            length = struct.unpack_from(">I", rest, place)[0]
            if len(rest) < place + 4 + length:
                break
            head = bytes(rest[place + 4 : place + 40])
            if not head.startswith(b'{"id":'):
                sys.exit(f"found {bytes(rest[place + 4 : place + 4 + min(length, 300)])}")
            found.append((length, int(head[6 : head.find(b",")]), head))
            place += 4 + length
        del rest[:place]
        return found

    def receive(self):
        """The same, at least one."""
        while True:
            piece = self.socket.recv(1 << 20)
            if not piece:
                sys.exit("the daemon closed the connection")
            self.rest += piece
            found = self.bodies()
            if found:
                return found

    def message(self):
        """The next message, decoded; None where the daemon has closed."""
        while len(self.rest) < 4 or len(self.rest) < 4 + struct.unpack_from(">I", self.rest)[0]:
            piece = self.socket.recv(1 << 20)
            if not piece:
                return None
            self.rest += piece
        length = struct.unpack_from(">I", self.rest)[0]
        body = bytes(self.rest[4 : 4 + length])
        del self.rest[: 4 + length]
        return json.loads(body)

    def call(self, method, **params):
        self.socket.sendall(frame(1, method, params))
        answer = self.message()
        while answer is not None and "id" not in answer:
            answer = self.message()
        if answer is None:
            sys.exit(f"{method}: the daemon closed the connection")
        if "error" in answer:
            raise Refusal(method, answer["error"])
        return answer["result"]

    def register(self, name, path, **options):
        upload = self.upload(open(path, "rb").read())
        params = dict(name=name, uploadId=upload, fileName=os.path.basename(path), **options)
        return self.call("dataset.register", **params)["dataset"]

    def upload(self, content):
        upload, sent = self.call("dataset.upload")["uploadId"], 0
        while sent < len(content):
            piece = base64.b64encode(content[sent : sent + (1 << 20)]).decode()
            sent = self.call("dataset.upload", uploadId=upload, offset=sent, data=piece)["received"]
        return upload

    def closed_load(self, method, questions, count, window):
        """Requests a second with at most `window` unanswered, and mean bytes of an answer."""
        frames = [frame(number, method, questions[number % len(questions)]) for number in range(count)]
        waiting, sent, done, size = set(), 0, 0, 0
        start = time.perf_counter()
        while done < count:
            free = min(window - len(waiting), count - sent)
            # Half a window at a time: a call for each request would measure the caller.
            if free >= window // 2 or (free and sent + free == count):
                self.socket.sendall(b"".join(frames[sent : sent + free]))
                waiting.update(range(sent, sent + free))
                sent += free
            for length, number, head in self.receive():
                if number not in waiting or b'"error"' in head:
                    sys.exit(f"{method}: {head}")
                waiting.remove(number)
                size += length
                done += 1
        return count / (time.perf_counter() - start), size / count

    def open_load(self, method, questions, rate, seconds):
        """Requests at fixed times, whatever the answers do. Sorted seconds from when each was to be sent to its answer, and from
        then to when it was sent: what the sender was late counts in the first."""
        count = int(rate * seconds)
        frames = [frame(number, method, questions[number % len(questions)]) for number in range(count)]
        taken, late = [], []
        peer, sent, unsent = self.socket, 0, b""
        peer.setblocking(False)
        start = time.perf_counter() + 0.05
        while len(taken) < count:
            now = time.perf_counter()
            due = min(count, int((now - start) * rate) + 1) if now >= start else 0
            if due > sent:
                unsent += b"".join(frames[sent:due])
                late += [now - start - number / rate for number in range(sent, due)]
                sent = due
            try:
                if unsent:
                    unsent = unsent[peer.send(unsent) :]
            except BlockingIOError:
                pass
            wait = max(0, start + sent / rate - time.perf_counter()) if sent < count else 1
            if not select.select([peer], [peer] if unsent else [], [], wait)[0]:
                continue
            piece = peer.recv(1 << 20)
            if not piece:
                sys.exit("the daemon closed the connection")
            self.rest += piece
            now = time.perf_counter()
            for _, number, head in self.bodies():
                if b'"error"' in head:
                    sys.exit(f"{method}: {head}")
                taken.append(now - start - number / rate)
        peer.setblocking(True)
        return sorted(taken), sorted(late)


def share(values, part):
    """A quantile of sorted values, in milliseconds."""
    return round(values[min(len(values) - 1, int(len(values) * part))] * 1e3, 3)


class Daemon:
    """A private plawd, ended and forgotten with the block it was made for."""

    def __init__(self, state=None, arguments=(), log=None):
        self.folder = tempfile.mkdtemp(prefix="plaw-bench-")
        self.path = os.path.join(self.folder, "s")
        self.state = state or os.path.join(self.folder, "state")
        self.begun = time.perf_counter()
        self.process = subprocess.Popen(
            [os.path.join(programs, "plawd"), "--state-directory", self.state, "--socket", self.path, *arguments],
            stderr=open(log, "w") if log else subprocess.DEVNULL,
        )
        self.peer = Connection(self.path)
        self.peer.call("server.info")
        self.startup = time.perf_counter() - self.begun

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait()
        subprocess.run(["rm", "-rf", self.folder])

    def call(self, method, **params):
        return self.peer.call(method, **params)

    def connect(self, user=None):
        if user is not None:
            os.chmod(self.folder, 0o711)
            os.chmod(self.path, 0o666)
        return Connection(self.path, user)

    def cpu(self):
        return cpu(self.process.pid)

    def memory(self, field="VmRSS"):
        """Bytes, of a line of /proc/PID/status."""
        for line in open(f"/proc/{self.process.pid}/status"):
            if line.startswith(field + ":"):
                return int(line.split()[1]) * 1024

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def synthesized(self, users=400, items=300, length=12):
        """A file of generated interactions."""
        file = os.path.join(self.folder, f"synthetic-{users}.txt")
        subprocess.run(
            [os.path.join(programs, "plaw-trial"), "synthesize", "--users", str(users), "--items", str(items),
             "--mean-length", str(length), "--output", file],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        return file

    def calibrate(self, name="bench"):
        """A dataset of generated interactions with laws, unless it is there."""
        if name in [d["name"] for d in self.call("dataset.list")["datasets"]]:
            return
        self.peer.register(name, self.synthesized())
        job = self.call("calibration.start", name=name, budgetSeconds=30, maxEpochs=15)["job"]["id"]
        job = self.call("job.wait", id=job, timeoutSeconds=300)
        if not job["laws"]:
            sys.exit(f"no law was fitted: {job}")


def cpu(pid):
    """Seconds of user and system time."""
    fields = open(f"/proc/{pid}/stat").read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
