package display

import (
	"errors"
	"image"
	"image/draw"
	"math"
	"time"
)

// Options choose how a Painter draws.
type Options struct {
	// Langs are the languages, the first one large and the second beside it. Where
	// there are more, the others take turns in the second's place. Nil means
	// Korean and English.
	Langs []string
	// Texts is a folder with a file LANG.toml for each further language, or
	// instead of a built-in one; "" for none. TEXTS.md says what stands in it.
	Texts string
	// Diagonal is the screen's, in inches, from which the height of the letters
	// follows; 0 means what the panel itself says, or, where it says nothing, a
	// height in proportion to the picture.
	Diagonal float64
	// Staff are panels that show the staff's field and nothing else. Where there
	// is one, no other panel shows it. A Painter ignores them.
	Staff []Opener
}

// Painter draws states. It keeps fonts, texts, glyphs and line breaks, so a
// redraw costs milliseconds and, of a live picture, no memory. It is not safe
// for use by several goroutines.
type Painter struct {
	langs   []*language
	faces   []*typeface // of each language
	palette palette
	// inches is the screen's diagonal, 0 if nobody knows it.
	inches    float64
	staffOnly bool

	frame frame
	pages map[pageKey]page
	masks map[maskKey]*image.Alpha
	lens  lens
	buf   []byte // a text being put together

	drawn  *image.RGBA // what Update drew on last; nil: it starts anew
	last   sight
	strip  stripView
	damage []image.Rectangle
}

type maskKey struct {
	shape *symbol
	size  int
	disc  bool
}

// sight is what a picture shows, but for the live picture and the strip.
type sight struct {
	page  pageKey
	flash bool
	field bool // the staff's field is there
	staff Staff
}

// NewPainter parses fonts and texts.
func NewPainter(o Options) (*Painter, error) {
	if o.Langs == nil {
		o.Langs = []string{"ko", "en"}
	}
	if len(o.Langs) == 0 {
		return nil, errors.New("screen.languages is empty: give one or more, the large one first")
	}
	var langs []*language
	for _, name := range o.Langs {
		l, err := loadLanguage(name, o.Texts)
		if err != nil {
			return nil, err
		}
		langs = append(langs, l)
	}
	return newPainter(langs, o.Diagonal), nil
}

func newPainter(langs []*language, inches float64) *Painter {
	p := &Painter{
		langs: langs, palette: newPalette(), inches: inches,
		pages: map[pageKey]page{}, masks: map[maskKey]*image.Alpha{},
	}
	for _, l := range langs {
		p.faces = append(p.faces, newTypeface(l.fonts...))
	}
	return p
}

// Words are what the screen says in s, for a screen reader: each language's
// headline and next step.
func (p *Painter) Words(s State) string {
	var out string
	for _, l := range p.langs {
		w := l.words.Scene[s.Scene]
		if w == nil {
			continue
		}
		if out != "" {
			out += " "
		}
		if h := l.words.Hint[s.Hint]; h != nil && s.Scene.hinted() {
			out += h.Say + "."
			continue
		}
		out += w.say(s.Seconds) + ". "
		if s.Scene.named() && s.Words != "" {
			out += s.Registry + ". " + s.Words + ". "
		}
		out += w.Next + "."
	}
	return out
}

// Draw paints s over all of dst: the same state is always the same picture. An
// unknown scene is drawn as Wait.
func (p *Painter) Draw(dst *image.RGBA, s State) {
	p.drawn = nil
	p.Update(dst, s)
}

// Update paints s over what the last Update painted on the same dst, and returns
// the parts that it touched; they are valid until the next Update. The picture is
// the one that Draw would have made.
func (p *Painter) Update(dst *image.RGBA, s State) []image.Rectangle {
	if dst.Rect.Size() != p.frame.size {
		p.fit(dst.Rect.Size())
	}
	if p.frame.size.X < 64 || p.frame.size.Y < 32 {
		return nil // too small for any word
	}
	now := p.sight(s)
	strip := stripOf(s.Status)
	p.damage = p.damage[:0]
	whole := p.drawn != dst || now != p.last || p.frame.small && strip != p.strip
	if whole {
		p.drawn, p.last, p.strip = dst, now, strip
		p.damage = append(p.damage, dst.Rect)
		p.stage(dst, s, now)
	}
	if now.page.live {
		box := p.page(now.page).picture
		p.camera(dst, box, s, p.tone(now).back)
		if now.page.field {
			p.corner(dst, s.Staff)
		}
		if !whole {
			p.damage = append(p.damage, box)
		}
	}
	if whole || strip != p.strip {
		p.strip = strip
		p.lights(dst, strip)
		if !whole {
			p.damage = append(p.damage, p.frame.strip)
		}
	}
	return p.damage
}

// Turns is over how many pages the languages of s take turns.
func (p *Painter) Turns(s State) int { return max(1, p.page(p.sight(s).page).turns) }

func (p *Painter) sight(s State) sight {
	if p.langs[0].words.Scene[s.Scene] == nil {
		s.Scene = Wait
	}
	v := sight{page: pageKey{scene: s.Scene, turn: s.Turn}, flash: s.Flash}
	if s.Staff != nil && (s.StaffOpen || p.staffOnly) {
		v.field, v.staff, v.page.field = true, *s.Staff, !p.frame.small
	}
	if p.staffOnly {
		v.page, v.flash = pageKey{}, false
		return v
	}
	if s.Scene == NotYetValid {
		v.page.seconds = s.Seconds
	}
	if s.Scene.named() {
		v.page.registry, v.page.words = s.Registry, s.Words
	}
	if s.Hint.shape() != nil && s.Scene.hinted() {
		v.page.hint = s.Hint
	}
	if p.frame.small {
		_, v.page.trouble = p.worst(stripOf(s.Status))
	}
	v.page.live = !p.frame.small && s.Scene.Live() && s.Camera != nil && !s.Camera.Rect.Empty()
	return v
}

// named says whether Registry and Words belong to a scene.
func (s Scene) named() bool { return s == EnrolConfirm || s == OwnersPage }

// hinted says whether hints belong to a scene.
func (s Scene) hinted() bool { return s == Idle || s == Seen }

func (p *Painter) tone(v sight) tone {
	t := p.palette.tone(v.page.scene)
	if p.frame.small {
		t = p.palette.mono
	}
	if v.flash {
		t = t.flashed()
	}
	return t
}

// stage paints everything but the live picture and the strip.
func (p *Painter) stage(dst *image.RGBA, s State, v sight) {
	if p.staffOnly {
		p.field(dst, s.Staff)
		return
	}
	t := p.tone(v)
	draw.Draw(dst, dst.Rect, t.back, image.Point{}, draw.Src)
	g := p.page(v.page)
	ink := t.ink
	if !g.card.Empty() {
		p.card(dst, g.card, p.palette.next.back)
		ink = p.palette.next.ink
		p.symbol(dst, g.icon, v.page.hint.shape(), false, ink)
	}
	if !v.page.live && !g.picture.Empty() {
		shape := v.page.scene.shape()
		if v.page.hint != NoHint && p.frame.small {
			shape = v.page.hint.shape()
		}
		p.symbol(dst, g.picture, shape, !p.frame.small, t.ink)
	}
	for _, l := range g.lines {
		p.faces[l.lang].draw(dst, l.at, l.size, ink, l.text)
	}
	if v.page.trouble {
		p.trouble(dst, stripOf(s.Status), t.ink)
	}
	if v.page.field {
		p.corner(dst, s.Staff)
	}
}

// symbol draws a pictogram, as a disc or plainly, in the middle of in.
func (p *Painter) symbol(dst *image.RGBA, in image.Rectangle, s *symbol, disc bool, ink *image.Uniform) {
	size := min(in.Dx(), in.Dy())
	key := maskKey{s, size, disc}
	mask := p.masks[key]
	if mask == nil {
		if mask = s.mask(size); disc {
			mask = s.disc(size)
		}
		p.masks[key] = mask
	}
	at := in.Min.Add(image.Pt((in.Dx()-size)/2, (in.Dy()-size)/2))
	draw.DrawMask(dst, mask.Rect.Add(at), ink, image.Point{}, mask, image.Point{}, draw.Over)
}

// frame is what follows from a picture's size alone.
type frame struct {
	size         image.Point
	stage, strip image.Rectangle
	rows         int  // of the strip
	stripText    int  // its letters, pixels an em
	margin       int  // around the stage's parts
	ink          int  // least height of a visitor's letters, pixels
	small        bool // a panel as small as a stamp: few words, no colours
	live         int  // share of the live picture, percent
}

// What a letter measures at least. KS X 9211 asks for 12 mm, and for 7.25 mm
// where the screen's diagonal is 280 mm or less. The strip is for whoever looks
// after the kiosk, from 60 cm: 16 minutes of arc (ISO 9241-303).
const (
	largeScreen            = 280.0 // mm
	largeText, normalText  = 12.0, 7.25
	stripText              = 2.8
	unknownText, stripPart = 1 / 17.0, 1 / 42.0 // of the shorter side, where nobody knows the size
)

// resize is told the screen's diagonal in inches; 0 if nobody knows it.
func (p *Painter) resize(inches float64) {
	if p.inches != inches {
		p.inches, p.frame = inches, frame{}
	}
}

// fit lays out for another size.
func (p *Painter) fit(size image.Point) {
	clear(p.pages)
	clear(p.masks)
	for _, f := range p.faces {
		f.forget()
	}
	p.drawn = nil
	short := float64(min(size.X, size.Y))
	ink, strip := short*unknownText, short*stripPart
	if p.inches > 0 {
		millimetres := p.inches * 25.4
		pixel := millimetres / math.Hypot(float64(size.X), float64(size.Y))
		if ink = normalText / pixel; millimetres > largeScreen {
			ink = largeText / pixel
		}
		strip = max(strip, stripText/pixel)
	}
	f := frame{size: size, ink: int(math.Ceil(ink)), margin: max(2, min(size.X, size.Y)/20)}
	f.small = min(size.X, size.Y) < 100
	f.stripText = max(10, int(math.Ceil(strip/p.langs[0].height)))
	bounds := image.Rectangle{Max: size}
	f.stage, f.strip = bounds, bounds
	p.frame = f
	if f.small || p.staffOnly {
		return
	}
	p.frame.rows = p.stripRows(size.X)
	p.frame.strip.Min.Y = size.Y - p.frame.rows*f.stripText*9/5 - f.stripText/5
	p.frame.stage.Max.Y = p.frame.strip.Min.Y
	p.frame.live = p.liveShare()
}

// hours is a whole number of them.
func hours(d time.Duration) int { return int(d / time.Hour) }
