package qr

import (
	"fmt"
	"image"
	"time"
)

// Symbol is one code that was read.
type Symbol struct {
	// Bytes is the content as encoded: a byte segment's bytes unchanged, numeric and
	// alphanumeric segments as ASCII, kanji as Shift JIS.
	Bytes []byte
	// Text is the content as text. Without a declared character set it is Bytes
	// where those are valid UTF-8, else a guess.
	Text string
	// Corners are the outer corners of the symbol without its quiet zone, in the
	// picture's pixels: top left, top right, bottom right, bottom left as the symbol
	// itself counts them. They may lie outside the picture.
	Corners [4]image.Point
	// Version is 1 … 40; the symbol has 17 + 4·Version modules a side.
	Version int
	// Level of error correction: 'L', 'M', 'Q' or 'H'.
	Level byte
	// Inverted: light modules on a dark ground, as in a phone's dark mode.
	Inverted bool
	// Mirrored: seen as in a mirror.
	Mirrored bool
}

// Options tunes a Decoder. The zero value reads one symbol a picture.
type Options struct {
	// Max is how many symbols of one picture to look for; 0 means 1. Looking for
	// several takes longer where there are none.
	Max int
	// Thorough looks at single pictures rather than at frames of a stream: each row
	// is searched, every kind of search is tried and the budget is ten times as long.
	Thorough bool
	// DarkOnLight reads no inverted codes.
	DarkOnLight bool
	// Stream says that the pictures are successive frames of one camera. Then a symbol
	// is looked for first where the last one was, frames in which nothing has moved
	// are not searched again and again, and what a frame shows of a symbol that
	// could not be read is added to what earlier ones showed.
	Stream bool
	// Budget is how long Decode may take for a picture of up to 1920×1080 pixels, in proportion for a
	// larger one, whatever it shows; of a stream, the next frames go on where it ended. 0 means 25 ms, or, where
	// this machine is so slow that it would hardly read anything in that, twelve times what its
	// first step takes for 1280×720 pixels.
	Budget time.Duration
	// Now measures the budget and the age of evidence; nil means time.Now.
	Now func() time.Time
}

// Decoder reads symbols. It keeps work buffers and is used by one goroutine at a time.
type Decoder struct {
	opts      Options
	began     time.Time
	until     time.Time
	spent     bool          // it is later than until
	paced     bool          // the budget may follow the machine's pace:
	pace      time.Duration // the least that preparing 1280×720 pixels has taken
	preparing time.Duration // how long this picture has
	resume    int           // the first search that the last frame had no time for
	turn      int           // frames so far: which of the slower searches begins

	size        [2]int // of the pictures that memory is reserved for
	planes      [levels]plane
	memory      [levels][]byte // of the planes above level 0
	marks       [levels]thresholds
	smooth      [levels]plane
	across      plane // one of these with rows and columns exchanged
	turnedMarks thresholds
	row         []byte
	scanner     scanner
	finders     []finder
	triples     []triple
	tried       []grid
	pairs       []pair

	layouts *[41]*layout
	matches []match
	warp    warp
	modules modules
	words   codewords
	bytes   []byte
	symbols []Symbol

	seen    [2]evidence
	fused   bool
	trail   trail
	past    []finder // of the last frame
	still   still
	patches patches
	course  course
	glow    habit // what is white
	murk    habit // what is dimly patterned
	finding Finding
	best    grid    // the best located symbol of the picture …
	sure    bool    // … whether its format information could be read …
	fault   Finding // … and what it suffers from

	last      Symbol // newest content, so that the same one takes no new memory
	lastPlain bool
}

// New makes a Decoder.
func New(o Options) *Decoder {
	if o.Max < 1 {
		o.Max = 1
	}
	paced := o.Budget <= 0
	if paced {
		o.Budget = defaultBudget
	}
	if o.Thorough {
		o.Budget *= thoroughly
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &Decoder{
		opts:    o,
		paced:   paced,
		layouts: layouts(),
		finders: make([]finder, 0, 2*maxFinders),
		triples: make([]triple, 0, maxTriples),
		tried:   make([]grid, 0, maxTriples),
		matches: make([]match, 0, maxMatches),
		past:    make([]finder, 0, maxFollowed),
		pairs:   make([]pair, 0, maxPairs),
		symbols: make([]Symbol, 0, o.Max),
		bytes:   make([]byte, 0, maxContent),
	}
	d.modules.reserve()
	d.words.reserve()
	if o.Stream {
		for i := range d.seen {
			d.seen[i].reserve()
		}
	}
	return d
}

// thoroughly is how many budgets a picture is worth that is looked at thoroughly.
const thoroughly = 10

const (
	maxSide = 1 << 14 // bounds a picture's sides, so that no index overflows
	minSide = 21      // pixels: version 1 at one pixel a module
)

// Decode returns the symbols found in g, which it does not change or keep. No
// symbol is an empty slice and a nil error; an error means that g is not a
// picture (its Pix is shorter than its Rect and Stride say, or a side is above
// 16384 pixels) or that the decoder itself failed on it, and is of this picture only.
// The slice is the Decoder's own and good until the next Decode; the symbols in it may be kept.
func (d *Decoder) Decode(g *image.Gray) (symbols []Symbol, err error) {
	w, h := g.Rect.Dx(), g.Rect.Dy()
	if w <= 0 || h <= 0 {
		return nil, nil
	}
	if w > maxSide || h > maxSide {
		return nil, fmt.Errorf("picture of %d×%d pixels is too large, use at most %d a side", w, h, maxSide)
	}
	if g.Stride < w || (h-1)*g.Stride+w > len(g.Pix) {
		return nil, fmt.Errorf("picture of %d×%d pixels has stride %d and only %d bytes", w, h, g.Stride, len(g.Pix))
	}
	if w < minSide || h < minSide {
		return nil, nil
	}
	defer guard(&err)
	d.look(plane{g.Pix, w, h, g.Stride})
	for i := range d.symbols {
		for k := range d.symbols[i].Corners {
			d.symbols[i].Corners[k] = d.symbols[i].Corners[k].Add(g.Rect.Min)
		}
	}
	return d.symbols, nil
}

// guard turns a panic into an error of this one picture: a kiosk must outlive
// whatever is held before it.
func guard(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("qr decoder failed on this picture: %v", r)
	}
}
