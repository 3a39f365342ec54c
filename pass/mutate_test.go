package pass

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass/base45"
	"github.com/munjigi/munjigi/pass/cose"
)

var mutations = flag.Int("mutations", 20000, "how many mutated passes TestMutations shows")

// TestMutations shows mutated passes. None may be accepted but one whose signed
// bytes are, to the last, those of a genuine pass (a mutation can undo itself,
// or take the attestation off), and none may crash the reader.
func TestMutations(t *testing.T) {
	w := newWorkshop(t)
	workers := runtime.GOMAXPROCS(0)
	tallies := make([]tally, workers)
	var all sync.WaitGroup
	for n := range workers {
		all.Go(func() { tallies[n] = w.work(t, uint64(n), (*mutations+n)/workers) })
	}
	all.Wait()
	sum := tally{reasons: map[Reason]int{}}
	for _, x := range tallies {
		sum.shown += x.shown
		sum.same += x.same
		for r, n := range x.reasons {
			sum.reasons[r] += n
		}
	}
	var reasons []string
	for r, n := range sum.reasons {
		reasons = append(reasons, fmt.Sprintf("%s %d", r, n))
	}
	slices.Sort(reasons)
	t.Logf("%d mutated passes, %d refused (%s), %d genuine to the last byte", sum.shown, sum.shown-sum.same, strings.Join(reasons, ", "), sum.same)
	if sum.shown != *mutations {
		t.Errorf("%d mutations were shown, want %d", sum.shown, *mutations)
	}
	if sum.reasons[ReasonSignature] < sum.shown/20 {
		t.Errorf("only %d of %d reached a signature: the mutations are too coarse", sum.reasons[ReasonSignature], sum.shown)
	}
}

type tally struct {
	shown, same int // same: accepted, the signed bytes being a genuine pass's
	reasons     map[Reason]int
}

// workshop holds the genuine passes and the bundle that accepts them.
type workshop struct {
	bundle  *Bundle
	texts   []string
	data    [][]byte        // of each text
	first   []int           // length of the pass in each of data
	genuine map[string]bool // signed bytes of the passes, without attestation
	items   map[string]bool // whole sequences as issued
}

func newWorkshop(t *testing.T) *workshop {
	w := &workshop{bundle: bundle(t, contents()), genuine: map[string]bool{}, items: map[string]bool{}}
	for i, brand := range []string{"kko", "nv", "kko", "nv", "kko", "kko"} {
		var h *Health
		if i >= 2 {
			h = fourDoses()
			h.Doses = h.Doses[:i-1]
			h.Complete = i%2 == 0
		}
		text, err := Issue(key(brand), brand, ID{byte(i), 7, 7}, t0.Add(time.Duration(i)*time.Second), h)
		if err != nil {
			t.Fatal(err)
		}
		u, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		data, err := base45.AppendDecoded(nil, text[len(Magic)+1:])
		if err != nil {
			t.Fatal(err)
		}
		if _, err := u.Verify(t0.Add(5*time.Second), w.bundle, sure); err != nil {
			t.Fatalf("a genuine pass: %v", err)
		}
		w.texts, w.data, w.first = append(w.texts, text), append(w.data, data), append(w.first, len(u.pass.Raw))
		w.genuine[string(u.pass.Raw)], w.items[string(data)], w.items[string(u.pass.Raw)] = true, true, true
	}
	return w
}

func (w *workshop) work(t *testing.T, seed uint64, n int) tally {
	rng := rand.New(rand.NewPCG(seed, 45))
	sum := tally{reasons: map[Reason]int{}}
	for range n {
		text := w.mutate(rng)
		sum.shown++
		u, err := Parse(text)
		if err != nil {
			sum.reasons[ReasonOf(err)]++
			continue
		}
		p, err := u.Verify(t0.Add(5*time.Second), w.bundle, sure)
		if err != nil {
			sum.reasons[ReasonOf(err)]++
			continue
		}
		whole := append([]byte(nil), u.pass.Raw...)
		if u.attestation != nil {
			whole = append(whole, u.attestation.Raw...)
		}
		if !w.genuine[string(p.Bytes())] || !w.items[string(whole)] {
			t.Errorf("accepted: %q", text)
		}
		sum.same++
	}
	return sum
}

// mutate changes a genuine pass in one to three ways, in its text or below it.
func (w *workshop) mutate(rng *rand.Rand) string {
	i := rng.IntN(len(w.texts))
	switch rng.IntN(10) {
	case 0, 1:
		text := []byte(w.texts[i])
		for range 1 + rng.IntN(3) {
			text = mutateText(rng, text)
		}
		return string(text)
	case 2:
		return w.reencode(rng, i)
	case 3:
		return w.splice(rng, i)
	default:
		data := bytes.Clone(w.data[i])
		for range 1 + rng.IntN(3) {
			data = mutateBytes(rng, data)
		}
		return Text(data)
	}
}

const alphabet = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"

func mutateText(rng *rand.Rand, s []byte) []byte {
	if len(s) < 2 {
		return append(s, alphabet[rng.IntN(45)])
	}
	i := rng.IntN(len(s))
	switch rng.IntN(6) {
	case 0:
		s[i] = alphabet[rng.IntN(45)]
	case 1:
		j := rng.IntN(len(s))
		s[i], s[j] = s[j], s[i]
	case 2:
		s = s[:i]
	case 3:
		s = slices.Insert(s, i, alphabet[rng.IntN(45)])
	case 4:
		s = slices.Delete(s, i, min(i+1+rng.IntN(6), len(s)))
	case 5:
		s[i] = byte(rng.IntN(256))
	}
	return s
}

func mutateBytes(rng *rand.Rand, b []byte) []byte {
	if len(b) < 2 {
		return append(b, byte(rng.IntN(256)))
	}
	i := rng.IntN(len(b))
	switch rng.IntN(8) {
	case 0, 1, 2:
		b[i] ^= 1 << rng.IntN(8)
	case 3:
		b[i] = byte(rng.IntN(256))
	case 4:
		b[i]++
	case 5:
		j := rng.IntN(len(b))
		b[i], b[j] = b[j], b[i]
	case 6:
		b = b[:i]
	case 7:
		b = slices.Insert(b, i, byte(rng.IntN(256)))
	}
	return b
}

// splice puts parts of two passes together: another's attestation, signature
// or tail, or the attestation in the place of the pass.
func (w *workshop) splice(rng *rand.Rand, i int) string {
	j := rng.IntN(len(w.data))
	a, b := w.data[i], w.data[j]
	switch rng.IntN(5) {
	case 0:
		return Text(slices.Concat(a[:w.first[i]], b[w.first[j]:]))
	case 1:
		return Text(slices.Concat(a[:w.first[i]-64], b[w.first[j]-64:]))
	case 2:
		return Text(slices.Concat(a[w.first[i]:], a[:w.first[i]]))
	case 3:
		return Text(slices.Concat(a, b))
	default:
		cut := rng.IntN(min(len(a), len(b)))
		return Text(slices.Concat(a[:cut], b[cut:]))
	}
}

// reencode edits header or claims of a pass and keeps or moves its signature:
// well-formed to the last byte, signed by nobody.
func (w *workshop) reencode(rng *rand.Rand, i int) string {
	m, _, err := cose.Decode(w.data[i])
	if err != nil {
		panic(err)
	}
	var cl claims
	if err := cose.Unmarshal(m.Payload, &cl); err != nil {
		panic(err)
	}
	header, signature := m.Header, bytes.Clone(m.Signature)
	shift := 1 + rng.Int64N(3600)
	switch rng.IntN(7) {
	case 0:
		cl.IssuedAt, cl.Expires = cl.IssuedAt+shift, cl.Expires+shift
	case 1:
		cl.Expires += shift
	case 2:
		cl.ID = bytes.Clone(cl.ID)
		cl.ID[rng.IntN(16)] ^= byte(1 + rng.IntN(255))
	case 3:
		cl.Issuer = []string{"kko", "nv", "pas", "k"}[rng.IntN(4)]
	case 4:
		other := cose.KidOf(public(key([]string{"kko", "nv", "stranger"}[rng.IntN(3)])))
		header.Kid = other[:]
	case 5:
		clear(signature)
	case 6:
		for i := range signature {
			signature[i] = byte(rng.IntN(256))
		}
	}
	payload, err := cose.Marshal(cl)
	if err != nil {
		panic(err)
	}
	// cose.Sign makes the shape; the old signature takes the place of the new.
	data, err := cose.Sign(key("stranger"), header, nil, payload)
	if err != nil {
		panic(err)
	}
	copy(data[len(data)-len(signature):], signature)
	return Text(slices.Concat(data, w.data[i][w.first[i]:]))
}
