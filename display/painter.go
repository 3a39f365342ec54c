package display

import (
	"errors"
	"image"
	"image/draw"
	"strconv"
	"time"
)

// Options choose how a Painter draws.
type Options struct {
	// Langs are the languages, the first one large; nil means Korean and
	// English. At most two.
	Langs []string
}

// Painter draws states. It keeps fonts, texts, glyphs and line breaks, so a
// redraw costs milliseconds and, while Idle, no memory. It is not safe for
// use by several goroutines.
type Painter struct {
	letters *typeface
	langs   []*texts
	palette palette
	symbols map[symbolKey]*image.Alpha
	blocks  map[blockKey]block
	columns []int  // camera column of each pixel of a row, mirrored
	buf     []byte // a text being put together
}

type symbolKey struct {
	scene Scene
	size  int
}

// blockKey is what a scene's line breaks depend on.
type blockKey struct {
	scene   Scene
	seconds int
	size    image.Point
	// What a technician compares is drawn between headline and next step.
	registry, words string
}

// block is a laid-out column of centred lines.
type block struct {
	lines  []line
	height int
}

type line struct {
	text  []byte
	size  int // pixels an em
	width int
	drop  int // from the block's top to the base line
}

// NewPainter parses font and texts.
func NewPainter(o Options) (*Painter, error) {
	if o.Langs == nil {
		o.Langs = []string{"ko", "en"}
	}
	if len(o.Langs) < 1 || len(o.Langs) > 2 {
		return nil, errors.New("screen.languages: give one or two, the large one first")
	}
	p := &Painter{
		palette: newPalette(),
		symbols: map[symbolKey]*image.Alpha{},
		blocks:  map[blockKey]block{},
	}
	var err error
	if p.letters, err = newTypeface(); err != nil {
		return nil, err
	}
	for _, l := range o.Langs {
		t, err := loadTexts(l)
		if err != nil {
			return nil, err
		}
		p.langs = append(p.langs, t)
	}
	return p, nil
}

// Words are what the screen says in s, for a screen reader: each language's
// headline and next step.
func (p *Painter) Words(s State) string {
	var out string
	for _, t := range p.langs {
		if w := t.Scene[s.Scene]; w != nil {
			if out != "" {
				out += " "
			}
			out += w.say(s.Seconds) + ". "
			if s.Scene == EnrolConfirm && s.Words != "" {
				out += s.Registry + ". " + s.Words + ". "
			}
			out += w.Next + "."
		}
	}
	return out
}

// Draw paints s over all of dst. An unknown scene is drawn as Wait.
func (p *Painter) Draw(dst *image.RGBA, s State) {
	if p.langs[0].Scene[s.Scene] == nil {
		s.Scene = Wait
	}
	if s.Scene != NotYetValid {
		s.Seconds = 0
	}
	bounds := dst.Bounds()
	if bounds.Dx() < 64 || bounds.Dy() < 64 {
		return // too small for any word
	}
	tone, _ := p.palette.look(s.Scene)
	strip := bounds
	strip.Min.Y = strip.Max.Y - max(22, min(bounds.Dx(), bounds.Dy())/13)
	stage := bounds
	stage.Max.Y = strip.Min.Y

	draw.Draw(dst, stage, tone.back, image.Point{}, draw.Src)
	live := s.Scene.Live() && s.Camera != nil && !s.Camera.Rect.Empty()
	picture, words := split(stage, live)
	if live {
		p.camera(dst, fit(picture, s.Camera.Rect.Size()), s.Camera)
	} else {
		p.symbol(dst, picture, s.Scene, tone.ink)
	}
	p.words(dst, words, s, tone.ink)
	p.strip(dst, strip, s.Status)
	if s.Staff != nil && s.StaffOpen {
		p.staff(dst, stage, s.Staff)
	}
}

// split parts the stage into a place for picture or symbol and one for words:
// side by side when it is wide, one above the other when it is tall. A live
// picture gets more than a symbol.
func split(stage image.Rectangle, live bool) (picture, words image.Rectangle) {
	share := 32
	if live {
		share = 46
	}
	margin := min(stage.Dx(), stage.Dy()) / 20
	in := stage.Inset(margin)
	picture, words = in, in
	if stage.Dx() >= stage.Dy() {
		picture.Max.X = in.Min.X + in.Dx()*share/100
		words.Min.X = picture.Max.X + margin
	} else {
		picture.Max.Y = in.Min.Y + in.Dy()*(share+2)/100
		words.Min.Y = picture.Max.Y + margin
	}
	return picture, words
}

// fit is the largest rectangle of size's shape in the middle of in.
func fit(in image.Rectangle, size image.Point) image.Rectangle {
	w, h := in.Dx(), in.Dx()*size.Y/size.X
	if h > in.Dy() {
		w, h = in.Dy()*size.X/size.Y, in.Dy()
	}
	at := in.Min.Add(image.Pt((in.Dx()-w)/2, (in.Dy()-h)/2))
	return image.Rectangle{at, at.Add(image.Pt(w, h))}
}

func (p *Painter) symbol(dst *image.RGBA, in image.Rectangle, scene Scene, ink *image.Uniform) {
	size := min(in.Dx(), in.Dy()) * 9 / 10
	key := symbolKey{scene, size}
	mask := p.symbols[key]
	if mask == nil {
		_, sym := p.palette.look(scene)
		mask = sym.mask(size)
		p.symbols[key] = mask
	}
	at := in.Min.Add(image.Pt((in.Dx()-size)/2, (in.Dy()-size)/2))
	draw.DrawMask(dst, mask.Rect.Add(at), ink, image.Point{}, mask, image.Point{}, draw.Over)
}

// words draws the scene's sentences centred in in.
func (p *Painter) words(dst *image.RGBA, in image.Rectangle, s State, ink *image.Uniform) {
	key := blockKey{scene: s.Scene, seconds: s.Seconds, size: in.Size()}
	if s.Scene == EnrolConfirm {
		key.registry, key.words = s.Registry, s.Words
	}
	b, ok := p.blocks[key]
	if !ok {
		b = p.layout(key)
		if s.Seconds == 0 && key.words == "" { // numbers and names would fill the cache without end
			p.blocks[key] = b
		}
	}
	top := in.Min.Y + max(0, (in.Dy()-b.height)/2)
	for _, l := range b.lines {
		p.letters.draw(dst, image.Pt(in.Min.X+(in.Dx()-l.width)/2, top+l.drop), l.size, ink, l.text)
	}
}

// layout breaks the scene's sentences into lines, as large as the place allows.
func (p *Painter) layout(key blockKey) block {
	var b block
	for base := min(key.size.X*9/50, key.size.Y/4); ; base = base * 15 / 16 {
		var ok bool
		if b, ok = p.tryLayout(key, base); ok || base < 8 {
			return b
		}
	}
}

func (p *Painter) tryLayout(key blockKey, base int) (b block, ok bool) {
	add := func(text string, size, space, most int) bool {
		lines, fits := p.letters.wrap(size, text, key.size.X, most)
		b.height += space
		for _, l := range lines {
			b.lines = append(b.lines, line{[]byte(l), size, p.letters.width(size, l), b.height + size*9/10})
			b.height += size * 5 / 4
		}
		return fits
	}
	ok = true
	for i, t := range p.langs {
		w := t.Scene[key.scene]
		say, next, space := base, base*65/100, 0
		if i > 0 { // the second language stands beside it, smaller
			say, next, space = base*52/100, base*44/100, base/2
		}
		ok = add(w.say(key.seconds), say, space, 2) && ok
		if i == 0 && key.words != "" {
			ok = add(key.registry, base*85/100, base/3, 2) && ok
			ok = add(key.words, base*85/100, base/3, 3) && ok
			b.height += base / 3
		}
		ok = add(w.Next, next, base/5, 3) && ok
	}
	return b, ok && b.height <= key.size.Y
}

// strip draws the reader's own state: a shape and a word for each part.
func (p *Painter) strip(dst *image.RGBA, in image.Rectangle, s Status) {
	draw.Draw(dst, in, p.palette.strip.back, image.Point{}, draw.Src)
	w := &p.langs[0].Strip
	keys, age := w.KeysHours, int(s.KeysAge/time.Hour)
	if age >= 48 {
		keys, age = w.KeysDays, age/24
	}
	items := [...]struct {
		level Level
		text  string
		n     int
	}{
		{s.Camera, w.Camera, 0}, {s.Network, w.Network, 0}, {s.Queue, w.Queue, s.Waiting},
		{s.Keys, keys, age}, {s.Clock, w.Clock, 0}, {s.Sound, w.Sound, 0}, {unlessOK(s.Disk), w.Disk, 0},
	}
	size := in.Dy() * 5 / 9
	for ; size > 8; size-- { // narrow screens get smaller words
		x := 0
		for _, it := range items {
			if it.level != Hidden {
				x += size*2 + p.width(size, it.text, it.n)
			}
		}
		if x <= in.Dx()-size {
			break
		}
	}
	pen := image.Pt(in.Min.X+size*3/4, in.Min.Y+(in.Dy()+size*7/10)/2)
	for _, it := range items {
		if it.level == Hidden {
			continue
		}
		light(dst, image.Rect(pen.X, pen.Y-size*7/10, pen.X+size*7/10, pen.Y), it.level)
		pen.X += size
		pen = p.letters.draw(dst, pen, size, p.palette.strip.ink, p.fill(it.text, it.n))
		pen.X += size
	}
}

// unlessOK hides what need not be said while all is well.
func unlessOK(l Level) Level {
	if l == OK {
		return Hidden
	}
	return l
}

func (p *Painter) width(size int, text string, n int) (w int) {
	for _, r := range string(p.fill(text, n)) {
		w += p.letters.glyph(size, r).advance
	}
	return w
}

// fill puts n in the place of {n}, without allocating.
func (p *Painter) fill(text string, n int) []byte {
	p.buf = p.buf[:0]
	for i := 0; i < len(text); i++ {
		if text[i] == '{' && i+2 < len(text) && text[i:i+3] == "{n}" {
			p.buf = strconv.AppendInt(p.buf, int64(n), 10)
			i += 2
			continue
		}
		p.buf = append(p.buf, text[i])
	}
	return p.buf
}

// staff draws the staff's field into the upper right corner: small, and no
// colour of its own, so that it means nothing from where the queue stands.
func (p *Painter) staff(dst *image.RGBA, stage image.Rectangle, s *Staff) {
	w := &p.langs[0].Staff
	vaccinated, weeks := w.Incomplete, w.NotPassed
	if s.Complete {
		vaccinated = w.Complete
	}
	if s.TwoWeeksOn {
		weeks = w.Passed
	}
	text := vaccinated + " · " + weeks + " · " + number(w.Doses, s.Doses)
	size := max(12, min(stage.Dx(), stage.Dy())/26)
	width := p.letters.width(size, text)
	box := image.Rect(stage.Max.X-width-size*2, stage.Min.Y, stage.Max.X, stage.Min.Y+size*2)
	draw.Draw(dst, box, p.palette.strip.back, image.Point{}, draw.Src)
	p.letters.draw(dst, image.Pt(box.Min.X+size, box.Min.Y+size*135/100), size, p.palette.strip.ink, []byte(text))
}
