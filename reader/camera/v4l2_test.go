package camera

import (
	"bytes"
	"context"
	"errors"
	"image"
	"image/jpeg"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// driver is a device whose filled buffers are given; it keeps count of what is lent out.
type driver struct {
	filled [][]byte
	lent   map[uint32]bool
	next   uint32
	err    error // once nothing is filled
	closed bool
}

func (d *driver) WaitForFrame(uint32) error {
	if len(d.filled) == 0 && d.err == nil {
		return errTimeout
	}
	return nil
}

func (d *driver) GetFrame() ([]byte, uint32, error) {
	if len(d.filled) == 0 {
		if d.err != nil {
			return nil, 0, d.err
		}
		return nil, 0, syscall.EAGAIN
	}
	data := d.filled[0]
	d.filled = d.filled[1:]
	d.next++
	d.lent[d.next] = true
	return data, d.next, nil
}

func (d *driver) ReleaseFrame(i uint32) error {
	if !d.lent[i] {
		return errors.New("released twice")
	}
	delete(d.lent, i)
	return nil
}

func (d *driver) Close() error { d.closed = true; return nil }

func TestV4L2TakesTheNewestAndGivesAllBack(t *testing.T) {
	d := &driver{lent: map[uint32]bool{}, filled: [][]byte{{1, 1}, {2, 2}, {3, 3}}}
	v := &v4l2{path: "/dev/video9", dev: d, layout: layout{formatGrey, 2, 1, 2}}
	g := new(image.Gray)
	if err := v.Grab(t.Context(), g); err != nil || g.Pix[0] != 3 {
		t.Errorf("picture %v, error %v; want the third", g.Pix, err)
	}
	if len(d.lent) != 0 {
		t.Errorf("%d buffers were not given back", len(d.lent))
	}

	d.filled = [][]byte{{9}}
	if err := v.Grab(t.Context(), g); !errors.Is(err, ErrBadFrame) || errors.Is(err, ErrUnplugged) || len(d.lent) != 0 {
		t.Errorf("short frame: %v", err)
	}
	d.filled = [][]byte{{4, 4}}
	if err := v.Grab(t.Context(), g); err != nil || g.Pix[0] != 4 {
		t.Errorf("after a short frame: picture %v, error %v", g.Pix, err)
	}

	d.err = syscall.ENODEV
	if err := v.Grab(t.Context(), g); !errors.Is(err, ErrUnplugged) || !strings.Contains(err.Error(), "/dev/video9") {
		t.Errorf("unplugged: %v", err)
	}
	v.Close()
	v.Close()
	if err := v.Grab(t.Context(), g); !errors.Is(err, ErrUnplugged) || !d.closed {
		t.Errorf("after Close: %v", err)
	}
}

func TestV4L2NothingComes(t *testing.T) {
	v := &v4l2{dev: &driver{lent: map[uint32]bool{}}, layout: layout{formatGrey, 2, 1, 2}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := v.Grab(ctx, new(image.Gray)); !errors.Is(err, context.Canceled) {
		t.Errorf("Grab: %v", err)
	}
}

// TestV4L2FormatChanged: v4l2loopback says 640×480 until its writer comes with something else.
func TestV4L2FormatChanged(t *testing.T) {
	d := &driver{lent: map[uint32]bool{}}
	v := &v4l2{dev: d, layout: layout{formatYUYV, 640, 480, 1280}}
	for i := 1; i <= mismatches; i++ {
		d.filled = [][]byte{make([]byte, 1280*720*2)}
		err := v.Grab(t.Context(), new(image.Gray))
		if last := i == mismatches; errors.Is(err, ErrUnplugged) != last || errors.Is(err, ErrBadFrame) == last {
			t.Errorf("mismatch %d: %v", i, err)
		}
	}
}

func TestUnpack(t *testing.T) {
	for _, tt := range []struct {
		name   string
		layout layout
		data   []byte
		want   []byte // nil: bad frame
	}{
		{"grey", layout{formatGrey, 2, 2, 2}, []byte{1, 2, 3, 4}, []byte{1, 2, 3, 4}},
		{"grey, padded rows", layout{formatGrey, 2, 2, 4}, []byte{1, 2, 0, 0, 3, 4, 0, 0}, []byte{1, 2, 3, 4}},
		{"grey, last row not padded", layout{formatGrey, 2, 2, 4}, []byte{1, 2, 0, 0, 3, 4}, []byte{1, 2, 3, 4}},
		{"yuyv", layout{formatYUYV, 2, 2, 4}, []byte{1, 128, 2, 128, 3, 128, 4, 128}, []byte{1, 2, 3, 4}},
		{"yuyv, odd width", layout{formatYUYV, 3, 1, 8}, []byte{1, 128, 2, 128, 3, 128, 0, 0}, []byte{1, 2, 3}},
		{"yuyv, page of padding", layout{formatYUYV, 2, 1, 4}, append([]byte{1, 128, 2, 128}, make([]byte, slack)...), []byte{1, 2}},
		{"short", layout{formatYUYV, 2, 2, 4}, []byte{1, 128, 2, 128, 3, 128, 4}, nil},
		{"empty", layout{formatGrey, 2, 2, 2}, nil, nil},
		{"far too long", layout{formatGrey, 2, 2, 2}, make([]byte, slack+5), nil},
		{"rows shorter than pixels", layout{formatYUYV, 4, 1, 4}, make([]byte, 8), nil},
		{"no jpeg", layout{format: formatMJPEG}, []byte("\xff\xd8\xff"), nil},
		{"yuyv said to be jpeg", layout{format: formatMJPEG}, make([]byte, 1000), nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			g := new(image.Gray)
			err := tt.layout.unpack(g, tt.data)
			if tt.want == nil {
				if !errors.Is(err, ErrBadFrame) {
					t.Errorf("error %v, want a bad frame", err)
				}
				return
			}
			if err != nil || !bytes.Equal(g.Pix, tt.want) {
				t.Errorf("%v, error %v; want %v", g.Pix, err, tt.want)
			}
		})
	}
}

// mjpeg is a colour JPEG as a camera sends it, with or without its Huffman tables.
func mjpeg(t testing.TB, w, h int, tables bool) []byte {
	t.Helper()
	m := image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio422)
	for i := range m.Y {
		m.Y[i] = byte(40 + i%w)
	}
	for i := range m.Cb {
		m.Cb[i], m.Cr[i] = 90, 160
	}
	var b bytes.Buffer
	if err := jpeg.Encode(&b, m, &jpeg.Options{Quality: 95}); err != nil {
		t.Fatal(err)
	}
	if tables {
		return b.Bytes()
	}
	dht := standardTables()
	out := bytes.Replace(b.Bytes(), dht, nil, 1)
	if len(dht) < 400 || len(out) != b.Len()-len(dht) {
		t.Fatalf("the tables (%d bytes) were not found", len(dht))
	}
	return out
}

func TestUnpackMJPEG(t *testing.T) {
	l := layout{format: formatMJPEG}
	for _, tables := range []bool{true, false} {
		g := new(image.Gray)
		file := mjpeg(t, 64, 16, tables)
		data := append(file[:len(file):len(file)], make([]byte, 300)...) // drivers pad
		if err := l.unpack(g, data); err != nil {
			t.Errorf("tables %v: %v", tables, err)
			continue
		}
		for i, v := range g.Pix {
			if d := int(v) - (40 + i%64); d < -6 || d > 6 {
				t.Fatalf("tables %v: pixel %d is %d, want about %d", tables, i, v, 40+i%64)
			}
		}
		if err := l.unpack(g, file[:len(file)-30]); !errors.Is(err, ErrBadFrame) {
			t.Errorf("tables %v, cut off: %v", tables, err)
		}
	}
}

func FuzzUnpack(f *testing.F) {
	f.Add(uint8(0), 4, 2, 8, []byte{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16})
	f.Add(uint8(1), 3, 1, 7, []byte{1, 2, 3, 4, 5, 6})
	f.Add(uint8(2), 8, 8, 0, mjpeg(f, 8, 8, true))
	f.Add(uint8(2), 8, 8, 0, mjpeg(f, 8, 8, false))
	f.Fuzz(func(t *testing.T, format uint8, w, h, stride int, data []byte) {
		if w < 1 || h < 1 || w > 512 || h > 512 || stride < 0 || stride > 4096 {
			return
		}
		// A small file may ask for a large picture; the bound holds, but the fuzzer need not pay for it.
		if c, err := jpeg.DecodeConfig(bytes.NewReader(data)); err == nil && c.Width*c.Height > 1<<18 {
			return
		}
		l := layout{[]fourCC{formatGrey, formatYUYV, formatMJPEG}[format%3], w, h, stride}
		g := new(image.Gray)
		if err := l.unpack(g, data); err == nil && len(g.Pix) != g.Rect.Dx()*g.Rect.Dy() {
			t.Errorf("%d pixels in %v", len(g.Pix), g.Rect)
		}
	})
}

func TestChoose(t *testing.T) {
	one := func(w, h int, fps float64) sizes { return sizes{w, w, 0, h, h, 0, fps} }
	// A usual USB camera: raw is slow at full size.
	webcam := []offer{
		{formatMJPEG, []sizes{one(1920, 1080, 30), one(1280, 720, 30), one(640, 480, 30)}},
		{formatYUYV, []sizes{one(1280, 720, 10), one(640, 480, 30)}},
		{fourcc("H264"), []sizes{one(1280, 720, 30)}},
	}
	for _, tt := range []struct {
		name      string
		offers    []offer
		w, h, fps int
		want      wish
	}{
		{"compressed where raw is too slow", webcam, 1280, 720, 30, wish{formatMJPEG, 1280, 720}},
		{"raw where it keeps up", webcam, 1280, 720, 10, wish{formatYUYV, 1280, 720}},
		{"raw at a small size", webcam, 640, 480, 30, wish{formatYUYV, 640, 480}},
		{"nearest size", webcam, 1000, 600, 10, wish{formatYUYV, 1280, 720}},
		{"grey first", []offer{{formatYUYV, []sizes{one(640, 480, 0)}}, {formatGrey, []sizes{one(640, 480, 0)}}}, 640, 480, 30, wish{formatGrey, 640, 480}},
		{"steps", []offer{{formatYUYV, []sizes{{32, 2592, 16, 32, 1944, 2, 30}}}}, 1283, 721, 30, wish{formatYUYV, 1280, 722}},
		{"driver says no sizes", []offer{{formatYUYV, nil}}, 1280, 720, 30, wish{formatYUYV, 1280, 720}},
		{"continuous", []offer{{formatYUYV, []sizes{{}}}}, 800, 600, 30, wish{formatYUYV, 800, 600}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := choose(tt.offers, tt.w, tt.h, tt.fps)
			if len(got) == 0 || !cmp.Equal(got[0], tt.want, cmp.AllowUnexported(wish{})) {
				t.Errorf("%v, want %v first", got, tt.want)
			}
		})
	}
	if got := choose([]offer{{fourcc("H264"), []sizes{one(640, 480, 30)}}}, 640, 480, 30); len(got) != 0 {
		t.Errorf("an unknown format was chosen: %v", got)
	}
}

func BenchmarkUnpackYUYV720p(b *testing.B) {
	l, data, g := layout{formatYUYV, 1280, 720, 2560}, make([]byte, 1280*720*2), new(image.Gray)
	b.ReportAllocs()
	for b.Loop() {
		if err := l.unpack(g, data); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkUnpackMJPEG720p(b *testing.B) {
	l, data, g := layout{format: formatMJPEG}, mjpeg(b, 1280, 720, true), new(image.Gray)
	b.ReportAllocs()
	for b.Loop() {
		if err := l.unpack(g, data); err != nil {
			b.Fatal(err)
		}
	}
}
