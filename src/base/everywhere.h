// SPDX-License-Identifier: Apache-2.0
// Inline functions that the CPU's code and CUDA kernels share, so that both compute by the same lines.
#ifndef SPIKESTILL_BASE_EVERYWHERE_H
#define SPIKESTILL_BASE_EVERYWHERE_H

// Static and inline, and under nvcc compiled for both sides.
#ifdef __CUDACC__
#define SSTI_EVERYWHERE static inline __host__ __device__
#else
#define SSTI_EVERYWHERE static inline
#endif

#endif
