# io: CKD images read for the end-to-end tests with nothing of the product's code: header, tracks, records up to the end-of-track
# marker. What lies behind the marker is not part of a volume.
import mmap
import os
import struct

HEADER_BYTES = 512
END_OF_TRACK = b"\xff" * 8


class ImageError(Exception):
    pass


def used_bytes(track):
    """Bytes of a track up to and with its end marker; None when there is no marker in it (a torn track)."""
    at, size = 5, len(track)
    while at + 8 <= size:
        if track[at:at + 8] == END_OF_TRACK:
            return at + 8
        at += 8 + track[at + 5] + (track[at + 6] << 8) + track[at + 7]
    return None


def records_of(track):
    """(record number, key, data) of each record, for messages."""
    at, found = 5, []
    while at + 8 <= len(track) and track[at:at + 8] != END_OF_TRACK:
        key, data = track[at + 5], (track[at + 6] << 8) + track[at + 7]
        found.append((track[at + 4], bytes(track[at + 8:at + 8 + key]), bytes(track[at + 8 + key:at + 8 + key + data])))
        at += 8 + key + data
    return found


class CkdImage:
    """One volume, of one file or several (..._1, ..._2). Read only; close() when done."""

    def __init__(self, path):
        self.path = str(path)
        self.files = []  # (mapping, first track, track count)
        self.heads = self.track_bytes = self.tracks = 0
        name = self.path
        sequence = 1
        while True:
            mapping, heads, track_bytes, high = self._open(name)
            if self.files and (heads, track_bytes) != (self.heads, self.track_bytes):
                raise ImageError(f"{name} has another geometry than {self.path}")
            self.heads, self.track_bytes = heads, track_bytes
            count = (len(mapping) - HEADER_BYTES) // track_bytes
            self.files.append((mapping, self.tracks, count))
            self.tracks += count
            if high == 0 or high + 1 == self.tracks // heads and not self._next_name(self.path, sequence + 1):
                break
            sequence += 1
            name = self._next_name(self.path, sequence)
            if name is None:
                raise ImageError(f"{self.path}: file {sequence} of the volume is missing")

    def _open(self, name):
        with open(name, "rb") as handle:
            if os.fstat(handle.fileno()).st_size <= HEADER_BYTES:
                raise ImageError(f"{name} is too short for a CKD image")
            mapping = mmap.mmap(handle.fileno(), 0, access=mmap.ACCESS_READ)
        identifier = mapping[:8]
        if identifier not in (b"CKD_P370", b"DSM_P370"):
            raise ImageError(f"{name} is not a CKD image: it begins {identifier!r}")
        self.fenced = identifier == b"DSM_P370"
        heads, track_bytes = struct.unpack_from("<II", mapping, 8)
        high = struct.unpack_from("<H", mapping, 18)[0]
        if not heads or not track_bytes or (len(mapping) - HEADER_BYTES) % track_bytes:
            raise ImageError(f"{name}: header and file size disagree")
        return mapping, heads, track_bytes, high

    @staticmethod
    def _next_name(first, sequence):
        stem, dot, suffix = first.rpartition(".")
        if not dot or "/" in suffix:
            stem, dot, suffix = first, "", ""
        if not stem.endswith("1"):
            return None
        name = f"{stem[:-1]}{sequence}{dot}{suffix}"
        return name if os.path.exists(name) else None

    def track(self, number):
        for mapping, first, count in self.files:
            if first <= number < first + count:
                at = HEADER_BYTES + (number - first) * self.track_bytes
                return mapping[at:at + self.track_bytes]
        raise ImageError(f"{self.path} has no track {number}: it has {self.tracks}")

    def place(self, number):
        return f"cylinder {number // self.heads} head {number % self.heads}"

    def close(self):
        for mapping, _, _ in self.files:
            mapping.close()
        self.files = []


def track_difference(left, right):
    """"" when equal as records, else what differs first."""
    if left == right:
        return ""
    left_used, right_used = used_bytes(left), used_bytes(right)
    if left_used is None or right_used is None:
        return "no end-of-track marker on the " + ("left" if left_used is None else "right")
    if left[:left_used] == right[:right_used]:
        return ""
    if left[:5] != right[:5]:
        return f"home address {left[:5].hex()} against {right[:5].hex()}"
    left_records, right_records = records_of(left), records_of(right)
    for a, b in zip(left_records, right_records):
        if a != b:
            if a[0] != b[0] or len(a[1]) != len(b[1]) or len(a[2]) != len(b[2]):
                return f"record {a[0]} (key {len(a[1])}, data {len(a[2])}) against record {b[0]} (key {len(b[1])}, data {len(b[2])})"
            x, y = a[1] + a[2], b[1] + b[2]
            at = next((i for i in range(len(x)) if x[i] != y[i]), 0)
            return f"record {a[0]}: byte {at} of key and data is {x[at]:02X} against {y[at]:02X}"
    if len(left_records) != len(right_records):
        return f"{len(left_records)} records against {len(right_records)}"
    return "count fields differ"


def image_differences(left_path, right_path, limit=5):
    """Empty when two volumes are equal as records; else up to `limit` phrases."""
    left, right = CkdImage(left_path), CkdImage(right_path)
    try:
        if (left.tracks, left.heads, left.track_bytes) != (right.tracks, right.heads, right.track_bytes):
            return [f"{left_path} has {left.tracks} tracks of {left.track_bytes} bytes, {right_path} {right.tracks} of {right.track_bytes}"]
        found = []
        for number in range(left.tracks):
            phrase = track_difference(left.track(number), right.track(number))
            if phrase:
                found.append(f"{left.place(number)}: {phrase}")
                if len(found) == limit:
                    break
        return found
    finally:
        left.close()
        right.close()
