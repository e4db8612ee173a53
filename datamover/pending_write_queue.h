// The pending write queue of the secondary (document 002, FIG. 5; A16, A17, A19-A22): tokens in sequence order, some with their data, some
// without. Data is matched to its token by sequence and address. Only complete runs leave it, in order. Pure; lookups are O(1).
// A token at or below applied_through() is accepted and ignored: it has left the queue. Threads: one at a time.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "serializer/status.h"
#include "serializer/token.h"

namespace afterimage {

enum class EntryCondition : std::uint8_t { kIncomplete, kComplete, kVoid };

struct PendingWrite {
  Token token;
  EntryCondition condition = EntryCondition::kIncomplete;
  std::vector<std::uint8_t> data;
  std::uint64_t journal_position = 0;  // of the message that must not be lost while this entry is pending (the older of its M1 and M2)
};

class PendingWriteQueue {
 public:
  // Everything <= `through` is already applied.
  explicit PendingWriteQueue(Sequence through = 0);
  // Tokens must come in order without a gap; one already known is accepted if equal, refused if different.
  Status add_token(const Token& token, std::uint64_t journal_position);
  // Refused (with a sentence) when the sequence is unknown, or its address differs from the token's (misaddressed data), or lengths
  // disagree. Data that is already held is ignored when its token agrees.
  Status add_data(const Token& token, std::span<const std::uint8_t> data, std::uint64_t journal_position);
  Status add_void(const Token& token, std::uint64_t journal_position);
  // What add_data would answer, changing nothing.
  Status check_data(const Token& token, std::size_t data_bytes) const;

  Sequence applied_through() const;               // behind the front
  Sequence complete_through() const;              // A as things stand: last of the complete run at the front
  Sequence known_through() const;                 // B
  std::uint64_t oldest_journal_position() const;  // the front's: an M1 is never older than that of an earlier token; 0 when empty
  std::size_t entries() const;
  std::uint64_t data_bytes() const;
  const PendingWrite* find(Sequence sequence) const;
  const std::deque<PendingWrite>& all() const;
  // Removes the front entry; it must be complete or void.
  PendingWrite take_front();

 private:
  void settle(PendingWrite& entry, EntryCondition condition, std::uint64_t journal_position);

  std::deque<PendingWrite> entries_;
  Sequence base_ = 0, complete_ = 0;
  std::uint64_t bytes_ = 0;
};

}  // namespace afterimage
