// io: see hercules_config_reader.h.
#include "service/hercules_config_reader.h"

#include <strings.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <optional>

#include "service/config_values.h"

namespace afterimage {
namespace {

constexpr std::size_t kMaxStatement = 1023;
constexpr std::size_t kMaxIncludes = 7;
constexpr std::size_t kMaxWords = 128;
constexpr std::size_t kMaxStatements = 100000;  // of all files together: a file that includes itself ends earlier, by depth

bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return std::string(text);
}

bool same_word(std::string_view a, std::string_view b) { return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0; }

// ${NAME}, ${NAME:=default}, ${NAME=default}: environment variables; a name without value and default gives nothing.
std::string with_variables(const std::string& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = text.compare(i, 2, "${") == 0 ? text.find('}', i) : std::string::npos;
    if (end == std::string::npos) {
      out += text[i++];
      continue;
    }
    const std::string inside = text.substr(i + 2, end - i - 2);
    const std::size_t equals = inside.find('=');
    const std::string name = inside.substr(0, std::min(inside.find(':'), equals));
    const char* value = std::getenv(name.c_str());
    const bool empty = value == nullptr || *value == '\0';
    if (equals != std::string::npos && empty)
      out += inside.substr(equals + 1);
    else if (value != nullptr)
      out += value;
    i = end + 1;
  }
  return out;
}

using Symbols = std::map<std::string, std::string>;

// $(NAME): DEFSYM's symbols, else environment variables. Device symbols stay as they are until the device is known.
std::string with_symbols(const std::string& text, const Symbols& symbols) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t end = text.compare(i, 2, "$(") == 0 ? text.find(')', i) : std::string::npos;
    if (end == std::string::npos) {
      out += text[i++];
      continue;
    }
    const std::string name = text.substr(i + 2, end - i - 2);
    const auto symbol = symbols.find(name);
    const char* value = symbol != symbols.end() ? symbol->second.c_str() : std::getenv(name.c_str());
    out += value != nullptr ? value : "**UNRESOLVED**";
    i = end + 1;
  }
  return out;
}

Symbols deferred_symbols() {
  Symbols symbols;
  for (const char* name : {"CUU", "cuu", "CCUU", "ccuu"}) symbols[name] = std::string("$(") + name + ")";
  symbols["VERSION"] = "3.13";
  return symbols;
}

std::string lower(std::string text) {
  for (char& c : text)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return text;
}

void set_device_symbols(Symbols& symbols, std::uint16_t number, unsigned channel_subsystem) {
  const std::string four = device_number_text(number);
  const std::string three = four[0] == '0' ? four.substr(1) : four;
  symbols["CCUU"] = four;
  symbols["ccuu"] = lower(four);
  symbols["CUU"] = three;
  symbols["cuu"] = lower(three);
  symbols["CSS"] = std::to_string(channel_subsystem);
}

// Words end at blanks; a quotation mark or apostrophe begins a part that ends at the next one and with it the word; a word that begins
// with # ends the statement.
std::vector<std::string> split_words(const std::string& text) {
  std::vector<std::string> words;
  std::size_t i = 0;
  while (words.size() < kMaxWords) {
    while (i < text.size() && is_blank(text[i])) ++i;
    if (i == text.size() || text[i] == '#') break;
    std::size_t begin = i;
    while (i < text.size() && !is_blank(text[i]) && text[i] != '"' && text[i] != '\'') ++i;
    if (i < text.size() && (text[i] == '"' || text[i] == '\'')) {
      const char mark = text[i];
      if (i == begin) ++begin;
      i = std::min(text.find(mark, i + 1), text.size());
    }
    words.push_back(text.substr(begin, i - begin));
    if (i < text.size()) ++i;
  }
  return words;
}

bool looks_like_devices(std::string_view word, bool devices_seen) {
  const auto digits = [](std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F'); });
  };
  if (word.size() <= 4 && digits(word)) return true;
  return word.find_first_of("-.,:") != std::string_view::npos && (devices_seen || digits(word.substr(0, word.find_first_of("-.,:"))));
}

class FileReader {
 public:
  explicit FileReader(HerculesFile& file) : file_(file), symbols_(deferred_symbols()) {}

  Status read(const std::string& path, const std::string& named, std::size_t depth) {
    std::error_code error;
    if (!std::filesystem::is_regular_file(path, error))
      return Status::error(named + " does not exist or is not a regular file: correct the path of the Hercules configuration.");
    std::ifstream in(path, std::ios::binary);
    if (!in.is_open()) return Status::error(named + " cannot be opened: give its reader permission.");
    std::string raw;
    for (int line = 1; std::getline(in, raw); ++line) {
      std::erase_if(raw, [](char c) { return c == '\0' || c == '\r'; });
      const bool last = raw.find('\x1A') != std::string::npos;
      raw = raw.substr(0, raw.find('\x1A'));
      HerculesStatement statement{trimmed(raw), named, line, {}, {}};
      if (Status done = add(std::move(statement), depth); !done) return done;
      if (last) break;
    }
    return Status::ok();
  }

 private:
  static std::string at(const HerculesStatement& s) { return s.file + " line " + std::to_string(s.line); }

  Status add(HerculesStatement statement, std::size_t depth) {
    if (file_.statements.size() >= kMaxStatements)
      return Status::error(at(statement) + ": the configuration has too many statements: remove what includes itself.");
    const std::string& text = statement.text;
    const bool comment = text.empty() || text[0] == '*' || text[0] == '#';
    if (!comment) {
      const std::string substituted = with_variables(text);
      if (text.size() > kMaxStatement || substituted.size() > kMaxStatement)
        return Status::error(at(statement) + ": the statement has more than " + std::to_string(kMaxStatement) +
                             " characters, which Hercules refuses: shorten it.");
      statement.words = split_words(with_symbols(substituted, symbols_));
    }
    if (!statement.words.empty()) {
      if (statement.keyword_is("include")) return include(statement, depth);
      if (statement.keyword_is("ignore") && statement.words.size() > 1 && same_word(statement.words[1], "include_errors"))
        ignore_missing_ = true;
      if (statement.keyword_is("defsym") && statement.words.size() > 1)
        symbols_[statement.words[1]] = statement.words.size() > 2 ? statement.words[2] : "";
      if (Status devices = read_devices(statement); !devices) return devices;
    }
    file_.statements.push_back(std::move(statement));
    return Status::ok();
  }

  Status include(const HerculesStatement& statement, std::size_t depth) {
    if (statement.words.size() < 2) return Status::error(at(statement) + ": INCLUDE names no file: add its name.");
    if (depth >= kMaxIncludes)
      return Status::error(at(statement) + ": files are included more than " + std::to_string(kMaxIncludes) +
                           " deep, which Hercules refuses: include them from fewer levels.");
    const std::string path = file_.resolve(statement.words[1]);
    std::error_code error;
    if (std::filesystem::is_regular_file(path, error)) return read(path, statement.words[1], depth + 1);
    if (!ignore_missing_)
      return Status::error(at(statement) + ": the included file " + statement.words[1] +
                           " does not exist: correct the name, or run the command from the folder Hercules is started in.");
    file_.notes.push_back(at(statement) + ": the included file " + statement.words[1] +
                          " does not exist and is ignored, as IGNORE INCLUDE_ERRORS says.");
    return Status::ok();
  }

  Status read_devices(HerculesStatement& statement) {
    if (!looks_like_devices(statement.words[0], devices_seen_)) return Status::ok();
    const auto numbers = parse_device_numbers(statement.words[0]);
    if (!numbers.good())
      return Status::error(at(statement) + ": " + statement.words[0] + " is no device number (" + numbers.status.text() + "): correct it.");
    if (statement.words.size() < 2)
      return Status::error(at(statement) + ": device " + statement.words[0] + " has no device type: add one, such as 3390.");
    devices_seen_ = true;
    for (const std::uint16_t number : numbers.value.numbers) {
      Symbols symbols = symbols_;
      set_device_symbols(symbols, number, numbers.value.channel_subsystem);
      HerculesDevice device{number, numbers.value.channel_subsystem, statement.words[1], {}};
      for (std::size_t i = 2; i < statement.words.size(); ++i) device.arguments.push_back(with_symbols(statement.words[i], symbols));
      statement.devices.push_back(std::move(device));
    }
    return Status::ok();
  }

  HerculesFile& file_;
  Symbols symbols_;
  bool ignore_missing_ = false, devices_seen_ = false;
};

std::optional<unsigned long> number_in(std::string_view text, int base) {
  unsigned long value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

bool HerculesStatement::keyword_is(std::string_view keyword) const { return !words.empty() && same_word(words[0], keyword); }

std::string HerculesFile::resolve(const std::string& name) const {
  std::string first;
  for (const std::string& base : bases) {
    const std::string path = (std::filesystem::path(base) / name).lexically_normal().string();
    std::error_code error;
    if (std::filesystem::exists(path, error)) return path;
    if (first.empty()) first = path;
  }
  return first;
}

Result<HerculesFile> read_hercules_config(const std::string& path) {
  HerculesFile file;
  std::error_code error;
  const std::filesystem::path absolute = std::filesystem::absolute(path, error).lexically_normal();
  file.path = absolute.string();
  file.bases = {std::filesystem::current_path(error).string(), absolute.parent_path().string()};
  FileReader reader(file);
  if (Status read = reader.read(file.path, path, 0); !read) return failed<HerculesFile>(read);
  return result_of(std::move(file));
}

Result<DeviceNumbers> parse_device_numbers(std::string_view text) {
  using Out = DeviceNumbers;
  Out out;
  if (const std::size_t colon = text.find(':'); colon != std::string_view::npos) {
    const auto subsystem = number_in(text.substr(0, colon), 10);
    if (!subsystem || *subsystem > 7) return failed<Out>(Status::error("the channel subsystem before the colon must be 0 to 7"));
    out.channel_subsystem = static_cast<unsigned>(*subsystem);
    text.remove_prefix(colon + 1);
  }
  while (true) {
    const std::size_t comma = text.find(',');
    const std::string_view group = text.substr(0, comma);
    const std::size_t mark = group.find_first_of("-.");
    const auto first = number_in(group.substr(0, mark), 16);
    auto last = first;
    if (mark != std::string_view::npos) last = number_in(group.substr(mark + 1), group[mark] == '-' ? 16 : 10);
    if (!first || !last || *last > 0xFFFF)
      return failed<Out>(Status::error("it must be hexadecimal numbers with - for a range and . for a count"));
    if (mark != std::string_view::npos && group[mark] == '.') last = *last == 0 ? 0 : *first + *last - 1;
    if (*last > 0xFFFF || *first > *last) return failed<Out>(Status::error("the range is empty or goes beyond FFFF"));
    for (unsigned long number = *first; number <= *last; ++number) {
      if (number >> 8 != (out.numbers.empty() ? *first : out.numbers[0]) >> 8)
        return failed<Out>(Status::error("its devices must be on one channel"));
      if (std::ranges::find(out.numbers, number) != out.numbers.end()) return failed<Out>(Status::error("it names a device twice"));
      out.numbers.push_back(static_cast<std::uint16_t>(number));
    }
    if (comma == std::string_view::npos) return result_of(std::move(out));
    text.remove_prefix(comma + 1);
  }
}

}  // namespace afterimage
