#include "base/hash.h"

#include <gtest/gtest.h>

#include "base/rng.h"

namespace bowerbird::base {
namespace {

TEST(HashTest, KeyedHashFollowsThePublishedVectorAndTheSeed) {
  HashSeed seed;
  for (uint8_t i = 0; i < 16; ++i) seed[i] = i;
  // SipHash-2-4 test vector of Aumasson and Bernstein 2012, input 00 01 ... 0e.
  std::string input;
  for (char c = 0; c < 15; ++c) input.push_back(c);
  EXPECT_EQ(KeyedHash64(seed, input), 0xa129ca6149be45e5ULL);
  seed[0] ^= 1;
  EXPECT_NE(KeyedHash64(seed, input), 0xa129ca6149be45e5ULL);
}

TEST(HashTest, Sha256FollowsThePublishedVector) {
  EXPECT_EQ(Sha256Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(RngTest, UniformAndNormalHaveTheirMoments) {
  Rng rng(7);
  double uniform = 0, normal = 0, square = 0;
  constexpr int kDraws = 200000;
  for (int i = 0; i < kDraws; ++i) {
    uniform += rng.Uniform();
    const double z = rng.Normal();
    normal += z;
    square += z * z;
  }
  EXPECT_NEAR(uniform / kDraws, 0.5, 0.005);
  EXPECT_NEAR(normal / kDraws, 0.0, 0.01);
  EXPECT_NEAR(square / kDraws, 1.0, 0.02);
}

}  // namespace
}  // namespace bowerbird::base
