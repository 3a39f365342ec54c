package device_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"image"
	"image/draw"
	"image/jpeg"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/prove"
	"github.com/munjigi/munjigi/kiosk"
	"github.com/munjigi/munjigi/kiosk/owner"
	"github.com/munjigi/munjigi/reader/qr"
)

// phone is the owner's, logged in to the page of a kiosk that runs.
type phone struct {
	t      *testing.T
	client *http.Client
	page   string
	seen   [][]byte // every answer with its headers
}

func (r *reader) phone() *phone {
	r.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		r.t.Fatal(err)
	}
	p := &phone{t: r.t, client: &http.Client{Jar: jar, Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}}}
	r.t.Cleanup(p.client.CloseIdleConnections)
	for deadline := time.Now().Add(time.Minute); p.page == ""; <-time.After(20 * time.Millisecond) {
		if at, _ := r.device.Owner.Address(); at != "" {
			p.page = "https://" + at
		} else if time.Now().After(deadline) {
			r.t.Fatal("the owner's page is not served")
		}
	}
	password, err := owner.NewPassword(r.cfg.Data)
	if err != nil {
		r.t.Fatal(err)
	}
	p.do(p.client.PostForm(p.page+"/login", url.Values{"password": {password}}))
	return p
}

func (p *phone) get(path string) (body []byte) {
	p.t.Helper()
	return p.do(p.client.Get(p.page + path))
}

func (p *phone) post(path string) {
	p.t.Helper()
	p.do(p.client.PostForm(p.page+path, nil))
}

func (p *phone) do(res *http.Response, err error) []byte {
	p.t.Helper()
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode >= 400 {
		p.t.Fatalf("%s: %s, %v", res.Request.URL, res.Status, err)
	}
	p.seen = append(p.seen, []byte(fmt.Sprint(res.Header)), body)
	return body
}

// codes is how many codes a picture of the page holds.
func (p *phone) codes(picture []byte) int {
	p.t.Helper()
	img, err := jpeg.Decode(bytes.NewReader(picture))
	if err != nil {
		p.t.Fatal(err)
	}
	gray := image.NewGray(img.Bounds())
	draw.Draw(gray, gray.Bounds(), img, img.Bounds().Min, draw.Src)
	symbols, err := qr.New(qr.Options{Thorough: true, Budget: time.Minute}).Decode(gray)
	if err != nil {
		p.t.Fatal(err)
	}
	return len(symbols)
}

// TestOwnersPageLeaksNothing is law 5, 6 and 13 at the owner's page: while
// vaccinated visitors are admitted, not a byte of what they carried is in any
// answer of any page, and no picture of the mirror holds their code. That the
// search finds a code where there is one, aim mode shows.
func TestOwnersPageLeaksNothing(t *testing.T) {
	p := newParty(t, nil)
	p.cfg.Owner.Listen = "127.0.0.1:0"
	board, search := prove.NewBoard(), new(prove.Search)
	r := p.open(board)
	o := r.phone()
	walk := func() {
		t.Helper()
		for _, path := range []string{"/", "/mirror", "/aim", "/sound", "/state", "/help", "/password", "/?lang=en", "/state?lang=en", "/?lang=ko"} {
			o.get(path)
		}
		if n := o.codes(o.get("/mirror/frame")); n != 0 {
			t.Errorf("%d codes are in the mirrored picture", n)
		}
	}
	walk()
	for i := range 3 {
		text := p.vaccinated(i, 0)
		if err := search.Add(text); err != nil {
			t.Fatal(err)
		}
		if err := board.Show(text); err != nil {
			t.Fatal(err)
		}
		if e := r.answer(); e.Verdict != kiosk.Accepted {
			t.Fatalf("a visitor was told %s", e.Verdict)
		}
		walk() // with the code before the camera still
	}
	if page := o.get("/"); !bytes.Contains(page, []byte("<strong>3</strong>")) {
		t.Errorf("three visitors are not counted: %s", page)
	}

	// Aim mode shows what the camera sees, and admits nobody.
	text := p.vaccinated(9, 0)
	if err := search.Add(text); err != nil {
		t.Fatal(err)
	}
	o.post("/aim")
	if err := board.Show(text); err != nil {
		t.Fatal(err)
	}
	serial := 0
	for deadline := time.Now().Add(time.Minute); ; {
		picture := o.get(fmt.Sprintf("/aim/frame?after=%d", serial))
		if serial++; len(picture) > 0 && o.codes(picture) == 1 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("aim mode shows no code: the search sees nothing")
		}
	}
	select {
	case e := <-r.events:
		if e.Stage == kiosk.Decided {
			t.Errorf("aim mode told a visitor %s", e.Verdict)
		}
	default:
	}
	o.post("/aim/stop")
	if e := r.answer(); e.Verdict != kiosk.Accepted { // the code is there still
		t.Errorf("after aim mode a visitor was told %s", e.Verdict)
	}
	walk()

	for _, answer := range o.seen {
		for _, f := range search.Find(answer) {
			t.Errorf("the owner's page: %s", f)
		}
		for _, word := range []string{"접종", "vaccin", "MJ1"} {
			if strings.Contains(string(answer), word) {
				t.Errorf("the owner's page says %q", word)
			}
		}
	}
	for _, f := range search.Find(p.logs.Bytes()) {
		t.Errorf("the log: %s", f)
	}
	t.Logf("%d answers searched", len(o.seen)/2)
}
