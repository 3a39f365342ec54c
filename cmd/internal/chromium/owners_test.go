package chromium_test

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/sha256"
	"fmt"
	"image"
	"image/draw"
	"image/png"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/chromium"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/reader/qr"
	"github.com/munjigi/munjigi/registry"
	"github.com/munjigi/munjigi/registry/devices"
	"github.com/munjigi/munjigi/registry/owners"
	"github.com/munjigi/munjigi/registry/store"
	"github.com/munjigi/munjigi/registry/store/storetest"
	"github.com/munjigi/munjigi/uplink"
	"github.com/munjigi/munjigi/uplink/enrol"
	"github.com/munjigi/munjigi/uplink/journal"
)

// place is a whole registry over TLS.
type place struct {
	address string
	db      *store.DB
	book    *devices.Book
	bundle  *pass.Bundle
	outbox  *owners.Outbox
	issuer  ed25519.PrivateKey
}

// noon is a clock that shows 12:40 in Seoul when the program starts, so that no
// test runs across midnight and every picture has a morning in it.
var noon = func() func() time.Time {
	began := time.Now()
	offset := store.DayOf(began).Midnight().Add(12*time.Hour + 40*time.Minute).Sub(began)
	return func() time.Time { return time.Now().Add(offset) }
}()

func (p *place) Bundle() *pass.Bundle { return p.bundle }

func key(name string) ed25519.PrivateKey {
	seed := sha256.Sum256([]byte("munjigi chromium test " + name))
	return ed25519.NewKeyFromSeed(seed[:])
}

func newPlace(t *testing.T) *place {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	p := &place{outbox: &owners.Outbox{Now: noon}, issuer: key("issuer")}
	p.db = storetest.Open(t, storetest.File(t), storetest.Keys(t))

	now := noon()
	raw, err := pass.SignBundle(key("root"), pass.Contents{
		Number: 3, Issued: now.Unix(), Expires: now.Add(pass.BundleLife).Unix(),
		Issuers: []pass.Issuer{{ID: "kko", Keys: []pass.Key{pass.NewKey(p.issuer.Public().(ed25519.PublicKey), now.Add(-time.Hour), now.Add(365*24*time.Hour))}}},
		Policies: map[string]pass.Policy{
			"restaurant": {Mode: pass.ModeRecord, Since: now.AddDate(0, -2, 0).Unix()}, "museum": {Mode: pass.ModeVerifyOnly, Since: now.AddDate(0, 0, -3).Unix()},
		},
		Receipts: [][]byte{key("receipt").Public().(ed25519.PublicKey)},
	})
	if err != nil {
		t.Fatal(err)
	}
	root := key("root").Public().(ed25519.PublicKey)
	if p.bundle, err = pass.OpenBundle(raw, root); err != nil {
		t.Fatal(err)
	}

	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p.address = "https://" + l.Addr().String()
	dir := t.TempDir()
	const name = "서울 전자출입명부 등록소"
	ca, err := devices.CreateCA(filepath.Join(dir, "ca.crt"), filepath.Join(dir, "ca.key"), name, now)
	if err != nil {
		t.Fatal(err)
	}
	certificate, err := ca.NewServer("127.0.0.1", noon)
	if err != nil {
		t.Fatal(err)
	}
	if p.book, err = devices.New(devices.Config{SQL: p.db.SQL(), CA: ca, Receipt: key("receipt"), Root: root, Name: name, Address: p.address}); err != nil {
		t.Fatal(err)
	}
	pages, err := owners.New(owners.Config{
		DB: p.db.SQL(), Devices: p.book, Visits: p.db, Bundles: p, Address: p.address, Registry: name, Mail: p.outbox, Now: noon, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	server, err := registry.New(registry.Config{
		Receipt: key("receipt"), Bundles: p, Store: p.db, Devices: p.book, Now: noon, Log: quiet, Certificate: certificate.Certificate, Owners: pages.Handler(),
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 2)
	go func() { done <- server.Serve(ctx, l) }()
	go func() { done <- pages.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	})
	return p
}

// look holds the page to what every page must be, at the sizes people use, and
// takes its pictures.
func look(t *testing.T, p *chromium.Page, name string) {
	t.Helper()
	for _, width := range []int64{360, 1280} {
		p.Size(width, 800, false)
		judge(t, p, fmt.Sprintf("%s-%d", name, width))
	}
	p.Zoom(200)
	if n := p.Overflow(); n > 0 {
		t.Errorf("%s with text at 200%% is %d pixels wider than the window", name, n)
	}
	p.Zoom(100)
}

// dark looks at a page as people see it who prefer dark ones; TestContrast of
// the pages themselves holds the colours of all.
func dark(t *testing.T, p *chromium.Page, name string) {
	t.Helper()
	p.Size(360, 800, true)
	judge(t, p, name+"-360-dark")
	p.Size(1280, 800, false)
}

func judge(t *testing.T, p *chromium.Page, name string) {
	t.Helper()
	p.Save(chromium.Out(t, filepath.Join("owners", name+".png")))
	p.Unfold()
	if n := p.Overflow(); n > 0 {
		t.Errorf("%s is %d pixels wider than the window", name, n)
	}
	for _, v := range chromium.Serious(p.Axe()) {
		t.Errorf("%s: %s", name, v)
	}
	p.Fold()
}

// readQR reads the QR symbol in a picture of a page, as the kiosk's reader does.
func readQR(t *testing.T, picture []byte) string {
	t.Helper()
	img, err := png.Decode(bytes.NewReader(picture))
	if err != nil {
		t.Fatal(err)
	}
	gray := image.NewGray(img.Bounds())
	draw.Draw(gray, gray.Bounds(), img, img.Bounds().Min, draw.Src)
	symbols, err := qr.New(qr.Options{Thorough: true, Budget: time.Minute}).Decode(gray)
	if err != nil || len(symbols) != 1 {
		t.Fatalf("%d symbols are read from the picture of the page, %v", len(symbols), err)
	}
	return symbols[0].Text
}

// An owner signs up, adds a branch, makes an enrolment code; a kiosk enrols by
// the picture of that page, admits a visitor and sends the visit; the owner
// sees it. Every page on the way is looked at.
func TestOwner(t *testing.T) {
	reg := newPlace(t)
	p := chromium.Start(t)
	p.Size(1280, 900, false)

	p.Open(reg.address + "/")
	look(t, p, "login")
	dark(t, p, "login")
	p.Follow(`a[href="/signup"]`)
	look(t, p, "signup")
	p.Fill("business", "124-81-00999", "name", "하늘 카페", "representative", "김하늘", "phone", "02-123-4567", "person", "김하늘", "login", "haneul@example.com", "new-password", "오늘도 맛있게 드세요")
	p.Tick("#agree")
	if status := p.Follow("form.card button"); status != 422 {
		t.Fatalf("a wrong business number: %d", status)
	}
	look(t, p, "signup-problem")
	dark(t, p, "signup-problem")
	p.Fill("business", "124-81-00998", "new-password", "오늘도 맛있게 드세요")
	p.Follow("form.card button")
	if p.Count(".welcome") != 1 {
		t.Fatalf("after the sign-up: %s", p.Text("body"))
	}
	look(t, p, "welcome")

	p.Follow(`a[href="/branches"]`)
	look(t, p, "newbranch")
	p.Fill("name", "강남점")
	p.Choose("#kind", "restaurant")
	p.Follow("form.card button")
	branch := strings.TrimSuffix(p.Where(), "?done=branch")
	look(t, p, "branch-new")
	p.Follow(`a[href$="/code"]`)
	p.Fill("door", "정문")
	look(t, p, "codeoffer")
	p.Follow("form.card button")
	look(t, p, "code")

	// The kiosk sees the page as its camera would and follows it.
	dir := t.TempDir()
	p.Size(1280, 900, false)
	text := readQR(t, p.Picture())
	p.Size(360, 800, true)
	if small := readQR(t, p.Picture()); small != text {
		t.Error("a phone's page shows another code")
	}
	offer, err := (&enrol.Enroller{Dir: dir, Version: "0.9.0"}).Look(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	for _, word := range offer.Words {
		if !strings.Contains(p.Text(".words"), word) {
			t.Errorf("the page does not show the word %s", word)
		}
	}
	identity, err := offer.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	p.Open(branch)
	if got := p.Text(".kiosks"); !strings.Contains(got, "정문") {
		t.Errorf("the kiosk is not on the page: %s", got)
	}
	reg.visit(t, dir)
	p.Open(branch)
	if got := p.Text(".figures .figure strong"); got != "1" {
		t.Errorf("the visit is not on the page: %s", got)
	}
	if got := p.Text(".kiosks .badge"); !strings.Contains(got, "정상") {
		t.Errorf("the kiosk that has just reported is %s", got)
	}

	// The rest of the pages, with what a fortnight leaves on them.
	facility := identity.Facility
	reg.fortnight(t, facility, identity.Kiosk)
	troubled := reg.kiosk(t, facility, "후문")
	if err := reg.book.Beat(t.Context(), troubled, wire.Heartbeat{Version: "0.9.0", Queue: 212, Oldest: noon().Add(-30 * time.Hour).UnixMilli(), Bundle: 2, Clock: pass.ClockUnsure, FPS: 302, Temperature: 784, Disk: 312, Uptime: 90000}, noon()); err != nil {
		t.Fatal(err)
	}
	silent := reg.kiosk(t, facility, "2층 입구")
	if err := reg.book.Beat(t.Context(), silent, wire.Heartbeat{Version: "0.9.0", Bundle: 3, Clock: pass.ClockSure, FPS: 298, Disk: 9000, Uptime: 90000}, noon().Add(-3*time.Hour)); err != nil {
		t.Fatal(err)
	}
	p.Open(branch)
	look(t, p, "branch")
	dark(t, p, "branch")
	p.Open(branch + "?day=" + (store.DayOf(noon()) - 1).String())
	look(t, p, "branch-yesterday")
	p.Open(reg.address + "/")
	look(t, p, "home")
	dark(t, p, "home")
	p.Open(reg.address + "/?lang=en")
	look(t, p, "home-english")
	p.Open(branch)
	look(t, p, "branch-english")
	p.Open(branch + "?lang=ko")
	for name, path := range map[string]string{
		"kiosk": "/kiosks/" + identity.Kiosk, "kiosk-troubled": "/kiosks/" + troubled, "kiosk-silent": "/kiosks/" + silent,
		"revoke": "/kiosks/" + silent + "/revoke", "replace": "/kiosks/" + silent + "/code", "proof": "/proof", "paper": "/paper",
	} {
		p.Open(branch + path)
		look(t, p, name)
	}
	for _, path := range []string{"/proof", "/paper"} {
		p.Open(branch + path)
		if n := p.Sheets(); n != 1 {
			t.Errorf("%s prints on %d sheets of A4, want one", path, n)
		}
	}
	for name, path := range map[string]string{"account": "/account", "leave": "/account/leave", "staff-alone": "/staff", "invite-offer": "/staff/invite", "missing": "/nowhere", "spent": "/recover/nothing"} {
		p.Open(reg.address + path)
		look(t, p, name)
	}
	p.Open(branch + "/kiosks/" + silent + "/revoke")
	p.Follow("form.card button")
	look(t, p, "revoked")

	// A colleague comes in by the link's QR code, and sees less.
	p.Open(reg.address + "/staff/invite")
	p.Follow("form.card button")
	look(t, p, "invite-made")
	p.Size(1280, 900, false)
	invitation := readQR(t, p.Picture())
	staff := chromium.Start(t)
	staff.Open(invitation)
	look(t, staff, "invite")
	staff.Fill("person", "이바다", "login", "bada.lee", "new-password", "내일은 비가 옵니다")
	staff.Follow("form.card button")
	look(t, staff, "home-staff")
	staff.Open(reg.address + "/staff")
	look(t, staff, "forbidden")
	p.Open(reg.address + "/staff")
	p.Tick("summary")
	look(t, p, "staff")

	// A forgotten password comes back by the mail's link.
	staff.Follow("form[action='/logout'] button")
	staff.Follow(`a[href="/recover"]`)
	look(t, staff, "recover")
	staff.Fill("login", "haneul@example.com")
	staff.Follow("form.card button")
	look(t, staff, "recover-sent")
	link := reg.link(t)
	staff.Open(link)
	look(t, staff, "reset")
	staff.Fill("new-password", "다시 정한 긴 비밀번호")
	staff.Follow("form.card button")
	byKeyboard(t, staff, "haneul@example.com", "다시 정한 긴 비밀번호")
	if !strings.Contains(staff.Text("h1"), "하늘 카페") {
		t.Errorf("after the recovery: %s", staff.Text("body"))
	}
	p.Open(branch)
	if !strings.HasSuffix(p.Where(), "/login") {
		t.Error("another browser is signed in still after a new password")
	}
}

// byKeyboard logs in without a pointer: what has the focus is always seen to
// have it, and the first stop leads past the menu.
func byKeyboard(t *testing.T, p *chromium.Page, login, password string) {
	t.Helper()
	var stops []string
	for range 20 {
		p.Keys("\t")
		stop := p.Eval("document.activeElement.name || document.activeElement.className || document.activeElement.tagName")
		stops = append(stops, stop)
		if p.Eval("getComputedStyle(document.activeElement).outlineStyle") == "none" {
			t.Errorf("%s has the focus and does not show it", stop)
		}
		if stop == "login" {
			break
		}
	}
	if stops[0] != "skip" || stops[len(stops)-1] != "login" {
		t.Fatalf("the keyboard stops at %v", stops)
	}
	p.Keys(login + "\t" + password)
	if status := p.Enter(); status != 200 {
		t.Errorf("logging in by keyboard: %d", status)
	}
}

// link waits for the mail with a recovery link.
func (reg *place) link(t *testing.T) string {
	t.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.NewTimer(chromium.Patience)
	defer limit.Stop()
	for {
		for _, m := range reg.outbox.Messages() {
			for _, word := range strings.Fields(m.Text) {
				if strings.HasPrefix(word, reg.address+"/recover/") {
					return word
				}
			}
		}
		select {
		case <-tick.C:
		case <-limit.C:
			t.Fatal("no mail with a recovery link comes")
		}
	}
}

// visit is a kiosk's day: it admits a visitor, sends the visit and tells how it is.
func (reg *place) visit(t *testing.T, dir string) {
	t.Helper()
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	var trust *uplink.Trust
	keys := func() []ed25519.PublicKey { return trust.Bundle().ReceiptKeys() }
	link, err := uplink.NewLink(uplink.LinkConfig{Dir: dir, Keys: keys}, noon, quiet)
	if err != nil {
		t.Fatal(err)
	}
	trust = uplink.NewTrust(uplink.TrustConfig{Link: link, File: filepath.Join(dir, enrol.BundleFile)}, noon, quiet)
	if err := trust.Refresh(t.Context()); err != nil {
		t.Fatal(err)
	}
	j, err := journal.Open(filepath.Join(dir, "journal.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer j.Close()
	if _, err := j.Claim(link.Identity().Kiosk); err != nil {
		t.Fatal(err)
	}
	var id pass.ID
	rand.Read(id[:])
	text, err := pass.Issue(reg.issuer, "kko", id, noon(), nil)
	if err != nil {
		t.Fatal(err)
	}
	shown, err := pass.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	verified, err := shown.Verify(noon(), trust.Bundle(), pass.Conditions{Skew: pass.Skew, Facility: link.Identity().Kind, Clock: pass.ClockSure})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := j.Admit(verified, noon()); err != nil {
		t.Fatal(err)
	}
	sender := uplink.NewSender(uplink.SenderConfig{Link: link, Keys: keys}, j, noon, quiet)
	if _, err := sender.Drain(t.Context()); err != nil {
		t.Fatal(err)
	}
	facts := func() wire.Heartbeat {
		return wire.Heartbeat{Version: "0.9.0", Bundle: trust.State().Number, Clock: pass.ClockSure, FPS: 298, Temperature: 521, Disk: 12000, Uptime: 86400}
	}
	if err := uplink.NewHeartbeat(link, facts, trust.Heard, quiet).Beat(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// kiosk enrols one more, by the text of a code.
func (reg *place) kiosk(t *testing.T, facility, door string) string {
	t.Helper()
	text, _, err := reg.book.NewCode(t.Context(), facility, door, "", time.Hour, noon())
	if err != nil {
		t.Fatal(err)
	}
	offer, err := (&enrol.Enroller{Dir: t.TempDir(), Version: "0.9.0"}).Look(t.Context(), text)
	if err != nil {
		t.Fatal(err)
	}
	identity, err := offer.Accept(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return identity.Kiosk
}

// fortnight puts two weeks of a restaurant's visits into the store.
func (reg *place) fortnight(t *testing.T, facility, kiosk string) {
	t.Helper()
	now := noon()
	today := store.DayOf(now)
	seq := uint64(100)
	for back := store.Day(13); back >= 0; back-- {
		var visits []store.Visit
		for hour, n := range [24]int{8: 6, 9: 11, 10: 9, 11: 42, 12: 78, 13: 51, 14: 17, 15: 12, 16: 9, 17: 24, 18: 66, 19: 58, 20: 31, 21: 8} {
			if weekday := (today - back).Midnight().Weekday(); weekday == time.Saturday || weekday == time.Sunday {
				n = n * 3 / 5
			}
			n += n * int(back%3) / 8
			for i := range n {
				at := (today - back).Midnight().Add(time.Duration(hour)*time.Hour + time.Duration(i)*time.Minute/2)
				if at.After(now) {
					break
				}
				v := store.Visit{Kiosk: kiosk, Facility: facility, Issuer: "kko", Issued: at.Truncate(time.Second), Scanned: at, Received: now, Seq: seq}
				rand.Read(v.ID[:])
				seq++
				visits = append(visits, v)
			}
		}
		if _, err := reg.db.Put(t.Context(), visits); err != nil {
			t.Fatal(fmt.Errorf("day %s: %w", today-back, err))
		}
	}
}
