// The built-in trainers as a program: `builtin_trainer softmax|mlp`, what `carnet trainer
// softmax|mlp` runs.
#include <cstdio>
#include <fstream>

#include "worker/trainers/builtin.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fputs("usage: builtin_trainer softmax|mlp\n", stderr);
    return 2;
  }
  std::ifstream in("/dev/stdin");
  std::ofstream out("/dev/stdout");
  return carnet::trainers::RunBuiltinTrainer(argv[1], in, out);
}
