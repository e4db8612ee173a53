// io: loading of a configuration; see config.h.
#include "service/config.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "service/config_reader.h"
#include "service/config_rules.h"
#include "service/config_xml.h"

namespace afterimage {
namespace {

constexpr std::uintmax_t kMaxConfigBytes = 4u << 20;

template <typename Thing>
const Thing* find_by_name(const std::vector<Thing>& things, std::string_view name) {
  for (const Thing& thing : things)
    if (thing.name == name) return &thing;
  return nullptr;
}

struct TagRange {
  int first_line = 0, last_line = 0;
};

void collect_tags(const XmlElement& element, std::vector<TagRange>& tags) {
  tags.push_back({element.first_line, element.last_line});
  for (const XmlElement& child : element.children) collect_tags(child, tags);
}

// What the schema says is told only where our own checks found nothing in the same tag: theirs say the same, with a remedy. Outside a
// start tag it speaks of what an element contains, which our own checks cover whenever they found anything.
void add_schema_mistakes(const XmlDocument& document, ConfigMistakes& mistakes) {
  const ConfigMistakes ours = mistakes;
  std::vector<TagRange> tags;
  collect_tags(document.root, tags);
  for (const XmlMistake& mistake : document.schema) {
    // Only the validator sees text between elements; it tells the line where the text ends.
    if (mistake.text.find("character data") != std::string::npos) {
      mistakes.add(mistake.line, "There is text between the elements here or just before: remove it, or make it a comment <!-- ... -->.");
      continue;
    }
    bool in_tag = false, told = false;
    for (const TagRange& tag : tags) {
      if (mistake.line < tag.first_line || mistake.line > tag.last_line) continue;
      in_tag = true;
      told = told || ours.any_between(tag.first_line, tag.last_line);
    }
    if (told || (!in_tag && !ours.empty())) continue;
    mistakes.add(mistake.line, "The schema does not allow this (" + mistake.text +
                                   "): compare it with the description of the element in docs/CONFIGURATION.md.");
  }
}

Result<std::string> read_text(const std::string& path) {
  std::error_code error;
  const auto kind = std::filesystem::status(path, error).type();
  if (kind == std::filesystem::file_type::not_found)
    return failed<std::string>(Status::error("There is no configuration file " + path + ": correct the path, or make one with dsm adopt."));
  if (kind != std::filesystem::file_type::regular)
    return failed<std::string>(Status::error(path + " is not a regular file: name a configuration file."));
  const auto bytes = std::filesystem::file_size(path, error);
  if (!error && bytes > kMaxConfigBytes)
    return failed<std::string>(Status::error(path + " has " + std::to_string(bytes) + " bytes, and a configuration has at most " +
                                             std::to_string(kMaxConfigBytes) + ": name a configuration file."));
  std::ifstream file(path, std::ios::binary);
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file.good() && !file.eof())
    return failed<std::string>(Status::error("The configuration file " + path + " cannot be read: give its reader permission."));
  if (!file.is_open())
    return failed<std::string>(
        Status::error("The configuration file " + path + " cannot be opened (" + std::strerror(errno) + "): give its reader permission."));
  return result_of(std::move(text));
}

}  // namespace

const SiteConfig* Config::site(std::string_view name) const { return find_by_name(sites, name); }
const SystemConfig* Config::system_named(std::string_view name) const { return find_by_name(systems, name); }
const SessionConfig* Config::session(std::string_view name) const { return find_by_name(sessions, name); }

ConfigLoad parse_config(const std::string& text, const std::string& path) {
  ConfigLoad load;
  const std::filesystem::path absolute = std::filesystem::absolute(path).lexically_normal();
  ConfigMistakes mistakes;
  const XmlDocument document = read_xml(text);
  for (const XmlMistake& mistake : document.fatal) mistakes.add(mistake.line, mistake.text);
  if (document.fatal.empty()) {
    ConfigLines lines;
    load.config = read_config_tree(document.root, absolute.parent_path().string(), lines, mistakes);
    check_config_rules(load.config, lines, mistakes);
    if (lines.root != 0) add_schema_mistakes(document, mistakes);
  }
  load.config.path = absolute.string();
  load.errors = mistakes.texts(path);
  return load;
}

ConfigLoad load_config(const std::string& path) {
  const auto text = read_text(path);
  if (text.good()) return parse_config(text.value, path);
  ConfigLoad load;
  load.errors.push_back(text.status.text());
  return load;
}

}  // namespace afterimage
