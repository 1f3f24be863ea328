// SPDX-License-Identifier: Apache-2.0
// Layers that a term learns for itself. Their parameters lie in the scene's store and are discarded after training.
#ifndef SPIKESTILL_DISTILL_OWN_LAYERS_H
#define SPIKESTILL_DISTILL_OWN_LAYERS_H

#include "distill/method.h"

// Convolution of x [T,N,H,W,I] with kernel x kernel (odd), padded so that H and W stay, to [T,N,H,W,out], with bias:
// parameters "<name>.weight" [1,out,kernel,kernel,I] and "<name>.bias" of the term. Starts as a layer of a network that
// a norm follows does (model/layer.c). Fails, like every function that builds, where the scene has no store.
sst_value ssti_own_conv(sst_graph *graph, const sst_distill_scene *scene, const char *name, sst_value x, int64_t out,
                        int64_t kernel);

#endif
