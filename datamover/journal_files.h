// io: creating, opening, checking and locking the files of a journal. Used by journal.cpp only.
#pragma once

#include <string>
#include <vector>

#include "datamover/journal.h"
#include "datamover/journal_format.h"
#include "datamover/posix_file.h"

namespace afterimage {

struct JournalFiles {
  std::vector<FileHandle> handles;
  std::vector<std::string> paths;
  JournalShape shape;
  std::uint64_t journal_id = 0;
  std::uint64_t base_segment = 0;
};

// Opens all files, or creates them (all space allocated) when there are none or an earlier creation did not finish.
Result<JournalFiles> open_journal_files(const JournalSettings& settings);
// Writes the headers of all files again with files.base_segment, durably.
Status write_journal_headers(JournalFiles& files);

}  // namespace afterimage
