package camera

import (
	"context"
	"errors"
	"fmt"
	"image"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// TestMain lets the test binary stand in for rpicam-vid.
func TestMain(m *testing.M) {
	if mode := os.Getenv("FAKE_RPICAM"); mode != "" {
		os.Exit(fakeRpicam(mode, os.Args[1:]))
	}
	os.Exit(m.Run())
}

// fakeRpicam writes YUV 4:2:0 pictures to standard output: luma is the picture's number, chroma 128.
func fakeRpicam(mode string, args []string) int {
	option := func(name string) int {
		for i, a := range args {
			if a == name && i+1 < len(args) {
				n, _ := strconv.Atoi(args[i+1])
				return n
			}
		}
		return 0
	}
	w, h := option("--width"), option("--height")
	if !strings.Contains(strings.Join(args, " "), "--codec yuv420 --timeout 0") || w == 0 || h == 0 {
		fmt.Fprintln(os.Stderr, "ERROR: strange arguments", args)
		return 2
	}
	fmt.Fprintln(os.Stderr, "[0:00:01] INFO Camera camera_manager.cpp")
	if mode == "missing" {
		fmt.Fprint(os.Stderr, "ERROR: *** no cameras available ***\n\n")
		return 255
	}
	picture := make([]byte, w*h*3/2)
	for n := 1; ; n++ {
		for i := range picture {
			picture[i] = 128
			if i < w*h {
				picture[i] = byte(n)
			}
		}
		if mode == "dies" && n == 3 {
			os.Stdout.Write(picture[:1000])
			fmt.Fprint(os.Stderr, "ERROR: Device timeout detected")
			return 1
		}
		if mode == "hangs" && n == 2 {
			time.Sleep(time.Hour)
		}
		if _, err := os.Stdout.Write(picture); err != nil {
			return 0
		}
	}
}

func openFake(t *testing.T, ctx context.Context, mode string) Source {
	t.Helper()
	t.Setenv("FAKE_RPICAM", mode)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(ctx, Config{Source: "rpicam:" + self, Width: 330, Height: 241})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestRpicamReadsLuma(t *testing.T) {
	s := openFake(t, t.Context(), "runs")
	g := new(image.Gray)
	for n := 1; n <= 5; n++ {
		if err := s.Grab(t.Context(), g); err != nil {
			t.Fatal(err)
		}
		if g.Rect.Size() != image.Pt(320, 240) {
			t.Fatalf("size %v, want a width that rows of 64 fill", g.Rect)
		}
		for i, v := range g.Pix {
			if v != byte(n) {
				t.Fatalf("picture %d: pixel %d is %d", n, i, v)
			}
		}
	}
}

func TestRpicamEnds(t *testing.T) {
	for mode, says := range map[string]string{
		"missing": "no cameras available",
		"dies":    "Device timeout detected",
	} {
		t.Run(mode, func(t *testing.T) {
			s := openFake(t, t.Context(), mode)
			var err error
			for range 10 {
				if err = s.Grab(t.Context(), new(image.Gray)); err != nil {
					break
				}
			}
			if !errors.Is(err, ErrUnplugged) || !strings.Contains(err.Error(), says) {
				t.Errorf("error %v, want one with %q", err, says)
			}
		})
	}
}

func TestRpicamHangsAndIsCancelled(t *testing.T) {
	s := openFake(t, t.Context(), "hangs")
	ctx, cancel := context.WithCancel(t.Context())
	g := new(image.Gray)
	if err := s.Grab(ctx, g); err != nil {
		t.Fatal(err)
	}
	go cancel()
	if err := s.Grab(ctx, g); !errors.Is(err, context.Canceled) {
		t.Errorf("Grab: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("Close: %v", err)
	}
}

func TestRpicamDiesWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := openFake(t, ctx, "hangs")
	g := new(image.Gray)
	if err := s.Grab(t.Context(), g); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := s.Grab(t.Context(), g); !errors.Is(err, ErrUnplugged) {
		t.Errorf("Grab: %v", err)
	}
}
