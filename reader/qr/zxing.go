package qr

import (
	"fmt"
	"image"
	"math"
	"unicode/utf8"

	"github.com/makiuchi-d/gozxing"
	"github.com/makiuchi-d/gozxing/common"
	multi "github.com/makiuchi-d/gozxing/multi/qrcode/detector"
	"github.com/makiuchi-d/gozxing/qrcode/decoder"
	"github.com/makiuchi-d/gozxing/qrcode/detector"
)

// zxing finds and decodes with gozxing. Nothing of gozxing leaves this file.
type zxing struct {
	max     int
	hints   map[gozxing.DecodeHintType]any
	decoder *decoder.Decoder
}

func newZxing(o Options) *zxing {
	z := &zxing{max: o.Max, decoder: decoder.NewDecoder()}
	if o.Thorough {
		z.hints = map[gozxing.DecodeHintType]any{gozxing.DecodeHintType_TRY_HARDER: true}
	}
	return z
}

func (z *zxing) read(luma []byte, w, h int) (out []Symbol, err error) {
	defer guard(&err)
	matrix, err := gozxing.NewHybridBinarizer(&lumaSource{gozxing.LuminanceSourceBase{Width: w, Height: h}, luma}).GetBlackMatrix()
	if err != nil {
		return nil, nil // too little contrast to have a threshold
	}
	for _, info := range z.find(matrix) {
		if s, ok := z.decode(matrix, info); ok {
			out = append(out, s)
			if len(out) == z.max {
				break
			}
		}
	}
	return out, nil
}

// find returns triples of finder patterns; gozxing's errors here all mean that there is none.
func (z *zxing) find(matrix *gozxing.BitMatrix) []*detector.FinderPatternInfo {
	if z.max > 1 {
		infos, err := multi.NewMultiFinderPatternFinder(matrix, nil).FindMulti(z.hints)
		if err != nil {
			return nil
		}
		return infos
	}
	info, err := detector.NewFinderPatternFinder(matrix, nil).Find(z.hints)
	if err != nil {
		return nil
	}
	return []*detector.FinderPatternInfo{info}
}

// decode samples the symbol between three finder patterns and decodes it. Where
// gozxing's own estimate of the dimension leads nowhere, the neighbouring
// versions are tried: it measures whole pixels and errs from version 10 or so
// on, and error correction is cheap beside the search.
func (z *zxing) decode(matrix *gozxing.BitMatrix, info *detector.FinderPatternInfo) (Symbol, bool) {
	tried := 0
	if found, err := detector.NewDetector(matrix).ProcessFinderPatternInfo(info); err == nil {
		if result, err := z.decoder.Decode(found.GetBits(), z.hints); err == nil {
			return symbol(found, result), true
		}
		tried = found.GetBits().GetWidth()
	}
	middle := dimension(info)
	for _, side := range [...]int{middle, middle - 4, middle + 4} {
		if side == tried || side < 21 || side > 177 {
			continue
		}
		found, ok := sample(matrix, info, side)
		if !ok {
			continue
		}
		if result, err := z.decoder.Decode(found.GetBits(), z.hints); err == nil {
			return symbol(found, result), true
		}
	}
	return Symbol{}, false
}

// dimension is the number of modules a side that fits best: the centres of the
// finder patterns are 7 modules less apart.
func dimension(info *detector.FinderPatternInfo) int {
	tl, tr, bl := info.GetTopLeft(), info.GetTopRight(), info.GetBottomLeft()
	module := (tl.GetEstimatedModuleSize() + tr.GetEstimatedModuleSize() + bl.GetEstimatedModuleSize()) / 3
	side := (gozxing.ResultPoint_Distance(tl, tr)+gozxing.ResultPoint_Distance(tl, bl))/2/module + 7
	return 4*int(math.Round((side-17)/4)) + 17
}

// sample reads the modules of a symbol of side modules whose finder patterns are info.
func sample(matrix *gozxing.BitMatrix, info *detector.FinderPatternInfo, side int) (*common.DetectorResult, bool) {
	tl, tr, bl := info.GetTopLeft(), info.GetTopRight(), info.GetBottomLeft()
	points := []gozxing.ResultPoint{bl, tl, tr}
	last := lastAlignment(matrix, info, side)
	if last != nil {
		points = append(points, last)
	}
	transform := detector.Detector_createTransform(tl, tr, bl, last, side)
	bits, err := detector.Detector_sampleGrid(matrix, transform, side)
	if err != nil {
		return nil, false
	}
	return common.NewDetectorResult(bits, points), true
}

// lastAlignment looks for the alignment pattern nearest the corner that has no
// finder pattern, in ever larger squares around where a parallelogram would put it.
func lastAlignment(matrix *gozxing.BitMatrix, info *detector.FinderPatternInfo, side int) *detector.AlignmentPattern {
	if side < 25 { // version 1 has none
		return nil
	}
	tl, tr, bl := info.GetTopLeft(), info.GetTopRight(), info.GetBottomLeft()
	k := 1 - 3/float64(side-7)
	x := tl.GetX() + k*(tr.GetX()+bl.GetX()-2*tl.GetX())
	y := tl.GetY() + k*(tr.GetY()+bl.GetY()-2*tl.GetY())
	module := (gozxing.ResultPoint_Distance(tl, tr) + gozxing.ResultPoint_Distance(tl, bl)) / 2 / float64(side-7)
	for reach := 4.0; reach <= 16; reach *= 2 {
		r := int(reach * module)
		area := image.Rect(int(x)-r, int(y)-r, int(x)+r, int(y)+r).Intersect(image.Rect(0, 0, matrix.GetWidth()-1, matrix.GetHeight()-1))
		if float64(min(area.Dx(), area.Dy())) < 3*module {
			continue
		}
		finder := detector.NewAlignmentPatternFinder(matrix, area.Min.X, area.Min.Y, area.Dx(), area.Dy(), module, nil)
		if p, err := finder.Find(); err == nil {
			return p
		}
	}
	return nil
}

// guard turns a panic of the library into an error of this one picture: gozxing
// indexes pictures without checks in places, and a kiosk must outlive whatever
// is held before it.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("qr decoder failed on this picture: %v", r)
	}
}

func symbol(found *common.DetectorResult, result *common.DecoderResult) Symbol {
	side := found.GetBits().GetWidth()
	s := Symbol{
		Version: (side - 17) / 4,
		Text:    result.GetText(),
	}
	if l := result.GetECLevel(); l != "" {
		s.Level = l[0]
	}
	if meta, ok := result.GetOther().(*decoder.QRCodeDecoderMetaData); ok {
		s.Mirrored = meta.IsMirrored()
	}
	bytes, plain, err := content(result.GetRawBytes(), s.Version)
	if err != nil {
		bytes = []byte(s.Text)
	} else if plain && utf8.Valid(bytes) {
		s.Text = string(bytes)
	}
	s.Bytes = bytes
	s.Corners = corners(found.GetPoints(), float64(side), s.Mirrored)
	return s
}

// corners extends the finder patterns' centres to the symbol's outline. points
// are bottom left, top left, top right and, where one was found, the last
// alignment pattern.
func corners(points []gozxing.ResultPoint, side float64, mirrored bool) (out [4]image.Point) {
	if len(points) < 3 {
		return out
	}
	bl, tl, tr := points[0], points[1], points[2]
	far := side - 3.5
	brX, brY, at := tr.GetX()-tl.GetX()+bl.GetX(), tr.GetY()-tl.GetY()+bl.GetY(), far
	if len(points) > 3 {
		brX, brY, at = points[3].GetX(), points[3].GetY(), side-6.5
	}
	m := common.PerspectiveTransform_QuadrilateralToQuadrilateral(
		3.5, 3.5, far, 3.5, at, at, 3.5, far,
		tl.GetX(), tl.GetY(), tr.GetX(), tr.GetY(), brX, brY, bl.GetX(), bl.GetY())
	p := []float64{0, 0, side, 0, side, side, 0, side}
	m.TransformPoints(p)
	for i := range out {
		out[i] = image.Pt(toPixel(p[2*i]), toPixel(p[2*i+1]))
	}
	if mirrored { // the finder patterns were told apart as if it were not
		out[1], out[3] = out[3], out[1]
	}
	return out
}

// toPixel rounds; a degenerate outline (NaN, far away) stays within int32.
func toPixel(v float64) int {
	if math.IsNaN(v) {
		return 0
	}
	return int(math.Round(math.Max(-4*maxSide, math.Min(4*maxSide, v))))
}

// lumaSource lends a picture's own bytes to gozxing: no copy, no colour conversion.
type lumaSource struct {
	gozxing.LuminanceSourceBase
	luma []byte
}

func (s *lumaSource) GetRow(y int, row []byte) ([]byte, error) {
	if y < 0 || y >= s.Height {
		return row, fmt.Errorf("row %d is outside the picture", y)
	}
	if len(row) < s.Width {
		row = make([]byte, s.Width)
	}
	copy(row, s.luma[y*s.Width:(y+1)*s.Width])
	return row, nil
}

func (s *lumaSource) GetMatrix() []byte               { return s.luma }
func (s *lumaSource) Invert() gozxing.LuminanceSource { return gozxing.LuminanceSourceInvert(s) }
func (s *lumaSource) String() string                  { return gozxing.LuminanceSourceString(s) }
