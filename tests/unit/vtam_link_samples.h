// What the tests of vtam_link share: sample messages, hex text, and resealing of bytes that a test has changed.
#pragma once

#include <cppunit/extensions/HelperMacros.h>

#include <algorithm>
#include <cstdint>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "serializer/bytes.h"
#include "serializer/crc32c.h"
#include "vtam_link/bind.h"
#include "vtam_link/message.h"

namespace afterimage::samples {

using Bytes = std::vector<std::uint8_t>;

inline std::string hex(std::span<const std::uint8_t> bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (const std::uint8_t b : bytes) {
    text += kDigits[b >> 4];
    text += kDigits[b & 15];
  }
  return text;
}

// Blanks and newlines between the digits are for the reader.
inline Bytes from_hex(const std::string& text) {
  const auto value = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
  std::string digits;
  std::copy_if(text.begin(), text.end(), std::back_inserter(digits), [](char c) { return c != ' ' && c != '\n'; });
  Bytes bytes;
  for (std::size_t i = 0; i + 1 < digits.size(); i += 2) {
    bytes.push_back(static_cast<std::uint8_t>(value(digits[i]) << 4 | value(digits[i + 1])));
  }
  return bytes;
}

// docs/FORMATS.md shows these bytes as a golden vector (line breaks aside).
inline void assert_documented(const std::string& golden) {
  std::ifstream file(std::string(TEST_SOURCE_DIR) + "/../docs/FORMATS.md");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::erase(text, '\n');
  CPPUNIT_ASSERT_MESSAGE("docs/FORMATS.md lacks " + golden, text.find("```" + hex(from_hex(golden)) + "```") != std::string::npos);
}

// Makes both CRCs of a changed message right again, so that the checks behind them are reached.
inline void reseal(Bytes& bytes) {
  put_u32(bytes.data() + 152, crc32c(0, bytes.data() + kM0Bytes, bytes.size() - kM0Bytes));
  put_u32(bytes.data() + 156, crc32c(0, bytes.data(), 156));
}

inline Token token(Sequence sequence) {
  Token t;
  t.sequence = sequence;
  t.tod = tod_from_us(0xE24A1B2C3D4E5ull + sequence);
  t.event = 77;
  t.volume = 3;
  t.system = 1;
  t.ccw_code = 0x85;
  t.record = 4;
  t.cylinder = 18;
  t.head = 7;
  t.range_count = 1;
  t.ranges[0] = {277, 0x1234, 8};
  t.data_length = 8;
  return t;
}

inline M0 header(ContentType content, std::uint64_t number = 9) {
  M0 m0;
  m0.session = "DALLAS";
  m0.origin_lu = "SITEA.DSMLU";
  m0.destination_lu = "SITEB.DSMLU";
  m0.epoch = 2;
  m0.message_number = number;
  m0.content = content;
  m0.sent = tod_from_us(0xE24A1B2C3F000ull);
  m0.consistency_time = tod_from_us(0xE24A1B2C3EFFFull);
  m0.last_sequence = 4712;
  return m0;
}

inline constexpr std::uint8_t kData[8] = {0xC1, 0xC2, 0xC3, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8};

// Two tokens in M1; in M2 one with data and one void.
inline Message token_data() {
  Message m;
  m.m0 = header(ContentType::kTokenData);
  m.m1 = {token(4711), token(4712)};
  m.m2 = {{token(4711), 0, kData}, {token(4700), kM2Void, {}}};
  return m;
}

inline Message establish() {
  Message m;
  m.m0 = header(ContentType::kEstablish, 1);
  m.volumes = {{"PRIM01", "SEC001", 0x0A80, 0x3390, 3339, 15, 56832, "SYSA"}, {"P2", "S2", 0x0A81, 0x3380, 885, 15, 47968, ""}};
  return m;
}

inline Message acknowledge() {
  Message m;
  m.m0 = header(ContentType::kAcknowledge);
  m.acknowledgement = {9, 4711, 4712, 4700, tod_from_us(0xE24A1B2C3D4E5ull + 4700)};
  return m;
}

inline Message exception() {
  Message m;
  m.m0 = header(ContentType::kException);
  m.exception = {static_cast<std::uint16_t>(ExceptionCode::kJournalFull), 4712, "The journal is full."};
  return m;
}

inline Message terminate() {
  Message m;
  m.m0 = header(ContentType::kTerminate);
  m.ending = {4712};
  return m;
}

inline std::vector<Message> one_of_each() { return {token_data(), establish(), acknowledge(), exception(), terminate()}; }

inline Bytes encoded(const Message& message) {
  auto result = encode(message);
  CPPUNIT_ASSERT_MESSAGE(result.status.text(), result.good());
  return result.value.flat();
}

}  // namespace afterimage::samples
