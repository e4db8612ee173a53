// The configuration of a plex as values: sites, systems, sessions, volumes. Pure. docs/CONFIGURATION.md says what each setting means.
// Threads: values.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "automation/failure_monitor.h"
#include "serializer/limits.h"

namespace afterimage {

inline constexpr char kConfigNamespace[] = "urn:afterimage:config:1";

// Every path below is absolute: the file's relative paths are taken relative to the file itself.
struct SiteConfig {
  std::string name;
  std::string lu;                           // NETID.NAME
  std::string host;                         // of `listen`, without brackets
  std::uint16_t port = 0;                   // never 0
  std::string directory;                    // state, journal, command socket, log of this site's dsmd
  std::string certificate, key, authority;  // PEM files
  friend bool operator==(const SiteConfig&, const SiteConfig&) = default;
};

struct SystemConfig {  // one Hercules
  std::string name;    // what AFTERIMAGE_SYSTEM says in it
  std::string site;
  std::string hercules;  // its Hercules configuration file; "" = not stated
  friend bool operator==(const SystemConfig&, const SystemConfig&) = default;
};

struct StorageConfig {  // common storage, see serializer/common_storage.h
  std::uint64_t ring_bytes = kDefaultRingBytes;
  std::uint32_t chunk_bytes = kDefaultChunkBytes;
  std::string segment;  // name of the shared memory; "" = made from the plex's name
  friend bool operator==(const StorageConfig&, const StorageConfig&) = default;
};

struct BufferConfig {
  std::uint32_t message_bytes = kDefaultMessageBytes;  // a message goes when this much is waiting ...
  std::uint32_t interval_ms = kDefaultInterval_ms;     // ... or this long after the one before (A14)
  std::uint64_t window_bytes = 16ull << 20;            // unacknowledged at most
  std::uint32_t pace_limit_ms = kPaceLimit_ms;
  std::uint32_t freeze_limit_ms = kFreezeLimit_ms;
  friend bool operator==(const BufferConfig&, const BufferConfig&) = default;
};

struct JournalConfig {
  std::uint64_t bytes = 256ull << 20;  // of all files together
  std::uint32_t files = 2;
  friend bool operator==(const JournalConfig&, const JournalConfig&) = default;
};
// What it holds whatever part of its oldest file is still needed.
constexpr std::uint64_t journal_least_bytes(const JournalConfig& journal) { return journal.bytes / journal.files * (journal.files - 1); }

struct FailureConfig {
  std::uint32_t heartbeat_ms = 3000;      // the primary counts as lost after this long without a message
  LossAction action = LossAction::kNone;  // FREEZE and RECOVER are final, so they are for who asks for them
  friend bool operator==(const FailureConfig&, const FailureConfig&) = default;
};

struct VolumeConfig {
  std::string volser, secondary_volser;
  std::string system;
  std::uint16_t device = 0;     // X'0A80'
  std::uint16_t type = 0;       // X'3390'
  std::string image;            // at the primary site, as its Hercules opens it
  std::string secondary_image;  // at the secondary site
  friend bool operator==(const VolumeConfig&, const VolumeConfig&) = default;
};

struct SessionConfig {
  std::string name;
  std::string primary, secondary;  // sites
  BufferConfig buffers;
  JournalConfig journal;
  FailureConfig failure;
  std::vector<VolumeConfig> volumes;  // at least one; the index is the VolumeId
  friend bool operator==(const SessionConfig&, const SessionConfig&) = default;
};

struct Config {
  std::string path;       // of the XML file, absolute
  std::string directory;  // the folder it is in
  std::string plex;
  std::vector<SiteConfig> sites;
  std::vector<SystemConfig> systems;
  StorageConfig storage;
  std::vector<SessionConfig> sessions;  // exactly one, so far
  // Null if there is none. The pointer lives as long as this object is not changed.
  const SiteConfig* site(std::string_view name) const;
  const SystemConfig* system_named(std::string_view name) const;
  const SessionConfig* session(std::string_view name) const;
  friend bool operator==(const Config&, const Config&) = default;
};

// The XML text of a configuration. Paths below config.directory are written relative to it; settings at their defaults are left out.
// load_config of the result at config.path gives an equal Config.
std::string write_config(const Config& config);

}  // namespace afterimage
