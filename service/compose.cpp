// io: see compose.h.
#include "service/compose.h"

#include <algorithm>

#include "channel/dasd_image.h"

namespace afterimage {

namespace {

Result<VolumeDescriptor> describe(const VolumeConfig& volume, const std::string& image_path) {
  auto image = DasdImage::open(image_path, OpenFor::kRead);
  if (!image.good()) return failed<VolumeDescriptor>(Status::error("Volume " + volume.volser + ": " + image.status.text()));
  const Geometry& geometry = image.value->geometry();
  VolumeDescriptor descriptor;
  descriptor.volser = volume.volser;
  descriptor.secondary_volser = volume.secondary_volser;
  descriptor.device_number = volume.device;
  descriptor.device_type = volume.type;
  descriptor.cylinders = geometry.cylinders;
  descriptor.heads = geometry.heads;
  descriptor.track_bytes = geometry.track_bytes;
  descriptor.system = volume.system;
  return result_of(std::move(descriptor));
}

TlsFiles tls_of(const SiteConfig& site) { return {site.certificate, site.key, site.authority}; }

}  // namespace

std::string command_socket_path(const SiteConfig& site) { return site.directory + "/dsmd.sock"; }

std::string segment_of(const Config& config) { return CommonStorage::segment_name(config.plex, config.storage.segment); }

Result<PrimaryNodeSettings> primary_settings(const Config& config, const SessionConfig& session) {
  const SiteConfig& here = *config.site(session.primary);
  const SiteConfig& there = *config.site(session.secondary);
  PrimaryNodeSettings settings;
  settings.plex = config.plex;
  settings.segment = segment_of(config);
  settings.directory = here.directory;
  settings.command_socket = command_socket_path(here);
  settings.tls = tls_of(here);
  settings.peer = {there.lu, there.host, there.port};
  settings.mover.session = session.name;
  settings.mover.local_lu = here.lu;
  settings.mover.peer_lu = there.lu;
  settings.mover.message_bytes = session.buffers.message_bytes;
  settings.mover.interval_ms = session.buffers.interval_ms;
  settings.mover.window_bytes = session.buffers.window_bytes;
  settings.pace_limit_ms = session.buffers.pace_limit_ms;
  settings.freeze_limit_ms = session.buffers.freeze_limit_ms;
  std::uint32_t most_tracks = 0;
  for (const VolumeConfig& volume : session.volumes) {
    auto descriptor = describe(volume, volume.image);
    if (!descriptor.good()) return failed<PrimaryNodeSettings>(descriptor.status);
    most_tracks = std::max(most_tracks, descriptor.value.cylinders * descriptor.value.heads);
    settings.volumes.push_back({std::move(descriptor.value), volume.image});
  }
  settings.shape.plex = config.plex;
  settings.shape.ring_bytes = config.storage.ring_bytes;
  settings.shape.chunk_bytes = config.storage.chunk_bytes;
  settings.shape.max_tracks = most_tracks;
  settings.shape.devices = static_cast<std::uint32_t>(session.volumes.size());
  return result_of(std::move(settings));
}

Result<SecondaryNodeSettings> secondary_settings(const Config& config, const SessionConfig& session) {
  const SiteConfig& here = *config.site(session.secondary);
  const SiteConfig& there = *config.site(session.primary);
  SecondaryNodeSettings settings;
  settings.directory = here.directory;
  settings.tls = tls_of(here);
  settings.local = {here.lu, here.host, here.port};
  settings.peer_lu = there.lu;
  settings.mover.session = session.name;
  settings.mover.local_lu = here.lu;
  settings.mover.peer_lu = there.lu;
  settings.journal.directory = here.directory;
  settings.journal.bytes = session.journal.bytes;
  settings.journal.files = session.journal.files;
  settings.mover.journal_bytes = least_capacity(settings.journal);
  settings.failure.heartbeat_limit_us = std::uint64_t{session.failure.heartbeat_ms} * 1000;
  settings.failure.action = session.failure.action;
  for (const VolumeConfig& volume : session.volumes) {
    auto descriptor = describe(volume, volume.secondary_image);
    if (!descriptor.good()) return failed<SecondaryNodeSettings>(descriptor.status);
    settings.mover.volumes.push_back(std::move(descriptor.value));
    settings.images.push_back(volume.secondary_image);
  }
  return result_of(std::move(settings));
}

}  // namespace afterimage
