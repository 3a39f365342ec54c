#!/usr/bin/env bash
# build.sh [-o FOLDER] [-twice] [ARCH…]: the .deb packages of kiosk, registry
# and issuer for ARCH (amd64, arm64), with man pages, completion and a bill of
# materials. Same commit, same bytes: -twice builds again from a clone elsewhere
# and compares.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
repo=$(cd "$here/../.." && pwd)
nfpm=github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.43.0
out=$repo/out/packages twice=""
while [ $# -gt 0 ]; do
  case $1 in
  -o) mkdir -p "$2" && out=$(cd "$2" && pwd) && shift 2 ;;
  -twice) twice=1 && shift ;;
  amd64 | arm64) break ;;
  *) sed -n '2,/^set/s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
  esac
done
[ $# -gt 0 ] || set -- amd64 arm64

cd "$repo"
if [ -n "$twice" ] && [ -n "$(git status --porcelain)" ]; then
  echo "packages: commit first: the second build is made of the commit" >&2
  exit 1
fi
[ "$(dpkg --print-architecture)" = amd64 ] || { echo "packages: build on Debian for amd64" >&2; exit 1; }
# The commit's time is every file's, and with its number the version; a tag is a version.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
VERSION=$(git describe --tags --exact-match 2>/dev/null || echo "v0~$(TZ=UTC0 git log -1 --date=format-local:%Y%m%d.%H%M%S --format=%cd.g%h --abbrev=12)")
VERSION=${VERSION#v}
export SOURCE_DATE_EPOCH VERSION

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"

# sysroot is what an arm64 kiosk is linked against: Debian 12's own libraries,
# unpacked and not installed.
sysroot() {
  local s=$repo/.cache/sysroot-arm64
  if [ ! -f "$s/usr/lib/aarch64-linux-gnu/pkgconfig/alsa.pc" ]; then
    "$repo/.ci/need" mmdebstrap gcc-aarch64-linux-gnu libc6-dev-arm64-cross >&2
    rm -rf "$s"
    mkdir -p "$repo/.cache"
    mmdebstrap --quiet --arch=arm64 --variant=extract --include=libasound2-dev,libc6-dev,linux-libc-dev bookworm "$s" http://deb.debian.org/debian >&2
  fi
  echo "$s"
}

# compile ARCH FOLDER: the three programs.
compile() {
  local arch=$1 to=$2 s
  local go=(env GOOS=linux GOARCH="$arch" go build -trimpath -buildvcs=auto -ldflags "-s -w -buildid=")
  # Registry and issuer need no C; the kiosk's sound is ALSA's.
  CGO_ENABLED=0 "${go[@]}" -o "$to/" ./cmd/registry ./cmd/issuer
  if [ "$arch" = amd64 ]; then
    "$repo/.ci/need" gcc libc6-dev pkg-config libasound2-dev
    CGO_ENABLED=1 "${go[@]}" -o "$to/" ./cmd/kiosk
  else
    s=$(sysroot)
    "$repo/.ci/need" gcc-aarch64-linux-gnu libc6-dev-arm64-cross pkg-config
    CGO_ENABLED=1 CC="aarch64-linux-gnu-gcc --sysroot=$s" PKG_CONFIG_SYSROOT_DIR=$s \
      PKG_CONFIG_LIBDIR=$s/usr/lib/aarch64-linux-gnu/pkgconfig:$s/usr/share/pkgconfig "${go[@]}" -o "$to/" ./cmd/kiosk
  fi
}

# texts FOLDER PROGRAMS: man pages and completion, from what the programs say of themselves.
texts() {
  local to=$1 bin=$2 p
  for p in kiosk registry issuer; do
    "$bin/$p" help >"$work/$p.help"
    # A verbatim block: roff's escapes and control lines are made plain.
    sed 's/\\/\\e/g; s/^\([.'"'"']\)/\\\&\1/' "$work/$p.help" >"$work/$p.roff"
    sed -e "/^@COMMANDS@/{r $work/$p.roff
d}" "$here/man/$p.1" | gzip -9n >"$to/$p.1.gz"
    "$here/completion.sh" "$p" <"$work/$p.help" >"$to/$p.bash"
  done
  for p in kiosk registry issuer; do
    sed 's/\\/\\e/g; s/^\([.'"'"']\)/\\\&\1/' "configs/$p.toml" >"$work/toml.roff"
    sed -e "s/@UPPER@/${p^^}/; s/@PROGRAM@/$p/g" -e "/^@SAMPLE@/{r $work/toml.roff
d}" "$here/man/toml.5" | gzip -9n >"$to/$p.toml.5.gz"
  done
}

compile amd64 "$work/amd64"
for arch; do
  stage=$work/stage-$arch
  mkdir -p "$stage"
  [ "$arch" = amd64 ] || compile "$arch" "$work/$arch"
  cp "$work/$arch"/* systemd/* configs/kiosk.toml LICENSE "$stage/"
  texts "$stage" "$work/amd64"
  for p in kiosk registry issuer; do
    go run ./image/packages/sbom "$stage/$p" >"$stage/$p.cdx.json"
  done
  cp "$here"/*.sh "$stage/"
  chmod -R u=rwX,go=rX "$stage"
  find "$stage" -exec touch -hd "@$SOURCE_DATE_EPOCH" {} +
  for p in kiosk registry issuer; do
    (cd "$stage" && ARCH=$arch GOFLAGS= go run "$nfpm" package -f "$here/$p.yaml" -p deb -t "$out/munjigi-${p}_${VERSION}_$arch.deb" >/dev/null)
  done
done

cd "$out"
for arch; do
  sha256sum munjigi-*_"${VERSION}_$arch.deb"
done | tee "$work/sums"
if [ -n "$twice" ]; then
  git clone -q "$repo" "$work/clone"
  mkdir -p "$work/clone/.cache"
  [ -d "$repo/.cache/sysroot-arm64" ] && ln -s "$repo/.cache/sysroot-arm64" "$work/clone/.cache/sysroot-arm64"
  GOCACHE=$work/gocache "$work/clone/image/packages/build.sh" -o "$work/again" "$@" >"$work/sums2"
  diff "$work/sums" "$work/sums2" && echo "packages: the second build, from a clone at another place and with an empty cache, is the same to the byte"
fi
