package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"net/http/httptest"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/issuer"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/trace"
	"github.com/munjigi/munjigi/registry/inquiry"
	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// TestRogueRegistry: an officer's tool believes nothing it has not verified.
func TestRogueRegistry(t *testing.T) {
	c := newCircle(t, storetest.Open(t, storetest.File(t), storetest.Keys(t)))
	c.populate(2)
	b := c.bundle()
	from := c.now.Add(-3 * time.Hour)
	var visits []store.Visit
	for n, brand := range []string{"kko", "nv"} {
		visits = append(visits, c.visit(b, brand, n, "haneul", from.Add(time.Minute), n+1))
	}
	if err := c.issuing.Wait(); err != nil {
		t.Fatal(err)
	}
	if _, err := c.db.Put(t.Context(), visits); err != nil {
		t.Fatal(err)
	}
	// One that its issuer does not know any more, and one of an issuer nobody lists.
	for n, issuer := range []string{"kko", "xx"} {
		v := visits[0]
		v.ID, v.Issuer, v.Seq = pass.ID{byte(n)}, issuer, uint64(10+n)
		if _, err := c.db.Put(t.Context(), []store.Visit{v}); err != nil {
			t.Fatal(err)
		}
	}
	at := func(at time.Time) string { return at.Format(time.RFC3339) }
	ask := func() string {
		t.Helper()
		out := c.must("inquiry", "ask", "-officer", c.in("seoul-1"), "-facility", "f-haneul", "-from", at(from), "-to", at(from.Add(time.Hour)), "-case", "1", "-reason", "r")
		name := regexp.MustCompile(`asked: ([0-9a-f]+)`).FindStringSubmatch(out)[1]
		c.must("inquiry", "approve", "-officer", c.in("seoul-2"), "-yes", name)
		return name
	}
	first := ask()
	c.must("inquiry", "fetch", "-officer", c.in("seoul-1"), first)

	page := func(change func(*trace.Page)) func(string, []byte) []byte {
		return func(path string, answer []byte) []byte {
			if !strings.HasSuffix(path, "/letters") {
				return answer
			}
			p, err := trace.DecodePage(answer)
			if err != nil {
				t.Error(err)
			}
			change(&p)
			raw, err := p.Encode()
			if err != nil {
				t.Error(err)
			}
			return raw
		}
	}
	var listing []byte
	c.rogue = func(path string, answer []byte) []byte {
		if path == inquiry.Path {
			listing = answer
		}
		return answer
	}
	c.must("inquiry", "list", "-officer", c.in("seoul-1"))
	other := sha256.Sum256([]byte("another authority"))
	forged, err := trace.SignRoster(ed25519.NewKeyFromSeed(other[:]), trace.Contents{Number: 99, Issued: c.now.Unix(), Expires: c.now.Add(time.Hour).Unix()})
	if err != nil {
		t.Fatal(err)
	}
	for name, tt := range map[string]struct {
		rogue func(string, []byte) []byte
		want  string
	}{
		"another roster": {func(path string, answer []byte) []byte {
			if strings.HasSuffix(path, "/roster") {
				return forged
			}
			return answer
		}, "authority"},
		"an old listing": {func(path string, answer []byte) []byte {
			if path == inquiry.Path {
				return listing
			}
			return answer
		}, "another matter"},
		"a group kept back":    {page(func(p *trace.Page) { p.Groups = p.Groups[:1] }), "names 2 groups"},
		"groups swapped":       {page(func(p *trace.Page) { p.Groups[0], p.Groups[1] = p.Groups[1], p.Groups[0] }), "not the one"},
		"answers swapped":      {page(func(p *trace.Page) { p.Groups[0].Answer, p.Groups[1].Answer = p.Groups[1].Answer, p.Groups[0].Answer }), "answer of kko"},
		"an answer kept back":  {page(func(p *trace.Page) { p.Groups[0].Answer = nil }), "not answered"},
		"no report":            {page(func(p *trace.Page) { p.Report = nil }), "report"},
		"the same group twice": {page(func(p *trace.Page) { p.Groups[1] = p.Groups[0] }), "not the one"},
	} {
		c.rogue = tt.rogue
		if out, err := c.cli("inquiry", "open", "-officer", c.in("seoul-1"), first); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s\n%s", name, err, tt.want, out)
		}
	}
	c.rogue = nil
	out := c.must("inquiry", "open", "-officer", c.in("seoul-1"), first)
	for _, want := range []string{"1 could not be named", "1 visits are of issuers that are not on the roster"} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q in %s", want, out)
		}
	}

	// An issuer that cannot be reached: its group goes by hand, and the answer back.
	second := ask()
	c.issuers["nv"].desk.Close()
	out, err = c.cli("inquiry", "fetch", "-officer", c.in("seoul-1"), second)
	if err == nil || !strings.Contains(err.Error(), "1 of 2") {
		t.Fatal(out, err)
	}
	file := regexp.MustCompile(`written to (\S+\.group)`).FindStringSubmatch(out)[1]
	sealed, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rec := httptest.NewRecorder()
	r := httptest.NewRequest("POST", issuer.TracePath, bytes.NewReader(sealed))
	r.Header.Set("Content-Type", trace.ContentType)
	c.issuers["nv"].desk.Config.Handler.ServeHTTP(rec, r)
	if err := os.WriteFile(file, rec.Body.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	c.must("inquiry", "deposit", "-officer", c.in("seoul-1"), second, file)
	if out := c.must("inquiry", "open", "-officer", c.in("seoul-1"), second); !strings.Contains(out, personName("kko", 0)) || !strings.Contains(out, personName("nv", 1)) {
		t.Error(out)
	}
}
