//go:build cgo && linux

package audio

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestALSA plays into libasound's own file device and finds every sample there.
func TestALSA(t *testing.T) {
	dir := t.TempDir()
	config, raw := filepath.Join(dir, "asound.conf"), filepath.Join(dir, "heard.raw")
	if err := os.WriteFile(config, []byte(`pcm.!default { type file file "`+raw+`" format raw slave.pcm { type null } }`), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("ALSA_CONFIG_PATH", config)
	dev, err := newSpeaker().open()
	if err != nil {
		t.Fatal(err)
	}
	frames := make([][2]float64, dev.rate().N(blockTime))
	var want []byte
	for b := range 20 {
		for i := range frames {
			frames[i] = [2]float64{float64(i) / 1000, -float64(b) / 100}
		}
		if err := dev.write(frames); err != nil {
			t.Fatal(err)
		}
		want = append(want, int16LE(nil, frames)...)
	}
	if err := dev.close(); err != nil {
		t.Error(err)
	}
	got, err := os.ReadFile(raw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.HasPrefix(got, want) {
		t.Errorf("%d bytes arrived, which are not the %d that were written", len(got), len(want))
	}
	if q := dev.queued(); q > Buffer {
		t.Errorf("%v wait in a buffer of %v", q, Buffer)
	}
	if dev.tears() != 0 {
		t.Errorf("torn %d times", dev.tears())
	}
	// After its close, as after an unplug, the device fails and does not crash.
	if q := dev.queued(); q != 0 {
		t.Errorf("%v wait in a closed device", q)
	}
	if err := dev.write(frames); err == nil || !strings.Contains(err.Error(), "check its plug") {
		t.Errorf("a write after the close: %v", err)
	}
}
