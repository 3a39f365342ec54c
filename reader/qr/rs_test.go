package qr

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"rsc.io/qr/coding"
	"rsc.io/qr/gf256"
)

// TestCorrect damages blocks of an independent encoder up to the bound and beyond.
func TestCorrect(t *testing.T) {
	rng := rand.New(rand.NewPCG(5, 6))
	for _, size := range [][2]int{{19, 7}, {16, 10}, {13, 13}, {9, 17}, {68, 18}, {121, 30}, {15, 30}} {
		data, check := size[0], size[1]
		enc := gf256.NewRSEncoder(coding.Field, check)
		for range 300 {
			want := make([]byte, data+check)
			for i := range data {
				want[i] = byte(rng.Uint32())
			}
			enc.ECC(want[:data], want[data:])
			got := bytes.Clone(want)
			e := rng.IntN(check + 1)
			wrong := rng.IntN((check-e)/2 + 1)
			places := rng.Perm(len(got))
			var erased []uint8
			for _, p := range places[:e] {
				got[p] = byte(rng.Uint32())
				erased = append(erased, uint8(p))
			}
			for _, p := range places[e : e+wrong] {
				got[p] ^= byte(1 + rng.IntN(255))
			}
			n, ok := correct(got, check, erased)
			if !ok || !bytes.Equal(got, want) || n != wrong {
				t.Fatalf("%d+%d with %d erased and %d wrong: ok %v, %d found wrong, equal %v", data, check, e, wrong, ok, n, bytes.Equal(got, want))
			}
		}
		// Noise must hardly ever pass.
		passed := 0
		for range 300 {
			noise := make([]byte, data+check)
			for i := range noise {
				noise[i] = byte(rng.Uint32())
			}
			before := bytes.Clone(noise)
			if _, ok := correct(noise, check, nil); ok {
				passed++
			} else if !bytes.Equal(noise, before) {
				t.Fatal("a block beyond repair was changed")
			}
		}
		if passed > 5 {
			t.Errorf("%d+%d: %d of 300 blocks of noise passed", data, check, passed)
		}
	}
}
