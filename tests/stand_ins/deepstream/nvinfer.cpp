// What Gst-nvinfer does with a custom library: nvinfer LIBRARY BATCH NAME ELEMENTS [NAME ELEMENTS...]
//
// Lets it fill the layers, and writes them to stdout one after another. Exit code 1: it refused.
#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>
#include <vector>

#include "nvdsinfer_custom_impl.h"

typedef bool (*Fill)(std::vector<NvDsInferLayerInfo> const &, NvDsInferNetworkInfo const &,
                     unsigned int);

int main(int argc, char **argv) {
    void *library = dlopen(argv[1], RTLD_LAZY);
    Fill fill = library ? (Fill)dlsym(library, "NvDsInferInitializeInputLayers") : nullptr;
    if (!fill) {
        std::fprintf(stderr, "%s\n", dlerror());
        return 2;
    }
    std::vector<NvDsInferLayerInfo> layers;
    for (int i = 3; i + 1 < argc; i += 2) {
        NvDsInferLayerInfo layer = {};
        layer.dataType = FLOAT;
        layer.layerName = argv[i];
        layer.inferDims.numElements = std::atoi(argv[i + 1]);
        layer.buffer = std::calloc(layer.inferDims.numElements, 4);
        layers.push_back(layer);
    }
    if (!fill(layers, NvDsInferNetworkInfo(), std::atoi(argv[2]))) return 1;
    for (auto const &layer : layers)
        std::fwrite(layer.buffer, 4, layer.inferDims.numElements, stdout);
}
