package wire

import (
	"crypto/ed25519"
	"crypto/sha256"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/pass"
)

var t0 = time.Date(2026, 11, 22, 3, 40, 0, 123e6, time.UTC)

func testKey(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi wire test " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func batch() Batch {
	return Batch{Kiosk: "cafe-1", Visits: []Visit{
		{Seq: 3, At: t0.UnixMilli(), Pass: []byte("one")},
		{Seq: 9, At: t0.UnixMilli() + 1, Pass: []byte("two"), Flags: FlagClockUnsure},
	}}
}

func TestBatch(t *testing.T) {
	body, err := batch().Encode()
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeBatch(body)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(batch(), got); diff != "" {
		t.Error(diff)
	}
	if !got.Visits[0].Time().Equal(t0) {
		t.Errorf("scanned at %v", got.Visits[0].Time())
	}
	full := Batch{Kiosk: "cafe-1", Visits: make([]Visit, MaxVisits)}
	for i := range full.Visits {
		full.Visits[i] = Visit{Seq: 1<<60 + uint64(i), At: t0.UnixMilli(), Pass: make([]byte, pass.MaxSize), Flags: 1}
	}
	if body, err = full.Encode(); err != nil || len(body) > MaxBody {
		t.Errorf("the largest batch has %d bytes, MaxBody is %d, %v", len(body), MaxBody, err)
	}
}

func TestBatchBounds(t *testing.T) {
	for name, edit := range map[string]func(*Batch){
		"empty":       func(b *Batch) { b.Visits = nil },
		"too many":    func(b *Batch) { b.Visits = make([]Visit, MaxVisits+1) },
		"out of turn": func(b *Batch) { b.Visits[1].Seq = 3 },
		"long pass":   func(b *Batch) { b.Visits[0].Pass = make([]byte, pass.MaxSize+1) },
	} {
		b := batch()
		edit(&b)
		body, err := b.Encode()
		if err != nil {
			continue
		}
		if _, err := DecodeBatch(body); err == nil {
			t.Errorf("%s: read", name)
		}
	}
	if _, err := DecodeBatch(make([]byte, MaxBody+1)); err == nil {
		t.Error("too large a body was read")
	}
}

func TestReceipt(t *testing.T) {
	body, err := batch().Encode()
	if err != nil {
		t.Fatal(err)
	}
	key := testKey("receipt")
	keys := []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}
	results := []Result{{Seq: 3, Status: StatusStored}, {Seq: 9, Status: StatusRefused, Reason: "signature"}}
	answer, err := SignReceipt(key, body, "cafe-1", t0, 0, results)
	if err != nil {
		t.Fatal(err)
	}
	r, err := OpenReceipt(answer, keys, body, batch())
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(results, r.Results); diff != "" || r.Received != t0.UnixMilli() {
		t.Error(diff, r.Received)
	}
	other := batch()
	other.Visits = other.Visits[:1]
	otherBody, _ := other.Encode()
	short, _ := SignReceipt(key, body, "cafe-1", t0, 0, results[:1])
	strange, _ := SignReceipt(key, body, "cafe-1", t0, 0, []Result{{Seq: 3, Status: 1}, {Seq: 10, Status: 1}})
	status, _ := SignReceipt(key, body, "cafe-1", t0, 0, []Result{{Seq: 3, Status: 1}, {Seq: 9, Status: 4}})
	elsewhere, _ := SignReceipt(key, body, "cafe-2", t0, 0, results)
	forged, _ := SignReceipt(testKey("portal"), body, "cafe-1", t0, 0, results)
	for name, c := range map[string]struct {
		answer, body []byte
		sent         Batch
	}{
		"a captive portal's page": {[]byte("<html>welcome"), body, batch()},
		"nothing":                 {nil, body, batch()},
		"another batch's":         {answer, otherBody, other},
		"another kiosk's":         {elsewhere, body, batch()},
		"another key's":           {forged, body, batch()},
		"too few results":         {short, body, batch()},
		"a visit never sent":      {strange, body, batch()},
		"a status of no meaning":  {status, body, batch()},
		"half":                    {answer[:len(answer)/2], body, batch()},
	} {
		if _, err := OpenReceipt(c.answer, keys, c.body, c.sent); !errors.Is(err, ErrReceipt) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodeBatch(f *testing.F) {
	body, err := batch().Encode()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(body)
	f.Fuzz(func(t *testing.T, body []byte) {
		b, err := DecodeBatch(body)
		if err != nil {
			return
		}
		again, err := b.Encode()
		if err != nil || string(again) != string(body) {
			t.Fatalf("a batch has two spellings: %v", err)
		}
	})
}

func FuzzOpenReceipt(f *testing.F) {
	body, err := batch().Encode()
	if err != nil {
		f.Fatal(err)
	}
	key := testKey("receipt")
	keys := []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}
	good, err := SignReceipt(key, body, "cafe-1", t0, 0, []Result{{Seq: 3, Status: StatusStored}, {Seq: 9, Status: StatusDuplicate}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(good)
	f.Fuzz(func(t *testing.T, answer []byte) {
		if _, err := OpenReceipt(answer, keys, body, batch()); err == nil && string(answer) != string(good) {
			t.Fatal("an answer nobody signed cleared the journal")
		}
	})
}

func TestReceiptPauses(t *testing.T) {
	body, err := batch().Encode()
	if err != nil {
		t.Fatal(err)
	}
	key := testKey("receipt")
	results := []Result{{Seq: 3, Status: StatusStored}, {Seq: 9, Status: StatusStored}}
	for pause, want := range map[time.Duration]time.Duration{-1: 0, 0: 0, 1500*time.Millisecond + 7: 1500 * time.Millisecond, time.Hour: MaxPause} {
		answer, err := SignReceipt(key, body, "cafe-1", t0, pause, results)
		if err != nil {
			t.Fatal(err)
		}
		r, err := OpenReceipt(answer, []ed25519.PublicKey{key.Public().(ed25519.PublicKey)}, body, batch())
		if err != nil || r.Wait() != want {
			t.Errorf("%s: waits %s, %v", pause, r.Wait(), err)
		}
	}
	if w := (Receipt{Pause: 1<<32 - 1}).Wait(); w != MaxPause {
		t.Errorf("a receipt stops a kiosk for %s", w)
	}
}

func TestDestroy(t *testing.T) {
	for _, r := range []string{ReasonPolicyOff, ReasonVerifyOnly, ReasonRetention} {
		if !(Result{Status: StatusRefused, Reason: r}).Destroy() || (Result{Status: StatusStored, Reason: r}).Destroy() {
			t.Errorf("%s", r)
		}
	}
	for _, r := range append(pass.Reasons(), 0) {
		if got := (Result{Status: StatusRefused, Reason: r.String()}).Destroy(); got != (r == pass.ReasonPolicyOff) {
			t.Errorf("%s: %v", r, got)
		}
	}
}
