package screens

import (
	"hash/crc32"
	"image"
	"math"
	"runtime"
	"testing"
)

// TestSameSeedSamePicture holds the pictures of a seed fast. Other processors
// may fuse multiplications with additions, and round a few pixels elsewhere.
func TestSameSeedSamePicture(t *testing.T) {
	mix, err := Mix(1, 6)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		c    *Case
		sum  uint32
		mean float64
	}{
		{"far, with glare", mix[2], 0xb21dd143, 48.146},
		{"upright", mix[4], 0x1abfd1e1, 77.492},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := new(image.Gray)
			mix[1].Render(g) // what the memory held before must not show
			tt.c.Render(g)
			sum := crc32.ChecksumIEEE(g.Pix)
			mean := 0.0
			for _, v := range g.Pix {
				mean += float64(v) / float64(len(g.Pix))
			}
			if runtime.GOARCH == "amd64" && sum != tt.sum {
				t.Errorf("checksum %#08x, want %#08x", sum, tt.sum)
			}
			if math.Abs(mean-tt.mean) > 0.05 {
				t.Errorf("mean %.3f, want %.3f", mean, tt.mean)
			}
		})
	}
}

func TestSeedsDiffer(t *testing.T) {
	a, err := Mix(1, 1)
	if err != nil {
		t.Fatal(err)
	}
	b, err := Mix(2, 1)
	if err != nil {
		t.Fatal(err)
	}
	if a[0].Text == b[0].Text || a[0].Pitch == b[0].Pitch {
		t.Error("two seeds gave the same case")
	}
}

// TestTruth looks for every module where Project says it lies.
func TestTruth(t *testing.T) {
	for _, c := range []Conditions{
		{Pitch: 6, X: 640, Y: 360, Version: 10},
		{Pitch: 3, Rotation: 137, X: 300, Y: 200, Version: 11},
		{Pitch: 5, Rotation: 30, Tilt: 40, Axis: 70, X: 600, Y: 380, Version: 12},
		{Pitch: 4, Rotation: 260, Tilt: 50, Axis: 190, X: 900, Y: 400, Version: 10},
	} {
		c.Mid, c.Contrast, c.Gamma = 120, 200, 1
		k := &Case{Conditions: c, Seed: 7}
		code, err := encode("MJ1:TRUTH", c.Version, 3)
		if err != nil {
			t.Fatal(err)
		}
		k.code = code
		g := new(image.Gray)
		k.Render(g)
		wrong := 0
		for v := range k.Modules() {
			for u := range k.Modules() {
				x, y := k.Project(float64(u)+0.5, float64(v)+0.5)
				if (g.GrayAt(int(x), int(y)).Y < 120) != k.Dark(u, v) {
					wrong++
				}
			}
		}
		if wrong > 0 {
			t.Errorf("%+v: %d of %d modules are not where Project puts them", c, wrong, k.Modules()*k.Modules())
		}
		corners := k.Corners()
		for i, p := range corners {
			q := corners[(i+1)%4]
			if side := math.Hypot(p[0]-q[0], p[1]-q[1]); c.Tilt == 0 && math.Abs(side-c.Pitch*float64(k.Modules())) > 1e-6 {
				t.Errorf("%+v: side %d is %.3f pixels", c, i, side)
			}
		}
	}
}

func TestSweepsHoldWhatTheySay(t *testing.T) {
	all, err := Sweeps(3)
	if err != nil {
		t.Fatal(err)
	}
	if len(all) != 1080 {
		t.Fatalf("%d cases, want 1080", len(all))
	}
	for _, c := range all {
		if len(c.Text) != 311 || !c.InView(0) {
			t.Errorf("%s %g: %d characters, in view %v", c.Set, c.Level, len(c.Text), c.InView(0))
		}
	}
}

func BenchmarkRender(b *testing.B) {
	cases, err := Mix(1, 20)
	if err != nil {
		b.Fatal(err)
	}
	g := new(image.Gray)
	n := 0
	for b.Loop() {
		cases[n%len(cases)].Render(g)
		n++
	}
}
