package display

import "image"

// pageKey is what a layout depends on, beside the picture's size.
type pageKey struct {
	scene   Scene
	hint    Hint
	live    bool
	field   bool // room is left for the staff's field
	trouble bool // room is left on a small panel for what is not well
	turn    int
	seconds int
	// What a technician compares is drawn between headline and next step.
	registry, words string
}

// page is a laid-out picture.
type page struct {
	picture image.Rectangle // where the live picture or the pictogram stands
	card    image.Rectangle // behind a hint; empty for none
	icon    image.Rectangle // the hint's pictogram
	lines   []line
	turns   int // how many pages the languages take turns on
}

type line struct {
	text []byte
	lang int
	size int             // pixels an em
	at   image.Point     // of the base line's start
	box  image.Rectangle // around it
}

// page is the layout of what a state shows.
func (p *Painter) page(k pageKey) page {
	g, ok := p.pages[k]
	if !ok {
		g = p.compose(k)
		if k.seconds == 0 && k.words == "" { // numbers and names would fill the cache without end
			p.pages[k] = g
		}
	}
	return g
}

// A step is one way to lay a scene out: what stands together, and how many times
// larger than the least the headline must be.
type step struct {
	turns []words // each is a page
	floor float64
	brief bool // the second language's next step is left to the guide frame
}

// words are those of one page.
type words struct {
	langs     []int
	say, next bool
}

// steps go from the fairest to what is needed on a small screen: two languages
// together, each by itself, headline and next step apart. The last gives up the
// least height for the sake of whole sentences.
func (p *Painter) steps() []step {
	var pairs, singles, apart []words
	for i := range p.langs {
		if i > 0 {
			pairs = append(pairs, words{[]int{0, i}, true, true})
		}
		singles = append(singles, words{[]int{i}, true, true})
		apart = append(apart, words{[]int{i}, true, false}, words{[]int{i}, false, true})
	}
	if pairs == nil {
		pairs = singles
	}
	return []step{
		{pairs, 1.3, false}, {pairs, 1.12, false}, {pairs, 1.12, true},
		{singles, 1.2, false}, {singles, 1, false}, {apart, 1, false}, {singles, 0, false},
	}
}

var symbolShares, confirmShares = []int{34, 29, 24, 19}, []int{24, 19, 14}

func (p *Painter) compose(k pageKey) page {
	if p.staffOnly {
		return page{}
	}
	if p.frame.small {
		return p.stamp(k)
	}
	shares := symbolShares
	switch {
	case k.live:
		shares = []int{p.frame.live}
	case k.words != "":
		shares = confirmShares
	}
	for _, s := range p.steps() {
		if s.brief && !k.live {
			continue
		}
		for _, share := range shares {
			if g, ok := p.arrange(k, s, share); ok {
				return g
			}
		}
	}
	return page{}
}

// liveShare is how much of the stage the live picture gets, so that it stays
// where it is while idle, hints and seen follow each other.
func (p *Painter) liveShare() int {
	keys := []pageKey{{scene: Idle, live: true}, {scene: Seen, live: true}, {scene: Unenrolled, live: true}}
	for _, h := range Hints() {
		keys = append(keys, pageKey{scene: Idle, live: true, hint: h})
	}
	shares := []int{46, 43, 40, 37}
	for _, s := range p.steps()[:3] {
	next:
		for _, share := range shares {
			for _, k := range keys {
				if _, ok := p.arrange(k, s, share); !ok {
					continue next
				}
			}
			return share
		}
	}
	return 42
}

// arrange lays k's turn out in one way, if every turn fits that way.
func (p *Painter) arrange(k pageKey, s step, share int) (page, bool) {
	g := page{turns: len(s.turns)}
	var place image.Rectangle
	g.picture, place = p.frame.split(share)
	if k.field && !k.live {
		place.Min.Y = max(place.Min.Y, p.frame.stage.Min.Y+p.cornerSize()*2)
		g.picture.Min.Y = max(g.picture.Min.Y, p.frame.stage.Min.Y+p.cornerSize()*2)
	}
	if !k.live { // the disc is smaller than its place
		g.picture = g.picture.Inset(min(g.picture.Dx(), g.picture.Dy()) / 16)
	}
	if k.hint != NoHint {
		g.card = place
		for _, part := range []int{48, 40, 32, 24} {
			g.icon, place = p.frame.hint(g.card, part)
			if b, ok := p.setAll(place.Size(), k, s); ok {
				return p.place(g, place, b), true
			}
		}
		return page{}, false
	}
	b, ok := p.setAll(place.Size(), k, s)
	return p.place(g, place, b), ok
}

// hint parts a card into a place for the pictogram and one for the words.
func (f *frame) hint(card image.Rectangle, part int) (icon, words image.Rectangle) {
	in := card.Inset(f.margin)
	icon, words = in, in
	if in.Dx() > in.Dy()*5/4 {
		icon.Max.X = in.Min.X + in.Dx()*part*3/4/100
		words.Min.X = icon.Max.X + f.margin
	} else {
		icon.Max.Y = in.Min.Y + in.Dy()*part/100
		words.Min.Y = icon.Max.Y + f.margin/2
	}
	return icon, words
}

// setAll lays out the turn of k if every turn fits.
func (p *Painter) setAll(in image.Point, k pageKey, s step) (mine block, ok bool) {
	for i, w := range s.turns {
		b, ok := p.set(in, k, w, step{floor: max(s.floor, 1), brief: s.brief})
		if !ok && s.floor == 0 {
			b, ok = p.set(in, k, w, s)
		}
		if !ok {
			return b, false
		}
		if i == k.turn%len(s.turns) {
			mine = b
		}
	}
	return mine, true
}

// place puts a block's lines into a rectangle.
func (p *Painter) place(g page, in image.Rectangle, b block) page {
	centred := !p.frame.wide() || !g.card.Empty() && in.Min.Y > g.icon.Min.Y
	top := in.Min.Y + (in.Dy()-b.height)/2
	for _, l := range b.lines {
		x, width := in.Min.X, p.faces[l.lang].measure(l.size, l.text)
		if centred {
			x += (in.Dx() - width) / 2
		}
		l.box = image.Rect(x, top+l.box.Min.Y, x+width, top+l.box.Max.Y)
		l.at = image.Pt(x, top+l.at.Y)
		g.lines = append(g.lines, l)
	}
	return g
}

// wide says whether picture and words stand side by side.
func (f *frame) wide() bool { return f.stage.Dx() >= f.stage.Dy() }

// split parts the stage into a place for picture or pictogram, of share percent,
// and one for words: side by side when it is wide, one above the other when it
// is tall.
func (f *frame) split(share int) (picture, words image.Rectangle) {
	in := f.stage.Inset(f.margin)
	picture, words = in, in
	if f.wide() {
		picture.Max.X = in.Min.X + in.Dx()*share/100
		words.Min.X = picture.Max.X + f.margin
	} else {
		picture.Max.Y = in.Min.Y + in.Dy()*share/100
		words.Min.Y = picture.Max.Y + f.margin
	}
	return picture, words
}

// block is a laid-out column of lines. Their boxes and base lines are counted
// from its top.
type block struct {
	lines  []line
	height int
}

// set lays out the words of some languages, as large as the place allows.
func (p *Painter) set(in image.Point, k pageKey, w words, s step) (block, bool) {
	least := max(8, int(s.floor*float64(p.least(w.langs[0]))))
	for base := min(in.X/5, in.Y*27/100); ; base = base * 15 / 16 {
		base = max(base, least)
		if b, ok := p.trySet(in, k, w, s, base); ok || base <= least {
			return b, ok || s.floor == 0
		}
	}
}

// least is a language's smallest size, pixels an em.
func (p *Painter) least(lang int) int {
	return int(float64(p.frame.ink+1)/p.langs[lang].height) + 1
}

func (p *Painter) trySet(in image.Point, k pageKey, on words, s step, headline int) (b block, ok bool) {
	ok = true
	add := func(lang int, text string, share, space int, most int) {
		size := headline * share / 100
		if s.floor > 0 {
			size = max(size, p.least(lang))
		}
		// Ink, and a sixth of an em to the next line.
		l := p.langs[lang]
		base, pitch := int((l.above+.08)*float64(size))+1, int((l.above+l.below+.17)*float64(size))+1
		lines, fits := p.faces[lang].wrap(size, text, in.X, most)
		ok = ok && fits
		if len(b.lines) > 0 {
			b.height += headline * space / 100
		}
		for _, l := range lines {
			b.lines = append(b.lines, line{
				text: []byte(l), lang: lang, size: size, at: image.Pt(0, b.height+base),
				box: image.Rect(0, b.height, 0, b.height+pitch),
			})
			b.height += pitch
		}
	}
	say, next := 2, 2
	if s.floor < 1.2 {
		say, next = 3, 4
	}
	for i, lang := range on.langs {
		w := p.langs[lang].words
		sayShare, nextShare, space := 100, 62, 0
		if i > 0 { // the second language stands beside it, smaller
			sayShare, nextShare, space = 54, 46, 52
		}
		if !on.say {
			nextShare = 100
		}
		switch {
		case k.hint == NoHint:
		case on.say:
			add(lang, w.Hint[k.hint].Say, sayShare, space*2/3, say)
			continue
		default:
			return b, false // a hint has no next step
		}
		if on.say {
			add(lang, w.Scene[k.scene].say(k.seconds), sayShare, space, say)
			if i == 0 && k.words != "" {
				add(0, k.registry, 80, 30, 3)
				add(0, k.words, 80, 10, 3)
			}
		}
		if on.next && (i == 0 || !s.brief) {
			add(lang, w.Scene[k.scene].Next, nextShare, 20, next)
		}
	}
	return b, ok && b.height <= in.Y
}

// stamp lays out for a panel as small as a stamp: a pictogram and a few words.
func (p *Painter) stamp(k pageKey) page {
	in := p.frame.stage
	if k.trouble {
		in.Max.Y -= stampRow
	}
	g := page{turns: 1}
	side := in.Dy() * 9 / 16
	g.picture = image.Rect(0, 0, side, in.Dy()).Inset(2)
	place := image.Rect(side+4, 0, in.Max.X, in.Dy())
	text := p.langs[0].words.Scene[k.scene].Short
	if k.hint != NoHint {
		text = p.langs[0].words.Hint[k.hint].Short
	}
	for size := in.Dy() / 2; size > 6; size-- {
		lines, ok := p.faces[0].wrap(size, text, place.Dx(), 3)
		if height := len(lines) * size * 112 / 100; ok && height <= place.Dy() {
			top := (place.Dy() - height) / 2
			for i, l := range lines {
				y := top + i*size*112/100
				width := p.faces[0].width(size, l)
				at := image.Pt(place.Min.X+(place.Dx()-width)/2, y+size*90/100)
				g.lines = append(g.lines, line{text: []byte(l), size: size, at: at, box: image.Rect(at.X, y, at.X+width, y+size)})
			}
			break
		}
	}
	return g
}
