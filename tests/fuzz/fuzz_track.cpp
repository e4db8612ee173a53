// Fuzz target: CKD track images. The parser against a walk of its own over the same bytes; a track and a changed copy of it: equal as
// records exactly when their digests are equal, from whichever side one looks, and whatever lies behind the end marker.
// Input: number of changes, whether both get what follows the end, changes (offset, byte), then the track.
#include <algorithm>

#include "channel/track.h"
#include "serializer/bytes.h"
#include "serializer/token.h"
#include "tests/fuzz/fuzz_check.h"

namespace afterimage::fuzz {

namespace {

struct Walked {
  bool whole = false;
  std::uint32_t used = 0;
  std::vector<std::uint32_t> counts;  // where each record begins
};

// By docs: home address of 5 bytes, records of 8 + key + data, eight X'FF', all within the image; a record leaves room for an end marker.
Walked walk(View track) {
  Walked walked;
  if (track.size() < 13 || track.size() > 65535) return walked;
  std::size_t at = 5;
  while (at + 8 <= track.size()) {
    if (std::all_of(track.begin() + static_cast<std::ptrdiff_t>(at), track.begin() + static_cast<std::ptrdiff_t>(at + 8),
                    [](std::uint8_t b) { return b == 0xFF; })) {
      walked.whole = true;
      walked.used = static_cast<std::uint32_t>(at + 8);
      return walked;
    }
    walked.counts.push_back(static_cast<std::uint32_t>(at));
    at += 8u + track[at + 5] + track[at + 6] * 256u + track[at + 7];
  }
  return walked;
}

void check_parser(View track) {
  const Walked expected = walk(track);
  const auto parsed = parse_track(track);
  const auto used = track_used_bytes(track);
  FUZZ_CHECK(parsed.good() == expected.whole);
  FUZZ_CHECK(used.good() == expected.whole);
  FUZZ_CHECK(parsed.good() || is_sentence(parsed.status.text()));
  FUZZ_CHECK(used.status.text() == parsed.status.text());
  if (!expected.whole) return;
  FUZZ_CHECK(used.value == expected.used);
  FUZZ_CHECK(parsed.value.used_bytes == expected.used);
  FUZZ_CHECK(parsed.value.records.size() == expected.counts.size());
  FUZZ_CHECK(parsed.value.cylinder == get_u16(track.data() + 1) && parsed.value.head == get_u16(track.data() + 3));
  std::uint32_t next = kHomeAddressBytes;
  for (const CkdRecord& record : parsed.value.records) {
    FUZZ_CHECK(record.count_offset == next);
    const std::uint8_t* count = track.data() + next;
    FUZZ_CHECK(record.record == count[4] && record.key_length == count[5] && record.data_length == get_u16(count + 6));
    FUZZ_CHECK(record.cylinder == get_u16(count) && record.head == get_u16(count + 2));
    FUZZ_CHECK(record.key_offset == next + 8 && record.data_offset == record.key_offset + record.key_length);
    FUZZ_CHECK(!record.overflow || ((count[0] & 0x80) != 0 && parsed.value.cylinder < 0x8000));
    next = record.data_offset + record.data_length;
  }
  FUZZ_CHECK(next + 8 == expected.used);
}

bool equal_by_walk(View left, View right) {
  const Walked l = walk(left), r = walk(right);
  if (l.whole) left = left.first(l.used);
  if (r.whole) right = right.first(r.used);
  return l.whole == r.whole && std::equal(left.begin(), left.end(), right.begin(), right.end());
}

void check_pair(View left, View right) {
  const std::string there = track_difference(left, right), back = track_difference(right, left);
  const bool equal = equal_by_walk(left, right);
  FUZZ_CHECK_MORE(there.empty() == equal, there);
  FUZZ_CHECK_MORE(back.empty() == equal, back);
  FUZZ_CHECK((track_digest(left) == track_digest(right)) == equal);
}

}  // namespace

}  // namespace afterimage::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace afterimage::fuzz;
  Input input({data, size});
  const unsigned changes = input.below(4);
  const bool tail_only = input.flag();
  struct Change {
    std::uint16_t offset;
    std::uint8_t value;
  };
  Change change[3] = {};
  for (unsigned i = 0; i < changes; ++i) {
    change[i].offset = input.u16();
    change[i].value = input.u8();
  }
  Bytes left(input.rest().begin(), input.rest().end());
  check_parser(left);
  Bytes right = left;
  const Walked walked = walk(left);
  const std::size_t from = tail_only && walked.whole ? walked.used : 0;
  for (unsigned i = 0; i < changes; ++i)
    if (right.size() > from) right[from + change[i].offset % (right.size() - from)] = change[i].value;
  check_parser(right);
  check_pair(left, right);
  if (tail_only && walked.whole) {  // behind the end marker nothing matters, its length neither
    FUZZ_CHECK(afterimage::track_difference(left, right).empty());
    right.resize(std::max<std::size_t>(walked.used, right.size() / 2), 0xA5);
    check_pair(left, right);
  }
  return 0;
}
