// Command make sets the words of poster and leaflet as outlines, so that the
// issuer's server needs no font to print them: go run ./issuer/guide/make from
// the module's folder. It writes guide/poster.txt and guide/leaflet.txt, PDF
// operators (ISO 32000-1, 8.5) in points from the upper left corner of an A4
// sheet; the QR code is added by the server.
package main

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/image/font"
	"golang.org/x/image/font/sfnt"
	"golang.org/x/image/math/fixed"
)

const face = "display/font/NanumSquareB.ttf" // SIL Open Font License 1.1

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "make:", err)
		os.Exit(1)
	}
}

// line is one line of text: its left end or middle, baseline and size in points.
type line struct {
	x, y, size float64
	middle     bool
	text       string
}

var sheets = map[string]struct {
	boxes string // rectangles in colour, behind the words
	lines []line
}{
	"poster.txt": {
		"0.10 0.12 0.16 rg 0 0 595 190 re f\n0.93 0.95 0.97 rg 40 560 515 240 re f\n0.10 0.12 0.16 rg\n",
		[]line{
			{297.5, 88, 58, true, "QR 체크인"}, {297.5, 138, 21, true, "전자출입명부 · Electronic entry register"},
			{297.5, 228, 17, true, "휴대전화 카메라로 찍으면 내 QR코드가 열립니다"}, {297.5, 250, 12, true, "Scan it with your phone: your own QR code opens"},
			{64, 604, 20, false, "1  동의하고 본인확인을 합니다 (처음 한 번)"}, {88, 624, 12, false, "Agree and verify your identity, the first time only"},
			{64, 668, 20, false, "2  QR코드를 입구의 카메라에 보여 줍니다"}, {88, 688, 12, false, "Hold the QR code to the camera at the entrance"},
			{64, 732, 20, false, "3  「인증되었습니다」를 듣고 들어갑니다"}, {88, 752, 12, false, "Hear 「인증되었습니다」 and come in"},
			{297.5, 786, 11, true, "QR코드는 15초 동안 한 번만 쓸 수 있습니다 · valid once, for 15 seconds"},
			{297.5, 826, 10, true, "휴대전화가 없으면 직원에게 말씀해 주세요 · No phone? Please ask the staff"},
		},
	},
	"leaflet.txt": {
		"0.10 0.12 0.16 rg 0 0 595 120 re f\n0.10 0.12 0.16 rg\n",
		[]line{
			{40, 62, 34, false, "QR 체크인 안내"}, {40, 92, 14, false, "전자출입명부 · How to check in by QR code"},
			{40, 160, 17, false, "처음 쓸 때"}, {40, 178, 11, false, "The first time"},
			{52, 204, 13, false, "· 카카오, 네이버, PASS, 토스 가운데 하나를 고릅니다."}, {52, 226, 13, false, "· 동의 내용을 읽고 동의합니다. 동의하지 않으면 직원에게 문의해 주세요."},
			{52, 248, 13, false, "· 본인 명의의 휴대전화로 본인확인을 합니다 (문자, PASS, mOTP)."}, {52, 270, 13, false, "· 만 14세 미만은 보호자의 동의가 한 번 필요합니다."},
			{40, 312, 17, false, "들어갈 때"}, {40, 330, 11, false, "At the entrance"},
			{52, 356, 13, false, "· 화면을 밝게 하고 카메라에서 한 뼘쯤 떼어 보여 줍니다."}, {52, 378, 13, false, "· 15초가 지나면 새 QR코드가 나오거나 재시도를 누르면 됩니다."},
			{52, 400, 13, false, "· 캡처한 화면이나 빌린 QR코드는 쓸 수 없습니다."},
			{40, 442, 17, false, "내 정보"}, {40, 460, 11, false, "Your data"},
			{52, 486, 13, false, "· 시설과 등록소는 누구인지 모르며, 역학조사 때만 결합됩니다."}, {52, 508, 13, false, "· 기록은 4주 뒤에 저절로 파기됩니다 (감염병예방법 제76조의2)."},
			{52, 530, 13, false, "· 동의는 언제든지 철회할 수 있습니다."},
			{300, 700, 13, false, "휴대전화 카메라로 찍으면"}, {300, 720, 13, false, "바로 열립니다."}, {300, 742, 10, false, "Scan to open it."},
		},
	},
}

func run() error {
	data, err := os.ReadFile(face)
	if err != nil {
		return err
	}
	f, err := sfnt.Parse(data)
	if err != nil {
		return err
	}
	for name, sheet := range sheets {
		var out bytes.Buffer
		out.WriteString(sheet.boxes)
		for _, l := range sheet.lines {
			white := l.y < 190 && name == "poster.txt" || l.y < 120
			if white {
				out.WriteString("1 g\n")
			} else {
				out.WriteString("0.10 0.12 0.16 rg\n")
			}
			if err := set(&out, f, l); err != nil {
				return fmt.Errorf("%q: %w", l.text, err)
			}
		}
		if err := os.WriteFile(filepath.Join("issuer/guide", name), out.Bytes(), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// set writes a line's outlines.
func set(out *bytes.Buffer, f *sfnt.Font, l line) error {
	var b sfnt.Buffer
	ppem := fixed.Int26_6(l.size * 64)
	type glyph struct {
		index sfnt.GlyphIndex
		at    float64
	}
	var glyphs []glyph
	x := 0.0
	for _, r := range l.text {
		i, err := f.GlyphIndex(&b, r)
		if err != nil {
			return err
		}
		if i == 0 {
			return fmt.Errorf("the font has no %q", r)
		}
		width, err := f.GlyphAdvance(&b, i, ppem, font.HintingNone)
		if err != nil {
			return err
		}
		glyphs = append(glyphs, glyph{i, x})
		x += float64(width) / 64
	}
	left := l.x
	if l.middle {
		left -= x / 2
	}
	for _, g := range glyphs {
		segments, err := f.LoadGlyph(&b, g.index, ppem, nil)
		if err != nil {
			return err
		}
		if len(segments) == 0 {
			continue
		}
		var px, py float64
		at := func(p fixed.Point26_6) (float64, float64) {
			return left + g.at + float64(p.X)/64, l.y + float64(p.Y)/64
		}
		for _, s := range segments {
			x, y := at(s.Args[0])
			switch s.Op {
			case sfnt.SegmentOpMoveTo:
				fmt.Fprintf(out, "%.2f %.2f m ", x, y)
			case sfnt.SegmentOpLineTo:
				fmt.Fprintf(out, "%.2f %.2f l ", x, y)
			case sfnt.SegmentOpQuadTo: // PDF has cubic curves only
				ex, ey := at(s.Args[1])
				fmt.Fprintf(out, "%.2f %.2f %.2f %.2f %.2f %.2f c ", px+(x-px)*2/3, py+(y-py)*2/3, ex+(x-ex)*2/3, ey+(y-ey)*2/3, ex, ey)
				x, y = ex, ey
			case sfnt.SegmentOpCubeTo:
				bx, by := at(s.Args[1])
				ex, ey := at(s.Args[2])
				fmt.Fprintf(out, "%.2f %.2f %.2f %.2f %.2f %.2f c ", x, y, bx, by, ex, ey)
				x, y = ex, ey
			}
			px, py = x, y
		}
		out.WriteString("f\n")
	}
	return nil
}
