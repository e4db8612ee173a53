// A message between data movers: M0 (header), M1 (tokens assigned since the preceding message), M2 (fields of token + data).
// Source: document 002, FIG. 4 (A10-A13). Pure. The bytes are specified in docs/FORMATS.md; golden vectors in tests/unit.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "serializer/status.h"
#include "serializer/token.h"

namespace afterimage {

// What a message carries (A11). An unknown value is refused, never skipped.
enum class ContentType : std::uint16_t {
  kTokenData = 1,    // M1 and M2; with both empty it only moves the consistency time (idle)
  kEstablish = 2,    // duplex session established: body = the volume table
  kTerminate = 3,    // duplex session terminated in order: body = Ending
  kInitialCopy = 4,  // point-in-time copy data (encoded and refused here; used by the initial copy)
  kAcknowledge = 5,  // secondary -> primary: body = Acknowledgement
  kException = 6,    // either way: body = Exception
};

struct M0 {
  std::string session;    // 1-8 characters: A-Z 0-9 @ # $, first not a digit
  std::string origin_lu;  // NAME or NETID.NAME, both parts as above
  std::string destination_lu;
  std::uint64_t epoch = 0;
  std::uint64_t message_number = 0;  // 1, 2, 3 ... in each direction, within an epoch; survives re-connection
  ContentType content = ContentType::kTokenData;
  Tod sent = 0;
  Tod consistency_time = 0;                  // every write stamped at or before this has its token in this message or an earlier one
  Sequence last_sequence = 0;                // highest sequence whose token is in this message or an earlier one (B after this message)
  std::uint32_t m1_count = 0, m2_count = 0;  // filled by the encoder
  std::uint32_t body_bytes = 0;              // length of what follows M0; filled by the encoder
};

inline constexpr std::uint8_t kM2Void = 1;  // the token is void: no data, nothing to apply

// One M2 field. `data` is borrowed: in common storage when sending, in the received buffer when decoded.
struct M2Field {
  Token token;
  std::uint8_t flags = 0;
  std::span<const std::uint8_t> data;
};

struct VolumeDescriptor {  // the volume table of kEstablish: VolumeId is the index
  std::string volser;      // primary
  std::string secondary_volser;
  std::uint16_t device_number = 0;
  std::uint16_t device_type = 0;
  std::uint32_t cylinders = 0, heads = 0, track_bytes = 0;
  std::string system;
  friend bool operator==(const VolumeDescriptor&, const VolumeDescriptor&) = default;
};

struct Acknowledgement {
  std::uint64_t message_number = 0;  // highest message journalled and synced
  Sequence complete_through = 0;     // every token <= this is held durably with its data (or void)
  Sequence known_through = 0;        // B: highest token known
  Sequence applied_through = 0;
  Tod consistent_time = 0;  // of the last applied run
};

inline constexpr std::size_t kMaxSentenceBytes = 1024;

struct Exception {
  std::uint16_t code = 0;  // enum ExceptionCode; a code this release does not know is carried and shown by its text
  Sequence sequence = 0;
  std::string text;  // one sentence; the encoder replaces control characters by '?' and cuts at kMaxSentenceBytes
};
enum class ExceptionCode : std::uint16_t {
  kRefused = 1,
  kContinuity = 2,
  kMisaddressed = 3,
  kJournalFull = 4,
  kDiskError = 5,
  kRecovered = 6,  // the secondary was taken over
  kVerifyMismatch = 7,
  kVerifyDone = 8,
};
struct Ending {
  Sequence last_sequence = 0;
};

struct Message {
  M0 m0;
  std::vector<Token> m1;
  std::vector<M2Field> m2;
  std::vector<VolumeDescriptor> volumes;  // kEstablish
  Acknowledgement acknowledgement;        // kAcknowledge
  Exception exception;                    // kException
  Ending ending;                          // kTerminate
};

inline constexpr std::size_t kM0Bytes = 160;  // fixed length of an encoded M0, its own CRC included
// Bytes a token takes in M1: 28 + 7 for each range (+ 4 for kVerify), so 35 for the usual one range.
std::size_t encoded_token_bytes(const Token& token);
// Bytes an M2 field takes: its token again, and its data (none when void).
std::size_t encoded_m2_bytes(const M2Field& field);

// Encoded message as pieces, so that data is not copied on its way from common storage to the socket: `head` is owned,
// `pieces` refer to `head` and to the M2 data in order. Total <= kMaxMessageBytes or an error.
// Moves only: the pieces of a copy would refer to the original's head. Who holds it keeps the M2 data alive.
struct EncodedMessage {
  EncodedMessage() = default;
  EncodedMessage(EncodedMessage&&) = default;
  EncodedMessage& operator=(EncodedMessage&&) = default;
  EncodedMessage(const EncodedMessage&) = delete;
  EncodedMessage& operator=(const EncodedMessage&) = delete;
  std::vector<std::uint8_t> head;
  std::vector<std::span<const std::uint8_t>> pieces;
  std::size_t total_bytes = 0;
  std::vector<std::uint8_t> flat() const;
};
// Refuses, with a sentence that names the field, whatever decode() would refuse, except that a message of kInitialCopy (its type is
// reserved in this version and has no body yet) is encoded so that its refusal at the other side can be shown.
Result<EncodedMessage> encode(const Message& message);

// M0 alone, to learn the body's length. Needs kM0Bytes (more is ignored); checks magic, version, bounds and the header CRC.
Result<M0> decode_m0(std::span<const std::uint8_t> bytes);
// The whole message; `bytes` must outlive the result's M2 data. Checks both CRCs, every count, length, token and bound, and refuses
// anything but exactly one message. What it allocates is bounded by a small multiple of bytes.size(). Whether the tokens continue those
// of earlier messages is not the codec's question: see continuity.h and the pending write queue.
Result<Message> decode(std::span<const std::uint8_t> bytes);

}  // namespace afterimage
