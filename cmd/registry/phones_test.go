package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/cookiejar"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/issuer"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
)

// wallet is an issuer's whole server, over the same store that its desk answers from.
type wallet struct {
	brand string
	http  *httptest.Server
}

func (c *circle) wallet(brand string) *wallet {
	c.t.Helper()
	brands, err := issuer.SampleBrands()
	if err != nil {
		c.t.Fatal(err)
	}
	b := brands[slices.IndexFunc(brands, func(b issuer.Brand) bool { return b.ID == "tos" })]
	h := c.issuers[brand]
	b.ID, b.Key = brand, h.key
	s, err := issuer.New(issuer.Config{
		Brands: []issuer.Brand{b}, Store: h.db, Now: func() time.Time { return c.now }, Log: slog.New(slog.DiscardHandler),
		Helpline: issuer.Helpline{Number: "02-000-0000", Hours: "평일", HoursEN: "weekdays"},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	w := &wallet{brand, httptest.NewServer(s.Handler())}
	c.t.Cleanup(w.http.Close)
	return w
}

// visitor is somebody with a phone on which an issuer's pages were walked.
type visitor struct {
	t      *testing.T
	w      *wallet
	web    *http.Client
	key    *ecdsa.PrivateKey
	nonce  string
	name   string
	number string
}

func (v *visitor) post(path string, in any) []byte {
	v.t.Helper()
	body, err := json.Marshal(in)
	if err != nil {
		v.t.Fatal(err)
	}
	resp, err := v.web.Post(v.w.http.URL+path, "application/json", bytes.NewReader(body))
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		v.t.Fatalf("%s: %s: %s %v", path, resp.Status, answer, err)
	}
	var state struct{ Nonce string }
	if err := json.Unmarshal(answer, &state); err != nil {
		v.t.Fatal(err)
	}
	v.nonce = state.Nonce
	return answer
}

func (v *visitor) sign(use string) string {
	v.t.Helper()
	digest := sha256.Sum256([]byte("munjigi " + use + "\n" + v.w.brand + "\n" + v.nonce))
	r, s, err := ecdsa.Sign(rand.Reader, v.key, digest[:])
	if err != nil {
		v.t.Fatal(err)
	}
	return base64.RawURLEncoding.EncodeToString(append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...))
}

// arrive consents, is verified by a message and binds the phone.
func (w *wallet) arrive(t *testing.T, name, number string) *visitor {
	t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	v := &visitor{t: t, w: w, web: &http.Client{Jar: jar}, name: name, number: number}
	if v.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&v.key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	type object = map[string]any
	way := "/v1/b/" + w.brand + "/"
	v.post(way+"consent", object{"agree": []string{"use", "third-parties"}})
	v.post(way+"identity/choose", object{"method": "sms"})
	v.post(way+"identity/sms", object{
		"name": name, "phone": number, "birth": "900101", "sex": "1", "carrier": "skt", "agree": []string{"id_1", "id_2", "id_3", "id_4", "id_5"},
	})
	resp, err := v.web.Get(w.http.URL + "/app/sms")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	inbox, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	code := regexp.MustCompile(`(?s)` + number + ` .*?\[([0-9]{6})\]`).FindSubmatch(inbox)
	if code == nil {
		t.Fatal("no message came")
	}
	v.post(way+"identity/check", object{"code": string(code[1])})
	v.post(way+"device", object{"key": base64.RawURLEncoding.EncodeToString(der), "nonce": v.nonce, "signature": v.sign("device")})
	return v
}

// comeBack asks where the phone stands: its last nonce is long over.
func (v *visitor) comeBack() {
	v.t.Helper()
	resp, err := v.web.Get(v.w.http.URL + "/v1/b/" + v.w.brand)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close()
	var state struct{ Nonce string }
	if err := json.NewDecoder(resp.Body).Decode(&state); err != nil {
		v.t.Fatal(err)
	}
	v.nonce = state.Nonce
}

// code makes a code as the phone's page does.
func (v *visitor) code() string {
	v.t.Helper()
	v.comeBack()
	made := v.post("/v1/passes", map[string]string{"brand": v.w.brand, "nonce": v.nonce, "signature": v.sign("pass")})
	var answer struct{ Text string }
	if err := json.Unmarshal(made, &answer); err != nil {
		v.t.Fatal(err)
	}
	return answer.Text
}

// TestPhones is the whole circle with nothing put in by hand: people walk three
// issuers' pages, their phones make codes, a kiosk's rules verify them at two
// doors, and an officer asks. Who only made a code is not named; who has
// withdrawn since is.
func TestPhones(t *testing.T) {
	storetest.Each(t, func(t *testing.T, db *store.DB) {
		c := newCircle(t, db)
		b, today := c.bundle(), c.now
		var people []*visitor
		c.now = today.AddDate(0, 0, -1).Add(-6 * time.Hour)
		for _, brand := range brands {
			w := c.wallet(brand)
			for n := range 4 {
				people = append(people, w.arrive(t, personName(brand, n), personPhone(brand, n)))
			}
		}
		from := today.Add(-20 * time.Hour).Truncate(time.Minute)
		to := from.Add(time.Hour)
		var want []presence
		var visits []store.Visit
		c.now = from.Add(-30 * time.Minute)
		for seq := 1; seq <= 48; seq++ {
			v, facility := people[seq*5%len(people)], []string{"haneul", "museum"}[seq%2]
			c.now = c.now.Add(150 * time.Second) // two hours in all
			text, at := v.code(), c.now.Add(4*time.Second)
			if seq%7 == 0 {
				continue // never shown
			}
			u, err := pass.Parse(text)
			if err != nil {
				t.Fatal(err)
			}
			p, err := u.Verify(at, b, pass.Conditions{Skew: pass.Skew, Facility: "cafe", Clock: pass.ClockSure})
			if err != nil {
				t.Fatal(err)
			}
			visits = append(visits, store.Visit{
				Kiosk: "door-" + facility, Facility: "f-" + facility, Issuer: p.Issuer(), ID: p.ID(), Issued: p.IssuedAt(),
				Scanned: at, Received: at.Add(time.Minute), Seq: uint64(seq),
			})
			if facility == "haneul" && !at.Before(from) && at.Before(to) {
				want = append(want, presence{korean(at), v.name, v.number, v.w.brand})
			}
		}
		if len(want) < 6 || len(want) > 20 {
			t.Fatalf("%d of %d were there", len(want), len(visits))
		}
		if _, err := db.Put(t.Context(), visits); err != nil {
			t.Fatal(err)
		}
		gone := people[slices.IndexFunc(people, func(v *visitor) bool { return v.name == want[0].Name })]
		c.now = c.now.Add(time.Minute)
		gone.comeBack()
		gone.post("/v1/b/"+gone.w.brand+"/login", map[string]string{"nonce": gone.nonce, "signature": gone.sign("login")})
		gone.post("/v1/b/"+gone.w.brand+"/withdraw", map[string]string{"agree": "withdraw"})

		c.now = today
		clock := func(at time.Time) string { return at.In(store.Seoul).Format("2006-01-02T15:04") }
		out := c.must("inquiry", "ask", "-officer", c.in("seoul-1"), "-facility", "f-haneul", "-from", clock(from), "-to", clock(to), "-case", "2026-1234", "-reason", "확진자 1명이 머물렀음")
		name := regexp.MustCompile(`asked: ([0-9a-f]+)`).FindStringSubmatch(out)[1]
		c.must("inquiry", "approve", "-officer", c.in("seoul-2"), "-yes", name)
		c.must("inquiry", "fetch", "-officer", c.in("seoul-1"), name)
		rows, err := csv.NewReader(strings.NewReader(c.must("inquiry", "open", "-officer", c.in("seoul-1"), "-csv", name))).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		var got []presence
		for _, r := range rows[1:] {
			got = append(got, presence{r[0], r[1], r[2], r[5]})
		}
		order := func(a, b presence) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) }
		slices.SortFunc(got, order)
		slices.SortFunc(want, order)
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("the officer names others than were there: %s", diff)
		}
		t.Logf("%d of %d visits of %d people named, exactly those in the window", len(got), len(visits), len(people))
	})
}
