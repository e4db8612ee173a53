# io: a whole Afterimage installation for one end-to-end test: two sites on the loopback, volumes, certificates, configuration, dsmd,
# Hercules with the product's module and the witness. Nothing outlives the test (see processes.py).
import os
import random
import re
import shutil
import socket
import string
import subprocess
from dataclasses import dataclass
from xml.sax.saxutils import quoteattr

import witness_log
from ckd_image import image_differences
from processes import Failure, Process, Workspace, wait_until
from seeds import seeded

REPOSITORY = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("AFTERIMAGE_BUILD", os.path.join(REPOSITORY, "build"))
SAMPLES = os.path.join(REPOSITORY, "samples")
HERCULES_MODULES = os.environ.get("HERCULES_MODULES", "/usr/lib/hercules")
DSMD, DSM = os.path.join(BUILD, "service", "dsmd"), os.path.join(BUILD, "service", "dsm")
DSMCHAN = os.path.join(BUILD, "channel", "dsmchan.so")
WITNESS = os.path.join(BUILD, "tests", "witness", "witness.so")
HOLD_WRITE = os.path.join(BUILD, "tests", "e2e", "hold_write.so")
STORAGE_PROBE = os.path.join(BUILD, "tests", "e2e", "storage_probe")
SESSION = "DALLAS"
FIRST_DEVICE, BANK_CYLINDERS, READER = 0x0120, 20, 0x000C


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def run(*arguments, **more):
    """A short command that must succeed; its output."""
    done = subprocess.run([str(a) for a in arguments], capture_output=True, text=True, timeout=more.pop("timeout", 60), **more)
    if done.returncode:
        raise Failure(f"{' '.join(map(str, arguments))} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    return done.stdout


def need(*paths):
    missing = [path for path in paths if not os.path.exists(path)]
    if missing:
        raise Failure(f"not built: {', '.join(missing)}; build first, or name the build folder in AFTERIMAGE_BUILD")


@dataclass
class Volume:
    volser: str
    device: int
    system: str = "SYSA"
    file: str = ""  # below the sites' folders
    type: str = "3390"
    options: str = ""  # of its device statement


ARCHMODES = {"z": "z/Arch", "370": "S/370"}
BANK_TYPES = {"z": "3390", "370": "3350"}


def bank_volumes(systems=("SYSA",), arch="z"):
    """Three volumes for the bank of each system; the device numbers are the same in every system, the volsers are not."""
    return [Volume(f"BNK{system[-1]}0{i + 1}", FIRST_DEVICE + i, system, f"bnk{system[-1].lower()}0{i + 1}.ckd", BANK_TYPES[arch])
            for system in systems for i in range(3)]


def blank_volume(path, volser, cylinders, device_type="3390"):
    run("dasdinit", path, device_type, volser, cylinders)


def make_volumes(folder, volumes, cylinders=BANK_CYLINDERS):
    for volume in volumes:
        blank_volume(os.path.join(folder, volume.file), volume.volser, cylinders, volume.type)


def bank_devices(folder, volumes, system):
    return [(v.device, f"{v.type} {os.path.join(folder, v.file)} {v.options}".rstrip()) for v in volumes if v.system == system]


def guest(workspace, program, arch="z", **definitions):
    """Builds a guest program; the path of what Hercules loads."""
    name = "-".join([program, arch] + [f"{k}{v}" for k, v in sorted(definitions.items())])
    out = workspace.path("guests", name + ".deck")
    if not os.path.exists(out):
        os.makedirs(os.path.dirname(out), exist_ok=True)
        defines = [part for key, value in definitions.items() for part in ("--define", f"{key}={value}")]
        run(os.path.join(SAMPLES, "build-guest.sh"), program, "--arch", arch, *defines, out)
    return out


class Hercules(Process):
    """One Hercules. Commands go in on stdin (through the dyngui module, which a daemon needs for that)."""

    def __init__(self, workspace, name, devices, modules=(), environment=None, extra=(), cpus=1, arch="z/Arch"):
        config = workspace.path(f"{name}.cnf")
        lines = ["CPUSERIAL 000001", "CPUMODEL 2064", "MAINSIZE 16", "XPNDSIZE 0", f"NUMCPU {cpus}", f"ARCHMODE {arch}", "OSTAILOR QUIET",
                 "PANRATE SLOW", "DIAG8CMD ENABLE", f"MODPATH {self.module_folder(workspace)}", "LDMOD dyngui"]
        lines += [f"LDMOD {module}" for module in modules]
        lines += list(extra) + ["0009 3215-C /"]
        lines += [f"{number:04X} {text}" for number, text in devices]
        with open(config, "w", encoding="ascii") as handle:
            handle.write("\n".join(lines) + "\n")
        super().__init__(workspace, name, ["hercules", "-d", "-f", config],
                         {"AFTERIMAGE_SYSTEM": name, **(environment or {})}, stdin=True)

    @staticmethod
    def module_folder(workspace):
        folder = workspace.path("modules")
        if not os.path.exists(folder):
            os.makedirs(folder)
            ours = {os.path.basename(path): path for path in (DSMCHAN, WITNESS)}  # not those an installation has put there
            for name in os.listdir(HERCULES_MODULES):
                if name not in ours:
                    os.symlink(os.path.join(HERCULES_MODULES, name), os.path.join(folder, name))
            for name, path in ours.items():
                os.symlink(path, os.path.join(folder, name))
        return folder

    def wait_ready(self, timeout_s=30):
        self.wait_log(r"HHCDG001I|HHCAO001I", timeout_s)
        return self

    def wait_running(self, condition, timeout_s, what):
        """wait_until, but fails at once when Hercules has ended or its guest has stopped."""
        def look():
            value = condition()
            if not value and (not self.alive() or "HHCCP011I" in self.log()):
                raise Failure(f"{self.name}: Hercules or its guest has stopped while waiting for {what}:\n{self.tail()}")
            return value

        return wait_until(look, timeout_s, lambda: f"{what}:\n{self.tail()}", 0.05)

    def quit(self, timeout_s=30):
        self.command("quit")
        return self.wait(timeout_s)


@dataclass
class Site:
    name: str
    lu: str
    port: int
    folder: str


class Plant:
    """Two sites and what runs at them. Volumes are equal at the start: the secondary's are copies, `base` keeps them for the checker."""

    def __init__(self, workspace, volumes=None, systems=("SYSA",), ring="16M", message="64K", interval="10ms", window="8M", pace_limit="2s",
                 freeze_limit="120s", journal="64M", heartbeat="3s", action="NONE", witness=True, prepared=None):
        self.workspace, self.systems = workspace, systems
        self.plex = "T" + "".join(random.SystemRandom().choice(string.ascii_uppercase + string.digits) for _ in range(7))
        workspace.shared_memory.append(f"afterimage.{self.plex}.{os.getuid()}")
        self.sites = {name: Site(name, f"{name}.DSMLU", free_port(), workspace.path(name.lower())) for name in ("SITEA", "SITEB")}
        for folder in [site.folder for site in self.sites.values()] + [workspace.path("base")]:
            os.makedirs(folder)
        self.volumes = volumes if volumes is not None else bank_volumes(systems)
        if prepared:
            prepared.copy_to(self.sites["SITEA"].folder, self.volumes)
        else:
            make_volumes(self.sites["SITEA"].folder, self.volumes)
        for volume in self.volumes:
            self.copy_all_files(volume, self.sites["SITEA"].folder, workspace.path("base"))
            self.copy_all_files(volume, self.sites["SITEA"].folder, self.sites["SITEB"].folder)
        run(os.path.join(SAMPLES, "make-test-ca.sh"), workspace.path("certs"), *[site.lu for site in self.sites.values()])
        self.settings = dict(ring=ring, message=message, interval=interval, window=window, pace_limit=pace_limit, freeze_limit=freeze_limit, journal=journal,
                             heartbeat=heartbeat, action=action)
        self.config = workspace.path("afterimage.xml")
        self.write_config(self.config)
        self.witness_file = workspace.path("witness")
        if witness:
            witness_log.create(self.witness_file)
        self.dsmds, self.herculeses = {}, {}
        self.environments = {}  # more of it for the Hercules of a system

    @staticmethod
    def copy_all_files(volume, source, target):
        shutil.copyfile(os.path.join(source, volume.file), os.path.join(target, volume.file))

    def image(self, site, volume):
        return os.path.join(self.sites[site].folder, volume.file)

    def base_image(self, volume):
        return self.workspace.path("base", volume.file)

    # ---- configuration

    def config_text(self, **changes):
        """The XML; `changes` replace settings, certificates or LU names for the refusal tests."""
        s = {**self.settings, **changes}
        certs = self.workspace.path("certs")
        lines = [f'<afterimage xmlns="urn:afterimage:config:1" plex={quoteattr(self.plex)}>']
        for site in self.sites.values():
            own = s.get("certificates", {}).get(site.name, os.path.join(certs, site.lu))
            authority = s.get("authority", {}).get(site.name, os.path.join(certs, "ca.crt.pem"))
            lu = s.get("lu", {}).get(site.name, site.lu)
            directory = s.get("directory", {}).get(site.name, site.folder)
            lines.append(f'  <site name="{site.name}" lu="{lu}" listen="127.0.0.1:{site.port}" directory={quoteattr(directory)}'
                         f' certificate={quoteattr(own + ".crt.pem")} key={quoteattr(own + ".key.pem")} authority={quoteattr(authority)}/>')
        lines += [f'  <system name="{system}" site="SITEA"/>' for system in self.systems]
        lines.append(f'  <storage ring="{s["ring"]}"/>')
        lines.append(f'  <session name="{SESSION}" primary="SITEA" secondary="SITEB" errorlevel="SESSION">')
        lines.append(f'    <buffers message="{s["message"]}" interval="{s["interval"]}" window="{s["window"]}"'
                     f' pacelimit="{s["pace_limit"]}" freezelimit="{s["freeze_limit"]}"/>')
        lines.append(f'    <journal bytes="{s["journal"]}" files="2"/>')
        lines.append(f'    <failure heartbeat="{s["heartbeat"]}" action="{s["action"]}"/>')
        for volume in self.volumes:
            secondary = s.get("secondary", {}).get(volume.volser, self.image("SITEB", volume))
            lines.append(f'    <volume volser="{volume.volser}" secvolser="{volume.volser}" system="{volume.system}"'
                         f' device="{volume.device:04X}" type="{volume.type}" image={quoteattr(self.image("SITEA", volume))}'
                         f' secondary={quoteattr(secondary)}/>')
        lines += ["  </session>", "</afterimage>"]
        return "\n".join(lines) + "\n"

    def write_config(self, path, **changes):
        with open(path, "w", encoding="utf-8") as handle:
            handle.write(self.config_text(**changes))
        return path

    # ---- the started tasks and commands

    def start_dsmd(self, site, config=None, ready=True, limits=None):
        process = Process(self.workspace, f"dsmd-{site}", [DSMD, "--config", config or self.config, "--site", site], limits=limits)
        self.dsmds[site] = process
        if ready:
            wait_until(lambda: self.answers(site, process), 20, lambda: f"dsmd of {site} to answer:\n{process.tail()}")
        return process

    def answers(self, site, process):
        if not process.alive():
            raise Failure(f"dsmd of {site} ended with {process.child.returncode}:\n{process.tail()}")
        return self.ask(site, "D A,L")[0] == 0

    def ask(self, site, command, timeout_s=60):
        """(return code, output) of one operator command."""
        done = subprocess.run([DSM, "--config", self.config, "--site", site, command], capture_output=True, text=True, timeout=timeout_s)
        return done.returncode, done.stdout + done.stderr

    def ask_without_waiting(self, site, command):
        return Process(self.workspace, "dsm", [DSM, "--config", self.config, "--site", site, command])

    def dsms_tails(self):
        return "\n".join(f"--- dsmd of {site}\n{process.tail()}" for site, process in self.dsmds.items())

    def dsm(self, site, command, accept=(0,), timeout_s=60):
        code, text = self.ask(site, command, timeout_s)
        if code not in accept:
            raise Failure(f"'{command}' at {site} ended with {code}:\n{text}\n--- dsmd:\n{self.dsmds[site].tail()}")
        return text

    def start_session(self, compare=False):
        """XSTART; returns the first sequence number."""
        text = self.dsm("SITEA", f"F DSM,XSTART {SESSION} COMPARE({'YES' if compare else 'NO'})")
        return self.first_sequence(text)

    @staticmethod
    def first_sequence(text):
        match = re.search(r"FIRST SEQUENCE\D*(\d+)|SEQUENCE (?:NUMBER )?(\d+)", text)
        if not match:
            raise Failure(f"XSTART does not tell the first sequence number: {text}")
        return int(match.group(1) or match.group(2))

    def storage(self):
        """What common storage says, read without dsmd: {'acknowledged': n, 'numbered': n, 'state': text, ...}"""
        return dict(line.split("=", 1) for line in run(STORAGE_PROBE, self.workspace.shared_memory[0]).splitlines())

    # ---- guests

    def start_hercules(self, system="SYSA", modules=("dsmchan", "witness"), guest_deck=None, extra=(), site="SITEA", name=None, arch="z"):
        devices = bank_devices(self.sites[site].folder, self.volumes, system)
        if guest_deck:
            devices.insert(0, (READER, f"3505 {guest_deck} ebcdic eof"))
        number = list(self.systems).index(system)
        process = Hercules(self.workspace, name or system, devices, modules,
                           {"AFTERIMAGE_PLEX": self.plex, "WITNESS_FILE": self.witness_file,
                            "WITNESS_SYSTEM": str(number), **self.environments.get(system, {})}, extra, arch=ARCHMODES[arch])
        self.herculeses[system] = process
        return process.wait_ready()

    def checker_volumes(self, site="SITEB"):
        return [(v.volser, (list(self.systems).index(v.system), v.device), self.base_image(v), self.image(site, v)) for v in self.volumes]

    def wait_writes(self, count, timeout_s=60):
        """Until the witness has seen so many more records."""
        goal = witness_log.next_ordinal(self.witness_file) + count
        next(iter(self.herculeses.values())).wait_running(lambda: witness_log.next_ordinal(self.witness_file) >= goal, timeout_s,
                                                          f"{count} more records of the witness")

    def wait_records_of(self, systems, count, timeout_s=60):
        """Until each system has made so many more records."""
        numbers = [list(self.systems).index(system) for system in systems]
        before = witness_log.records_by_system(self.witness_file)
        wait_until(lambda: all(witness_log.records_by_system(self.witness_file).get(n, 0) >= before.get(n, 0) + count for n in numbers),
                   timeout_s, f"{count} more records of each of {systems}", 0.2)

    def differences(self):
        return [f"{v.volser}: {phrase}" for v in self.volumes
                for phrase in image_differences(self.image("SITEA", v), self.image("SITEB", v))]

    def loss_report(self, site="SITEB"):
        folder = self.sites[site].folder
        found = [name for name in os.listdir(folder) if name.startswith("loss-report.")]
        if len(found) != 1:
            raise Failure(f"one loss report is expected in {folder}, there are {found}")
        with open(os.path.join(folder, found[0]), encoding="utf-8") as handle:
            return handle.read()

