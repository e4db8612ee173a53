# Decides from the witness alone whether recovered volumes are one consistent cut of what the guests wrote. Uses none of the product's code.
#
# Per volume: the numbers k such that base + the first k write CCWs gives the recovered image (as records). Across volumes: a choice of
# one k per volume such that no write was left out whose channel program had ended before the channel program of an included write
# started (a guest can make a write depend only on writes it has seen end). `strict` demands more, true of the product when the witness
# wraps it from outside: the same for the write CCWs themselves.
import bisect
import sys
from dataclasses import dataclass, field

from ckd_image import CkdImage, records_of, track_difference, used_bytes
from witness_log import NEVER, WitnessLog


@dataclass
class VolumePrefix:
    name: str
    units: list
    allowed: list = field(default_factory=list)  # [(low, high)] of k, ascending, disjoint
    problem: str = ""


@dataclass
class Verdict:
    problem: str = ""                      # "" = consistent
    low: dict = field(default_factory=dict)   # volume -> k of the smallest consistent cut
    high: dict = field(default_factory=dict)  # and of the largest
    writes: int = 0                        # write CCWs the witness saw, all volumes

    @property
    def included(self):
        return sum(self.low.values()), sum(self.high.values())

    def text(self):
        if self.problem:
            return "NOT CONSISTENT: " + self.problem
        low, high = self.included
        span = str(low) if low == high else f"{low} to {high}"
        return f"consistent cut of {span} of {self.writes} write CCWs: " + ", ".join(f"{name}={k}" for name, k in self.low.items())


def track_histories(units):
    """track -> [(index of unit, [writes to this track])]"""
    histories = {}
    for index, unit in enumerate(units):
        for track, offset, data in unit.writes:
            history = histories.setdefault(track, [])
            if not history or history[-1][0] != index:
                history.append((index, []))
            history[-1][1].append((offset, data))
    return histories


def track_intervals(base, history, recovered, unit_count):
    """Intervals of k for which this track, after its writes among the first k units, equals the recovered one."""
    used = used_bytes(recovered)
    if used is None:
        return []
    wanted = bytes(recovered[:used])
    current = bytearray(base)
    found = []
    start, equal = 0, bytes(current[:used]) == wanted
    for index, writes in history:
        if equal:
            found.append((start, index))
        for offset, data in writes:
            current[offset:offset + len(data)] = data
        start, equal = index + 1, bytes(current[:used]) == wanted
    if equal:
        found.append((start, unit_count))
    return found


def intersect(left, right):
    result, i, j = [], 0, 0
    while i < len(left) and j < len(right):
        low, high = max(left[i][0], right[j][0]), min(left[i][1], right[j][1])
        if low <= high:
            result.append((low, high))
        if left[i][1] < right[j][1]:
            i += 1
        else:
            j += 1
    return result


def explain_track(base, history, recovered, units, place):
    """Why no prefix of a track's writes gives its recovered contents."""
    if used_bytes(recovered) is None:
        return f"{place}: the recovered track has no end-of-track marker (torn)"
    current, best, best_text = bytearray(base), (-1, 0), ""
    wanted = dict((number, (key, data)) for number, key, data in records_of(recovered))
    steps = [(-1, [])] + history
    for index, writes in steps:
        for at, (offset, data) in enumerate(writes):
            current[offset:offset + len(data)] = data
            if at + 1 < len(writes) and not track_difference(bytes(current), recovered):
                return f"{place}: only a part of one write CCW is there ({units[index].text()})"
        agree = likeness(records_of(current), wanted)
        if agree >= best:
            after = "the base" if index < 0 else f"write {index + 1} ({units[index].text()})"
            best, best_text = agree, f"nearest is {after}: {track_difference(bytes(current), recovered)}"
    return f"{place}: no prefix of its {len(history)} writes gives what was recovered; {best_text}"


def likeness(records, wanted):
    """Whole records that agree, then bytes that agree: so that a torn record is compared with the write it was torn from."""
    whole = sum(1 for number, key, data in records if wanted.get(number) == (key, data))
    some = sum(x == y for number, key, data in records if number in wanted for x, y in zip(data, wanted[number][1]))
    return whole, some


def volume_prefix(name, base_path, recovered_path, units):
    result = VolumePrefix(name, units)
    base, recovered = CkdImage(base_path), CkdImage(recovered_path)
    try:
        if (base.tracks, base.track_bytes) != (recovered.tracks, recovered.track_bytes):
            result.problem = f"{name}: the recovered image has another size than the base"
            return result
        histories = track_histories(units)
        for track in range(base.tracks):
            if track not in histories:
                phrase = track_difference(base.track(track), recovered.track(track))
                if phrase:
                    result.problem = f"{name} {base.place(track)}: no guest wrote here, and yet it differs from the base: {phrase}"
                    return result
        allowed, blame = [(0, len(units))], None
        for track in sorted(histories):
            mine = track_intervals(base.track(track), histories[track], recovered.track(track), len(units))
            if not mine:
                result.problem = f"{name} " + explain_track(base.track(track), histories[track], recovered.track(track), units,
                                                            base.place(track))
                return result
            both = intersect(allowed, mine)
            if not both:
                result.problem = (f"{name} {base.place(track)} is as after {describe(mine)} of the volume's writes, but "
                                  f"{blame} is as after {describe(allowed)}: " + missing_between(allowed, mine, units))
                return result
            if both != allowed:
                allowed, blame = both, f"{base.place(track)} and those before it"
        result.allowed = allowed
        return result
    finally:
        base.close()
        recovered.close()


def describe(intervals):
    shown = ", ".join(str(a) if a == b else f"{a} to {b}" for a, b in intervals[:4])
    return shown + (" ..." if len(intervals) > 4 else "")


def missing_between(left, right, units):
    earlier = min(left[-1][1], right[-1][1])
    if earlier < len(units):
        return f"write {earlier + 1} ({units[earlier].text()}) is missing while a later one is there"
    return "the two cannot both be"


class Cut:
    """Consistent cuts over several volumes. `keys` of a unit: when it could first depend on others, when others could depend on it."""

    def __init__(self, volumes, strict):
        self.volumes = volumes
        self.starts = [[u.begin if strict else u.program_start for u in v.units] for v in volumes]
        self.ends = []
        for volume in volumes:
            ends = [u.end if strict else u.program_end for u in volume.units]
            for i in range(len(ends) - 2, -1, -1):  # an end the witness missed is no later than the next one on the device
                ends[i] = min(ends[i], ends[i + 1])
            self.ends.append(ends)

    def at_least(self, volume, k):
        for low, high in self.volumes[volume].allowed:
            if k <= high:
                return max(low, k)
        return None

    def at_most(self, volume, k):
        for low, high in reversed(self.volumes[volume].allowed):
            if k >= low:
                return min(high, k)
        return None

    def raise_to_consistent(self, cut):
        """Smallest consistent allowed cut >= cut, or (volume, other, needed) that makes it impossible."""
        cut = list(cut)
        changed = True
        while changed:
            changed = False
            for d, k in enumerate(cut):
                if k == 0:
                    continue
                start = self.starts[d][k - 1]
                for e in range(len(cut)):
                    needed = bisect.bisect_left(self.ends[e], start)
                    if e != d and needed > cut[e]:
                        higher = self.at_least(e, needed)
                        if higher is None:
                            return None, (d, e, needed)
                        cut[e], changed = higher, True
        return tuple(cut), None

    def lower_to_consistent(self, cut):
        """Largest consistent allowed cut <= cut. One exists whenever a smaller consistent cut does."""
        cut = list(cut)
        changed = True
        while changed:
            changed = False
            for e, k in enumerate(cut):
                if k == len(self.ends[e]):
                    continue
                first_excluded_end = self.ends[e][k]
                for d in range(len(cut)):
                    most = bisect.bisect_right(self.starts[d], first_excluded_end)
                    if d != e and most < cut[d]:
                        cut[d], changed = self.at_most(d, most), True
        return tuple(cut)

    def with_total(self, low, high, total, bound=200000):
        """A consistent allowed cut of exactly `total` writes, or None."""
        seen, todo = {low}, [low]
        while todo and len(seen) < bound:
            cut = todo.pop()
            if sum(cut) == total:
                return cut
            for d in range(len(cut)):
                k = self.at_least(d, cut[d] + 1)
                if k is None or k > high[d]:
                    continue
                raised, _ = self.raise_to_consistent(cut[:d] + (k,) + cut[d + 1:])
                if raised is not None and sum(raised) <= total and raised not in seen:
                    seen.add(raised)
                    todo.append(raised)
        return None


def check_cut(volumes, strict=False, total=None):
    """`total`: number of write CCWs the product says the image holds; then a cut of exactly so many must exist."""
    verdict = Verdict(writes=sum(len(v.units) for v in volumes))
    for volume in volumes:
        if volume.problem:
            verdict.problem = volume.problem
            return verdict
    cuts = Cut(volumes, strict)
    low, clash = cuts.raise_to_consistent([v.allowed[0][0] for v in volumes])
    if clash:
        d, e, needed = clash
        after = volumes[d].allowed[0][0]
        included, excluded = volumes[d].units[max(after, 1) - 1], volumes[e].units[needed - 1]
        verdict.problem = (f"{volumes[e].name} lacks its write {needed} ({excluded.text()}), which had ended before a write that "
                           f"{volumes[d].name} holds was started ({included.text()})")
        return verdict
    high = cuts.lower_to_consistent([v.allowed[-1][1] for v in volumes])
    names = [v.name for v in volumes]
    if total is not None:
        exact = cuts.with_total(low, high, total)
        if exact is None:
            verdict.problem = (f"the product says {total} writes, the images hold a consistent cut only of {sum(low)} to {sum(high)} "
                               f"({', '.join(f'{n}={k}' for n, k in zip(names, low))})")
            return verdict
        low = high = exact
    verdict.low, verdict.high = dict(zip(names, low)), dict(zip(names, high))
    return verdict


def check(witness_path, volumes, strict=False, total=None):
    """`volumes`: [(name, (system, device number), base image, recovered image)]"""
    log = WitnessLog(witness_path)
    known = {device for _, device, _, _ in volumes}
    for device in log.units:
        if device not in known:
            raise ValueError(f"The witness saw writes to device {device[1]:04X} of system {device[0]}, which the test did not name.")
    return check_cut([volume_prefix(name, base, recovered, log.units.get(device, [])) for name, device, base, recovered in volumes],
                     strict, total)


def main(arguments):
    if len(arguments) < 2 or any(part.count(",") != 4 for part in arguments[1:]):
        print("usage: checker.py WITNESS NAME,SYSTEM,DEVICE,BASE,RECOVERED ...", file=sys.stderr)
        return 8
    volumes = []
    for part in arguments[1:]:
        name, system, device, base, recovered = part.split(",")
        volumes.append((name, (int(system), int(device, 16)), base, recovered))
    verdict = check(arguments[0], volumes)
    print(verdict.text())
    return 8 if verdict.problem else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
