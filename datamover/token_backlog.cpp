// The primary's backlog of tokens.
#include "datamover/token_backlog.h"

#include "serializer/canary.h"
#include "serializer/check.h"

namespace afterimage {

TokenBacklog::TokenBacklog(Sequence freed_through) : base_(freed_through), m1_through_(freed_through) {}

M2Field TokenBacklog::field_of(const Item& item) const {
  M2Field field;
  field.token = item.token;
  field.flags = item.is_void ? kM2Void : std::uint8_t{0};
  if (!item.is_void) field.data = item.data;
  return field;
}

void TokenBacklog::queue_m2(Item& item) {
  item.ready = true;
  item.m2_sent = false;
  ready_.push(item.token.sequence);
  waiting_m2_ += encoded_m2_bytes(field_of(item));
}

void TokenBacklog::add(const Token& token, std::span<const std::uint8_t> data, bool flushed, bool is_void) {
  AI_CHECK(token.sequence == taken_through() + 1);
  AI_CHECK(token_is_well_formed(token));
  AI_CHECK(is_void || data.size() == token.data_length);
  Item fresh;
  fresh.token = token;
  fresh.data = data;
  fresh.is_void = is_void;
  items_.push_back(fresh);
  waiting_m1_ += encoded_token_bytes(token);
  if (flushed || is_void) queue_m2(items_.back());
}

void TokenBacklog::flushed(Sequence sequence) {
  AI_CHECK(sequence <= taken_through());
  if (sequence <= base_ || item(sequence).ready) return;
  queue_m2(item(sequence));
}

void TokenBacklog::voided(Sequence sequence) {
  AI_CHECK(sequence <= taken_through());
  if (sequence <= base_ || item(sequence).ready) return;
  item(sequence).is_void = !planted(Canary::kVoidSentAsWritten);
  queue_m2(item(sequence));
}

void TokenBacklog::free_through(Sequence through) {
  AI_CHECK(through <= taken_through());
  while (base_ < through) {
    Item& front = items_.front();
    if (front.ready && !front.m2_sent) waiting_m2_ -= encoded_m2_bytes(field_of(front));
    if (base_ + 1 > m1_through_) waiting_m1_ -= encoded_token_bytes(front.token);
    freed_tod_ = front.token.tod;
    items_.pop_front();
    ++base_;
  }
  if (m1_through_ < base_) {
    m1_through_ = base_;
    m1_tod_ = freed_tod_;
  }
}

void TokenBacklog::rewind(Sequence known_through, Sequence complete_through) {
  AI_CHECK(known_through >= base_);
  AI_CHECK(known_through <= taken_through());
  AI_CHECK(complete_through <= known_through);
  m1_tod_ = known_through > base_ ? item(known_through).token.tod : freed_tod_;
  m1_through_ = known_through;
  waiting_m1_ = waiting_m2_ = 0;
  ready_ = {};
  for (Item& each : items_) {
    if (each.token.sequence > known_through) waiting_m1_ += encoded_token_bytes(each.token);
    if (!each.ready) continue;
    if (each.token.sequence > (planted(Canary::kDataNotSentAgain) ? known_through : complete_through))
      queue_m2(each);
    else
      each.m2_sent = true;
  }
}

const Token* TokenBacklog::next_m1() const {
  if (m1_through_ == taken_through()) return nullptr;
  return &items_[m1_through_ - base_].token;
}

void TokenBacklog::take_m1() {
  const Token* token = next_m1();
  AI_CHECK(token != nullptr);
  waiting_m1_ -= encoded_token_bytes(*token);
  m1_tod_ = token->tod;
  ++m1_through_;
}

bool TokenBacklog::next_m2(M2Field& field) {
  while (!ready_.empty() && (ready_.top() <= base_ || item(ready_.top()).m2_sent)) ready_.pop();
  if (ready_.empty() || ready_.top() > m1_through_) return false;
  field = field_of(item(ready_.top()));
  return true;
}

void TokenBacklog::take_m2() {
  AI_CHECK(!ready_.empty());
  Item& sent = item(ready_.top());
  AI_CHECK(!sent.m2_sent);
  waiting_m2_ -= encoded_m2_bytes(field_of(sent));
  sent.m2_sent = true;
  ready_.pop();
}

}  // namespace afterimage
