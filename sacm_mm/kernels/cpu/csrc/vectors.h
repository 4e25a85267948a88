// Vectors, bfloat16 and GELU, for all kernels.
//
// Plain C++ with GCC's and clang's vector extension, so that any instruction set is served by
// -march=native; intrinsics only where the compiler finds no such instruction. Arithmetic is float32
// (float64 for float64).
#pragma once

#include <cmath>
#include <cstdint>
#include <cstring>
#include <type_traits>

#if defined(__AVX__)
#include <immintrin.h>
#endif

namespace {

// Bytes of a vector: what the processor has, for compilers keep wider ones in memory.
#if defined(__AVX512F__)
constexpr int kBytes = 64;
#elif defined(__AVX__)
constexpr int kBytes = 32;
#else
constexpr int kBytes = 16;
#endif

struct bf16 {
  uint16_t bits;
};

// Arithmetic type of each storage type.
template <class S>
struct Arithmetic {
  using type = S;
};
template <>
struct Arithmetic<bf16> {
  using type = float;
};

template <class T>
struct Vectors;
template <>
struct Vectors<float> {
  typedef float type __attribute__((vector_size(kBytes)));
  typedef int32_t ints __attribute__((vector_size(kBytes)));
};
template <>
struct Vectors<double> {
  typedef double type __attribute__((vector_size(kBytes)));
  typedef int64_t ints __attribute__((vector_size(kBytes)));
};
template <class T>
using Vec = typename Vectors<T>::type;
template <class T>
constexpr int kLanes = kBytes / sizeof(T);

template <class T>
inline Vec<T> load(const T* p) {
  Vec<T> v;
  std::memcpy(&v, p, kBytes);
  return v;
}

template <class T>
inline void store(T* p, Vec<T> v) {
  std::memcpy(p, &v, kBytes);
}

typedef uint16_t Half __attribute__((vector_size(kBytes / 2)));
typedef uint32_t Word __attribute__((vector_size(kBytes)));

inline Vec<float> load(const bf16* p) {
  Half half;
  std::memcpy(&half, p, sizeof(half));
  return (Vec<float>)(__builtin_convertvector(half, Word) << 16);
}

// To nearest, ties to even.
inline Half round_to_half(Vec<float> v) {
#if defined(__AVX512BF16__)
  return (Half)_mm512_cvtneps_pbh((__m512)v);
#else
  Word bits = (Word)v;
  bits += 0x7fff + ((bits >> 16) & 1);
  return __builtin_convertvector(bits >> 16, Half);
#endif
}

inline void store(bf16* p, Vec<float> v) {
  const Half half = round_to_half(v);
  std::memcpy(p, &half, sizeof(half));
}

inline float value(bf16 x) {
  const uint32_t bits = uint32_t(x.bits) << 16;
  float y;
  std::memcpy(&y, &bits, sizeof(y));
  return y;
}

template <class T>
inline T value(T x) {
  return x;
}

// The first ``count`` lanes; the others are zero.
template <class S, class T = typename Arithmetic<S>::type>
inline Vec<T> load_part(const S* p, int64_t count) {
  S lanes[kLanes<T>] = {};
  std::memcpy(lanes, p, count * sizeof(S));
  return load(lanes);
}

template <class S, class T = typename Arithmetic<S>::type>
inline void store_part(S* p, Vec<T> v, int64_t count) {
  S lanes[kLanes<T>];
  store(lanes, v);
  std::memcpy(p, lanes, count * sizeof(S));
}

// The lanes' sum, as a tree: one after the other they would wait for each other.
template <class T>
inline double total(Vec<T> v) {
  double lanes[kLanes<T>];
#pragma GCC unroll 16
  for (int i = 0; i < kLanes<T>; ++i) lanes[i] = v[i];
#pragma GCC unroll 4
  for (int half = kLanes<T> / 2; half; half /= 2)
#pragma GCC unroll 8
    for (int i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
}

// What convolutions multiply: numbers of the arithmetic type, or two rows' bfloat16 numbers, as
// far below each other as two taps, where the processor multiplies such pairs and adds up in float32.
struct Pair {
  uint32_t bits;
};
template <>
struct Vectors<Pair> {
  typedef Word type;
};

template <class S>
struct Factors {
  using type = typename Arithmetic<S>::type;
};

inline Word broadcast(Pair x) { return Word{} + x.bits; }

#if defined(__AVX512BF16__)
template <>
struct Factors<bf16> {
  using type = Pair;
};

inline Vec<float> multiply_add(Word a, Word b, Vec<float> sum) {
  return (Vec<float>)_mm512_dpbf16_ps((__m512)sum, (__m512bh)a, (__m512bh)b);
}
#endif

template <class F>
constexpr int kRows = std::is_same<F, Pair>::value ? 2 : 1;  // that a factor is of

template <class T>
inline Vec<T> broadcast(T x) {
  return Vec<T>{} + x;
}

template <class V>
inline V multiply_add(V a, V b, V sum) {
  return sum + a * b;
}

// c[0] x^n + ... + c[n]
template <int Size>
inline Vec<float> polynomial(const float (&c)[Size], Vec<float> x) {
  Vec<float> y = Vec<float>{} + c[0];
#pragma GCC unroll 8
  for (int i = 1; i < Size; ++i) y = y * x + c[i];
  return y;
}

// erf(x / sqrt 2) as a rational function of x * x, times x: our own fit on [-5.2, 5.2], where it
// saturates; its error is 1.2e-7.
constexpr float kErf[] = {1.167939535662299e-05f, 0.000628424808382988f, 0.011036846786737442f,
                          0.0991782620549202f, 0.7978838086128235f};
constexpr float kErfBelow[] = {5.01829674703913e-07f, 0.0001127212744904682f,
                               0.0027034657541662455f, 0.03733723983168602f, 0.290962278842926f,
                               1.0f};

// exp on the remainders below, fitted to 1e-8, and for storage in bfloat16 to 2e-6.
constexpr float kExp[] = {8.29765581e-3f, 4.19154416e-2f, 0.166675751f,
                          0.499988943f,   0.999999692f,   1.f};
constexpr float kExpLow[] = {4.14585844e-2f, 0.167909393f, 0.500043607f, 0.999963386f,
                             0.999999261f};

// exp(v) for v <= 0: 2^n * p(r), |r| <= log(2) / 2; below -87 it is 0 within rounding.
template <bool Low>
inline Vec<float> exp_negative(Vec<float> v) {
  const Vec<float> floor = Vec<float>{} - 87.f;
  v = v < floor ? floor : v;
  const Vec<float> n = (v * 1.44269504f + 12582912.f) - 12582912.f;  // to the nearest integer
  const Vec<float> r = (v - n * 0.693359375f) + n * 2.12194440e-4f;
  Vec<float> p;
  if constexpr (Low)
    p = polynomial(kExpLow, r);
  else
    p = polynomial(kExp, r);
  return p * (Vec<float>)((__builtin_convertvector(n, Vectors<float>::ints) + 127) << 23);
}

// a / b; a division takes as long as ten products.
inline Vec<float> divide(Vec<float> a, Vec<float> b) {
#if defined(__AVX512F__)
  const Vec<float> y = (Vec<float>)_mm512_rcp14_ps((__m512)b);
  return a * (y * (2.f - b * y));
#else
  return a / b;
#endif
}

enum Activation { kGelu, kRelu };

// GELU x * P(x) and its derivative P(x) + x * p(x), of the normal distribution P and density p.
template <bool Low>
inline void gelu(Vec<float> x, Vec<float>& value, Vec<float>& slope) {
  const Vec<float> bound = Vec<float>{} + 5.2f;
  const Vec<float> above = x > -bound ? x : -bound;  // below, both are 0 within rounding
  const Vec<float> z = above < bound ? above : bound, s = z * z;
  const Vec<float> erf = divide(z * polynomial(kErf, s), polynomial(kErfBelow, s));
  const Vec<float> half = above * 0.5f;
  value = half + half * erf;
  slope = 0.5f + 0.5f * erf + x * exp_negative<Low>(x * x * -0.5f) * 0.39894228f;
}

template <bool Low>
inline void gelu(Vec<double> x, Vec<double>& value, Vec<double>& slope) {
  for (int i = 0; i < kLanes<double>; ++i) {
    const double cdf = 0.5 * std::erfc(-x[i] * M_SQRT1_2);
    value[i] = x[i] * cdf;
    slope[i] = cdf + x[i] * std::exp(-0.5 * x[i] * x[i]) * 0.5 * M_2_SQRTPI * M_SQRT1_2;
  }
}

template <Activation A, bool Low, class T>
inline void activate(Vec<T> x, Vec<T>& value, Vec<T>& slope) {
  if constexpr (A == kRelu) {
    const Vec<T> zero = {}, one = zero + 1;
    value = x > zero ? x : zero;
    slope = x > zero ? one : zero;
  } else {
    gelu<Low>(x, value, slope);
  }
}

// Whether maps stored as S are rounded so coarsely that the short polynomials do.
template <class S>
constexpr bool kLow = std::is_same<S, bf16>::value;

}  // namespace
