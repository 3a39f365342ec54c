package pass

import (
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/pass/cose"
)

var update = flag.Bool("update", false, "write the golden files anew")

const vectors = "testdata/vectors"

// vector is one file of testdata/vectors: "name: value" lines, see FORMAT.md.
type vector map[string]string

func readVector(t testing.TB, file string) (v vector, text string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	v = vector{}
	for line := range strings.Lines(string(data)) {
		name, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		if !ok {
			t.Fatalf("%s: line %q is not name: value", file, line)
		}
		v[name] = value
	}
	if err := json.Unmarshal([]byte(v["text"]), &text); err != nil {
		t.Fatalf("%s: text: %v", file, err)
	}
	return v, text
}

func vectorBundle(t testing.TB, name string) *Bundle {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(vectors, name))
	if err != nil {
		t.Fatal(err)
	}
	raw, err := hex.DecodeString(strings.TrimSpace(string(data)))
	if err != nil {
		t.Fatal(err)
	}
	b, err := OpenBundle(raw, public(key("root")))
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return b
}

func TestVectors(t *testing.T) {
	if *update {
		writeVectors(t)
	}
	files, err := filepath.Glob(filepath.Join(vectors, "*.txt"))
	if err != nil || len(files) < 30 {
		t.Fatalf("%d vectors, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			v, text := readVector(t, file)
			now, err := time.Parse(time.RFC3339, v["now"])
			if err != nil {
				t.Fatal(err)
			}
			c := Conditions{Skew: Skew, Facility: v["facility"], Clock: ClockSure}
			switch v["clock"] {
			case "unsure":
				c.Clock = ClockUnsure
			case "wrong":
				c.Clock = ClockWrong
			}
			p, err := verify(text, now, vectorBundle(t, v["bundle"]), c)
			if v["expect"] != "ok" {
				if got := ReasonOf(err).String(); got != v["expect"] {
					t.Fatalf("got %v (%v), want %s", got, err, v["expect"])
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if p.Issuer() != v["issuer"] || p.ID().String() != v["id"] {
				t.Errorf("says %s %v", p.Issuer(), p.ID())
			}
			if got := describe(p.Health()); got != v["doses"] {
				t.Errorf("doses %q, want %q", got, v["doses"])
			}
			if p.Health() != nil && fmt.Sprint(p.Health().Complete) != v["complete"] {
				t.Errorf("complete is %v, want %v", p.Health().Complete, v["complete"])
			}
		})
	}
}

func describe(h *Health) string {
	if h == nil {
		return ""
	}
	var s []string
	for _, d := range h.Doses {
		s = append(s, fmt.Sprintf("%d=%s", d.Number, d.Date.Format(time.DateOnly)))
	}
	return strings.Join(s, " ")
}

// writeVectors writes the go-*.txt vectors and go.bundle.
func writeVectors(t *testing.T) {
	c := contents()
	c.Issuers = append(c.Issuers,
		Issuer{ID: "gon", RevokedAt: t0.Add(-time.Hour).Unix(), Keys: []Key{NewKey(public(key("gon")), t0.Add(-30*day1), t0.Add(60*day1))}})
	raw, err := SignBundle(key("root"), c)
	if err != nil {
		t.Fatal(err)
	}
	put := func(name, data string) {
		if err := os.WriteFile(filepath.Join(vectors, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("go.bundle", hex.EncodeToString(raw)+"\n")
	write := func(name, text, expect string, more ...string) {
		lines := []string{"by: go", "bundle: go.bundle", "expect: " + expect}
		if !strings.Contains(strings.Join(more, "\n"), "now: ") {
			lines = append(lines, "now: "+t0.Add(3*time.Second).Format(time.RFC3339))
		}
		put("go-"+name+".txt", strings.Join(append(lines, more...), "\n")+"\ntext: \""+text+"\"\n")
	}
	at := func(d time.Duration) string { return "now: " + t0.Add(d).Format(time.RFC3339Nano) }
	who := []string{"issuer: kko", "id: " + id1.String()}
	plain, h := issue(t, nil), fourDoses()
	full := issue(t, h)
	write("plain", plain, "ok", who...)
	write("four-doses", full, "ok", append(who, "complete: true", "doses: "+describe(h))...)
	write("no-dose", issue(t, &Health{}), "ok", append(who, "complete: false")...)
	write("first-moment", plain, "ok", append(who, at(-2*time.Second))...)
	write("last-moment", plain, "ok", append(who, at(17*time.Second-1))...)
	write("future", plain, "not-yet-valid", at(-2*time.Second-1))
	write("expired", plain, "expired", at(17*time.Second))
	write("clock-unsure", plain, "clock", "clock: unsure")
	write("clock-wrong", plain, "clock", "clock: wrong")
	write("bundle-expired", plain, "bundle", at(60*day1))
	write("policy-off", plain, "policy-off", "facility: park")
	write("web-page", "HTTPS://EXAMPLE.ORG/", "not-a-pass")
	write("newer-version", "MJ2"+plain[3:], "version")
	write("truncated-text", plain[:len(plain)-2], "truncated")
	write("truncated-item", plain[:150], "truncated")
	write("oversized", full+strings.Repeat("0", 3), "oversized")
	write("oversized-pass", sign(t, key("kko"), header(key("kko")), map[int]any{1: "kko", 4: t0.Unix() + 15, 6: t0.Unix(), 7: id1[:], 8: 1}), "oversized")
	write("lower-case", "MJ1"+strings.ToLower(plain[3:]), "format")
	write("overflow", "MJ1"+":::"+plain[6:], "format")
	write("forged", sign(t, key("stranger"), header(key("kko")), good()), "signature")
	// Claims of a stranger are not read: their mistakes are nobody's business.
	short := good()
	short.ID = short.ID[:3]
	write("stranger-short-id", sign(t, key("stranger"), header(key("stranger")), short), "unknown-key")
	write("short-id", sign(t, key("kko"), header(key("kko")), short), "format")
	gon := good()
	gon.Issuer = "gon"
	write("revoked-issuer", sign(t, key("gon"), header(key("gon")), gon), "revoked")
}

// FuzzParse holds that no text panics, that what parses has one spelling only,
// and that nothing but a signed text verifies.
func FuzzParse(f *testing.F) {
	files, err := filepath.Glob(filepath.Join(vectors, "*.txt"))
	if err != nil {
		f.Fatal(err)
	}
	genuine := map[string]bool{}
	for _, file := range files {
		v, text := readVector(f, file)
		f.Add(text)
		if v["expect"] == "ok" {
			u, err := Parse(text)
			if err != nil {
				f.Fatal(err)
			}
			genuine[string(u.pass.Raw)] = true
		}
	}
	b := vectorBundle(f, "go.bundle")
	f.Fuzz(func(t *testing.T, text string) {
		u, err := Parse(text)
		if err != nil {
			if ReasonOf(err) == 0 {
				t.Fatalf("an error without a reason: %v", err)
			}
			return
		}
		raw := append([]byte(nil), u.pass.Raw...)
		if u.attestation != nil {
			raw = append(raw, u.attestation.Raw...)
		}
		if Text(raw) != text {
			t.Fatal("one pass, two texts")
		}
		if _, err := u.Verify(t0, b, sure); err == nil && !genuine[string(u.pass.Raw)] && !strings.HasPrefix(text, "MJ1") {
			t.Fatal("verified")
		} else if err == nil && !genuine[string(u.pass.Raw)] {
			t.Fatal("a pass nobody signed was verified")
		}
	})
}

// FuzzOpenBundle holds that no bytes but signed ones are a bundle.
func FuzzOpenBundle(f *testing.F) {
	for _, name := range []string{"go.bundle", "npm.bundle"} {
		f.Add(vectorBundle(f, name).Raw())
	}
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		if b, err := OpenBundle(raw, public(key("root"))); err == nil && b.Number() != 7 {
			t.Fatal("a bundle nobody signed was opened")
		}
	})
}

// FuzzContents feeds the payload decoder directly, past the signature.
func FuzzContents(f *testing.F) {
	seed, err := cose.Marshal(contents())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	f.Fuzz(func(t *testing.T, payload []byte) {
		raw, err := cose.Sign(key("root"), cose.Header{Alg: cose.AlgEdDSA, Type: bundleType}, nil, payload)
		if err != nil {
			t.Skip()
		}
		if b, err := OpenBundle(raw, public(key("root"))); err == nil {
			_, _ = verify("MJ1", t0, b, sure)
			b.Mode("park", t0)
		}
	})
}

// FuzzClaims feeds claims and attestation past the signature.
func FuzzClaims(f *testing.F) {
	claims, err := cose.Marshal(good())
	if err != nil {
		f.Fatal(err)
	}
	health, err := cose.Marshal(attestationPayload{Complete: true, Doses: map[uint8]uint16{1: 20000}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(claims, health)
	f.Add(claims, []byte{0x82, 0xf5, 0xa0})
	b := bundle(f, contents())
	k := key("kko")
	f.Fuzz(func(t *testing.T, claims, health []byte) {
		p, err := cose.Sign(k, header(k), nil, claims)
		if err != nil {
			t.Skip()
		}
		a, err := cose.Sign(k, cose.Header{}, p, health)
		if err != nil {
			t.Skip()
		}
		got, err := verify(Text(append(p, a...)), t0, b, sure)
		if err == nil && (got.Health() == nil || len(got.Health().Doses) > MaxDoses) {
			t.Fatalf("verified with health %v", got.Health())
		}
	})
}
