# Debian 12 packages that kimic is built from; sourced by the quickstart and by tests/run.
# $1: "build" or "test".
install_packages() {
  local packages=(
    g++ cmake ninja-build ccache pkg-config
    libmlir-22-dev mlir-22-tools llvm-22-dev llvm-22-tools liblld-22-dev
    libboost1.81-dev libboost-json1.81-dev libflatbuffers-dev flatbuffers-compiler libpcre2-dev
    libspdlog-dev libfmt-dev libcli11-dev libxxhash-dev zlib1g-dev libzstd-dev curl)
  if [ "${1:-build}" = test ]; then
    packages+=(libgtest-dev libgmock-dev libboost-context1.81-dev python3 python3-venv qemu-user gcc-aarch64-linux-gnu
      libc6-dev-arm64-cross clang-22 libclang-rt-22-dev)
  fi
  local missing=()
  for package in "${packages[@]}"; do
    dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  echo "installing ${#missing[@]} Debian packages: ${missing[*]}"
  local sudo=()
  [ "$(id -u)" -eq 0 ] || sudo=(sudo)
  "${sudo[@]}" apt-get update -qq
  DEBIAN_FRONTEND=noninteractive "${sudo[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}
