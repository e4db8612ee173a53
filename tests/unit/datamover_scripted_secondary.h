// A secondary with its disks, fed with messages made by hand: what the scripted tests of the secondary core share.
#pragma once

#include <deque>
#include <random>
#include <string>
#include <vector>

#include "datamover_two_sites.h"

namespace afterimage::testing {

inline constexpr Tod ms(std::uint64_t n) { return tod_from_us((1000 + n) * 1000); }

struct Secondary {
  Secondary() : site(SecondaryDisk()) { site.start(ms(0)); }
  SecondarySite site;
  std::uint64_t number = 0;
  std::vector<std::vector<std::uint8_t>> data;

  SecondaryCore& core() { return *site.core; }
  BindRequest request(std::uint64_t epoch = kEpoch) {
    BindRequest bind;
    bind.session = kSession;
    bind.origin_lu = kPrimaryLu;
    bind.destination_lu = kSecondaryLu;
    bind.epoch = epoch;
    bind.storage_id = kStorageId;
    return bind;
  }
  BindResponse bind(const BindRequest& request) {
    site.step(ms(1), secondary::BindArrived{request});
    CPPUNIT_ASSERT(site.answer.has_value());
    site.refused = false;
    return *site.answer;
  }
  Message message(ContentType content = ContentType::kTokenData) {
    Message made;
    made.m0.session = kSession;
    made.m0.origin_lu = kPrimaryLu;
    made.m0.destination_lu = kSecondaryLu;
    made.m0.epoch = kEpoch;
    made.m0.message_number = ++number;
    made.m0.content = content;
    made.m0.sent = ms(10 * number);
    made.m0.consistency_time = ms(10 * number);
    made.m0.last_sequence = core().queue().known_through();
    return made;
  }
  void deliver(const Message& message) {
    auto encoded = encode(message);
    CPPUNIT_ASSERT_MESSAGE(encoded.status.text(), encoded.good());
    site.step(ms(10 * number), secondary::MessageArrived{encoded.value.flat()});
  }
  static Message& token(Message& message, Sequence s) {
    message.m1.push_back(write_token(s, 0, s % 4, 0, 4));
    message.m0.last_sequence = s;
    return message;
  }
  Message& field(Message& message, Sequence s, bool is_void = false) {
    data.push_back(bytes_of(4, static_cast<unsigned>(s)));
    M2Field made;
    made.token = write_token(s, 0, s % 4, 0, 4);
    if (is_void)
      made.flags = kM2Void;
    else
      made.data = data.back();
    message.m2.push_back(made);
    return message;
  }
  void establish() {
    CPPUNIT_ASSERT(bind(request()).accepted);
    Message first = message(ContentType::kEstablish);
    first.volumes = two_volumes();
    deliver(first);
    CPPUNIT_ASSERT(core().state() == SecondaryState::kDuplex);
    sync();
    site.finish_checkpoint(ms(10));
  }
  void checkpoint() {
    site.step(ms(5000), secondary::Tick{});
    CPPUNIT_ASSERT(site.checkpointing.has_value());
    site.finish_checkpoint(ms(5000));
  }
  void sync() { site.sync_journal(ms(10 * number), ~0ull); }
  void work() {
    sync();
    site.apply_some(ms(10 * number), ~0ull);
    site.finish_checkpoint(ms(10 * number));
  }
  // Tokens 1..5, data of all but 3.
  void five_but_three() {
    establish();
    Message m = message();
    for (Sequence s = 1; s <= 5; ++s) token(m, s);
    for (const Sequence s : {1, 2, 4, 5}) field(m, s);
    deliver(m);
  }
  void restart() {
    std::mt19937_64 random(1);
    site.crash(random);
    site.start(ms(10 * number));
  }
  std::vector<Message> replies() {
    std::vector<Message> all;
    while (!site.to_primary.empty()) {
      kept.push_back(site.to_primary.front());
      site.to_primary.pop_front();
      all.push_back(decode(kept.back()).value);
    }
    return all;
  }
  std::deque<std::vector<std::uint8_t>> kept;
  // The last thing said was an exception of this code, and the link was dropped; nothing was journalled.
  void expect_refused(ExceptionCode code, const std::string& part, std::size_t records) {
    const auto all = replies();
    CPPUNIT_ASSERT(!all.empty());
    CPPUNIT_ASSERT(all.back().m0.content == ContentType::kException);
    CPPUNIT_ASSERT_EQUAL(static_cast<std::uint16_t>(code), all.back().exception.code);
    CPPUNIT_ASSERT_MESSAGE(all.back().exception.text, all.back().exception.text.find(part) != std::string::npos);
    CPPUNIT_ASSERT(site.refused);
    CPPUNIT_ASSERT_EQUAL(records, site.disk.records.size());
  }
};

}  // namespace afterimage::testing
