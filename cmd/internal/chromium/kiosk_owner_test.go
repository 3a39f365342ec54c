package chromium_test

import (
	"context"
	"io"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/chromium"
	"github.com/munjigi/munjigi/cmd/internal/device"
	"github.com/munjigi/munjigi/cmd/internal/prove"
	"github.com/munjigi/munjigi/cmd/internal/tasks"
	"github.com/munjigi/munjigi/cmd/internal/town"
	"github.com/munjigi/munjigi/kiosk"
	"github.com/munjigi/munjigi/kiosk/owner"
	"github.com/munjigi/munjigi/reader/camera"
	"github.com/munjigi/munjigi/uplink/clock"
)

// door is a kiosk that runs in a town, with a camera that sees what it is shown.
type door struct {
	t      *testing.T
	town   *town.Town
	device *device.Device
	board  *prove.Board
	events chan kiosk.Event
	ahead  atomic.Int64 // ns
}

// now is noon() and whatever was let pass, at an eighth of its speed: a code's
// 15 seconds must suffice a busy machine.
func (d *door) now() time.Time {
	began := noon()
	return began.Add(-time.Since(start) * 7 / 8).Add(time.Duration(d.ahead.Load()))
}

var start = time.Now()

func newDoor(t *testing.T) *door {
	t.Helper()
	d := &door{t: t, board: prove.NewBoard(), events: make(chan kiosk.Event, 64)}
	quiet := slog.New(slog.NewTextHandler(io.Discard, nil))
	ctx, cancel := context.WithCancel(context.Background())
	var err error
	if d.town, err = town.New(ctx, t.TempDir(), town.Addresses{Issuer: "127.0.0.1:0", Registry: "127.0.0.1:0"}, d.now, quiet); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 2)
	go func() { done <- tasks.Run(ctx, quiet, func() {}, d.town.Tasks()...) }()
	cfg, err := d.town.Kiosk(ctx, "하늘 식당", "restaurant")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := d.town.Enrol(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	cfg.Owner.Listen = "127.0.0.1:0"
	cfg.GPIO.Green, cfg.GPIO.Red, cfg.GPIO.Door = "NOWHERE-1", "NOWHERE-2", "NOWHERE-3"
	d.device, err = device.New(cfg, device.Options{
		Dial:  func(context.Context) (camera.Source, error) { return d.board, nil },
		Clock: clock.New(func() bool { return true }, false), Observe: func(e kiosk.Event) { d.events <- e },
		Version: "0.9.0", Supervised: true, Now: d.now, Log: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	go func() { done <- tasks.Run(ctx, quiet, func() {}, d.device.Tasks()...) }()
	t.Cleanup(func() {
		cancel()
		for range 2 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if err := d.device.Close(); err != nil {
			t.Error(err)
		}
		if err := d.town.Close(); err != nil {
			t.Error(err)
		}
	})
	return d
}

// address is where the page is served, as soon as it is.
func (d *door) address() string {
	d.t.Helper()
	for range 600 {
		if at, _ := d.device.Owner.Address(); at != "" {
			return "https://" + at
		}
		time.Sleep(50 * time.Millisecond)
	}
	d.t.Fatal("the owner's page is not served")
	return ""
}

// visitor shows a good code and waits for the answer.
func (d *door) visitor() kiosk.Verdict {
	d.t.Helper()
	d.show()
	return d.answered()
}

// answered waits until somebody has been told an answer.
func (d *door) answered() kiosk.Verdict {
	d.t.Helper()
	for {
		select {
		case e := <-d.events:
			if e.Stage == kiosk.Ended {
				return e.Verdict
			}
		case <-time.After(chromium.Patience):
			d.t.Fatal("nobody was answered")
		}
	}
}

func (d *door) show() {
	d.t.Helper()
	text, err := d.town.Pass(town.Vaccinated, d.now())
	if err != nil {
		d.t.Fatal(err)
	}
	if err := d.board.Show(text); err != nil {
		d.t.Fatal(err)
	}
}

// until waits for JavaScript to be true on the page.
func until(t *testing.T, p *chromium.Page, js string) {
	t.Helper()
	for end := time.Now().Add(chromium.Patience); ; time.Sleep(50 * time.Millisecond) {
		if p.Eval(js) == "true" {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("never came about on %s: %s\n%s", p.Where(), js, p.Text("body"))
		}
	}
}

// An owner opens the kiosk's page with a phone: logs in by the keyboard, mistypes
// until locked out, sees visitors counted and the screen mirrored, aims the
// camera, during which nobody is admitted, and sets the volume. Every page on
// the way is looked at.
func TestKioskOwner(t *testing.T) {
	d := newDoor(t)
	page := d.address()
	cfg := d.device.Config
	p := chromium.Start(t)
	p.Size(360, 800, false)

	p.Open(page + "/")
	if !strings.HasSuffix(p.Where(), "/login") || !strings.Contains(p.Text("main"), "아직 비밀번호가 없습니다") {
		t.Errorf("at %s: %s", p.Where(), p.Text("main"))
	}
	password, err := owner.NewPassword(cfg.Data)
	if err != nil {
		t.Fatal(err)
	}
	p.Open(page + "/")
	look(t, p, "kiosk-login")
	dark(t, p, "kiosk-login")
	for range 5 {
		p.Fill("password", "a wrong one")
		if status := p.Follow("form.card button"); status != 403 {
			t.Fatalf("a wrong password: %d", status)
		}
	}
	look(t, p, "kiosk-wrong")
	p.Fill("password", password)
	if status := p.Follow("form.card button"); status != 429 || !strings.Contains(p.Text("#problem"), "30초 뒤에") {
		t.Errorf("locked out: %d %s", status, p.Text("main"))
	}
	look(t, p, "kiosk-locked")
	d.ahead.Add(int64(31 * time.Second))
	p.Open(page + "/login?lang=en")
	look(t, p, "kiosk-login-en")
	p.Open(page + "/login?lang=ko")
	// Skip link, language, then the field: everything is reached by the keyboard.
	p.Keys("\t\t\t" + password)
	if got := p.Eval(`document.activeElement.id`); got != "password" {
		t.Errorf("after three tabs the focus is on %q", got)
	}
	if p.Enter(); p.Count(`nav a[aria-current]`) != 1 {
		t.Fatalf("after the log-in: %s", p.Text("body"))
	}

	// A morning's visitors.
	if got := p.Text(".figure strong"); got != "0" {
		t.Errorf("%s visitors before the first", got)
	}
	look(t, p, "kiosk-today-none")
	if v := d.visitor(); v != kiosk.Accepted {
		t.Fatalf("a visitor was told %s", v)
	}
	for h, n := range []int{3, 12, 31, 24, 58} {
		for range n {
			if err := d.device.Journal.AdmitByStaff(d.now().Add(time.Duration(h-4) * time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
	}
	p.Open(page + "/")
	if got := p.Text(".figure strong"); got != "1" {
		t.Errorf("%s visitors after the first", got)
	}
	if got := p.Text(".figure.small strong"); got != "128" {
		t.Errorf("%s were let in by the staff", got)
	}
	look(t, p, "kiosk-today")
	dark(t, p, "kiosk-today")

	// The screen, without what stands before the camera.
	p.Follow(`nav a[href="/mirror"]`)
	until(t, p, `document.getElementById("frames").naturalWidth > 0`)
	look(t, p, "kiosk-mirror")
	d.board.Show("")
	until(t, p, `document.getElementById("words").textContent.length > 0`)
	d.show()
	until(t, p, `document.getElementById("words").textContent.includes("인증되었습니다")`)
	d.answered()
	look(t, p, "kiosk-mirror-accepted")
	for _, health := range []string{"접종", "vaccin", "doses"} {
		if strings.Contains(strings.ToLower(p.Text("body")), health) {
			t.Errorf("the mirror says %q", health)
		}
	}

	// Aim mode: the picture comes, and a code before the camera admits nobody.
	p.Follow(`nav a[href="/aim"]`)
	look(t, p, "kiosk-aim-offer")
	d.board.Show("")
	p.Follow(`form[action="/aim"] button`)
	if !d.device.Kiosk.Aiming() {
		t.Fatal("the kiosk does not aim")
	}
	d.show()
	until(t, p, `Number(document.getElementById("sharp-text").textContent) > 0 && document.getElementById("frames").naturalWidth > 0`)
	until(t, p, `document.getElementById("words").textContent.includes("잘 읽힙니다")`)
	look(t, p, "kiosk-aim")
	before, err := d.device.Journal.Stats()
	if err != nil {
		t.Fatal(err)
	}
	p.Follow(`form[action="/aim/stop"] button`)
	if d.device.Kiosk.Aiming() || !strings.Contains(p.Text(".note.good"), "마쳤습니다") {
		t.Errorf("aim mode goes on: %s", p.Text("main"))
	}
	if counts, err := d.device.Journal.Counts(d.now().Add(-time.Hour), d.now().Add(time.Hour)); err != nil || before.Queue > 3 {
		t.Errorf("%v, %v: somebody was admitted in aim mode", counts, err)
	}
	// A page that is left ends it, too.
	p.Follow(`form[action="/aim"] button`)
	until(t, p, `document.getElementById("frames").naturalWidth > 0`)
	p.Follow(`nav a[href="/sound"]`)
	for range 200 {
		if !d.device.Kiosk.Aiming() {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	if d.device.Kiosk.Aiming() {
		t.Error("aim mode outlasts its page")
	}

	// Sound, lamps, door.
	p.Eval(`(() => { const v = document.getElementById("volume"); v.value = 35; v.dispatchEvent(new Event("input")); return v.value })()`)
	if got := p.Text("#volume-text"); got != "35%" {
		t.Errorf("the volume beside the slider is %s", got)
	}
	p.Follow(`form[action="/sound/volume"] button`)
	p.Follow(`form[action="/sound/mute"] button`)
	if d.device.Voice.Volume() != 35 || !d.device.Voice.Muted() {
		t.Errorf("volume %d, muted %v", d.device.Voice.Volume(), d.device.Voice.Muted())
	}
	look(t, p, "kiosk-sound")
	p.Follow(`a[href="/door"]`)
	look(t, p, "kiosk-door")
	if status := p.Follow("button.danger"); status != 400 {
		t.Errorf("the door's trial without a word: %d", status)
	}
	look(t, p, "kiosk-door-unsure")
	p.Tick("#sure")
	p.Follow("button.danger")
	if !strings.Contains(p.Text(".note.good"), "문을 열었습니다") {
		t.Errorf("%s", p.Text("main"))
	}

	for _, one := range []string{"state", "help", "password", "restart", "nothing"} {
		p.Open(page + "/" + one)
		look(t, p, "kiosk-"+one)
	}
	p.Open(page + "/help?lang=en")
	look(t, p, "kiosk-help-en")
	p.Open(page + "/state?lang=en")
	look(t, p, "kiosk-state-en")
	p.Open(page + "/password")
	p.Fill("present", password, "password", "하늘 식당의 긴 문장")
	p.Follow("form.card button")
	if !strings.Contains(p.Text(".note.good"), "The password is changed") {
		t.Errorf("%s", p.Text("main"))
	}
	p.Follow(`form[action="/logout"] button`)
	if p.Open(page + "/"); !strings.HasSuffix(p.Where(), "/login") {
		t.Errorf("after the log-out at %s", p.Where())
	}
}
