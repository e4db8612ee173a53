# io: namespaces for one round: processes, mounts, network and /dev/shm of its own, so that links can be shaped and taken down, disks can be
# full, and nothing outlives the round however it ends. As root or, where the kernel allows it, as any user; else without.
import os
import subprocess
import sys

from processes import Process, wait_until

INSIDE = "AFTERIMAGE_FAULTS_SANDBOX"  # what the round runs in: "all" or "none"
PRIMARY_ADDRESS, SECONDARY_ADDRESS = "10.77.0.1", "10.77.0.2"
SHM_BYTES = 256 << 20


def unshare_words():
    words = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child=KILL", "--mount-proc"]
    return words if os.getuid() == 0 else words + ["--user", "--map-root-user"]


def why_not():
    """"" when a round can have its namespaces, else what is missing."""
    if os.environ.get("AFTERIMAGE_FAULTS_NAMESPACES") == "none":
        return "AFTERIMAGE_FAULTS_NAMESPACES=none"
    try:
        probe = ("mount -t tmpfs none /dev/shm && ip link set lo up && ip link add a0 type veth peer name b0 && "
                 "tc qdisc add dev a0 root tbf rate 1mbit burst 32k latency 50ms")
        done = subprocess.run([*unshare_words(), "sh", "-c", probe], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as failure:
        return str(failure)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or ["unshare failed"])[-1]


def command(arguments, namespaces):
    """The words that run `arguments` (a Python script with its options) inside; the environment says so to it."""
    return [*(unshare_words() if namespaces else []), sys.executable, *arguments]


def run(*words):
    subprocess.run([str(word) for word in words], check=True, capture_output=True, timeout=20)


def prepare():
    """Inside, once, before anything is started."""
    run("mount", "-t", "tmpfs", "-o", f"size={SHM_BYTES}", "none", "/dev/shm")
    run("ip", "link", "set", "lo", "up")


class SecondaryHost:
    """A network namespace for the secondary's dsmd, a cable to it (a0 here, b0 there)."""

    def __init__(self, workspace):
        self.holder = Process(workspace, "secondary-host", ["unshare", "--net", "sleep", "infinity"])
        self.path = f"/proc/{self.holder.child.pid}/ns/net"
        own = os.readlink("/proc/self/ns/net")
        wait_until(lambda: os.readlink(self.path) != own, 10, "the network namespace of the secondary")
        self.words = ["nsenter", f"--net={self.path}"]
        run("ip", "link", "add", "a0", "type", "veth", "peer", "name", "b0", "netns", self.holder.child.pid)
        run("ip", "addr", "add", f"{PRIMARY_ADDRESS}/24", "dev", "a0")
        run("ip", "link", "set", "a0", "up")
        self.there("ip", "addr", "add", f"{SECONDARY_ADDRESS}/24", "dev", "b0")
        self.there("ip", "link", "set", "b0", "up")
        self.there("ip", "link", "set", "lo", "up")

    def there(self, *words):
        run(*self.words, *words)

    def cable(self, up):
        """Taken out: what is sent is lost without a word to either side."""
        run("ip", "link", "set", "a0", "up" if up else "down")

    def limit(self, kind, rate_kbit, both_ways):
        for words in ([], self.words) if both_ways else ([],):
            device = "b0" if words else "a0"
            if kind == "TBF":
                run(*words, "tc", "qdisc", "replace", "dev", device, "root", "tbf", "rate", f"{rate_kbit}kbit", "burst", "16k", "latency", "300ms")
            else:
                run(*words, "tc", "qdisc", "replace", "dev", device, "root", "handle", "1:", "htb", "default", "1")
                run(*words, "tc", "class", "add", "dev", device, "parent", "1:", "classid", "1:1", "htb", "rate", f"{rate_kbit}kbit")

    def no_limit(self, both_ways):
        run("tc", "qdisc", "del", "dev", "a0", "root")
        if both_ways:
            self.there("tc", "qdisc", "del", "dev", "b0", "root")


def small_disk(folder, size_bytes):
    """`folder` with what is in it becomes a file system of its own, of a size of its own."""
    aside = folder + ".aside"
    os.rename(folder, aside)
    os.makedirs(folder)
    run("mount", "-t", "tmpfs", "-o", f"size={size_bytes}", "none", folder)
    run("cp", "-a", "--sparse=always", aside + "/.", folder)
    run("rm", "-r", aside)


def fill_disk(folder):
    """Takes all space there is; returns the file to remove."""
    path = os.path.join(folder, "filler.bin")
    with open(path, "wb", buffering=0) as handle:
        size = 1 << 20
        while size >= 512:
            try:
                if handle.write(bytes(size)) < size:
                    size //= 2
            except OSError:
                size //= 2
    return path
