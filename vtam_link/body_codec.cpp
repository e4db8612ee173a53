// Bodies of the messages that are not token-data: volume table, ending, acknowledgement, exception (docs/FORMATS.md). Pure.
#include "vtam_link/body_codec.h"

#include <algorithm>

#include "serializer/bytes.h"
#include "serializer/limits.h"
#include "vtam_link/names.h"
#include "vtam_link/token_codec.h"

namespace afterimage {

namespace {

constexpr std::size_t kTableHeadBytes = 4, kVolumeBytes = 36, kEndingBytes = 8, kAcknowledgementBytes = 40, kExceptionHeadBytes = 12;

Status body_error(const std::string& what) { return Status::error("Message refused: " + what + "."); }

Status wrong_length(const std::string& body, std::size_t have, std::size_t want) {
  return body_error("the body of " + body + " has " + std::to_string(have) + " bytes, " + std::to_string(want) + " are expected");
}

Status check_volume(const VolumeDescriptor& volume) {
  const std::string of = " of volume '" + safe_sentence(volume.volser, kVolserBytes) + "' ";
  if (!is_volser(volume.volser)) return body_error("a volser" + of + "in the volume table is not 1 to 6 of A-Z 0-9 @ # $ -");
  if (!is_volser(volume.secondary_volser)) return body_error("the secondary volser" + of + "is not 1 to 6 of A-Z 0-9 @ # $ -");
  if (!volume.system.empty() && !is_name(volume.system)) return body_error("the system name" + of + "is not 1 to 8 of A-Z 0-9 @ # $");
  if (volume.cylinders == 0 || volume.heads == 0) return body_error("the number of cylinders or heads" + of + "is 0");
  if (std::uint64_t{volume.cylinders} * volume.heads > kMaxTracks) {
    return body_error("the number of tracks" + of + "exceeds " + std::to_string(kMaxTracks));
  }
  if (volume.track_bytes == 0 || volume.track_bytes > kMaxTrackBytes) {
    return body_error("the track length" + of + "is not within 1 to " + std::to_string(kMaxTrackBytes));
  }
  return Status::ok();
}

void put_volume(std::uint8_t* p, const VolumeDescriptor& volume) {
  put_padded(p, kVolserBytes, volume.volser);
  put_padded(p + 6, kVolserBytes, volume.secondary_volser);
  put_u16(p + 12, volume.device_number);
  put_u16(p + 14, volume.device_type);
  put_u32(p + 16, volume.cylinders);
  put_u32(p + 20, volume.heads);
  put_u32(p + 24, volume.track_bytes);
  put_padded(p + 28, kNameBytes, volume.system);
}

Result<VolumeDescriptor> get_volume(const std::uint8_t* p) {
  const auto volser = get_padded(p, kVolserBytes);
  const auto secondary = get_padded(p + 6, kVolserBytes);
  const auto system = get_padded(p + 28, kNameBytes);
  if (!volser || !secondary || !system) {
    return failed<VolumeDescriptor>(body_error("a name in the volume table has a blank inside"));
  }
  VolumeDescriptor volume{*volser,         *secondary,      get_u16(p + 12), get_u16(p + 14),
                          get_u32(p + 16), get_u32(p + 20), get_u32(p + 24), *system};
  Status status = check_volume(volume);
  if (!status.good()) return failed<VolumeDescriptor>(std::move(status));
  return result_of(std::move(volume));
}

Status check_acknowledgement(const Acknowledgement& ack) {
  if (ack.known_through > kMaxSequence) return body_error("a sequence number in the acknowledgement is too large");
  if (ack.complete_through > ack.known_through) {
    return body_error("the acknowledgement says complete through " + std::to_string(ack.complete_through) + " but known only through " +
                      std::to_string(ack.known_through));
  }
  if (ack.applied_through > ack.complete_through) {
    return body_error("the acknowledgement says applied through " + std::to_string(ack.applied_through) + " but complete only through " +
                      std::to_string(ack.complete_through));
  }
  return Status::ok();
}

}  // namespace

Result<std::vector<std::uint8_t>> encode_volumes(const std::vector<VolumeDescriptor>& volumes) {
  using Bytes = std::vector<std::uint8_t>;
  if (volumes.size() > kMaxDevices)
    return failed<Bytes>(body_error("the volume table has more than " + std::to_string(kMaxDevices) + " volumes"));
  Bytes body(kTableHeadBytes + volumes.size() * kVolumeBytes);
  put_u16(body.data(), static_cast<std::uint16_t>(volumes.size()));
  std::uint8_t* p = body.data() + kTableHeadBytes;
  for (const VolumeDescriptor& volume : volumes) {
    Status status = check_volume(volume);
    if (!status.good()) return failed<Bytes>(std::move(status));
    put_volume(p, volume);
    p += kVolumeBytes;
  }
  return result_of(std::move(body));
}

Result<std::vector<VolumeDescriptor>> decode_volumes(std::span<const std::uint8_t> body) {
  using Volumes = std::vector<VolumeDescriptor>;
  if (body.size() < kTableHeadBytes) return failed<Volumes>(wrong_length("the volume table", body.size(), kTableHeadBytes));
  const std::size_t count = get_u16(body.data());
  if (get_u16(body.data() + 2) != 0) return failed<Volumes>(body_error("a reserved byte of the volume table is not zero"));
  if (count > kMaxDevices) return failed<Volumes>(body_error("the volume table has more than " + std::to_string(kMaxDevices) + " volumes"));
  const std::size_t want = kTableHeadBytes + count * kVolumeBytes;
  if (body.size() != want) return failed<Volumes>(wrong_length("the volume table", body.size(), want));
  Volumes volumes;
  volumes.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    auto volume = get_volume(body.data() + kTableHeadBytes + i * kVolumeBytes);
    if (!volume.good()) return failed<Volumes>(std::move(volume.status));
    volumes.push_back(std::move(volume.value));
  }
  return result_of(std::move(volumes));
}

Result<std::vector<std::uint8_t>> encode_ending(const Ending& ending) {
  using Bytes = std::vector<std::uint8_t>;
  if (ending.last_sequence > kMaxSequence) return failed<Bytes>(body_error("the last sequence number of the ending is too large"));
  Bytes body(kEndingBytes);
  put_u64(body.data(), ending.last_sequence);
  return result_of(std::move(body));
}

Result<Ending> decode_ending(std::span<const std::uint8_t> body) {
  if (body.size() != kEndingBytes) return failed<Ending>(wrong_length("the termination", body.size(), kEndingBytes));
  const Ending ending{get_u64(body.data())};
  if (ending.last_sequence > kMaxSequence) return failed<Ending>(body_error("the last sequence number of the ending is too large"));
  return result_of(Ending{ending});
}

Result<std::vector<std::uint8_t>> encode_acknowledgement(const Acknowledgement& ack) {
  using Bytes = std::vector<std::uint8_t>;
  Status status = check_acknowledgement(ack);
  if (!status.good()) return failed<Bytes>(std::move(status));
  Bytes body(kAcknowledgementBytes);
  put_u64(body.data(), ack.message_number);
  put_u64(body.data() + 8, ack.complete_through);
  put_u64(body.data() + 16, ack.known_through);
  put_u64(body.data() + 24, ack.applied_through);
  put_u64(body.data() + 32, ack.consistent_time);
  return result_of(std::move(body));
}

Result<Acknowledgement> decode_acknowledgement(std::span<const std::uint8_t> body) {
  if (body.size() != kAcknowledgementBytes) {
    return failed<Acknowledgement>(wrong_length("the acknowledgement", body.size(), kAcknowledgementBytes));
  }
  const std::uint8_t* p = body.data();
  Acknowledgement ack{get_u64(p), get_u64(p + 8), get_u64(p + 16), get_u64(p + 24), get_u64(p + 32)};
  Status status = check_acknowledgement(ack);
  if (!status.good()) return failed<Acknowledgement>(std::move(status));
  return result_of(ack);
}

Result<std::vector<std::uint8_t>> encode_exception(const Exception& exception) {
  using Bytes = std::vector<std::uint8_t>;
  if (exception.code == 0) return failed<Bytes>(body_error("the exception has code 0"));
  if (exception.sequence > kMaxSequence) return failed<Bytes>(body_error("the sequence number of the exception is too large"));
  const std::string text = safe_sentence(exception.text, kMaxSentenceBytes);
  Bytes body(kExceptionHeadBytes + text.size());
  put_u16(body.data(), exception.code);
  put_u16(body.data() + 2, static_cast<std::uint16_t>(text.size()));
  put_u64(body.data() + 4, exception.sequence);
  std::copy(text.begin(), text.end(), body.begin() + kExceptionHeadBytes);
  return result_of(std::move(body));
}

Result<Exception> decode_exception(std::span<const std::uint8_t> body) {
  if (body.size() < kExceptionHeadBytes) return failed<Exception>(wrong_length("the exception", body.size(), kExceptionHeadBytes));
  const std::uint8_t* p = body.data();
  const std::size_t want = kExceptionHeadBytes + get_u16(p + 2);
  if (body.size() != want) return failed<Exception>(wrong_length("the exception", body.size(), want));
  Exception exception{get_u16(p), get_u64(p + 4), std::string(p + kExceptionHeadBytes, p + want)};
  if (exception.code == 0) return failed<Exception>(body_error("the exception has code 0"));
  if (exception.sequence > kMaxSequence) return failed<Exception>(body_error("the sequence number of the exception is too large"));
  if (!is_safe_sentence(exception.text, kMaxSentenceBytes)) {
    return failed<Exception>(body_error("the exception's text is too long or has control characters"));
  }
  return result_of(std::move(exception));
}

}  // namespace afterimage
