// SPDX-License-Identifier: Apache-2.0
// Between the two halves of the emulator: emulator.cpp runs kernels, emulator_stream.cpp has the runtime's functions.
#ifndef SPIKESTILL_TESTS_EMULATOR_STREAM_H
#define SPIKESTILL_TESTS_EMULATOR_STREAM_H

#include <functional>

#include "cuda_runtime_api.h"

// Keeps the error for cudaGetLastError and returns it.
cudaError_t ssti_emulated_error(cudaError_t error);

// Does it now or, where the stream is being captured, keeps it for the graph.
cudaError_t ssti_emulated_do(cudaStream_t stream, std::function<void()> what);

#endif
