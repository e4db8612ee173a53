# io: the faults: what each takes hold of (no two of a set take hold of the same), how it begins and how it is over. When they begin and
# end is the round's business. Everything random comes from the plant's seed.
import os
import time

import page_cache
import sandbox
from processes import Failure
from proxy import TO_PRIMARY, TO_SECONDARY

SECOND_NS = 1_000_000_000


class Fault:
    holds = ()         # of "A", "B" (the movers), "H" (Hercules), "link", "cable", "clock A", "clock B", "shm"
    needs = ()         # of the plant: "namespaces", "record B", "clocks", "disk", "one system", "slow guest",
                       # "direct" (no proxy), "plain" (no compressed volumes)
    harmless = False   # does not hold up what goes to the secondary
    slow = False       # takes half a minute
    last = False       # over only when every other of the set is over

    def __init__(self, plant):
        self.plant, self.chance = plant, plant.chance

    def begin(self):
        raise NotImplementedError

    def end(self):
        pass


class MoverKilled(Fault):
    site = ""

    def begin(self):
        self.plant.note(f"dsmd of {self.site} killed")
        self.plant.explain("DSML102W")
        self.plant.kill(self.plant.dsmds[self.site])

    def end(self):
        self.plant.start_dsmd(self.site)


class PrimaryMoverKilled(MoverKilled):
    site, holds = "SITEA", ("A",)


class SecondaryMoverKilled(MoverKilled):
    site, holds = "SITEB", ("B",)


class Stopped(Fault):
    def process(self):
        raise NotImplementedError

    def begin(self):
        self.held = self.process()
        self.plant.note(f"{self.held.name} stopped")
        self.held.hold()

    def end(self):
        self.held.release()


class PrimaryMoverStopped(Stopped):
    holds = ("A",)

    def process(self):
        return self.plant.dsmds["SITEA"]


class SecondaryMoverStopped(Stopped):
    holds = ("B",)

    def process(self):
        return self.plant.dsmds["SITEB"]


class HerculesStopped(Stopped):
    """Between any two instructions of a write, numbering included; the others go on."""
    holds, harmless = ("H",), True

    def process(self):
        return self.plant.herculeses[self.chance.choice(self.plant.systems)]

    def begin(self):
        super().begin()
        self.plant.pauses.append([self.held, time.monotonic_ns(), None])

    def end(self):
        super().end()
        self.plant.pauses[-1][2] = time.monotonic_ns()


class HerculesKilled(Fault):
    # Not while its clock is set: a file's times come from the kernel's clock, which is not, and a module that lives behind it would take its own
    # last write for someone's later change, and refuse the volume (DSMC010E).
    holds, needs, last = ("H", "clock A"), ("one system", "plain"), True

    def begin(self):
        self.plant.await_true_times()
        self.plant.note("Hercules killed")
        self.plant.explain("DSMS110W")
        self.plant.checkable, self.plant.disturbed_primary = False, True
        self.killed_at = self.plant.dsmds["SITEA"].mark()
        self.plant.kill(self.plant.herculeses["SYSA"])

    def end(self):
        """Its tracks are mended before the guest can use them; from there the witness begins anew."""
        plant = self.plant
        plant.dsmds["SITEA"].wait_log("DSMS110W", 30, self.killed_at)  # said by this dsmd or by one before it
        plant.new_witness()
        plant.start_hercules("SYSA")
        if "DSMC010E" in plant.herculeses["SYSA"].log():
            raise Failure(f"a volume was refused:\n{plant.herculeses['SYSA'].log()}")
        plant.new_base()
        plant.ipl("SYSA")


class LinkReset(Fault):
    holds = ("link",)

    def begin(self):
        self.plant.note("link reset")
        self.plant.explain("DSML102W")
        for _ in range(self.chance.randint(1, 3)):
            self.plant.proxy.reset()
            self.plant.gap(20, 300)


class LinkRefused(Fault):
    holds = ("link",)

    def begin(self):
        self.plant.note("link cut and refused")
        self.plant.explain("DSML102W")
        self.plant.proxy.refuse(True)

    def end(self):
        self.plant.proxy.refuse(False)


class LinkHeldOneWay(Fault):
    holds = ("link",)

    def begin(self):
        self.way = self.chance.choice((TO_SECONDARY, TO_PRIMARY))
        self.plant.note("link held still towards the " + ("secondary" if self.way == TO_SECONDARY else "primary"))
        self.plant.proxy.ways[self.way].held = True

    def end(self):
        self.plant.proxy.ways[self.way].held = False


class LinkDelayed(Fault):
    holds = ("link",)

    def begin(self):
        self.delay_s = self.chance.choice((0.005, 0.02, 0.08))
        self.plant.note(f"link delayed by {self.delay_s * 1000:.0f} ms and up to twice that")
        for way in self.plant.proxy.ways:
            way.delay_s, way.jitter_s = self.delay_s, self.delay_s

    def end(self):
        for way in self.plant.proxy.ways:
            way.delay_s = way.jitter_s = 0.0


class LinkLossy(Fault):
    """As when segments are lost: everything behind them waits for a retransmission."""
    holds = ("link",)

    def begin(self):
        self.plant.note("link with stalls as of lost segments")
        for way in self.plant.proxy.ways:
            way.stall_chance, way.stall_s = self.chance.choice((0.02, 0.1)), 0.2

    def end(self):
        for way in self.plant.proxy.ways:
            way.stall_chance = 0.0


class LinkDamaged(Fault):
    """TLS finds it; the link is bound again."""
    holds = ("link",)

    def begin(self):
        self.way = self.plant.proxy.ways[self.chance.choice((TO_SECONDARY, TO_PRIMARY))]
        self.plant.explain("DSML102W", "DSML107W")
        self.way.damage = 1

    def end(self):
        done = self.way.damage == 0  # another fault of the set may have kept everything off the link
        self.way.damage = 0
        self.plant.note("a bit flipped on the link" if done else "no bit flipped on the silent link", fault=done)


class CableOut(Fault):
    """Nothing is answered and nothing is refused."""
    holds, needs = ("cable",), ("namespaces",)

    def begin(self):
        self.plant.note("cable out")
        self.plant.explain("DSML102W")
        self.plant.host.cable(False)

    def end(self):
        self.plant.host.cable(True)


class SecondaryVanished(Fault):
    """A network that swallows everything for long: the primary gives the link up in time and binds again as soon as there is one. Left to
    itself TCP would go on sending the same segment for a quarter of an hour."""
    holds, needs, slow = ("link", "cable", "A", "B", "H"), ("namespaces", "direct", "slow guest"), True

    def begin(self):
        self.plant.note("cable out until the link is given up")
        self.plant.explain("DSML102W")
        self.mover = self.plant.dsmds["SITEA"]
        since = self.mover.mark()
        self.plant.host.cable(False)
        self.mover.wait_log("DSML102W", 40, since)

    def end(self):
        since = self.mover.mark()
        self.plant.host.cable(True)
        self.mover.wait_log("DSML101I", 20, since)


class Bandwidth(Fault):
    holds, needs = ("cable",), ("namespaces",)

    def begin(self):
        self.kind, self.both = self.chance.choice(("TBF", "HTB")), self.chance.random() < 0.5
        rate_kbit = self.chance.choice((300, 1000, 4000))
        self.plant.note(f"bandwidth limited to {rate_kbit} kbit/s by {self.kind}" + (" both ways" if self.both else ""))
        self.plant.host.limit(self.kind, rate_kbit, self.both)

    def end(self):
        self.plant.host.no_limit(self.both)


class ClockSet(Fault):
    site = ""
    needs, harmless = ("clocks",), True

    def begin(self):
        seconds = self.chance.choice((-86400, -3600, -30, -1, -0.05, 0.05, 1, 30, 3600, 86400))
        self.plant.note(f"clock of {self.site} set by {seconds:+g} s")
        # While it is off, a new link may find the partner's certificate not yet valid.
        self.plant.explain("DSML102W", "DSML107W")
        self.plant.set_clock(self.site, int(seconds * SECOND_NS))

    def end(self):
        self.plant.set_clock(self.site, 0)


class PrimaryClockSet(ClockSet):
    site, holds = "SITEA", ("clock A",)


class SecondaryClockSet(ClockSet):
    site, holds = "SITEB", ("clock B",)


class SecondaryHostLost(Fault):
    """The process and what the host's page cache had not yet written. What it had acknowledged must be there."""
    holds, needs = ("B",), ("record B",)

    def begin(self):
        self.plant.explain("DSML102W")
        self.plant.kill(self.plant.dsmds["SITEB"])
        damage = lose_page_cache(self.plant, "SITEB")
        self.plant.note(f"host of SITEB lost, {damage.text()}")

    def end(self):
        self.plant.start_dsmd("SITEB")


def lose_page_cache(plant, site):
    mode = plant.chance.choice(("all lost", "any")) if plant.lie else None  # a planted bug is to show
    return page_cache.lose_page_cache(plant.recorder_log(site), plant.sites[site].folder, plant.chance, mode)


class SecondaryDiskFull(Fault):
    """Journal, images and checkpoints on a disk without space: nothing more is acknowledged, the secondary stops with a message, and goes
    on from its journal when there is space and it is started again."""
    holds, needs = ("B", "cable"), ("disk",)

    def begin(self):
        self.plant.note("disk of SITEB full")
        self.plant.explain("DSML102W", "DSMM134E", "DSMM133S", "DSMM114E", "DSML105E", "DSML106W", "DSML104E", "DSMM137W")
        self.filler = sandbox.fill_disk(self.plant.sites["SITEB"].folder)
        self.plant.dsmds["SITEB"].wait_log("DSMM133S", 60)

    def end(self):
        before = int(self.plant.storage()["acknowledged"])
        self.plant.gap(50, 500)
        after = int(self.plant.storage()["acknowledged"])
        if after != before:
            raise AssertionError(f"a stopped secondary acknowledged {after} after {before}")
        os.unlink(self.filler)
        code = self.plant.dsmds["SITEB"].terminate()
        if code != 0:
            raise AssertionError(f"the stopped secondary ended with {code}")
        self.plant.start_dsmd("SITEB")


class SharedMemoryFull(Fault):
    """Common storage is allocated up front: writers do not notice, and dsmd starts again on it."""
    holds, needs = ("A",), ("namespaces",)

    def begin(self):
        self.plant.note("/dev/shm full and dsmd of SITEA killed", fault=False)
        self.plant.faults += 2
        self.plant.explain("DSML102W")
        self.filler = sandbox.fill_disk("/dev/shm")
        self.plant.gap(50, 500)
        self.plant.kill(self.plant.dsmds["SITEA"])

    def end(self):
        self.plant.start_dsmd("SITEA")
        self.plant.gap(50, 500)
        os.unlink(self.filler)


KINDS = (PrimaryMoverKilled, SecondaryMoverKilled, PrimaryMoverStopped, SecondaryMoverStopped, HerculesStopped, HerculesKilled, LinkReset,
         LinkRefused, LinkHeldOneWay, LinkDelayed, LinkLossy, LinkDamaged, CableOut, Bandwidth, PrimaryClockSet, SecondaryClockSet, SecondaryVanished,
         SecondaryHostLost, SecondaryDiskFull, SharedMemoryFull)
