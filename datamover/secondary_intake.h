// What the secondary checks before it takes a message: the volume table, the addresses, the order of tokens, the match of data and tokens.
// A message is checked whole before anything of it is taken. Pure. Source: document 002 (A12, A13, A16).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "datamover/pending_write_queue.h"
#include "vtam_link/message.h"

namespace afterimage {

struct Objection {
  ExceptionCode code = ExceptionCode::kRefused;
  Sequence sequence = 0;
  std::string text;  // one sentence
};

// Whether the token lies on a volume of the table and inside its geometry. The error names volser and track.
Status check_address(const Token& token, const std::vector<VolumeDescriptor>& volumes);

// Empty when the table the primary sent agrees, entry by entry, with the one configured here (volsers, device type, geometry).
std::string why_not_volumes(const std::vector<VolumeDescriptor>& configured, const std::vector<VolumeDescriptor>& sent);

// What is wrong with M1 and M2, if anything. `known_tod` is the stamp of token queue.known_through() (0 = none). In a replay, tokens at or
// below queue.applied_through() are passed over.
std::optional<Objection> object_to_tokens(const Message& message, const PendingWriteQueue& queue,
                                          const std::vector<VolumeDescriptor>& volumes, Tod known_tod, bool replaying);

// Puts M1 and M2, to which there was no objection, into the queue. Checks again that it takes them.
void take_tokens(const Message& message, PendingWriteQueue& queue, std::uint64_t journal_position);

}  // namespace afterimage
