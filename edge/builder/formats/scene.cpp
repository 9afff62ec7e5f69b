// Fills the scene tensors of a network in Gst-nvinfer, once, before the first frame.
//
// They lie as scene/NAME.bin beside this library, raw little-endian float32, `/` in NAME as `_`.
#include <dlfcn.h>

#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "nvdsinfer_custom_impl.h"

static std::string folder() {
    Dl_info info;
    dladdr(reinterpret_cast<void *>(&folder), &info);
    std::string path = info.dli_fname;
    return path.substr(0, path.rfind('/') + 1) + "scene/";
}

extern "C" bool NvDsInferInitializeInputLayers(
    std::vector<NvDsInferLayerInfo> const &inputLayersInfo,
    NvDsInferNetworkInfo const &networkInfo, unsigned int maxBatchSize) {
    (void)networkInfo;
    if (maxBatchSize != 1) {
        std::fprintf(stderr, "libscene: batch-size is %u, expected 1: a scene is of one camera\n",
                     maxBatchSize);
        return false;
    }
    for (auto const &layer : inputLayersInfo) {
        std::string name = layer.layerName;
        for (char &letter : name)
            if (letter == '/') letter = '_';
        std::string path = folder() + name + ".bin";
        std::ifstream file(path, std::ios::binary | std::ios::ate);
        long expected = 4L * layer.inferDims.numElements;
        long found = file ? static_cast<long>(file.tellg()) : -1;
        if (layer.dataType != FLOAT || found != expected) {
            std::fprintf(stderr, "libscene: %s has %ld bytes, expected %ld of float32\n",
                         path.c_str(), found, expected);
            return false;
        }
        file.seekg(0);
        if (!file.read(static_cast<char *>(layer.buffer), expected)) return false;
    }
    return true;
}
