// Writes a configuration as XML; see config.h.
#include <filesystem>
#include <sstream>

#include "channel/ckd_types.h"
#include "service/config_types.h"
#include "service/config_values.h"

namespace afterimage {
namespace {

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";
    else
      out += c;
  }
  return out;
}

std::string attribute(const char* name, const std::string& value) { return std::string(" ") + name + "=\"" + escaped(value) + "\""; }

// Relative when the path lies below the folder of the configuration, so that the folder can be moved or copied as a whole.
std::string path_attribute(const char* name, const std::string& path, const std::string& directory) {
  const std::filesystem::path relative = std::filesystem::path(path).lexically_relative(directory);
  const bool below = !relative.empty() && *relative.begin() != ".." && !std::filesystem::path(directory).empty();
  return attribute(name, below ? relative.string() : path);
}

std::string optional_size(const char* name, std::uint64_t value, std::uint64_t usual) {
  return value == usual ? std::string() : attribute(name, size_text(value));
}
std::string optional_interval(const char* name, std::uint64_t value, std::uint64_t usual) {
  return value == usual ? std::string() : attribute(name, interval_text(value));
}

void write_optional(std::ostream& out, const char* indent, const char* element, const std::string& attributes) {
  if (!attributes.empty()) out << indent << "<" << element << attributes << "/>\n";
}

void write_session(std::ostream& out, const SessionConfig& session, const std::string& directory) {
  out << "  <session" << attribute("name", session.name) << attribute("primary", session.primary)
      << attribute("secondary", session.secondary) << attribute("errorlevel", "SESSION") << ">\n";
  const BufferConfig& b = session.buffers;
  const BufferConfig usual;
  write_optional(out, "    ", "buffers",
                 optional_size("message", b.message_bytes, usual.message_bytes) +
                     optional_interval("interval", b.interval_ms, usual.interval_ms) +
                     optional_size("window", b.window_bytes, usual.window_bytes) +
                     optional_interval("pacelimit", b.pace_limit_ms, usual.pace_limit_ms) +
                     optional_interval("freezelimit", b.freeze_limit_ms, usual.freeze_limit_ms));
  const JournalConfig usual_journal;
  std::string journal = optional_size("bytes", session.journal.bytes, usual_journal.bytes);
  if (session.journal.files != usual_journal.files) journal += attribute("files", std::to_string(session.journal.files));
  write_optional(out, "    ", "journal", journal);
  const FailureConfig usual_failure;
  std::string failure = optional_interval("heartbeat", session.failure.heartbeat_ms, usual_failure.heartbeat_ms);
  if (session.failure.action != usual_failure.action) failure += attribute("action", std::string(action_name(session.failure.action)));
  write_optional(out, "    ", "failure", failure);
  for (const VolumeConfig& volume : session.volumes)
    out << "    <volume" << attribute("volser", volume.volser) << attribute("secvolser", volume.secondary_volser)
        << attribute("system", volume.system) << attribute("device", device_number_text(volume.device))
        << attribute("type", ckd_type_name(volume.type)) << path_attribute("image", volume.image, directory)
        << path_attribute("secondary", volume.secondary_image, directory) << "/>\n";
  out << "  </session>\n";
}

}  // namespace

std::string write_config(const Config& config) {
  std::ostringstream out;
  out << "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<afterimage" << attribute("xmlns", kConfigNamespace) << attribute("plex", config.plex)
      << ">\n";
  for (const SiteConfig& site : config.sites)
    out << "  <site" << attribute("name", site.name) << attribute("lu", site.lu)
        << attribute("listen", host_port_text(site.host, site.port)) << path_attribute("directory", site.directory, config.directory)
        << "\n       " << path_attribute("certificate", site.certificate, config.directory)
        << path_attribute("key", site.key, config.directory) << path_attribute("authority", site.authority, config.directory) << "/>\n";
  for (const SystemConfig& system : config.systems)
    out << "  <system" << attribute("name", system.name) << attribute("site", system.site)
        << (system.hercules.empty() ? std::string() : path_attribute("hercules", system.hercules, config.directory)) << "/>\n";
  const StorageConfig usual;
  std::string storage = optional_size("ring", config.storage.ring_bytes, usual.ring_bytes) +
                        optional_size("chunk", config.storage.chunk_bytes, usual.chunk_bytes);
  if (!config.storage.segment.empty()) storage += attribute("segment", config.storage.segment);
  write_optional(out, "  ", "storage", storage);
  for (const SessionConfig& session : config.sessions) write_session(out, session, config.directory);
  out << "</afterimage>\n";
  return out.str();
}

}  // namespace afterimage
