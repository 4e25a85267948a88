// From PyTorch's tensors to what the kernels take, checked.
#pragma once

#include <ATen/core/Tensor.h>
#include <c10/util/Exception.h>
#include <torch/library.h>

#include "vectors.h"

namespace {

using at::Tensor;
using Maybe = std::optional<Tensor>;

// The type that maps are stored in, by the name that the kernels have for it.
template <class Function>
void dispatch(at::ScalarType type, Function&& function) {
  switch (type) {
    case at::kFloat: return function(float());
    case at::kBFloat16: return function(bf16());
    case at::kDouble: return function(double());
    default: TORCH_CHECK(false, "maps are float32, bfloat16 or float64, not ", type);
  }
}

template <class Function>
void dispatch_kernel(int64_t size, Function&& function) {
  switch (size) {
    case 3: return function(std::integral_constant<int, 3>());
    case 5: return function(std::integral_constant<int, 5>());
    case 7: return function(std::integral_constant<int, 7>());
    case 9: return function(std::integral_constant<int, 9>());
    default: TORCH_CHECK(false, "kernels are 3, 5, 7 or 9 wide, not ", size);
  }
}

template <class T>
const T* read(const Tensor& tensor) {
  return static_cast<const T*>(tensor.const_data_ptr());
}

template <class T>
T* write(Tensor& tensor) {
  return static_cast<T*>(tensor.mutable_data_ptr());
}

template <class T>
const T* read(const Maybe& tensor) {
  return tensor ? read<T>(*tensor) : nullptr;
}

void check(const Tensor& tensor, at::IntArrayRef sizes, at::ScalarType type) {
  TORCH_CHECK(tensor.sizes() == sizes && tensor.scalar_type() == type && tensor.is_contiguous(),
              "expected a contiguous tensor ", sizes, " of ", type, ", got ", tensor.sizes(), " of ",
              tensor.scalar_type());
}

}  // namespace
