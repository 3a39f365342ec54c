package screens

import (
	"crypto/ed25519"
	"encoding/binary"
	"math/rand/v2"
	"time"

	"rsc.io/qr/coding"

	"github.com/munjigi/munjigi/pass"
)

// Versions of the symbols on the phones: a pass with four doses fills 10-M;
// 11 and 12 hold the same text with padding.
const minVersion, maxVersion = 10, 12

// matrix is a symbol's modules, row by row; true is dark.
type matrix struct {
	n    int
	dark []bool
}

// issue makes the text of a pass with an attestation of four doses: 311 characters.
func issue(rng *rand.Rand) (string, error) {
	seed := make([]byte, ed25519.SeedSize)
	for i := 0; i < len(seed); i += 8 {
		binary.LittleEndian.PutUint64(seed[i:], rng.Uint64())
	}
	var id pass.ID
	for i := range id {
		id[i] = byte(rng.Uint32())
	}
	now := time.Date(2026, 11, 1+rng.IntN(28), rng.IntN(24), rng.IntN(60), rng.IntN(60), 0, time.UTC)
	health := &pass.Health{Complete: true}
	day := time.Date(2025, 6, 1, 0, 0, 0, 0, time.UTC)
	for n := 1; n <= pass.MaxDoses; n++ {
		day = day.AddDate(0, 0, 20+rng.IntN(90))
		health.Doses = append(health.Doses, pass.Dose{Number: n, Date: day})
	}
	return pass.Issue(ed25519.NewKeyFromSeed(seed), "kr1", id, now, health)
}

// encode draws text at level M in alphanumeric mode, with any of the eight masks.
func encode(text string, version, mask int) (matrix, error) {
	plan, err := coding.NewPlan(coding.Version(version), coding.M, coding.Mask(mask))
	if err != nil {
		return matrix{}, err
	}
	c, err := plan.Encode(coding.Alpha(text))
	if err != nil {
		return matrix{}, err
	}
	m := matrix{n: c.Size, dark: make([]bool, c.Size*c.Size)}
	for i := range m.dark {
		m.dark[i] = c.Black(i%c.Size, i/c.Size)
	}
	return m, nil
}
