// SPDX-License-Identifier: Apache-2.0
// Where the data sets are and what their files' checksums are, as their authors publish them.
#include "data/download.h"

static const ssti_remote_set MNIST = {
    .mirrors = {"https://ossci-datasets.s3.amazonaws.com/mnist", "https://storage.googleapis.com/cvdf-datasets/mnist",
                "http://yann.lecun.com/exdb/mnist"},
    .files = {{"train-images-idx3-ubyte.gz", "f68b3c2dcbeaaa9fbdd348bbdeb94873"},
              {"train-labels-idx1-ubyte.gz", "d53e105ee54ea40749a09fcbcd1e9432"},
              {"t10k-images-idx3-ubyte.gz", "9fb629c4189551a2d022fa330f9573f3"},
              {"t10k-labels-idx1-ubyte.gz", "ec29112dd5afa0611ce80d1b7f02629c"}},
    .file_count = 4,
};

static const ssti_remote_set FASHION_MNIST = {
    .mirrors = {"http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
                "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion"},
    .files = {{"train-images-idx3-ubyte.gz", "8d4fb7e6c68d591d4c3dfef9ec88bf0d"},
              {"train-labels-idx1-ubyte.gz", "25c81989df183df01b3e8a0aad5dffbe"},
              {"t10k-images-idx3-ubyte.gz", "bef4ecab320f06d8554ea6380940ec79"},
              {"t10k-labels-idx1-ubyte.gz", "bb300cfdad3c16e7a12a480ee83cd310"}},
    .file_count = 4,
};

static const ssti_remote_set CIFAR10 = {
    .mirrors = {"https://www.cs.toronto.edu/~kriz"},
    .files = {{"cifar-10-binary.tar.gz", "c32a1d4ab5d03f1284b67883e8d87530"}},
    .file_count = 1,
    .members = {{"data_batch_1.bin", 30730000},
                {"data_batch_2.bin", 30730000},
                {"data_batch_3.bin", 30730000},
                {"data_batch_4.bin", 30730000},
                {"data_batch_5.bin", 30730000},
                {"test_batch.bin", 30730000},
                {"batches.meta.txt", 0}},
    .member_count = 7,
};

static const ssti_remote_set CIFAR100 = {
    .mirrors = {"https://www.cs.toronto.edu/~kriz"},
    .files = {{"cifar-100-binary.tar.gz", "03b5dce01913d631647c71ecec9e9cb8"}},
    .file_count = 1,
    .members = {{"train.bin", 153700000},
                {"test.bin", 30740000},
                {"coarse_label_names.txt", 0},
                {"fine_label_names.txt", 0}},
    .member_count = 4,
};

const ssti_remote_set *ssti_remote_set_of(sst_dataset_kind kind) {
  switch (kind) {
  case SST_DATASET_MNIST: return &MNIST;
  case SST_DATASET_FASHION_MNIST: return &FASHION_MNIST;
  case SST_DATASET_CIFAR10: return &CIFAR10;
  case SST_DATASET_CIFAR100: return &CIFAR100;
  default: return NULL;
  }
}
