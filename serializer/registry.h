// io: who uses common storage: the systems (Hercules processes), the mover (dsmd), and the devices of each system.
// Threads: any, of any attached process; changes are serialised by a lock that the kernel drops when its holder dies.
// Nothing here is called on the write path, but for the heartbeats, which are one store.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "serializer/bury.h"

namespace afterimage {

struct Registration {
  std::uint32_t system = 0;  // index
  Burial burial;             // what was cleaned up after a dead predecessor of that name
};

// Enters this process as system `name` (1 to 8 characters). The same process gets the same index again. Refused: a living process
// of that name; a dead predecessor while a mover lives, since the mover must bury it (severity kWarning: try again); no place left.
// With no mover alive a dead predecessor is buried here.
Result<Registration> register_system(CommonStorage& storage, const std::string& name);
// Stopped cleanly: all its volumes are closed and its SlotWriters released.
void unregister_system(CommonStorage& storage, std::uint32_t system);
std::optional<std::uint32_t> find_system(CommonStorage& storage, std::string_view name);
bool system_is_alive(CommonStorage& storage, std::uint32_t system);
void system_heartbeat(CommonStorage& storage, std::uint32_t system, Tod now);

// Enters this process as the mover; refused while another lives.
Status register_mover(CommonStorage& storage);
void unregister_mover(CommonStorage& storage);
bool mover_is_alive(CommonStorage& storage);
void mover_heartbeat(CommonStorage& storage, Tod now);

struct DeviceDefinition {
  std::string volser;  // 1 to 6 characters
  std::string system;  // name; entered in the system table if it is new
  std::uint16_t device_number = 0;
  VolumeId volume = 0;
  std::uint16_t device_type = 0;
  std::uint32_t cylinders = 0, heads = 0, track_bytes = 0, tracks = 0;
  std::string image_path;
  bool compressed = false;
};
// Enters a device, or changes one of the same system and device number that is not in use; its index. Refused: bounds, more tracks
// than the maps have, another definition for a device that is open, in a session or to be mended, no place left.
Result<std::uint32_t> define_device(CommonStorage& storage, const DeviceDefinition& definition);
std::optional<std::uint32_t> find_device(CommonStorage& storage, std::string_view system, std::uint16_t device_number);

}  // namespace afterimage
