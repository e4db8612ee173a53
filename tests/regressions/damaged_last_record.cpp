// A bit flipped in the last journal record looks like a torn tail. The replay ended one write early while the images already held that
// write: the recovered image had a write that its report said was lost, and went below what was acknowledged.
#include "datamover/journal_format.h"
#include "serializer/bytes.h"
#include "tests/regressions/stories.h"
#include "tests/regressions/story.h"

namespace afterimage::regressions {

namespace {

struct LastRecord {
  std::string file;
  std::uint64_t offset = 0, position = 0, bytes = 0;
};

LastRecord find_last_record(const sim::SimDisk& disk) {
  LastRecord last;
  for (const std::string& file : disk.files()) {
    if (file.find("journal") == std::string::npos) continue;
    const auto bytes = disk.read_file(file);
    for (std::uint64_t at = kJournalHeaderBytes; at + kRecordHeaderBytes <= bytes.size(); at += kJournalAlign) {
      const std::uint8_t* p = bytes.data() + at;
      if (get_u32(p) != 0x41494A52 || get_u64(p + 16) < last.position) continue;  // AIJR
      last = {file, at, get_u64(p + 16), kRecordHeaderBytes + get_u32(p + 8)};
    }
  }
  demand(last.bytes != 0, "the story finds no record in the journal");
  return last;
}

// Refused with a sentence, or recovered exactly.
void flip_and_start(std::uint64_t at_in_record) {
  Story story;
  demand(story.start().good(), "the secondary does not start");
  story.begin_session(1);
  demand(story.bind(), "the sites do not bind");
  story.write(5);
  demand(story.acknowledged() == 5, "the writes are not acknowledged");
  demand(story.writes_in_images() == Sequence{5}, "the writes are not applied");
  story.kill();
  story.disk().drop_caches();
  const LastRecord last = find_last_record(story.disk());
  demand(story.disk().flip_bit(last.file, last.offset + at_in_record % last.bytes, static_cast<unsigned>(at_in_record % 8)),
         "the bit cannot be flipped");
  const Status started = story.start();
  if (started.good()) return story.recover_and_judge();
  demand(started.text().size() > 40, "the start is refused without a sentence");
}

}  // namespace

void damaged_last_record() {
  for (std::uint64_t at = 0; at < 400; at += 7) flip_and_start(at);
}

}  // namespace afterimage::regressions
