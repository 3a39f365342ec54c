package trace

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/ecdh"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/cryptotest"
	"time"

	"github.com/munjigi/munjigi/pass/cose"
)

var update = flag.Bool("update", false, "write the vectors anew")

const vectors = "testdata/vectors"

// vector is one file of testdata/vectors: "name: value" lines, see TRACE.md.
type vector map[string]string

func readVector(t testing.TB, file string) vector {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	v := vector{}
	for line := range strings.Lines(string(data)) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if !ok {
			t.Fatalf("%s: line %q is not name: value", file, line)
		}
		v[name] = value
	}
	return v
}

func (v vector) bytes(t testing.TB, name string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(v[name])
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

// words name the errors in vectors.
var words = map[string]error{
	"ok": nil, "party": ErrParty, "two-persons": ErrTwoPersons, "expired": ErrExpired, "recipient": ErrRecipient,
	"subject": ErrSubject, "sealed": ErrSealed, "place": ErrPlace, "window": ErrWindow, "truncated": cose.ErrTruncated, "content": ErrContent,
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	files, err := filepath.Glob(filepath.Join(vectors, "*.txt"))
	if err != nil || len(files) < 12 {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			v := readVector(t, file)
			now, err := time.Parse(time.RFC3339, v["now"])
			if err != nil {
				t.Fatal(err)
			}
			r, err := OpenRoster(v.bytes(t, "roster"), public(testKey("authority")))
			if err != nil {
				t.Fatal(err)
			}
			want, known := words[v["expect"]]
			if !known {
				t.Fatalf("expect: %q", v["expect"])
			}
			got, err := openVector(t, r, v, now)
			if !errors.Is(err, want) {
				t.Fatalf("%v, want %v", err, want)
			}
			if got != v["says"] {
				t.Errorf("says %q, want %q", got, v["says"])
			}
		})
	}
}

func openVector(t *testing.T, r *Roster, v vector, now time.Time) (string, error) {
	me, raw := who(t, v["as"]), v.bytes(t, "message")
	switch v["open"] {
	case "request":
		o, p, err := r.OpenRequest(me, raw, now)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s %s %s", o.Case, o.Officer, p.Facility), nil
	case "warrant":
		w, err := r.OpenWarrant(raw, v.bytes(t, "approval"), now)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s %s %s", w.Case, w.Officer, w.Approver), nil
	case "group":
		g, err := r.OpenGroup(me, raw, now)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s %d %x", g.Case, len(g.Passes), g.Passes[0]), nil
	case "sheet":
		s, err := r.OpenSheet(me, raw, Digest(v.bytes(t, "order")), now)
		if err != nil {
			return "", err
		}
		return fmt.Sprintf("%s %d %d", s.Issuer, len(s.Seen), s.Seen[0][0].At), nil
	case "answer":
		s := &Sheet{Issuer: v["issuer"], Group: Digest(v.bytes(t, "group")), Seen: make([][]Seen, 2)}
		people, err := r.OpenAnswer(me, raw, s, now)
		if err != nil {
			return "", err
		}
		return people[0].Name + " " + people[0].Phone, nil
	}
	t.Fatalf("open: %q", v["open"])
	return "", nil
}

func writeVectors(t *testing.T) {
	cryptotest.SetGlobalRandom(t, 1)
	if err := os.RemoveAll(vectors); err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(vectors, 0o755); err != nil {
		t.Fatal(err)
	}
	r := roster(t)
	now := t0.Add(time.Hour)
	w, place := warrant(t, r)
	registry, kko, officer := who(t, "registry"), who(t, "kko"), who(t, "seoul-1")
	request := must(officer.SealRequest(must(r.Registry(t0))(t), w.Raw(), place, t0))(t)
	issuer := must(r.Issuer("kko", now))(t)
	group := must(registry.SealGroup(issuer, w, ids(2), now))(t)
	g := must(r.OpenGroup(kko, group, now))(t)
	to := must(r.Officer("seoul-1", now))(t)
	sheet := must(registry.SealSheet(to, w, Sheet{Issuer: "kko", Group: g.Digest, Seen: [][]Seen{{{At: t0.Add(-150 * time.Minute).UnixMilli()}}, {{At: 2}}}}, now))(t)
	answer := must(r.SealAnswer(kko, g, []*Person{{Name: "김하늘", Phone: "01000000001"}, nil}, now))(t)
	own := must(cose.SignTyped(testKey("seoul-1"), typeApproval, approval{Order: w.Order.digestBytes(), Officer: "seoul-1", At: now.UnixMilli()}))(t)
	d := w.Digest()

	says := map[string]string{
		"request": "2026-1234 seoul-1 f-haneul", "warrant": "2026-1234 seoul-1 seoul-2",
		"group": fmt.Sprintf("2026-1234 2 %x", g.Passes[0]), "sheet": fmt.Sprintf("kko 2 %d", t0.Add(-150*time.Minute).UnixMilli()), "answer": "김하늘 01000000001",
	}
	write := func(name, expect, open, as string, at time.Time, message []byte, more ...string) {
		lines := []string{"expect: " + expect, "open: " + open, "as: " + as, "now: " + at.Format(time.RFC3339)}
		if expect == "ok" {
			lines = append(lines, "says: "+says[open])
		}
		lines = append(lines, more...)
		lines = append(lines, fmt.Sprintf("message: %x", message), fmt.Sprintf("roster: %x", r.Raw()), "")
		if err := os.WriteFile(filepath.Join(vectors, name+".txt"), []byte(strings.Join(lines, "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	order := fmt.Sprintf("order: %x", d[:])
	about := fmt.Sprintf("group: %x", g.Digest[:])
	write("request", "ok", "request", "registry", t0, request)
	write("request-late", "expired", "request", "registry", t0.Add(ApproveWithin), request)
	write("request-for-another", "recipient", "request", "kko", t0, request)
	write("warrant", "ok", "warrant", "kko", now, w.Raw(), fmt.Sprintf("approval: %x", w.Approval()))
	write("warrant-one-person", "two-persons", "warrant", "kko", now, w.Raw(), fmt.Sprintf("approval: %x", own))
	write("group", "ok", "group", "kko", now, group)
	write("group-late", "expired", "group", "kko", w.Until(), group)
	write("group-for-another", "recipient", "group", "nv", now, group)
	write("group-readdressed", "sealed", "group", "nv", now, moved(t, group, typeGroup, "registry", func(l *letter) { l.To = "nv" }))
	write("group-by-an-officer", "party", "group", "kko", now, moved(t, group, typeGroup, "seoul-1", func(*letter) {}))
	write("group-cut", "truncated", "group", "kko", now, group[:len(group)-1])
	write("sheet", "ok", "sheet", "seoul-1", now, sheet, order)
	write("sheet-of-another-order", "subject", "sheet", "seoul-1", now, sheet, "order: "+strings.Repeat("00", 31)+"01")
	write("answer", "ok", "answer", "seoul-1", now, answer, "issuer: kko", about)
	write("answer-of-another-issuer", "party", "answer", "seoul-1", now, answer, "issuer: nv", about)
	write("answer-for-another", "recipient", "answer", "seoul-2", now, answer, "issuer: kko", about)
}

// TestByHand opens the group's and the answer's vector by the steps of RFC 9180
// written out, without crypto/hpke: what another team's code would do.
func TestByHand(t *testing.T) {
	for file, typ := range map[string]string{"group": typeGroup, "answer": typeAnswer} {
		v := readVector(t, filepath.Join(vectors, file+".txt"))
		m, _, err := cose.Decode(v.bytes(t, "message"))
		if err != nil {
			t.Fatal(err)
		}
		var l letter
		if err := cose.Unmarshal(m.Payload, &l); err != nil {
			t.Fatal(err)
		}
		info, err := l.info(typ)
		if err != nil {
			t.Fatal(err)
		}
		plain := openByHand(t, testKey(v["as"]).Seed(), info, l.Body)
		switch file {
		case "group":
			var g group
			if err := cose.Unmarshal(plain, &g); err != nil || len(g.Passes) != 32 {
				t.Errorf("%v %d", err, len(g.Passes))
			}
		case "answer":
			var a answer
			if err := cose.Unmarshal(plain, &a); err != nil || a.People[0].Name != "김하늘" {
				t.Errorf("%v", err)
			}
		}
	}
}

// openByHand is RFC 9180, sections 4 to 6.1, base mode, for kem_id 0x0020,
// kdf_id 0x0001, aead_id 0x0002.
func openByHand(t *testing.T, seed, info, body []byte) []byte {
	expand := func(prk []byte, suite, label string, context []byte, n int) []byte {
		in := binary.BigEndian.AppendUint16(nil, uint16(n))
		in = append(append(append(in, "HPKE-v1"+suite...), label...), context...)
		return must(hkdf.Expand(sha256.New, prk, string(in), n))(t)
	}
	extract := func(salt []byte, suite, label string, ikm []byte) []byte {
		return must(hkdf.Extract(sha256.New, append([]byte("HPKE-v1"+suite+label), ikm...), salt))(t)
	}
	const kemSuite, suite = "KEM\x00\x20", "HPKE\x00\x20\x00\x01\x00\x02"
	ikm := must(hkdf.Key(sha256.New, seed, nil, "munjigi trace seal 1", 32))(t)
	secret := expand(extract(nil, kemSuite, "dkp_prk", ikm), kemSuite, "sk", nil, 32) // DeriveKeyPair
	key := must(ecdh.X25519().NewPrivateKey(secret))(t)

	enc, ct := body[:32], body[32:]
	dh := must(key.ECDH(must(ecdh.X25519().NewPublicKey(enc))(t)))(t)
	context := append(append([]byte{}, enc...), key.PublicKey().Bytes()...)
	shared := expand(extract(nil, kemSuite, "eae_prk", dh), kemSuite, "shared_secret", context, 32)

	schedule := append([]byte{0}, extract(nil, suite, "psk_id_hash", nil)...)
	schedule = append(schedule, extract(nil, suite, "info_hash", info)...)
	prk := extract(shared, suite, "secret", nil)
	block := must(aes.NewCipher(expand(prk, suite, "key", schedule, 32)))(t)
	gcm := must(cipher.NewGCM(block))(t)
	return must(gcm.Open(nil, expand(prk, suite, "base_nonce", schedule, 12), ct, nil))(t)
}

// fuzzed runs open on mutations of every vector of its kind.
func fuzzed(f *testing.F, kind string, open func(t *testing.T, r *Roster, raw []byte) error) {
	files, err := filepath.Glob(filepath.Join(vectors, "*.txt"))
	if err != nil {
		f.Fatal(err)
	}
	good := map[string]bool{}
	for _, file := range files {
		if v := readVector(f, file); v["open"] == kind {
			f.Add(v.bytes(f, "message"))
			good[v["message"]] = good[v["message"]] || v["expect"] == "ok"
		}
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		if err := open(t, roster(t), raw); err == nil && !good[hex.EncodeToString(raw)] {
			t.Fatalf("opened what nobody made: %x", raw)
		}
	})
}

func FuzzGroup(f *testing.F) {
	fuzzed(f, "group", func(t *testing.T, r *Roster, raw []byte) error {
		_, err := r.OpenGroup(who(t, "kko"), raw, t0.Add(time.Hour))
		return err
	})
}

func FuzzRequest(f *testing.F) {
	fuzzed(f, "request", func(t *testing.T, r *Roster, raw []byte) error {
		_, _, err := r.OpenRequest(who(t, "registry"), raw, t0)
		return err
	})
}

func FuzzAnswer(f *testing.F) {
	v := readVector(f, filepath.Join(vectors, "answer.txt"))
	s := &Sheet{Issuer: "kko", Group: Digest(v.bytes(f, "group")), Seen: make([][]Seen, 2)}
	fuzzed(f, "answer", func(t *testing.T, r *Roster, raw []byte) error {
		_, err := r.OpenAnswer(who(t, "seoul-1"), raw, s, t0.Add(time.Hour))
		return err
	})
}

// FuzzInside gives parties' own plaintext: what a rogue registry or issuer with
// a good key could seal.
func FuzzInside(f *testing.F) {
	for _, plain := range [][]byte{{0xa0}, {0xa1, 1, 0x80}, {0xa1, 1, 0x81, 0xf6}, {0xa3, 1, 0x40, 2, 0x40, 3, 0x40}, {0xa2, 1, 0x80, 2, 0}} {
		f.Add(plain)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		var (
			g group
			a answer
			s sheet
			l listing
			q request
		)
		for _, v := range []any{&g, &a, &s, &l, &q, new(Report), new(order), new(approval), new(call), new(Contents)} {
			if cose.Unmarshal(plain, v) == nil {
				if again := must(cose.Marshal(v))(t); string(again) != string(plain) {
					t.Fatal("two encodings of one message")
				}
			}
		}
		for _, p := range a.People {
			if p != nil {
				_ = p.check()
			}
		}
	})
}

// BenchmarkCircle is one full group through all hands: sealed by the registry,
// opened and answered by the issuer, opened by the officer.
func BenchmarkCircle(b *testing.B) {
	r := roster(b)
	w, _ := warrant(b, r)
	now := t0.Add(time.Hour)
	registry, kko, officer := who(b, "registry"), who(b, "kko"), who(b, "seoul-1")
	issuer := must(r.Issuer("kko", now))(b)
	people := make([]*Person, MaxPasses)
	for n := range people {
		people[n] = &Person{Name: "김하늘", Phone: "01000000001"}
	}
	passes := ids(MaxPasses)
	size := 0
	for b.Loop() {
		raw := must(registry.SealGroup(issuer, w, passes, now))(b)
		g := must(r.OpenGroup(kko, raw, now))(b)
		answer := must(r.SealAnswer(kko, g, people, now))(b)
		s := &Sheet{Issuer: "kko", Group: g.Digest, Seen: make([][]Seen, MaxPasses)}
		must(r.OpenAnswer(officer, answer, s, now))(b)
		size = len(answer)
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/MaxPasses, "ns/person")
	b.ReportMetric(float64(size), "answer-bytes")
}
