//go:build opencv

package camera

import (
	"errors"
	"image"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"gocv.io/x/gocv"
)

// TestOpenCVReadsAnAVI reads a small motion JPEG film that OpenCV itself wrote.
func TestOpenCVReadsAnAVI(t *testing.T) {
	path := filepath.Join(t.TempDir(), "film.avi")
	film, err := gocv.VideoWriterFile(path, "MJPG", 25, 320, 240, true)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []float64{30, 120, 210} {
		m := gocv.NewMatWithSizeFromScalar(gocv.NewScalar(v, v, v, 0), 240, 320, gocv.MatTypeCV8UC3)
		if err := errors.Join(film.Write(m), m.Close()); err != nil {
			t.Fatal(err)
		}
	}
	if err := film.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), Config{Source: "opencv:" + path})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g := new(image.Gray)
	for _, want := range []int{30, 120, 210} {
		if err := s.Grab(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		if d := int(g.Pix[160+120*320]) - want; g.Rect.Size() != image.Pt(320, 240) || d < -3 || d > 3 {
			t.Errorf("picture of %v with luma %d, want %d", g.Rect, g.Pix[160+120*320], want)
		}
	}
	if err := s.Grab(t.Context(), g); err != io.EOF {
		t.Errorf("after the last: %v", err)
	}
}

func TestOpenCVPipeline(t *testing.T) {
	if exec.Command("gst-inspect-1.0", "videotestsrc").Run() != nil {
		t.Skip("GStreamer's videotestsrc is not installed")
	}
	s, err := Open(t.Context(), Config{Source: "opencv:videotestsrc num-buffers=2 pattern=white ! video/x-raw,width=64,height=48 ! videoconvert ! appsink"})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	g := new(image.Gray)
	if err := s.Grab(t.Context(), g); err != nil || g.Rect.Size() != image.Pt(64, 48) || g.Pix[0] < 250 {
		t.Errorf("picture of %v, error %v", g.Rect, err)
	}
}

func TestOpenCVMissing(t *testing.T) {
	_, err := Open(t.Context(), Config{Source: "opencv:/no/such/film.avi"})
	if !errors.Is(err, ErrUnavailable) {
		t.Errorf("error %v", err)
	}
	if got := redact("rtsp://user:secret@10.0.0.9:554/live"); strings.Contains(got, "secret") || got != "rtsp://10.0.0.9:554/live" {
		t.Errorf("redacted to %q", got)
	}
}
