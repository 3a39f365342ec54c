#!/bin/sh
# Speaks the ten digits anew: 8 kHz, 8 bit, one channel, without a header.
# Needs espeak-ng and sox.
set -eu
cd "$(dirname "$0")"
n=0
for word in 공 일 이 삼 사 오 육 칠 팔 구; do
	espeak-ng -v ko -s 120 -g 0 --stdout "$word" |
		sox -t wav - -r 8000 -c 1 -b 8 -e unsigned-integer -t raw "$n.raw" silence 1 0.01 0.5% reverse silence 1 0.01 0.5% reverse norm -3
	n=$((n + 1))
done
