// Headers of DASD images, byte by byte: what cannot be is refused with a sentence that names it; the files of a volume fit together.
#include "channel/dasd_image_header.h"

#include <cppunit/extensions/HelperMacros.h>

#include <functional>
#include <string>
#include <vector>

#include "serializer/limits.h"

namespace afterimage {
namespace {

using Bytes = std::vector<std::uint8_t>;

void put_le(Bytes& bytes, std::size_t at, std::uint32_t value, unsigned length) {
  for (unsigned i = 0; i < length; ++i) bytes[at + i] = static_cast<std::uint8_t>(value >> (8 * i));
}

// A 3390 of 15 heads; with the second header of a compressed image if `cylinders` is not 0.
Bytes header_bytes(const std::string& id, std::uint32_t cylinders = 0) {
  Bytes bytes(cylinders != 0 ? 2 * kDeviceHeaderBytes : kDeviceHeaderBytes, 0);
  std::copy(id.begin(), id.end(), bytes.begin());
  put_le(bytes, 8, 15, 4);
  put_le(bytes, 12, 56832, 4);
  bytes[16] = 0x90;
  if (cylinders != 0) put_le(bytes, kDeviceHeaderBytes + 40, cylinders, 4);
  return bytes;
}

class ChannelDasdImageHeader : public CppUnit::TestFixture {
  CPPUNIT_TEST_SUITE(ChannelDasdImageHeader);
  CPPUNIT_TEST(testEveryImpossibleFieldIsRefusedByName);
  CPPUNIT_TEST(testBoundsThemselvesAreTaken);
  CPPUNIT_TEST(testCylindersOfACompressedImage);
  CPPUNIT_TEST(testFilesOfAVolumeFitTogether);
  CPPUNIT_TEST(testFilesThatDoNotFitAreRefused);
  CPPUNIT_TEST(testNamesOfTheFilesOfAVolume);
  CPPUNIT_TEST_SUITE_END();

  static void refused(const Bytes& bytes, const std::string& part) {
    const auto decoded = decode_device_header(bytes, "vol.ckd");
    CPPUNIT_ASSERT_MESSAGE(part, !decoded.good());
    CPPUNIT_ASSERT_MESSAGE(decoded.status.text(), decoded.status.text().find(part) != std::string::npos);
    CPPUNIT_ASSERT_MESSAGE(decoded.status.text(), decoded.status.text().find("vol.ckd") != std::string::npos);
  }
  static DeviceHeader header_of(const Bytes& bytes) {
    const auto decoded = decode_device_header(bytes, "vol.ckd");
    CPPUNIT_ASSERT_MESSAGE(decoded.status.text(), decoded.good());
    return decoded.value;
  }
  static std::uint64_t file_bytes(std::uint64_t cylinders) { return kDeviceHeaderBytes + cylinders * 15 * 56832; }

 public:
  void testEveryImpossibleFieldIsRefusedByName() {
    refused(Bytes(kDeviceHeaderBytes - 1, 0), "too short");
    refused(Bytes(kDeviceHeaderBytes, 0), "no CKD device header");
    refused(header_bytes("CKD_S370"), "shadow file");
    refused(header_bytes("FBA_C370"), "FBA image");
    const auto damaged = [](const std::function<void(Bytes&)>& damage, const std::string& part) {
      Bytes bytes = header_bytes("CKD_P370");
      damage(bytes);
      refused(bytes, part);
    };
    damaged([](Bytes& b) { b[16] = 0x99; }, "unknown device type");
    damaged([](Bytes& b) { put_le(b, 8, 0, 4); }, "0 heads");
    damaged([](Bytes& b) { put_le(b, 8, 65536, 4); }, "65536 heads");
    damaged([](Bytes& b) { put_le(b, 12, 13, 4); }, "13 bytes per track");
    damaged([](Bytes& b) { put_le(b, 12, 65536, 4); }, "65536 bytes per track");
  }

  void testBoundsThemselvesAreTaken() {
    Bytes bytes = header_bytes("DSM_P370");
    put_le(bytes, 8, 65535, 4);
    put_le(bytes, 12, 65535, 4);
    bytes[17] = 3;
    put_le(bytes, 18, 0x1234, 2);
    const DeviceHeader header = header_of(bytes);
    CPPUNIT_ASSERT(header.kind == ImageKind::kFencedCkd);
    CPPUNIT_ASSERT_EQUAL(65535u, header.heads);
    CPPUNIT_ASSERT_EQUAL(65535u, header.track_bytes);
    CPPUNIT_ASSERT_EQUAL(3, int{header.file_sequence});
    CPPUNIT_ASSERT_EQUAL(0x1234, int{header.high_cylinder});
  }

  void testCylindersOfACompressedImage() {
    CPPUNIT_ASSERT_EQUAL(113u, header_of(header_bytes("CKD_C370", 113)).cylinders);
    CPPUNIT_ASSERT_EQUAL(kMaxTracks / 15, header_of(header_bytes("CKD_C370", kMaxTracks / 15)).cylinders);
    refused(header_bytes("CKD_C370", kMaxTracks / 15 + 1), "cylinders are impossible");
    refused(header_bytes("CKD_C370", 0xFFFFFFFF), "4294967295 cylinders are impossible");
    Bytes none = header_bytes("CKD_C370", 113);
    put_le(none, kDeviceHeaderBytes + 40, 0, 4);
    refused(none, "0 cylinders are impossible");
    none.resize(2 * kDeviceHeaderBytes - 1);
    refused(none, "truncated");
  }

  void testFilesOfAVolumeFitTogether() {
    DeviceHeader first = header_of(header_bytes("CKD_P370"));
    first.file_sequence = 1;
    first.high_cylinder = 9;
    Geometry volume;
    auto part = add_volume_file(volume, first, file_bytes(10), 1, "vol_1.ckd");
    CPPUNIT_ASSERT_MESSAGE(part.status.text(), part.good());
    CPPUNIT_ASSERT(!part.value.last);
    DeviceHeader second = first;
    second.file_sequence = 2;
    second.high_cylinder = 0;
    part = add_volume_file(volume, second, file_bytes(4), 2, "vol_2.ckd");
    CPPUNIT_ASSERT_MESSAGE(part.status.text(), part.good());
    CPPUNIT_ASSERT(part.value.last);
    CPPUNIT_ASSERT_EQUAL(10u, part.value.first_cylinder);
    CPPUNIT_ASSERT((volume == Geometry{0x3390, 14, 15, 56832}));
  }

  void testFilesThatDoNotFitAreRefused() {
    const DeviceHeader only = header_of(header_bytes("CKD_P370"));
    const auto judge = [&](const std::function<void(DeviceHeader&, Geometry&)>& change, std::uint64_t bytes, unsigned sequence) {
      DeviceHeader header = only;
      Geometry volume;
      if (sequence > 1) volume = {0x3390, 10, 15, 56832};
      header.file_sequence = static_cast<std::uint8_t>(sequence > 1 ? sequence : 0);
      change(header, volume);
      const Geometry before = volume;
      const auto part = add_volume_file(volume, header, bytes, sequence, "vol_x.ckd");
      if (!part.good()) CPPUNIT_ASSERT(volume == before);
      return part.good() ? std::string() : part.status.text();
    };
    const auto none = [](DeviceHeader&, Geometry&) {};
    const auto refuse = [&](const std::string& answer, const std::string& part) {
      CPPUNIT_ASSERT_MESSAGE("'" + answer + "' lacks '" + part + "'", answer.find(part) != std::string::npos);
    };
    CPPUNIT_ASSERT_EQUAL(std::string(), judge(none, file_bytes(10), 1));
    CPPUNIT_ASSERT_EQUAL(std::string(), judge(none, file_bytes(10), 2));
    for (const std::uint64_t bytes :
         {std::uint64_t{0}, std::uint64_t{kDeviceHeaderBytes - 1}, std::uint64_t{kDeviceHeaderBytes}, file_bytes(1) - 1, file_bytes(1) + 1})
      refuse(judge(none, bytes, 1), "truncated or damaged");
    refuse(judge([](DeviceHeader& h, Geometry&) { h.file_sequence = 2; }, file_bytes(10), 1), "it is file 2 of its volume, and file 1");
    refuse(judge([](DeviceHeader& h, Geometry&) { h.file_sequence = 0; }, file_bytes(10), 2), "it is file 0 of its volume, and file 2");
    refuse(judge([](DeviceHeader&, Geometry& v) { v.heads = 12; }, file_bytes(10), 2), "belongs to another volume");
    refuse(judge([](DeviceHeader&, Geometry& v) { v.track_bytes = 47968; }, file_bytes(10), 2), "belongs to another volume");
    refuse(judge([](DeviceHeader&, Geometry& v) { v.device_type = 0x3380; }, file_bytes(10), 2), "belongs to another volume");
    refuse(judge([](DeviceHeader&, Geometry& v) { v.cylinders = kMaxTracks / 15 - 9; }, file_bytes(10), 2),
           "tracks, which no CKD device has");
    refuse(judge([](DeviceHeader& h, Geometry&) { h.high_cylinder = 5; }, file_bytes(10), 1), "says it ends with cylinder 5");
    // A single image may carry its number of cylinders there.
    CPPUNIT_ASSERT_EQUAL(std::string(), judge([](DeviceHeader& h, Geometry&) { h.high_cylinder = 10; }, file_bytes(10), 1));
  }

  void testNamesOfTheFilesOfAVolume() {
    CPPUNIT_ASSERT_EQUAL(std::string("a.b/vol_1.ckd"), volume_file_path("a.b/vol_1.ckd", 1).value);
    CPPUNIT_ASSERT_EQUAL(std::string("a.b/vol_9.ckd"), volume_file_path("a.b/vol_1.ckd", 9).value);
    CPPUNIT_ASSERT_EQUAL(std::string("a.b/vol_A.ckd"), volume_file_path("a.b/vol_1.ckd", 10).value);
    CPPUNIT_ASSERT_EQUAL(std::string("vol2"), volume_file_path("vol1", 2).value);
    CPPUNIT_ASSERT(!volume_file_path("a/.ckd", 2).good());
    CPPUNIT_ASSERT(!volume_file_path("a/", 2).good());
  }
};
CPPUNIT_TEST_SUITE_REGISTRATION(ChannelDasdImageHeader);

}  // namespace
}  // namespace afterimage
