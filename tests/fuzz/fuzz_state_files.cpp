// Fuzz target: what a site reads at its start. First byte, modulo 4: 0 a checkpoint's bytes, as they are and with their CRC and length made
// right; 1 session.state; 2 applied.mark; 3 both generations of a checkpoint in files, one of them or both damaged, then written again.
// What a decoder takes is what its encoder writes; a damaged file is refused or the other one used, never taken for an absent one.
#include <algorithm>
#include <optional>

#include "datamover/checkpoint_file.h"
#include "serializer/bytes.h"
#include "serializer/crc32c.h"
#include "service/applied_mark.h"
#include "service/session_state_file.h"
#include "tests/fuzz/memory_files.h"

namespace afterimage::fuzz {

namespace {

const std::string kFolder = kMemoryFolder;
constexpr char kSession[] = "DALLAS";

void judge_checkpoint(View bytes) {
  const auto stored = decode_checkpoint(bytes);
  if (!stored.good()) {
    FUZZ_CHECK(is_sentence(stored.status.text()));
    return;
  }
  const auto again = encode_checkpoint(stored.value);
  FUZZ_CHECK_MORE(again.good(), again.status.text());
  FUZZ_CHECK(std::equal(again.value.begin(), again.value.end(), bytes.begin(), bytes.end()));
}

void checkpoint_bytes(View given) {
  Bytes bytes(given.begin(), given.end());
  judge_checkpoint(bytes);
  if (bytes.size() < 20) return;
  put_u32(bytes.data() + bytes.size() - 4, crc32c(0, bytes.data(), bytes.size() - 4));
  judge_checkpoint(bytes);
  put_u32(bytes.data() + 12, static_cast<std::uint32_t>(bytes.size()));
  if (bytes.size() >= kCheckpointFixedBytes)
    put_u16(bytes.data() + 10, static_cast<std::uint16_t>((bytes.size() - kCheckpointFixedBytes) / kCheckpointVolumeBytes));
  put_u32(bytes.data() + bytes.size() - 4, crc32c(0, bytes.data(), bytes.size() - 4));
  judge_checkpoint(bytes);
}

void session_state(View given) {
  const std::string path = kFolder + "/session.state";
  SessionStateFile file;
  file.set_path(path);
  const auto absent = file.load();
  FUZZ_CHECK(absent.good() && absent.value == SessionMemory());
  put_memory_file(path, given);
  const auto memory = file.load();
  if (!memory.good()) {
    FUZZ_CHECK(is_sentence(memory.status.text()) && memory.status.text().find(path) != std::string::npos);
    return;
  }
  FUZZ_CHECK(session_state_text(memory.value) == std::string(given.begin(), given.end()));
  SessionMemory next = memory.value;
  next.epoch += 1;
  next.active = !next.active;
  FUZZ_CHECK(file.save(next).good());
  const auto again = file.load();
  FUZZ_CHECK(again.good() && again.value == next);
}

void applied_mark(View given) {
  const std::string path = kFolder + "/applied.mark";
  for (const bool sealed : {false, true}) {
    Bytes bytes(given.begin(), given.end());
    if (sealed && bytes.size() >= 24) put_u32(bytes.data() + 20, crc32c(0, bytes.data(), 20));
    put_memory_file(path, bytes);
    AppliedThrough next{3, 9};
    {
      const auto mark = AppliedMark::open(path);
      if (!mark.good()) {
        FUZZ_CHECK(is_sentence(mark.status.text()) && mark.status.text().find(path) != std::string::npos);
        FUZZ_CHECK(memory_file(path) == bytes);
        continue;
      }
      const AppliedThrough found = mark.value->found();
      const bool unwritten =
          std::ranges::all_of(View(bytes).first(std::min<std::size_t>(bytes.size(), 24)), [](std::uint8_t b) { return b == 0; });
      if (unwritten) FUZZ_CHECK(found.epoch == 0 && found.sequence == 0);
      if (!unwritten) {
        FUZZ_CHECK(mark.value->write(found).good());
        FUZZ_CHECK(memory_file(path) == bytes);
      }
      next = {found.epoch + 1, found.sequence + 1};
      FUZZ_CHECK(mark.value->write(next).good());
    }
    const auto again = AppliedMark::open(path);
    FUZZ_CHECK(again.good() && again.value->found().epoch == next.epoch && again.value->found().sequence == next.sequence);
  }
}

StoredCheckpoint checkpoint_of(Input& input) {
  StoredCheckpoint stored{input.below(8) == 1 ? "OTHER" : kSession, input.below(4), {}};
  Checkpoint& checkpoint = stored.checkpoint;
  checkpoint.state = static_cast<SecondaryState>(input.below(6));
  checkpoint.epoch = input.below(3);
  checkpoint.applied_through = input.u8();
  checkpoint.known_through = checkpoint.applied_through + input.below(8);
  checkpoint.journal_position = 64u * input.u8();
  checkpoint.ended_in_order = input.flag();
  for (unsigned i = input.below(3); i > 0; --i)
    checkpoint.volumes.push_back({"VOL" + std::to_string(i), "SEC" + std::to_string(i), 0xA80, 0x3390, 10, 15, 56832, "SYSA"});
  return stored;
}

// Puts a generation in its place, whole, changed or cut; true if it can be read.
bool put_generation(Input& input, std::size_t slot, std::optional<StoredCheckpoint>& stored) {
  const std::string path = kFolder + "/checkpoint." + std::to_string(slot + 1);
  const unsigned way = input.below(6);
  if (way == 0) return false;  // absent
  stored = checkpoint_of(input);
  Bytes bytes = encode_checkpoint(*stored).value;
  const Bytes whole = bytes;
  if (way == 1) bytes.resize(input.u8() % bytes.size());
  if (way == 2) bytes[input.u8() % bytes.size()] = input.u8();
  put_memory_file(path, bytes);
  return bytes == whole;
}

void generations(Input input) {
  std::optional<StoredCheckpoint> stored[2];
  const bool good[2] = {put_generation(input, 0, stored[0]), put_generation(input, 1, stored[1])};
  auto file = CheckpointFile::open(kFolder, kSession);
  const bool foreign = (good[0] && stored[0]->session != kSession) || (good[1] && stored[1]->session != kSession);
  const bool lost = (stored[0] || stored[1]) && !good[0] && !good[1];
  FUZZ_CHECK(file.good() == !(foreign || lost));
  if (!file.good()) {
    FUZZ_CHECK(is_sentence(file.status.text()));
    return;
  }
  const bool damaged = (stored[0] && !good[0]) || (stored[1] && !good[1]);
  FUZZ_CHECK(damaged == !file.value->warning().empty());
  FUZZ_CHECK(file.value->latest().has_value() == (good[0] || good[1]));
  if (good[0] || good[1]) {
    const std::size_t newer = good[0] && (!good[1] || stored[0]->generation > stored[1]->generation) ? 0 : 1;
    FUZZ_CHECK(*file.value->latest() == stored[newer]->checkpoint);
  }
  for (unsigned i = input.below(4); i > 0; --i) {
    const Checkpoint next = checkpoint_of(input).checkpoint;
    const auto released = file.value->write(next);
    FUZZ_CHECK_MORE(released.good(), released.status.text());
    FUZZ_CHECK(released.value <= next.journal_position);
    // The older generation alone must be able to restart from what is still in the journal.
    const auto again = CheckpointFile::open(kFolder, kSession);
    FUZZ_CHECK(again.good() && again.value->latest() == next && again.value->warning().empty());
    for (const char* spoiled : {"/checkpoint.1", "/checkpoint.2"}) {
      const Bytes kept = memory_file(kFolder + spoiled);
      put_memory_file(kFolder + spoiled, View(kept).first(kept.size() / 2));
      const auto one = CheckpointFile::open(kFolder, kSession);
      FUZZ_CHECK(one.good() && one.value->latest() && !one.value->warning().empty());
      FUZZ_CHECK(one.value->latest()->journal_position >= released.value);
      FUZZ_CHECK(one.value->latest()->state == next.state && one.value->latest()->epoch == next.epoch);
      put_memory_file(kFolder + spoiled, kept);
    }
  }
  FUZZ_CHECK(!memory_file_exists(kFolder + "/checkpoint.new"));
}

}  // namespace

}  // namespace afterimage::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace afterimage::fuzz;
  Input input({data, size});
  clear_memory_files();
  switch (input.below(4)) {
    case 0:
      checkpoint_bytes(input.rest());
      break;
    case 1:
      session_state(input.rest());
      break;
    case 2:
      applied_mark(input.rest());
      break;
    default:
      generations(input);
  }
  clear_memory_files();
  return 0;
}
