// The tokens the primary holds: from the first that is not yet acknowledged to the last numbered. Says which go in the next M1 and which
// data is ready for M2 (document 002; A12, A13). Pure. Tokens are found by sequence number in O(1); data is borrowed, never copied.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <queue>
#include <span>
#include <vector>

#include "vtam_link/message.h"

namespace afterimage {

class TokenBacklog {
 public:
  // Everything <= `freed_through` is acknowledged.
  explicit TokenBacklog(Sequence freed_through = 0);

  // The next numbered token; `token.sequence` is taken_through() + 1 and the token is well formed (checked).
  void add(const Token& token, std::span<const std::uint8_t> data, bool flushed, bool is_void);
  // Its data is in the volume's file: may go in M2. Ignored for a token that is freed, void or already known as flushed.
  void flushed(Sequence sequence);
  // Its writer died first: goes as a void M2. Ignored when it is freed or its data is in the file (it may have been sent).
  void voided(Sequence sequence);
  // Forgets everything up to `through` (<= taken_through()).
  void free_through(Sequence through);
  // A new binding: M1 goes on behind `known_through`, M2 behind `complete_through` (freed_through() <= both <= taken_through()).
  void rewind(Sequence known_through, Sequence complete_through);

  Sequence freed_through() const { return base_; }
  Sequence taken_through() const { return base_ + items_.size(); }
  Sequence sent_through() const { return m1_through_; }  // last token that went in M1 on this binding
  Tod sent_tod() const { return m1_tod_; }               // its stamp; 0 if it was freed before this mover started
  std::uint64_t waiting_bytes() const { return waiting_m1_ + waiting_m2_; }

  // The next token for M1, or null; take_m1() moves on.
  const Token* next_m1() const;
  void take_m1();
  // The next field for M2 (lowest sequence number that is ready and whose token has gone in M1), or false; take_m2() moves on.
  bool next_m2(M2Field& field);
  void take_m2();

 private:
  struct Item {
    Token token;
    std::span<const std::uint8_t> data;
    bool ready = false;  // flushed or void
    bool is_void = false;
    bool m2_sent = false;  // on this binding
  };
  Item& item(Sequence sequence) { return items_[sequence - base_ - 1]; }
  M2Field field_of(const Item& item) const;
  void queue_m2(Item& item);

  std::deque<Item> items_;
  Sequence base_ = 0, m1_through_ = 0;
  Tod m1_tod_ = 0, freed_tod_ = 0;
  std::priority_queue<Sequence, std::vector<Sequence>, std::greater<>> ready_;  // may hold freed ones: skipped when met
  std::uint64_t waiting_m1_ = 0, waiting_m2_ = 0;                               // encoded bytes
};

}  // namespace afterimage
