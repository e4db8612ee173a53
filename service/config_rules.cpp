// See config_rules.h.
#include "service/config_rules.h"

#include <map>
#include <utility>

#include "service/config_values.h"

namespace afterimage {
namespace {

constexpr std::size_t kMaxImagePath = 511;         // what common storage keeps of a path
constexpr std::size_t kMaxDevicesPerSystem = 256;  // what the module taps in one Hercules

// Remembers the line of each key; says where the first one was when a key comes again.
template <typename Key>
class Seen {
 public:
  // 0 the first time, else the line of the first.
  int before(const Key& key, int line) {
    const auto [place, inserted] = lines_.emplace(key, line);
    return inserted ? 0 : place->second;
  }

 private:
  std::map<Key, int> lines_;
};

std::string at_line(int line) { return " (line " + std::to_string(line) + ")"; }

bool loopback(const std::string& host) { return host == "localhost" || host == "::1" || host.starts_with("127."); }

// Two sites on one machine share its files; sites on different machines may use the same paths.
bool same_host(const SiteConfig& a, const SiteConfig& b) { return a.host == b.host || (loopback(a.host) && loopback(b.host)); }

std::string names_of(const auto& things) {
  std::string names;
  for (const auto& thing : things) names += (names.empty() ? "" : ", ") + thing.name;
  return names.empty() ? "none" : names;
}

void check_sites(const Config& config, const ConfigLines& lines, ConfigMistakes& mistakes) {
  if (config.sites.size() < 2)
    mistakes.add(lines.root, "A plex has at least two sites, and " + std::to_string(config.sites.size()) + " is defined: add a <site>.");
  Seen<std::string> names, lus;
  for (std::size_t i = 0; i < config.sites.size(); ++i) {
    const SiteConfig& site = config.sites[i];
    const int line = lines.sites[i];
    if (const int first = names.before(site.name, line))
      mistakes.add(line, "Site " + site.name + " is defined twice" + at_line(first) + ": give one another name.");
    if (const int first = lus.before(site.lu, line))
      mistakes.add(line, "LU " + site.lu + " belongs to another site already" + at_line(first) + ": each site has its own LU.");
    for (std::size_t k = 0; k < i; ++k) {
      const SiteConfig& other = config.sites[k];
      if (!same_host(site, other)) continue;
      if (site.port == other.port && site.port != 0)
        mistakes.add(line, "Sites " + other.name + at_line(lines.sites[k]) + " and " + site.name + " listen on port " +
                               std::to_string(site.port) + " of one host: give one another port.");
      if (site.directory == other.directory && !site.directory.empty())
        mistakes.add(line, "Sites " + other.name + at_line(lines.sites[k]) + " and " + site.name +
                               " are on one host and share the directory " + site.directory + ": give each its own.");
    }
  }
}

void check_systems(const Config& config, const ConfigLines& lines, ConfigMistakes& mistakes) {
  if (config.systems.empty()) mistakes.add(lines.root, "No system is defined: add <system name=\"...\" site=\"...\"/> for each Hercules.");
  if (config.systems.size() > kMaxSystems)
    mistakes.add(lines.systems[kMaxSystems], "A plex has at most " + std::to_string(kMaxSystems) + " systems, and " +
                                                 std::to_string(config.systems.size()) + " are defined: remove some.");
  Seen<std::string> names;
  for (std::size_t i = 0; i < config.systems.size(); ++i) {
    const SystemConfig& system = config.systems[i];
    const int line = lines.systems[i];
    if (const int first = names.before(system.name, line))
      mistakes.add(line, "System " + system.name + " is defined twice" + at_line(first) + ": give one another name.");
    if (!system.site.empty() && config.site(system.site) == nullptr)
      mistakes.add(line, "System " + system.name + " names site " + system.site +
                             ", which is not defined (defined: " + names_of(config.sites) + "): correct the name or add the <site>.");
  }
}

void check_session_sites(const Config& config, const SessionConfig& session, int line, ConfigMistakes& mistakes) {
  for (const auto& [role, name] : {std::pair{"primary", session.primary}, std::pair{"secondary", session.secondary}})
    if (!name.empty() && config.site(name) == nullptr)
      mistakes.add(line, "Session " + session.name + " names " + role + " site " + name +
                             ", which is not defined (defined: " + names_of(config.sites) + "): correct the name or add the <site>.");
  if (!session.primary.empty() && session.primary == session.secondary)
    mistakes.add(line, "Session " + session.name + " has site " + session.primary + " as primary and as secondary: name two sites.");
}

void check_volume_system(const Config& config, const SessionConfig& session, const VolumeConfig& volume, int line,
                         ConfigMistakes& mistakes) {
  const SystemConfig* system = config.system_named(volume.system);
  if (system == nullptr && !volume.system.empty())
    mistakes.add(line, "Volume " + volume.volser + " names system " + volume.system +
                           ", which is not defined (defined: " + names_of(config.systems) + "): correct the name or add the <system>.");
  if (system != nullptr && config.site(system->site) != nullptr && config.site(session.primary) != nullptr &&
      system->site != session.primary)
    mistakes.add(line, "Volume " + volume.volser + " belongs to system " + system->name + " of site " + system->site +
                           ", and the session's primary site is " + session.primary + ": name a system of that site.");
}

struct ImageUse {
  std::string site, path;
  const SiteConfig* definition = nullptr;
  int line = 0;
};

void check_image(const ImageUse& use, std::vector<ImageUse>& earlier, ConfigMistakes& mistakes) {
  if (use.path.empty()) return;
  if (use.path.size() > kMaxImagePath)
    mistakes.add(use.line, "The path of image " + use.path.substr(0, 40) + "... has " + std::to_string(use.path.size()) +
                               " characters, and " + std::to_string(kMaxImagePath) + " is the limit: use a shorter one.");
  for (const ImageUse& other : earlier) {
    const bool one_host = other.site == use.site ||
                          (other.definition != nullptr && use.definition != nullptr && same_host(*other.definition, *use.definition));
    if (!one_host || other.path != use.path) continue;
    mistakes.add(use.line, "Image " + use.path + " is used twice" + at_line(other.line) + ": one image is one volume at one site.");
    break;
  }
  earlier.push_back(use);
}

void check_volumes(const Config& config, const SessionConfig& session, const std::vector<VolumeLine>& lines, int session_line,
                   ConfigMistakes& mistakes) {
  if (session.volumes.empty()) mistakes.add(session_line, "Session " + session.name + " has no volume: add at least one <volume>.");
  if (session.volumes.size() > kMaxDevices)
    mistakes.add(lines[kMaxDevices].line, "A plex has at most " + std::to_string(kMaxDevices) + " volumes, and session " + session.name +
                                              " has " + std::to_string(session.volumes.size()) + ": remove some.");
  Seen<std::string> volsers, secondary_volsers;
  Seen<std::pair<std::string, std::uint16_t>> devices;
  std::map<std::string, std::size_t> per_system;
  std::vector<ImageUse> images;
  for (std::size_t i = 0; i < session.volumes.size(); ++i) {
    const VolumeConfig& volume = session.volumes[i];
    const int line = lines[i].line;
    if (const int first = volsers.before(volume.volser, line); first != 0 && !volume.volser.empty())
      mistakes.add(line, "Volume " + volume.volser + " is in the session twice" + at_line(first) + ": a volser names one volume.");
    if (const int first = secondary_volsers.before(volume.secondary_volser, line); first != 0 && !volume.secondary_volser.empty())
      mistakes.add(line, "Secondary volser " + volume.secondary_volser + " is in the session twice" + at_line(first) +
                             ": a volser names one volume.");
    if (const int first = lines[i].device_read ? devices.before({volume.system, volume.device}, line) : 0)
      mistakes.add(line, "Device " + device_number_text(volume.device) + " of system " + volume.system + " is used twice" + at_line(first) +
                             ": correct the device number.");
    check_volume_system(config, session, volume, line, mistakes);
    if (++per_system[volume.system] == kMaxDevicesPerSystem + 1)
      mistakes.add(line, "System " + volume.system + " has more than " + std::to_string(kMaxDevicesPerSystem) +
                             " volumes in the session: move some to another system.");
    check_image({session.primary, volume.image, config.site(session.primary), line}, images, mistakes);
    check_image({session.secondary, volume.secondary_image, config.site(session.secondary), line}, images, mistakes);
  }
}

void check_sizes(const Config& config, const ConfigLines& lines, ConfigMistakes& mistakes) {
  std::uint64_t volumes = 0;
  for (std::size_t i = 0; i < config.sessions.size(); ++i) {
    const SessionConfig& session = config.sessions[i];
    volumes += session.volumes.size();
    if (session.buffers.window_bytes > config.storage.ring_bytes)
      mistakes.add(lines.sessions[i], "Session " + session.name + " has a window of " + size_text(session.buffers.window_bytes) +
                                          ", and the storage ring holds " + size_text(config.storage.ring_bytes) +
                                          ": make the window smaller or the ring larger.");
    if (session.journal.bytes / session.journal.files < 2 * std::uint64_t{kMaxMessageBytes})
      mistakes.add(lines.sessions[i], "Session " + session.name + " has journal files of " +
                                          size_text(session.journal.bytes / session.journal.files) + " each, and a message may need " +
                                          size_text(kMaxMessageBytes) + ": give at least " +
                                          size_text(2 * std::uint64_t{kMaxMessageBytes}) + " to each file.");
    // A token goes ahead of its data, by as much as the ring holds; what was journalled from the one to the other is needed in one piece.
    else if (journal_least_bytes(session.journal) < config.storage.ring_bytes / 4 * 5)
      mistakes.add(lines.sessions[i], "Session " + session.name + " has a journal that holds at least " +
                                          size_text(journal_least_bytes(session.journal)) + ", all files but one, and a storage ring of " +
                                          size_text(config.storage.ring_bytes) +
                                          ": make the journal larger or the ring smaller, so that the journal holds a quarter more.");
  }
  // A device fills one chunk while its earlier one waits for its acknowledgement.
  const std::uint64_t needed = 2 * volumes * config.storage.chunk_bytes;
  if (config.storage.ring_bytes < needed)
    mistakes.add(lines.storage != 0 ? lines.storage : lines.root,
                 "The storage ring of " + size_text(config.storage.ring_bytes) + " is too small for " + std::to_string(volumes) +
                     " volumes with chunks of " + size_text(config.storage.chunk_bytes) + ": it needs at least " + size_text(needed) +
                     " (two chunks for each volume).");
}

}  // namespace

void check_config_rules(const Config& config, const ConfigLines& lines, ConfigMistakes& mistakes) {
  if (lines.root == 0) return;
  check_sites(config, lines, mistakes);
  check_systems(config, lines, mistakes);
  if (config.sessions.empty()) mistakes.add(lines.root, "No session is defined: add a <session>.");
  for (std::size_t i = 0; i < config.sessions.size(); ++i) {
    if (i == 1)
      mistakes.add(lines.sessions[i], "A plex has one session, and this is the second" + at_line(lines.sessions[0]) +
                                          ": put its volumes into the first, or into a plex of their own.");
    check_session_sites(config, config.sessions[i], lines.sessions[i], mistakes);
    check_volumes(config, config.sessions[i], lines.volumes[i], lines.sessions[i], mistakes);
  }
  check_sizes(config, lines, mistakes);
}

}  // namespace afterimage
