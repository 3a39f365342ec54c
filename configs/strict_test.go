package configs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

type sample struct {
	Listen  string        `toml:"listen"`
	Timeout time.Duration `toml:"timeout"`
	Sound   struct {
		Device string `toml:"device"`
		Volume int    `toml:"volume"`
	} `toml:"sound"`
	Kiosks []struct {
		ID string `toml:"id"`
	} `toml:"kiosk"`
	Policies map[string]struct {
		Mode string `toml:"mode"`
	} `toml:"policies"`
	Hidden int `toml:"-"`
}

func TestDecode(t *testing.T) {
	tests := []struct {
		name, toml string
		want       []string // parts of the error; none: accepted
	}{
		{"empty", "", nil},
		{"good", "listen = ':80'\ntimeout = '3s'\n[sound]\nvolume = 3\n[[kiosk]]\nid = 'a'\n[policies.cafe]\nmode = 'record'\n", nil},
		{"slip at the top", "# a\nlisten = ':80'\nlissten = 'x'\n", []string{`f.toml:3: unknown key "lissten", did you mean "listen"?`}},
		{"slip in a table", "[sound]\ndevice = 'x'\n\nvolum = 3\n", []string{`f.toml:4: unknown key "sound.volum", did you mean "volume"?`}},
		{"slip in a dotted key", "sound.devise = 'x'\n", []string{`f.toml:1: unknown key "sound.devise", did you mean "device"?`}},
		{"slip in an array of tables", "[[kiosk]]\nid = 'a'\n[[kiosk]]\nid = 'b'\nidd = 'c'\n", []string{`f.toml:5: unknown key "kiosk.idd", did you mean "id"?`}},
		{"slip below a map", "[policies.cafe]\nmod = 'off'\n", []string{`f.toml:2: unknown key "policies.cafe.mod", did you mean "mode"?`}},
		{"an unknown table once", "[sond]\ndevice = 'x'\nvolume = 1\n", []string{`f.toml:1: unknown key "sond", did you mean "sound"?`}},
		{"nothing near", "zzzzzzzz = 1\n", []string{`f.toml:1: unknown key "zzzzzzzz"`}},
		{"kept from the file", "hidden = 1\n", []string{`f.toml:1: unknown key "hidden"`}},
		{"two slips", "a = 1\nb = 2\n", []string{"f.toml:1:", "f.toml:2:"}},
		{"wrong type", "listen = ':80'\n[sound]\nvolume = 'loud'\n", []string{"f.toml:3:", `"sound.volume"`}},
		{"wrong duration", "\ntimeout = 'soon'\n", []string{"f.toml:2:", "timeout"}},
		{"syntax", "listen = \n", []string{"f.toml:1:"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var v sample
			err := Decode("f.toml", []byte(tt.toml), &v)
			if (err != nil) != (tt.want != nil) {
				t.Fatalf("error %v, want %q", err, tt.want)
			}
			for _, part := range tt.want {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("error %q lacks %q", err, part)
				}
			}
			if tt.name == "an unknown table once" && strings.Count(err.Error(), "unknown") != 1 {
				t.Errorf("reported more than once: %v", err)
			}
			if tt.name == "nothing near" && strings.Contains(err.Error(), "mean") {
				t.Errorf("a far suggestion: %v", err)
			}
		})
	}
}

func TestLoad(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.toml")
	if err := Load(path, &sample{}); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("a missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("listen = ':81'\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	v := sample{Timeout: time.Second}
	if err := Load(path, &v); err != nil || v.Listen != ":81" || v.Timeout != time.Second {
		t.Errorf("%+v, %v", v, err)
	}
}
