package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/hex"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/munjigi/munjigi/cmd/internal/prove"
	"github.com/munjigi/munjigi/cmd/internal/tasks"
	"github.com/munjigi/munjigi/cmd/internal/town"
	"github.com/munjigi/munjigi/pass"
	"github.com/munjigi/munjigi/pass/base45"
	"github.com/munjigi/munjigi/pass/wire"
	"github.com/munjigi/munjigi/uplink/journal"
)

var (
	kills    = flag.Int("kills", 20, "how often TestKill kills the daemon")
	killSeed = flag.Uint64("kill-seed", 1, "chooses the moments")
)

// TestKill is laws 1 and 4 under kill -9: the real daemon, with its real
// journal, is killed at random moments, most of them between the decoding of a
// code and the registry's acknowledgement, while honest visitors stand before
// it who stay until they have been told 「인증되었습니다」 to the end.
//
// A killed process leaves the kernel's page cache behind: what this proves of
// the order of things, a power cut proves of the disk.
func TestKill(t *testing.T) {
	if testing.Short() {
		t.Skip("starts the daemon many times")
	}
	d := newDoor(t)
	for d.kills < *kills {
		d.visitor()
	}
	d.visitor() // and one more in peace, so that the last life ends well
	d.settle()
	d.judge()
	t.Logf("%d kills: %d before the code was decoded, %d between decode and acknowledgement (%d before the commit, %d after it and before the prompt's end, %d after that), %d after the acknowledgement",
		d.kills, d.before, d.uncommitted+d.unheard+d.unacknowledged, d.uncommitted, d.unheard, d.unacknowledged, d.after)
	t.Logf("%d visitors heard, %d announcements made again after a crash, %d codes renewed, %d registry answers lost", len(d.heard), d.again, d.renewed, d.wire.Lost())
	if n := d.uncommitted + d.unheard + d.unacknowledged; n < d.kills/2 {
		t.Errorf("only %d of %d kills fell between decode and acknowledgement: the rig aims badly", n, d.kills)
	}
}

// door is the world around the daemon: visitors, camera, registry.
type door struct {
	t       *testing.T
	rng     *rand.Rand
	town    *town.Town
	wire    *prove.Wire
	config  string
	picture string // what the camera sees
	journal string
	life    *life

	heard   []heard
	again   int
	renewed int

	kills, before, uncommitted, unheard, unacknowledged, after int
}

type heard struct {
	id          string // of the pass
	first, last time.Time
}

const doorID = "door-1"

func newDoor(t *testing.T) *door {
	t.Helper()
	dir := t.TempDir()
	ctx, cancel := context.WithCancel(context.Background())
	log := slog.New(slog.DiscardHandler)
	d := &door{t: t, rng: rand.New(rand.NewPCG(*killSeed, 0)), picture: filepath.Join(dir, "camera", "a.pgm")}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	a := town.Addresses{Issuer: "127.0.0.1:0", Registry: "127.0.0.1:0", Public: "https://" + l.Addr().String()}
	if d.town, err = town.New(ctx, dir, a, time.Now, log); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- tasks.Run(ctx, log, func() {}, d.town.Tasks()...) }()
	cfg, err := d.town.Kiosk(ctx, doorID, "restaurant")
	if err != nil {
		t.Fatal(err)
	}
	var exchanges atomic.Int64
	d.wire = prove.NewWire(func(r *http.Request) prove.Fault {
		if r.URL.Path != wire.EnrolPath && r.URL.Path != wire.BundlePath && exchanges.Add(1)%5 == 0 {
			return prove.Lost
		}
		return prove.None
	})
	d.wire.Join(d.town.RegistryURL, cfg.Data)
	certificate, err := d.town.CA.NewServer("127.0.0.1", time.Now)
	if err != nil {
		t.Fatal(err)
	}
	stop := d.wire.Start(l, certificate.Certificate)
	t.Cleanup(func() {
		if d.life != nil {
			d.life.kill()
		}
		stop()
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := d.town.Close(); err != nil {
			t.Error(err)
		}
	})

	if _, err := d.town.Enrol(ctx, cfg); err != nil {
		t.Fatal(err)
	}
	d.journal, d.config = cfg.Journal(), filepath.Join(dir, "kiosk.toml")
	prompts := filepath.Join(dir, "prompts")
	for _, folder := range []string{prompts, filepath.Dir(d.picture)} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	text := fmt.Sprintf(`data = %q
log_level = "debug"
[camera]
source = "folder:%s?loop&fps=50"
[sound]
output = "wav:%s"
prompts = %q
[screen]
panels = []
[clock]
unsure = "admit"
[owner]
listen = ""
`, cfg.Data, filepath.Dir(d.picture), filepath.Join(dir, "sound.wav"), prompts)
	for file, data := range map[string][]byte{
		d.config: []byte(text),
		// A file takes sound as fast as it is written: a long prompt makes the
		// time between its first and its last sample one that a kill can hit.
		filepath.Join(prompts, "accepted.wav"): silence(12),
	} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d.show("")
	return d
}

// silence is a WAV file (PCM, mono, 8 bit, 4 kHz) of some seconds.
func silence(seconds int) []byte {
	const rate = 4000
	size := uint32(seconds * rate)
	le := func(b []byte, v uint32) []byte { return append(b, byte(v), byte(v>>8), byte(v>>16), byte(v>>24)) }
	b := le([]byte("RIFF"), 36+size)
	b = le(append(b, "WAVEfmt "...), 16)
	b = append(b, 1, 0, 1, 0)
	b = le(le(b, rate), rate)
	b = le(append(b, 1, 0, 8, 0, 'd', 'a', 't', 'a'), size)
	return append(b, bytes.Repeat([]byte{128}, int(size))...)
}

func (d *door) show(text string) {
	d.t.Helper()
	if err := prove.WritePicture(d.picture, text); err != nil {
		d.t.Fatal(err)
	}
}

// aim is when a kill is to come.
type aim struct {
	after string // the log's line it waits for: shown (none), judged, heard
	delay time.Duration
}

const (
	shown  = ""
	judged = "a code is being judged"
	begun  = "an answer begins"
	ended  = "an answer was given"
)

func (d *door) upTo(most time.Duration) time.Duration {
	return time.Duration(d.rng.Int64N(int64(most)))
}

// aim chooses a kill for the present life of the daemon, nil for none.
func (d *door) aim(restarted bool) *aim {
	n := d.rng.IntN(100)
	switch {
	case d.kills >= *kills:
		return nil
	case restarted && n < 50:
		return nil // people are patient, but not for ever
	case restarted || n < 50:
		return &aim{judged, d.upTo(60 * time.Millisecond)}
	case n < 75:
		return &aim{shown, d.upTo(150 * time.Millisecond)}
	case n < 90:
		return &aim{ended, d.upTo(2500 * time.Millisecond)}
	}
	return nil
}

// visitor is one honest visitor: shows a fresh code, renews it in time, stays
// through every crash, and leaves when the prompt has been heard to its end.
func (d *door) visitor() {
	d.t.Helper()
	var (
		text    string
		stored  string // the pass in the journal's form
		renew   = time.NewTimer(0)
		first   time.Time
		decoded bool // in this life of the daemon
		telling bool // its prompt has begun, in this life
		gone    bool // has heard it
		fire    <-chan time.Time
	)
	defer renew.Stop()
	patience := time.After(2 * time.Minute)
	if d.life == nil {
		d.life = d.start()
	}
	target := d.aim(false)
	take := func(l line) {
		switch {
		case l.msg == judged:
			decoded = true
		case l.msg == begun && l.value["verdict"] == "accepted":
			telling = true
		case l.msg == "a code was answered" && l.value["again"] == "true":
			d.again++
		case l.msg == ended && l.value["verdict"] == "expired":
			renew.Reset(0) // true on a machine this busy, and no reproach
		case l.msg == ended && l.value["verdict"] != "accepted":
			d.t.Fatalf("an honest visitor was told %q", l.value["verdict"])
		case l.msg == ended && l.value["outcome"] == "heard" && !gone:
			gone = true
			d.show("")
			d.heard = append(d.heard, heard{id: passID(d.t, stored), first: first, last: time.Now()})
		}
		if target != nil && l.msg == target.after && fire == nil {
			fire = time.After(target.delay)
		}
	}
	for {
		if gone && fire == nil {
			return
		}
		select {
		case <-renew.C:
			if gone {
				continue
			}
			if text != "" {
				d.renewed++
			}
			if decoded && !telling {
				d.t.Error("the daemon read an honest visitor's code and said nothing until it expired")
			}
			var err error
			if text, err = d.town.Pass(town.Good, time.Now()); err != nil {
				d.t.Fatal(err)
			}
			stored, first, decoded, telling = decodeText(d.t, text), time.Now(), false, false
			d.show(text)
			renew.Reset(12 * time.Second)
			if target != nil && target.after == shown && fire == nil {
				fire = time.After(target.delay)
			}
		case l, ok := <-d.life.lines:
			if !ok {
				d.t.Fatalf("the daemon ended by itself: %v", d.life.cmd.ProcessState)
			}
			take(l)
		case <-fire:
			d.life.kill()
			for l := range d.life.lines { // what it had said before it died counts
				take(l)
			}
			d.count(stored, decoded, telling, gone)
			fire, decoded, telling = nil, false, false
			d.life = d.start()
			if gone {
				return
			}
			target = d.aim(true)
		case <-patience:
			d.t.Fatal("a visitor was not told anything for two minutes")
		}
	}
}

// count says where a kill fell.
func (d *door) count(stored string, decoded, telling, gone bool) {
	d.t.Helper()
	d.kills++
	pending := d.pending()[stored]
	if telling && !pending && len(d.registered()[passID(d.t, stored)]) == 0 {
		d.t.Error("「인증되었습니다」 had begun, and the visit was not on disk")
	}
	switch {
	case pending && gone:
		d.unacknowledged++
	case pending:
		d.unheard++
	case gone:
		d.after++
	case decoded:
		d.uncommitted++
	default:
		d.before++
	}
}

// pending reads a copy of the journal the daemon left behind.
func (d *door) pending() map[string]bool {
	d.t.Helper()
	data, err := os.ReadFile(d.journal)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // killed before it made one
	}
	if err != nil {
		d.t.Fatal(err)
	}
	copied := filepath.Join(d.t.TempDir(), "journal.db")
	if err := os.WriteFile(copied, data, 0o600); err != nil {
		d.t.Fatal(err)
	}
	j, err := journal.Open(copied)
	if err != nil {
		d.t.Fatalf("the journal of a killed daemon: %v", err)
	}
	defer j.Close()
	visits, err := j.Pending(0, 10000)
	if err != nil {
		d.t.Fatal(err)
	}
	all := map[string]bool{}
	for _, v := range visits {
		if all[string(v.Pass)] {
			d.t.Errorf("the journal holds one pass twice")
		}
		all[string(v.Pass)] = true
	}
	return all
}

// settle lets the daemon upload what is left and ends it as systemd would.
func (d *door) settle() {
	d.t.Helper()
	deadline := time.After(time.Minute)
	poll := time.NewTicker(200 * time.Millisecond)
	defer poll.Stop()
	for {
		if in := d.registered(); d.missing(in) == 0 {
			break
		}
		select {
		case <-deadline:
			d.t.Error("the uploads did not come to an end within a minute")
			return
		case <-d.life.lines:
		case <-poll.C:
		}
	}
	if err := d.life.stop(); err != nil {
		d.t.Errorf("the daemon's end: %v", err)
	}
	d.life = nil
}

func (d *door) missing(in map[string][]time.Time) (n int) {
	for _, h := range d.heard {
		if len(in[h.id]) == 0 {
			n++
		}
	}
	return n
}

// registered is what the registry holds: the times of the scans by pass id.
func (d *door) registered() map[string][]time.Time {
	d.t.Helper()
	visits, err := d.town.Visits(context.Background(), doorID)
	if err != nil {
		d.t.Fatal(err)
	}
	in := map[string][]time.Time{}
	for _, v := range visits {
		in[v.ID.String()] = append(in[v.ID.String()], v.Scanned)
	}
	return in
}

// judge holds the registry to what the visitors heard.
func (d *door) judge() {
	d.t.Helper()
	in := d.registered()
	for _, h := range d.heard {
		times := in[h.id]
		switch {
		case len(times) == 0:
			d.t.Error("an announced visit is missing from the registry")
		case len(times) > 1:
			d.t.Errorf("an announced visit is in the registry %d times", len(times))
		case times[0].Before(h.first.Add(-pass.Skew)) || times[0].After(h.last.Add(pass.Skew)): // the daemon goes by the registry's signed time, right to half its way
			d.t.Errorf("a visit between %v and %v was registered at %v", h.first, h.last, times[0])
		}
	}
	if n := d.wire.Twice(); n > 0 {
		d.t.Errorf("%d passes were sent as more than one visit", n)
	}
	if left := d.pending(); len(left) > 0 {
		d.t.Logf("%d visits are in the journal still", len(left))
	}
	d.t.Logf("%d visits in the registry", len(in))
}

// decodeText is the form in which the journal keeps a plain pass.
func decodeText(t *testing.T, text string) string {
	t.Helper()
	data, err := base45.AppendDecoded(nil, text[len(pass.Magic)+1:])
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// passID finds the id of a pass where FORMAT.md has it: the last claim before
// the signature, 16 bytes under key 7.
func passID(t *testing.T, stored string) string {
	t.Helper()
	at := len(stored) - 64 - 2 - 16
	if at < 2 || stored[at-2:at] != "\x07\x50" {
		t.Fatal("the pass id is not where it was")
	}
	return hex.EncodeToString([]byte(stored[at : at+16]))
}

// life is one process of the daemon.
type life struct {
	cmd   *exec.Cmd
	lines chan line // closed when all it has said is read
}

// line is one line of its log.
type line struct {
	msg   string
	value map[string]string
}

var attribute = regexp.MustCompile(`(\w+)=("(?:[^"\\]|\\.)*"|\S+)`)

func (d *door) start() *life {
	d.t.Helper()
	self, err := os.Executable()
	if err != nil {
		d.t.Fatal(err)
	}
	l := &life{cmd: exec.Command(self, "run", "-config", d.config), lines: make(chan line, 4096)}
	l.cmd.Args[0] = "kiosk" // TestMain runs the command of this name
	l.cmd.Env = append(os.Environ(), "NOTIFY_SOCKET=", "WATCHDOG_USEC=")
	said, err := l.cmd.StderrPipe()
	if err != nil {
		d.t.Fatal(err)
	}
	if err := l.cmd.Start(); err != nil {
		d.t.Fatal(err)
	}
	go func() {
		defer close(l.lines)
		for s := bufio.NewScanner(said); s.Scan(); {
			one := line{value: map[string]string{}}
			for _, m := range attribute.FindAllStringSubmatch(s.Text(), -1) {
				one.value[m[1]] = m[2]
			}
			if msg := one.value["msg"]; len(msg) > 2 {
				one.msg = msg[1 : len(msg)-1]
			}
			l.lines <- one
		}
		_ = l.cmd.Wait() // killed, or its status is asked for by stop
	}()
	return l
}

// kill is kill -9.
func (l *life) kill() { _ = l.cmd.Process.Kill() } // it may have ended

func (l *life) stop() error {
	if err := l.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	for range l.lines {
	}
	if !l.cmd.ProcessState.Success() {
		return fmt.Errorf("status %v", l.cmd.ProcessState)
	}
	return nil
}
