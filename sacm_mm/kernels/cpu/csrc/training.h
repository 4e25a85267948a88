// The mixer block's memory-bound parts in training, one pass over memory each.
//
// A depthwise convolution, an activation and a batch norm all work on one channel at a time, and
// one channel of a batch fits the cache: each function below reads and writes every tensor once.
// Tensors are contiguous, (N, C, H, W).
#pragma once

#include <vector>

#include "vectors.h"

namespace {
namespace training {

// Sums that are kept in registers, beside what is multiplied.
#if defined(__AVX512F__)
constexpr int kSums = 28;
#else
constexpr int kSums = 12;
#endif

// Memory of this thread that later calls use again.
template <class T>
T* scratch(int slot, int64_t size) {
  static thread_local std::vector<T> buffers[4];
  auto& buffer = buffers[slot];
  if ((int64_t)buffer.size() < size) buffer.resize(size);
  return buffer.data();
}

// A padded plane: rows of ``stride`` hold the zeros of each side, as many as half of a kernel
// reaches, and whole vectors.
template <class F, int K>
struct Plane {
  int64_t height, width, dilation, border, stride, size;
  Plane(int64_t h, int64_t w, int64_t d) : height(h), width(w), dilation(d), border(K / 2 * d) {
    stride = (w + kLanes<F> - 1) / kLanes<F> * kLanes<F> + 2 * border;
    size = (h + 2 * border) * stride + kLanes<F>;
  }
  int64_t at(int64_t row, int64_t column) const {
    return (row + border) * stride + column + border;
  }
};

// Asks for the start of a plane: the same channel of the next image is far away, and no processor
// guesses that by itself.
template <class S>
void prefetch(const S* plane, int64_t area) {
  for (int64_t i = 0; i < area && i < 512; i += kBytes / sizeof(S)) __builtin_prefetch(plane + i);
}

// Copies a plane into the middle of a padded one, whose border stays as it is.
template <class F, int K, class S, class T = typename Arithmetic<S>::type>
void pad(const Plane<F, K>& plane, const S* from, F* padded) {
  constexpr int lanes = kLanes<F>;
  const int64_t width = plane.width, height = plane.height;
  typename Vectors<T>::ints in_row;  // lanes of a row narrower than a vector
  for (int i = 0; i < lanes; ++i) in_row[i] = i < width ? -1 : 0;
  const auto row_at = [&](int64_t row, int64_t w) -> Vec<T> {
    const S* line = from + row * width;
    if (width >= lanes) return load(line + w);
    const bool inside = row * width + lanes <= height * width;
    return in_row ? (inside ? load(line) : load_part(line, width)) : Vec<T>{};
  };
  const auto column = [&](int64_t w) {
    if constexpr (kRows<F> == 1) {
      for (int64_t row = 0; row < height; ++row)
        store(padded + plane.at(row, w), row_at(row, w));
    } else {
      for (int64_t phase = 0; phase < plane.dilation; ++phase) {
        Word above = {};
        int64_t row = phase;
        for (; row < height; row += plane.dilation) {
          const Word bits = __builtin_convertvector(round_to_half(row_at(row, w)), Word);
          store(padded + plane.at(row - plane.dilation, w), above | bits << 16);
          above = bits;
        }
        store(padded + plane.at(row - plane.dilation, w), above);
      }
    }
  };
  for (int64_t w = 0; w + lanes <= width; w += lanes) column(w);
  // the last overlaps the one before
  if (width % lanes) column(width < lanes ? 0 : width - lanes);
}

// Holds a vector in a register: compilers would rather load it again at each use, although loads
// across cache lines are what limits here.
template <class V>
inline V keep(V v) {
#if defined(__AVX512F__)
  asm("" : "+v"(v));
#elif defined(__AVX__)
  asm("" : "+x"(v));
#endif
  return v;
}

// A kernel's weights as factors, from the last to the first for the convolution's transpose.
template <class F, int K, class T>
void taps(const T* weight, bool flip, F* out) {
  const auto at = [&](int i, int j) {
    return i >= K ? T(0) : weight[flip ? K * K - 1 - (i * K + j) : i * K + j];
  };
  for (int i = 0; i < K; i += kRows<F>)
    for (int j = 0; j < K; ++j)
      if constexpr (kRows<F> == 1) {
        out[i * K + j] = at(i, j);
      } else {
        const Half halves = round_to_half(Vec<float>{at(i, j), at(i + 1, j)});
        out[i / 2 * K + j].bits = halves[0] | uint32_t(halves[1]) << 16;
      }
}

// One vector of ``Rows`` rows, a dilation apart; each input row that is loaded serves all of them.
template <class F, int K, int Rows, class T>
inline void convolve_vector(
    const Plane<F, K>& plane, const F* padded, const F* weight, T bias, T* out) {
  const int64_t down = plane.dilation * plane.stride, width = plane.dilation * plane.width;
  constexpr int step = kRows<F>;
  Vec<T> sums[Rows];
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) sums[r] = broadcast(bias);
#pragma GCC unroll 9
  for (int j = 0; j < K; ++j) {
#pragma GCC unroll 16
    for (int i = 0; i < Rows + K - 1; ++i) {
      const Vec<F> x = keep(load(padded + i * down + j * plane.dilation));
#pragma GCC unroll 8
      for (int r = 0; r < Rows; ++r)
        if (i - r >= 0 && i - r < K && (i - r) % step == 0)
          sums[r] = multiply_add(x, broadcast(weight[(i - r) / step * K + j]), sums[r]);
    }
  }
#pragma GCC unroll 8
  for (int r = 0; r < Rows; ++r) store(out + r * width, sums[r]);
}

template <class F, int K, int Rows, class T>
inline void convolve_rows(
    const Plane<F, K>& plane, const F* padded, const F* weight, T bias, int64_t row, T* out) {
  constexpr int lanes = kLanes<F>;
  const F* line = padded + row * plane.stride;
  T* to = out + row * plane.width;
  int64_t w = 0;
  for (; w + lanes <= plane.width; w += lanes)
    convolve_vector<F, K, Rows>(plane, line + w, weight, bias, to + w);
  if (w < plane.width) {  // the last vector overlaps the one before
    w = plane.width < lanes ? 0 : plane.width - lanes;
    convolve_vector<F, K, Rows>(plane, line + w, weight, bias, to + w);
  }
}

// Padded plane -> (H, W), followed by up to one vector of anything.
template <class F, int K, class T>
void convolve(const Plane<F, K>& plane, const F* padded, const F* weight, T bias, T* out) {
  const int64_t d = plane.dilation;
  int64_t row = 0;
  if (d == 1 || plane.width >= kLanes<T>)
    for (; row + 4 * d <= plane.height; row += 4 * d)
      for (int64_t phase = 0; phase < d; ++phase)
        convolve_rows<F, K, 4>(plane, padded, weight, bias, row + phase, out);
  // in order: where a vector is wider than a row, the next overwrites the excess
  for (; row < plane.height; ++row)
    convolve_rows<F, K, 1>(plane, padded, weight, bias, row, out);
}

// sums[i, j] += x[h + i * d, w + j * d] * g[h, w] over all h and w, both padded, d the dilation, for
// as many i from ``First`` as there are registers for their sums. Each vector of x that is loaded
// serves all. Of pairs of rows h goes over every second; the i of one call are all even or all odd.
template <class F, int K, int First = 0, class T>
void correlate(const Plane<F, K>& plane, const F* x, const F* g, Vec<T>* sums) {
  constexpr int step = kRows<F>, left = (K - First + step - 1) / step;
  constexpr int rows = left * K <= kSums ? left : (K <= kSums ? kSums / K : 1);
  constexpr int next = First + rows * step;
  const int64_t d = plane.dilation, end = plane.height + (rows - 1) * step * d;
  Vec<T> part[rows][K] = {};
  for (int64_t row = 0; row < end; row += row % d == d - 1 ? (step - 1) * d + 1 : 1) {
    const F* line = x + (row + First * d) * plane.stride;
    const F* lines[rows];  // of g; above and below it a row of the lower border, which is zero
    for (int i = 0; i < rows; ++i) {
      const int64_t h = row - i * step * d;
      lines[i] = g + plane.at(h >= 0 && h < plane.height ? h : plane.height + plane.border - 1, 0);
    }
    for (int64_t w = 0; w < plane.width; w += kLanes<F>) {
      Vec<F> grads[rows];
#pragma GCC unroll 9
      for (int i = 0; i < rows; ++i) grads[i] = keep(load(lines[i] + w));
#pragma GCC unroll 9
      for (int j = 0; j < K; ++j) {
        const Vec<F> value = keep(load(line + w + j * d));
#pragma GCC unroll 9
        for (int i = 0; i < rows; ++i) part[i][j] = multiply_add(value, grads[i], part[i][j]);
      }
    }
  }
  // unrolled as well, or the sums would have addresses and no registers
#pragma GCC unroll 9
  for (int i = 0; i < rows; ++i)
#pragma GCC unroll 9
    for (int j = 0; j < K; ++j) sums[(First + i * step) * K + j] += part[i][j];
  if constexpr (next < K)
    correlate<F, K, next, T>(plane, x, g, sums);
  else if constexpr (First % step + 1 < step)
    correlate<F, K, First % step + 1, T>(plane, x, g, sums);
}

template <Activation A, bool Slopes, bool Low, class T>
void activate_channel(T* values, T* slopes, int64_t count, double& mean, double& variance) {
  constexpr int lanes = kLanes<T>;
  double sum = 0;
  for (int64_t start = 0; start < count; start += 4096) {  // sums of few are exact enough
    Vec<T> part = {};
    const int64_t end = start + 4096 < count ? start + 4096 : count;
    int64_t i = start;
    for (; i < end; i += lanes) {
      Vec<T> x = i + lanes <= end ? load(values + i) : load_part(values + i, end - i);
      Vec<T> value, slope;
      activate<A, Low, T>(x, value, slope);
      store(values + i, value);
      if constexpr (Slopes) store(slopes + i, slope);
      part += value;  // that of 0 is 0
    }
    sum += total<T>(part);
  }
  mean = sum / count;
  double squares = 0;
  for (int64_t start = 0; start < count; start += 4096) {
    Vec<T> part = {};
    const int64_t end = start + 4096 < count ? start + 4096 : count;
    int64_t i = start;
    for (; i + lanes <= end; i += lanes) {
      const Vec<T> distance = load(values + i) - (T)mean;
      part += distance * distance;
    }
    squares += total<T>(part);
    for (; i < end; ++i) squares += (values[i] - mean) * (values[i] - mean);
  }
  variance = squares / count;
}

// Applies the activation to one channel, with its slopes where they are asked for, and measures.
template <class S, class T>
void activate_all(Activation a, T* values, T* slopes, int64_t count, double& mean, double& var) {
  if (a == kRelu)
    slopes ? activate_channel<kRelu, true, kLow<S>>(values, slopes, count, mean, var)
           : activate_channel<kRelu, false, kLow<S>>(values, slopes, count, mean, var);
  else
    slopes ? activate_channel<kGelu, true, kLow<S>>(values, slopes, count, mean, var)
           : activate_channel<kGelu, false, kLow<S>>(values, slopes, count, mean, var);
}

// The arguments that all functions share.
struct Shape {
  int64_t batch, channels, height, width, dilation, threads;
  Activation activation;
  int64_t area() const { return height * width; }
  int64_t plane(int64_t n, int64_t c) const { return (n * channels + c) * area(); }
};

template <class T>
struct Norm {
  const T *weight, *bias;
  double eps;
};

// out = (residual +) the normalized values of one channel.
template <class S, class T>
void write_normalized(const Shape& s, int64_t c, const T* values, T scale, T shift,
                      const S* residual, S* out) {
  constexpr int lanes = kLanes<T>;
  for (int64_t n = 0; n < s.batch; ++n) {
    const T* from = values + n * s.area();
    const int64_t offset = s.plane(n, c);
    int64_t i = 0;
    for (; i + lanes <= s.area(); i += lanes) {
      Vec<T> y = load(from + i) * scale + shift;
      if (residual) y += load(residual + offset + i);
      store(out + offset + i, y);
    }
    if (i < s.area()) {
      const int64_t rest = s.area() - i;
      Vec<T> y = load_part(from + i, rest) * scale + shift;
      if (residual) y += load_part(residual + offset + i, rest);
      store_part(out + offset + i, y, rest);
    }
  }
}

// The gradient of one channel's values before the activation, in place of ``slopes``; it is summed
// up in ``sum_input``. ``grad`` is that of the norm's output.
template <class S, class T>
void norm_backward(const Shape& s, int64_t c, const T* values, T* slopes, const S* grad, T weight,
                   double mean, double inverse, double& sum_weight, double& sum_bias,
                   double& sum_input) {
  constexpr int lanes = kLanes<T>;
  const int64_t area = s.area(), whole = area / lanes * lanes;
  double sum = 0, product = 0;
  Vec<T> a = {}, b = {};
  int64_t summed = 0;
  const auto flush = [&] {  // sums of few are exact enough
    sum += total<T>(a);
    product += total<T>(b);
    a = b = Vec<T>{};
    summed = 0;
  };
  for (int64_t n = 0; n < s.batch; ++n) {
    const S* g = grad + s.plane(n, c);
    const T* v = values + n * area;
    for (int64_t i = 0; i < whole; i += lanes) {
      const Vec<T> y = load(g + i);
      a += y;
      b += y * (load(v + i) - (T)mean);
      if ((summed += lanes) >= 4096) flush();
    }
    if (whole < area) {
      const Vec<T> y = load_part(g + whole, area - whole);  // zero where there is nothing
      a += y;
      b += y * (load_part(v + whole, area - whole) - (T)mean);
    }
  }
  flush();
  const double count = double(s.batch) * area;
  sum_bias = sum;
  sum_weight = product * inverse;
  const T scale = weight * inverse, offset = sum / count;
  const T tilt = product * inverse * inverse / count;
  sum_input = 0;
  for (int64_t n = 0; n < s.batch; ++n) {
    const S* g = grad + s.plane(n, c);
    const T* v = values + n * area;
    T* out = slopes + n * area;
    for (int64_t i = 0; i < whole; i += lanes) {
      const Vec<T> centred = load(v + i) - (T)mean;
      const Vec<T> d = load(out + i) * scale * (load(g + i) - offset - centred * tilt);
      store(out + i, d);
      a += d;
      if ((summed += lanes) >= 4096) {
        sum_input += total<T>(a);
        a = Vec<T>{};
        summed = 0;
      }
    }
    for (int64_t i = whole; i < area; ++i) {
      const T y = value(g[i]);
      out[i] *= scale * (y - offset - (v[i] - (T)mean) * tilt);
      sum_input += out[i];
    }
  }
  sum_input += total<T>(a);
}

template <class S, class T>
void load_channel(const Shape& s, int64_t c, const S* from, T bias, T* values) {
  constexpr int lanes = kLanes<T>;
  for (int64_t n = 0; n < s.batch; ++n) {
    const S* x = from + s.plane(n, c);
    T* to = values + n * s.area();
    int64_t i = 0;
    for (; i + lanes <= s.area(); i += lanes) store(to + i, load(x + i) + bias);
    if (i < s.area())
      store_part(to + i, load_part(x + i, s.area() - i) + bias, s.area() - i);
  }
}

template <class S, class T>
void store_plane(const T* values, const S* residual, S* out, int64_t area) {
  constexpr int lanes = kLanes<T>;
  int64_t i = 0;
  for (; i + lanes <= area; i += lanes) {
    Vec<T> y = load(values + i);
    if (residual) y += load(residual + i);
    store(out + i, y);
  }
  if (i < area) {
    Vec<T> y = load_part(values + i, area - i);
    if (residual) y += load_part(residual + i, area - i);
    store_part(out + i, y, area - i);
  }
}

// y = norm(act(x + bias)); statistics are the batch's.
template <class S, class T = typename Arithmetic<S>::type>
void act_norm(Shape s, const S* x, const T* bias, Norm<T> norm, S* y, T* mean, T* variance) {
#pragma omp parallel for num_threads(s.threads) schedule(dynamic, 4)
  for (int64_t c = 0; c < s.channels; ++c) {
    const int64_t count = s.batch * s.area();
    T* values = scratch<T>(0, count + kLanes<T>);
    double m, v;
    load_channel(s, c, x, bias ? bias[c] : T(0), values);
    activate_all<S, T>(s.activation, values, nullptr, count, m, v);
    mean[c] = m;
    variance[c] = v;
    const T scale = norm.weight[c] / std::sqrt(v + norm.eps);
    write_normalized<S, T>(s, c, values, scale, norm.bias[c] - scale * T(m), nullptr, y);
  }
}

template <class S, class T = typename Arithmetic<S>::type>
void act_norm_backward(Shape s, const S* grad, const S* x, const T* bias, Norm<T> norm, S* grad_x,
                       T* grad_bias, T* grad_norm_weight, T* grad_norm_bias) {
#pragma omp parallel for num_threads(s.threads) schedule(dynamic, 4)
  for (int64_t c = 0; c < s.channels; ++c) {
    const int64_t count = s.batch * s.area();
    T* values = scratch<T>(0, count + kLanes<T>);
    T* slopes = scratch<T>(1, count + kLanes<T>);
    double mean, variance, sum_weight, sum_bias, sum_input;
    load_channel(s, c, x, bias ? bias[c] : T(0), values);
    activate_all<S, T>(s.activation, values, slopes, count, mean, variance);
    norm_backward<S, T>(s, c, values, slopes, grad, norm.weight[c], mean,
                        1 / std::sqrt(variance + norm.eps), sum_weight, sum_bias, sum_input);
    for (int64_t n = 0; n < s.batch; ++n)
      store_plane<S, T>(slopes + n * s.area(), nullptr, grad_x + s.plane(n, c), s.area());
    if (grad_bias) grad_bias[c] = sum_input;
    grad_norm_weight[c] = sum_weight;
    grad_norm_bias[c] = sum_bias;
  }
}

// y = (x +) norm(act(depthwise(x) + bias)).
template <class S, int K, class T = typename Arithmetic<S>::type>
void mix(Shape s, bool residual, const S* x, const T* weight, const T* bias, Norm<T> norm, S* y,
         T* mean, T* variance) {
  using F = typename Factors<S>::type;
  const Plane<F, K> plane(s.height, s.width, s.dilation);
  const int64_t count = s.batch * s.area();
#pragma omp parallel num_threads(s.threads)
  {
    T* values = scratch<T>(0, count + kLanes<T>);
    F* padded = scratch<F>(1, plane.size);
    std::memset(padded, 0, plane.size * sizeof(F));
#pragma omp for schedule(dynamic, 4)
    for (int64_t c = 0; c < s.channels; ++c) {
      F kernel[K * K];
      taps<F, K>(weight + c * K * K, false, kernel);
      for (int64_t n = 0; n < s.batch; ++n) {
        prefetch(x + s.plane(n + 1, c), s.area());
        pad(plane, x + s.plane(n, c), padded);
        convolve(plane, padded, kernel, bias ? bias[c] : T(0), values + n * s.area());
      }
      double m, v;
      activate_all<S, T>(s.activation, values, nullptr, count, m, v);
      mean[c] = m;
      variance[c] = v;
      const T scale = norm.weight[c] / std::sqrt(v + norm.eps);
      write_normalized<S, T>(s, c, values, scale, norm.bias[c] - scale * T(m),
                             residual ? x : nullptr, y);
    }
  }
}

// The convolution is computed anew: that costs less than writing and reading its result.
template <class S, int K, class T = typename Arithmetic<S>::type>
void mix_backward(Shape s, bool residual, const S* grad, const S* x, const T* weight,
                  const T* bias, Norm<T> norm, S* grad_x, T* grad_weight, T* grad_bias,
                  T* grad_norm_weight, T* grad_norm_bias) {
  using F = typename Factors<S>::type;
  const Plane<F, K> plane(s.height, s.width, s.dilation);
  const int64_t count = s.batch * s.area();
#pragma omp parallel num_threads(s.threads)
  {
    T* values = scratch<T>(0, count + kLanes<T>);
    T* slopes = scratch<T>(1, count + kLanes<T>);
    F* padded = scratch<F>(2, s.batch * plane.size);
    F* padded_grad = scratch<F>(3, plane.size);
    std::memset(padded, 0, s.batch * plane.size * sizeof(F));
    std::memset(padded_grad, 0, plane.size * sizeof(F));
#pragma omp for schedule(dynamic, 4)
    for (int64_t c = 0; c < s.channels; ++c) {
      F kernel[K * K], flipped[K * K];
      taps<F, K>(weight + c * K * K, false, kernel);
      taps<F, K>(weight + c * K * K, true, flipped);
      for (int64_t n = 0; n < s.batch; ++n) {
        prefetch(x + s.plane(n + 1, c), s.area());
        pad(plane, x + s.plane(n, c), padded + n * plane.size);
        convolve(plane, padded + n * plane.size, kernel, bias ? bias[c] : T(0),
                 values + n * s.area());
      }
      double mean, variance, sum_weight, sum_bias, sum_input;
      activate_all<S, T>(s.activation, values, slopes, count, mean, variance);
      norm_backward<S, T>(s, c, values, slopes, grad, norm.weight[c], mean,
                          1 / std::sqrt(variance + norm.eps), sum_weight, sum_bias, sum_input);
      double sums[K * K] = {};
      Vec<T> part[K * K] = {};
      int64_t summed = 0;
      for (int64_t n = 0; n < s.batch; ++n) {
        pad(plane, slopes + n * s.area(), padded_grad);
        correlate<F, K, 0, T>(plane, padded + n * plane.size, padded_grad, part);
        summed += s.area();
        if (summed >= 4096 || n + 1 == s.batch) {  // sums of few are exact enough
          for (int i = 0; i < K * K; ++i) {
            sums[i] += total<T>(part[i]);
            part[i] = Vec<T>{};
          }
          summed = 0;
        }
        convolve(plane, padded_grad, flipped, T(0), values);
        store_plane<S, T>(values, residual ? grad + s.plane(n, c) : nullptr,
                          grad_x + s.plane(n, c), s.area());
      }
      for (int i = 0; i < K * K; ++i) grad_weight[c * K * K + i] = sums[i];
      if (grad_bias) grad_bias[c] = sum_input;
      grad_norm_weight[c] = sum_weight;
      grad_norm_bias[c] = sum_bias;
    }
  }
}

}  // namespace training
}  // namespace
