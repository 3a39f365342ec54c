package device

import (
	"log/slog"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"

	"github.com/munjigi/munjigi/kiosk"
)

const sample = "../../../configs/kiosk.toml"

// TestSample holds the shipped example to the program: it is valid, it has
// every key, and what it shows is the default wherever there is one.
func TestSample(t *testing.T) {
	got, err := Load(sample)
	if err != nil {
		t.Fatal(err)
	}
	want := Defaults()
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("the sample is not the default (-default +sample):\n%s", diff)
	}
	var written map[string]any
	meta, err := toml.DecodeFile(sample, &written)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range keys(nil, reflect.TypeFor[Config]()) {
		if !meta.IsDefined(key...) {
			t.Errorf("the sample does not show %s", strings.Join(key, "."))
		}
	}
}

// keys lists the TOML keys of a configuration's values.
func keys(above []string, t reflect.Type) (all [][]string) {
	for i := range t.NumField() {
		f := t.Field(i)
		key := append(append([]string(nil), above...), f.Tag.Get("toml"))
		if f.Type.Kind() == reflect.Struct {
			all = append(all, keys(key, f.Type)...)
		} else {
			all = append(all, key)
		}
	}
	return all
}

// TestWrongSettings names the key and what to do.
func TestWrongSettings(t *testing.T) {
	good, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ old, new, want string }{
		{`code = ""`, `code = "MJE1 AND SO ON"`, "registry.code: "},
		{`[kiosk]`, "[kiosk]\nid = 'cafe-1'", `unknown key "kiosk.id"`},
		{`[registry]`, "[registry]\ntoken = 'copy-it-here'", "take these lines out and enrol the kiosk"},
		{`source = "/dev/video0"`, `source = ""`, "camera.source is empty"},
		{`data = "/var/lib/munjigi"`, `data = ""`, "data is empty"},
		{`volume = 80`, `volume = 101`, "give 0 to 100"},
		{`quiet = ""`, `quiet = "22"`, `sound.quiet = "22"`},
		{`quiet_volume = 40`, `quiet_volume = -1`, "sound.quiet_volume = -1"},
		{`output = "speaker"`, `output = "loud"`, "sound.output"},
		{"green  = \"\"\nred    = \"\"", "green  = \"GPIO5\"\nred    = \"GPIO5\"", `gpio.red and gpio.green are both "GPIO5"`},
		{`unsure = "refuse"`, `unsure = "maybe"`, `give "refuse" or "admit"`},
		{`skew = "2s"`, `skew = "1m"`, "give 0s to 10s"},
		{`rotate = 0`, `rotate = 45`, "give 0, 90, 180 or 270"},
		{`size = "1024x600"`, `size = "large"`, "like 1024x600"},
		{`panels = ["/dev/fb0"]`, `panels = ["tv"]`, "give /dev/fb0, ssd1306:BUS, png:FILE or web:ADDRESS"},
		{`panels = ["/dev/fb0"]`, `panels = ["staff:tv:1"]`, `screen.panels holds "staff:tv:1"`},
		{`panels = ["/dev/fb0"]`, `panels = ["staff:png:staff.png"]`, "health stays on a panel of the device"},
		{`diagonal = 0.0`, `diagonal = 0.3`, "inches, 1 to 100"},
		{`log_level = "info"`, `log_level = "loud"`, "give debug, info, warn or error"},
		{`volume = 80`, `volumen = 80`, `did you mean "volume"?`},
	} {
		text := strings.Replace(string(good), c.old, c.new, 1)
		if text == string(good) {
			t.Errorf("the sample has no %q", c.old)
			continue
		}
		file := filepath.Join(t.TempDir(), "kiosk.toml")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := Load(file)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), file) {
			t.Errorf("%s: %v, want %q", c.new, err, c.want)
		}
	}
}

// TestStaffPanel: a panel of the staff's own, and their field nowhere else.
func TestStaffPanel(t *testing.T) {
	c := Defaults()
	c.Screen.Panels = []string{"/dev/fb0", "staff:ssd1306:1", "staff:/dev/fb1", "ssd1306:"}
	look, open, _, err := c.panels(nil, slog.New(slog.DiscardHandler))
	if err != nil || len(open) != 2 || len(look.Staff) != 2 {
		t.Errorf("%d panels, %d of the staff, %v", len(open), len(look.Staff), err)
	}
	for _, tt := range []struct {
		panels []string
		button string
		want   kiosk.Corner
	}{
		{c.Screen.Panels, "GPIO5", kiosk.CornerNever},
		{[]string{"/dev/fb0"}, "GPIO5", kiosk.CornerOnPress},
		{[]string{"/dev/fb0"}, "", kiosk.CornerAtOnce},
	} {
		c.Screen.Panels, c.GPIO.StaffButton = tt.panels, tt.button
		if got := c.corner(); got != tt.want {
			t.Errorf("%v, button %q: corner %d, want %d", tt.panels, tt.button, got, tt.want)
		}
	}
}
