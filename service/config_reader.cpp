// See config_reader.h.
#include "service/config_reader.h"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <span>
#include <string_view>

#include "channel/ckd_types.h"
#include "service/config_values.h"

namespace afterimage {
namespace {

constexpr std::string_view kNameForm = "1 to 8 characters of A-Z 0-9 @ # $, the first not a digit";
constexpr std::uint32_t kMaxChunkBytes = 16u << 20;  // a slot reference counts 64-byte units of its chunk in 20 bits
constexpr std::uint64_t kMaxWindowBytes = 1ull << 30;
constexpr std::uint64_t kMaxJournalBytes = 1ull << 40;
constexpr std::uint64_t kMaxInterval_ms = 10000;
constexpr std::uint64_t kMaxHold_ms = 3600000;
constexpr std::uint64_t kMinHeartbeat_ms = 4 * kHeartbeat_ms;

// Reads one element's attributes: each accessor gives the value, or a default after adding the mistake.
class Reader {
 public:
  Reader(const XmlElement& element, ConfigMistakes& mistakes, std::span<const std::string_view> known)
      : element_(element), mistakes_(mistakes) {
    for (const XmlAttribute& attribute : element.attributes) {
      if (attribute.name == "xmlns" || attribute.name.starts_with("xmlns:") || attribute.name.find(':') != std::string::npos) continue;
      if (std::ranges::find(known, attribute.name) != known.end()) continue;
      std::string allowed;
      for (const std::string_view name : known) allowed += (allowed.empty() ? "" : ", ") + std::string(name);
      mistakes.add(attribute.line, "<" + element.name + "> has no attribute " + attribute.name +
                                       ": correct its name or remove it (known: " + allowed + ").");
    }
  }

  std::string required(std::string_view name) {
    const XmlAttribute* attribute = find(name);
    if (attribute == nullptr)
      mistakes_.add(element_.first_line, "<" + element_.name + "> lacks " + std::string(name) + ": add " + std::string(name) + "=\"...\".");
    return attribute == nullptr ? std::string() : attribute->value;
  }
  std::string formed(std::string_view name, bool (*form)(std::string_view), std::string_view rule) {
    std::string value = required(name);
    if (find(name) != nullptr && !form(value)) bad(name, "must be " + std::string(rule));
    return value;
  }
  std::string name(std::string_view attribute) { return formed(attribute, is_name, kNameForm); }
  bool has(std::string_view name) const { return find(name) != nullptr; }

  std::string path(std::string_view name, const std::string& directory) {
    const std::string value = required(name);
    if (find(name) == nullptr) return value;
    const bool unprintable =
        std::ranges::any_of(value, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F || c == '"'; });
    if (value.empty() || value.size() > 4095 || unprintable) {
      bad(name, "must be a path of 1 to 4095 characters without quotation marks and control characters");
      return {};
    }
    std::string absolute = (std::filesystem::path(directory) / value).lexically_normal().string();
    while (absolute.size() > 1 && absolute.back() == '/') absolute.pop_back();  // "./" and "a/.." leave one
    return absolute;
  }

  // A number with a unit, between bounds; `current` when the attribute is absent or wrong.
  template <typename T>
  void bounded(std::string_view name, T& current, std::optional<std::uint64_t> (*parse)(std::string_view), std::uint64_t low,
               std::uint64_t high, std::string (*text)(std::uint64_t), std::string_view form) {
    const XmlAttribute* attribute = find(name);
    if (attribute == nullptr) return;
    const auto value = parse(attribute->value);
    if (!value) return bad(name, "must be " + std::string(form));
    if (*value < low || *value > high) return bad(name, "must be " + text(low) + " to " + text(high));
    current = static_cast<T>(*value);
  }
  template <typename T>
  void size(std::string_view name, T& current, std::uint64_t low, std::uint64_t high) {
    bounded(name, current, parse_size, low, high, size_text, "a size such as 262144, 256K or 64M");
  }
  void interval(std::string_view name, std::uint32_t& current, std::uint64_t low, std::uint64_t high) {
    bounded(name, current, parse_interval_ms, low, high, interval_text, "an interval such as 10ms, 2s or 5m");
  }

  void bad(std::string_view name, const std::string& rule) {
    const XmlAttribute* attribute = find(name);
    mistakes_.add(
        attribute == nullptr ? element_.first_line : attribute->line,
        std::string(name) + "=\"" + (attribute == nullptr ? "" : attribute->value) + "\" in <" + element_.name + ">: it " + rule + ".");
  }
  const XmlAttribute* find(std::string_view name) const {
    for (const XmlAttribute& attribute : element_.attributes)
      if (attribute.name == name) return &attribute;
    return nullptr;
  }

 private:
  const XmlElement& element_;
  ConfigMistakes& mistakes_;
};

SiteConfig read_site(const XmlElement& element, const std::string& directory, ConfigMistakes& mistakes) {
  static constexpr std::string_view kKnown[] = {"name", "lu", "listen", "directory", "certificate", "key", "authority"};
  Reader reader(element, mistakes, kKnown);
  SiteConfig site;
  site.name = reader.name("name");
  site.lu = reader.formed("lu", is_network_lu_name, "NETID.NAME, two names of " + std::string(kNameForm));
  const std::string listen = reader.required("listen");
  if (const auto address = parse_host_port(listen)) {
    site.host = address->host;
    site.port = address->port;
  } else if (reader.has("listen")) {
    reader.bad("listen", "must be host:port with a port of 1 to 65535, such as 192.0.2.7:7101 or [::1]:7101");
  }
  site.directory = reader.path("directory", directory);
  site.certificate = reader.path("certificate", directory);
  site.key = reader.path("key", directory);
  site.authority = reader.path("authority", directory);
  return site;
}

SystemConfig read_system(const XmlElement& element, const std::string& directory, ConfigMistakes& mistakes) {
  static constexpr std::string_view kKnown[] = {"name", "site", "hercules"};
  Reader reader(element, mistakes, kKnown);
  SystemConfig system;
  system.name = reader.name("name");
  system.site = reader.name("site");
  if (reader.has("hercules")) system.hercules = reader.path("hercules", directory);
  return system;
}

bool is_segment_name(std::string_view text) {
  return text.size() <= 100 && std::ranges::all_of(text, [](char c) {
           return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
         });
}

StorageConfig read_storage(const XmlElement& element, ConfigMistakes& mistakes) {
  static constexpr std::string_view kKnown[] = {"ring", "chunk", "segment"};
  Reader reader(element, mistakes, kKnown);
  StorageConfig storage;
  reader.size("ring", storage.ring_bytes, 2 * std::uint64_t{kMinChunkBytes}, kMaxRingBytes);
  reader.size("chunk", storage.chunk_bytes, kMinChunkBytes, kMaxChunkBytes);
  if (storage.chunk_bytes % 4096 != 0) reader.bad("chunk", "must be a multiple of 4K");
  if (reader.has("segment")) storage.segment = reader.formed("segment", is_segment_name, "at most 100 letters, digits, '.', '_' and '-'");
  return storage;
}

BufferConfig read_buffers(const XmlElement& element, ConfigMistakes& mistakes) {
  static constexpr std::string_view kKnown[] = {"message", "interval", "window", "pacelimit", "freezelimit"};
  Reader reader(element, mistakes, kKnown);
  BufferConfig buffers;
  reader.size("message", buffers.message_bytes, 4096, kMaxMessageBytes);
  reader.interval("interval", buffers.interval_ms, 1, kMaxInterval_ms);
  reader.size("window", buffers.window_bytes, kMaxMessageBytes, kMaxWindowBytes);
  reader.interval("pacelimit", buffers.pace_limit_ms, 0, kMaxHold_ms);
  reader.interval("freezelimit", buffers.freeze_limit_ms, 1000, kMaxHold_ms);
  return buffers;
}

JournalConfig read_journal(const XmlElement& element, ConfigMistakes& mistakes) {
  static constexpr std::string_view kKnown[] = {"bytes", "files"};
  Reader reader(element, mistakes, kKnown);
  JournalConfig journal;
  reader.size("bytes", journal.bytes, kMinJournalBytes, kMaxJournalBytes);
  reader.bounded(
      "files", journal.files, parse_count, 2, 16, [](std::uint64_t n) { return std::to_string(n); }, "a number");
  return journal;
}

FailureConfig read_failure(const XmlElement& element, ConfigMistakes& mistakes) {
  static constexpr std::string_view kKnown[] = {"heartbeat", "action"};
  Reader reader(element, mistakes, kKnown);
  FailureConfig failure;
  reader.interval("heartbeat", failure.heartbeat_ms, kMinHeartbeat_ms, kMaxHold_ms);
  const XmlAttribute* action = reader.find("action");
  if (action == nullptr) return failure;
  if (action->value == "FREEZE")
    failure.action = LossAction::kFreeze;
  else if (action->value == "RECOVER")
    failure.action = LossAction::kRecover;
  else if (action->value == "NONE")
    failure.action = LossAction::kNone;
  else
    reader.bad("action", "must be FREEZE, RECOVER or NONE");
  return failure;
}

VolumeConfig read_volume(const XmlElement& element, const std::string& directory, ConfigMistakes& mistakes) {
  static constexpr std::string_view kKnown[] = {"volser", "secvolser", "system", "device", "type", "image", "secondary"};
  constexpr std::string_view kVolserForm = "1 to 6 characters of A-Z 0-9 @ # $ -";
  Reader reader(element, mistakes, kKnown);
  VolumeConfig volume;
  volume.volser = reader.formed("volser", is_volser, kVolserForm);
  volume.secondary_volser = reader.has("secvolser") ? reader.formed("secvolser", is_volser, kVolserForm) : volume.volser;
  volume.system = reader.name("system");
  const std::string device = reader.required("device");
  if (const auto number = parse_device_number(device))
    volume.device = *number;
  else if (reader.has("device"))
    reader.bad("device", "must be a device number of 1 to 4 hexadecimal digits, such as 0A80");
  const std::string type = reader.required("type");
  if (const CkdType* known = ckd_type_by_name(type)) {
    volume.type = known->type;
  } else if (reader.has("type")) {
    std::string types;
    for (const CkdType& t : ckd_types()) types += (types.empty() ? "" : ", ") + ckd_type_name(t.type);
    reader.bad("type", "must be a CKD device type, one of " + types);
  }
  volume.image = reader.path("image", directory);
  volume.secondary_image = reader.path("secondary", directory);
  return volume;
}

void unknown_element(const XmlElement& element, const std::string& parent, const std::string& allowed, ConfigMistakes& mistakes) {
  mistakes.add(element.first_line,
               "<" + element.name + "> is not known inside <" + parent + ">: correct its name or remove it (known: " + allowed + ").");
}

// True the first time; a second one is a mistake.
bool first_one(bool& seen, const XmlElement& element, const std::string& parent, ConfigMistakes& mistakes) {
  if (seen) mistakes.add(element.first_line, "<" + parent + "> has a second <" + element.name + ">: keep one.");
  return !std::exchange(seen, true);
}

bool has_device_number(const XmlElement& volume) {
  return std::ranges::any_of(volume.attributes,
                             [](const XmlAttribute& a) { return a.name == "device" && parse_device_number(a.value).has_value(); });
}

SessionConfig read_session(const XmlElement& element, const std::string& directory, std::vector<VolumeLine>& volume_lines,
                           ConfigMistakes& mistakes) {
  static constexpr std::string_view kKnown[] = {"name", "primary", "secondary", "errorlevel"};
  Reader reader(element, mistakes, kKnown);
  SessionConfig session;
  session.name = reader.name("name");
  session.primary = reader.name("primary");
  session.secondary = reader.name("secondary");
  const XmlAttribute* level = reader.find("errorlevel");
  if (level != nullptr && level->value != "SESSION")
    reader.bad("errorlevel", "must be SESSION: the volumes of a session are kept consistent together");
  bool buffers = false, journal = false, failure = false;
  for (const XmlElement& child : element.children) {
    if (child.name == "volume") {
      session.volumes.push_back(read_volume(child, directory, mistakes));
      volume_lines.push_back({child.first_line, has_device_number(child)});
    } else if (child.name == "buffers") {
      if (first_one(buffers, child, "session", mistakes)) session.buffers = read_buffers(child, mistakes);
    } else if (child.name == "journal") {
      if (first_one(journal, child, "session", mistakes)) session.journal = read_journal(child, mistakes);
    } else if (child.name == "failure") {
      if (first_one(failure, child, "session", mistakes)) session.failure = read_failure(child, mistakes);
    } else {
      unknown_element(child, "session", "buffers, journal, failure, volume", mistakes);
    }
  }
  return session;
}

bool root_is_ours(const XmlElement& root, ConfigMistakes& mistakes) {
  if (root.name == "afterimage" && root.in_namespace) return true;
  mistakes.add(root.first_line,
               "The outermost element is <" + root.name + ">: it must be <afterimage xmlns=\"" + kConfigNamespace + "\" plex=\"...\">.");
  return false;
}

}  // namespace

Config read_config_tree(const XmlElement& root, const std::string& directory, ConfigLines& lines, ConfigMistakes& mistakes) {
  Config config;
  config.directory = directory;
  if (!root_is_ours(root, mistakes)) return config;
  lines.root = root.first_line;
  static constexpr std::string_view kKnown[] = {"plex"};
  Reader reader(root, mistakes, kKnown);
  config.plex = reader.name("plex");
  bool storage = false;
  for (const XmlElement& child : root.children) {
    if (child.name == "site") {
      config.sites.push_back(read_site(child, directory, mistakes));
      lines.sites.push_back(child.first_line);
    } else if (child.name == "system") {
      config.systems.push_back(read_system(child, directory, mistakes));
      lines.systems.push_back(child.first_line);
    } else if (child.name == "storage") {
      lines.storage = child.first_line;
      if (first_one(storage, child, "afterimage", mistakes)) config.storage = read_storage(child, mistakes);
    } else if (child.name == "session") {
      config.sessions.push_back(read_session(child, directory, lines.volumes.emplace_back(), mistakes));
      lines.sessions.push_back(child.first_line);
    } else {
      unknown_element(child, "afterimage", "site, system, storage, session", mistakes);
    }
  }
  return config;
}

}  // namespace afterimage
