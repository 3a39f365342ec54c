#!/bin/sh
# Makes the prompts' WAV files (22,050 Hz, mono, 16 bit) from LANG.toml:
#   ./make.sh            Korean, the files beside this script
#   ./make.sh ko DIR     into another folder
# Needs espeak-ng, sox and ffmpeg. The same versions give the same bytes: sox
# runs without dither (-D) and with a fixed seed (-R).
set -eu
cd "$(dirname "$0")"
lang=${1:-ko}
out=${2:-.}
loudness=-16 # LUFS, integrated (EBU R 128), aimed at; the limiter takes 1.2 to 2 of it
rate=22050
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
sox() { command sox -R -D -V1 "$@"; }

# A bell: a sine with an octave above it, struck at once and dying away.
bell() { # file hertz seconds decay
	sox -n -r $rate -b 16 -c 1 "$1" synth "$3" sine "$2" sine "$(($2 * 2))" remix 1v0.8,2v0.2 \
		fade l 0.002 "$3" "$4" gain -8
}

# yes: two short high notes that rise. no: 딩동, two slow low notes that fall,
# soft as a doorbell. wait: one note. Pitch AND rhythm differ, so that they are
# told apart by ear alone, and none of them shames anybody.
sox -n -r $rate -b 16 -c 1 "$tmp/gap.wav" trim 0 0.09
bell "$tmp/a.wav" 1047 0.12 0.11
bell "$tmp/b.wav" 1568 0.26 0.25
sox "$tmp/gap.wav" "$tmp/b.wav" "$tmp/b2.wav" trim 0.02
sox -m -v 1 "$tmp/a.wav" -v 1 "$tmp/b2.wav" "$tmp/chime-yes.wav"
bell "$tmp/a.wav" 587 0.45 0.43
bell "$tmp/b.wav" 466 0.55 0.53
sox -n -r $rate -b 16 -c 1 "$tmp/gap.wav" trim 0 0.27
sox "$tmp/gap.wav" "$tmp/b.wav" "$tmp/b2.wav"
sox -m -v 1 "$tmp/a.wav" -v 1 "$tmp/b2.wav" "$tmp/chime-no.wav"
bell "$tmp/chime-wait.wav" 784 0.50 0.48

# The voice starts this many seconds after the file, over the chime's tail.
lead() { case $1 in yes) echo 0.12 ;; no) echo 0.52 ;; wait) echo 0.30 ;; esac; }

lufs() {
	ffmpeg -nostdin -hide_banner -nostats -i "$1" -af apad=pad_dur=0.4,ebur128=framelog=verbose -f null - 2>&1 |
		awk '$1 == "I:" { v = $2 } END { print v }'
}

prompt() { # name chime speed say
	espeak-ng -v "$lang" -s "$3" -p 55 -w "$tmp/raw.wav" "$4"
	# Trim both ends, then even out the voice: a mild compressor makes
	# it carry in a noisy entrance.
	sox "$tmp/raw.wav" -r $rate -c 1 "$tmp/voice.wav" highpass 120 \
		silence -l 1 0.005 0.6% -1 0.2 0.6% reverse silence 1 0.005 0.6% reverse \
		compand 0.005,0.08 6:-40,-28,-20,-14,0,-7 0 -40 0.005 gain -n -4
	sox -n -r $rate -b 16 -c 1 "$tmp/gap.wav" trim 0 "$(lead "$2")"
	sox "$tmp/gap.wav" "$tmp/voice.wav" "$tmp/late.wav"
	sox -m -v 0.5 "$tmp/chime-$2.wav" -v 0.95 "$tmp/late.wav" "$tmp/mix.wav"
	gain=$(awk -v want=$loudness -v is="$(lufs "$tmp/mix.wav")" 'BEGIN { printf "%.2f", want - is }')
	# gain -l holds the peaks below full scale.
	sox "$tmp/mix.wav" -b 16 "$out/$1.wav" gain -l "$gain" fade t 0 -0 0.01
	echo "$1.wav $(soxi -D "$out/$1.wav") s"
}

# The tables of LANG.toml, one line each: name|chime|speed|say.
awk '
	/^\[/ { flush(); name = substr($0, 2, index($0, "]") - 2); speed = 270 }
	/^[a-z]+ = / { v = $0; sub(/^[a-z]+ = /, "", v); gsub(/"/, "", v); if ($1 == "speed") speed = v; else f[$1] = v }
	END { flush() }
	function flush() { if (name != "") print name "|" f["chime"] "|" speed "|" f["say"] }
' "$lang.toml" | while IFS='|' read -r name chime speed say; do
	prompt "$name" "$chime" "$speed" "$say"
done
