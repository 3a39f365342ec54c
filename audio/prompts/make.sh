#!/bin/sh
# Makes the prompts' WAV files (22,050 Hz, mono, 16 bit):
#   ./make.sh            every language, from LANG.toml into LANG/, and the chimes
#   ./make.sh ko DIR     one language into DIR/ko
# Needs espeak-ng, sox and ffmpeg. The same versions give the same bytes: sox
# runs without dither (-D) and with a fixed seed (-R).
set -eu
cd "$(dirname "$0")"
langs=${1:-ko en}
out=${2:-.}
loudness=-13 # LUFS, integrated (EBU R 128), heard from two channels; audio.Loudness holds an owner's files to it
peak=-1 # dBTP
rate=22050
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
sox() { command sox -R -D -V1 "$@"; }

# A bell: a sine with an octave above it, struck at once and dying away.
bell() { # file hertz seconds decay
	sox -n -r $rate -b 16 -c 1 "$1" synth "$3" sine "$2" sine "$(($2 * 2))" remix 1v0.8,2v0.2 \
		fade l 0.002 "$3" "$4" gain -8
}

# two lays a second note over the first.
two() { # chime at hertz seconds hertz seconds
	bell "$tmp/a.wav" "$3" "$4" "$(awk "BEGIN { print $4 - 0.01 }")"
	bell "$tmp/b.wav" "$5" "$6" "$(awk "BEGIN { print $6 - 0.01 }")"
	sox "$tmp/b.wav" "$tmp/late.wav" pad "$2" 0
	sox -m -v 1 "$tmp/a.wav" -v 1 "$tmp/late.wav" "$tmp/chime-$1.wav"
}

# yes: two short high notes that rise. no: 딩동, two slow low notes that fall,
# soft as a doorbell. Pitch AND rhythm differ, so that they are told apart by ear
# alone, and none of them shames anybody. wait, hint: one note. here: the same note
# twice, to find the camera by.
two yes 0.07 1047 0.12 1568 0.26
two no 0.27 587 0.45 466 0.55
two here 0.18 880 0.16 880 0.30
bell "$tmp/chime-wait.wav" 784 0.50 0.48
bell "$tmp/chime-hint.wav" 698 0.22 0.20

# The voice starts this many seconds after the file, over the chime's tail.
lead() { case $1 in yes) echo 0.12 ;; no) echo 0.52 ;; wait) echo 0.30 ;; hint) echo 0.14 ;; here) echo 0.40 ;; esac; }

measure() { # file → integrated loudness, true peak
	ffmpeg -nostdin -hide_banner -nostats -i "$1" -af apad=pad_dur=0.4,ebur128=peak=true:dualmono=true:framelog=verbose -f null - 2>&1 |
		awk '$1 == "I:" { i = $2 } $1 == "Peak:" { p = $2 } END { print i, p }'
}

# level brings a file to the loudness, in small steps: what sticks out is limited,
# and a limiter takes loudness, too.
level() { # in out
	gain=0
	for try in 1 2 3 4 5; do
		ffmpeg -nostdin -v error -y -i "$1" -af "volume=${gain}dB,alimiter=limit=0.79:attack=2:release=30:level=0" \
			-c:a pcm_s16le -ar $rate -bitexact "$tmp/level.wav"
		set -- "$1" "$2" $(measure "$tmp/level.wav")
		gain=$(awk -v g="$gain" -v i="$3" -v want=$loudness 'BEGIN { printf "%.2f", g + want - i }')
	done
	sox "$tmp/level.wav" -b 16 "$2" fade t 0 -0 0.01
	echo "$2 $(soxi -D "$2") s, $3 LUFS, $4 dBTP"
	awk -v p="$4" -v max=$peak 'BEGIN { exit !(p <= max) }' || echo "$2: the peak is above $peak dBTP" >&2
}

prompt() { # name chime speed say
	espeak-ng -v "$voice" -s "$3" -p 55 -w "$tmp/raw.wav" "$4"
	# Trim both ends, then even out the voice: a mild compressor makes
	# it carry in a noisy entrance.
	sox "$tmp/raw.wav" -r $rate -c 1 "$tmp/voice.wav" highpass 120 \
		silence -l 1 0.005 0.6% -1 0.2 0.6% reverse silence 1 0.005 0.6% reverse \
		compand 0.005,0.08 6:-40,-28,-20,-14,0,-7 0 -40 0.005 gain -n -4
	sox "$tmp/voice.wav" "$tmp/late.wav" pad "$(lead "$2")" 0
	sox -m -v 0.5 "$tmp/chime-$2.wav" -v 0.95 "$tmp/late.wav" "$tmp/mix.wav"
	level "$tmp/mix.wav" "$out/$lang/$1.wav"
}

# The tables of LANG.toml, one line each: name|chime|speed|say.
tables() {
	awk -v default="$speed" '
		/^\[/ { flush(); name = substr($0, 2, index($0, "]") - 2); speed = default; f["say"] = "" }
		/^[a-z]+ = / { v = $0; sub(/^[a-z]+ = /, "", v); gsub(/"/, "", v); if ($1 == "speed") speed = v; else f[$1] = v }
		END { flush() }
		function flush() { if (name != "") print name "|" f["chime"] "|" speed "|" (f["say"] ? f["say"] : f["text"]) }
	' "$lang.toml"
}

for lang in $langs; do
	case $lang in
	en) voice=en-us speed=175 ;;
	*) voice=$lang speed=270 ;;
	esac
	mkdir -p "$out/$lang"
	tables | while IFS='|' read -r name chime speed say; do
		prompt "$name" "$chime" "$speed" "$say"
	done
done
for chime in yes no wait hint here; do
	sox -v 0.5 "$tmp/chime-$chime.wav" -b 16 "$out/chime-$chime.wav"
done
