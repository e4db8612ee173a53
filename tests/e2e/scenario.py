# Steps the end-to-end scenarios share: the bank guest under the mirror, restarts of a mover, both sites equal once idle, the audit.
import os
import re
import shutil
import tempfile

from witness_log import WitnessLog
from harness import ARCHMODES, READER, SESSION, Failure, Hercules, Workspace, bank_devices, bank_volumes, guest, make_volumes, wait_until

AUDIT_PASSED = r"AUDIT PASSED.*"
AUDIT_ENDED = r"AUDIT (PASSED|FAILED).*"
BANK_COMMITS = r"BANK COMMITTED="
IPL = f"ipl {READER:03x}"


class BankBase:
    """Bank volumes formatted once, without the mirror, for the tests that need not see the format writes."""

    def __init__(self):
        self.folder = tempfile.mkdtemp(prefix="afterimage-e2e-bankbase.", dir=os.environ.get("TMPDIR", "/tmp"))

    def copy_to(self, folder, volumes):
        missing = {v.system for v in volumes if not os.path.exists(os.path.join(self.folder, v.file))}
        for system in sorted(missing):
            self._format(system)
        for volume in volumes:
            shutil.copyfile(os.path.join(self.folder, volume.file), os.path.join(folder, volume.file))

    def _format(self, system):
        volumes = bank_volumes((system,))
        make_volumes(self.folder, volumes)
        with Workspace("bankbase") as workspace:
            devices = [(READER, reader(guest(workspace, "bank")))] + bank_devices(self.folder, volumes, system)
            hercules = Hercules(workspace, "PREPARE", devices).wait_ready()
            hercules.command(IPL)
            hercules.wait_log(BANK_COMMITS, 60)
            hercules.quit()

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)


def reader(deck):
    return f"3505 {deck} ebcdic eof"


def guest_reader(plant, program):
    return guest(plant.workspace, program)


def start_mirrored_bank(plant, system="SYSA", start_movers=True, modules=("dsmchan", "witness"), running=True, arch="z", **definitions):
    """Both movers, the session, Hercules with the bank IPLed (and, unless told, past its start); the first sequence number."""
    first = 1
    if start_movers:
        plant.start_dsmd("SITEB")
        plant.start_dsmd("SITEA")
        first = plant.start_session()
    hercules = plant.start_hercules(system, modules, guest_deck=guest(plant.workspace, "bank", arch, **definitions), arch=arch)
    hercules.command(IPL)
    if running:
        hercules.wait_log(BANK_COMMITS, 60)
    return first


def restart_mover(plant, site, between):
    """SIGKILL of one dsmd, `between` with it gone, then a new one."""
    plant.dsmds[site].kill()
    between()
    plant.start_dsmd(site)


def state(plant):
    return plant.storage()["state"]


def assert_equal_once_idle(plant, timeout_s=30):
    """Hercules has ended, so nothing is written any more: everything numbered is acknowledged and the sites compare equal."""
    if state(plant) != "ACTIVE":
        raise Failure(f"the session is {state(plant)}:\n{plant.dsmds['SITEA'].tail()}")

    def drained():
        storage = plant.storage()
        return storage["acknowledged"] == storage["numbered"]

    if plant.storage()["numbered"] == "0":
        raise Failure("nothing was written: to be equal proves nothing")

    wait_until(drained, timeout_s, lambda: f"all of {plant.storage()} to be acknowledged:\n{plant.dsms_tails()}", 0.1)
    found = []

    def equal():
        found[:] = plant.differences()
        return not found

    wait_until(equal, timeout_s, lambda: "both sites to be equal; they differ: " + "; ".join(found), 0.2)


def run_audit(plant, site="SITEB", arch="z"):
    """IPLs audit on a site's volumes with a plain Hercules; returns its verdict line, fails unless it passed."""
    devices = bank_devices(plant.sites[site].folder, plant.volumes, "SYSA")
    hercules = Hercules(plant.workspace, "AUDIT", [(READER, reader(guest(plant.workspace, "audit", arch)))] + devices, arch=ARCHMODES[arch]).wait_ready()
    hercules.command(IPL)
    verdict = hercules.wait_log(AUDIT_ENDED, 60).group(0)
    hercules.quit()
    if not re.search(AUDIT_PASSED, verdict):
        raise Failure(f"audit on the volumes of {site}: {verdict}")
    return verdict



def recovery_point(text):
    """A, B from the loss report's header lines."""
    points = dict(re.findall(r"POINT ([AB])\D*?(\d+)", text.upper()))
    if "A" not in points or "B" not in points:
        raise Failure(f"the loss report does not tell points A and B:\n{text}")
    return int(points["A"]), int(points["B"])


def lost_list_problem(report, plant, verdict, point_a, point_b):
    """"" when the report lists exactly the tokens A+1..B, each with the volume, track and CCW code the witness saw behind the cut."""
    columns = r"^ *(\d+) (\S+) +\S+ ([0-9A-F]{4})([0-9A-F]{4})[0-9A-F]{2} ([0-9A-F]{2}) +WRITE .* (?:HELD|MISSING)$"
    rows = re.findall(columns, report, re.MULTILINE)
    if [int(row[0]) for row in rows] != list(range(point_a + 1, point_b + 1)):
        return f"the report lists {len(rows)} writes, A={point_a} B={point_b}"
    units, next_of = WitnessLog(plant.witness_file).units, dict(verdict.low)
    device_of = {v.volser: (list(plant.systems).index(v.system), v.device) for v in plant.volumes}
    for sequence, volser, cylinder, head, ccw in rows:
        mine = units.get(device_of[volser], [])
        if next_of[volser] >= len(mine):
            return f"write {sequence} on {volser} was never made"
        unit = mine[next_of[volser]]
        next_of[volser] += 1
        track = int(cylinder, 16) * 15 + int(head, 16)
        if int(ccw, 16) != unit.ccw or track not in {t for t, _, _ in unit.writes}:
            return f"write {sequence} on {volser}: the report says CCW {ccw} on track {track}, the witness saw {unit.text()}"
    return ""
