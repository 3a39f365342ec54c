package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/cmd/internal/machine"
	"github.com/munjigi/munjigi/cmd/internal/slot"
)

// write makes a file below root.
func write(t *testing.T, text string, path ...string) {
	t.Helper()
	p := filepath.Join(path...)
	if err := os.MkdirAll(filepath.Dir(p), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func world(t *testing.T, kiosk, machine string) string {
	root := t.TempDir()
	write(t, kiosk, root, settings, "kiosk.toml")
	write(t, machine, root, settings, "device.toml")
	write(t, "640,400\n", root, "sys/class/graphics/fb0/virtual_size")
	write(t, "32\n", root, "sys/class/graphics/fb0/bits_per_pixel")
	write(t, "2560\n", root, "sys/class/graphics/fb0/stride")
	write(t, "", root, "dev/fb0")
	return root
}

func painted(t *testing.T, root string) bool {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, "dev/fb0"))
	if err != nil {
		t.Fatal(err)
	}
	return len(b) == 2560*400 && bytes.Contains(b, []byte{0x2c, 0x24, 0x1c, 0xff})
}

func TestSetup(t *testing.T) {
	root := world(t, "", "[wifi]\nssid = \"cafe\"\npassword = \"12345678\"\n")
	if err := setup(t.Context(), root); err != nil {
		t.Fatal(err)
	}
	if !exists(root, "run/munjigi-setup/wpa_supplicant.conf") || painted(t, root) {
		t.Error("no Wi-Fi, or a picture")
	}
}

func TestSetupMistakes(t *testing.T) {
	for _, tt := range []struct{ kiosk, machine, want string }{
		{"[camera]\nsorce = \"x\"\n", "", "kiosk.toml:2: unknown key"},
		{"", "[wifi\n", "device.toml:2:"},
	} {
		root := world(t, tt.kiosk, tt.machine)
		if err := setup(t.Context(), root); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("got %v, want %q in it", err, tt.want)
		}
		if !painted(t, root) {
			t.Errorf("%s: the screen says nothing", tt.want)
		}
	}
}

// TestSetupEnrolled: a slip in the network's file does not close a door.
func TestSetupEnrolled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		root := world(t, "", "[wifi\n")
		write(t, "", root, "var/lib/munjigi/bundle.cbor")
		if err := setup(t.Context(), root); err != nil || !painted(t, root) {
			t.Errorf("got %v", err)
		}
	})
}

func TestFactoryReset(t *testing.T) {
	root := world(t, "", "")
	journal := filepath.Join(root, data, "munjigi/journal.db")
	write(t, "visits", journal)
	for _, step := range []struct{ file, want bool }{{false, true}, {true, false}, {true, true}, {false, true}, {true, false}} {
		reset := filepath.Join(root, settings, "factory-reset")
		if os.Remove(reset); step.file {
			write(t, "", reset)
		}
		if err := setup(t.Context(), root); err != nil {
			t.Fatal(err)
		}
		if exists(journal) != step.want || !exists(root, data, "munjigi") {
			t.Errorf("%+v: journal there: %v", step, exists(journal))
		}
		write(t, "visits", journal)
	}
}

// memory is a card.
type memory map[int64][]byte

func (m memory) ReadAt(b []byte, at int64) (int, error)  { clear(b); return copy(b, m[at]), nil }
func (m memory) WriteAt(b []byte, at int64) (int, error) { m[at] = bytes.Clone(b); return len(b), nil }
func (m memory) Sync() error                             { return nil }

func TestBackend(t *testing.T) {
	c := memory{}
	for _, tt := range []struct{ ask, want string }{
		{"get-primary", "A"}, {"get-current", "A"}, {"get-state A", "good"}, {"get-state B", "bad"},
		{"set-state B bad", ""}, {"set-primary B", ""}, {"get-primary", "B"}, {"get-state B", "good"},
		{"set-state B bad", ""}, {"get-primary", "A"},
	} {
		var out bytes.Buffer
		if err := answer(c, strings.Fields(tt.ask), "A", &out); err != nil || strings.TrimSpace(out.String()) != tt.want {
			t.Errorf("%s: %q, %v", tt.ask, out.String(), err)
		}
	}
	for _, ask := range []string{"get-state C", "set-state A fine", "set-primary", "do"} {
		if err := answer(c, strings.Fields(ask), "A", new(bytes.Buffer)); err == nil {
			t.Errorf("%s was taken", ask)
		}
	}
}

func TestHealthy(t *testing.T) {
	for _, tt := range []struct {
		name string
		look func(n int) string
		want bool
	}{
		{"runs", func(int) string { return "active 7" }, true},
		{"restarts each 30 s", func(n int) string { return "active " + string(rune('0'+n/30)) }, false},
		{"restarts once", func(n int) string { return map[bool]string{true: "active 1", false: "active 2"}[n < 30] }, true},
		{"never", func(int) string { return "" }, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			n := 0
			if got := healthy(t.Context(), proof, patience, time.Second, func(context.Context) string { n++; return tt.look(n) }); got != tt.want {
				t.Errorf("%s: %v", tt.name, got)
			}
		})
	}
}

func TestReject(t *testing.T) {
	for _, tt := range []struct {
		other, left int
		starts      string
	}{{slot.Good, slot.Bad, "A"}, {slot.Bad, 2, "B"}, {1, 2, "B"}} {
		s := slot.State{Primary: "B", Left: map[string]int{"A": tt.other, "B": 2}}
		if reject(&s, "B"); s.Starts() != tt.starts || s.Left["B"] != tt.left {
			t.Errorf("%+v: got %+v", tt, s)
		}
	}
}

// TestMend breaks the data partition in each way that mend knows.
func TestMend(t *testing.T) {
	const yes, one, three, mkfs = "e2fsck -f -y", "e2fsck -f -y -B 4096 -b 32768", "e2fsck -f -y -B 4096 -b 98304", "mkfs.ext4"
	broken, lost := errors.New("broken"), errors.New("input/output error")
	for _, tt := range []struct {
		name  string
		fails []string // what does, by its beginning and whole words
		card  error
		said  []machine.Notice
		last  string
		want  error
	}{
		{"whole", nil, nil, nil, "umount /data", nil},
		{"no superblock", []string{yes}, nil, []machine.Notice{machine.Mending}, "umount /data", nil},
		{"a check that cannot mend", []string{yes, one, three}, nil, []machine.Notice{machine.Mending}, "umount /data", nil},
		{"nothing left", []string{yes, one, three, "mount"}, nil, []machine.Notice{machine.Mending, machine.Anew}, mkfs, nil},
		{"checked and of no use", []string{"mount"}, nil, []machine.Notice{machine.Mending, machine.Anew}, mkfs, nil},
		{"no answer", []string{yes, one, three, "mount"}, lost, []machine.Notice{machine.Mending, machine.Worn}, "mount", lost},
		{"read-only card", []string{yes, one, three, "mount", mkfs}, nil, []machine.Notice{machine.Mending, machine.Anew, machine.Worn}, mkfs, broken},
	} {
		synctest.Test(t, func(t *testing.T) {
			var said []machine.Notice
			last := ""
			err := mend(t.Context(), host{
				run: func(_ context.Context, args []string) error {
					last = strings.TrimSuffix(strings.Join(args, " "), " "+dataPartition)
					for _, f := range tt.fails {
						if last == f || (f == "mount" || f == mkfs) && args[0] == f {
							return broken
						}
					}
					return nil
				},
				read: func() error { return tt.card },
				say:  func(n machine.Notice) { said = append(said, n) },
			})
			if !errors.Is(err, tt.want) || (err == nil) != (tt.want == nil) || !strings.HasPrefix(last, tt.last) {
				t.Errorf("%s: %v, last %q", tt.name, err, last)
			}
			if d := cmp.Diff(tt.said, said); d != "" {
				t.Errorf("%s: the screen: %s", tt.name, d)
			}
		})
	}
}

func TestAppears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		node := filepath.Join(t.TempDir(), "card")
		if err := appears(t.Context(), node, time.Minute); err == nil {
			t.Error("a card that does not come is there")
		}
		time.AfterFunc(30*time.Second, func() { write(t, "", node) })
		if err := appears(t.Context(), node, time.Minute); err != nil {
			t.Error(err)
		}
	})
}

// TestAsked holds a button for so long and so long.
func TestAsked(t *testing.T) {
	for _, tt := range []struct {
		name       string
		come, held time.Duration // when its chip comes; until when it is down, 0 for never
		want       bool
		fails      bool
		said       int
	}{
		{"not pressed", 0, 0, false, false, 0},
		{"touched", 0, time.Second, false, false, 1},
		{"held", 0, 12 * time.Second, true, false, 2},
		{"the chip comes late", time.Second, 12 * time.Second, true, false, 2},
		{"no chip", time.Hour, time.Hour, false, true, 0},
		{"sticks", 0, time.Hour, false, true, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			began, said := time.Now(), 0
			got, err := asked(t.Context(), func() (bool, error) {
				at := time.Since(began)
				if at < tt.come {
					return false, errors.New("no chip")
				}
				return at < tt.held, nil
			}, func(machine.Notice) { said++ })
			if got != tt.want || (err != nil) != tt.fails || said != tt.said {
				t.Errorf("%s: %v, %v, %d notices", tt.name, got, err, said)
			}
		})
	}
}

// TestResetButtonTaken: a line cannot be a lamp and the button.
func TestResetButtonTaken(t *testing.T) {
	root := world(t, "[gpio]\nred = \"GPIO5\"\n", "[reset]\nbutton = \"GPIO5\"\n")
	if err := setup(t.Context(), root); err == nil || !strings.Contains(err.Error(), "reset.button") || !painted(t, root) {
		t.Errorf("got %v", err)
	}
}

// TestResetButtonMissing: a door opens without it.
func TestResetButtonMissing(t *testing.T) {
	root := world(t, "", "[reset]\nbutton = \"no such line\"\n")
	if err := setup(t.Context(), root); err != nil {
		t.Error(err)
	}
}

func TestFetch(t *testing.T) {
	text, tag := "bundle", `"1"`
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tag == "" {
			http.Error(w, "", http.StatusBadGateway)
			return
		}
		if r.Header.Get("If-None-Match") == tag {
			w.WriteHeader(http.StatusNotModified)
			return
		}
		w.Header().Set("ETag", tag)
		_, _ = w.Write([]byte(text))
	}))
	defer s.Close()
	dir := t.TempDir()
	bundle := filepath.Join(dir, "munjigi.raucb")
	for range 2 { // a cut between them: it waits still
		if waits, err := fetch(t.Context(), s.Client(), machine.Update{URL: s.URL}, dir); err != nil || !waits {
			t.Errorf("got %v, %v", waits, err)
		}
		if b, err := os.ReadFile(bundle); err != nil || string(b) != text {
			t.Errorf("got %q, %v", b, err)
		}
	}
	if err := os.Remove(bundle); err != nil { // installed, or bad
		t.Fatal(err)
	}
	if waits, err := fetch(t.Context(), s.Client(), machine.Update{URL: s.URL}, dir); err != nil || waits || exists(bundle) {
		t.Errorf("what was looked at is brought again: %v, %v", waits, err)
	}
	// What was refused may be wanted now.
	if waits, err := fetch(t.Context(), s.Client(), machine.Update{URL: s.URL, Version: "1"}, dir); err != nil || !waits {
		t.Errorf("another version is asked for, and nothing is brought: %v, %v", waits, err)
	}
	tag = ""
	if _, err := fetch(t.Context(), s.Client(), machine.Update{URL: s.URL}, dir); err == nil {
		t.Error("an error of the server's is none")
	}
}

// TestSecure: a server may lead elsewhere, but not out of HTTPS.
func TestSecure(t *testing.T) {
	to := ""
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/bundle" {
			_, _ = w.Write([]byte("bundle"))
			return
		}
		http.Redirect(w, r, to, http.StatusFound)
	}))
	defer s.Close()
	for _, tt := range []struct {
		to string
		ok bool
	}{{s.URL + "/bundle", true}, {"http" + strings.TrimPrefix(s.URL, "https") + "/bundle", false}, {s.URL + "/round", false}} {
		to = tt.to
		if waits, err := fetch(t.Context(), secure(*s.Client()), machine.Update{URL: s.URL}, t.TempDir()); waits != tt.ok || (err == nil) != tt.ok {
			t.Errorf("led to %s: %v, %v", to, waits, err)
		}
	}
}

func TestUsage(t *testing.T) {
	if err := run(t.Context(), []string{"dance"}); !errors.Is(err, errUsage) {
		t.Errorf("got %v", err)
	}
}
