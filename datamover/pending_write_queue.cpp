// The pending write queue: a deque indexed by sequence number, so that finding a token costs the same however long the backlog is.
#include "datamover/pending_write_queue.h"

#include <utility>

#include "serializer/canary.h"
#include "serializer/check.h"

namespace afterimage {

namespace {

std::string token_name(const Token& token) { return "token " + std::to_string(token.sequence); }

}  // namespace

PendingWriteQueue::PendingWriteQueue(Sequence through) : base_(through), complete_(through) {}

Status PendingWriteQueue::add_token(const Token& token, std::uint64_t journal_position) {
  if (token.sequence <= base_) return Status::ok();
  if (token.sequence <= known_through()) {
    if (entries_[token.sequence - base_ - 1].token == token) return Status::ok();
    return Status::error("A second, different token came with the sequence number of " + token_name(token) +
                         ", which is already in the pending write queue; the sites no longer agree: end or recover the session.");
  }
  if (token.sequence != known_through() + 1)
    return Status::error("Token " + std::to_string(known_through() + 1) + " was expected next and " + token_name(token) +
                         " came: tokens between them are missing; the link must be bound again.");
  PendingWrite entry;
  entry.token = token;
  entry.journal_position = journal_position;
  entries_.push_back(std::move(entry));
  return Status::ok();
}

Status PendingWriteQueue::check_data(const Token& token, std::size_t data_bytes) const {
  if (token.sequence <= base_) return Status::ok();
  if (token.sequence > known_through())
    return Status::error("Data came for " + token_name(token) + ", which the pending write queue does not know (the last is " +
                         std::to_string(known_through()) + "); it is refused.");
  if (entries_[token.sequence - base_ - 1].token != token && !planted(Canary::kDataMatchedBySequence))
    return Status::error("The data that came for " + token_name(token) +
                         " names another address than the token did; it is misaddressed and refused.");
  if (data_bytes != token.data_length)
    return Status::error("The data that came for " + token_name(token) + " has " + std::to_string(data_bytes) +
                         " bytes and its token names " + std::to_string(token.data_length) + "; it is refused.");
  return Status::ok();
}

Status PendingWriteQueue::add_data(const Token& token, std::span<const std::uint8_t> data, std::uint64_t journal_position) {
  Status checked = check_data(token, data.size());
  if (!checked || token.sequence <= base_) return checked;
  PendingWrite& entry = entries_[token.sequence - base_ - 1];
  if (entry.condition != EntryCondition::kIncomplete) return Status::ok();
  entry.data.assign(data.begin(), data.end());
  bytes_ += data.size();
  settle(entry, EntryCondition::kComplete, journal_position);
  return Status::ok();
}

Status PendingWriteQueue::add_void(const Token& token, std::uint64_t journal_position) {
  Status checked = check_data(token, token.data_length);
  if (!checked || token.sequence <= base_) return checked;
  PendingWrite& entry = entries_[token.sequence - base_ - 1];
  if (entry.condition == EntryCondition::kIncomplete) settle(entry, EntryCondition::kVoid, journal_position);
  return Status::ok();
}

void PendingWriteQueue::settle(PendingWrite& entry, EntryCondition condition, std::uint64_t journal_position) {
  entry.condition = condition;
  EntryCondition& first = entries_[complete_ - base_].condition;
  if (planted(Canary::kApplyPastA) && first == EntryCondition::kIncomplete) first = EntryCondition::kVoid;
  if (journal_position < entry.journal_position) entry.journal_position = journal_position;
  while (complete_ < known_through() && entries_[complete_ - base_].condition != EntryCondition::kIncomplete) ++complete_;
}

Sequence PendingWriteQueue::applied_through() const { return base_; }
Sequence PendingWriteQueue::complete_through() const { return complete_; }
Sequence PendingWriteQueue::known_through() const { return base_ + entries_.size(); }
std::uint64_t PendingWriteQueue::oldest_journal_position() const { return entries_.empty() ? 0 : entries_.front().journal_position; }
std::size_t PendingWriteQueue::entries() const { return entries_.size(); }
std::uint64_t PendingWriteQueue::data_bytes() const { return bytes_; }
const std::deque<PendingWrite>& PendingWriteQueue::all() const { return entries_; }

const PendingWrite* PendingWriteQueue::find(Sequence sequence) const {
  if (sequence <= base_ || sequence > known_through()) return nullptr;
  return &entries_[sequence - base_ - 1];
}

PendingWrite PendingWriteQueue::take_front() {
  AI_CHECK(complete_ > base_);
  PendingWrite entry = std::move(entries_.front());
  entries_.pop_front();
  AI_CHECK(entry.condition != EntryCondition::kIncomplete);
  AI_CHECK(entry.token.sequence == base_ + 1);
  bytes_ -= entry.data.size();
  ++base_;
  return entry;
}

}  // namespace afterimage
