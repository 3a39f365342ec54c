package kiosk

import (
	"crypto/sha256"
	"time"
)

// Same is how long after it was last seen, or heard, a code still belongs to
// the same presentation: silence instead of a second answer (DESIGN, law 4).
const Same = 2500 * time.Millisecond

// presentations remembers the codes now before the camera by the digest of
// their text; the text itself, which may carry health data, is not kept.
type presentations struct {
	recent [16]presentation
}

type presentation struct {
	digest  [sha256.Size]byte
	verdict Verdict
	seen    time.Time
	judged  time.Time
}

// find returns the presentation that text continues at the time at, nil for a
// new one.
func (p *presentations) find(digest [sha256.Size]byte, at time.Time) *presentation {
	for i := range p.recent {
		if e := &p.recent[i]; e.digest == digest && e.verdict != "" && at.Sub(e.seen) < Same {
			return e
		}
	}
	return nil
}

// put begins a presentation in the place of the one seen longest ago.
func (p *presentations) put(digest [sha256.Size]byte, v Verdict, at time.Time) {
	place := &p.recent[0]
	for i := range p.recent {
		e := &p.recent[i]
		if e.digest == digest {
			place = e
			break
		}
		if e.seen.Before(place.seen) {
			place = e
		}
	}
	*place = presentation{digest: digest, verdict: v, seen: at, judged: at}
}
