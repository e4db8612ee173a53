// io: reads a Hercules 3.13 configuration as Hercules does: comments, INCLUDE, ${variables}, $(symbols), DEFSYM, quoted words, device
// numbers with ranges and lists. Nothing is executed. Threads: one at a time (environment variables are read).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "serializer/status.h"

namespace afterimage {

struct HerculesDevice {
  std::uint16_t number = 0;
  unsigned channel_subsystem = 0;
  std::string type;                    // as written, such as "3390"
  std::vector<std::string> arguments;  // symbols of the device ($(CUU) and such) replaced
};

struct HerculesStatement {
  std::string text;  // the line as it stands in its file, without the blanks around it; comments and empty lines too
  std::string file;
  int line = 0;
  std::vector<std::string> words;                   // after substitution; none in a comment or an empty line
  std::vector<HerculesDevice> devices;              // of a device statement; several for "0A80-0A83" or "0A80.4"
  bool keyword_is(std::string_view keyword) const;  // first word, in any case
};

struct HerculesFile {
  std::string path;                // absolute
  std::vector<std::string> bases;  // folders that relative paths are tried in: the current one (as Hercules does), then the file's own
  std::vector<HerculesStatement> statements;  // of the file and of those it includes, in order; the INCLUDE statements are left out
  std::vector<std::string> notes;             // included files that are missing and that the file says to ignore
  // Absolute path of what a statement calls `name`: in the first base where it exists, else in the first base.
  std::string resolve(const std::string& name) const;
};

// Refuses, with file and line, what Hercules would refuse: a statement of more than 1,023 characters, bad device numbers, too deep or
// missing includes, a device statement without a type.
Result<HerculesFile> read_hercules_config(const std::string& path);

// "0A80", "0:0A80-0A83,0A90.4"; all numbers in order. An error, as a phrase, if it is none.
struct DeviceNumbers {
  unsigned channel_subsystem = 0;
  std::vector<std::uint16_t> numbers;
};
Result<DeviceNumbers> parse_device_numbers(std::string_view text);

}  // namespace afterimage
