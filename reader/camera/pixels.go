package camera

import (
	"bytes"
	"errors"
	"fmt"
	"image"
	"image/jpeg"
	"io"
	"sync"
)

// fourCC names a pixel format as V4L2 does.
type fourCC uint32

func fourcc(s string) fourCC {
	return fourCC(s[0]) | fourCC(s[1])<<8 | fourCC(s[2])<<16 | fourCC(s[3])<<24
}

func (f fourCC) String() string {
	return fmt.Sprintf("%c%c%c%c", byte(f), byte(f>>8), byte(f>>16), byte(f>>24))
}

var (
	formatGrey  = fourcc("GREY") // 8-bit luma
	formatYUYV  = fourcc("YUYV") // 4:2:2 packed: luma in the even bytes
	formatMJPEG = fourcc("MJPG") // a JPEG file each
	formatJPEG  = fourcc("JPEG") // the same under another name
)

// layout is how a device lays a picture out in memory.
type layout struct {
	format        fourCC
	width, height int
	stride        int // bytes from row to row; unused for MJPEG
}

// slack is how much longer than its rows a raw picture may be: drivers round up to pages.
const slack = 4096

// unpack writes the luma of one device picture into dst. A picture that is
// not what the layout promises is [ErrBadFrame]: a device must not be able to
// make us read beside it or show a scrambled one.
func (l layout) unpack(dst *image.Gray, data []byte) error {
	switch l.format {
	case formatMJPEG, formatJPEG:
		return unpackJPEG(dst, data)
	case formatGrey, formatYUYV:
	default:
		return fmt.Errorf("pixel format %v: %w", l.format, ErrUnsupported)
	}
	step := 1
	if l.format == formatYUYV {
		step = 2
	}
	// The last row may come without its padding.
	need := (l.height-1)*l.stride + l.width*step
	if l.stride < l.width*step || len(data) < need || len(data) > l.height*l.stride+slack {
		return fmt.Errorf("%d bytes for %d×%d %v with rows of %d: %w", len(data), l.width, l.height, l.format, l.stride, ErrBadFrame)
	}
	resize(dst, l.width, l.height)
	for y := range l.height {
		row := dst.Pix[y*l.width:][:l.width]
		src := data[y*l.stride:]
		if step == 1 {
			copy(row, src)
			continue
		}
		src = src[:2*len(row)-1]
		for x := range row {
			row[x] = src[2*x]
		}
	}
	return nil
}

// unpackJPEG takes the luma of a motion JPEG picture, whatever its size: some
// devices send another one than they agreed to.
func unpackJPEG(dst *image.Gray, data []byte) error {
	bad := func(err error) error {
		return fmt.Errorf("MJPEG picture of %d bytes: %w: %w", len(data), err, ErrBadFrame)
	}
	sos, tables, err := scanJPEG(data)
	if err != nil {
		return bad(err)
	}
	open := func() io.Reader {
		if tables {
			return bytes.NewReader(data)
		}
		return io.MultiReader(bytes.NewReader(data[:sos]), bytes.NewReader(standardTables()), bytes.NewReader(data[sos:]))
	}
	c, err := jpeg.DecodeConfig(open())
	if err == nil {
		err = checkSize(c.Width, c.Height)
	}
	if err != nil {
		return bad(err)
	}
	img, err := jpeg.Decode(open())
	if err != nil {
		return bad(err)
	}
	switch img.(type) {
	case *image.Gray, *image.YCbCr:
		luma(dst, img)
		return nil
	}
	return bad(fmt.Errorf("colours are %T, want luma first", img))
}

// Markers of ITU-T T.81, Table B.1.
const (
	markerSOI = 0xd8
	markerDHT = 0xc4
	markerSOS = 0xda
)

// scanJPEG finds where the scan begins and whether Huffman tables came before it.
func scanJPEG(data []byte) (sos int, tables bool, err error) {
	if len(data) < 4 || data[0] != 0xff || data[1] != markerSOI {
		return 0, false, errors.New("not a JPEG file")
	}
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		switch marker := data[at+1]; marker {
		case 0xff: // fill byte
			at++
			continue
		case markerSOS:
			return at, tables, nil
		case markerDHT:
			tables = true
		}
		at += 2 + int(data[at+2])<<8 + int(data[at+3])
	}
	return 0, false, errors.New("no scan in the JPEG file")
}

// standardTables is the DHT segment that motion JPEG cameras leave out because
// everyone knows it (ITU-T T.81, K.3). The standard library's encoder writes it.
var standardTables = sync.OnceValue(func() []byte {
	var file bytes.Buffer
	if err := jpeg.Encode(&file, image.NewYCbCr(image.Rect(0, 0, 8, 8), image.YCbCrSubsampleRatio420), nil); err != nil {
		return nil // a bytes.Buffer does not fail
	}
	data := file.Bytes()
	for at := 2; at+4 <= len(data) && data[at] == 0xff; {
		n := 2 + int(data[at+2])<<8 + int(data[at+3])
		if data[at+1] == markerDHT {
			return data[at : at+n]
		}
		at += n
	}
	return nil
})
