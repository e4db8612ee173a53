// BIND: the first exchange on a connection, which names both LUs, the session and where to resume. Pure codec.
#pragma once

#include "vtam_link/message.h"

namespace afterimage {

inline constexpr std::uint16_t kLinkVersion = 1;

struct BindRequest {  // primary -> secondary
  std::uint16_t version = kLinkVersion;
  std::string product_version;
  std::string session, origin_lu, destination_lu;
  std::uint64_t epoch = 0;         // of the primary's session
  std::uint64_t storage_id = 0;    // of its common storage: another value with the same epoch means the work list was lost
  std::uint64_t next_message = 1;  // number of the next message the primary would send
  Sequence freed_through = 0;      // the primary can send nothing at or below this
  std::uint32_t max_message_bytes = 0;
};
struct BindResponse {  // secondary -> primary
  bool accepted = false;
  std::string reason;  // one sentence when refused
  std::string product_version;
  std::uint64_t epoch = 0;             // epoch the secondary holds, 0 = none
  std::uint64_t last_message = 0;      // durable; the primary continues with the next number
  std::uint64_t last_own_message = 0;  // last number the secondary used in its own direction
  Sequence known_through = 0;          // B: M1 continues behind this
  Sequence complete_through = 0;       // M2 continues behind this; fields the secondary already holds are ignored there
};
// Fields that cannot be carried are not an error here, because the caller takes its names from a checked configuration: a name too long
// is cut, control characters of a sentence become '?'. The decoder at the other side refuses what is then not a name.
std::vector<std::uint8_t> encode(const BindRequest& bind);
std::vector<std::uint8_t> encode(const BindResponse& bind);
// Refuse everything that is not exactly one BIND of this version, with a sentence that names the field.
Result<BindRequest> decode_bind_request(std::span<const std::uint8_t> bytes);
Result<BindResponse> decode_bind_response(std::span<const std::uint8_t> bytes);

}  // namespace afterimage
